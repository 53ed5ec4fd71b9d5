"""One application of an op to leaves, drawn so that it fits; and the sweep: every op once in each of its roles.

Random programs meet each of over six hundred ops sooner or later. The sweep meets each at once: differentiated, differentiated
twice, and at zeros, ties and extremes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from conformance.areas import BY_NAME, Area
from conformance.catalog import CATALOG, MISBEHAVING, Op, Shape, size
from conformance.chooser import SeededChooser
from conformance.generate import Generator
from conformance.program import AnyStep, Apply, Backward, Grad, Leaf, Mutate, Program
from conformance.scope import Scope
from conformance.slots import FLOATS
from conformance.values import values
from conformance.vocabulary import Vocabulary

ATTEMPTS = 80  # draws of operands for an op before it is left out
SALTS = (0, 1009, 2003)  # the sweep comes back to an op for other parameters and shapes


class Call(NamedTuple):
    """An application of an op to leaves."""

    op: Op
    leaves: tuple[Leaf, ...]
    params: dict[str, Any]
    shapes: tuple[Shape, ...]


def drawn(op: Op, vocabulary: Vocabulary, area: Area, dtype: str | None = None, salt: int = 0) -> Call | None:
    """Operands that fit the op, by a chooser of its own, so that the same op is asked of every engine in the same way.

    Another salt gives other operands and parameters.
    """
    chooser = SeededChooser(sum(map(ord, op.name)) + salt)
    smallest = 0 if vocabulary.ranks == (0,) else 1
    for _ in range(ATTEMPTS):
        generator = Generator(chooser, area, vocabulary)
        chosen = generator.operands(op, generator.leaf(requires_grad=False, dtype=dtype))
        if chosen is None:
            continue
        inputs, (params, _, _, shapes, _), _ = chosen
        made = {step.out: step for step in generator.steps if isinstance(step, Leaf)}
        if all(s.name in made for s in inputs) and all(map(size, shapes)) and size(inputs[0].shape) > smallest:
            return Call(op, tuple(made[s.name] for s in inputs), params, shapes)
    return None


def sweep(role: Role, vocabulary: Vocabulary) -> Iterator[Program]:
    """A program for each op of the vocabulary, in this role; then further ones, with other parameters or shapes."""
    if not set(role.moves) <= vocabulary.moves or not set(role.ops) <= vocabulary.ops:
        return
    met: set[tuple[str, str]] = set()
    for salt in SALTS:
        for op in CATALOG.values():
            if op.name not in vocabulary.ops or op.name in MISBEHAVING or op.constant or op.kinds[0] != "float":
                continue
            call = drawn(op, vocabulary, BY_NAME[role.area], salt=salt)
            if call is not None and (op.name, asked := repr((call.params, call.shapes))) not in met:
                met.add((op.name, asked))
                yield role.program(call)


def _begin(call: Call) -> tuple[list[AnyStep], tuple[int, ...], list[int]]:
    """Leaves that require grad, and the op on them; with the results that have gradients, and the leaves."""
    steps: list[AnyStep] = [
        Leaf(k, leaf.shape, leaf.values, leaf.dtype, leaf.dtype in FLOATS) for k, leaf in enumerate(call.leaves)
    ]
    leaves = [step.out for step in steps if isinstance(step, Leaf) and step.requires_grad]
    inputs = tuple(range(len(steps)))
    if not call.op.inplace:
        outs = tuple(range(len(steps), len(steps) + len(call.shapes)))
        own = len(outs) - call.op.index_outputs - call.op.constant_outputs
        return [*steps, Apply(call.op.name, inputs, outs, call.params)], outs[: max(1, own)], leaves
    target = len(steps)
    steps += [Apply("clone", (0,), (target,)), Mutate(call.op.name, target, inputs[1:], call.params)]
    return steps, (target,), leaves


def _seeds(call: Call, roots: tuple[int, ...]) -> tuple[tuple[float, ...], ...]:
    """A gradient for each of the results, unlike the others'."""
    return tuple(values("signed", 1 + k, size(shape)) for k, (_, shape) in enumerate(zip(roots, call.shapes, strict=False)))


def _once(call: Call) -> Program:
    """The op, differentiated: all its results at once, as what one of them gives must be added to what the others do."""
    steps, roots, _ = _begin(call)
    return Program((*steps, Backward(roots, _seeds(call, roots))))


def _twice(call: Call) -> Program:
    """Squares of the op's results, differentiated, and their gradients again: linear ops too have something to give."""
    steps, results, leaves = _begin(call)
    free = results[0] + len(call.shapes)
    roots = tuple(range(free, free + len(results)))
    steps += [Apply("square", (result,), (root,)) for result, root in zip(results, roots, strict=True)]
    outs = tuple(range(roots[-1] + 1, roots[-1] + 1 + len(leaves)))
    steps.append(Grad(outs, roots, tuple(leaves), _seeds(call, roots), create_graph=True, allow_unused=True))
    known = Scope.of(Program(tuple(steps))).slots
    found = tuple(out for out in outs if out in known)  # a gradient that is None fills no slot
    return Program(
        (*steps, Backward(found, tuple(values("signed", 2 + k, size(known[out].shape)) for k, out in enumerate(found))))
    )


class Role(NamedTuple):
    """What the sweep does with every op: the area whose values and shapes the operands have, and the program.

    `moves` and `ops` are what an engine's vocabulary must have for it.
    """

    area: str
    program: Callable[[Call], Program]
    moves: tuple[str, ...]
    ops: tuple[str, ...]


ROLES = (
    Role("gradients", _once, ("backward",), ("clone",)),
    Role("conventions", _once, ("backward",), ("clone",)),
    Role("grad", _twice, ("higher", "backward"), ("clone", "square")),
)
