"""Which differences stand: rounding is acquitted, kinks are told from errors, and right answers to refused questions are safe."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from conformance import tolerance, transform
from conformance.catalog import CATALOG
from conformance.compare import NUMBERS, Difference, compare, same
from conformance.engine import Category
from conformance.execute import Executor, Schedule
from conformance.features import BITS
from conformance.observe import Observation
from conformance.program import Apply, Enter, Exit, Grad, Leaf, Mutate, Program, ReadGrad
from conformance.rules import Rule, attribute
from conformance.rules.rule import FLAGS
from conformance.scope import Scope

NUDGE = 2.0**-9  # how far the leaves are moved to leave a kink
TREMORS = 2.0**-30, 2.0**-46  # how far they are moved to measure how rounding is amplified: finely too, where it soon saturates

# A policy, not a bound that was derived. Where a program computes an op at a pole or outside of the domain in which it is well
# conditioned (the feature POLE, a property of op and values), formulas that are equal on paper round apart by more than units in
# the last place, in float64 too, where no more precise result is there to compare with. So a difference of finite numbers below a
# millionth of the tensor's largest is reported there by `conventions.pole`, which may differ. This hides, in such a program, a
# defect of any op of less than a millionth of the largest number beside it. A larger one is caught if it stays when leaves move.
ROUNDING_AT_POLES = 2.0**-20


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
        for schedule in dict.fromkeys(map(self.engine.nearest, schedules)):
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
        zeros_are_none = "grad_absent" not in self.oracle.facets
        return next((d for d in differences if not arbiter.acquits(_with_zeros(d) if zeros_are_none else d)), None)

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
        epsilon = tolerance.EPSILON["float32" if _has_float32(program) else "float64"]
        if program.exact:
            if not Scope.of(program).features & BITS.KINK:
                return tolerance.identical
            # A gradient may be shared by three that tie: thirds are not exact.
            return lambda expected, observed: tolerance.within_units(expected, observed, epsilon, tolerance.UNITS_AT_TIES)
        return lambda expected, observed: tolerance.within_units(expected, observed, epsilon)

    def _told_by(self, program: Program, exercised: int, difference: Difference, expected: Observation) -> int:
        """Features that only the difference tells."""
        features: int = 0
        if difference.expected is None:
            features |= BITS.EXPECTED_NONE
        if difference.facet == "alive" and difference.observed and not exercised & BITS.CREATE_GRAPH:
            features |= BITS.HELD  # what the formulas of a recorded backward save is theirs
        if _shares_gradients(expected):
            features |= BITS.ORACLE_SHARES
        if difference.facet == "order" and _handles(difference.expected) == _handles(difference.observed):
            features |= BITS.MODE_OF_HOOK
        if difference.facet in ("memory", "grad_memory"):
            own = difference.expected in (difference.slot, f"the gradient of {difference.slot}")
            harmless = own and difference.facet == "grad_memory" and not self._meets(program, difference)
            features |= BITS.ORACLE_SHARES if harmless else BITS.SHARED if own else BITS.SHARING_LOST
        if difference.facet == "order" and _called_with_nothing(difference, expected):
            features |= BITS.FLAG_OF_GRADIENT
        if difference.facet in FLAGS:
            features |= _told_by_flag(program, difference) or self._told_by_history(program, difference)
        if difference.category == Category.FREED.value:
            features |= BITS.ABOUT_FREED
        if difference.kind == "missed error" and _is_unnamed(difference, exercised):
            features |= BITS.UNNAMED
        features |= _told_by_gradient(program, difference)
        if difference.kind == "spurious error":
            refusals = {"version": BITS.VERSION_REFUSED, "freed": BITS.FREED_REFUSED}
            features |= refusals.get(difference.category, 0)
        if difference.kind == "wrong value":
            features |= _told_by_numbers(difference)
        singular = exercised & (BITS.KINK | BITS.POLE)
        if features & BITS.BECAME_NOT_FINITE and singular & BITS.POLE and _has_float32(program):
            wide = self.first_difference(transform.in_float64(program))  # what overflows in single precision alone
            features |= BITS.AT_POLE if wide is None else 0
        if difference.facet in NUMBERS and singular & BITS.POLE and _is_rounding(difference):
            features |= BITS.AT_POLE
        elif difference.facet in NUMBERS and singular:
            nudged = self.first_difference(transform.moved(program, NUDGE, NUDGE))
            if nudged is None or nudged[0].kind != difference.kind:
                features |= (BITS.AT_KINK if singular & BITS.KINK else 0) | (BITS.AT_POLE if singular & BITS.POLE else 0)
        return features

    def _meets(self, program: Program, difference: Difference) -> bool:
        """Whether a write into a gradient that shares memory shows elsewhere: parts of one buffer that lie apart do no harm."""
        if "add_scalar_" not in self.engine.calls:
            return True
        out = max((name for s in program.steps for name in s.makes()), default=0) + 1
        steps = program.steps[: difference.step + 1]
        handed = any(isinstance(s, (Grad, ReadGrad)) and difference.slot in s.makes() for s in steps)
        read, target = ((), difference.slot) if handed else ((ReadGrad(out, difference.slot),), out)
        write = Enter("no_grad"), Mutate("add_scalar_", target, (), {"value": 1.0}), Exit()
        found = self.first_difference(Program((*steps, *read, *write), program.exact))
        return found is None or found[0].facet in (*NUMBERS, "error")

    def _told_by_history(self, program: Program, difference: Difference) -> int:
        """Whether a flag is that of a gradient that stays what it is wherever the leaves are, so that its history is 0.

        Torch computes the gradients of a layer in one node, whose history is that of all of them.
        """
        if not any(isinstance(s, (Grad, ReadGrad)) and difference.slot in s.makes() for s in program.steps):
            return 0
        place = (difference.slot, "value")
        elsewhere = transform.moved(program, NUDGE).steps
        moved = tuple(e if isinstance(s, Leaf) and s.requires_grad else s for s, e in zip(program.steps, elsewhere, strict=True))
        here, there = (
            [content for _, slot, facet, content in self.oracle.run(p, "thorough").sights if (slot, facet) == place]
            for p in (program, Program(moved, program.exact))
        )
        return BITS.FLAG_OF_GRADIENT if here and here == there else 0

    def _is_safe(self, program: Program, difference: Difference) -> bool:
        """Whether the engine, where the oracle refuses, gives what it would give had nothing been freed or changed."""
        if difference.kind != "missed error" or difference.category not in ("version", "freed"):
            return False
        program = Program(program.steps[: difference.step + 1], program.exact)  # what comes after, torch would not have run
        kept = transform.retained(program)
        schedule = self.engine.nearest("thorough")
        expected = self.oracle.run(kept, schedule, stash=True)
        observed = self.engine.run(program, schedule)
        if expected.refusal is not None or expected.unsupported is not None:
            return False
        arbiter = _Arbiter(self.oracle, kept, expected, schedule, stash=True)
        differences = compare(expected, observed, self._agreement(program))
        return all(d.facet not in (*NUMBERS, "error") or arbiter.acquits(d) for d in differences)


def _with_zeros(difference: Difference) -> Difference:
    """The same of an engine that does not tell a gradient of zeros from none: numbers against zeros."""
    expected, observed = difference.expected, difference.observed
    if difference.facet not in NUMBERS or (expected is None) == (observed in (None, "nothing")):
        return difference
    if expected is None:
        expected = tolerance.zeros_like(observed)
    else:
        observed = tolerance.zeros_like(expected)
    return difference._replace(kind="wrong value", expected=expected, observed=observed)


def _called_with_nothing(difference: Difference, expected: Observation) -> bool:
    """Whether all hooks that torch calls and the engine does not were called without a gradient."""
    if not isinstance(difference.expected, list):
        return False
    heard = _handles(difference.observed) if isinstance(difference.observed, list) else []
    missing = [handle for handle in _handles(difference.expected) if handle not in heard]
    seen = {slot: content for step, slot, facet, content in expected.sights if facet == "called" and step == difference.step}
    return bool(missing) and not any(any(gradients) for handle in missing for gradients in seen.get(handle, ()))


def _handles(calls: Any) -> Any:
    """Which hooks were called, without the mode."""
    return [call[0] for call in calls] if isinstance(calls, list) else calls


def _told_by_numbers(difference: Difference) -> int:
    """Whether infinities or NaN stand where none should, or others than these."""
    expected, observed = (tolerance.is_finite(content) for content in (difference.expected, difference.observed))
    if not expected:
        return BITS.NOT_FINITE  # type: ignore[no-any-return]
    return 0 if observed else BITS.BECAME_NOT_FINITE


def _is_unnamed(difference: Difference, exercised: int) -> bool:
    """Whether torch refuses for a reason that no rule names, or finds an input unused by a formula of its own."""
    if difference.category == Category.UNUSED_INPUT.value:
        return not exercised & BITS.UNUSED_INPUT
    return difference.category == Category.OTHER.value


def _told_by_gradient(program: Program, difference: Difference) -> int:
    """Whether it is of memory of a gradient that is shared, or is a view, by an accident of torch's."""
    if difference.step >= len(program.steps):
        return 0
    step = program.steps[difference.step]
    slots = Scope.of(Program(program.steps[: difference.step + (difference.facet == "base")])).slots
    handed = {out for s in program.steps if isinstance(s, (Grad, ReadGrad)) for out in s.makes()}
    of_gradients = {name for name, slot in slots.items() if any(slot.storage is slots[g].storage for g in handed & slots.keys())}
    if difference.facet in ("base", "alive"):  # a gradient lives on where another is a view of it
        return BITS.STATE_SHARED if difference.slot in of_gradients and difference.expected is not False else 0
    if not isinstance(step, Mutate):
        return 0
    if difference.kind == "missed error" and difference.category == Category.VIEW_WRITTEN.value:
        return BITS.UNNAMED if step.target in of_gradients else 0
    if difference.slot == step.target or not {step.target, difference.slot} <= of_gradients:
        return 0
    if difference.facet == "value":
        return BITS.GRADIENT_WRITTEN  # type: ignore[no-any-return]
    if difference.facet == "version":
        return BITS.STATE_SHARED  # type: ignore[no-any-return]
    return 0


def _is_rounding(difference: Difference) -> bool:
    """Whether two finite numbers are so near that an op outside its domain, where it amplifies rounding, explains it."""
    return tolerance.within_units(difference.expected, difference.observed, ROUNDING_AT_POLES, units=1)


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
        # What a refusal ends need not be refused in another dtype, nor where the leaves lie elsewhere.
        end = None if expected.refusal is None else expected.refusal.step
        self.program = Program(program.steps[:end], program.exact)
        self.expected = expected
        self.stash = stash
        self.single = _has_float32(program)

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
        bound = tolerance.ARBITER_FACTOR * own + tolerance.UNITS * tolerance.EPSILON["float32"] * scale
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


def _has_float32(program: Program) -> bool:
    """Whether any tensor may be of single precision."""
    return any(getattr(s, "dtype", "") == "float32" or getattr(s, "op", "") == "float" for s in program.steps)
