"""Program x Engine -> Observation.

Three schedules of looking. The quick one looks at flags when a tensor is made, at gradients where a later step may hide what a
backward did to them, and at values and all gradients at the end: it is run on millions of programs. The wide one looks at every
facet at the end as well: every few programs are run so. The thorough one looks at every facet of every live slot after every
step: it is run on programs that showed a difference, so that the first step that went wrong can be named.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any, Literal

from conformance.engine import Engine, Unsupported
from conformance.execution import Execution
from conformance.observe import FACETS, FLAGS, Observation, facets_of, look
from conformance.program import Program

Schedule = Literal["quick", "wide", "thorough"]


class Executor:
    """Runs programs on one engine, looking at the facets that all engines of a comparison show."""

    def __init__(self, engine: Engine, facets: frozenset[str] | None = None) -> None:
        self.engine = engine
        self.facets = facets_of(engine) if facets is None else facets
        self.calls: Mapping[str, Callable[..., Any]] = engine.calls()
        seen = [f for f in FLAGS if f in self.facets]
        self.flags = engine.flags if len(seen) == len(FLAGS) else getattr(engine, FACETS[seen[0]]) if seen else None
        self.flags_facet = "flags" if len(seen) == len(FLAGS) else seen[0] if seen else ""

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
        self.versions: dict[int, int] = {}

    def made(self, slot: int, tensor: Any) -> None:
        super().made(slot, tensor)
        if "version" in self.facets and slot not in self.versions:
            self.content(slot, "version", tensor)

    def at_end(self, failed: bool) -> None:
        super().at_end(failed)
        if not failed:
            self.look_at_all()
            self.look_at_relations()

    def look_at_all(self) -> None:
        """Every facet of every slot."""
        for slot, tensor in self.slots.items():
            for facet in FACETS:
                if facet in self.facets:
                    self.sights.append((self.place, slot, facet, self.content(slot, facet, tensor)))

    def content(self, slot: int, facet: str, tensor: Any) -> Any:
        """A facet's content; of the version only whether it changed since the last look."""
        try:
            content = look(self.engine, facet, tensor)
        except Exception as error:
            return self.untold(error)
        if facet != "version":
            return content
        before = self.versions.get(slot, content)
        self.versions[slot] = content
        return content != before

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
                gradient = engine.gradient(tensor) if self.sees_grad else None
            except Unsupported:
                raise
            except Exception:  # which was seen with the other facets
                continue
            if gradient is None:
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
        if not failed:
            self.look_at_relations()
        elif "value" in self.facets:
            self.sights += [(self.place, slot, "value", self.engine.value(tensor)) for slot, tensor in self.slots.items()]


SCHEDULES: dict[str, type[Execution]] = {"quick": Execution, "wide": _Wide, "thorough": _Thorough}
