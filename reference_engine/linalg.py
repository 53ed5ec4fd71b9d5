"""torch.linalg: names for the matrix functions of the table."""

from __future__ import annotations

from .ops.linalg_faces import LINALG

globals().update(LINALG)
__all__ = sorted(LINALG)
