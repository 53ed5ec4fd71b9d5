"""The arbiter: whether rounding explains a difference of numbers. tolerance.py says how numbers are compared, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from conformance import tolerance, transform
from conformance.compare import NUMBERS, Difference
from conformance.execute import Executor, Schedule
from conformance.observe import Observation
from conformance.program import Grad, Program

# How far the leaves are moved to measure how rounding is amplified: finely too, where it soon saturates. The finest moves them by
# a few units in the last place: what moves then is the oracle's own rounding, and an engine may have eight times as much.
TREMORS = 2.0**-30, 2.0**-46, 2.0**-50


class Arbiter:
    """Decides whether a difference of numbers is rounding."""

    def __init__(
        self, oracle: Executor, program: Program, expected: Observation, schedule: Schedule, *, stash: bool = False
    ) -> None:
        self.oracle = oracle
        self.schedule = schedule
        # What a refusal ends need not be refused in another dtype, nor where the leaves lie elsewhere.
        end = None if expected.refusal is None else expected.refusal.step
        self.program = Program(program.steps[:end], program.exact)
        self.expected = expected
        self.stash = stash
        self.single = has_float32(program)

    def acquits(self, difference: Difference) -> bool:
        """True where the numbers differ by no more than rounding explains."""
        if difference.kind != "wrong value":
            return False
        if self.program.exact and not self.single:
            return False
        return self._is_rounding(difference, self._scale(difference)) or self._is_rounding(difference, self._terms(difference))

    def _is_rounding(self, difference: Difference, scale: float) -> bool:
        """Whether rounding of numbers as large as `scale` explains the difference."""
        place = (difference.step, difference.slot, difference.facet)
        # Where zeros are shown as no gradient, none is zeros.
        nothing = None if "grad_absent" in self.oracle.facets else tolerance.zeros_like(difference.expected)
        if not self.single:
            trembled = [self._at(seen, place, nothing) for seen in self.trembled]
            return self._is_amplified(difference, [nothing if seen is None else seen for seen in trembled], scale)
        truth = self._at(self.truth, place, nothing)
        truth = nothing if truth is None else truth
        if truth is None or (self.program.exact and tolerance.identical(truth, difference.expected)):
            return False
        own = tolerance.distance(truth, difference.expected)
        moved = tolerance.distance(truth, self._at(self.moved_truth, place, nothing)) / TREMORS[0]
        amplified = moved if math.isfinite(moved) else 0.0
        bound = tolerance.ARBITER_FACTOR * own + tolerance.UNITS * tolerance.EPSILON["float32"] * (scale + amplified)
        return tolerance.distance(truth, difference.observed) <= bound

    def _at(self, seen: dict[Any, Any], place: tuple[int, int, str], nothing: Any) -> Any:
        """What was seen at a place; at the last before a refusal, what was seen in the step or after it."""
        step, slot, facet = place
        end = len(self.program.steps)
        other = {end: end - 1, end - 1: end}.get(step, step) if self.expected.refusal is not None else step
        return seen.get(place, seen.get((other, slot, facet), nothing))

    def _is_amplified(self, difference: Difference, trembled: Sequence[Any], scale: float) -> bool:
        """Whether what the oracle's own numbers move by, where the leaves tremble, explains a difference of doubles."""
        if None in trembled:
            return False
        moves = (tolerance.distance(seen, difference.expected) / by for seen, by in zip(trembled, TREMORS, strict=True))
        bound = tolerance.UNITS * tolerance.EPSILON["float64"] * (max(moves) + scale)
        return tolerance.distance(difference.expected, difference.observed) <= bound

    def _scale(self, difference: Difference) -> float:
        """The largest number seen that rounding can have come from: where terms cancel, what is left has the rounding of them."""
        apart = _out_of_reach(self.program, difference.slot)
        seen = (content for _, slot, facet, content in self.expected.sights if facet in NUMBERS and slot not in apart)
        return max(map(tolerance.largest, seen), default=0.0)

    def _terms(self, difference: Difference) -> float:
        """How large the terms are that the gradient is a sum of, all together: where they cancel, their rounding is left.

        Terms are what comes back through each use, in each differentiation up to here: none of them need be seen elsewhere. What
        is no gradient has none.
        """
        steps = self.program.steps[: difference.step + 1]
        of = {difference.slot}
        for step in steps:
            if isinstance(step, Grad):
                of |= {name for out, name in zip(step.outs, step.inputs, strict=True) if out == difference.slot}
        apart, used = transform.with_uses_apart(Program(steps, self.program.exact))
        seen = self.oracle.run(apart, stash=self.stash).sights
        calls = [calls for _, handle, facet, calls in seen if facet == "called" and used.get(handle) in of]
        return sum(tolerance.largest(gradient) for gradients in calls for gradient in gradients)

    @cached_property
    def truth(self) -> dict[Any, Any]:
        """What the oracle sees in float64."""
        return self._seen(transform.in_float64(self.program))

    @cached_property
    def moved_truth(self) -> dict[Any, Any]:
        """The same where the leaves tremble: how much the program amplifies what its operands lack, in any precision."""
        return self._seen(transform.in_float64(transform.moved(self.program, TREMORS[0])))

    @cached_property
    def trembled(self) -> list[dict[Any, Any]]:
        """What it sees where the leaves tremble, more and less."""
        return [self._seen(transform.moved(self.program, by)) for by in TREMORS]

    def _seen(self, program: Program) -> dict[Any, Any]:
        """What the oracle sees of a program, by place."""
        seen = self.oracle.run(program, self.schedule, stash=self.stash).sights
        return {(step, slot, facet): content for step, slot, facet, content in seen}


def _out_of_reach(program: Program, slot: int) -> set[int]:
    """The slots that no steps join with this one: neither numbers nor gradients came from there."""
    joined = [{*step.reads(), *step.makes()} for step in program.steps]
    reached, before = {slot}, 0
    while len(reached) > before:
        before = len(reached)
        reached.update(*(names for names in joined if names & reached))
    return set().union(*joined) - reached if before > 1 else set()  # what is of no slot may be of any


def has_float32(program: Program) -> bool:
    """Whether any tensor may be of single precision."""
    return any(getattr(s, "dtype", "") == "float32" or getattr(s, "op", "") == "float" for s in program.steps)
