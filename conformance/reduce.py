"""Makes a failing program minimal while it keeps its symptom.

The passes work on the program itself: cut what comes after the difference, delete steps with all that depends on them, put a leaf
where an op was, pass an operand on in the place of a result, and make shapes, values and flags plain. Each candidate that is
well typed is run; the passes repeat until none helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite

import msgspec

from conformance.catalog import ShapeError
from conformance.execute import Schedule
from conformance.features import BAD_CALLS
from conformance.judge import SCHEDULES, Case, Judge, Shown
from conformance.passes import PASSES, Steps, cut, in_order_of_use, unrepeat, without_constants, witnessed
from conformance.program import Grad, InvalidProgram, Program, ReadGrad, check_structure, renumber
from conformance.rules import Rule
from conformance.tolerance import flatten

EXECUTIONS = 120  # most candidates that one reduction may run
EXECUTIONS_IF_SLOW = 30  # where each may take seconds
# What shows in a quick look, or at the end, needs no look after every step, which costs many times as much.
LOOKS: tuple[tuple[Schedule, ...], ...] = (("quick",), ("wide",), SCHEDULES)
COST_OF_DEATH = 8  # how many of them one that kills the engine counts for: a new process must be started


def reduce(case: Case, judge: Judge, executions: int = EXECUTIONS, keep: Rule | None = None) -> Case:
    """The smallest case found with the same symptom: same kind of difference, same facet, same category.

    With `keep`, only cases that this rule claims count, and it is the rule of the result.
    """
    executions = min(executions, EXECUTIONS_IF_SLOW) if judge.engine.engine.slow else executions
    return _Reduction(case, judge, executions, keep).run()


class _Reduction:
    """The state of one reduction: the best case so far and what may still be spent."""

    def __init__(self, case: Case, judge: Judge, executions: int, keep: Rule | None = None) -> None:
        self.whole = case if keep is None else case._replace(rule=keep)
        self.best: Shown | Case = self.whole
        self.keep = keep
        self.judge = judge
        self.executions = self.left = executions
        self.seen: set[bytes] = set()
        self.symptom = symptom(case)
        self.schedules = SCHEDULES

    def run(self) -> Case:
        nearest = self.judge.engine.nearest
        for schedules in dict.fromkeys(tuple(dict.fromkeys(map(nearest, look))) for look in LOOKS):
            reduced = self.by(schedules)
            if reduced is not None:
                return reduced
        return self.whole

    def by(self, schedules: tuple[Schedule, ...]) -> Case | None:
        """The reduced case, every candidate looked at by these schedules; None where they do not show the symptom in the end."""
        self.best, self.schedules = self.whole, schedules
        self.left = self.executions
        self.seen.clear()
        shown = self.show(self.whole.program)
        if shown is None or symptom(shown) != self.symptom:
            return None
        with self.judge.engine.hurrying(self.whole.observed.death):
            self.shrink()
        reduced = self.claimed(self.judge.examine(renumber(self.best.program)))
        if reduced is None or symptom(reduced) != self.symptom:
            return None
        if reduced.observed.death is not None:
            self.judge.engine.avoid(reduced.program)
        return reduced

    def shrink(self) -> None:
        """Try everything until nothing helps."""
        self.offer(cut(self.best.program.steps, self.best.difference.step))
        improved = True
        while improved and self.left > 0:
            improved = any([self.try_all(candidates) for candidates in (*PASSES, self.witnessed)])
        self.offer(unrepeat(self.best.program.steps))
        self.offer(without_constants(self.best.program.steps))
        self.offer(in_order_of_use(self.best.program.steps))

    def witnessed(self, program: Program) -> Iterator[Steps]:
        """Leaves with the values that the oracle gave to the results of ops."""
        sights = self.best.expected.sights
        seen = {
            slot: tuple(flatten(content))
            for _, slot, facet, content in sights
            if facet == "value" and isinstance(content, (list, float))
        }
        return witnessed(program, {slot: values for slot, values in seen.items() if all(map(isfinite, values))})

    def show(self, program: Program) -> Shown | Case | None:
        """What a program shows, looked at as closely as its symptom needs; which rule it breaks only where one is to be kept."""
        if self.keep is None:
            return self.judge.show(program, self.schedules)
        return self.claimed(self.judge.examine(program, self.schedules))

    def claimed(self, case: Case | None) -> Case | None:
        """The case, if the rule to keep claims it."""
        if case is None or self.keep is None:
            return case
        return case._replace(rule=self.keep) if self.keep.claims(case.difference, case.features) else None

    def try_all(self, candidates: Callable[[Program], Iterator[Steps]]) -> bool:
        """Take each candidate that keeps the symptom; begin again after each success."""
        improved = False
        again = True
        while again and self.left > 0:
            again = False
            for steps in candidates(self.best.program):
                if self.offer(steps):
                    improved = again = True
                    break
                if self.left <= 0:
                    break
        return improved

    def offer(self, steps: Steps | None) -> bool:
        """Whether these steps show the symptom; if so they are the best so far."""
        if steps is None:
            return False
        program = Program(steps, self.best.program.exact)
        key = msgspec.json.encode(program)
        if key in self.seen:
            return False
        self.seen.add(key)
        try:
            check_structure(program)
            self.judge.exercised(program)
        except (InvalidProgram, ShapeError):
            return False
        self.left -= 1
        shown = self.show(program)
        if shown is None:
            return False
        if shown.observed.death is not None:
            self.left -= COST_OF_DEATH
        if symptom(shown) != self.symptom or shown.features & ~self.best.features & BAD_CALLS:
            return False  # what torch refuses for another reason now shows nothing of the first
        self.best = shown
        return True


def symptom(case: Shown | Case) -> tuple[str, str, str, bool]:
    """What a reduction must keep: an error missed or made up, a wrong gradient (in .grad or from grad()), another wrong thing."""
    d = case.difference
    made_by = next((s for s in case.program.steps if d.slot in s.makes()), None)
    of_gradient = d.facet == "grad" or (d.facet == "value" and isinstance(made_by, (Grad, ReadGrad)))
    wrong = "wrong" if d.kind in ("wrong value", "wrong state") else d.kind
    return wrong, "gradient" if of_gradient else d.facet, d.category, case.safe
