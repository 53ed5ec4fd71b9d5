"""Program x Engine -> Observation.

Schedules of looking. The quick one looks at flags when a tensor is made, at gradients where a later step may hide what a
backward did to them, and at values and all gradients at the end: it is run on millions of programs. The wide one looks at every
facet at the end as well: every few programs are run so. The thorough one looks at every facet of every live slot after every
step: it is run on programs that showed a difference, so that the first step that went wrong can be named. The parted one is for
engines that take forward steps together, as functions: it looks where such a segment ends, and at every facet at the end.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

from conformance.engine import Engine, Unsupported
from conformance.execution import HANDLERS, Execution
from conformance.observe import FACETS, FLAGS, Death, Observation, facets_of
from conformance.program import Program
from conformance.segments import Pending, Segment, parted

Schedule = Literal["quick", "wide", "thorough", "parted"]


class Executor:
    """Runs programs on one engine, looking at the facets that all engines of a comparison show.

    `launch` holds the options of a run that put the engine where it runs: none, in this process.
    """

    launch: tuple[str, ...] = ()

    def __init__(self, engine: Engine, facets: frozenset[str] | None = None) -> None:
        self.engine = engine
        self.facets = facets_of(engine) if facets is None else facets
        self.calls: Mapping[str, Callable[..., Any]] = engine.calls()
        # What is looked at of each tensor by itself, in a look at all.
        plain = ((f, method) for f, method in FACETS.items() if f in self.facets and f not in ("grad", "version"))
        self.shows = [(facet, getattr(engine, method)) for facet, method in plain]
        seen = [f for f in FLAGS if f in self.facets]
        self.flags = engine.flags if len(seen) == len(FLAGS) else getattr(engine, FACETS[seen[0]]) if seen else None
        self.flags_facet = "flags" if len(seen) == len(FLAGS) else seen[0] if seen else ""

    def nearest(self, schedule: Schedule) -> Schedule:
        """The schedule by which programs are looked at when this one is asked for."""
        known = self.engine.schedules
        return schedule if schedule in known else known[-1]  # type: ignore[return-value]

    def run_all(self, programs: Sequence[Program], schedules: Sequence[Schedule]) -> list[Observation]:
        """Run programs, each by its schedule."""
        return [self.run(program, schedule) for program, schedule in zip(programs, schedules, strict=True)]

    def hurrying(self, death: Death | None) -> AbstractContextManager[None]:
        """A region in which programs are tried that may end in the same way."""
        return nullcontext()

    def avoid(self, program: Program) -> None:
        """A program that kills the engine is known: nothing is to be done where it runs in this process."""

    def run(self, program: Program, schedule: Schedule = "quick", *, stash: bool = False) -> Observation:
        """Run to the end or to the first refusal. Whatever the engine raises is data.

        With `stash`, nodes save copies, so that later writes are never refused: what torch would give had nothing changed.
        """
        execution = SCHEDULES[schedule](self)
        if not stash:
            return execution.run(program)
        with self.engine.stashing():
            return execution.run(program)


class _Wide(Execution):
    """The same run, looking at every facet at the end as well."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.shows = executor.shows
        self.versions: dict[int, int] = {}

    def made(self, slot: int, tensor: Any) -> None:
        super().made(slot, tensor)
        if "version" in self.facets and slot not in self.versions:
            self.changed(slot, tensor)

    def at_end(self, failed: bool) -> None:
        super().at_end(failed)
        if not failed:
            self.look_at_all()
            self.look_at_relations()

    def look_at_all(self) -> None:
        """Every facet of every slot."""
        place, sights = self.place, self.sights
        for slot, tensor in self.slots.items():
            for facet, show in self.shows:
                try:
                    sights.append((place, slot, facet, show(tensor)))
                except Exception as error:
                    sights.append((place, slot, facet, self.untold(error)))
            if self.sees_grad:
                self.look_at_gradients([(slot, tensor)])
            if "version" in self.facets:
                sights.append((place, slot, "version", self.changed(slot, tensor)))

    def changed(self, slot: int, tensor: Any) -> Any:
        """Of the version only whether it changed since the last look."""
        try:
            version = self.engine.version_of(tensor)
        except Exception as error:
            return self.untold(error)
        before = self.versions.get(slot, version)
        self.versions[slot] = version
        return version != before

    def look_at_relations(self) -> None:
        """Who shares memory with whom, and who is whose base or gradient."""
        slots, place, engine = self.slots, self.place, self.engine
        named = {id(tensor): slot for slot, tensor in slots.items()}
        if "base" in self.facets:
            for slot, tensor in slots.items():
                if slot not in self.gradients_held:
                    base = engine.base(tensor)
                    self.sights.append((place, slot, "base", named.get(id(base))))
        if "memory" not in self.facets:
            return
        at: dict[int, int | str] = {}
        for slot, tensor in slots.items():
            if 0 not in engine.shape(tensor):
                memory = at.setdefault(engine.address(tensor), slot)
                self.sights.append((place, slot, "grad_memory" if slot in self.gradients_held else "memory", memory))
        for slot, tensor in slots.items():
            try:
                gradient = engine.gradient(tensor) if self.sees_grad and self.may_have_gradient(slot) else None
            except Unsupported:
                raise
            except Exception:  # which was seen with the other facets
                continue
            if gradient is None or self.shown(gradient) is None:
                continue
            self.sights.append((place, slot, "grad_is", named.get(id(gradient))))
            if slot not in self.gradients_held and 0 not in engine.shape(gradient):
                memory = at.setdefault(engine.address(gradient), f"the gradient of {slot}")
                self.sights.append((place, slot, "grad_memory", memory))


class _Thorough(_Wide):
    """The same run, looking at everything after every step."""

    def made(self, slot: int, tensor: Any) -> None:
        self.slots[slot] = tensor

    def accumulated(self) -> None:
        """Nothing: `after_step` sees it all."""

    def zeroed(self, slot: int, tensor: Any) -> None:
        """Nothing: `after_step` sees it all."""

    def after_step(self) -> None:
        self.look_at_all()
        self.look_at_relations()
        if self.dropped:
            if any(reference() is not None for reference in self.dropped.values()):
                gc.collect()  # an engine may hold its graph by cycles; torch does not
            self.look_for_dropped()

    def at_end(self, failed: bool) -> None:
        """After a refusal the values, which it must not have changed; else nothing, as all was seen after the last step."""
        if failed and "value" in self.facets:
            self.sights += [(self.place, slot, "value", self.engine.value(tensor)) for slot, tensor in self.slots.items()]


class _Parted(_Wide):
    """The same run, segment by segment."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.inside = False  # whether a segment is under way, or was when the engine refused

    def run(self, program: Program) -> Observation:
        return super().run(parted(program))

    def made(self, slot: int, tensor: Any) -> None:
        if self.inside:
            self.slots[slot] = tensor  # it is looked at where the segment ends
        else:
            super().made(slot, tensor)

    def segment(self, segment: Segment) -> None:
        """All steps of a segment: by the engine, as one function, or one after the other."""
        lacking = next((op for op in segment.ops if op not in self.calls), None)
        if lacking is not None:
            raise Unsupported(f"{self.engine.name} has no {lacking}")
        self.inside = True
        if self.engine.has("segment"):
            given = [self.slots[slot] for slot in segment.outside]
            self.slots.update(zip(segment.filled, self.engine.segment(segment, given), strict=True))
        else:
            for step in segment.steps:
                HANDLERS[type(step)](self, step)
        self.inside = False
        for slot in (*segment.filled, *(slot for slot in segment.written if slot not in segment.filled)):
            self.made(slot, self.slots[slot])

    def at_end(self, failed: bool) -> None:
        if not self.inside:  # what a function leaves behind that was refused, nobody promises
            super().at_end(failed)


HANDLERS |= {Segment: _Parted.segment, Pending: lambda run, step: None}
SCHEDULES: dict[str, type[Execution]] = {"quick": Execution, "wide": _Wide, "thorough": _Thorough, "parted": _Parted}
