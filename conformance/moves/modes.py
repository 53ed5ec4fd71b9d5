"""Moves that change what is recorded: switches, threads, inference mode, and values that leave the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.program import Enter, Exit, Export, SetGradMode, SetRequiresGrad

if TYPE_CHECKING:
    from conformance.generate import Generator


def switch(g: Generator) -> None:
    """The grad mode by a call: what follows is recorded or not."""
    g.emit(SetGradMode(not g.scope.recording))


def thread(g: Generator) -> None:
    """Steps in a thread of their own, which has a grad mode of its own."""
    if g.scope.modes:
        g.emit(Exit())
        return
    if g.below(2):
        g.emit(Enter("no_grad"))
    g.emit(Enter("thread"))
    g.op()
    while g.scope.modes:
        g.emit(Exit())


def inference(g: Generator) -> None:
    """A tensor made in inference mode."""
    if g.scope.modes:
        g.emit(Exit())
        return
    if not g.ops:
        return
    op = g.ops[g.below(len(g.ops))]
    # Leaves that it needs are made outside: what from_numpy() makes inside is no inference tensor.
    chosen = None if op.new_leaf else g.fitting(op)
    if chosen is not None:
        g.emit(Enter("inference_mode"))
        g.place(op, chosen)
        g.emit(Exit())


def bad_export(g: Generator) -> None:
    """The values of a tensor that requires grad as an array."""
    slot = g.some(g.requiring())
    if slot is not None:
        g.emit(Export(slot.name))


def export(g: Generator) -> None:
    """The values of a tensor as an array."""
    slot = g.some([s for s in g.floats if not s.requires_grad])
    if slot is not None:
        g.emit(Export(slot.name))


def region(g: Generator) -> None:
    """Open a region of another grad mode, or close the innermost."""
    if g.scope.modes:
        g.emit(Exit())
    else:
        g.emit(Enter("no_grad"))
        if g.below(3) == 2:  # the larger choice for the larger program
            g.emit(Enter("enable_grad"))


def set_flag(g: Generator) -> None:
    """requires_grad_() on a leaf."""
    slot = g.some([s for s in g.floats if s.is_leaf and not s.view])
    if slot is not None:
        g.emit(SetRequiresGrad(slot.name, not slot.requires_grad))
