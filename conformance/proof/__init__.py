"""What the program itself tells of a difference: who saved, wrote, freed, recorded or held what, and so why torch is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conformance.proof import flags, gradients, hooks, memory
from conformance.proof.hooks import calls_in_words
from conformance.proof.refusals import why_not_refused, why_refused
from conformance.proof.story import UNSEEN, Story, seen

TELLERS: dict[str, Callable[[Story], Iterator[str]]] = {
    "requires_grad": flags.flag,
    "is_leaf": flags.flag,
    "grad_fn": flags.flag,
    "grad": gradients.gradient,
    "value": gradients.value,
    "dtype": gradients.types,
    "shape": gradients.types,
    "memory": memory.memory,
    "base": memory.base,
    "grad_memory": memory.gradient_memory,
    "grad_is": memory.gradient_object,
    "version": memory.version,
    "alive": memory.alive,
    "order": hooks.order,
    "called": hooks.called,
    "sequence": hooks.sequence,
    "packed": hooks.packed,
}


def why(story: Story) -> str:
    """The sentences that the program tells of a wrong value or a wrong state."""
    tell = TELLERS.get(story.difference.facet)
    return " ".join(filter(None, tell(story))) if tell is not None else ""


__all__ = ["UNSEEN", "Story", "calls_in_words", "seen", "why", "why_not_refused", "why_refused"]
