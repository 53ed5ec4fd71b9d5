"""Calling hooks during backward: what they are shown, and what they may give back (torch: python_hook.cpp).

Inside a backward cotangents are arrays (Tensors under create_graph); a hook sees Tensors. A cotangent that is a seed, or was
captured already, is shown as that very Tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import errors
from .graph import Node, NodeHooks
from .storage import owner
from .tensor import Tensor, alias, wrap


def shown(task: Any, cotangent: Any) -> Any:
    """The Tensor that stands for a cotangent outside: the seed or the captured gradient, if it is one."""
    if cotangent is None or isinstance(cotangent, Tensor):
        return cotangent
    known = (*task.seeds, *(c for c in task.captured if c is not None))
    for t in known:
        if t._array is cotangent:
            return t
    return wrap(cotangent)


def captured(task: Any, cts: list, nr: int) -> Tensor:
    """The cotangent as a result of grad().

    A part of a seed's memory stays that, and any other array that others hold too is copied first.
    """
    got = cts[nr]
    if type(got) is np.ndarray and got.base is not None and all(seed._array is not got for seed in task.seeds):
        whole, dense = owner(got), 0 not in got.strides
        for seed in task.seeds if dense else ():
            if owner(seed._array) is whole:
                return alias(got, seed._storage)
        got = got.copy(order="K") if dense else np.ascontiguousarray(got).reshape(got.shape)
    found = shown(task, got)
    cts[nr] = found._array
    return found


def check(hook: Callable, before: Any, after: Any) -> None:
    """A hook may change the value of a gradient, not its kind. Raises HookError, and TypeError for what is no Tensor."""
    if after is None:
        return
    if not isinstance(after, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(after).__name__}'")
    if before is None:
        raise errors.HookError("can't replace a None gradient with a non-None value")
    name = getattr(hook, "__name__", "<unknown>")
    if before.dtype is not after.dtype:
        raise errors.HookError(
            f"hook '{name}' has changed the type of value (was torch.{before.dtype.long_name}Tensor got "
            f"torch.{after.dtype.long_name}Tensor)"
        )
    if before._array.shape != after._array.shape:
        raise errors.HookError(
            f"hook '{name}' has changed the size of value [it was {list(before.shape)} and became {list(after.shape)}]"
        )


def _checked_tuple(hook: Callable, before: tuple, after: Any) -> tuple:
    if not isinstance(after, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(after).__name__}'")
    if len(after) != len(before):
        name = getattr(hook, "__name__", "<unknown>")
        raise errors.HookError(
            f"hook '{name}' has returned an incorrect number of values (got {len(after)}, but expected {len(before)})"
        )
    for b, a in zip(before, after):
        check(hook, b, a)
    return after


def tensor_hooks(task: Any, hooks: NodeHooks, cts: list) -> None:
    """Hooks of the tensors that are a node's outputs, then retain_grad. Changes `cts` in place."""
    create = task.create
    for nr, dictionary in hooks.tensor.items():
        value = shown(task, cts[nr]) if dictionary else None
        for hook in list(dictionary.values()):
            cts[nr] = value if create or value is None else value._array
            got = hook(value)
            if got is not None:
                check(hook, value, got)
                value = got
                cts[nr] = got if create else got._array
            got = None
        value = None
    for nr, ref in hooks.retains.items():
        variable = ref()
        if variable is None or cts[nr] is None:
            continue
        meta = variable._meta
        if meta.grad is None:
            meta.grad = cts[nr].clone() if create else wrap(np.array(cts[nr], order="K", copy=True))
        else:
            meta.grad = meta.grad + cts[nr] if create else wrap(meta.grad._array + cts[nr])


def pre_hooks(task: Any, hooks: NodeHooks, cts: list) -> None:
    """Prehooks of a node. Changes `cts` in place."""
    for hook in list(hooks.pre.values()):
        values = tuple(shown(task, c) for c in cts)
        got = hook(values)
        if got is not None:
            cts[:] = [g if task.create or g is None else g._array for g in _checked_tuple(hook, values, got)]


def post_hooks(task: Any, hooks: NodeHooks, grads: Sequence, cts: list, places: Sequence[int] | None = None) -> tuple:
    """Hooks of a node after it ran; returns the gradients of its inputs, which they may have replaced.

    places: which of the gradients they see; None: all.
    """
    grads = list(grads)
    places = range(len(grads)) if places is None else places
    outputs = tuple(shown(task, c) for c in cts)
    for hook in list(hooks.post.values()):
        values = tuple(shown(task, grads[i]) for i in places)
        got = hook(values, outputs)
        if got is not None:
            for i, g in zip(places, _checked_tuple(hook, values, got)):
                grads[i] = g if task.create or g is None else g._array
    return tuple(grads)


def sink(task: Any, node: Node, hooks: NodeHooks | None, cts: list) -> tuple:
    """Let a leaf take its gradient, with the hooks of its AccumulateGrad around."""
    if hooks is not None and hooks.pre:
        pre_hooks(task, hooks, cts)
    watching = hooks is not None and hooks.post
    seen = (shown(task, cts[0]),) if watching else ()
    if cts[0] is not None:
        node.take(cts, task.create)  # type: ignore[attr-defined]
    else:
        node.taken()  # type: ignore[attr-defined]
    for hook in list(hooks.post.values()) if hooks is not None and watching else ():
        hook((), seen)
    return ()
