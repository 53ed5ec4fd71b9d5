"""The work of one area: its phases, one after the other, and the causes of failure found in them.

What a phase finds depends on the seed, the area, the round and the earlier phases of the same area, and on nothing else: so lanes
can be dealt to machines, and a run that was killed goes on from the phases that are recorded.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from conformance import calls, matrix
from conformance import program as programs
from conformance.areas import AREAS, Area
from conformance.chooser import SeededChooser
from conformance.engine import promised
from conformance.errors import Defect
from conformance.execute import Executor, Schedule
from conformance.generate import generate
from conformance.judge import Case, Judge
from conformance.observe import Observation
from conformance.phases import SIZES, SIZES_IF_SLOW, Turn
from conformance.program import Apply, Mutate, Program
from conformance.record import Cause, Known, Phase, SavedRow
from conformance.reduce import reduce, symptom
from conformance.rules import PRECEDENCE, Rule
from conformance.rules.rule import absence
from conformance.scope import Scope
from conformance.tally import Tally
from conformance.vocabulary import Vocabulary

WIDE_EVERY = 4  # every so many programs are looked at more widely
REDUCTIONS = 60  # most failing programs of an area that are reduced
SWEPT = len(AREAS) // len(calls.ROLES)  # programs of the sweep for each random one: few areas have any


class Contest(NamedTuple):
    """What is run on what: both sides, the judge between them, and what the engine can be asked."""

    oracle: Executor
    engine: Executor
    judge: Judge
    vocabulary: Vocabulary


class Task(NamedTuple):
    """What is asked of every lane: the engine's name as the user knows it, the seed, the rules, whether the
    sweep is run, and how many failing programs of an area are reduced at most.

    `stopped` says that nothing more may begin, `sated` that no further failure need be looked into.
    """

    name: str
    seed: int
    rules: tuple[Rule, ...]
    sweeps: bool
    reductions: int
    stopped: Callable[[], bool]
    sated: Callable[[], bool]


class Seen(NamedTuple):
    """A program that differed in a phase, with what was seen of it then."""

    program: Program
    expected: Observation
    observed: Observation
    schedule: Schedule


class Finding(NamedTuple):
    """A failing program with its reduced case, of a cause that the lane had not met before."""

    cause: Cause
    program: Program
    case: Case


Search = Generator[Finding, None, Sequence[str]]  # findings, and at the end what the engine lacks


class Lane:
    """One area of a run. `take` a turn, then `close` it for its line of the record."""

    def __init__(self, area: Area, contest: Contest, task: Task) -> None:
        self.area = area
        self.task = task
        self.oracle, self.engine, self.judge, self.vocabulary = contest
        # Those that do not apply come last: a slow engine has no turn to lose.
        mine = [rule for rule in PRECEDENCE if rule in task.rules and rule.area == area.name]
        self.rules = sorted(mine, key=self.is_beyond)
        self.known: dict[tuple[object, ...], list[frozenset[str]]] = {}
        self.reductions = 0
        self.swept = 0
        self.sweep = self.swept_programs()
        self.tally = Tally(task.rules)
        self.begin()

    # -- a phase and its line ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Nothing has come of the phase yet."""
        self.tally.met.clear()
        self.programs = self.generated = self.reduced_now = 0
        self.failing: Counter[str] = Counter()
        self.causes: list[Cause] = []
        self.unsupported: dict[str, str] = {}
        self.lacking: dict[str, str] = {}

    def take(self, turn: Turn) -> Iterator[Finding | SavedRow | Known]:
        """Do a turn's work; gives what is found in it as it is found."""
        self.begin()
        yield from PARTS[turn.part](self, turn)

    def close(self, turn: Turn, *, complete: bool, seconds: float | None) -> Phase:
        """What came of the turn."""
        phase = Phase(
            part=turn.part, area=turn.area, round=turn.round, generated=self.generated, programs=self.programs,
            exercised=self.tally.count() if self.programs else [], failing=dict(sorted(self.failing.items())), causes=self.causes,
            reductions=self.reduced_now, unsupported=self.unsupported, lacking=self.lacking, complete=complete, seconds=seconds,
        )  # fmt: skip
        self.reductions += self.reduced_now
        self.begin()
        return phase

    def restore(self, phase: Phase) -> None:
        """Stand where the lane stood after a phase that was recorded."""
        self.reductions += phase.reductions
        for cause in phase.causes:
            self.known.setdefault((cause.rule, *cause.symptom), []).append(frozenset(cause.ops))

    # -- the parts of the work ---------------------------------------------------------------------------------------------

    def exemplar(self, turn: Turn) -> Search:
        """The own program of a rule, which also tells whether the rule applies to the engine."""
        rule = self.rules[turn.round]
        missing = rule.traits - promised(self.engine.engine)
        if missing:
            self.unsupported[rule.id] = absence(self.task.name, missing)
            return ()
        program = rule.exemplar()
        lacking = yield from self.check([(program, Scope.of(program).features)], exemplar=True)
        if lacking:
            self.lacking[rule.id] = lacking[0]  # other programs may still exercise the rule
        return lacking

    def search(self, turn: Turn) -> Iterator[Finding]:
        """Some random programs, and some of the sweep."""
        chooser = SeededChooser(random.Random(f"{self.task.seed}/{self.area.name}/{turn.round}").getrandbits(64))
        made = (generate(chooser, self.area, self.vocabulary) for _ in range(turn.size))
        batch = [(program, scope.features) for program, scope in made]
        self.generated += turn.size
        yield from self.check(batch)
        if self.task.sweeps:
            sizes, each = (SIZES_IF_SLOW, 1) if self.engine.engine.slow else (SIZES, SWEPT)
            begin = sum(sizes[min(k, len(sizes) - 1)] for k in range(turn.round)) * each
            some = islice(self.sweep, max(0, begin - self.swept), begin - self.swept + turn.size * each)
            self.swept = begin + turn.size * each
            while batch := [(program, Scope.of(program).features) for program in islice(some, SIZES[-1])]:
                yield from self.check(batch)

    def swept_programs(self) -> Iterator[Program]:
        """Every op once in each role of the area."""
        for role in calls.ROLES:
            if role.area == self.area.name:
                yield from calls.sweep(role, self.vocabulary)

    def matrix(self, turn: Turn) -> Iterator[Finding | SavedRow]:
        """What breaks a rule in the saved-tensor matrix, and then the matrix."""
        found = []
        for op, questions in groupby(matrix.probes(self.vocabulary), key=lambda probe: probe.op):
            cells = []
            for probe in questions:
                cells.append(matrix.cell(self.oracle, self.engine, probe))
                if cells[-1].expected != cells[-1].observed:
                    yield from self.check([(probe.program, Scope.of(probe.program).features)])
            found.append(matrix.row(op, cells))
            if self.task.stopped():
                break
        yield from found

    # -- failures ----------------------------------------------------------------------------------------------------------

    def check(self, batch: Sequence[tuple[Program, int]], *, exemplar: bool = False) -> Search:
        """Run a batch on the oracle, then on the engine, and look closer where they differ; returns what the engine lacks."""
        schedules: list[Schedule] = ["quick" if k % WIDE_EVERY else "wide" for k in range(len(batch))]
        schedules = [self.engine.nearest(schedule) for schedule in schedules]
        run = [program for program, _ in batch]
        expected, observed = self.oracle.run_all(run, schedules), self.engine.run_all(run, schedules)
        for (program, features), e, o, schedule in zip(batch, expected, observed, schedules, strict=True):
            if e.unsupported is not None or o.unsupported is not None:
                continue
            self.programs += 1
            if o.death is None:  # what an engine died of tried nothing else
                self.tally.add(features, e.refusal.category if e.refusal else None)
            if not self.judge.agree_quickly(program, e, o):
                yield from self.fail(Seen(program, e, o, schedule), exemplar=exemplar)
        return [o.unsupported for o in observed if o.unsupported is not None]

    def fail(self, seen: Seen, *, exemplar: bool = False) -> Iterator[Finding]:
        """Examine a program that differs and reduce it, unless its cause is known."""
        sated = self.task.sated() and not exemplar  # the first exemplars are run after the time too, and must tell
        if self.task.stopped() or sated or self.reductions + self.reduced_now >= self.task.reductions:
            return
        try:
            case = self.judge.examine(seen.program)
            reduced = self.judge.unrepeated(*seen) if case is None else self.reduced(case, exemplar=exemplar)
        except LookupError as error:
            raise Defect(f"{error}; the program is {programs.to_json(seen.program)}") from error
        if reduced is not None and not self.is_beyond(reduced.rule):
            self.failing[reduced.rule.id] += 1
            yield from self.learn(seen.program, reduced)

    def is_beyond(self, rule: Rule) -> bool:
        """Whether the rule does not apply to the engine."""
        return bool(rule.traits - promised(self.engine.engine))

    def reduced(self, case: Case, *, exemplar: bool = False) -> Case | None:
        """The reduced case, by one of the rules asked for; None where its cause is known or no rule is broken."""
        if self.is_beyond(case.rule):
            return None
        if self.is_explained(case):  # its cause was found before: reductions are kept for new ones
            self.failing[case.rule.id] += 1
            return None
        self.reduced_now += 1
        reduced = case if exemplar and self.engine.engine.slow else reduce(case, self.judge)  # an exemplar is small already
        if reduced.rule in self.task.rules:
            return reduced
        if reduced.rule.obligation == "MAY":
            return None  # what fails nothing must not fail a rule that claims more
        # Of those asked for, the one that the program itself breaks.
        asked = next((r for r in self.task.rules if r.claims(case.difference, case.features)), None)
        return None if asked is None else reduce(case, self.judge, keep=asked)

    def is_explained(self, case: Case) -> bool:
        """Whether a cause found before explains the case: one of the same rule and symptom whose ops are among its ops."""
        ops = ops_of(case.program)
        return any(other <= ops for other in self.known.get((case.rule.id, *symptom(case)), ()))

    def learn(self, program: Program, case: Case) -> Iterator[Finding]:
        """The cause, if it is new; from now on it explains others."""
        if self.is_explained(case):
            return
        cause = cause_of(case)
        self.known.setdefault((cause.rule, *cause.symptom), []).append(frozenset(cause.ops))
        self.causes.append(cause)
        yield Finding(cause, program, case)


PARTS: dict[str, Callable[[Lane, Turn], Iterator[Finding | SavedRow]]] = {
    "exemplar": Lane.exemplar, "search": Lane.search, "matrix": Lane.matrix,
}  # fmt: skip


def cause_of(case: Case) -> Cause:
    """What tells the case's cause from others."""
    name = programs.fingerprint(case.program)
    return Cause(id=name, rule=case.rule.id, symptom=symptom(case), ops=sorted(ops_of(case.program)))


def ops_of(program: Program) -> frozenset[str]:
    """The ops that a program applies."""
    return frozenset(step.op for step in program.steps if isinstance(step, (Apply, Mutate)))
