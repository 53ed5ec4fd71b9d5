"""What can be seen of a running program, as plain data."""

from __future__ import annotations

from typing import Any, NamedTuple

from conformance.engine import Category, Engine

# One thing seen: after this step, this facet of this slot had this content. A plain tuple, since millions of them are made.
Sight = tuple[int, int, str, Any]


class Refusal(NamedTuple):
    """The engine raised in this step."""

    step: int
    category: str
    message: str


class Death(NamedTuple):
    """The engine's process did not come to the end of the program: crash, timeout, memory or protocol, and how.

    Where in the program, nobody knows: `step` is its last.
    """

    what: str
    message: str
    step: int


class Observation(NamedTuple):
    """All that was seen while a program ran, in order, and how it ended.

    `refusal` ended the program early; `unsupported` says what the engine lacks, and then nothing is judged; `death` is the end of
    an engine in a process of its own, which took with it what was seen.
    """

    sights: list[Sight]
    refusal: Refusal | None = None
    unsupported: str | None = None
    death: Death | None = None


UNTOLD = "refused: "  # how the content begins that an engine refuses to tell; its category follows

# Facet -> the method of Engine that shows it. What an engine does not show is not looked at on the oracle either.
FACETS: dict[str, str] = {
    "value": "value",
    "shape": "shape",
    "dtype": "dtype",
    "requires_grad": "requires_grad",
    "is_leaf": "is_leaf",
    "grad_fn": "has_grad_fn",
    "grad": "gradient",
    "version": "version_of",
}

FLAGS = ("requires_grad", "is_leaf")  # facets that a quick look takes in together, as `flags`

# What is seen of several tensors together, by slot: which memory a tensor and its gradient lie in, named by the first that lies
# there; which slot holds the very tensor that is its gradient, and which the one that it is a view of.
RELATIONS: dict[str, str] = {"memory": "address", "base": "base"}


# Whether gradients are looked at of tensors that should have none, and whether one that is absent is told from zeros.
PROMISED: dict[str, str] = {"grad_of_all": "leaf-gradients", "grad_absent": "absent-gradients"}


def facets_of(engine: Engine) -> frozenset[str]:
    """What the engine lets us see; `alive` where weak references to its tensors mean something."""
    shown = {facet for facet, method in (FACETS | RELATIONS).items() if engine.has(method)}
    if "liveness" in engine.traits:
        shown.add("alive")
    if engine.has("recording"):
        shown.add("recording")
    shown |= {facet for facet, trait in PROMISED.items() if trait in engine.traits}
    return frozenset(shown)


def refused(engine: Engine, step: int, error: BaseException) -> Refusal:
    """An exception of the engine as data."""
    try:
        category = Category(engine.categorize(error)).value
    except ValueError:
        category = Category.OTHER.value
    return Refusal(step, category, f"{type(error).__name__}: {error}"[:500])
