"""The saved-tensor matrix: what is known of torch is found from outside, and an engine that saves otherwise is told."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from mutants_of_torch import Bend, with_call

from conformance.execute import Executor
from conformance.matrix import Probe, cell, probes, row, verdict
from conformance.record import SavedCell
from conformance.vocabulary import EVERYTHING, Vocabulary


def vocabulary(*ops: str) -> Vocabulary:
    """These ops and what probes are written with."""
    return EVERYTHING._replace(ops=frozenset({*ops, "add_scalar_", "clone"}))


def asked(op: str) -> list[Probe]:
    """The questions about one op."""
    return [probe for probe in probes(vocabulary(op)) if probe.op == op]


# Op -> flags -> the targets that torch saves.
KNOWN: dict[str, dict[str, set[str]]] = {
    "exp": {"1": {"out"}},
    "add": {"11": set(), "10": set(), "01": set()},
    "mul": {"11": {"a", "b"}, "10": {"b"}, "01": {"a"}},
    "matmul": {"11": {"a", "b"}, "10": {"b"}, "01": {"a"}},
    "where": {"101": set(), "100": set(), "001": set()},
}


@pytest.mark.parametrize("op", KNOWN)
def test_what_torch_saves_is_told_by_programs(op: str, oracle: Any) -> None:
    """A tensor is saved exactly where torch's derivative needs it for an operand that requires grad."""
    found: dict[str, set[str]] = {}
    answers = set()
    for probe in asked(op):
        answer = verdict(oracle, probe)
        answers.add(answer)
        found.setdefault(probe.requires_grad, set()).update({probe.target} if answer == "saved" else ())

    assert found == KNOWN[op]
    assert answers <= {"saved", "free"}


class Unchecked(torch.autograd.Function):
    """A product that computes its gradients from whatever its operands are by then."""

    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.kept = a, b
        return a * b

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        a, b = ctx.kept
        return (cotangent * b.detach()).sum_to_size(a.shape), (cotangent * a.detach()).sum_to_size(b.shape)


class Hoarding(torch.autograd.Function):
    """A sum that saves its operands for nothing."""

    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.save_for_backward(a, b)
        ctx.shapes = a.shape, b.shape
        return a + b

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        assert len(ctx.saved_tensors) == 2
        return tuple(cotangent.sum_to_size(shape) for shape in ctx.shapes)


def test_an_engine_that_saves_nothing_it_needs_is_wrong(oracle: Any) -> None:
    """Its gradients silently become those of a changed tensor."""
    engine = Executor(with_call("mul", lambda a, b: Unchecked.apply(a, b))())
    cells = [cell(oracle, engine, probe) for probe in asked("mul")]

    assert {(c.expected, c.observed) for c in cells} == {("saved", "wrong"), ("free", "free")}


def test_an_engine_that_saves_too_much_is_told(oracle: Any) -> None:
    """It refuses writes that torch allows."""
    engine = Executor(with_call("add", lambda a, b: Hoarding.apply(a, b))())
    cells = [cell(oracle, engine, probe) for probe in asked("add")]

    assert {(c.target, c.expected, c.observed) for c in cells} == {
        ("a", "free", "saved"), ("b", "free", "saved"), ("out", "free", "free"),
    }  # fmt: skip


def test_an_engine_that_lacks_the_op_is_not_judged(oracle: Any) -> None:
    """What it does not have is unsupported."""

    class Without(type(oracle.engine)):  # type: ignore[misc]
        def calls(self) -> Any:
            return {name: call for name, call in super().calls().items() if name != "exp"}

    engine = Executor(Without())

    assert {verdict(engine, probe) for probe in asked("exp")} == {"unsupported"}


def test_an_error_of_another_kind_is_refused(oracle: Any) -> None:
    """A refusal that is not about versions says nothing of what is saved."""

    class Refuses(type(oracle.engine)):  # type: ignore[misc]
        def calls(self) -> Any:
            def write(*operands: Any, **params: Any) -> Any:
                raise RuntimeError("read-only")

            return {**super().calls(), "add_scalar_": write}

    assert {verdict(Executor(Refuses()), probe) for probe in asked("exp")} == {"refused"}


def test_a_gradient_that_is_merely_wrong_is_not_taken_for_a_saved_tensor(oracle: Any) -> None:
    """Control and probe are wrong alike."""
    engine = Executor(with_call("add", lambda a, b: Bend.apply(a + b, 2.0))())

    assert {verdict(engine, probe) for probe in asked("add")} == {"free"}


@pytest.mark.parametrize("lacking", ["add_scalar_", "clone"])
def test_where_nothing_can_be_written_nothing_is_asked(lacking: str) -> None:
    """A vocabulary without the op that writes, or the one that copies leaves, gives no probes."""
    known = vocabulary("mul", "exp")

    assert list(probes(known._replace(ops=known.ops - {lacking}))) == []


def test_a_control_is_its_program_without_the_write() -> None:
    """One step is the only difference."""
    for op in KNOWN:
        for probe in asked(op):
            assert (*probe.program.steps[:-2], probe.program.steps[-1]) == probe.control.steps


def test_a_row_carries_the_op_as_torch_writes_it() -> None:
    """The record's line has the op's name and code."""
    cells = [SavedCell(requires_grad="1", target="out", expected="saved", observed="saved")]
    line = row("exp", cells)

    assert (line.op, line.code, line.cells) == ("exp", "torch.exp(a)", cells)
