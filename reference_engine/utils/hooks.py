"""torch.utils.hooks: the handles of hooks."""

from ..hooks import RemovableHandle

__all__ = ["RemovableHandle"]
