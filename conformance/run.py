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
from typing import NamedTuple

import msgspec
import numpy

from conformance import program as programs
from conformance._version import __version__
from conformance.areas import AREAS, BY_NAME, Area
from conformance.chooser import SeededChooser
from conformance.engine import Engine
from conformance.errors import Defect
from conformance.execute import Executor
from conformance.explain import explain, rows
from conformance.generate import generate
from conformance.judge import Case, Judge
from conformance.observe import facets_of
from conformance.program import Apply, Mutate, Program
from conformance.record import AnyLine, Failure, Footer, Header, RuleResult, RunVerdict
from conformance.reduce import EXECUTIONS, reduce, symptom
from conformance.rules import RULES, Rule
from conformance.scope import Scope
from conformance.script import Script
from conformance.tally import Tally
from conformance.vocabulary import Vocabulary

PHASES = (8, 32, 128)  # programs a phase: small at first, so that every area is met within the first second
REDUCTIONS_PER_AREA = 60  # most failing programs of an area that are reduced
CAUSES_PER_RULE = 5  # most causes reported for one rule
LIMITS = {
    "phase_programs": float(PHASES[-1]),
    "reductions_per_area": float(REDUCTIONS_PER_AREA),
    "causes_per_rule": float(CAUSES_PER_RULE),
    "executions_per_reduction": float(EXECUTIONS),
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: until so many seconds have passed, or exactly so many generated programs."""

    seconds: float | None = None
    programs: int | None = None
    seed: int = 0
    areas: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def chosen(self) -> tuple[Rule, ...]:
        """The rules asked for: those named, those of the areas named, or all."""
        if not self.areas and not self.rules:
            return tuple(RULES.values())
        return tuple(r for r in RULES.values() if r.area in self.areas or r.id in self.rules)


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
        self.programs = 0
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
        return any(causes and RULES[r].level == "MUST" and r not in self.safe for r, causes in self.causes.items())

    def __iter__(self) -> Iterator[AnyLine]:
        self.started, cpu = time.monotonic(), time.process_time()
        yield self.header()
        try:
            with rare_collections(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # programs do on purpose what engines warn of
                yield from self.exemplars()
                yield from self.search()
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
        words += [w for a in o.areas for w in ("--area", a)] + [w for r in o.rules for w in ("--rule", r)]
        return shlex.join(words)

    def result(self, rule: Rule, count: int) -> RuleResult:
        """What became of a rule that so many programs exercised."""
        causes = self.causes.get(rule.id, [])
        reason = self.unsupported.get(rule.id, "")
        if reason:
            verdict, causes, count = "unsupported", [], 0
        elif causes:
            verdict = "differs" if rule.level == "MAY" else "safe" if rule.id in self.safe else "failed"
        else:
            reason = "" if count else self.lacking.get(rule.id, "no program exercised it")
            verdict = "passed" if count else "unsupported" if rule.id in self.lacking else "incomplete"
        return RuleResult(
            id=rule.id, area=rule.area, level=rule.level, verdict=verdict, programs=count,  # type: ignore[arg-type]
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

    def exemplars(self) -> Iterator[AnyLine]:
        """Every rule's own program, which also tells whether the rule applies to the engine."""
        for rule in self.rules:
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
            yield from self.check([(program, features)], BY_NAME[rule.area])

    def search(self) -> Iterator[AnyLine]:
        """Phases of random programs, area by area."""
        limit = self.options.programs
        generated = 0
        round_ = 0
        while self.areas and self.vocabulary.ops and not self.interrupted:
            for area in self.areas:
                size = PHASES[min(round_, len(PHASES) - 1)]
                if limit is not None:
                    size = min(size, limit - generated)
                if size <= 0 or self.ended():
                    return
                seed = random.Random(f"{self.options.seed}/{area.name}/{round_}").getrandbits(64)
                chooser = SeededChooser(seed)
                batch = [(p, s.features) for p, s in (generate(chooser, area, self.vocabulary) for _ in range(size))]
                generated += size
                yield from self.check(batch, area)
                self.progress(Tick(area.name, self.programs, sum(map(len, self.causes.values()))))
            round_ += 1

    def check(self, batch: Sequence[tuple[Program, int]], area: Area) -> Iterator[AnyLine]:
        """Run a batch on the oracle, then on the engine, and look closer where they differ."""
        expected = [self.oracle.run(program) for program, _ in batch]
        observed = [self.engine.run(program) for program, _ in batch]
        for (program, features), e, o in zip(batch, expected, observed, strict=True):
            if e.unsupported is not None or o.unsupported is not None:
                continue
            self.programs += 1
            self.tally.add(features, e.refusal.category if e.refusal else None)
            if not self.judge.agree_quickly(program, e, o):
                yield from self.fail(program, area)

    def fail(self, program: Program, area: Area) -> Iterator[AnyLine]:
        """Examine a program that differs, reduce it, and report its cause if it is a new one."""
        if self.interrupted or self.reductions[area.name] >= REDUCTIONS_PER_AREA or (self.ended() and self.broken()):
            return
        try:
            case = self.judge.examine(program)
            if case is None or case.rule.traits - self.engine.engine.traits:
                return
            if self.is_explained(case):  # its cause was reported before: reductions are kept for new ones
                self.failing[case.rule.id] += 1
                return
            self.reductions[area.name] += 1
            reduced = reduce(case, self.judge)
            if reduced.rule not in self.rules:  # of those asked for, the one that the program itself breaks
                asked = next((r for r in self.rules if r.claims(case.difference, case.features)), None)
                if asked is None:
                    return
                reduced = reduce(case, self.judge, keep=asked)
        except LookupError as error:
            raise Defect(f"{error}; the program is {programs.to_json(program)}") from error
        rule = reduced.rule
        if rule.id in self.unsupported or rule.traits - self.engine.engine.traits:
            return
        self.failing[rule.id] += 1
        causes = self.causes.setdefault(rule.id, [])
        if self.is_known(reduced) or len(causes) >= CAUSES_PER_RULE:
            return
        if reduced.safe and (not causes or rule.id in self.safe):
            self.safe.add(rule.id)
        else:
            self.safe.discard(rule.id)
        failure = self.failure(program, reduced)
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
