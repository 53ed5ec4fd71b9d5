"""Programs as code that hands functions to a compiler, and the text of such a function."""

from __future__ import annotations

from itertools import count
from typing import Any, ClassVar

from conformance.catalog import CATALOG
from conformance.program import Apply, Mutate, Program, rename
from conformance.script import Script, variable
from conformance.segments import Pending, Segment, parted

_WRITER = Script(Program(()))


def function_of(segment: Segment) -> str:
    """The segment as a function `segment`, with variables in the order of use: the same structure, the same text."""
    steps = segment.steps
    numbers = count()
    names = {slot: next(numbers) for slot in (*segment.outside, *segment.filled)}
    renamed = Segment(
        tuple(rename(step, names) for step in steps),  # type: ignore[misc]
        tuple(names[s] for s in segment.outside), tuple(names[s] for s in segment.filled),
    )  # fmt: skip
    return "\n".join(lines_of(renamed, "segment"))


def lines_of(segment: Segment, name: str, script: Script = _WRITER) -> list[str]:
    """The lines of the segment's function."""
    lines = [f"def {name}({', '.join(map(variable, segment.outside))}):"]
    lines += ["    " + line for step in segment.steps for line in script.step(step)]
    return [*lines, f"    return {_results(segment)}"]


def _results(segment: Segment) -> str:
    """The results, as a tuple."""
    names = ", ".join(map(variable, segment.filled))
    return f"({names},)" if len(segment.filled) == 1 else f"({names})"


class CompiledScript(Script):
    """Torch's code with a function for each segment. `rewrite` is the code that makes another function of the one named."""

    rewrite: ClassVar[str] = "{}"

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.whole = program
        self.program = parted(program)

    def setups(self) -> Any:
        used = dict.fromkeys(s.op for s in self.whole.steps if isinstance(s, (Apply, Mutate)))
        return iter(dict.fromkeys(CATALOG[op].setup for op in used if CATALOG[op].setup))

    def step(self, step: Any) -> list[str]:
        if isinstance(step, Pending):
            return []
        if not isinstance(step, Segment):
            return super().step(step)
        name = f"function_{variable((step.filled or step.outside)[0])}"
        call = f"{self.rewrite.format(name)}({', '.join(map(variable, step.outside))})"
        results = ", ".join(map(variable, step.filled))
        results += "," if len(step.filled) == 1 else ""
        return [*lines_of(step, name, self), f"{results} = {call}" if results else call]
