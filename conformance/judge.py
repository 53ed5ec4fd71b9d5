"""Which differences stand: rounding is acquitted, kinks are told from errors, and right answers to refused questions are safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from conformance import tolerance, transform
from conformance.arbiter import Arbiter, has_float32
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

# A policy, not a bound that was derived. Where a program computes an op at a pole or outside of the domain in which it is well
# conditioned (the feature POLE, a property of op and values), formulas that are equal on paper round apart by more than units in
# the last place, in float64 too, where no more precise result is there to compare with. So a difference of finite numbers below a
# millionth of the tensor's largest is reported there by `conventions.pole`, which may differ. This hides, in such a program, a
# defect of any op of less than a millionth of the largest number beside it. A larger one is caught if it stays when leaves move.
ROUNDING_AT_POLES = 2.0**-20


# A look may itself change what is seen, as a view's history is brought up to date when it is asked for: what differs only where
# nobody looks until the end is a difference too.
SCHEDULES: tuple[Schedule, ...] = ("thorough", "quick")


class Shown(NamedTuple):
    """A program and the first difference that it shows.

    `features` is what the program exercises; `safe` says that the engine gave the right answer where the oracle refused.
    """

    program: Program
    difference: Difference
    features: int
    expected: Observation
    observed: Observation
    safe: bool


class Case(NamedTuple):
    """The same with the rule that is broken; `features` also has what only the difference tells."""

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
        self._last: tuple[Program | None, int] = None, 0

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
        arbiter = Arbiter(self.oracle, program, expected, schedule)
        zeros_are_none = "grad_absent" not in self.oracle.facets
        return next((d for d in differences if not arbiter.acquits(_with_zeros(d) if zeros_are_none else d)), None)

    def show(self, program: Program, schedules: Sequence[Schedule] = SCHEDULES) -> Shown | None:
        """What a program shows of the engine, if anything, as closely looked at as the schedules do."""
        found = self.first_difference(program, schedules)
        if found is None:
            return None
        difference, expected, observed = found
        return Shown(program, difference, self.exercised(program), expected, observed, self._is_safe(program, difference))

    def examine(self, program: Program, schedules: Sequence[Schedule] = SCHEDULES) -> Case | None:
        """The case that a program makes against the engine, if any."""
        shown = self.show(program, schedules)
        if shown is None:
            return None
        _, difference, features, expected, observed, safe = shown
        features |= self._told_by(program, features, difference, expected)
        return Case(program, difference, features, attribute(difference, features), expected, observed, safe)

    def exercised(self, program: Program) -> int:
        """The features of a program; those of the last one asked for are kept, since several questions need them.

        Raises:
            InvalidProgram: it is not well typed.
        """
        if self._last[0] is not program:
            self._last = program, Scope.of(program).features
        return self._last[1]

    def unrepeated(self, program: Program, expected: Observation, observed: Observation, schedule: Schedule) -> Case | None:
        """The case of a difference that was seen once and is not seen any more."""
        differences = compare(expected, observed, self._agreement(program))
        difference = self._first_standing(program, differences, expected, schedule)
        if difference is None:
            return None
        features = self.exercised(program) | BITS.NOT_REPEATED
        return Case(program, difference, features, attribute(difference, features), expected, observed, False)

    def _agreement(self, program: Program) -> Any:
        """How numbers of this program are compared at first."""
        epsilon = tolerance.EPSILON["float32" if has_float32(program) else "float64"]
        if program.exact:
            if not self.exercised(program) & BITS.KINK:
                return tolerance.identical
            # A gradient may be shared by three that tie: thirds are not exact.
            return lambda expected, observed: tolerance.within_units(expected, observed, epsilon, tolerance.UNITS_AT_TIES)
        return lambda expected, observed: tolerance.within_units(expected, observed, epsilon)

    def _told_by(self, program: Program, exercised: int, difference: Difference, expected: Observation) -> int:
        """Features that only the difference tells."""
        features: int = 0
        if difference.expected is None:
            features |= BITS.EXPECTED_NONE
        if difference.facet == "alive":  # what the formulas of a recorded backward save is theirs
            features |= BITS.HELD if difference.observed and not exercised & BITS.CREATE_GRAPH else BITS.LIFE_LEFT_OPEN
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
        singular = exercised & (BITS.KINK | BITS.POLE) if difference.facet in NUMBERS else 0
        if features & BITS.BECAME_NOT_FINITE and singular & BITS.POLE and has_float32(program):
            wide = self.first_difference(transform.in_float64(program))  # what overflows in single precision alone
            features |= BITS.AT_POLE if wide is None else 0
        if singular & BITS.POLE and (_is_rounding(difference) or _is_of_nan(difference, expected)):
            features |= BITS.AT_POLE
        elif singular:
            nudged = self.first_difference(transform.moved(program, NUDGE, NUDGE))
            if nudged is None or nudged[0].kind != difference.kind:
                features |= (BITS.AT_KINK if singular & BITS.KINK else 0) | (BITS.AT_POLE if singular & BITS.POLE else 0)
            elif difference.facet == "value" and self._jumps(program, difference, expected):
                features |= BITS.AT_KINK
        return features

    def _jumps(self, program: Program, difference: Difference, expected: Observation) -> bool:
        """Whether an op that jumps is right on the oracle's very operands: rounding, or the sign of a zero, came before it."""
        maker = next((s for s in program.steps if difference.slot in s.makes()), None)
        if not isinstance(maker, Apply) or not CATALOG[maker.op].kink:
            return False
        slots = Scope.of(program).slots
        seen = {slot: content for step, slot, facet, content in expected.sights if facet == "value" and step <= difference.step}
        operands = dict.fromkeys(maker.inputs)
        if not operands.keys() <= seen.keys() & slots.keys():
            return False
        leaves = (Leaf(k, slots[k].shape, tuple(tolerance.flatten(seen[k])), slots[k].dtype) for k in operands)  # type: ignore[arg-type]
        return self.first_difference(Program((*leaves, maker), program.exact)) is None

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
        arbiter = Arbiter(self.oracle, kept, expected, schedule, stash=True)
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
    """Whether it is of memory of a gradient that is shared, saved, or a view, by an accident of torch's."""
    if difference.step >= len(program.steps):
        return 0
    step = program.steps[difference.step]
    slots = Scope.of(Program(program.steps[: difference.step + (difference.facet == "base")])).slots
    handed = {out for s in program.steps if isinstance(s, (Grad, ReadGrad)) for out in s.makes()}
    of_gradients = {name for name, slot in slots.items() if any(slot.storage is slots[g].storage for g in handed & slots.keys())}
    if difference.facet in ("base", "alive"):  # a gradient lives on where another is a view of it
        return BITS.STATE_SHARED if difference.slot in of_gradients and difference.expected is not False else 0
    if difference.category == Category.VERSION.value:  # a recorded backward may have saved the gradient that was written
        written = {s.target for s in program.steps[: difference.step] if isinstance(s, Mutate)}
        return BITS.STATE_SHARED if written & of_gradients and Scope.of(program).features & BITS.CREATE_GRAPH else 0
    if not isinstance(step, Mutate):
        return 0
    if difference.kind == "missed error" and difference.category == Category.VIEW_WRITTEN.value:
        return BITS.UNNAMED if step.target in of_gradients else 0
    if difference.slot == step.target or not {step.target, difference.slot} <= of_gradients:
        return 0
    if difference.facet == "value":
        return BITS.GRADIENT_WRITTEN  # type: ignore[no-any-return]
    return BITS.STATE_SHARED if difference.facet in ("version", *FLAGS) else 0


def _is_rounding(difference: Difference) -> bool:
    """Whether two finite numbers are so near that an op outside its domain, where it amplifies rounding, explains it."""
    return tolerance.within_units(difference.expected, difference.observed, ROUNDING_AT_POLES, units=1)


def _is_of_nan(difference: Difference, expected: Observation) -> bool:
    """Whether it is a place, and there were NaNs to choose from: which of them an op finds, nobody says."""
    numbers = list(tolerance.flatten(difference.expected))
    whole = bool(numbers) and all(type(number) is int for number in numbers)
    seen = (content for step, _, facet, content in expected.sights if facet == "value" and step <= difference.step)
    return whole and any(number != number for content in seen for number in tolerance.flatten(content))


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
