"""What the suite makes of one mutant: when a program first fails on it, which rule is named, how small the program becomes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from conformance import engines
from conformance.engine import Engine
from conformance.execute import Executor, Schedule
from conformance.judge import SCHEDULES, Case, Judge
from conformance.lanes import Finding, Lane, Seen
from conformance.observe import facets_of
from conformance.program import Program, from_builtins
from conformance.record import Failure
from conformance.rules import RULES
from conformance.run import Options, Run
from mutants.mutant import Mutant, modules, planted, swapped

# failed, differs, safe: verdicts of the rule that the first failing program breaks. hang, crash: the end of the mutant itself.
# error: the suite or the planting went wrong, which kills nothing.
Outcome = Literal["failed", "differs", "safe", "hang", "crash", "survived", "error"]
KILLED = ("failed", "differs", "safe", "hang", "crash")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one mutant.

    `found_at` and `reduced_at` are CPU seconds since both engines were loaded, `programs` how many had run by then; the reduction
    took `executions` runs of a program and `reduction_ms` of CPU, and left `steps` steps. `rules` are all the rules that were
    seen broken. What the engine without the defect fails as well is left out.
    """

    id: str
    outcome: Outcome
    rule: str = ""
    found_at: float | None = None
    reduced_at: float | None = None
    programs: int = 0
    executions: int = 0
    reduction_ms: float = 0.0
    steps: int = 0
    rules: list[str] = []
    reduced: dict[str, Any] | None = None
    proof: str = ""
    detail: str = ""

    @property
    def killed(self) -> bool:
        """Whether the suite noticed the defect."""
        return self.outcome in KILLED


class Mark(NamedTuple):
    """CPU time and executions so far."""

    cpu: float
    executions: int


class Stopwatch(Judge):
    """A judge that marks the end of each close look: finding lies before the first mark, reduction between first and last."""

    def __init__(self, oracle: Executor, engine: Executor) -> None:
        super().__init__(oracle, engine)
        self.marks: list[Mark] = []

    def examine(self, program: Program, schedules: Sequence[Schedule] = SCHEDULES) -> Case | None:
        case = super().examine(program, schedules)
        self.marks.append(Mark(time.process_time(), self.executions))
        return case


class TimedLane(Lane):
    """A lane whose marks are those of the failing program at hand."""

    judge: Stopwatch

    def fail(self, seen: Seen, *, exemplar: bool = False) -> Iterator[Finding]:
        self.judge.marks.clear()
        yield from super().fail(seen, exemplar=exemplar)


class TimedRun(Run):
    """A run whose budget is of CPU time: others may use the machine."""

    judge: Stopwatch
    begun = 0.0
    lane = TimedLane
    judging = Stopwatch

    def ended(self) -> bool:
        seconds = self.options.seconds
        return bool(self.interrupted) or (seconds is not None and time.process_time() - self.begun >= seconds)


class Bench:
    """What every mutant is measured with: the oracle, and the engine without a defect.

    A program that fails on that engine as well tells nothing of a mutant.
    """

    def __init__(self, oracle: Engine, right: Engine) -> None:
        facets = facets_of(right) & facets_of(oracle)
        self.oracle = oracle
        self.judge = Judge(Executor(oracle, facets), Executor(right, facets))
        self.modules = modules()

    @classmethod
    def made(cls) -> Bench:
        """With torch for an oracle, which has run each rule's program: the first call of an op may import much."""
        bench = cls(engines.load("torch"), engines.load("reference"))
        for rule in RULES.values():
            bench.judge.oracle.run(rule.exemplar())
        return bench

    def fails(self, failure: Failure) -> bool:
        """Whether the reduced program fails on the right engine too."""
        with swapped(self.modules):
            return self.judge.examine(from_builtins(failure.reduced)) is not None


def measure(mutant: Mutant, options: Options, bench: Bench, *, every_rule: bool = False) -> Result:
    """Run the suite on a mutant up to its first failure, reduced, or, with `every_rule`, to the end of the budget."""
    with planted(mutant):
        engine = engines.load("reference")
        begun = time.process_time()
        run = TimedRun(engine, bench.oracle, options)
        run.begun = begun
        result = Result(id=mutant.id, outcome="survived")
        rules: list[str] = []
        for line in run:
            if not isinstance(line, Failure) or bench.fails(line):
                continue
            if not rules:
                result = _killed(mutant, run, line, begun)
            if line.rule not in rules:
                rules.append(line.rule)
            if not every_rule:
                break
        return msgspec.structs.replace(result, rules=rules, programs=result.programs or run.programs)


def _killed(mutant: Mutant, run: TimedRun, failure: Failure, begun: float) -> Result:
    """The first failure, with what finding and reducing it took."""
    first, last = run.judge.marks[0], run.judge.marks[-1]
    level = RULES[failure.rule].obligation
    return Result(
        id=mutant.id,
        outcome="differs" if level == "MAY" else "safe" if run.fold.is_safe(failure.rule) else "failed",
        rule=failure.rule,
        found_at=first.cpu - begun,
        reduced_at=last.cpu - begun,
        programs=run.programs,
        executions=last.executions - first.executions,
        reduction_ms=(last.cpu - first.cpu) * 1000,
        steps=len(failure.steps),
        reduced=failure.reduced,
        proof=failure.proof,
    )
