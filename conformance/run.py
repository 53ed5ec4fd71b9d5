"""The loop: the turns of all areas in order, until the budget is spent; what comes of them is folded into the record."""

from __future__ import annotations

import gc
import math
import os
import platform
import shlex
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import msgspec
import numpy

from conformance import phases
from conformance import program as programs
from conformance._version import __version__
from conformance.areas import AREAS
from conformance.capabilities import undeclared
from conformance.engine import Engine, language_of
from conformance.errors import EngineLost, UsageError
from conformance.explain import explain, rows
from conformance.fold import CAUSES_PER_RULE, Fold
from conformance.graph import graph
from conformance.judge import Judge
from conformance.kept import Keepsake, KeptLane, digest
from conformance.lanes import REDUCTIONS, Contest, Finding, Lane, Task
from conformance.observe import facets_of
from conformance.phases import Turn
from conformance.record import AnyLine, Failure, Footer, Header, Phase
from conformance.reduce import EXECUTIONS
from conformance.remote.executor import executor
from conformance.rules import RULES, Rule
from conformance.script import Script
from conformance.vocabulary import Vocabulary

LIMITS = {
    "phase_programs": float(phases.SIZES[-1]),
    "reductions_per_area": float(REDUCTIONS),
    "causes_per_rule": float(CAUSES_PER_RULE),
    "executions_per_reduction": float(EXECUTIONS),
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: until so many seconds have passed, or exactly so many generated programs; rules up to a level alone; with
    the saved-tensor matrix or not; all areas, or those of shard k of n.

    `kept` are programs to replay first, from the files `baseline` and `corpus`. With `every_cause` nothing limits how many
    failing programs are reduced and how many causes are reported, as a baseline must have them all.
    """

    seconds: float | None = None
    programs: int | None = None
    seed: int = 0
    areas: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    level: int | None = None
    matrix: bool = False
    shard: tuple[int, int] | None = None
    kept: tuple[Keepsake, ...] = ()
    baseline: str = ""
    corpus: str = ""
    every_cause: bool = False

    def __post_init__(self) -> None:
        if self.seconds is not None and not math.isfinite(self.seconds):
            raise UsageError(f"a budget of {self.seconds} seconds never ends: give a number of seconds")

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


def machine() -> str:
    """The machine as a report names it."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"


class Run:
    """One run of the suite on an engine. Iterating gives the lines of the record as they come to be.

    With the phases that a record holds already, the run goes on after them: it gives the lines that are still to come.
    """

    lane = Lane
    judging = Judge

    def __init__(
        self,
        engine: Engine,
        oracle: Engine,
        options: Options,
        *,
        name: str = "",
        progress: Callable[[Tick], None] | None = None,
    ) -> None:
        self.options = options
        self.name = name or engine.name
        facets = facets_of(engine) & facets_of(oracle)
        self.engine, self.oracle = executor(engine, facets), executor(oracle, facets)
        self.judge = self.judging(self.oracle, self.engine)
        self.vocabulary = Vocabulary.of(engine)
        self.progress = progress or (lambda tick: None)
        self.rules = options.chosen
        self.areas = [a for a in AREAS if any(r.area == a.name for r in self.rules)]
        o = options
        most = sys.maxsize if o.every_cause else REDUCTIONS
        task = Task(self.name, o.seed, self.rules, o.programs is None, most, lambda: bool(self.interrupted), self.sated)
        contest = Contest(self.oracle, self.engine, self.judge, self.vocabulary)
        self.lanes = {area.name: self.lane(area, contest, task) for area in phases.dealt(self.areas, o.shard)}
        if o.kept:
            self.lanes[phases.KEPT] = KeptLane(o.kept, contest, task, tuple(self.lanes.values()))
        self.fold = Fold(self.rules, CAUSES_PER_RULE if o.shard is None and not o.every_cause else None)
        self.done: set[tuple[int, ...]] = set()
        self.resumed = False
        self.interrupted = ""
        self.started = self.spent = 0.0

    def stop(self, why: str = "interrupted") -> None:
        """End the run after the program under way; what was found is still reported."""
        self.interrupted = why

    def ended(self) -> bool:
        """Whether the run was stopped or its seconds are spent. Without a budget of seconds no clock decides anything."""
        return bool(self.interrupted) or (self.options.seconds is not None and self.elapsed() >= self.options.seconds)

    def sated(self) -> bool:
        """Whether time is up and the verdict stands, so that no further failure need be looked into."""
        return self.ended() and self.fold.diverges()

    def elapsed(self) -> float:
        """Seconds since the run began, by a clock that nobody sets; those before it was killed are counted too."""
        return self.spent + time.monotonic() - self.started

    @property
    def programs(self) -> int:
        """How many programs have run on both sides."""
        return self.fold.programs + sum(lane.programs for lane in self.lanes.values())

    def __iter__(self) -> Iterator[AnyLine]:
        self.started, cpu = time.monotonic(), time.process_time()
        if not self.resumed:
            yield self.header()
        with rare_collections(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # programs do on purpose what engines warn of
            yield from self.search()
        notes = [] if self.interrupted else undeclared(self.judge, self.rules)
        results = [result for result in self.fold.results() if result.area in self.lanes or result.failures]
        yield from results
        seconds = self.elapsed()
        rate = self.programs / max(seconds, 1e-9)
        timing = {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "programs_per_second": rate}
        verdict, reason = self.fold.verdict(results, self.interrupted)
        yield Footer(
            programs=self.programs,
            verdict=verdict,
            reason=reason,
            notes=notes,
            stopped=self.interrupted,
            machine=machine(),
            timing=timing,
        )

    def header(self) -> Header:
        """What is run against what."""
        o = self.options
        return Header(
            suite_version=__version__,
            engine=self.name,
            engine_version=self.engine.engine.version(),
            home=self.engine.engine.home,
            issues=self.engine.engine.issues,
            language=language_of(self.engine.engine),
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
            shard="/".join(map(str, o.shard or ())),
            kept=digest(o.kept),
        )

    def command(self) -> str:
        """The command that repeats the run."""
        o = self.options
        words = ["conformance", "run", self.name, "--seed", str(o.seed), "--oracle", self.oracle.engine.name]
        words += ["--programs", str(o.programs)] if o.programs is not None else ["--budget", f"{o.seconds:g}"]
        words += ["--level", str(o.level)] if o.level is not None else []
        words += [w for a in o.areas for w in ("--area", a)] + [w for r in o.rules for w in ("--rule", r)]
        words += ["--baseline", o.baseline] if o.baseline else []
        words += ["--corpus", o.corpus] if o.corpus else []
        words += self.engine.launch
        words += ["--shard", "/".join(map(str, o.shard))] if o.shard is not None else []
        return shlex.join(words)

    # -- the phases ------------------------------------------------------------------------------------------------------

    def turns(self) -> Iterator[Turn]:
        """All turns of the run, of every shard."""
        counts = Counter(rule.area for rule in self.rules)
        o = self.options
        matrix = o.matrix and counts[phases.AREA_OF_MATRIX] > 0
        sizes = phases.SIZES_IF_SLOW if self.engine.engine.slow else phases.SIZES
        searches = bool(self.vocabulary.ops)
        return phases.turns(
            self.areas, counts, programs=o.programs, searches=searches, matrix=matrix, sizes=sizes, kept=bool(o.kept)
        )

    def resume(self, done: Sequence[Phase]) -> Run:
        """Stand where a run stood that left a header and these phases; returns the run."""
        self.resumed = True
        for phase in done:
            self.done.add(phases.place_of(phase.part, phase.area, phase.round))
            self.lanes[phase.area].restore(phase)
            for cause in phase.causes:
                self.fold.offer(cause)
            self.fold.add(phase)
            self.spent = phase.seconds or 0.0
        return self

    def search(self) -> Iterator[AnyLine]:
        """The phases that are still to come, each with its failures and a line of its own."""
        for turn in self.turns():
            lane = self.lanes.get(turn.area)
            if lane is None or phases.place_of(turn.part, turn.area, turn.round) in self.done:
                continue
            if self.interrupted or (self.ended() and turn.part != "exemplar" and turn.round):
                return
            if self.ended() and (turn.part != "exemplar" or turn.round):
                continue  # every area is met, however short the time
            try:
                for found in lane.take(turn):
                    if not isinstance(found, Finding):
                        yield found
                    elif self.fold.offer(found.cause):
                        yield self.failure(found)
            except KeyboardInterrupt:
                self.stop()
            except EngineLost as error:
                self.stop(str(error))
            seconds = self.elapsed() if self.options.seconds is not None else None
            phase = lane.close(turn, complete=not self.interrupted, seconds=seconds)
            self.fold.add(phase)
            yield phase
            must = (causes for rule, causes in self.fold.causes.items() if RULES[rule].obligation == "MUST")
            self.progress(Tick(turn.area, self.programs, sum(map(len, must))))

    def failure(self, found: Finding) -> Failure:
        """What was found as a line of the record."""
        case, program = found.case, found.program
        torch_script = Script(case.program)
        own = self.engine.engine.script
        name = found.cause.id
        return Failure(
            id=name, rule=case.rule.id, area=case.rule.area, kind=case.difference.kind, facet=case.difference.facet,
            statement=case.rule.statement, difference=msgspec.to_builtins(case.difference._asdict(), enc_hook=repr),
            proof=explain(case), steps=rows(case, torch_script),
            program=programs.as_builtins(program), reduced=programs.as_builtins(case.program),
            torch_script=torch_script.text(case.difference),
            engine_script=own(case.program).text(case.difference) if own is not None else "",
            replay=shlex.join(["conformance", "replay", name, *self.engine.launch]), graph=graph(case.program, case.difference),
        )  # fmt: skip
