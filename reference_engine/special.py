"""torch.special: names for the special functions of the table."""

from __future__ import annotations

from .ops.special import SPECIAL

globals().update(SPECIAL)
__all__ = sorted(SPECIAL)
