"""The proof in words: what the op saved, what changed it, what was expected and what came."""

from __future__ import annotations

from typing import Any

from conformance.compare import Difference
from conformance.graph import history, overtaken
from conformance.judge import Case
from conformance.program import AnyStep, Apply, Backward, Enter, Exit, Grad, Mutate, Program
from conformance.record import StepRow
from conformance.script import Script, variable


def explain(case: Case) -> str:
    """Why the difference breaks the rule, in a few sentences for someone who does not know our suite."""
    difference = case.difference
    parts = [_sentence(case.program, difference), _opening(case, difference)]
    if case.safe:
        parts.append(
            "The engine answered with the gradient that would be right had nothing been changed or freed: "
            "this is safe, not wrong."
        )
    return " ".join(part for part in parts if part)


def _sentence(program: Program, d: Difference) -> str:
    """What happened, by kind."""
    name = variable(d.slot) if d.slot >= 0 else ""
    step = _name_of_step(program.steps[d.step]) if d.step < len(program.steps) else "the end"
    if d.kind == "death":
        return f"The program must come to an end, but the engine's process {_DEATHS[d.facet]}: {d.observed}."
    if d.kind == "missed error":
        return f"{_cause(program, d)}{step} must be refused ({_first_line(d.expected)}), but ran without an error."
    if d.kind == "spurious error":
        return f"{step} must run, but was refused: {_first_line(d.observed)}."
    if d.kind == "wrong error":
        return f"{step} must be refused because {_first_line(d.expected)}; the engine refused because {_first_line(d.observed)}."
    if d.facet in _OF_CALLS:
        return f"In {step}, {_OF_CALLS[d.facet].format(name)} must be {_words(d.expected)}, but came {_words(d.observed)}."
    if d.facet in _OF_SLOTS:
        expected, observed = (_place(content) for content in (d.expected, d.observed))
        return f"After {step}, {_OF_SLOTS[d.facet].format(name)} must be {expected}, but is {observed}."
    what = {
        "grad": f"{name}.grad", "value": f"the value of {name}", "alive": f"whether {name} is still held after it was dropped",
        "version": f"whether this step changed the version of {name}", "grad_fn": f"whether {name} has a grad_fn",
    }.get(d.facet, f"{name}.{d.facet}")  # fmt: skip
    return f"After {step}, {what} must be {_words(d.expected)}, but is {_words(d.observed)}."


_DEATHS = {
    "crash": "crashed", "timeout": "hung", "memory": "took too much memory", "protocol": "answered what cannot be understood",
}  # fmt: skip

# What was seen of callbacks and of several tensors together, in words; {} is the variable of the slot.
_OF_CALLS = {
    "called": "the gradients that the hook {} sees, call by call,",
    "order": "the hooks of {} that are called, each with whether operations are recorded meanwhile,",
    "sequence": "the hooks of results, in the order of their calls,",
    "packed": "the tensors that are saved",
    "exported": "the array made of {}",
}
_OF_SLOTS = {
    "memory": "the owner of the memory that {} lies in",
    "grad_memory": "the owner of the memory that the gradient of {} lies in",
    "grad_is": "the variable that is the gradient of {}",
    "base": "the base of {}",
}


def _place(content: Any) -> str:
    """A slot, or the gradient of one, by the variable's name."""
    if isinstance(content, int):
        return variable(content)
    words = str(content).rsplit(" ", 1)
    return f"{words[0]} {variable(int(words[1]))}" if words[-1].isdigit() else str(content)


def _opening(case: Case, d: Difference) -> str:
    """For a gradient: how it came about."""
    if d.kind not in ("wrong value", "wrong state") or d.facet not in ("grad", "value"):
        return ""
    ops = [s.op for s in case.program.steps if isinstance(s, (Apply, Mutate))]
    return f"The program differentiates {' after '.join(reversed(ops))}." if ops and _differentiates(case.program) else ""


def _differentiates(program: Program) -> bool:
    return any(isinstance(s, (Backward, Grad)) for s in program.steps)


def _cause(program: Program, d: Difference) -> str:
    """For a missed version error: who saved what, and who changed it."""
    if d.category != "version":
        return ""
    for save, write in overtaken(*history(program, d.step)):
        return (
            f"{save.name} was saved by {save.op} (its {save.role}) at version {save.version}; "
            f"{write.op} on {write.name} made it version {write.version + 1}. "
        )
    return ""


def rows(case: Case, script: Script) -> list[StepRow]:
    """The reduced program as a table: code, what was expected after each step, what came; the first difference marked."""
    result = []
    depth = 0
    for place, step in enumerate(case.program.steps):
        depth -= isinstance(step, Exit)
        code = "# end of region" if isinstance(step, Exit) else "\n".join("    " * depth + line for line in script.step(step))
        depth += isinstance(step, Enter)
        slot = case.difference.slot if case.difference.step == place else (step.makes() or (None,))[0]
        facet = case.difference.facet if case.difference.step == place else "value"
        expected = _seen(case.expected, place, slot, facet)
        observed = _seen(case.observed, place, slot, facet)
        result.append(StepRow(code=code, expected=expected, observed=observed, differs=case.difference.step == place))
    return result


def _seen(observation: Any, place: int, slot: int | None, facet: str) -> str:
    """What one side showed after a step."""
    refusal = observation.refusal
    if refusal is not None and refusal.step <= place:
        return f"refused: {_first_line(refusal.message)}" if refusal.step == place else ""
    if facet == "error" or facet in _DEATHS:
        return "no error" if observation.death is None else observation.death.message
    if slot is None:
        return ""
    content = next((seen[3] for seen in observation.sights if seen[:3] == (place, slot, facet)), _NOTHING)
    return "" if content is _NOTHING else f"{variable(slot)}{'.' + facet if facet != 'value' else ''} = {_words(content)}"


_NOTHING = object()


def _name_of_step(step: AnyStep) -> str:
    """A step in a sentence."""
    if isinstance(step, (Apply, Mutate)):
        return step.op
    return str(step.__struct_config__.tag)


def _words(content: Any) -> str:
    """Data in a sentence."""
    if isinstance(content, float):
        return f"{content:.9g}"
    if isinstance(content, (list, tuple)):
        text = "[" + ", ".join(_words(c) for c in content) + "]"
        return text if len(text) <= 200 else text[:197] + "..."
    return str(content)


def _first_line(message: Any) -> str:
    """The first sentence of an error message."""
    text = str(message).strip().split("\n")[0]
    kind, colon, rest = text.partition(": ")
    text = rest if colon and kind.endswith("Error") else text
    return text.split(". ")[0].rstrip(".")[:200]
