"""In-place ops: who may write where, what the write does to versions, and how it enters the history.

A write into a view changes the history of the base: the base's new node is a CopySlices, which runs the op's own node
on the written window and lets the gradient of the rest pass (torch: functions/tensor.cpp).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import errors, views
from .graph import NO_EDGE, Node, edge_of
from .modes import alert, state
from .saved import SavedCopy, SavedResult
from .storage import Storage, address, strided, strides
from .tensor import Tensor, ndarray, wrap


def check(t: Tensor, writer: str) -> None:
    """Raise if a recorded write into `t` is not allowed: a leaf that requires grad, a view of one, a frozen view."""
    if t._view is not None:
        views.refuse(t, writer)
        base = t._view.base
        if base._edge is None and t.requires_grad:
            made = "" if t._edge is None else f", made by {t._edge[0].name()},"
            raise errors.ViewOfLeafInPlace(
                "a view of a leaf Variable that requires grad is being used in an in-place operation. "
                f"[{writer} on a view of shape {list(t.shape)}{made} of a leaf of shape {list(base.shape)}.]"
            )
    if t._edge is None and t.requires_grad:
        raise errors.LeafInPlace(
            "a leaf Variable that requires grad is being used in an in-place operation. "
            f"[{writer} on a leaf of shape {list(t.shape)}; in no_grad mode it would be allowed.]"
        )


_UNIFORM = frozenset(("zero", "fill_scalar", "fill_tensor"))  # one value for all: elements may share a place


def check_memory(row: Any, t: Tensor, others: Sequence) -> None:
    """Raise if several elements of a destination share one place, or if an operand lies across it."""
    array = t._array
    if 0 in array.strides and row.name not in _UNIFORM:
        refuse_repeats(array)
    for x in others:
        if isinstance(x, Tensor) and x._storage is t._storage and x is not t:
            refuse_across(array, x._array)


def refuse_repeats(target: ndarray) -> None:
    """Raise if several elements of the destination share one place."""
    if target.size and any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )


def refuse_across(target: ndarray, operand: ndarray) -> None:
    """Raise if an operand lies across the destination."""
    if _lies_across(target, operand):
        raise RuntimeError(
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
            "location. Please clone() the tensor before performing the operation."
        )


def _lies_across(a: ndarray, b: ndarray) -> bool:
    """Whether two windows without gaps share memory but are not the same window (torch: get_overlap_status)."""
    spans = []
    for x in (a, b):
        if not x.size or 1 + sum((n - 1) * s for n, s in zip(x.shape, strides(x))) != x.size:
            return False
        start = address(x)
        spans.append((start, start + x.nbytes))
    (a0, a1), (b0, b1) = spans
    if spans[0] == spans[1]:  # NumPy does not say how far apart the places of a dimension of length 1 would be
        return any(s != t for n, s, t in zip(a.shape, a.strides, b.strides) if n > 1 or (s and t)) or a.ndim != b.ndim
    return a0 < b1 and b0 < a1


_RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def _check_result(name: str, target: ndarray, result: Any, casts: bool) -> None:
    if result.shape != target.shape:
        raise RuntimeError(f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(result.shape)}")
    if not casts:
        check_cast(target, result)


def check_cast(target: ndarray, result: Any) -> None:
    """Raise if the result's kind of number does not fit into the target's."""
    if _RANK[result.dtype.kind] > _RANK[target.dtype.kind]:
        from .dtypes import OF_NUMPY

        raise RuntimeError(
            f"result type {OF_NUMPY[result.dtype].long_name} can't be cast to the desired output type "
            f"{OF_NUMPY[target.dtype].long_name}"
        )


def bump(t: Tensor, writer: str) -> None:
    """Count a write."""
    storage = t._storage
    if storage.version is not None:
        storage.version += 1
        storage.writer = writer


def write(row: Any, name: str, t: Tensor, others: Sequence, params: Sequence) -> Tensor:
    """Run `row` and put the result into `t`; returns `t`. The value is computed before anything is changed."""
    inputs = (t, *others)
    target = t._array
    values = [target]
    needed = t._rg if t._view is None else t.requires_grad
    for x in others:
        if x.__class__ is Tensor:
            values.append(x._array)
            needed = needed or x._rg or (x._view is not None and x.requires_grad)
        else:
            values.append(row._value(x))
            needed = needed or any(isinstance(y, Tensor) and y.requires_grad for y in (x if row.variadic else (x,)))
    needed = needed and bool(row.formulas) and state.grad and target.dtype.kind in "fc"
    storage = t._storage
    if storage.version is None and not state.inference:
        raise errors.written_inference()
    if needed:
        check(t, name)
    check_memory(row, t, others)
    result = row._compute(values, params)
    if type(result) is not ndarray:
        result = np.asarray(result)
    _check_result(name, target, result, row.promote is None)
    before = _tangents(name, row, t, inputs, values, params, result) if alert.on else None
    if not needed:
        target[...] = result
        if storage.version is not None:
            storage.version += 1
            storage.writer = name
        return t
    edges = row.edges(inputs)[0]
    entries: dict[str, Any] = {}
    for saved, i, _, guard in row.plan:
        if i == 0 and (guard is None or edges[guard[0]] is not NO_EDGE):
            entries[saved] = SavedCopy(target.copy(order="K"), Storage.at(0), None if edges[0] is NO_EDGE else edges[0])
            entries[saved].tangents = before
        elif i is not None and inputs[i] is t and (guard is None or edges[guard[0]] is not NO_EDGE):
            # Saving t itself would tie t's new node to t: a cycle. Bytes and counter are enough to catch the write.
            entries[saved] = SavedCopy(target, t._storage, None if edges[0] is NO_EDGE else edges[0])
        elif i is None:
            entries[saved] = None  # the result: saved after the write
    node = row.make_node(inputs, values, params, edges, (t,), entries)
    target[...] = result
    bump(t, name)
    _fill_results(row, node, t)
    rebase(t, node)
    return t


def _fill_results(row: Any, node: Node, t: Tensor) -> None:
    """Save the result after the write, at its new version."""
    for k, (_, i, _, _) in enumerate(row.plan):
        if i is None:
            saved = SavedResult(t._array, t._storage, 0)
            saved.tangents = None if t._meta is None or t._meta.tangents is None else dict(t._meta.tangents)
            entry, version = row._pack(saved)
            node.saved = (*node.saved[:k], entry, *node.saved[k + 1 :])
            node.versions = (*node.versions[:k], version, *node.versions[k + 1 :])


def _tangents(name: str, row: Any, t: Tensor, inputs: Sequence, values: list, params: Sequence, result: Any) -> Any:
    """What the rare modes have to say before a write: a transform may refuse it, dual levels carry the tangents.

    Returns the old tangents of `t`, or None.
    """
    if state.transforms:
        from .func import refuse_captured

        refuse_captured(name, t, inputs)
    if state.dual_level < 0:
        return None
    from .autograd.tangents import propagate_in_place

    return propagate_in_place(row, t, inputs, values, params, result)


def rebase(t: Tensor, node: Node) -> None:
    """Make `node` the history of `t`; through a view, make it part of the base's history."""
    info = t._view
    if info is None:
        set_history(t, node)
        return
    views.refuse(t, node.name())
    base = info.base
    slices = CopySlices(base, t, node)
    set_history(base, slices)
    t._rg = True
    views.regenerate(t)


def set_history(t: Tensor, node: Node) -> None:
    """A new grad_fn for `t` alone."""
    views.move_retained(t, node)
    t._rg, t._edge = True, (node, 0)
    if t._view is not None:
        t._view.version = t._storage.version


class CopySlices(Node):
    """The history of a base one of whose views was written: `inner` is the node of the write itself.

    edges: the base's old history, then what `inner` needs besides the window.
    """

    __slots__ = ("base", "inner", "ordered", "replay", "window")
    title = "torch::autograd::CopySlices"

    def __init__(self, base: Tensor, view: Tensor, inner: Node) -> None:
        old = edge_of(base) if base.requires_grad else NO_EDGE
        super().__init__((old, *inner.edges[1:]), base._array.shape, base._array.dtype)
        self.inner: Node | None = inner
        b, v = base._array, view._array
        self.base, self.ordered = (b.shape, strides(b)), b.flags.c_contiguous
        self.window = (v.shape, strides(v), views.start(view))
        self.replay = views.replay(view)

    def _checked_inner(self) -> Node:
        if self.inner is None:
            raise errors.freed(self.name())
        return self.inner

    def _whole(self, dtype: Any) -> ndarray:
        """A buffer laid out as the base's."""
        shape, steps = self.base
        return np.zeros(1 + sum((n - 1) * s for n, s in zip(shape, steps)) if 0 not in shape else 0, dtype)

    def backward(self, ct: Any) -> tuple:
        inner = self._checked_inner()
        if self.ordered:
            whole = result = np.array(ct, order="C")
        else:
            whole = self._whole(ct.dtype)
            result = strided(whole, *self.base, 0)
            result[...] = ct
        part = strided(whole, *self.window) if self.replay is None else self.replay(wrap(result))._array
        grads = inner.backward(part.copy())
        if self.edges[0] is NO_EDGE:  # the base's old values were constants
            return (None, *grads[1:])
        part[...] = 0 if grads[0] is None else grads[0]
        return (result, *grads[1:])

    def differentiate(self, ct: Any) -> tuple:
        inner = self._checked_inner()
        result = wrap(strided(self._whole(ct._array.dtype), *self.base, 0))
        result.copy_(ct)
        part = result.as_strided(*self.window) if self.replay is None else self.replay(result)
        grads = inner.differentiate(part.clone())
        if self.edges[0] is NO_EDGE:
            return (None, *grads[1:])
        if grads[0] is None:
            part.zero_()
        else:
            part.copy_(grads[0])
        return (result, *grads[1:])

    def release(self) -> None:
        # Only let go of it: a second derivative may have made the inner node a node of its own right.
        self.inner = None
