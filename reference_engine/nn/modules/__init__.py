"""torch.nn.modules"""

from ..module import Module
from . import module

__all__ = ["Module", "module"]
