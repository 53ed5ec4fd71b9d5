"""Which differences stand: rounding is acquitted, kinks are told from errors, and right answers to refused questions are safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from conformance import tolerance, transform
from conformance.catalog import CATALOG
from conformance.compare import NUMBERS, Difference, compare, same
from conformance.engine import Category
from conformance.execute import Executor, Schedule
from conformance.features import BITS
from conformance.observe import Observation
from conformance.program import Apply, Grad, Program, ReadGrad
from conformance.rules import Rule, attribute
from conformance.rules.rule import FLAGS
from conformance.scope import Scope

NUDGE = 2.0**-9  # how far the leaves are moved to leave a kink
TREMOR = 2.0**-30  # how far they are moved to measure how rounding is amplified


# A look may itself change what is seen, as a view's history is brought up to date when it is asked for: what differs only where
# nobody looks until the end is a difference too.
SCHEDULES: tuple[Schedule, ...] = ("thorough", "quick")


class Case(NamedTuple):
    """A program on which the engine differs: the first difference, what the program exercises, and the rule it breaks."""

    program: Program
    difference: Difference
    features: int
    rule: Rule
    expected: Observation
    observed: Observation
    safe: bool


class Judge:
    """Compares an engine with the oracle."""

    def __init__(self, oracle: Executor, engine: Executor) -> None:
        self.oracle = oracle
        self.engine = engine
        self.executions = 0

    def agree_quickly(self, program: Program, expected: Observation, observed: Observation) -> bool:
        """Whether two quick observations agree within what the dtype allows; otherwise a closer look is due."""
        if expected.unsupported is not None or observed.unsupported is not None or same(expected, observed):
            return True
        return not compare(expected, observed, self._agreement(program))

    def first_difference(
        self, program: Program, schedules: Sequence[Schedule] = SCHEDULES
    ) -> tuple[Difference, Observation, Observation] | None:
        """The first difference that stands, by the first of these schedules that shows one, with what was seen on both sides."""
        self.executions += 1
        for schedule in schedules:
            expected = self.oracle.run(program, schedule)
            observed = self.engine.run(program, schedule)
            differences = compare(expected, observed, self._agreement(program))
            standing = self._first_standing(program, differences, expected, schedule)
            if standing is not None:
                return standing, expected, observed
        return None

    def _first_standing(
        self, program: Program, differences: Sequence[Difference], expected: Observation, schedule: Schedule
    ) -> Difference | None:
        """The first difference that rounding does not explain."""
        arbiter = _Arbiter(self.oracle, program, expected, schedule)
        return next((d for d in differences if not arbiter.acquits(d)), None)

    def examine(self, program: Program, schedules: Sequence[Schedule] = SCHEDULES) -> Case | None:
        """The case that a program makes against the engine, if any."""
        found = self.first_difference(program, schedules)
        if found is None:
            return None
        difference, expected, observed = found
        features = Scope.of(program).features
        features |= self._told_by(program, features, difference, expected)
        rule = attribute(difference, features)
        return Case(program, difference, features, rule, expected, observed, self._is_safe(program, difference))

    def unrepeated(self, program: Program, expected: Observation, observed: Observation, schedule: Schedule) -> Case | None:
        """The case of a difference that was seen once and is not seen any more."""
        differences = compare(expected, observed, self._agreement(program))
        difference = self._first_standing(program, differences, expected, schedule)
        if difference is None:
            return None
        features = Scope.of(program).features | BITS.NOT_REPEATED
        return Case(program, difference, features, attribute(difference, features), expected, observed, False)

    def _agreement(self, program: Program) -> Any:
        """How numbers of this program are compared at first."""
        if program.exact:
            return tolerance.identical
        epsilon = tolerance.EPSILON["float32" if _has_float32(program) else "float64"]
        return lambda expected, observed: tolerance.within_units(expected, observed, epsilon)

    def _told_by(self, program: Program, exercised: int, difference: Difference, expected: Observation) -> int:
        """Features that only the difference tells."""
        features: int = 0
        if difference.expected is None:
            features |= BITS.EXPECTED_NONE
        if difference.facet == "alive" and difference.observed:
            features |= BITS.HELD
        if _shares_gradients(expected):
            features |= BITS.ORACLE_SHARES
        if difference.facet == "order" and _handles(difference.expected) == _handles(difference.observed):
            features |= BITS.MODE_OF_HOOK
        if difference.facet in ("memory", "grad_memory"):
            own = difference.expected in (difference.slot, f"the gradient of {difference.slot}")
            features |= BITS.SHARED if own else BITS.SHARING_LOST
        if difference.facet in FLAGS:
            features |= _told_by_flag(program, difference)
        if difference.category == Category.FREED.value:
            features |= BITS.ABOUT_FREED
        if difference.kind == "missed error" and difference.category == Category.OTHER.value:
            features |= BITS.UNNAMED
        if difference.kind == "spurious error":
            refusals = {"version": BITS.VERSION_REFUSED, "freed": BITS.FREED_REFUSED}
            features |= refusals.get(difference.category, 0)
        if difference.kind == "wrong value":
            features |= _told_by_numbers(difference)
        singular = exercised & (BITS.KINK | BITS.POLE)
        if difference.facet in NUMBERS and singular:
            nudged = self.first_difference(transform.moved(program, NUDGE, NUDGE))
            if nudged is None or nudged[0].kind != difference.kind:
                features |= (BITS.AT_KINK if singular & BITS.KINK else 0) | (BITS.AT_POLE if singular & BITS.POLE else 0)
        return features

    def _is_safe(self, program: Program, difference: Difference) -> bool:
        """Whether the engine, where the oracle refuses, gives what it would give had nothing been freed or changed."""
        if difference.kind != "missed error" or difference.category not in ("version", "freed"):
            return False
        program = Program(program.steps[: difference.step + 1], program.exact)  # what comes after, torch would not have run
        kept = transform.retained(program)
        expected = self.oracle.run(kept, "thorough", stash=True)
        observed = self.engine.run(program, "thorough")
        if expected.refusal is not None or expected.unsupported is not None:
            return False
        arbiter = _Arbiter(self.oracle, kept, expected, "thorough", stash=True)
        differences = compare(expected, observed, self._agreement(program))
        return all(d.facet not in (*NUMBERS, "error") or arbiter.acquits(d) for d in differences)


def _handles(calls: Any) -> Any:
    """Which hooks were called, without the mode."""
    return [call[0] for call in calls] if isinstance(calls, list) else calls


def _told_by_numbers(difference: Difference) -> int:
    """Whether infinities or NaN stand where none should, or others than these."""
    expected, observed = (tolerance.is_finite(content) for content in (difference.expected, difference.observed))
    if not expected:
        return BITS.NOT_FINITE  # type: ignore[no-any-return]
    return 0 if observed else BITS.BECAME_NOT_FINITE


def _shares_gradients(seen: Observation) -> bool:
    """Whether a gradient lies in memory that another tensor sees, and is not that very tensor."""
    named = {(slot, content) for _, slot, facet, content in seen.sights if facet == "grad_is"}
    return any(
        facet == "grad_memory" and content not in (slot, f"the gradient of {slot}") and (slot, content) not in named
        for _, slot, facet, content in seen.sights
    )


def _told_by_flag(program: Program, difference: Difference) -> int:
    """Whether a flag is that of a gradient that need not have a history, or of a view made where nothing was recorded."""
    scope = Scope()
    for step in program.steps:
        if difference.slot in step.makes():
            break
        scope.apply(step)
    if isinstance(step, (Grad, ReadGrad)) and (difference.expected is False) == (difference.facet != "is_leaf"):
        return BITS.FLAG_OF_GRADIENT  # type: ignore[no-any-return]
    if isinstance(step, Apply) and CATALOG[step.op].view and not scope.recording:
        return BITS.VIEW_UNDER_NO_GRAD  # type: ignore[no-any-return]
    return 0


class _Arbiter:
    """Decides whether a difference of numbers is rounding."""

    def __init__(
        self, oracle: Executor, program: Program, expected: Observation, schedule: Schedule, *, stash: bool = False
    ) -> None:
        self.oracle = oracle
        self.schedule = schedule
        self.program = program
        self.expected = expected
        self.stash = stash
        self.single = _has_float32(program)
        self._truth: dict[Any, Any] | None = None
        # Sums of large numbers that cancel leave an error of the large numbers' size.
        self.scale = max((tolerance.largest(seen[3]) for seen in expected.sights if seen[2] in NUMBERS), default=0.0)

    def acquits(self, difference: Difference) -> bool:
        """True where the numbers differ by no more than rounding explains."""
        if difference.kind != "wrong value":
            return False
        if self.program.exact and not self.single:
            return False
        place = (difference.step, difference.slot, difference.facet)
        truth = self.truth.get(place)
        if truth is None:
            return False
        if self.single:
            if self.program.exact and tolerance.identical(truth, difference.expected):
                return False
            own = tolerance.distance(truth, difference.expected)
            epsilon = tolerance.EPSILON["float32"]
            bound = tolerance.ARBITER_FACTOR * own + tolerance.UNITS * epsilon * self.scale
            return tolerance.distance(truth, difference.observed) <= bound
        sensitivity = tolerance.distance(truth, difference.expected) / TREMOR
        epsilon = tolerance.EPSILON["float64"]
        # Where terms cancel, what is left is small, but its rounding is that of the terms: as large as the numbers seen.
        scale = max(tolerance.largest(content) for _, _, facet, content in self.expected.sights if facet in NUMBERS)
        bound = tolerance.UNITS * epsilon * (sensitivity + scale)
        return tolerance.distance(difference.expected, difference.observed) <= bound

    @property
    def truth(self) -> dict[Any, Any]:
        """What the oracle sees in float64, or, on a float64 program, where the leaves tremble."""
        if self._truth is None:
            other = transform.in_float64(self.program) if self.single else transform.moved(self.program, TREMOR)
            seen = self.oracle.run(other, self.schedule, stash=self.stash).sights
            self._truth = {(step, slot, facet): content for step, slot, facet, content in seen}
        return self._truth


def _has_float32(program: Program) -> bool:
    """Whether any tensor may be of single precision."""
    return any(getattr(s, "dtype", "") == "float32" or getattr(s, "op", "") == "float" for s in program.steps)
