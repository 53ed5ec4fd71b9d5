"""torch.nn.modules.module: the base class, and hooks on the calls of all modules."""

from __future__ import annotations

from collections.abc import Callable

from ...hooks import RemovableHandle
from ..module import EVERYWHERE, Module


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Call hook(module, args) before the forward of every module; what it returns takes the place of the arguments."""
    return RemovableHandle.add(EVERYWHERE["_forward_pre_hooks"], (hook, False))


def register_module_forward_hook(hook: Callable, *, with_kwargs: bool = False, always_call: bool = False) -> RemovableHandle:
    """Call hook(module, args, output) after the forward of every module; what it returns takes the place of the output."""
    return RemovableHandle.add(EVERYWHERE["_forward_hooks"], (hook, with_kwargs))


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Call hook(module, grad_input, grad_output) for every module."""
    return RemovableHandle.add(EVERYWHERE["_backward_hooks"], hook)


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Call hook(module, grad_output) for every module."""
    return RemovableHandle.add(EVERYWHERE["_backward_pre_hooks"], hook)


__all__ = [
    "Module", "register_module_forward_hook", "register_module_forward_pre_hook", "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]  # fmt: skip
