"""Moves that try how long a graph lives: differentiated again, its tensors dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.program import Drop

if TYPE_CHECKING:
    from conformance.generate import Generator


def again(g: Generator) -> None:
    """A second differentiation of a graph walked before."""
    walked = g.scope.retained if g.below(4) else g.scope.consumed
    root = g.some([s for s in g.requiring() if s.graph & walked and not s.is_leaf])
    if root is None:
        return g.backward()
    g.backward_from(root)


def drop(g: Generator) -> None:
    """Delete a variable that is not the only one."""
    slots = g.floats
    if len(slots) > 2:
        slot = g.some(slots[:-1])
        if slot is not None:
            g.emit(Drop(slot.name))
            g.live.remove(slot)
            g.floats.remove(slot)
