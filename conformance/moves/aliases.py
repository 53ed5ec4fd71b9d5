"""Moves that make aliases and write into shared memory: what was saved, one view of two, a tensor that was read twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.program import Apply, Detach, Enter, Exit, Mutate, SetRequiresGrad

if TYPE_CHECKING:
    from conformance.generate import Generator
    from conformance.slots import Slot


def _view_of(g: Generator, slot: Slot) -> Slot | None:
    """A new view of this tensor."""
    known = len(g.live)
    if g.tables.views:
        g.apply(g.tables.views[g.below(len(g.tables.views))], slot)
    return g.live[-1] if len(g.live) > known else None


def siblings(g: Generator) -> None:
    """Two views of one tensor: one of them is written, or the tensor itself, and the other is used."""
    base = g.some([s for s in g.floats if s.shape and not s.is_leaf])
    if base is not None:
        one, other = _view_of(g, base), _view_of(g, base)
        if one is not None and other is not None:
            g.mutate([one if g.below(3) else base])
            g.backward_from(other if g.below(2) else base)


def rearranged(g: Generator) -> None:
    """A tensor that lies in memory in another order than its dimensions, made of a transposed one; a view of it is written."""
    source = g.some([s for s in g.requiring() if len(s.shape) > 1 and 1 not in s.shape and 0 not in s.shape])
    if source is not None and {"transpose", "neg"} <= g.tables.names:
        turned, base = g.fresh(), g.fresh()
        g.emit(Apply("transpose", (source.name,), (turned,), {"dim0": 0, "dim1": len(source.shape) - 1}))
        g.emit(Apply("neg", (turned,), (base,)))
        view = _view_of(g, g.scope.slots[base])
        if view is not None:
            g.mutate([view])
            g.backward_from(g.scope.slots[base])


def view_of_view(g: Generator) -> None:
    """A view of a view, which is written."""
    base = g.some([s for s in g.floats if len(s.shape) > 1 and not s.is_leaf]) or g.some(g.floats)
    if base is not None:
        outer = _view_of(g, base)
        inner = _view_of(g, outer) if outer is not None else None
        if inner is not None:
            g.mutate([inner])
            g.backward_from(base)


def read_then_written(g: Generator) -> None:
    """A tensor that fills both operands of an op and is then written: what was made of it does not see the write."""
    slot = g.some([s for s in g.requiring() if not s.is_leaf])
    if slot is not None and "add" in g.tables.names:
        out = g.fresh()
        g.emit(Apply("add", (slot.name, slot.name), (out,)))
        g.mutate([slot])
        g.backward_from(g.scope.slots[out])


def written_expansion(g: Generator) -> None:
    """A write into a tensor whose elements share memory with each other, which is refused."""
    slot = g.some([s for s in g.floats if not s.is_leaf and 1 in s.shape])
    if slot is not None and {"expand", "mul_scalar_"} <= g.tables.names:
        out = g.fresh()
        g.emit(Apply("expand", (slot.name,), (out,), {"shape": tuple(3 if n == 1 else n for n in slot.shape)}))
        g.emit(Mutate("mul_scalar_", out, (), {"value": 2.0}))


def written_unrecorded_view(g: Generator) -> None:
    """A write, with recording on, into a view that was made without: which history it would change is not known."""
    slot = g.some([s for s in g.requiring() if not s.is_leaf and s.shape and 0 not in s.shape])
    if slot is not None and g.scope.recording and {"select", "mul_scalar_"} <= g.tables.names:
        out = g.fresh()
        g.emit(Enter("no_grad"))
        g.emit(Apply("select", (slot.name,), (out,), {"dim": 0, "index": 0}))
        g.emit(Exit())
        g.emit(Mutate("mul_scalar_", out, (), {"value": 2.0}))


def mutate_index(g: Generator) -> None:
    """A write into an index that an op has saved."""
    slot = g.some([s for s in g.live if s.dtype == "int64" and s.storage.saved_input_at >= 0])
    if slot is not None and "zero_index_" in g.tables.names:
        g.emit(Mutate("zero_index_", slot.name))


def leaf_of_result(g: Generator) -> None:
    """A detached tensor that begins a graph of its own, while the old one goes on being used."""
    slot = g.some(g.requiring())
    if slot is not None:
        out = g.fresh()
        g.emit(Detach(out, slot.name))
        g.emit(SetRequiresGrad(out))


def detach(g: Generator) -> None:
    """A detached alias."""
    slot = g.some([s for s in g.floats if not s.storage.inference])
    if slot is not None:
        g.emit(Detach(g.fresh(), slot.name))


def mutate_used(g: Generator) -> None:
    """An in-place op on what an op has read or made, directly, through an alias or under no_grad."""
    used = [s for s in g.floats if s.storage.read_at >= 0 or s.storage.saved_output_at >= 0]
    if g.scope.recording and not g.below(3):
        g.emit(Enter("no_grad"))
        g.mutate(used)
        g.emit(Exit())
    else:
        g.mutate(used)


def mutate_shown(g: Generator) -> None:
    """An in-place op on a new view of what was saved, and a differentiation that may need it."""
    saved = [s for s in g.floats if s.storage.version in (s.storage.saved_input_at, s.storage.saved_output_at)]
    slot, root = g.some([s for s in saved if s.shape and g.writable(s)]), g.some(g.requiring())
    view = _view_of(g, slot) if slot is not None else None
    if view is not None and root is not None:
        g.mutate([view])
        g.backward_from(root)


def mutate_detached(g: Generator) -> None:
    """An in-place op on a detached alias, or on what has one."""
    g.mutate([s for s in g.floats if s.storage.detached])
