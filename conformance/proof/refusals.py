"""Why a step must be refused, or must not be, as the program tells: one teller a category of refusals.

A teller says nothing where the program does not tell: then the words of the one who refused stand alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from conformance.catalog import CATALOG, size
from conformance.graph import behind, overtaken
from conformance.program import Apply, AssignGrad, Backward, Enter, Export, Grad, Hook, Mutate, SetRequiresGrad
from conformance.proof.flags import requiring
from conformance.proof.story import Story, keeps, listed, names, verb
from conformance.script import variable

Teller = Callable[[Story], Iterator[str]]


def why_refused(story: Story) -> str:
    """The sentences that the program tells of a refusal that was due."""
    tell = REFUSED.get(_category(story))
    return " ".join(filter(None, tell(story))) if tell is not None else ""


def why_not_refused(story: Story) -> str:
    """The sentences that the program tells of a refusal that was not due."""
    tell = FREE.get(_category(story), unrecorded)
    return " ".join(filter(None, tell(story)))


def _category(story: Story) -> str:
    return story.difference.category


# -- refusals that were due ----------------------------------------------------------------------------------------------


def version(story: Story) -> Iterator[str]:
    """Who saved what, and who changed it."""
    trace, walked = story.after, behind(story.after, story.step)
    for save, write in overtaken(story.before.saves, story.before.writes):
        if save.step in walked or story.step not in trace.nodes:
            yield (
                f"{story.code(save.step)} saved its {save.role} {save.name} at version {save.version}; "
                f"{story.code(write.step)} made it version {write.version + 1}."
            )
            return


def freed(story: Story) -> Iterator[str]:
    """Which earlier pass freed what is needed now."""
    walked = behind(story.after, story.step)
    for place, step in reversed(story.taken((Backward, Grad))):
        nodes = [p for p in behind(story.after, place) & walked if story.after.nodes[p].recorded]
        if place == story.step or keeps(step) or not nodes:
            continue
        saves = [save for save in story.after.saves if save.step in nodes]
        saved = f"{story.code(saves[-1].step)} saved its {saves[-1].role} {saves[-1].name}; " if saves else ""
        what = "it" if saves else "what the graph had saved"
        yield f"{saved}{story.code(place)} freed {what}, since retain_graph=True was not given."
        return


def leaf_written(story: Story) -> Iterator[str]:
    """A write into a leaf."""
    step = story.doing
    slot = story.before.scope.slots.get(step.target) if isinstance(step, Mutate) else None
    if slot is None:
        return
    me = variable(slot.name)
    if slot.base is not slot:
        yield f"{me} is a view ({story.made(slot.name)}) of the leaf {variable(slot.base.name)}, which requires grad."
    else:
        yield f"{me} is a leaf that requires grad."
    yield f"A recorded write would make it the result of an op, and its .grad would never come: write {me} under torch.no_grad()."


def view_written(story: Story) -> Iterator[str]:
    """A write into a view that has no history of its own."""
    step = story.doing
    slot = story.before.scope.slots.get(step.target) if isinstance(step, Mutate) else None
    if slot is None or slot.parent is None:
        return
    several = next((s for s in _ancestry(slot) if _is_one_of_several(story, s.name)), None)
    if several is not None:
        one = variable(several.name)
        yield f"{one} is one of the views that {story.made(several.name)} gave: a write would spoil the others."
    elif slot.storage.unrecorded:
        yield f"{story.made(slot.name)} was not recorded: its history does not lead to {variable(slot.base.name)}."


def _ancestry(slot: Any) -> Iterator[Any]:
    while slot is not None:
        yield slot
        slot = slot.parent


def _is_one_of_several(story: Story, name: int) -> bool:
    place = story.maker(name)
    step = story.program.steps[place] if place is not None else None
    return isinstance(step, Apply) and (len(step.outs) > 1 or step.op in ("split", "unbind"))


def non_scalar(story: Story) -> Iterator[str]:
    """A root of several elements."""
    step = story.doing
    if isinstance(step, (Backward, Grad)):
        slots = story.before.scope.slots
        given = step.gradients or (None,) * len(step.roots)
        for root, gradient in zip(step.roots, given, strict=True):
            count = size(slots[root].shape)
            if gradient is None and count != 1:
                me = variable(root)
                yield f"{me} has {count} elements, and no gradient was given for it: only a single number begins with 1."
                return


def without_grad(story: Story) -> Iterator[str]:
    """A root without a history."""
    step = story.doing
    if isinstance(step, (Backward, Grad)):
        lacking = [r for r in step.roots if not story.before.scope.slots[r].requires_grad]
        for root in lacking[:1]:
            yield from requiring(story, root)
            yield f"From {variable(root)} no graph leads anywhere."


def gradient_shape(story: Story) -> Iterator[str]:
    """A gradient that does not fit its root."""
    step = story.doing
    if isinstance(step, (Backward, Grad)):
        slots = story.before.scope.slots
        for root, gradient in zip(step.roots, step.gradients, strict=False):
            shape = slots[gradient].shape if isinstance(gradient, int) else getattr(step, "shape", None) or slots[root].shape
            if gradient is not None and shape != slots[root].shape:
                yield f"The gradient has shape {shape}, but its root {variable(root)} has shape {slots[root].shape}."
                return


def unused(story: Story) -> Iterator[str]:
    """grad() of what the root does not depend on."""
    step = story.doing
    if isinstance(step, Grad):
        graph = 0
        for root in step.roots:
            graph |= story.before.scope.slots[root].graph
        free = [i for i in step.inputs if not graph >> i & 1]
        if free:
            roots = names(step.roots)
            yield (f"{listed(roots)} {verb(roots, 'does', 'do')} not depend on {listed(names(free))}: "
                   "without allow_unused=True this is taken for a mistake.")  # fmt: skip


def flag(story: Story) -> Iterator[str]:
    """requires_grad_(False) on what has a history."""
    step = story.doing
    if isinstance(step, SetRequiresGrad):
        me = variable(step.target)
        yield f"{me} is the result of {story.made(step.target)}, not a leaf: to leave the graph use {me}.detach()."


def hook(story: Story) -> Iterator[str]:
    """A hook where none can hang, or one that gives back what does not fit."""
    step = story.doing
    if isinstance(step, Hook):
        slot, me = story.before.scope.slots[step.target], variable(step.target)
        if not slot.requires_grad:
            yield f"{me} does not require grad: the hook would never be called."
        elif step.kind == "accumulated":
            yield f"{me} is not a leaf: nothing is accumulated there."
        elif slot.is_leaf:
            yield f"{me} is a leaf: it has no grad_fn to hang a hook on."
        return
    bad = [(p, s) for p, s in story.taken(Hook) if s.action == "misshape"]
    if bad and isinstance(step, (Backward, Grad)):
        place, found = bad[-1]
        yield (f"{story.code(place)} gives back a gradient with one axis more than {variable(found.target)}, "
               f"which has shape {story.before.scope.slots[found.target].shape}.")  # fmt: skip
    elif any(s.mode == "pack_write" for _, s in story.taken(Enter)) and isinstance(step, (Apply, Mutate)):
        yield f"The hook that is to pack what {story.code(story.step)} saves writes into it, and would change it for the program."


def assigned(story: Story) -> Iterator[str]:
    """A gradient that does not fit its tensor."""
    step = story.doing
    if isinstance(step, AssignGrad):
        a, b = story.before.scope.slots[step.target], story.before.scope.slots[step.source]
        what = "shape" if a.shape != b.shape else "dtype"
        yield (f"{variable(step.target)} has {what} {getattr(a, what)}, "
               f"but {variable(step.source)} has {what} {getattr(b, what)}.")  # fmt: skip


def export(story: Story) -> Iterator[str]:
    """Values that leave the graph."""
    step = story.doing
    if isinstance(step, Export):
        me = variable(step.target)
        yield f"{me} requires grad, and what is done with an array is lost to the graph: {me}.detach().numpy() says that it may."


def inference(story: Story) -> Iterator[str]:
    """A tensor without a version."""
    step = story.doing
    if step is not None:
        for name in dict.fromkeys(step.reads()):
            place = story.maker(name)
            if place in story.before.nodes and "inference_mode" in story.before.nodes[place].notes:
                yield (
                    f"{variable(name)} was made in inference mode ({story.made(name)}): it has no version, so autograd may "
                    "neither save nor change it."
                )
                return


def checkpoint(story: Story) -> Iterator[str]:
    """A backward within a backward."""
    for _, step in story.taken(Apply):
        if step.op == "checkpoint_reentrant":
            yield "A reentrant checkpoint runs a backward of its own inside this one, which knows nothing of these inputs."
            return


# -- refusals that were not due ------------------------------------------------------------------------------------------


def version_kept(story: Story) -> Iterator[str]:
    """What was changed, and that no node needs it."""
    walked = behind(story.after, story.step)
    for save, _ in overtaken(story.before.saves, story.before.writes):
        if save.step in walked:
            copies = any(s.mode == "pack_copy" for _, s in story.taken(Enter))
            yield f"{story.code(save.step)} saved a copy of {save.name}, made by the packing hook." if copies else ""
            return
    writes = story.before.writes
    if not writes:
        yield "Nothing was written in place."
        return
    write = writes[-1]
    slots = story.before.scope.slots
    yield f"{story.code(write.step)} changed {write.name}, but nothing that {story.code(story.step)} runs has saved it."
    users = [
        place for place, step in story.taken((Apply, Mutate))
        if place in walked and place < write.step and any(slots[i].storage is write.storage for i in step.reads() if i in slots)
    ]  # fmt: skip
    for place in users[-1:]:
        kept = [f"{save.role} {save.name}" for save in story.before.saves if save.step == place]
        if kept:
            yield f"{story.code(place)} saved only its {listed(kept)}, which is all that its derivative needs."
        elif CATALOG[story.program.steps[place].op].saved:  # type: ignore[union-attr]
            yield f"{story.code(place)} would save it only for the gradient of an operand that requires grad."
        else:
            yield f"{story.code(place)} saved nothing of it: its derivative needs no value."


def unrecorded(story: Story) -> Iterator[str]:
    """That nothing is recorded where it is, and so nothing can be spoiled."""
    hindered = story.unrecorded_by()
    if hindered:
        yield f"It stands {hindered}, where nothing is recorded and nothing can be spoiled."


def freed_not(story: Story) -> Iterator[str]:
    """Who kept the graph, or that there was nothing to free."""
    walked = behind(story.after, story.step)
    earlier = [
        (p, s) for p, s in story.taken((Backward, Grad))
        if p != story.step and any(story.after.nodes[n].recorded for n in behind(story.after, p) & walked)
    ]  # fmt: skip
    kept = [p for p, s in earlier if keeps(s)]
    if not earlier:
        yield "No pass before this one has walked the graph."
    elif len(kept) == len(earlier):
        yield f"{story.code(kept[-1])} kept the graph for another pass."
    elif not any(save.step in walked for save in story.after.saves):
        yield f"The nodes that {story.code(earlier[-1][0])} walked had saved nothing, so nothing was freed."


REFUSED: dict[str, Teller] = {
    "version": version,
    "freed": freed,
    "leaf-written": leaf_written,
    "view-written": view_written,
    "non-scalar-root": non_scalar,
    "root-without-grad": without_grad,
    "gradient-shape": gradient_shape,
    "unused-input": unused,
    "flag": flag,
    "hook": hook,
    "assigned-gradient": assigned,
    "export": export,
    "inference": inference,
    "checkpoint": checkpoint,
}
FREE: dict[str, Teller] = {"version": version_kept, "freed": freed_not}
