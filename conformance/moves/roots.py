"""Moves that differentiate beyond a plain backward(): from several roots, into chosen inputs, by grad(), with a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.catalog import size
from conformance.program import Backward, Grad

if TYPE_CHECKING:
    from conformance.generate import Generator


def backward_roots(g: Generator) -> None:
    """backward() from two or three roots: leaves, results, results of each other, one of them twice."""
    requiring = g.requiring()
    if requiring:
        roots = [requiring[g.below(len(requiring))] for _ in range(2 + g.below(2))]
        gradients = tuple([None if size(r.shape) == 1 and not g.below(2) else g.gradient(r) for r in roots])
        g.emit(Backward(tuple([r.name for r in roots]), gradients, (None, True, True)[g.below(3)]))


def backward_inputs(g: Generator) -> None:
    """backward(inputs=...)."""
    g.backward(named=True)


def grad(g: Generator, *, create_graph: bool = False) -> None:
    """grad() with respect to what the root depends on."""
    roots = g.roots()
    if not roots:
        return
    graph = roots[0].graph
    reached = [s for s in g.requiring() if graph >> s.name & 1 and s is not roots[0]] or roots[:1]
    first = g.some(reached)
    assert first is not None
    inputs = [first] if g.below(3) else [first, reached[g.below(len(reached))]]
    unused = not g.below(6) and not graph & g.scope.higher  # of what a gradient depends on, less is known
    if unused:
        inputs.append(g.requiring()[g.below(len(g.requiring()))])
    names = tuple(s.name for s in inputs)
    outs = tuple(g.fresh() for _ in names)
    keep = (None, True, False)[g.below(3)]
    roots_named = tuple(r.name for r in roots)
    g.emit(Grad(outs, roots_named, names, g.seeds(roots), keep, create_graph, unused))


def higher(g: Generator) -> None:
    """A gradient with a graph of its own, by grad() or by backward()."""
    if g.below(4):
        return grad(g, create_graph=True)
    roots = g.roots()
    if roots:
        g.emit(Backward(tuple(r.name for r in roots), g.seeds(roots), (None, None, False)[g.below(3)], True))
