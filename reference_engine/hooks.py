"""Hooks: handles that remove them, multi-grad hooks, and the saved-tensor hooks."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from . import errors
from .modes import alert, state

_next_id = count().__next__
HookDict = OrderedDict


class RemovableHandle:
    """Takes a hook out of its dictionary; also usable as a context manager."""

    __slots__ = ("__weakref__", "_hooks", "id")

    def __init__(self, hooks: OrderedDict) -> None:
        self._hooks = weakref.ref(hooks)
        self.id = _next_id()

    @classmethod
    def add(cls, hooks: OrderedDict, fn: Callable) -> RemovableHandle:
        """Register `fn` last in `hooks`."""
        handle = cls(hooks)
        hooks[handle.id] = fn
        return handle

    def remove(self) -> None:
        """Take the hook away; doing so twice is no error."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.remove()


class saved_tensors_hooks:
    """Within the context, saved tensors are stored as pack(t) and come back as unpack(packed); innermost pair only."""

    def __init__(self, pack_hook: Callable, unpack_hook: Callable) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if state.hooks_disabled is not None:
            raise errors.HookError(state.hooks_disabled)
        state.pack_hooks.append((self.pack_hook, self.unpack_hook))
        alert.enter()

    def __exit__(self, *exc: Any) -> None:
        state.pack_hooks.pop()
        alert.leave()


class save_on_cpu(saved_tensors_hooks):
    """Keep saved tensors on the CPU: here they are there already, but the version check goes off, as in torch."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: ("cpu", t), lambda packed: packed[1])


class disable_saved_tensors_hooks(contextlib.ContextDecorator):
    """Within the context (or a decorated function), entering saved_tensors_hooks is an error with the given message."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __enter__(self) -> None:
        if state.pack_hooks:
            raise errors.HookError(self.message)
        self._previous = state.hooks_disabled
        state.hooks_disabled = self.message

    def __exit__(self, *exc: Any) -> None:
        state.hooks_disabled = self._previous


class _MultiHandle(RemovableHandle):
    """Removes the hooks that a multi-grad hook put on its tensors."""

    __slots__ = ("handles",)

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Take all of them away."""
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(tensors: Sequence[Any], fn: Callable, *, mode: str = "all") -> _MultiHandle:
    """Call fn once for each backward: with all gradients when the last has arrived ("all"), or with the first ("any").

    Gradients of tensors that the backward does not reach are None in mode "all". Raises ValueError on another mode.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    if mode == "any":
        return _register_any(tensors, fn)
    from .engine import current_task
    from .graph import edge_of

    lock = threading.Lock()
    counts: dict[Any, int] = {}
    expected: dict[Any, int] = {}
    buffers: dict[Any, list] = {}
    if not all(t.requires_grad for t in tensors):
        raise AssertionError("Expected gradient function to be set")
    edges = [edge_of(t) for t in tensors]

    def inner(index: int) -> Callable:
        def hook(gradient: Any) -> None:
            task = current_task()
            with lock:
                if task not in counts:
                    counts[task] = 0
                    buffers[task] = [None] * len(tensors)
                    expected[task] = sum(task.will_run(node) for node, _ in edges)
                counts[task] += 1
                buffers[task][index] = gradient
                done = counts[task] == expected[task]
            if done:
                fn(buffers.pop(task))
                del counts[task], expected[task]

        return hook

    return _MultiHandle([t.register_hook(inner(i)) for i, t in enumerate(tensors)])


def _register_any(tensors: Sequence[Any], fn: Callable) -> _MultiHandle:
    from .engine import current_task

    lock, ran = threading.Lock(), weakref.WeakSet()

    def hook(gradient: Any) -> None:
        task = current_task()
        with lock:
            if task in ran:
                return
            ran.add(task)
        fn(gradient)

    return _MultiHandle([t.register_hook(hook) for t in tensors if t.requires_grad])
