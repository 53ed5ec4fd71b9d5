"""Observation x Observation -> differences. Knows no rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from conformance.engine import Category
from conformance.observe import FLAGS, UNTOLD, Observation, Refusal

Kind = Literal["wrong value", "wrong state", "missed error", "spurious error", "wrong error", "death"]
Agreement = Callable[[Any, Any], bool]

RELATIONS = ("memory", "grad_memory", "grad_is", "base")
NUMBERS = ("value", "grad", "called", "packed", "exported")


class Difference(NamedTuple):
    """After `step`, this facet of `slot` was to be `expected` and was `observed`.

    For errors `facet` is "error", `slot` is -1, and `category` is that of the refusal expected, or of the spurious one. For a
    death `facet` is crash, timeout, memory or protocol, and `step` the last.
    """

    kind: Kind
    step: int
    slot: int
    facet: str
    expected: Any
    observed: Any
    category: str = ""


def same(expected: Observation, observed: Observation) -> bool:
    """Whether two observations agree to the bit: the fast way out, taken by nearly all programs."""
    if expected.sights != observed.sights or observed.death is not None:
        return False
    a, b = expected.refusal, observed.refusal
    return a is b or (a is not None and b is not None and a.step == b.step and _categories_agree(a, b))


def compare(expected: Observation, observed: Observation, agree: Agreement) -> tuple[Difference, ...]:
    """All differences in the order of steps; `agree` decides on numbers.

    After a refusal that only one side gave, nothing more is compared; after one that both gave, gradients are unspecified.
    """
    if expected.unsupported is not None or observed.unsupported is not None:
        return ()
    if observed.death is not None:
        what, message, step = observed.death
        return (Difference("death", step, -1, what, "an end", message),)
    if same(expected, observed):
        return ()
    error = _error_difference(expected.refusal, observed.refusal)
    end = min((r.step for r in (expected.refusal, observed.refusal) if r is not None), default=None)
    seen = {(step, slot, facet): content for step, slot, facet, content in observed.sights}
    differences = []
    for step, slot, facet, content in expected.sights:
        if end is not None and step >= end and (error is not None or facet == "grad" or _is_late(expected.refusal)):
            continue
        other = seen.get((step, slot, facet), _ABSENT)
        if other is _ABSENT:
            if content is not None:
                differences.append(Difference("wrong state", step, slot, facet, content, "nothing"))
        elif content != other and not _is_untold(content, other) and not _agree(facet, content, other, agree):
            if facet == "flags":
                facet, content, other = next(t for t in zip(FLAGS, content, other, strict=True) if t[1] != t[2])
            differences.append(Difference(_kind(facet, content, other), step, slot, facet, content, other))
    known = {sight[:3] for sight in expected.sights}
    for step, slot, facet, content in observed.sights:
        if facet in ("flags", *FLAGS):
            continue  # a tensor where there is to be none is told by its value
        if (step, slot, facet) not in known and content is not None and not (end is not None and step >= end):
            differences.append(Difference("wrong state", step, slot, facet, None, content))
    if error is not None:
        differences.append(error)
    # What the program itself can see comes before who shares memory with whom, and of one step the refusal.
    return tuple(sorted(differences, key=lambda d: (d.facet in RELATIONS, d.step, d.facet != "error")))


_ABSENT = object()
NO_VERSION = UNTOLD + Category.INFERENCE.value  # which tensors are without a version is an accident of where they were made


# Refusals that come after the deed: torch writes into a tensor of inference mode, and lets a hook write, and then says that it
# may not be.
LATE = (Category.INFERENCE.value, Category.HOOK.value)


def _is_late(refusal: Refusal | None) -> bool:
    """Whether values are unspecified after this refusal of the oracle's."""
    return refusal is not None and refusal.category in LATE


def _is_untold(expected: Any, observed: Any) -> bool:
    """Whether there is nothing to compare: the oracle refuses to tell, or the engine does of a version."""
    return (isinstance(expected, str) and expected.startswith(UNTOLD)) or observed == NO_VERSION


def _agree(facet: str, expected: Any, observed: Any, agree: Agreement) -> bool:
    """Numbers agree within tolerance, everything else to the letter."""
    if facet not in NUMBERS or not _is_number(expected) or not _is_number(observed):
        return False
    return agree(expected, observed)


def _kind(facet: str, expected: Any, observed: Any) -> Kind:
    """A number that is wrong, or a state: a flag, a shape, a gradient that is there or not."""
    return "wrong value" if facet in NUMBERS and _is_number(expected) and _is_number(observed) else "wrong state"


def _is_number(content: Any) -> bool:
    """Numbers, or nested lists of them: not None, nor the text of a refusal to tell."""
    return content is not None and not isinstance(content, str)


def _categories_agree(a: Refusal, b: Refusal) -> bool:
    """Categories are compared only where both are known."""
    return a.category == b.category or Category.OTHER.value in (a.category, b.category)


def _error_difference(expected: Refusal | None, observed: Refusal | None) -> Difference | None:
    """How two endings differ."""
    if expected is not None and (observed is None or observed.step > expected.step):
        return Difference("missed error", expected.step, -1, "error", expected.message, "no error", expected.category)
    if observed is not None and (expected is None or expected.step > observed.step):
        return Difference("spurious error", observed.step, -1, "error", "no error", observed.message, observed.category)
    if expected is not None and observed is not None and not _categories_agree(expected, observed):
        return Difference("wrong error", expected.step, -1, "error", expected.message, observed.message, expected.category)
    return None
