"""Segments: which forward steps an engine may take together, and what is seen of a program that is run by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.engines.compiled_script import function_of
from conformance.execute import Executor
from conformance.program import Mutate, Program
from conformance.rules import RULES
from conformance.segments import Pending, Segment, parted
from conformance.sketch import Sketch


def segments(program: Program) -> list[Segment]:
    """The segments of a program, in order."""
    return [step for step in parted(program).steps if isinstance(step, Segment)]


def chain(slots: int = 0) -> Sketch:
    """A leaf, its double and the square of that, after so many other leaves."""
    s = Sketch()
    for _ in range(slots):
        s.leaf([1.0])
    s.op("square", s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0))
    return s


def test_forward_steps_are_taken_where_the_last_of_them_stands() -> None:
    """What stands before the last waits for it."""
    s = chain()
    s.backward(2, [1.0, 3.0])
    kinds = [type(step).__name__ for step in parted(s.program()).steps]

    assert kinds == ["Leaf", "Pending", "Segment", "Backward"]
    assert segments(s.program())[0][1:] == ((0,), (1, 2))


def test_a_write_into_what_an_op_has_read_is_the_caller_s() -> None:
    """It comes after the function, so that a compiler does not see it."""
    s = chain()
    s.write("mul_scalar_", 1, value=2.0)
    steps = parted(s.program()).steps

    assert isinstance(steps[-1], Mutate)
    assert isinstance(steps[-2], Segment)


def test_a_write_into_a_result_that_its_op_keeps_is_the_caller_s() -> None:
    """exp is differentiated by its result."""
    s = Sketch()
    y = s.op("exp", s.leaf([1.0, 2.0]))
    s.write("mul_scalar_", y, value=2.0)

    assert isinstance(parted(s.program()).steps[-1], Mutate)


def test_a_write_into_what_is_new_belongs_to_the_function() -> None:
    """A view of it may have been taken."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    s.write("mul_scalar_", s.op("select", h, dim=0, index=0), value=2.0)
    (segment,) = segments(s.program())

    assert segment.ops == ("mul_scalar", "select", "mul_scalar_")
    assert segment.written == (2,)


def test_a_segment_ends_after_what_is_differentiated_by() -> None:
    """A function passes no gradients between its own results."""
    s = chain()
    s.grad([2], [1], [[1.0, 3.0]])

    assert [segment.ops for segment in segments(s.program())] == [("mul_scalar",), ("square",)]


def test_the_same_structure_has_the_same_text() -> None:
    """So a compiled function is used again whatever the slots are called."""
    texts = {function_of(segments(chain(slots).program())[0]) for slots in (0, 1, 30)}

    assert texts == {"def segment(a):\n    b = a * 2.0\n    c = torch.square(b)\n    return (b, c)"}


@pytest.mark.parametrize("rule", [pytest.param(rule.exemplar, id=rule.id) for rule in RULES.values()])
def test_every_exemplar_can_be_parted(rule: Callable[[], Program]) -> None:
    """Each forward step is in one segment or stands where it stood."""
    program = rule()
    steps = parted(program).steps
    taken = [inner for step in steps for inner in (step.steps if isinstance(step, Segment) else (step,))]

    assert [step for step in taken if not isinstance(step, Pending)] == sorted(
        program.steps, key=lambda step: next(k for k, other in enumerate(taken) if other is step)
    )
    assert len(steps) == len(program.steps)


def test_flags_are_seen_where_the_segment_ends(oracle: Any) -> None:
    """All at one place, and of each tensor as it is then."""
    s = Sketch()
    c = s.op("neg", s.constant([1.0, 2.0]))
    s.write("mul_", c, s.leaf([3.0, 4.0]))
    seen = oracle.run(s.program(), "parted")

    assert [sight for sight in seen.sights if sight[1:3] == (c, "flags")] == [(3, c, "flags", (True, False))]


def test_a_refusal_in_a_segment_is_told_where_it_ends(oracle: Any) -> None:
    """Which of its steps was refused, a compiled function does not tell."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.write("mul_scalar_", x, value=2.0)
    s.op("neg", x)
    seen = oracle.run(s.program(), "parted")

    assert seen.refusal.step == 2
    assert not any(sight[0] == 2 for sight in seen.sights)


def test_an_engine_is_run_by_the_schedules_that_it_knows(oracle: Any) -> None:
    """The last of them stands in for the others."""

    class Parted(type(oracle.engine)):  # type: ignore[misc]
        """The oracle, segment by segment."""

        schedules = ("parted",)

    assert Executor(Parted()).nearest("quick") == "parted"
    assert oracle.nearest("quick") == "quick"
