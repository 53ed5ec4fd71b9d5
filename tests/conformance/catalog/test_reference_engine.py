"""Every row of the catalogue on the reference engine: values, gradients, and gradients of gradients are torch's."""

from __future__ import annotations

import gc
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import reference_engine
from conformance.areas import LIMIT, MOST_ELEMENTS, SHAPES
from conformance.catalog import CATALOG, MISBEHAVING, Bounds, Op, ShapeError, size
from conformance.chooser import SeededChooser
from conformance.engines.reference import ReferenceEngine
from conformance.engines.torch_engine import TorchEngine
from conformance.execute import Executor
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.program import AnyStep, Apply, Backward, Drop, Grad, Leaf, Mutate, Program
from conformance.values import BANKS, indices, values

# Where gradients lie in memory is not an op's business.
SEEN = facets_of(TorchEngine()) - {"memory", "base"}
JUDGE = Judge(Executor(TorchEngine(), SEEN), Executor(ReferenceEngine(), SEEN))
DRAWS = 40
PROGRAMS = 2


class Drawn:
    """An op on leaves of its own, as generation would draw it, or `fits` false."""

    def __init__(self, op: Op, chooser: SeededChooser, bank: str) -> None:
        self.leaves: list[Leaf] = []
        self.bank = bank
        self.chooser = chooser
        self.fits = False
        first = SHAPES[chooser.below(len(SHAPES))]
        params = op.params(chooser, first)
        if params is None:
            return
        bounds = [self.leaf(first, op.kinds[0], 4)]
        bounds += [self.leaf(need.shape, need.dtype, need.below) for need in op.partners(chooser, first, params)]
        shapes = [leaf.shape for leaf in self.leaves]
        try:
            self.results = op.shape(shapes, params)
        except (ShapeError, IndexError):
            return
        known = op.bounds(bounds, params, shapes)
        self.params: dict[str, Any] = params
        self.fits = known is not None and known.magnitude <= LIMIT and max(map(size, self.results)) <= MOST_ELEMENTS

    def leaf(self, shape: tuple[int, ...], kind: str, below: int) -> Bounds:
        """One more leaf."""
        offset, count, out = self.chooser.below(12), size(shape), len(self.leaves)
        if kind == "float":
            self.leaves.append(Leaf(out, shape, values(self.bank, offset, count), "float64", True))
            return BANKS[self.bank][1]
        self.leaves.append(Leaf(out, shape, indices(offset, count, below if kind == "int64" else 2), kind))  # type: ignore[arg-type]
        return Bounds(0.0, max(below, 1), 0)


def program(op: Op, drawn: Drawn) -> Program:
    """The op, a gradient with a graph of its own, and a gradient of that; in-place on copies of the leaves."""
    count = len(drawn.leaves)
    floats = tuple(leaf.out for leaf in drawn.leaves if leaf.dtype == "float64")
    steps: list[AnyStep] = list(drawn.leaves)
    if op.inplace:
        steps += [Apply("clone", (0,), (count,)), Mutate(op.name, count, tuple(range(1, count)), drawn.params)]
        outs: tuple[int, ...] = (count,)
    else:
        outs = tuple(range(count, count + len(drawn.results)))
        steps.append(Apply(op.name, tuple(range(count)), outs, drawn.params))
    if op.index_outputs + op.constant_outputs >= len(outs) or op.kinds[0] != "float":
        return Program(tuple(steps))
    seed, further = (values("signed", offset, size(drawn.results[0])) for offset in (1, 2))
    gradient = outs[-1] + 1
    if "use_reentrant=True" in op.torch or "function" in op.name or op.new_leaf:
        return Program((*steps, Backward((outs[0],), (seed,), True), Backward((outs[0],), (further,))))
    steps.append(Grad((gradient,), (outs[0],), floats[:1], (seed,), None, True, True))
    last = values("signed", 3, size(drawn.leaves[0].shape))
    return Program((*steps, Backward((outs[0],), (further,), True), Backward((gradient,), (last,))))


@pytest.mark.parametrize("name", CATALOG)
def test_rows_hold_on_the_reference_engine(name: str) -> None:
    """Programs of the one op show no difference, but for rounding."""
    op = CATALOG[name]
    for bank in ("positive", "signed"):
        chooser = SeededChooser(len(name))
        drawn = [d for d in (Drawn(op, chooser, bank) for _ in range(DRAWS)) if d.fits][:PROGRAMS]
        differences = [JUDGE.first_difference(program(op, d)) for d in drawn]

        assert [d and d[0] for d in differences] == [None] * len(drawn)


# Ops whose results torch lays out by what its kernel is made of, and not by a rule: the reference engine's kernels are others.
OWN_ORDER = {
    "lerp": "with an end that is broadcast, and a weight, the weight decides too",
    "mvlgamma": "a sum over an axis that the kernel adds",
    "rms_norm": "the fused kernel is contiguous, the formula's last product is not",
    "kron": "torch refuses: it views a product that does not lie contiguously",
}
ORDERED = [
    op.name
    for op in CATALOG.values()
    if not (op.inplace or op.setup or op.view or op.name in OWN_ORDER) and op.chapter not in ("creation", "function")
]


def order(tensor: Any) -> tuple[Any, ...]:
    """Shape and strides of the dimensions that have any extent."""
    return tuple(tensor.shape), tuple(s for s, n in zip(tensor.stride(), tensor.shape, strict=True) if n > 1)


def results(op: Op, drawn: Drawn, module: Any) -> list[Any]:
    """What the op gives on operands whose first axis lies innermost."""
    scope: dict[str, Any] = {"torch": module, **drawn.params}
    for leaf, name in zip(drawn.leaves, "abc", strict=False):
        tensor = module.tensor(list(leaf.values), dtype=getattr(module, leaf.dtype)).reshape(leaf.shape)
        if leaf.dtype == "float64" and leaf.shape:
            tensor = tensor.transpose(0, -1).contiguous().transpose(0, -1)
        scope[name] = tensor
    found = eval(op.torch, scope)
    return [order(t) for t in (found if isinstance(found, (tuple, list)) else (found,)) if hasattr(t, "stride") and t.numel()]


@pytest.mark.parametrize("name", ORDERED)
def test_results_lie_in_memory_as_torchs(name: str) -> None:
    """Of operands that are not contiguous, the results have torch's strides."""
    op, chooser = CATALOG[name], SeededChooser(len(name))
    drawn = [d for d in (Drawn(op, chooser, "positive") for _ in range(DRAWS)) if d.fits and max(map(len, shapes_of(d))) > 1]
    for one in drawn[: 2 * PROGRAMS]:
        assert results(op, one, reference_engine) == results(op, one, torch)


def shapes_of(drawn: Drawn) -> list[tuple[int, ...]]:
    """The shapes of the operands."""
    return [leaf.shape for leaf in drawn.leaves]


def forgetting(op: Op, drawn: Drawn) -> Program:
    """The op on copies of leaves, and then nothing has a name but the leaves."""
    count = len(drawn.leaves)
    copies = tuple(range(count, 2 * count))
    outs = tuple(range(2 * count, 2 * count + len(drawn.results)))
    steps: list[AnyStep] = [*drawn.leaves, *(Apply("clone", (k,), (copy,)) for k, copy in enumerate(copies))]
    return Program((*steps, Apply(op.name, copies, outs, drawn.params), *map(Drop, (*copies, *outs))))


@pytest.mark.parametrize("name", [op.name for op in CATALOG.values() if not op.inplace and op.name not in MISBEHAVING])
def test_reference_counting_frees_what_an_op_made(name: str) -> None:
    """No op leaves a circle behind that only a garbage collector would break."""
    op, chooser = CATALOG[name], SeededChooser(len(name))
    drawn = [d for d in (Drawn(op, chooser, "positive") for _ in range(DRAWS)) if d.fits][:1]
    programs = [forgetting(op, d) for d in drawn]
    gc.collect()
    gc.disable()
    try:
        held = [{(slot, c) for _, slot, facet, c in JUDGE.engine.run(p).sights if facet == "alive" and c} for p in programs]
    finally:
        gc.enable()

    for program, own in zip(programs, held, strict=True):  # what torch holds too, it may hold
        assert own <= {(slot, c) for _, slot, facet, c in JUDGE.oracle.run(program).sights if facet == "alive"}
