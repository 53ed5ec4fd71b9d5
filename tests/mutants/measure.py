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
from conformance.record import Failure, Phase
from conformance.report.summary import simplest_first
from conformance.rules import RULES
from conformance.run import Options, Run
from mutants.mutant import Mutant, modules, planted, swapped

# failed, differs, safe: verdicts of the rule that is to be looked at first. hang, crash: the end of the mutant itself.
# error: the suite or the planting went wrong, which kills nothing.
Outcome = Literal["failed", "differs", "safe", "hang", "crash", "survived", "error"]
KILLED = ("failed", "differs", "safe", "hang", "crash")
ROUNDS = 2  # rounds of random programs over all areas that a mutant found goes through


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one mutant.

    `found_at` and `reduced_at` tell when the first failing program was found and when it was reduced, in CPU seconds since both
    engines were loaded, `programs` how many had run by then; its reduction took `executions` runs of a program and `reduction_ms`
    of CPU. The suite then meets every area, as in any run; `rule`, `steps`, `reduced` and `proof` are those of the failure that
    its report says to start with, `rules` all that were seen broken. What the engine without the defect fails too is left out.
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
    """Run the suite on a mutant until it has failed and every area was met, or, with `every_rule`, to the end of the budget."""
    with planted(mutant):
        engine = engines.load("reference")
        begun = time.process_time()
        run = TimedRun(engine, bench.oracle, options)
        run.begun = begun
        found = Result(id=mutant.id, outcome="survived")
        failures: list[Failure] = []
        for line in run:
            if isinstance(line, Failure) and not bench.fails(line):
                if not failures:
                    found = _found(mutant, run, begun)
                failures.append(line)
            elif isinstance(line, Phase) and failures and not every_rule and line.part == "search" and line.round >= ROUNDS:
                break
        return _blamed(found, failures, run) if failures else msgspec.structs.replace(found, programs=run.programs)


def _found(mutant: Mutant, run: TimedRun, begun: float) -> Result:
    """The first failure: what finding and reducing it took."""
    first, last = run.judge.marks[0], run.judge.marks[-1]
    return Result(
        id=mutant.id,
        outcome="failed",
        found_at=first.cpu - begun,
        reduced_at=last.cpu - begun,
        programs=run.programs,
        executions=last.executions - first.executions,
        reduction_ms=(last.cpu - first.cpu) * 1000,
    )


def _blamed(found: Result, failures: Sequence[Failure], run: TimedRun) -> Result:
    """With the failure that a report says to start with; one that an engine may show comes in only where no other is."""
    broken = [f for f in failures if RULES[f.rule].obligation == "MUST" and not run.fold.is_safe(f.rule)]
    blamed = simplest_first(broken or failures)[0]
    return msgspec.structs.replace(
        found,
        outcome="failed" if broken else "differs" if RULES[blamed.rule].obligation == "MAY" else "safe",
        rule=blamed.rule,
        rules=list(dict.fromkeys(f.rule for f in failures)),
        steps=len(blamed.steps),
        reduced=blamed.reduced,
        proof=blamed.proof,
    )
