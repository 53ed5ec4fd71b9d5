"""Whose memory a tensor lies in, who wrote there, and who holds the tensor, as the program tells."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.graph import behind
from conformance.program import Apply, Backward, Detach, Drop, Grad, Mutate
from conformance.proof.story import Story, keeps, listed
from conformance.script import variable


def memory(story: Story) -> Iterator[str]:
    """Whose memory a tensor lies in."""
    expected, me = story.difference.expected, variable(story.slot)
    made = story.made(story.slot)
    if expected == story.slot:
        yield f"{made} is no view: a write into {me} must change no other tensor."
    elif isinstance(expected, int) and (shared := story.shared(story.slot, expected)):
        yield f"{shared}: a write into one is to show in the other."


def base(story: Story) -> Iterator[str]:
    """Who owns the memory of a view."""
    expected, me = story.difference.expected, variable(story.slot)
    maker = story.maker(story.slot)
    if maker is not None and not isinstance(story.program.steps[maker], Apply):
        return
    if isinstance(expected, int):
        yield f"{story.made(story.slot)} is a view, and {variable(expected)} owns the memory: their histories are one."
    else:
        yield f"{me} is no view of a tensor of the program as torch's autograd sees it."


def gradient_memory(story: Story) -> Iterator[str]:
    """Whose memory a gradient lies in."""
    if story.difference.expected == f"the gradient of {story.slot}" or story.difference.expected == story.slot:
        yield "A write into this gradient, such as clipping it, must change nothing else."


def gradient_object(story: Story) -> Iterator[str]:
    """Which variable is the gradient."""
    expected, me = story.difference.expected, variable(story.slot)
    if isinstance(expected, int):
        yield f"{variable(expected)} and {me}.grad are one tensor, to which later backwards add."
    else:
        yield f"No variable of the program is {me}.grad itself."


def version(story: Story) -> Iterator[str]:
    """Who wrote."""
    step, me, expected = story.doing, variable(story.slot), story.difference.expected
    if isinstance(step, Mutate):
        shared = "" if step.target == story.slot else story.shared(story.slot, step.target)
        if expected and (shared or step.target == story.slot):
            a, target = f"{shared}: a" if shared else "A", variable(step.target)
            yield f"{a} write into {target} changes the version of {me}: by that backward tells what is out of date."
        elif not expected:
            yield f"{variable(step.target)} and {me} do not share memory."
    elif not expected:
        yield f"{story.code(story.step)} writes into no memory that {me} lies in."


def alive(story: Story) -> Iterator[str]:
    """Who holds a tensor after its variable is gone, or no more."""
    me, steps = variable(story.slot), story.program.steps
    place = next((p for p, s in story.taken(Drop) if s.target == story.slot), story.step)
    savers = list(dict.fromkeys(save.step for save in story.after.saves if save.name == me))
    dropped = {s.target for _, s in story.taken(Drop)}
    if story.difference.expected:
        held = [story.code(p) for p in savers if not dropped >= set(steps[p].makes())]
        yield f"{listed(held)} saved {me} for its backward, and holds the very tensor while its own result lives." if held else ""
        return
    yield f"Since {story.code(place)} the program has no name for {me}."
    if not savers:
        detached = [story.code(p) for p, s in story.taken(Detach) if s.source == story.slot]
        yield f"{listed(detached)} keeps the memory, not the tensor with its graph." if detached else f"No node saved {me}."
    for saver in savers:
        freed = [p for p, s in story.taken((Backward, Grad)) if saver in behind(story.after, p) and not keeps(s)]
        if freed:
            yield f"{story.code(saver)} had saved it, but {story.code(freed[0])} freed what that node saved."
        elif dropped >= set(steps[saver].makes()):
            yield f"{story.code(saver)} had saved it, but its result is dropped too, and the graph with it."
