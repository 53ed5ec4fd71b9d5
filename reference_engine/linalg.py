"""torch.linalg: names for the matrix functions of the table."""

from __future__ import annotations

from .errors import LinAlgError
from .ops.linalg_faces import LINALG

globals().update(LINALG)
__all__ = ["LinAlgError", *sorted(LINALG)]
