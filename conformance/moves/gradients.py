"""Moves that handle gradients as tensors: kept, assigned, handed over, written into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.catalog import size
from conformance.program import AssignGrad, Backward, Grad, ReadGrad, RetainGrad, ZeroGrad

if TYPE_CHECKING:
    from conformance.generate import Generator
    from conformance.slots import Slot


def zero_grad(g: Generator) -> None:
    """Forget or zero an accumulated gradient."""
    slot = g.some(accumulated(g))
    if slot is not None:
        g.emit(ZeroGrad(slot.name, g.below(2) == 0))


def read_grad(g: Generator) -> None:
    """`.grad` as a tensor of the program."""
    slot = g.some(accumulated(g))
    if slot is not None:
        g.emit(ReadGrad(g.fresh(), slot.name))


def accumulated(g: Generator) -> list[Slot]:
    """Slots that have a gradient."""
    return [s for s in g.live if g.scope.accumulated >> s.name & 1]


def assign_grad(g: Generator) -> None:
    """`.grad` of a leaf is set to a tensor of the program."""
    leaf = g.some([s for s in g.requiring() if s.is_leaf])
    if leaf is not None:
        fitting = [
            s for s in g.floats if s.shape == leaf.shape and s.dtype == leaf.dtype and not s.requires_grad and s is not leaf
        ]
        source = g.some(fitting) or g.leaf(leaf.shape, False, leaf.dtype)
        g.emit(AssignGrad(leaf.name, source.name))


def bad_assignment(g: Generator) -> None:
    """`.grad` of a leaf is set to a tensor that does not fit it."""
    leaf = g.some([s for s in g.requiring() if s.is_leaf])
    if leaf is not None:
        others = [dtype for dtype in g.dtypes if dtype != leaf.dtype]
        if others and g.below(2):
            misfit: Slot | None = g.leaf(leaf.shape, False, others[0])
        else:
            misfit = g.some([s for s in g.floats if s.shape != leaf.shape and not s.requires_grad])
        longer = (*leaf.shape, 2) if len(leaf.shape) < 4 else leaf.shape[1:]
        g.emit(AssignGrad(leaf.name, (misfit or g.leaf(longer, False, leaf.dtype)).name))


def handed_gradient(g: Generator) -> None:
    """backward() of a root with a tensor of the program as its gradient, which must stay as it is."""
    root = g.some([s for s in g.requiring() if size(s.shape)])  # whose memory nothing lies in cannot be told
    if root is not None:
        fitting = [s for s in g.floats if s.shape == root.shape and s.dtype == root.dtype and not s.requires_grad]
        gradient = g.some(fitting) or g.leaf(root.shape, False, root.dtype)
        g.emit(Backward((root.name,), (gradient.name,), (None, True)[g.below(2)], not g.below(6), handed=True))


def gradient_of_other_dtype(g: Generator) -> None:
    """backward() of a root with a gradient of another floating dtype, and the gradient of a leaf, whose dtype is seen then."""
    root = g.some(g.requiring())
    others = [dtype for dtype in g.dtypes if root is not None and dtype != root.dtype]
    if root is not None and others:
        g.emit(Backward((root.name,), (g.leaf(root.shape, False, others[0]).name,), (None, True)[g.below(2)]))
        leaf = g.some([s for s in accumulated(g) if s.is_leaf and root.graph >> s.name & 1])
        if leaf is not None:
            g.emit(ReadGrad(g.fresh(), leaf.name))


def differentiable_gradient(g: Generator) -> None:
    """grad() with a gradient that requires grad itself, and the result differentiated with respect to it."""
    root = g.some([s for s in g.requiring() if not s.is_leaf])
    if root is None:
        return
    leaves = [s for s in g.requiring() if s.is_leaf and root.graph >> s.name & 1]
    if leaves:
        gradient, out = g.leaf(root.shape, True, root.dtype), g.fresh()
        leaf = leaves[g.below(len(leaves))]
        g.emit(Grad((out,), (root.name,), (leaf.name,), (gradient.name,), create_graph=True))
        g.backward_from(g.scope.slots[out])


def write_grad(g: Generator) -> None:
    """An in-place op into an accumulated gradient: nobody else's may change."""
    slot = g.some(accumulated(g))
    if slot is not None:
        g.emit(ReadGrad(g.fresh(), slot.name))
        g.mutate([g.floats[-1]])


def retain_grad(g: Generator) -> None:
    """retain_grad() on something that requires grad; of a gradient it is not known for sure."""
    slot = g.some([s for s in g.requiring() if not s.storage.of_gradient])
    if slot is not None:
        g.emit(RetainGrad(slot.name))
