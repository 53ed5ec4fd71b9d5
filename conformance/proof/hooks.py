"""Why hooks are called so, and what nodes hand to hooks on saved tensors, as the program tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.contrast import contrast, in_words
from conformance.program import Apply, Backward, Grad, Hook, Mutate, Unhook
from conformance.proof.gradients import along
from conformance.proof.story import Story, listed
from conformance.script import variable


def silent(calls: Any) -> bool:
    """Whether nothing was called: None, or the word for it."""
    return not isinstance(calls, (list, tuple))


def hook_of(story: Story, handle: int) -> tuple[int, Hook] | None:
    """The step that registered a hook."""
    return next(((p, s) for p, s in story.taken(Hook) if s.out == handle), None)


def order(story: Story) -> Iterator[str]:
    """In which order the hooks of one tensor are called, and whether they are recorded."""
    d = story.difference
    if silent(d.expected):
        yield from _unheard(story, [s for _, s in story.taken(Hook) if s.target == story.slot])
        return
    if not silent(d.observed) and [c[0] for c in d.expected] == [c[0] for c in d.observed]:
        step = story.doing
        asked = isinstance(step, (Backward, Grad)) and step.create_graph
        yield (f"{story.code(story.step)} is asked to record what it computes, and hooks belong to it." if asked else
               f"Without create_graph=True {story.code(story.step)} records nothing, not even what hooks compute.")  # fmt: skip
        return
    hung = [story.code(p) for p, s in story.taken(Hook) if s.target == story.slot and s.kind == "tensor"]
    if len(hung) > 1:
        yield f"Hooks on one tensor are called in the order of their registration: {listed(hung, 'then')}."
    yield from _gone(story, {s.out for _, s in story.taken(Hook) if s.target == story.slot})


def _gone(story: Story, handles: set[int]) -> Iterator[str]:
    """Hooks that were taken away."""
    for place, step in story.taken(Unhook):
        if step.handle in handles:
            yield f"{story.code(place)} took the hook {variable(step.handle)} away before."
    for _, step in story.taken(Hook):
        if step.out in handles and step.action == "remove":
            yield f"The hook {variable(step.out)} takes itself away when it is called, which must not hide the others."


def _unheard(story: Story, hooks: list[Hook]) -> Iterator[str]:
    """Why a hook is not called."""
    yield from _gone(story, {hook.out for hook in hooks})
    step = story.doing
    for target in dict.fromkeys(hook.target for hook in hooks):
        if isinstance(step, (Backward, Grad)) and not story.ways(target, story.step)[0]:
            yield f"{story.code(story.step)} does not compute a gradient of {variable(target)}."
        elif isinstance(step, Grad) and any(hook.kind == "accumulated" for hook in hooks):
            yield f"{story.code(story.step)} accumulates nothing, so nothing comes after an accumulation."


WHEN = {
    "tensor": "sees the gradient of {0} when it is complete",
    "accumulated": "is called once the gradient of {0} has been added, and sees {0}.grad",
    "node_before": "is called before the node that made {0} runs, and sees the gradient that goes into it",
    "node_after": "is called after the node that made {0} has run, and sees the gradients that come out of it",
}


def called(story: Story) -> Iterator[str]:
    """What a hook sees."""
    found = hook_of(story, story.slot)
    if found is None:
        return
    place, hook = found
    me = variable(hook.target)
    if silent(story.difference.expected):
        yield from _unheard(story, [hook])
        return
    yield f"{story.code(place)} hangs on {me}: the hook {WHEN[hook.kind].format(me)}."
    written = next((p for p, s in story.taken(Mutate) if s.target == hook.target and p > place), None)
    if written is not None and hook.kind == "tensor":
        yield f"It was registered before {story.code(written)}: it sees the gradient of what {me} was before this write."
    elif isinstance(story.doing, (Backward, Grad)):
        yield from along(story, hook.target, story.step)
    earlier = [s for p, s in story.taken(Hook) if p < place and s.target == hook.target and s.action == "double"]
    if earlier and hook.kind == "tensor":
        yield f"The hook {variable(earlier[-1].out)} comes before it and gives back the doubled gradient."
    yield from _gone(story, {hook.out})


def sequence(story: Story) -> Iterator[str]:
    """In which order the hooks of several tensors are called."""
    hooks = {s.out: s.target for _, s in story.taken(Hook)}
    expected = story.difference.expected
    if silent(expected):
        yield from _unheard(story, [s for _, s in story.taken(Hook)])
        return
    targets = list(dict.fromkeys(hooks[h] for h in expected if h in hooks))
    if len(targets) > 1:
        yield f"Torch runs nodes in the reverse order of their making: {listed([story.made(t) for t in targets], 'then')}."


def packed(story: Story) -> Iterator[str]:
    """What the node of an op saves."""
    step = story.doing
    if not isinstance(step, (Apply, Mutate)):
        return
    saves = [f"its {save.role} {save.name}" for save in story.after.saves if save.step == story.step]
    yield (f"{story.code(story.step)} saves {listed(saves)} for its backward." if saves else
           f"{story.code(story.step)} saves no variable of the program for its backward.")  # fmt: skip


# -- what was seen, in words ---------------------------------------------------------------------------------------------


def calls_in_words(facet: str, expected: Any, observed: Any) -> tuple[str, str]:
    """What hooks showed, on both sides."""
    if facet in ("order", "sequence"):
        handles = [_handles(side, facet) for side in (expected, observed)]
        modes = facet == "order" and handles[0] == handles[1]
        return _in_turn(expected, handles[0], modes), _in_turn(observed, handles[1], modes)
    right, wrong = (None if silent(side) else side for side in (expected, observed))
    return contrast(right, wrong, text=_CALLS[facet])


def _handles(calls: Any, facet: str) -> list[int]:
    """The hooks that were called."""
    return [] if silent(calls) else [call[0] for call in calls] if facet == "order" else list(calls)


def _in_turn(calls: Any, handles: list[int], modes: bool) -> str:
    """Hooks in the order of their calls, with the mode in which they were called where that is what differs."""
    if not handles:
        return "none"
    if not modes:
        return ", then ".join(variable(h) for h in handles)
    return ", then ".join(f"{variable(c[0])} {'while recording' if c[1] else 'without recording'}" for c in calls)


def _by_call(calls: Any, digits: int) -> str:
    """The gradients that a hook saw, call by call."""
    if calls is None:
        return "nothing"
    return ", then ".join(listed([in_words(g, digits) for g in gradients]) or "no gradient" for gradients in calls)


def _each(tensors: Any, digits: int) -> str:
    """The tensors that a node saved."""
    return "nothing" if not tensors else listed([in_words(t, digits) for t in tensors])


_CALLS = {"called": _by_call, "packed": _each}
