"""torch.utils"""

from ..ops.memory import swap_tensors
from . import checkpoint

__all__ = ["checkpoint", "swap_tensors"]
