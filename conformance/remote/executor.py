"""The twin of the executor for an engine in a process of its own: programs go out in batches, and a death is pinned to one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from conformance.engine import Engine
from conformance.errors import Defect
from conformance.execute import Executor, Schedule
from conformance.observe import Death, Observation, Refusal
from conformance.program import Apply, Leaf, Mutate, Program
from conformance.remote.contents import Misfit, read
from conformance.remote.engine import RemoteEngine
from conformance.remote.limits import SHORTEST
from conformance.remote.messages import Observed
from conformance.remote.session import Repeated, printable
from conformance.remote.worker import Died

BATCH = 128  # programs a message
SPARED = {"crash": 3}  # how often programs that hold a known killer may kill before they are left out; else once
PRICES = {"crash": 1}  # what a death in a batch weighs; others 3, since it takes longer until they are noticed
SUSPICIOUS, ENOUGH = 3, 9  # weights from which on what may kill, and then the rest of a batch, is left out
REPEATED = ("crash", "memory")  # deaths that may come of what was run before
ALONE_NOT = ", after other programs; alone it did not"
LEFT_OUT = "left out: it may hold what kills the engine"
OUT_OF_MEMORY = re.compile(r"\w*MemoryError\b")  # so Python says that the memory it is allowed is spent


class Killer(NamedTuple):
    """The kinds of steps of a small program that kills the engine, and how often programs that hold them all have."""

    parts: frozenset[str]
    what: str
    times: int = 1


class RemoteExecutor(Executor):
    """Runs programs in the engine's own process."""

    def __init__(self, engine: RemoteEngine, facets: frozenset[str]) -> None:
        self.engine = engine
        self.launch = engine.launch
        self.session = engine.session
        self.facets = facets
        self.asked = sorted(facets)
        self.deadline = self.session.limits.deadline
        self.hurried = False
        self.killers: list[Killer] = []
        self.dead: dict[bytes, Death] = {}  # programs that kill by themselves
        self.sound: set[str] = set()  # kinds of steps of programs that were answered in a batch in which others killed

    @contextmanager
    def hurrying(self, death: Death | None) -> Iterator[None]:
        """Where they may well hang, programs have a tenth of their time."""
        if death is None:
            yield
            return
        if death.what == "timeout":
            self.deadline = min(self.deadline, max(SHORTEST, self.deadline / 10))
        self.hurried = True
        try:
            yield
        finally:
            self.deadline, self.hurried = self.session.limits.deadline, False
            self.session.kill()  # what comes next is to show in a process that has run nothing else

    def avoid(self, program: Program) -> None:
        death = self.dead.get(msgspec.json.encode(program))
        if death is not None:
            self.killers.append(Killer(parts_of(program), death.what))

    def run(self, program: Program, schedule: Schedule = "quick", *, stash: bool = False) -> Observation:
        if stash:
            raise Defect("an oracle runs in this process")
        return self.run_all([program], [schedule])[0]

    def run_all(self, programs: Sequence[Program], schedules: Sequence[Schedule]) -> list[Observation]:
        """Run programs, those of one schedule together.

        Raises:
            EngineLost: the engine died too often.
        """
        seen: dict[int, Observation] = {}
        asked: dict[Schedule, list[int]] = {}
        for place, (program, schedule) in enumerate(zip(programs, schedules, strict=True)):
            known = self.foreseen(program)
            if known is None:
                asked.setdefault(self.nearest(schedule), []).append(place)
            else:
                seen[place] = known
        for schedule, places in asked.items():
            for first in range(0, len(places), BATCH):
                batch = places[first : first + BATCH]
                seen |= zip(batch, self.batch([programs[p] for p in batch], schedule), strict=True)
        return [seen[place] for place in range(len(programs))]

    def foreseen(self, program: Program) -> Observation | None:
        """What is known of a program without running it: that it needs what the child lacks, kills, or holds what has killed."""
        lacking = self.lacking(program)
        if lacking:
            return Observation([], unsupported=f"{self.engine.name} has no {lacking}")
        if self.dead:
            death = self.dead.get(msgspec.json.encode(program))
            if death is not None:
                return Observation([], death=death)
        if self.killers:
            parts = parts_of(program)
            if any(k.parts <= parts and k.times >= SPARED.get(k.what, 1) for k in self.killers):
                return Observation([], unsupported=LEFT_OUT)
        return None

    def lacking(self, program: Program) -> str:
        """What the program has that the child does not list, which it is never asked for; empty where there is nothing."""
        engine = self.engine
        for step in program.steps:
            if isinstance(step, (Apply, Mutate)):
                if step.op not in engine.ops:
                    return step.op
            elif isinstance(step, Leaf):
                if step.dtype not in engine.dtypes:
                    return f"leaves of {step.dtype}"
                if engine.ranks is not None and len(step.shape) not in engine.ranks:
                    return f"tensors of {len(step.shape)} dimensions"
        return ""

    def batch(self, programs: Sequence[Program], schedule: Schedule) -> list[Observation]:
        """Run programs one after the other, in as many processes as it takes."""
        seen: dict[int, Observation] = {}
        weight = 0
        left = list(range(len(programs)))
        while left:
            asked = [programs[place] for place in left]
            if len(asked) == 1:
                answered, died = [self.alone(asked[0], schedule)], None
            else:
                answered, died = self.exchange(asked, schedule)
            if died is not None:
                rest = asked[len(answered) :]
                if died.what == "crash":  # answers may have been lost on the way: which of them was it?
                    answered += self.singly(rest, schedule, died)
                else:
                    answered.append(self.death(rest[0], died))
                weight += PRICES.get(died.what, 3)
                self.sound.update(*(parts_of(p) for p, o in zip(asked, answered, strict=False) if o.death is None))
            seen |= zip(left, answered, strict=False)
            left = left[len(answered) :]
            if weight >= SUSPICIOUS:
                suspects = self.suspects(programs[place] for place, o in seen.items() if o.death is not None)
                doubtful = [place for place in left if weight >= ENOUGH or suspects & parts_of(programs[place])]
                seen |= dict.fromkeys(doubtful, Observation([], unsupported=LEFT_OUT))
                left = [place for place in left if place not in seen]
        return [seen[place] for place in range(len(programs))]

    def suspects(self, killing: Iterable[Program]) -> frozenset[str]:
        """What stands only in programs that killed."""
        return frozenset().union(*map(parts_of, killing)) - self.sound

    def singly(self, programs: Sequence[Program], schedule: Schedule, together: Died) -> list[Observation]:
        """Run what was left without an answer, one by one, up to the first that dies alone.

        Where none does, the first is said to have died, together with those before it.
        """
        seen: list[Observation] = []
        for program in programs:
            seen.append(self.alone(program, schedule))
            if seen[-1].death is not None:
                return seen
        return [self.death(programs[0], Died(together.what, str(together) + ALONE_NOT)), *seen[1:]]

    def alone(self, program: Program, schedule: Schedule) -> Observation:
        """Run one program; where it kills a process that has run others before, once more in a new one."""
        fresh = self.session.fresh
        answered, died = self.exchange([program], schedule)
        if died is None:
            return answered[0]
        if not fresh and died.what in REPEATED and not self.hurried:
            _, again = self.exchange([program], schedule)
            if again is None:
                return self.death(program, Died(died.what, str(died) + ALONE_NOT))
            died = again
        observation = self.death(program, died)
        if died.what != "timeout" or not self.hurried:
            self.dead[msgspec.json.encode(program)] = observation.death  # type: ignore[assignment]
            parts = parts_of(program)
            self.killers = [k._replace(times=k.times + (k.parts <= parts)) for k in self.killers]
        return observation

    def death(self, program: Program, died: Died) -> Observation:
        """A death as what was seen of a program."""
        return Observation([], death=Death(died.what, str(died), len(program.steps) - 1))

    def exchange(self, programs: Sequence[Program], schedule: Schedule) -> tuple[list[Observation], Died | None]:
        """What was seen of the first programs, and what became of the child at the next, if it died."""
        seen: list[Observation] = []
        try:
            for observed in self.session.run(programs, schedule, self.asked, self.deadline):
                seen.append(observation(observed, programs[len(seen)]))
        except Misfit as error:
            return seen, self.session.died(Died("protocol", printable(str(error), 300)))
        except Repeated as died:
            return seen[:-1], died
        except Died as died:
            return seen, died
        return seen, None


def observation(observed: Observed, program: Program) -> Observation:
    """An answer as an observation.

    Raises:
        Misfit: it tells of steps that the program does not have, or contents that a facet cannot have.
    """
    last = len(program.steps)
    told = observed.refusal
    refusal = None if told is None else Refusal(told.step, told.category, told.message[:500])
    if refusal is not None and OUT_OF_MEMORY.match(refusal.message):
        return Observation([], death=Death("memory", refusal.message, last - 1))
    if any(step > last for step, _, _, _ in observed.sights) or (refusal is not None and refusal.step > last):
        raise Misfit(f"the program has {last} steps, and more were told of")
    return Observation(read(observed.sights), refusal, observed.unsupported)


def parts_of(program: Program) -> frozenset[str]:
    """The ops and the kinds of steps of a program; leaves, which every program has, left out."""
    return frozenset(
        s.op if isinstance(s, (Apply, Mutate)) else str(s.__struct_config__.tag) for s in program.steps if not isinstance(s, Leaf)
    )


def executor(engine: Engine, facets: frozenset[str]) -> Executor:
    """The executor for an engine, wherever it runs."""
    return RemoteExecutor(engine, facets) if isinstance(engine, RemoteEngine) else Executor(engine, facets)
