"""Why a gradient is what torch shows or None, and what a value was computed from, as the program tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.contrast import factor, minus, shape_of, words
from conformance.program import Apply, AssignGrad, Backward, Enter, Grad, Hook, Mutate, ReadGrad, Unhook, ZeroGrad
from conformance.proof.flags import requiring
from conformance.proof.story import UNSEEN, Story, listed, names, verb
from conformance.script import variable
from conformance.tolerance import flatten


def gradient(story: Story) -> Iterator[str]:
    """Why `.grad` is None, or what it is the sum of."""
    if story.difference.expected is None:
        yield from absent(story, story.slot)
    else:
        yield from present(story, story.slot)


def absent(story: Story, name: int) -> Iterator[str]:
    """Why there is no gradient."""
    slot, me = story.after.scope.slots.get(name), variable(name)
    if slot is None:
        return
    cleared = next((p for p, s in reversed(story.taken(ZeroGrad)) if s.target == name and s.set_to_none), -1)
    walks = [w for w in story.walks(name) if w > cleared]
    ran = story.taken(Backward)
    if not slot.requires_grad:
        yield from requiring(story, name)
        yield f"Backward keeps no gradient for a tensor that does not require grad: {me}.grad stays None, which is not zero."
    elif not slot.is_leaf and not slot.retained:
        yield (
            f"{me} is the result of {story.made(name)}, not a leaf: its gradient goes on to the operands, and is kept only after "
            f"{me}.retain_grad()."
        )
    elif walks:
        yield from on_the_way(story, name)
    elif cleared >= 0 and story.walks(name):
        yield f"{story.code(cleared)} cleared it, and no backward has reached {me} since."
    elif not ran:
        returned = "grad() returns gradients and leaves .grad alone: " if story.taken(Grad) else ""
        yield f"{returned}{me}.grad is None until a backward reaches {me}, and None is not zero."
    elif any(s.inputs is not None and name not in s.inputs and story.ways(name, p)[0] for p, s in ran):
        place, step = next((p, s) for p, s in ran if s.inputs is not None)
        yield f"{story.code(place)} is to accumulate into {listed(names(step.inputs))} alone, not into {me}."
    else:
        roots = names(r for _, s in ran for r in s.roots)
        depend = verb(roots, "does", "do")
        yield f"{listed(roots)} {depend} not depend on {me}: no backward has reached it, and None is not zero."


def present(story: Story, name: int) -> Iterator[str]:
    """Where a gradient came from, and what was there before."""
    me, step, d = variable(name), story.doing, story.difference
    walks = story.walks(name)
    slot = story.after.scope.slots.get(name)
    if slot is not None and not slot.is_leaf and slot.retained:
        yield f"{me} is no leaf, but {me}.retain_grad() asked for its gradient to be kept."
    if story.step in walks:
        yield from along(story, name, story.step)
        yield from on_the_way(story, name)
        before = story.expected(story.step - 1, name, "grad")
        if before not in (None, UNSEEN) and shape_of(before) == shape_of(d.expected):
            yield from _added(story, before)
        else:
            yield from _multiple(story)
    elif isinstance(step, Mutate) and step.target in held(story, name):
        yield f"{variable(step.target)} is the very tensor {me}.grad: what {story.code(story.step)} writes shows there."
    elif isinstance(step, ZeroGrad):
        yield f"{story.code(story.step)} keeps the tensor and makes its numbers zero."
    elif isinstance(step, AssignGrad) and step.target == name:
        yield f"{story.code(story.step)} makes {variable(step.source)} the gradient of {me}."
    elif isinstance(step, (Grad, Backward)) and walks:
        yield f"{story.code(walks[-1])} gave {me} its gradient, and {story.code(story.step)} leaves it as it is."


def held(story: Story, name: int) -> set[int]:
    """The variables that are the gradient of a tensor."""
    read = {s.out for _, s in story.taken(ReadGrad) if s.source == name}
    return read | {s.source for _, s in story.taken(AssignGrad) if s.target == name}


PACKS = {
    "pack_double": "doubles what was saved when it is unpacked", "pack_copy": "saves copies, which no later write reaches",
    "pack_same": "changes nothing of what is saved",
}  # fmt: skip


def on_the_way(story: Story, name: int) -> Iterator[str]:
    """Hooks that change a gradient on its way to a tensor, and hooks on what the nodes there saved."""
    way = {variable(name)} | {v for p in story.ways(name, story.step)[1] for v in story.after.nodes[p].variables}
    gone = {s.handle for _, s in story.taken(Unhook)}
    for place, step in story.taken(Hook):
        if step.out in gone and variable(step.target) in way:
            yield f"The hook {variable(step.out)} was taken away before."
        elif step.action == "double" and variable(step.target) in way:
            yield f"{story.code(place)} doubles the gradient there."
        elif step.action == "forget" and step.target == name:
            yield f"{story.code(place)} takes the gradient away once it has been added: it sets {variable(name)}.grad to None."
    packs = {note for p in story.ways(name, story.step)[1] for note in story.after.nodes[p].notes if note.startswith("pack_")}
    modes = [s.mode for _, s in story.taken(Enter) if s.mode in packs and s.mode in PACKS]
    if modes:
        nested = len(modes) > 1
        pair = (
            "The innermost pair of hooks on saved tensors alone applies: it" if nested else "The pair of hooks on saved tensors"
        )
        yield f"{pair} {PACKS[modes[-1]]}."


def _added(story: Story, before: Any) -> Iterator[str]:
    """What this backward adds to what was there."""
    d, me = story.difference, variable(story.slot)
    own = minus(d.expected, before)
    earlier = [p for p in story.walks(story.slot) if p < story.step]
    since = f" since {story.code(earlier[-1])}" if earlier else ""
    yield f"{me}.grad was {words(before)}{since}, and this backward must add its own {words(own)} to it."
    if d.observed == own:
        yield "The engine put the new gradient in the place of the old one."
    elif d.observed == before:
        yield "The engine added nothing."
    elif d.observed is None:
        yield "The engine has lost both."


def _multiple(story: Story) -> Iterator[str]:
    """That all numbers are wrong by one factor, where there are several, or the factor is a telling one."""
    expected, observed = story.difference.expected, story.difference.observed
    times = factor(expected, observed)
    if times is not None and (times in (0.0, 0.5, 2.0, -1.0) or sum(map(bool, flatten(expected))) > 1):
        yield f"What came is {words(times)} times what is right." if times else "What came is zero."


def along(story: Story, name: int, walk: int) -> Iterator[str]:
    """The way that a gradient took."""
    count, way = story.ways(name, walk)
    me, nodes = variable(name), story.after.nodes
    if not count:
        return
    start = story.code(walk)
    passed = [story.code(p) for p in reversed(way) if nodes[p].kind not in ("leaf", "walk")]
    if story.maker(name) in way and passed and nodes[story.maker(name)].kind != "leaf":  # type: ignore[index]
        passed.pop()  # the tensor itself is the result of this one
    roots = getattr(story.program.steps[walk], "roots", (name,))
    if not passed and variable(name) in nodes[way[0]].variables and name not in roots:
        yield f"{me} and the root of {start} are results of one op."
    elif not passed:
        yield f"{me} is itself the root of {start}: {_seed(story, name, walk)}."
    elif count > 1:
        through = listed(passed, "and then")
        yield f"{start} reaches {me} along {count} ways, whose gradients add up; one leads back through {through}."
    else:
        yield f"{start} reaches {me} back through {listed(passed, 'and then')}."


def _seed(story: Story, root: int, walk: int) -> str:
    """What the gradient of a root begins with."""
    step = story.program.steps[walk]
    given = step.gradients[step.roots.index(root)] if isinstance(step, (Backward, Grad)) and step.gradients else None
    return "its gradient begins with 1" if given is None else "its gradient is the one that is given"


def value(story: Story) -> Iterator[str]:
    """What the value was computed from, or who wrote into it."""
    step, name, me = story.doing, story.slot, variable(story.slot)
    if step is None:
        return
    if isinstance(step, Grad) and name in step.outs:
        source = step.inputs[step.outs.index(name)]
        if story.difference.expected is None:
            yield f"{listed(names(step.roots))} does not depend on {variable(source)}, and None is not zero."
            return
        yield f"{me} is the gradient of {listed(names(step.roots))} by {variable(source)}."
        yield from along(story, source, story.step)
        yield from _multiple(story)
    elif isinstance(step, ReadGrad) and name == step.out:
        yield f"{me} is the gradient that {variable(step.source)} has by now."
        yield from absent(story, step.source) if story.difference.expected is None else ()
    elif isinstance(step, Apply) and name in step.outs:
        given = [f"{variable(i)} is {_operand(story, i)}" for i in dict.fromkeys(step.inputs)]
        yield f"Here {listed(given)}." if all("is ?" not in g for g in given) else ""
        yield from _multiple(story)
    elif isinstance(step, Mutate):
        yield from _written(story, step.target)
    elif isinstance(step, Backward):
        yield from _written_by_backward(story, step)


def _operand(story: Story, name: int) -> str:
    """The value of an operand before the step, where it was seen."""
    found = story.expected(story.step - 1, name, "value")
    return "?" if found is UNSEEN else words(found)


def _written(story: Story, target: int) -> Iterator[str]:
    """Why a write shows in a tensor, or does not."""
    me, name = variable(story.slot), variable(target)
    owner = _owner(story, target)
    if story.slot != target and owner is not None and owner == _owner(story, story.slot):
        yield f"{me} and {name} are one tensor: {variable(owner)}.grad."
    elif story.slot != target:
        shared = story.shared(story.slot, target)
        if shared:
            yield f"{shared}, so what {story.code(story.step)} writes shows in {me} too."
        elif _is_untouched(story):
            yield f"{me} has memory of its own: {story.code(story.step)} must not show there."
    elif (before := _operand(story, target)) != "?":
        yield f"Before the write {variable(target)} was {before}."


def _owner(story: Story, name: int) -> int | None:
    """The tensor that this one is the gradient of."""
    return next((owner for owner in story.before.scope.slots if name in held(story, owner)), None)


def _written_by_backward(story: Story, step: Backward) -> Iterator[str]:
    """A backward changes no tensor of the program but gradients."""
    me = variable(story.slot)
    owner = _owner(story, story.slot)
    if owner is not None:
        yield f"{me} is the very tensor {variable(owner)}.grad, to which a backward adds in place."
    elif story.slot in step.gradients and _is_untouched(story):
        yield f"{me} was only handed over as the gradient of the root: it stays the caller's."
    elif _is_untouched(story):
        yield "A backward changes no value but those of gradients."


def _is_untouched(story: Story) -> bool:
    """Whether the value is to stay as it was before the step."""
    return story.expected(story.step - 1, story.slot, "value") == story.difference.expected  # type: ignore[no-any-return]


def types(story: Story) -> Iterator[str]:
    """The dtypes and shapes of the operands."""
    step = story.doing
    if not isinstance(step, (Apply, Mutate)):
        return
    slots = story.before.scope.slots
    inputs = (step.target, *step.inputs) if isinstance(step, Mutate) else step.inputs
    given = [f"{variable(i)} is {slots[i].dtype} of shape {slots[i].shape}" for i in dict.fromkeys(inputs)]
    yield f"Here {listed(given)}."
