"""The saved-tensor matrix: what every op saves, told from outside, by programs.

For each op, each combination of operands that require grad, and each tensor that its node may have saved, one program writes
into that tensor between forward and backward, and a control leaves it alone. What the engine then does tells what was saved:
it refuses, or its gradients stay as they were, or they silently become those of a changed tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from conformance import calls
from conformance.areas import BY_NAME
from conformance.calls import Call
from conformance.catalog import CATALOG, size
from conformance.engine import Category
from conformance.execute import Executor
from conformance.observe import Observation
from conformance.program import AnyStep, Apply, Backward, Leaf, Mutate, Program
from conformance.record import SavedCell, SavedRow, SavedVerdict
from conformance.slots import FLOATS
from conformance.tolerance import within_units
from conformance.values import values
from conformance.vocabulary import Vocabulary

TOLERANCE = 2.0**-40  # gradients that differ by less were not computed from another value
CHAPTERS = ("creation", "comparison", "checkpoint")  # these save nothing that a program could write


class Probe(NamedTuple):
    """One question: with these operands requiring grad, is this tensor saved? `requires_grad` has one digit an operand."""

    op: str
    requires_grad: str
    target: str
    program: Program
    control: Program


def probes(vocabulary: Vocabulary) -> Iterator[Probe]:
    """All questions about the ops of a vocabulary, op by op; none where there is nothing to write with."""
    if not {"add_scalar_", "clone"} <= vocabulary.ops:
        return
    for op in CATALOG.values():
        if op.name in vocabulary.ops and op.chapter not in CHAPTERS:
            call = calls.drawn(op, vocabulary, BY_NAME["versions"], dtype="float64")
            if call is not None:
                yield from _probes(call, vocabulary)


def _probes(call: Call, vocabulary: Vocabulary) -> Iterator[Probe]:
    """Every combination of flags, and every target."""
    floats = [k for k, leaf in enumerate(call.leaves) if leaf.dtype in FLOATS]
    for flags in product((True, False), repeat=len(floats)):
        if not any(flags):
            continue
        requiring = {k for k, flag in zip(floats, flags, strict=True) if flag}
        digits = "".join("1" if k in requiring else "0" for k in range(len(call.leaves)))
        control, names, out = _steps(call, requiring)
        end = Backward((out,), (values("signed", 1, size(call.shapes[0])),))
        targets = dict(zip("abc", names, strict=False)) | {"out": out}
        if call.op.inplace:
            del targets["a"]  # the op writes there itself
        for target, slot in targets.items():
            write = _write(call, target, slot, vocabulary)
            if write is not None:
                yield Probe(call.op.name, digits, target, Program((*control, write, end)), Program((*control, end)))


def _steps(call: Call, requiring: set[int]) -> tuple[list[AnyStep], list[int], int]:
    """Leaves, copies of those that require grad (a leaf must not be written) and the op; with the operands and the result."""
    steps: list[AnyStep] = []
    names: list[int] = []
    for k, leaf in enumerate(call.leaves):
        steps.append(Leaf(len(steps), leaf.shape, leaf.values, leaf.dtype, k in requiring))
        if k in requiring:
            steps.append(Apply("clone", (len(steps) - 1,), (len(steps),)))
        names.append(len(steps) - 1)
    if call.op.inplace:
        steps.append(Mutate(call.op.name, names[0], tuple(names[1:]), call.params))
        return steps, names, names[0]
    outs = tuple(range(len(steps), len(steps) + len(call.shapes)))
    steps.append(Apply(call.op.name, tuple(names), outs, call.params))
    return steps, names, outs[0]


def _write(call: Call, target: str, slot: int, vocabulary: Vocabulary) -> AnyStep | None:
    """A write into the tensor in question; None where it cannot be written."""
    if target == "out":
        return None if call.op.view else Mutate("add_scalar_", slot, (), {"value": 1.0})
    dtype = call.leaves["abc".index(target)].dtype
    if dtype in FLOATS:
        return Mutate("add_scalar_", slot, (), {"value": 1.0})
    return Mutate("zero_index_", slot) if dtype == "int64" and "zero_index_" in vocabulary.ops else None


def verdict(executor: Executor, probe: Probe) -> SavedVerdict:
    """What the engine does with the question."""
    control = executor.run(probe.control)
    seen = executor.run(probe.program)
    if control.unsupported is not None or seen.unsupported is not None or control.refusal is not None:
        return "unsupported"
    if control.death is not None or seen.death is not None:
        return "refused"
    if seen.refusal is not None:
        return "saved" if seen.refusal.category == Category.VERSION.value else "refused"
    return "free" if _gradients_agree(control, seen) else "wrong"


def _gradients_agree(control: Observation, seen: Observation) -> bool:
    """Whether two observations end with the same gradients."""
    a, b = ({slot: content for _, slot, facet, content in o.sights if facet == "grad"} for o in (control, seen))
    return a.keys() == b.keys() and all(
        x == b[slot] or (None not in (x, b[slot]) and within_units(x, b[slot], TOLERANCE)) for slot, x in a.items()
    )


def cell(oracle: Executor, engine: Executor, probe: Probe) -> SavedCell:
    """The answers of both to a question."""
    expected, observed = verdict(oracle, probe), verdict(engine, probe)
    return SavedCell(requires_grad=probe.requires_grad, target=probe.target, expected=expected, observed=observed)


def row(op: str, cells: list[SavedCell]) -> SavedRow:
    """The answers about one op as a line of the record."""
    return SavedRow(op=op, code=CATALOG[op].torch, cells=cells)
