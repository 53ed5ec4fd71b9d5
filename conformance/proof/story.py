"""What a proof is told from: the program before and after the step that went wrong, what was seen there, and names for it all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from conformance.graph import Trace, behind
from conformance.judge import Case
from conformance.program import AnyStep, Backward, Enter, Exit, Grad, ReadGrad, SetGradMode
from conformance.script import Script, variable
from conformance.slots import Slot

UNSEEN = object()
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


class Story:
    """A case to be told. `step` is the number of the step that went wrong; that of the end is one more than the last."""

    def __init__(self, case: Case) -> None:
        self.case, self.program, self.difference = case, case.program, case.difference
        self.step = case.difference.step
        self.slot = case.difference.slot
        self.script = Script(case.program)

    @cached_property
    def before(self) -> Trace:
        """The program up to the step."""
        return Trace.of(self.program, self.step)

    @cached_property
    def after(self) -> Trace:
        """The program with the step, as far as it can be told: torch may have refused it."""
        return Trace.of(self.program, self.step + 1)

    def taken(self, kind: type | tuple[type, ...]) -> list[tuple[int, Any]]:
        """The steps of a kind, with the one that went wrong, and their numbers."""
        return [(place, s) for place, s in enumerate(self.program.steps[: self.step + 1]) if isinstance(s, kind)]

    @property
    def doing(self) -> AnyStep | None:
        """The step that went wrong; None at the end."""
        return self.program.steps[self.step] if self.step < len(self.program.steps) else None

    # -- names -----------------------------------------------------------------------------------------------------------

    def code(self, place: int) -> str:
        """A step as a person writes it, without numbers: `c = torch.mul(a, b)`, `c.backward(...)`."""
        if place >= len(self.program.steps):
            return "the last step"
        step = self.program.steps[place]
        if isinstance(step, Exit):
            opening = self.opening(place)
            return f"the end of {self.code(opening)}" if opening is not None else "the end of the region"
        if isinstance(step, Enter) and step.mode == "thread":
            return "the start of a thread"
        code = self.codes[place]
        same = [p for p, other in self.codes.items() if other == code]
        return f"the {ORDINALS[same.index(place)]} {code}" if 1 < len(same) <= len(ORDINALS) else code

    @cached_property
    def codes(self) -> dict[int, str]:
        """The short code of each step that has code of its own."""
        steps = enumerate(self.program.steps)
        return {place: short("; ".join(self.script.step(step))) for place, step in steps if not isinstance(step, Exit)}

    def opening(self, place: int) -> int | None:
        """The step that opened the region that ends here."""
        depth = 0
        for before in range(place, -1, -1):
            step = self.program.steps[before]
            depth += isinstance(step, Exit) - isinstance(step, Enter)
            if depth == 0:
                return before
        return None

    def maker(self, slot: int) -> int | None:
        """The step that filled the slot."""
        return next((place for place, s in enumerate(self.program.steps) if slot in s.makes()), None)

    def made(self, slot: int) -> str:
        """How the slot was filled."""
        place = self.maker(slot)
        return self.code(place) if place is not None else variable(slot)

    def is_gradient(self, slot: int) -> bool:
        """Whether the variable is a gradient, returned or read."""
        place = self.maker(slot)
        return place is not None and isinstance(self.program.steps[place], (Grad, ReadGrad))

    # -- what was seen -------------------------------------------------------------------------------------------------

    def expected(self, place: int, slot: int, facet: str) -> Any:
        """What torch showed after a step; UNSEEN where nobody looked."""
        return seen(self.case.expected, place, slot, facet)

    # -- what is so ------------------------------------------------------------------------------------------------------

    def unrecorded_by(self) -> str:
        """What keeps the step from being recorded; empty where nothing does."""
        return self._mode[1]

    def recorded_by(self) -> str:
        """What has the step recorded again, inside of what would not; empty where nothing had to."""
        return self._mode[0]

    @cached_property
    def _mode(self) -> tuple[str, str]:
        """What has the step recorded, and what keeps it from being recorded, in words."""
        modes = [("", "")]
        for place, step in enumerate(self.program.steps[: self.step]):
            if isinstance(step, Exit):
                modes.pop()
            elif isinstance(step, Enter):
                inside = f"inside {self.code(place)}"
                hindered = ("", inside)
                freed = ("in a thread of its own" if step.mode == "thread" else inside, "")
                modes.append({"no_grad": hindered, "inference_mode": hindered, "thread": freed, "enable_grad": freed}.get(
                    step.mode, modes[-1]
                ))  # fmt: skip
            elif isinstance(step, SetGradMode):
                after = f"after {self.code(place)}"
                modes[-1] = (after, "") if step.value else ("", after)
        return modes[-1]

    def shared(self, a: int, b: int) -> str:
        """How two tensors came to share memory; empty where they do not."""
        slots = self.after.scope.slots
        if a not in slots or b not in slots or slots[a].storage is not slots[b].storage:
            return ""
        chain: set[int] = set()
        for name in (a, b):
            slot: Slot | None = slots[name]
            while slot is not None and slot.parent is not None:
                chain.add(slot.name)
                slot = slot.parent
        made = [self.made(name) for name in sorted(chain)]
        return f"{variable(a)} and {variable(b)} share memory ({listed(made)})" if made else ""

    def walks(self, slot: int) -> list[int]:
        """The backward steps, this one with them, that gradients reach the slot from."""
        return [
            place for place, step in self.taken(Backward)
            if (step.inputs is None or slot in step.inputs) and self.ways(slot, place)[0]
        ]  # fmt: skip

    def ways(self, slot: int, walk: int) -> tuple[int, list[int]]:
        """How many ways lead from the slot to a step that differentiates, and the nodes of the shortest."""
        trace, name = self.after, variable(slot)
        inside = behind(trace, walk)
        known: dict[int, tuple[int, list[int]]] = {}
        for place in sorted(inside):
            node = trace.nodes[place]
            starts = name in node.variables and node.kind != "walk"
            count, best = (1, [place]) if starts else (0, [])
            for edge in trace.edges:
                if edge.target != place or edge.kind not in ("gradient", "walk") or edge.source not in known or starts:
                    continue
                more, way = known[edge.source]
                count += more
                if more and (not best or len(way) + 1 < len(best)):
                    best = [*way, place]
            known[place] = count, best
        return known.get(walk, (0, []))


def seen(observation: Any, place: int, slot: int, facet: str) -> Any:
    """What one side showed; UNSEEN where nothing was seen."""
    return next((sight[3] for sight in observation.sights if sight[:3] == (place, slot, facet)), UNSEEN)


def short(code: str) -> str:
    """Code without literal tensors and without what callbacks do."""
    code = re.sub(r"torch\.(?:tensor|zeros)\((?:[^()]|\([^()]*\))*\)", "...", code)
    code = re.sub(r"(_hook|prehook|saved_tensors_hooks)\(.*\)", r"\1(...)", code)
    code = re.sub(r"(= )\.\.\.$", r"\1torch.tensor(...)", code)
    return code.removesuffix(":").removeprefix("with ")


def names(slots: Iterable[int]) -> list[str]:
    """Variables, each once."""
    return list(dict.fromkeys(map(variable, slots)))


def listed(words: Sequence[str], last: str = "and") -> str:
    """a, b and c."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def verb(of: Sequence[str], one: str, many: str) -> str:
    """The verb for as many."""
    return one if len(of) == 1 else many


def keeps(step: Backward | Grad) -> bool:
    """Whether the graph can be walked again after the step."""
    return step.create_graph if step.retain_graph is None else step.retain_graph
