"""Moves that have the engine call back: hooks on gradients and nodes, regions that see what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.moves.roots import higher
from conformance.program import Enter, Exit, Hook, Unhook

if TYPE_CHECKING:
    from conformance.generate import Generator
    from conformance.program import HookAction, HookKind, Mode

ON_LEAVES: tuple[tuple[HookKind, HookAction], ...] = (
    ("tensor", "see"), ("tensor", "double"), ("accumulated", "see"), ("tensor", "remove"), ("accumulated", "forget"),
)  # fmt: skip
ON_RESULTS: tuple[tuple[HookKind, HookAction], ...] = (
    ("tensor", "see"), ("tensor", "double"), ("node_after", "see"), ("node_before", "see"), ("node_before", "double"),
    ("node_after", "double"), ("tensor", "remove"),
)  # fmt: skip
# Where a gradient has a history in torch, the scope knows only nearly: one that has none has no node to hang on.
ON_GRADIENTS = tuple(entry for entry in ON_RESULTS if entry[0] == "tensor")
PACKS: tuple[Mode, ...] = ("pack_same", "pack_copy", "pack_double", "pack_same", "pack_copy", "pack_double", "pack_write")


def hook(g: Generator) -> None:
    """A hook on something that requires grad."""
    slot = g.some(g.requiring())
    if slot is not None:
        kinds = ON_LEAVES if slot.is_leaf else ON_GRADIENTS if slot.graph & g.scope.higher else ON_RESULTS
        g.emit(Hook(g.fresh(), slot.name, *kinds[g.below(len(kinds))]))


def hooked_then_written(g: Generator) -> None:
    """A tensor that is written once a hook hangs on it: a view of another, half of the time."""
    results = [s for s in g.requiring() if not s.is_leaf and g.writable(s)]
    views = [s for s in results if s.view]
    slot = g.some(views if views and g.below(2) else results)
    if slot is not None:
        g.emit(Hook(g.fresh(), slot.name, "tensor", ("see", "double")[g.below(2)]))
        g.mutate([slot])
        g.backward_from(slot)


def bad_hook(g: Generator) -> None:
    """A hook where there is no such gradient, or one that gives back a gradient of another shape."""
    if g.below(2):
        slot = g.some(g.requiring())
        if slot is not None:
            g.emit(Hook(g.fresh(), slot.name, "tensor", "misshape"))
            g.backward()
        return
    constants = [s for s in g.floats if not s.requires_grad]
    results = [s for s in g.requiring() if not s.is_leaf]
    slot = g.some(constants if g.below(2) else results)
    if slot is not None:
        g.emit(Hook(g.fresh(), slot.name, "accumulated" if slot.requires_grad else "tensor"))


def unhook(g: Generator) -> None:
    """A hook goes before it was called, or after."""
    handles = sorted(g.scope.handles)
    if handles:
        g.emit(Unhook(handles[g.below(len(handles))]))


def packing(g: Generator) -> None:
    """A region in which saved tensors are seen, or its end."""
    if g.scope.modes:
        g.emit(Exit())
    else:
        g.emit(Enter(PACKS[g.below(len(PACKS))]))
        if not g.below(4):
            g.emit(Enter(PACKS[g.below(len(PACKS))]))


def higher_packed(g: Generator) -> None:
    """A gradient with a graph of its own, through tensors that were packed before."""
    while g.scope.modes:
        g.emit(Exit())
    higher(g)
