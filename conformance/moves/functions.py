"""Moves that use custom functions otherwise than any op: badly, twice, and for writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.catalog import CATALOG, MISBEHAVING
from conformance.program import Grad, Mutate

if TYPE_CHECKING:
    from conformance.generate import Generator


def misbehave(g: Generator) -> None:
    """A custom function whose backward gives no fitting gradients."""
    ops = [op for op in MISBEHAVING.values() if op.name in g.tables.names]
    if ops:
        known = len(g.live)
        g.apply(ops[g.below(len(ops))])
        if len(g.live) > known:
            g.backward_from(g.live[-1])


def differentiate_once_more(g: Generator) -> None:
    """A custom function that can be differentiated once, differentiated twice."""
    leaf, known = g.some([s for s in g.requiring() if s.is_leaf]), len(g.live)
    if leaf is None or not {"function_differentiable_once", "square"} <= g.tables.names:
        return
    g.apply(CATALOG["function_differentiable_once"], leaf)
    if len(g.live) == known:
        return
    g.apply(CATALOG["square"], g.live[-1])
    if len(g.live) > known + 1 and g.live[-1].requires_grad:
        root, out = g.live[-1], g.fresh()
        g.emit(Grad((out,), (root.name,), (leaf.name,), g.seeds([root]), create_graph=True))
        g.backward_from(g.live[-1])


def write_by_function(g: Generator) -> None:
    """A custom function that writes into its operand."""
    slot = g.some([s for s in g.floats if g.writable(s)])
    if slot is not None and "function_writing" in g.tables.names:
        g.emit(Mutate("function_writing", slot.name))
