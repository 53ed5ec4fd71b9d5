"""The proof in words: what the op saved, what changed it, what was expected and what came."""

from __future__ import annotations

import re
from typing import Any

from conformance.contrast import contrast, words
from conformance.features import BITS
from conformance.judge import Case
from conformance.program import Enter, Exit
from conformance.proof import UNSEEN, Story, calls_in_words, seen, why, why_not_refused, why_refused
from conformance.record import StepRow
from conformance.script import Script, variable


def explain(case: Case) -> str:
    """Why the difference breaks the rule, in a few sentences for someone who does not know our suite."""
    story = Story(case)
    told = _ERRORS[case.difference.kind](story) if case.difference.kind in _ERRORS else _state(story)
    return re.sub(r"(^|\. )the ", r"\1The ", " ".join(part for part in (told, *_remarks(case)) if part))


def _missed(story: Story) -> str:
    """A refusal that did not come: its cause, told by the program or else by torch."""
    cause = why_refused(story)
    law = "must be refused" if cause else f"must be refused ({_first_line(story.difference.expected)})"
    return f"{cause} {story.code(story.step)} {law}, but ran without an error.".strip()


def _spurious(story: Story) -> str:
    """A refusal of what is right."""
    said = _first_line(story.difference.observed)
    return f"{story.code(story.step)} must run, but was refused: {said}. {why_not_refused(story)}".strip()


def _otherwise(story: Story) -> str:
    """A refusal for another reason."""
    d, cause = story.difference, why_refused(story)
    law = "for that reason" if cause else f"because {_first_line(d.expected)}"
    return (
        f"{cause} {story.code(story.step)} must be refused {law}; the engine refused because {_first_line(d.observed)}.".strip()
    )


def _death(story: Story) -> str:
    """An end of the engine's process."""
    d = story.difference
    return (
        f"The program must come to an end, but the engine's process {_DEATHS[d.facet]}: {str(d.observed).rstrip('.')}. "
        f"In which step, nobody saw; the last is {story.code(d.step)}."
    )


_ERRORS = {"missed error": _missed, "spurious error": _spurious, "wrong error": _otherwise, "death": _death}
_DEATHS = {
    "crash": "crashed", "timeout": "did not come to an end", "memory": "took too much memory",
    "protocol": "answered what cannot be understood",
}  # fmt: skip


def _state(story: Story) -> str:
    """A wrong value or state: what must be, what is, and why."""
    d = story.difference
    name = variable(d.slot) if d.slot >= 0 else ""
    after = f"After {story.code(story.step)}," if d.facet not in _CALLS else f"In {story.code(story.step)},"
    facet = "memory" if d.facet == "grad_memory" and story.is_gradient(d.slot) else d.facet
    what = _STATES.get(facet, f"{{}}.{d.facet} must be").format(name)
    if d.facet in _CALLS:
        expected, observed = calls_in_words(d.facet, d.expected, d.observed)
        sentence = f"{after} {what} {expected}, but {_CALLS[d.facet]} {observed}."
    elif d.facet in _PLACES:
        sentence = f"{after} {what} {_place(d.expected, d)}, but {_PLACES[d.facet]} {_place(d.observed, d)}."
    elif d.facet in _TRUTHS and isinstance(d.expected, bool) and isinstance(d.observed, bool):
        must, is_ = _TRUTHS[d.facet]
        sentence = f"{after} {name} must {must[d.expected]}, but {is_[d.observed]}."
    else:
        expected, observed = contrast(d.expected, d.observed)
        sentence = f"{after} {what} {expected}, but is {observed}."
    return f"{sentence} {why(story)}".strip()


# Facet -> what must be; {} is the variable of the slot.
_STATES = {
    "grad": "{}.grad must be", "value": "{} must be", "exported": "the array made of {} must be",
    "memory": "{} must lie in", "grad_memory": "the gradient of {} must lie in", "grad_is": "{}.grad must be",
    "base": "the base of {} must be", "called": "the hook {} must see", "order": "the hooks called on {} must be",
    "sequence": "the hooks called must be", "packed": "what is saved must be",
}  # fmt: skip
_CALLS = {"called": "sees", "order": "are", "sequence": "are", "packed": "is"}
_PLACES = {"memory": "lies in", "grad_memory": "lies in", "grad_is": "is", "base": "is"}

# Facet -> what must be, and what is; each where it does not hold, and where it does.
_TRUTHS = {
    "alive": (("be gone", "live on"), ("it is gone", "something holds it still")),
    "version": (("keep its version", "have a new version"), ("its version is the old one", "its version has changed")),
    "grad_fn": (("have no grad_fn", "have a grad_fn"), ("it has none", "it has one")),
}


def _place(content: Any, d: Any) -> str:
    """Whose memory it is, or which variable, by name."""
    if d.facet in ("memory", "grad_memory"):
        if content == d.slot or content == f"the gradient of {d.slot}":
            return "memory of its own"
        return f"the memory of {_named(content)}"
    return "no variable of the program" if content is None else _named(content)


def _named(content: Any) -> str:
    """A slot, or the gradient of one, by the variable's name."""
    if isinstance(content, int):
        return variable(content)
    said = str(content).rsplit(" ", 1)
    return f"{said[0]} {variable(int(said[1]))}" if said[-1].isdigit() else str(content)


def _remarks(case: Case) -> list[str]:
    """What is to be said of the verdict."""
    remarks = []
    if case.safe:
        what = "changed" if case.difference.category == "version" else "freed"
        remarks.append(
            f"The engine answered with the gradient that would be right had nothing been {what}: this is safe, not wrong."
        )
    if case.features & BITS.NOT_REPEATED:
        remarks.append(
            "It was seen once: the same program, run again, gave what is right. Something that ran before has left a trace, "
            "or chance plays a part."
        )
    elif case.rule.obligation == "MAY":
        remarks.append("Torch promises nothing here: an engine may decide otherwise, and this only tells how it does.")
    return remarks


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
        expected, observed = _side_by_side(case, place, slot, facet)
        result.append(StepRow(code=code, expected=expected, observed=observed, differs=case.difference.step == place))
    return result


def _side_by_side(case: Case, place: int, slot: int | None, facet: str) -> tuple[str, str]:
    """What both sides showed after a step, so that a difference can be seen."""
    plain = [_ending(side, place, facet) for side in (case.expected, case.observed)]
    if None not in plain or slot is None:
        return tuple(text or "" for text in plain)  # type: ignore[return-value]
    contents = [seen(side, place, slot, facet) for side in (case.expected, case.observed)]
    told = [words(content) for content in contents] if UNSEEN in contents else contrast(*contents)
    left = _LEFT.get(facet, "{name}.{facet} = ").format(name=variable(slot), facet=facet)
    shown = [(text, "" if c is UNSEEN else left + w) for text, c, w in zip(plain, contents, told, strict=True)]
    return tuple(found if text is None else text for text, found in shown)  # type: ignore[return-value]


_LEFT = {"value": "{name} = ", "version": "{name} has a new version: ", "alive": "{name} is alive: "}


def _ending(observation: Any, place: int, facet: str) -> str | None:
    """How one side ended in a step or before it; None where it did not."""
    refusal = observation.refusal
    if refusal is not None and refusal.step <= place:
        return f"refused: {_first_line(refusal.message)}" if refusal.step == place else ""
    if facet == "error" or facet in _DEATHS:
        return "no error" if observation.death is None else str(observation.death.message)
    return None


def _first_line(message: Any) -> str:
    """The first sentence of an error message."""
    text = str(message).strip().split("\n")[0]
    kind, colon, rest = text.partition(": ")
    text = rest if colon and kind.endswith("Error") else text
    return text.split(". ")[0].rstrip(".")[:200]
