"""Why a tensor requires grad or does not, is a leaf or is none, as the program tells."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.catalog import CATALOG
from conformance.program import Apply, Detach, Grad, Leaf, Mutate, ReadGrad, SetRequiresGrad
from conformance.proof.story import Story, listed, names, verb
from conformance.script import variable
from conformance.slots import Slot


def flag(story: Story) -> Iterator[str]:
    """Why a tensor requires grad or not, is a leaf or not."""
    slot = story.after.scope.slots.get(story.slot)
    facet, expected = story.difference.facet, story.difference.expected
    if slot is None:
        return
    told = {"requires_grad": slot.requires_grad, "is_leaf": slot.is_leaf, "grad_fn": not slot.is_leaf}[facet]
    maker = story.maker(story.slot)
    if slot.view and maker is not None and slot.storage.unrecorded:
        yield f"{story.made(story.slot)} is a view that was not recorded: torch answers with the requires_grad of its base."
        return
    if maker is not None and isinstance(made := story.program.steps[maker], Grad):
        yield (f"create_graph=True records how {variable(story.slot)} is computed, as any other result." if made.create_graph else
               "Without create_graph=True a gradient is a plain number without history.")  # fmt: skip
        return
    if maker is not None and isinstance(made, ReadGrad):
        steps = story.program.steps
        recorded = [p for p in story.walks(made.source) if getattr(steps[p], "create_graph", False)]
        what = f"how {variable(made.source)}.grad is computed"
        yield (f"{story.code(recorded[-1])} recorded {what}." if recorded else
               f"No backward recorded {what}: create_graph=True was not given.")  # fmt: skip
        return
    if told != expected:
        return
    yield from requiring(story, story.slot)
    if facet == "is_leaf":
        yield ("What is made by hand, or is not recorded, is a leaf." if slot.is_leaf else
               "The result of a recorded op is no leaf.")  # fmt: skip
    elif facet == "grad_fn":
        yield ("Without a record of how it came about there is no grad_fn." if slot.is_leaf else
               "Its grad_fn is the record of how it came about.")  # fmt: skip
    if maker is not None and maker < story.step and story.doing is not None and not _touches(story, story.slot):
        yield f"{story.code(story.step)} changes nothing about that."


def requiring(story: Story, name: int) -> Iterator[str]:
    """Why a tensor requires grad or does not, as far as this step."""
    slot = story.after.scope.slots[name]
    place = next((p for p, s in reversed(story.taken((Mutate, SetRequiresGrad))) if s.target == name), story.maker(name))
    if place is None:
        return
    step, me = story.program.steps[place], variable(name)
    match step:
        case Leaf():
            yield f"{me} was made {'with requires_grad=True' if step.requires_grad else 'without requires_grad=True'}."
        case SetRequiresGrad():
            yield f"{story.code(place)} says so."
        case Detach():
            yield f"{story.code(place)} gives the values of {variable(step.source)} without its history."
        case Grad() | ReadGrad():
            yield "A gradient has a history of its own only where create_graph=True recorded it."
        case Apply() | Mutate():
            yield from _by_op(story, place, step, slot)


def _by_op(story: Story, place: int, step: Apply | Mutate, slot: Slot) -> Iterator[str]:
    """Why the result of an op requires grad or does not."""
    op, me = CATALOG[step.op], variable(slot.name)
    earlier = story if place == story.step else Story(story.case._replace(difference=story.difference._replace(step=place)))
    slots = earlier.before.scope.slots
    inputs = (step.target, *step.inputs) if isinstance(step, Mutate) else step.inputs
    needing = names(i for i in inputs if slots[i].requires_grad)
    hindered = earlier.unrecorded_by()
    if op.constant or (not slot.requires_grad and needing and not hindered):
        yield f"{story.code(place)} has no derivative, whatever its operands are."
    elif not needing:
        none = names(inputs)
        yield (f"Neither {listed(none, 'nor')} requires grad, so neither does {me}." if len(none) > 1 else
               f"{none[0]} does not require grad, so neither does {me}.")  # fmt: skip
    elif hindered and not slot.requires_grad:
        yield f"{listed(needing)} {verb(needing, 'requires', 'require')} grad, but {hindered} nothing is recorded."
    elif slot.requires_grad:
        again = earlier.recorded_by()
        records = f", and {again} operations are recorded" if again else ""
        require = verb(needing, "requires", "require")
        made = f"{me} once it is written" if isinstance(step, Mutate) else f"what {story.code(place)} makes of it"
        yield f"{listed(needing)} {require} grad{records}: so does {made}."


def _touches(story: Story, name: int) -> bool:
    """Whether this step makes or changes the tensor."""
    step = story.doing
    return step is not None and (name in step.makes() or getattr(step, "target", None) == name)
