"""Tangents: what forward mode hangs on tensors, and how each op carries them along.

A tangent belongs to a Level. `dual_level` makes one; torch.func.jvp makes one more for each nesting. The tangent that an
op's result has at a level is computed by ordinary Tensor ops with only the outer levels switched on: so tangents have
tangents themselves, and those of different levels are never confused.

No row need say how to go forward. Its vjp J*(ct) is linear in ct, so that differentiating it by ct once more, along the
tangents of the inputs, gives J t: one formula serves both directions (the "double vjp trick").
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import engine
from ..graph import NO_EDGE, Node, edge_of
from ..modes import alert, state
from ..saved import SavedResult
from ..storage import Storage, address, offset, strides
from ..tensor import Meta, Tensor, alias, wrap
from ..views import replay


class Level:
    """One forward differentiation in progress. Its tangents are forgotten when it ends."""

    __slots__ = ("by_hand", "holders")

    def __init__(self, by_hand: bool = False) -> None:
        self.by_hand = by_hand  # made by dual_level, which does not nest
        self.holders: list[weakref.ref] = []

    def __enter__(self) -> Level:
        stack.levels = [*stack.levels, self]
        state.dual_level = len(stack.levels) - 1
        alert.enter()
        return self

    def __exit__(self, *exc: Any) -> None:
        stack.levels = [level for level in stack.levels if level is not self]
        state.dual_level = len(stack.levels) - 1
        alert.leave()
        for ref in self.holders:
            t = ref()
            if t is not None and t._meta is not None and t._meta.tangents is not None:
                t._meta.tangents.pop(self, None)


class _Stack(threading.local):
    """The levels in force in this thread, outermost first."""

    def __init__(self) -> None:
        self.levels: list[Level] = []


stack = _Stack()


class only_levels:
    """Within the context the given levels alone are in force."""

    def __init__(self, levels: list[Level]) -> None:
        self.levels = levels

    def __enter__(self) -> None:
        self.before = stack.levels, state.dual_level
        stack.levels, state.dual_level = self.levels, len(self.levels) - 1

    def __exit__(self, *exc: Any) -> None:
        stack.levels, state.dual_level = self.before


# ---- tangents of one tensor -------------------------------------------------------------------------------------------


def tangent_of(t: Any, level: Level) -> Any:
    """The tangent of `t` at a level or None. A view without one of its own shows a part of its base's."""
    if not isinstance(t, Tensor):
        return None
    meta = t._meta
    if meta is not None and meta.tangents is not None and level in meta.tangents:
        return meta.tangents[level]
    if t._view is None:
        return None
    whole = tangent_of(t._view.base, level)
    if whole is not None:
        whole = _window(t, whole, level)
        hold(t, level, whole)
    return whole


def hold(t: Tensor, level: Level, tangent: Any) -> None:
    """Give `t` its tangent at a level; None says that it has none, whatever its base has."""
    if t._meta is None:
        t._meta = Meta.empty()
    if t._meta.tangents is None:
        t._meta.tangents = {}
    t._meta.tangents[level] = tangent
    level.holders.append(weakref.ref(t))


def copy_tangents(source: Tensor, target: Tensor) -> Tensor:
    """Give `target` the tangents of `source` at all levels in force; returns `target`."""
    for level in stack.levels:
        tangent = tangent_of(source, level)
        if tangent is not None:
            hold(target, level, tangent)
    return target


def _window(t: Tensor, whole: Tensor, level: Level) -> Tensor:
    """What a view shows of the tangent of its base."""
    from ..ops.table import ROWS

    info = t._view
    again = replay(t)
    if again is not None:
        return again(whole)
    base = info.base._array
    if strides(whole._array) != strides(base):
        whole = wrap(np.empty_like(base, whole._array.dtype)).copy_(whole)
        hold(info.base, level, whole)
    start = (address(t._array) - address(base)) // max(1, base.itemsize) + offset(whole._array)
    return ROWS["as_strided"].call(whole, t._array.shape, strides(t._array), start)


def _assign(t: Tensor, level: Level, tangent: Tensor) -> None:
    """The tangent of a tensor that was written in place: into the old one's memory, which views of it share."""
    have = tangent_of(t, level)
    if have is None and t._view is not None and t._meta is not None and level in (t._meta.tangents or ()):
        del t._meta.tangents[level]
    if have is None and t._view is not None:
        hold(t._view.base, level, wrap(np.zeros_like(t._view.base._array)))
        have = tangent_of(t, level)
    if have is None:
        hold(t, level, tangent)
    else:
        before, state.transforms = state.transforms, []  # the tangent may come from outside a transform, as in torch
        try:
            have.copy_(tangent)
        finally:
            state.transforms = before


# ---- propagation ------------------------------------------------------------------------------------------------------


def propagate(row: Any, inputs: Sequence, values: list, params: Sequence, outs: list) -> None:
    """Give the results of an op their tangents at every level at which an input has one."""
    if not row.formulas or state.inference or state.dual_level < 0:
        return
    levels, flat = stack.levels, row.flat(inputs)
    last = len(row.inputs) - 1
    smooth = [row.inputs[i if i < last else last] in row.formulas for i in range(len(flat))]
    for k, level in enumerate(levels):
        found = [tangent_of(x, level) if s else None for x, s in zip(flat, smooth)]
        if all(t is None for t in found):
            continue
        with only_levels(levels[:k]):
            tangents = _derive(row, inputs, values, params, outs, found)
            tangents = [t if t is None or t._array.dtype == o._array.dtype else t.to(o.dtype) for t, o in zip(tangents, outs)]
        for out, tangent in zip(outs, tangents):
            if tangent is not None:
                hold(out, level, tangent)
    remember(outs)


def remember(outs: Sequence[Tensor]) -> None:
    """Let what a node saved of its own results keep their tangents: backward may be differentiated forward."""
    for out in outs:
        if out._edge is None or out._meta is None or not out._meta.tangents:
            continue
        for entry in out._edge[0].saved or ():
            if type(entry) is SavedResult and entry._storage is out._storage:
                entry.tangents = dict(out._meta.tangents)


def _differentiable(row: Any, outs: list) -> list[bool]:
    return [(row.diff is None or nr in row.diff) and o._array.dtype.kind in "fc" for nr, o in enumerate(outs)]


def _derive(row: Any, inputs: Sequence, values: list, params: Sequence, outs: list, found: list) -> list:
    """The tangents of the results from the tangents `found` of the inputs."""
    smooth = _differentiable(row, outs)
    if not any(smooth):
        return [None] * len(outs)
    if row.jvp == "linear":
        return _linear(row, inputs, params, found)
    edges = tuple(NO_EDGE if t is None else (Node((), x._array.shape, x._array.dtype), 0)
                  for x, t in zip(row.flat(inputs), found))  # fmt: skip
    node = _formulas(row, inputs, values, params, outs, edges)
    if row.jvp == "elementwise" and found[0]._array.dtype.kind == outs[0]._array.dtype.kind == "f":
        # A diagonal Jacobian is its own transpose.
        got = node.differentiate(found[0])[0]
        return [_apart(got, found)]
    return _transpose(node, row.outputs != 1, outs, smooth, found)


def _linear(row: Any, inputs: Sequence, params: Sequence, found: list) -> list:
    """A linear op goes over the tangents as over the values."""
    last = len(row.inputs) - 1
    operands: list[Any] = []
    for i, (x, t) in enumerate(zip(row.flat(inputs), found)):
        if row.inputs[i if i < last else last] not in row.formulas or t is not None:
            operands.append(x if t is None else t)
        else:
            operands.append(wrap(np.zeros_like(x._array)) if isinstance(x, Tensor) else 0)
    if row.variadic:
        operands = [*operands[:last], operands[last:]]
    got = row(*operands, *params)
    return [got] if row.outputs == 1 else list(got)


def _formulas(row: Any, inputs: Sequence, values: list, params: Sequence, outs: list, edges: tuple) -> Node:
    """A node that stands in no graph, only to run the row's formulas. It holds Tensors as they are, unchecked."""
    first = outs[0]._array
    node = row.node(edges, first.shape, first.dtype)
    if row.outputs != 1:
        node.more = {i: (o._array.shape, o._array.dtype) for i, o in enumerate(outs) if i} or {0: (first.shape, first.dtype)}
    saved = [outs[nr] if i is None else inputs[i] for _, i, nr, _ in row.plan]
    node.saved = tuple(tuple((e, None) for e in s) if isinstance(s, (list, tuple)) else s for s in saved)
    node.versions = (None,) * len(saved)
    node.values = tuple(row._plain(v, inputs, values, params) for v in row.values)
    return node


def _transpose(node: Node, several: bool, outs: list, smooth: list[bool], found: list) -> list:
    """J t as the derivative, by ct, of the sum of t * J*(ct)."""
    probes: list[Any] = [None] * len(outs)
    for nr, out in enumerate(outs):
        if smooth[nr]:
            probes[nr] = wrap(np.ones_like(out._array))
            probes[nr]._rg = True
    before = state.grad, state.pack_hooks, state.transposing
    state.grad, state.pack_hooks, state.transposing = True, [], True
    try:
        cts = node.differentiate(probes if several else probes[0])
        sinks = [edge_of(p) for p in probes if p is not None]
        pairs = [(c, t) for c, t in zip(cts, found) if c is not None and t is not None and c.requires_grad]
        state.pack_hooks = before[1]
        seeds = [t if t._array.dtype == c._array.dtype else t.to(c.dtype) for c, t in pairs]
        rows = engine.run([edge_of(c) for c, _ in pairs], seeds, True, True, sinks, False) if pairs else [None] * len(sinks)
    finally:
        state.grad, state.pack_hooks, state.transposing = before
    got = iter(rows)
    return [_finish(next(got), o, found) if s else None for o, s in zip(outs, smooth)]


def _finish(got: Any, out: Tensor, found: list) -> Tensor:
    if got is None:
        return wrap(np.zeros_like(out._array))
    got = _apart(got, found)
    if got._rg and not state.grad:
        return copy_tangents(got, alias(got._array, got._storage))
    return got


def _apart(got: Tensor, found: list) -> Tensor:
    """A tangent of its own: later in-place ops must not reach the inputs' tangents through it."""
    return got.clone() if any(t is not None and t._storage is got._storage for t in found) else got


def propagate_in_place(row: Any, t: Tensor, inputs: Sequence, values: list, params: Sequence, result: Any) -> Any:
    """The same for a write into `t`, just before it happens. Returns the old tangents, by level, or None."""
    if not row.formulas or state.inference or state.dual_level < 0 or t._array.dtype.kind not in "fc":
        return None
    flat = row.flat(inputs)
    if all(tangent_of(x, level) is None for x in flat for level in stack.levels):
        return None
    old = alias(t._array.copy(order="K"), Storage.at(0))
    if t.requires_grad:
        old._rg, old._edge = True, edge_of(t)
    for level in stack.levels:
        tangent = tangent_of(t, level)
        if tangent is not None:
            hold(old, level, tangent.clone())
    inputs = [old if x is t else x for x in inputs]
    values = [old._array if v is t._array else v for v in values]
    out = wrap(np.array(result, t._array.dtype))
    if state.grad:
        row.record(inputs, values, params, [out])
    propagate(row, inputs, values, params, [out])
    for k, level in enumerate(stack.levels):
        tangent = tangent_of(out, level)
        if tangent is not None:
            with only_levels(stack.levels[:k]):
                _assign(t, level, tangent)
    return old._meta.tangents if old._meta is not None else None


def rearrange(row: Any, t: Tensor, params: Sequence) -> None:
    """t.transpose_() and the like look at the same memory in another way; the tangents do so too."""
    for k, level in enumerate(stack.levels):
        tangent = tangent_of(t, level)
        if tangent is not None:
            with only_levels(stack.levels[:k]):
                hold(t, level, row(tangent, *params))


def through_function(ctx: Any, cls: type, operands: Sequence, outs: Sequence) -> None:
    """A custom Function carries tangents by its own `jvp`."""
    levels = stack.levels
    for k, level in enumerate(levels):
        found = [tangent_of(x, level) for x in operands]
        if all(t is None for t in found):
            continue
        if ctx._materialize:
            found = [wrap(np.zeros_like(x._array)) if t is None and isinstance(x, Tensor) else t
                     for x, t in zip(operands, found)]  # fmt: skip
        with only_levels(levels[:k]):
            ctx._in_jvp = True
            try:
                got = cls.jvp(ctx, *found)  # type: ignore[attr-defined]
            finally:
                ctx._in_jvp = False
        got = got if isinstance(got, (tuple, list)) else (got,)
        if len(got) != len(outs):
            raise RuntimeError(
                f"Function's jvp returned an invalid number of forward gradients (expected {len(outs)} but got {len(got)})"
            )
        for out, tangent in zip(outs, got):
            if not isinstance(out, Tensor) or tangent is None:
                continue
            own = next((t for x, t in zip(operands, found) if x is out), None)
            if own is None:
                check_size(out, tangent)
                if out._view is not None and tangent._view is None:
                    raise RuntimeError(
                        "A custom Function's forward is returning a view (or an input as-is) but the jvp is not returning a view."
                    )
                hold(out, level, tangent)
            elif own is not tangent:
                raise RuntimeError(
                    "An inplace custom Function is not modifying the forward mode gradients inplace. If the forward is "
                    "modifying an input inplace, then the jvp function must modify the corresponding gradient inplace."
                )


def check_size(t: Tensor, tangent: Tensor) -> None:
    """Raise RuntimeError unless a tangent has its tensor's shape."""
    if t._array.shape != tangent._array.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(t.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
