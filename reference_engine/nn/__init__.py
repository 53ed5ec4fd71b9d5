"""torch.nn: so far only Parameter and the functional chapter."""

from . import functional
from .parameter import Parameter

__all__ = ["Parameter", "functional"]
