"""The loop: exemplars first, then phases of random programs, area by area, until the budget is spent."""

from __future__ import annotations

import gc
import platform
import random
import shlex
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, groupby, islice
from operator import itemgetter
from typing import NamedTuple

import msgspec
import numpy

from conformance import calls, matrix
from conformance import program as programs
from conformance._version import __version__
from conformance.areas import AREAS, BY_NAME, Area
from conformance.chooser import SeededChooser
from conformance.engine import Engine
from conformance.errors import Defect
from conformance.execute import Executor, Schedule
from conformance.explain import explain, rows
from conformance.generate import generate
from conformance.judge import Case, Judge
from conformance.observe import Observation, facets_of
from conformance.program import Apply, Mutate, Program
from conformance.record import AnyLine, Failure, Footer, Header, RuleResult, RunVerdict
from conformance.reduce import EXECUTIONS, reduce, symptom
from conformance.rules import RULES, Rule
from conformance.scope import Scope
from conformance.script import Script
from conformance.tally import Tally
from conformance.vocabulary import Vocabulary

PHASES = (8, 32, 128)  # programs a phase: small at first, so that every area is met within the first second
ROUND_OF_MATRIX = 3  # the round of search over all areas after which the saved-tensor matrix is measured
WIDE_EVERY = 4  # every so many programs are looked at more widely
REDUCTIONS_PER_AREA = 60  # most failing programs of an area that are reduced
CAUSES_PER_RULE = 5  # most causes reported for one rule
LIMITS = {
    "phase_programs": float(PHASES[-1]),
    "reductions_per_area": float(REDUCTIONS_PER_AREA),
    "causes_per_rule": float(CAUSES_PER_RULE),
    "executions_per_reduction": float(EXECUTIONS),
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: until so many seconds have passed, or exactly so many generated programs; rules up to a level alone; with
    the saved-tensor matrix or not."""

    seconds: float | None = None
    programs: int | None = None
    seed: int = 0
    areas: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    level: int | None = None
    matrix: bool = False

    @property
    def chosen(self) -> tuple[Rule, ...]:
        """The rules asked for: those named, those of the areas named, or all; of these, those up to the level."""
        named = [r for r in RULES.values() if r.area in self.areas or r.id in self.rules or not (self.areas or self.rules)]
        return tuple(r for r in named if self.level is None or r.level <= self.level)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Garbage collections that look at the run's own objects alone, and seldom: observations hold no cycles."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class Tick(NamedTuple):
    """Where a run stands, for a progress line."""

    area: str
    programs: int
    failures: int


class Seen(NamedTuple):
    """A program that differed in a phase, with what was seen of it then."""

    program: Program
    expected: Observation
    observed: Observation
    schedule: Schedule


class Run:
    """One run of the suite on an engine. Iterating gives the lines of the record as they come to be."""

    def __init__(
        self, engine: Engine, oracle: Engine, options: Options, *, name: str = "", progress: Callable[[Tick], None] | None = None
    ) -> None:
        self.options = options
        self.name = name or engine.name
        facets = facets_of(engine) & facets_of(oracle)
        self.engine = Executor(engine, facets)
        self.oracle = Executor(oracle, facets)
        self.judge = Judge(self.oracle, self.engine)
        self.vocabulary = Vocabulary.of(engine)
        self.progress = progress or (lambda tick: None)
        self.rules = options.chosen
        self.areas = [a for a in AREAS if any(r.area == a.name for r in self.rules)]
        self.tally = Tally()
        self.failing: Counter[str] = Counter()
        self.safe: set[str] = set()
        self.causes: dict[str, list[str]] = {}
        self.known: dict[tuple[object, ...], list[frozenset[str]]] = {}
        self.reductions: Counter[str] = Counter()
        self.unsupported: dict[str, str] = {}
        self.lacking: dict[str, str] = {}
        self.programs = self.generated = 0
        self.interrupted = False
        self.started = 0.0

    def stop(self) -> None:
        """End the run after the program under way; what was found is still reported."""
        self.interrupted = True

    def ended(self) -> bool:
        """Whether the run was stopped or its seconds are spent. Without a budget of seconds no clock decides anything."""
        return self.interrupted or (self.options.seconds is not None and time.monotonic() - self.started >= self.options.seconds)

    def broken(self) -> bool:
        """Whether a rule is known to be broken, so that the run's verdict stands."""
        return any(causes and RULES[r].obligation == "MUST" and r not in self.safe for r, causes in self.causes.items())

    def __iter__(self) -> Iterator[AnyLine]:
        self.started, cpu = time.monotonic(), time.process_time()
        yield self.header()
        try:
            with rare_collections(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # programs do on purpose what engines warn of
                yield from self.search(self.exemplars)
        except KeyboardInterrupt:
            self.stop()
        counts = self.tally.count(self.rules)
        results = [self.result(rule, counts[rule.id]) for rule in self.rules]
        yield from results
        seconds = time.monotonic() - self.started
        rate = self.programs / max(seconds, 1e-9)
        timing = {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "programs_per_second": rate}
        verdict, reason = self.verdict(results)
        yield Footer(programs=self.programs, verdict=verdict, reason=reason, timing=timing)

    # -- the record ------------------------------------------------------------------------------------------------------

    def header(self) -> Header:
        """What is run against what."""
        o = self.options
        return Header(
            suite_version=__version__,
            engine=self.name,
            engine_version=self.engine.engine.version(),
            oracle=self.oracle.engine.name,
            oracle_version=self.oracle.engine.version(),
            seed=o.seed,
            budget_seconds=o.seconds,
            budget_programs=o.programs,
            areas=list(o.areas),
            rules=[rule.id for rule in self.rules],
            versions={"python": platform.python_version(), "numpy": numpy.__version__},
            limits=LIMITS,
            command=self.command(),
        )

    def command(self) -> str:
        """The command that repeats the run."""
        o = self.options
        words = ["conformance", "run", self.name, "--seed", str(o.seed), "--oracle", self.oracle.engine.name]
        words += ["--programs", str(o.programs)] if o.programs is not None else ["--budget", f"{o.seconds:g}"]
        words += ["--level", str(o.level)] if o.level is not None else []
        words += [w for a in o.areas for w in ("--area", a)] + [w for r in o.rules for w in ("--rule", r)]
        return shlex.join(words)

    def result(self, rule: Rule, count: int) -> RuleResult:
        """What became of a rule that so many programs exercised."""
        causes = self.causes.get(rule.id, [])
        reason = self.unsupported.get(rule.id, "")
        if reason:
            verdict, causes, count = "unsupported", [], 0
        elif causes:
            verdict = "differs" if rule.obligation == "MAY" else "safe" if rule.id in self.safe else "failed"
        else:
            reason = "" if count else self.lacking.get(rule.id, "no program exercised it")
            verdict = "passed" if count else "unsupported" if rule.id in self.lacking else "incomplete"
        return RuleResult(
            id=rule.id, area=rule.area, obligation=rule.obligation, level=rule.level, verdict=verdict, programs=count,  # type: ignore[arg-type]
            failing=self.failing[rule.id] if causes else 0, failures=causes, reason=reason,
        )  # fmt: skip

    def verdict(self, results: Sequence[RuleResult]) -> tuple[RunVerdict, str]:
        """The run's verdict and why it is incomplete."""
        verdicts = Counter(r.verdict for r in results)
        if verdicts["failed"]:
            return "diverges", ""
        if self.interrupted:
            return "incomplete", "interrupted"
        if not self.programs or not verdicts["passed"] + verdicts["safe"] + verdicts["differs"]:
            return "incomplete", "no program could be run on the engine"
        if verdicts["incomplete"]:
            return "incomplete", f"{verdicts['incomplete']} rules were never exercised"
        return "conforms", ""

    # -- the phases ------------------------------------------------------------------------------------------------------

    def exemplars(self, area: Area) -> Iterator[AnyLine]:
        """The own program of every rule of an area, which also tells whether the rule applies to the engine."""
        for rule in (rule for rule in self.rules if rule.area == area.name):
            missing = rule.traits - self.engine.engine.traits
            if missing:
                self.unsupported[rule.id] = f"{self.name} does not promise {', '.join(sorted(missing))}"
                continue
            program = rule.exemplar()
            observed = self.engine.run(program)
            if observed.unsupported is not None:
                self.lacking[rule.id] = observed.unsupported  # other programs may still exercise the rule
                continue
            features = Scope.of(program).features
            yield from self.check([(program, features)], area)

    def search(self, first: Callable[[Area], Iterator[AnyLine]] = lambda area: iter(())) -> Iterator[AnyLine]:
        """What is to come first in each area, and phases of random programs, area by area."""
        swept = self.sweep() if self.options.programs is None else iter(())
        for round_ in count():
            for area in self.areas:
                if round_ == 0:
                    yield from first(area)
                if self.interrupted:
                    return
                yield from self.phase(area, round_, swept)
            if not self.areas or not self.vocabulary.ops or self.ended() or self.generated == self.options.programs:
                return
            if self.measures_matrix and round_ == ROUND_OF_MATRIX:
                yield from self.matrix()

    def phase(self, area: Area, round_: int, swept: Iterator[tuple[Program, Area]]) -> Iterator[AnyLine]:
        """Some random programs of an area, and as many of the sweep."""
        size = PHASES[min(round_, len(PHASES) - 1)]
        if self.options.programs is not None:
            size = min(size, self.options.programs - self.generated)
        if size <= 0 or self.ended() or not self.vocabulary.ops:
            return
        seed = random.Random(f"{self.options.seed}/{area.name}/{round_}").getrandbits(64)
        chooser = SeededChooser(seed)
        batch = [(p, s.features) for p, s in (generate(chooser, area, self.vocabulary) for _ in range(size))]
        self.generated += size
        yield from self.check(batch, area)
        for role_area, programs_ in groupby(islice(swept, size), key=itemgetter(1)):
            yield from self.check([(p, Scope.of(p).features) for p, _ in programs_], role_area)
        self.progress(Tick(area.name, self.programs, sum(map(len, self.causes.values()))))

    def sweep(self) -> Iterator[tuple[Program, Area]]:
        """Every op once in each role whose area was asked for."""
        for role in calls.ROLES:
            area = BY_NAME[role.area]
            if area in self.areas:
                yield from ((program, area) for program in calls.sweep(role, self.vocabulary))

    @property
    def measures_matrix(self) -> bool:
        """Whether the saved-tensor matrix was asked for, with the area that it belongs to."""
        return self.options.matrix and any(area.name == "versions" for area in self.areas)

    def matrix(self) -> Iterator[AnyLine]:
        """The saved-tensor matrix, and what breaks a rule in it."""
        for op, questions in groupby(matrix.probes(self.vocabulary), key=lambda probe: probe.op):
            cells = []
            for probe in questions:
                cells.append(matrix.cell(self.oracle, self.engine, probe))
                if cells[-1].expected != cells[-1].observed:
                    yield from self.check([(probe.program, Scope.of(probe.program).features)], BY_NAME["versions"])
            yield matrix.row(op, cells)
            if self.interrupted:
                return

    def check(self, batch: Sequence[tuple[Program, int]], area: Area) -> Iterator[AnyLine]:
        """Run a batch on the oracle, then on the engine, and look closer where they differ."""
        schedules: list[Schedule] = ["quick" if k % WIDE_EVERY else "wide" for k in range(len(batch))]
        expected = [self.oracle.run(program, schedule) for (program, _), schedule in zip(batch, schedules, strict=True)]
        observed = [self.engine.run(program, schedule) for (program, _), schedule in zip(batch, schedules, strict=True)]
        for (program, features), e, o, schedule in zip(batch, expected, observed, schedules, strict=True):
            if e.unsupported is not None or o.unsupported is not None:
                continue
            self.programs += 1
            self.tally.add(features, e.refusal.category if e.refusal else None)
            if not self.judge.agree_quickly(program, e, o):
                yield from self.fail(Seen(program, e, o, schedule), area)

    def fail(self, seen: Seen, area: Area) -> Iterator[AnyLine]:
        """Examine a program that differs, reduce it, and report its cause if it is a new one."""
        if self.interrupted or self.reductions[area.name] >= REDUCTIONS_PER_AREA or (self.ended() and self.broken()):
            return
        try:
            case = self.judge.examine(seen.program)
            reduced = self.judge.unrepeated(*seen) if case is None else self.reduced(case, area)
        except LookupError as error:
            raise Defect(f"{error}; the program is {programs.to_json(seen.program)}") from error
        if reduced is not None and not self.is_beyond(reduced.rule):
            yield from self.report(seen.program, reduced)

    def is_beyond(self, rule: Rule) -> bool:
        """Whether the rule does not apply to the engine."""
        return rule.id in self.unsupported or bool(rule.traits - self.engine.engine.traits)

    def reduced(self, case: Case, area: Area) -> Case | None:
        """The reduced case, by one of the rules asked for; None where its cause is known or no rule is broken."""
        if self.is_beyond(case.rule):
            return None
        if self.is_explained(case):  # its cause was reported before: reductions are kept for new ones
            self.failing[case.rule.id] += 1
            return None
        self.reductions[area.name] += 1
        reduced = reduce(case, self.judge)
        if reduced.rule in self.rules:
            return reduced
        if reduced.rule.obligation == "MAY":
            return None  # what fails nothing must not fail a rule that claims more
        # Of those asked for, the one that the program itself breaks.
        asked = next((r for r in self.rules if r.claims(case.difference, case.features)), None)
        return None if asked is None else reduce(case, self.judge, keep=asked)

    def report(self, program: Program, case: Case) -> Iterator[AnyLine]:
        """The failure of a program, unless its cause was reported before."""
        rule = case.rule
        self.failing[rule.id] += 1
        causes = self.causes.setdefault(rule.id, [])
        if self.is_known(case) or len(causes) >= CAUSES_PER_RULE:
            return
        if case.safe and (not causes or rule.id in self.safe):
            self.safe.add(rule.id)
        else:
            self.safe.discard(rule.id)
        failure = self.failure(program, case)
        causes.append(failure.id)
        yield failure

    def is_explained(self, case: Case) -> bool:
        """Whether a cause reported before explains the case: one of the same rule and symptom whose ops are among its ops."""
        ops = frozenset(s.op for s in case.program.steps if isinstance(s, (Apply, Mutate)))
        return any(other <= ops for other in self.known.get((case.rule.id, *symptom(case)), ()))

    def is_known(self, case: Case) -> bool:
        """The same, and from now on the case explains others."""
        if self.is_explained(case):
            return True
        ops = frozenset(s.op for s in case.program.steps if isinstance(s, (Apply, Mutate)))
        self.known.setdefault((case.rule.id, *symptom(case)), []).append(ops)
        return False

    def failure(self, program: Program, case: Case) -> Failure:
        """A case as a line of the record."""
        torch_script = Script(case.program)
        own = self.engine.engine.script
        name = programs.fingerprint(case.program)
        return Failure(
            id=name, rule=case.rule.id, area=case.rule.area, kind=case.difference.kind, facet=case.difference.facet,
            statement=case.rule.statement, difference=msgspec.to_builtins(case.difference._asdict()), proof=explain(case),
            steps=rows(case, torch_script), program=programs.as_builtins(program), reduced=programs.as_builtins(case.program),
            torch_script=torch_script.text(case.difference),
            engine_script=own(case.program).text(case.difference) if own is not None else "",
            replay=f"conformance replay {name}",
        )  # fmt: skip
