"""Calls that torch refuses, as moves of generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.catalog import size
from conformance.program import Apply, Backward, Grad, Mutate, SetRequiresGrad
from conformance.values import GRADIENTS, OFFSETS, values

if TYPE_CHECKING:
    from conformance.generate import Generator


def implicit_gradient(g: Generator) -> None:
    """backward() of a root of several elements without a gradient."""
    slot = g.some([s for s in g.requiring() if size(s.shape) != 1])
    if slot is not None:
        g.emit(Backward((slot.name,)))


def constant_root(g: Generator) -> None:
    """backward() of a root that does not require grad."""
    slot = g.some([s for s in g.floats if not s.requires_grad])
    if slot is not None:
        g.emit(Backward((slot.name,), (g.gradient(slot),)))


def misshapen_gradient(g: Generator) -> None:
    """backward() with a gradient of another shape."""
    slot = g.some(g.requiring())
    if slot is not None:
        shape = (*slot.shape, 2) if g.below(2) else slot.shape[1:] or (2,)
        g.emit(Backward((slot.name,), (values(GRADIENTS[g.exact], g.below(OFFSETS), size(shape)),), shape=shape))


def written_leaf(g: Generator) -> None:
    """In-place on a leaf that requires grad, or on a view of one."""
    slot = g.some([s for s in g.requiring() if s.is_leaf or s.of_leaf])
    if slot is not None and not slot.overlaps and not slot.storage.unrecorded and "mul_scalar_" in g.tables.names:
        g.emit(Mutate("mul_scalar_", slot.name, (), {"value": 2.0}))


def written_view(g: Generator) -> None:
    """In-place on a new view of a leaf that requires grad."""
    slot = g.some([s for s in g.requiring() if s.is_leaf and s.shape and 0 not in s.shape])
    if slot is not None and {"select", "mul_scalar_"} <= g.tables.names:
        out = g.fresh()
        g.emit(Apply("select", (slot.name,), (out,), {"dim": 0, "index": 0}))
        g.emit(Mutate("mul_scalar_", out, (), {"value": 2.0}))


def unused_input(g: Generator) -> None:
    """grad() with respect to something that the root does not depend on."""
    root = g.some(g.requiring())
    if root is not None:
        others = [s for s in g.requiring() if not root.graph >> s.name & 1]
        other = g.some(others) or g.leaf(requires_grad=True)
        g.emit(Grad((g.fresh(),), (root.name,), (other.name,), (g.gradient(root),)))


def cleared_flag(g: Generator) -> None:
    """requires_grad_(False) on a tensor with a history."""
    slot = g.some([s for s in g.requiring() if not s.is_leaf])
    if slot is not None:
        g.emit(SetRequiresGrad(slot.name, False))


def moved_leaf(g: Generator) -> None:
    """backward() into what was a leaf when it was used, and became a result by a write."""
    leaf = g.some([s for s in g.requiring() if s.is_leaf and not s.view])
    if leaf is None or not g.scope.recording or not {"neg", "add_"} <= g.tables.names:
        return
    others = [s for s in g.requiring() if s is not leaf and s.shape == leaf.shape and s.dtype == leaf.dtype]
    root = g.fresh()
    g.emit(Apply("neg", (leaf.name,), (root,)))
    other = g.some(others) or g.leaf(leaf.shape, True, leaf.dtype)
    g.emit(SetRequiresGrad(leaf.name, False))
    g.emit(Mutate("add_", leaf.name, (other.name,)))
    g.backward_from(g.scope.slots[root])


BAD_CALLS = (
    implicit_gradient, constant_root, misshapen_gradient, written_leaf, written_view, unused_input, cleared_flag, moved_leaf,
)  # fmt: skip


def bad_call(g: Generator) -> None:
    """A call that torch refuses."""
    BAD_CALLS[g.below(len(BAD_CALLS))](g)
