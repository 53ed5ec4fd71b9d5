"""What reduction may try: each pass yields programs simpler than the one given, which may or may not keep its symptom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import msgspec

from conformance.catalog import CATALOG, ShapeError, size
from conformance.program import (
    AnyStep,
    Apply,
    Backward,
    Detach,
    Enter,
    Exit,
    Grad,
    Gradient,
    Leaf,
    Mutate,
    Program,
    rename,
)
from conformance.scope import Scope
from conformance.slots import FLOATS

_replace = msgspec.structs.replace
Steps = tuple[AnyStep, ...]


def cut(steps: Steps, last: int) -> Steps:
    """The steps up to the one that showed the difference, with open regions closed."""
    kept = list(steps[: last + 1])
    depth = sum(isinstance(s, Enter) - isinstance(s, Exit) for s in kept)
    return (*kept, *(Exit() for _ in range(depth)))


def _without(steps: Steps, doomed: set[int]) -> Steps:
    """The steps without those at these places and without all that depends on them."""
    gone: set[int] = set()
    kept: list[AnyStep] = []
    for place, step in enumerate(steps):
        if place in doomed:
            gone.update(step.makes())
            continue
        if not gone.isdisjoint(step.reads()):
            thinned = _thin(step, gone)
            if thinned is None:
                gone.update(step.makes())
                continue
            step = thinned
        kept.append(step)
    return tuple(kept)


def _thin(step: AnyStep, gone: set[int]) -> AnyStep | None:
    """A differentiation without the roots and inputs that are gone, if any are left."""
    if isinstance(step, Backward):
        inputs = None if step.inputs is None else tuple(i for i in step.inputs if i not in gone)
        return _keep_roots(_replace(step, inputs=inputs), _present(step, gone)) if inputs != () else None
    if isinstance(step, Grad):
        pairs = [(o, i) for o, i in zip(step.outs, step.inputs, strict=True) if i not in gone]
        if not pairs:
            return None
        outs, inputs = zip(*pairs, strict=True)
        return _keep_roots(_replace(step, outs=outs, inputs=inputs), _present(step, gone))
    return None


def _present(step: Backward | Grad, gone: set[int]) -> list[int]:
    """Which roots are left, with their gradients."""
    gradients = step.gradients or (None,) * len(step.roots)
    pairs = enumerate(zip(step.roots, gradients, strict=True))
    return [k for k, (root, g) in pairs if root not in gone and not (isinstance(g, int) and g in gone)]


def _keep_roots(step: Any, kept: list[int]) -> AnyStep | None:
    """The differentiation of these roots alone."""
    if not kept:
        return None
    gradients = tuple(step.gradients[k] for k in kept) if step.gradients else ()
    return _replace(step, roots=tuple(step.roots[k] for k in kept), gradients=gradients)  # type: ignore[no-any-return]


def stretches(program: Program) -> Iterator[Steps]:
    """Without a whole stretch of steps, long ones first: a long program shrinks by halves before it shrinks by steps."""
    width = len(program.steps) // 2
    while width >= 4:
        for start in range(len(program.steps) - width, -1, -width):
            yield _without(program.steps, set(range(start, start + width)))
        width //= 2


def deletions(program: Program) -> Iterator[Steps]:
    """Without one step, from the last to the first; a region goes as a whole."""
    steps = program.steps
    for place in reversed(range(len(steps))):
        if isinstance(steps[place], Exit):
            continue
        doomed = {place, _closing(steps, place)} if isinstance(steps[place], Enter) else {place}
        yield _without(steps, doomed)


def _closing(steps: Steps, opening: int) -> int:
    """The place of the exit that closes this region."""
    depth = 0
    for place in range(opening, len(steps)):
        depth += isinstance(steps[place], Enter) - isinstance(steps[place], Exit)
        if depth == 0:
            return place
    return opening


def leaves(program: Program) -> Iterator[Steps]:
    """Leaves in the place of an op's results, and all that only the op needed deleted."""
    scope = Scope.of(program)
    for place, step in enumerate(program.steps):
        made = [scope.slots[out] for out in step.makes() if out in scope.slots]
        if isinstance(step, Leaf) or not made:
            continue
        for flags in dict.fromkeys((tuple(s.requires_grad for s in made), (False,) * len(made))):  # it may have been gained later
            plain = (_plain_leaf(s.name, s.shape, s.dtype, flag) for s, flag in zip(made, flags, strict=True))
            yield _needed(_replaced(program, place, *plain))


def witnessed(program: Program, values: Mapping[int, tuple[float, ...]]) -> Iterator[Steps]:
    """A leaf in the place of an op's result with the values that were seen of it, which may be what the difference needs."""
    scope = Scope.of(program)
    for place, step in enumerate(program.steps):
        made = [scope.slots[out] for out in step.makes()] if isinstance(step, Apply) else []
        if made and all(s.dtype in FLOATS and len(values.get(s.name, ())) == size(s.shape) for s in made):
            seen = (Leaf(s.name, s.shape, values[s.name], s.dtype, s.requires_grad) for s in made)  # type: ignore[arg-type]
            yield _needed(_replaced(program, place, *seen))


def _plain_leaf(out: int, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Leaf:
    """A leaf with the plainest distinct values."""
    count = size(shape)
    values = tuple(float(1 + i) for i in range(count)) if dtype in FLOATS else (0.0,) * count
    return Leaf(out, shape, values, dtype, requires_grad and dtype in FLOATS)  # type: ignore[arg-type]


def _needed(steps: Steps) -> Steps:
    """Without the leaves that nothing reads."""
    read = {slot for step in steps for slot in step.reads()}
    return tuple(s for s in steps if not isinstance(s, Leaf) or s.out in read)


def bypasses(program: Program) -> Iterator[Steps]:
    """An operand of the same shape in the place of a result, and a source in the place of its detached alias."""
    scope = Scope.of(program)
    for place, step in enumerate(program.steps):
        if isinstance(step, Detach):
            yield program.steps[:place] + tuple(rename(s, {step.out: step.source}) for s in program.steps[place + 1 :])
        if not isinstance(step, Apply) or len(step.outs) != 1:
            continue
        out = step.outs[0]
        for operand in dict.fromkeys(step.inputs):
            if scope.slots[operand].shape == scope.slots[out].shape:
                rest = tuple(rename(s, {out: operand}) for s in program.steps[place + 1 :])
                yield _needed(program.steps[:place] + rest)


def roots(program: Program) -> Iterator[Steps]:
    """An operand of the op that made a root in the root's place, so that the op can go."""
    scope = Scope.of(program)
    makers = {s.outs[0]: s for s in program.steps if isinstance(s, Apply)}
    for place, step in enumerate(program.steps):
        if not isinstance(step, (Backward, Grad)) or len(step.roots) != 1 or step.roots[0] not in makers:
            continue
        for operand in dict.fromkeys(makers[step.roots[0]].inputs):
            if scope.slots[operand].requires_grad and not scope.slots[operand].is_leaf:
                gradient = tuple(float(1 + i) for i in range(size(scope.slots[operand].shape)))
                yield _replaced(program, place, _replace(step, roots=(operand,), gradients=(gradient,)))


def pure(program: Program) -> Iterator[Steps]:
    """The pure op in the place of its in-place variant: what is left of a write then matters."""
    out = max((slot for step in program.steps for slot in step.makes()), default=0) + 1
    for place, step in enumerate(program.steps):
        twin = CATALOG.get(step.op.removesuffix("_")) if isinstance(step, Mutate) else None
        if isinstance(step, Mutate) and twin is not None and not twin.inplace:
            later = tuple(rename(s, {step.target: out}) for s in program.steps[place + 1 :])
            yield (*program.steps[:place], Apply(twin.name, (step.target, *step.inputs), (out,), step.params), *later)


def ops(program: Program) -> Iterator[Steps]:
    """The plainest op of the same kind, and plain parameters: what is left of an op then matters."""
    for place, step in enumerate(program.steps):
        for plain in _plainer_ops(step):  # whose result may have another shape than the gradients were made for
            yield from _reshaped(Program(_needed(_replaced(program, place, plain)), program.exact), {})
        if isinstance(step, (Apply, Mutate)):
            for name, value in step.params.items():
                if isinstance(value, int) and value:
                    yield _replaced(program, place, _replace(step, params={**step.params, name: type(value)(0)}))


def _plainer_ops(step: AnyStep) -> Iterator[AnyStep]:
    """The step with a plainer op on its operands: multiplication by 2, the square, which saves, or the product of two."""
    if isinstance(step, Mutate) and step.op != "mul_scalar_":
        yield Mutate("mul_scalar_", step.target, (), {"value": 2.0})
        if step.inputs and step.op != "add_":
            yield Mutate("add_", step.target, step.inputs[-1:])
    if isinstance(step, Apply) and len(step.outs) == 1 and step.op != "mul_scalar":
        for operand in dict.fromkeys(step.inputs):
            yield Apply("mul_scalar", (operand,), step.outs, {"value": 2.0})
            if step.op not in ("mul", "square"):
                yield Apply("square", (operand,), step.outs)
        if step.op != "mul":
            for pair in combinations(step.inputs, 2):
                yield Apply("mul", pair, step.outs)


def _replaced(program: Program, place: int, *steps: AnyStep) -> Steps:
    """The steps with others at this place."""
    return (*program.steps[:place], *steps, *program.steps[place + 1 :])


def flags(program: Program) -> Iterator[Steps]:
    """Options at their defaults, implicit gradients, constants instead of leaves that require grad."""
    for place, step in enumerate(program.steps):
        for plain in _plainer(step):
            yield _replaced(program, place, plain)


def _plainer(step: AnyStep) -> Iterator[AnyStep]:
    """Simpler versions of one step."""
    if isinstance(step, Leaf) and step.requires_grad:
        yield _replace(step, requires_grad=False)
    if isinstance(step, (Backward, Grad)):
        if step.gradients and all(g is None or isinstance(g, int) or len(g) == 1 for g in step.gradients):
            yield _replace(step, gradients=())
        if step.create_graph:
            yield _replace(step, create_graph=False)
        if step.retain_graph is not None:
            yield _replace(step, retain_graph=None)
        if len(step.roots) > 1:
            for k in range(len(step.roots)):
                yield _keep_roots(step, [k]) or step
    if isinstance(step, Backward) and step.inputs is not None:
        yield _replace(step, inputs=None)
    if isinstance(step, Grad) and len(step.inputs) > 1:
        for k in range(len(step.inputs)):
            outs, inputs = step.outs[:k] + step.outs[k + 1 :], step.inputs[:k] + step.inputs[k + 1 :]
            yield _replace(step, outs=outs, inputs=inputs)
    if isinstance(step, Grad) and not step.create_graph:
        yield Backward(step.roots, step.gradients, step.retain_graph)
    if isinstance(step, Grad) and step.allow_unused:
        yield _replace(step, allow_unused=False)


def literals(program: Program) -> Iterator[Steps]:
    """Literal gradients in the place of tensors."""
    scope = Scope.of(program)
    for place, step in enumerate(program.steps):
        if isinstance(step, (Backward, Grad)) and any(isinstance(g, int) for g in step.gradients):
            sizes = [size(scope.slots[root].shape) for root in step.roots]
            plain = tuple(_fit((), n) if isinstance(g, int) else g for g, n in zip(step.gradients, sizes, strict=True))
            yield _needed(_replaced(program, place, _replace(_unhanded(step), gradients=plain)))


def _unhanded(step: Backward | Grad) -> Backward | Grad:
    """The step without the promise that its gradients are tensors of the program."""
    return _replace(step, handed=False) if isinstance(step, Backward) else step


PLAIN = (2,)  # the shape that every leaf takes unless the difference needs another


def shapes(program: Program) -> Iterator[Steps]:
    """All leaves, or those of one shape, in the plain shape or in a smaller one, with gradients of the size that then fits."""
    found = dict.fromkeys(s.shape for s in program.steps if isinstance(s, Leaf))
    if any(shape != PLAIN for shape in found):
        yield from _reshaped(program, dict.fromkeys(found, PLAIN))
    lengths = dict.fromkeys(n for shape in found for n in shape if n != 2)
    for length in lengths:  # an axis that several leaves share changes in all of them
        yield from _reshaped(program, {shape: tuple(2 if n == length else n for n in shape) for shape in found})
    for old in found:
        for new in (PLAIN, (1,), (), (2, 2), (2, 1), (1, 2)):
            if _effort(new) < _effort(old):
                yield from _reshaped(program, {old: new})


def _effort(shape: tuple[int, ...]) -> tuple[int, int]:
    """How far a shape is from plain: the plain one first, then by axes and elements, empty ones last."""
    if shape == PLAIN:
        return 0, 0
    return (len(shape), size(shape)) if size(shape) else (9, len(shape))


def _reshaped(program: Program, new_shapes: dict[tuple[int, ...], tuple[int, ...]]) -> Iterator[Steps]:
    """The program with leaves in other shapes, where that is well typed."""
    scope = Scope()
    steps: list[AnyStep] = []
    try:
        for step in program.steps:
            if isinstance(step, Leaf) and step.shape in new_shapes:
                shape = new_shapes[step.shape]
                step = _replace(step, shape=shape, values=_fit(step.values, size(shape)))
            elif isinstance(step, (Backward, Grad)) and getattr(step, "shape", None) is None:
                step = _replace(step, gradients=_fitting(step, [size(scope.slots[r].shape) for r in step.roots]))
            scope.apply(step)
            steps.append(step)
    except (ShapeError, KeyError, TypeError, IndexError):
        return
    yield tuple(steps)


def _fitting(step: Backward | Grad, sizes: list[int]) -> tuple[Gradient, ...]:
    """Gradients for roots of these sizes; implicit ones only where they were and still can be."""
    if not step.gradients:
        return () if all(n == 1 for n in sizes) else tuple(_fit((), n) for n in sizes)
    return tuple(_fit(g, n) if isinstance(g, tuple) else g for g, n in zip(step.gradients, sizes, strict=True))


def _fit(values: tuple[float, ...], count: int) -> tuple[float, ...]:
    """That many of the values, begun again where they run out."""
    return tuple(values[i % len(values)] if values else 1.0 for i in range(count))


def plain_values(program: Program) -> Iterator[Steps]:
    """Small whole numbers in leaves and gradients, float64 throughout."""
    steps = tuple(_with_plain_values(s) for s in program.steps)
    if steps != program.steps:
        yield steps
    for place, step in enumerate(program.steps):
        plain = _with_plain_values(step)
        if plain != step:
            yield _replaced(program, place, plain)
        if isinstance(step, Leaf) and step.dtype == "float32":
            yield tuple(
                _replace(s, dtype="float64") if isinstance(s, Leaf) and s.dtype == "float32" else s for s in program.steps
            )


def _with_plain_values(step: AnyStep) -> AnyStep:
    """The step with 1, 2, 3 ... for its numbers."""
    if isinstance(step, Leaf):
        return _replace(step, values=_plain_leaf(0, step.shape, step.dtype, False).values)
    if isinstance(step, (Backward, Grad)) and step.gradients:
        plain = tuple(tuple(float(1 + i) for i in range(len(g))) if isinstance(g, tuple) else g for g in step.gradients)
        return _replace(step, gradients=plain)
    return step


def without_constants(steps: Steps) -> Steps | None:
    """Leaves that all require grad: if the symptom stays, no constant is its cause."""
    whole = tuple(_replace(s, requires_grad=True) if isinstance(s, Leaf) and s.dtype in FLOATS else s for s in steps)
    return whole if whole != steps else None


def unrepeat(steps: Steps) -> Steps | None:
    """Distinct leaves where one tensor fills two operands: if the symptom stays, the repeat is not its cause."""
    scope = Scope.of(Program(steps))
    highest = max((slot for step in steps for slot in step.makes()), default=0)
    for place, step in enumerate(steps):
        if isinstance(step, Apply) and len(step.inputs) == 2 and step.inputs[0] == step.inputs[1]:
            slot = scope.slots[step.inputs[0]]
            twin = _plain_leaf(highest + 1, slot.shape, slot.dtype, slot.requires_grad)
            distinct = _replace(step, inputs=(step.inputs[0], twin.out))
            return (*steps[:place], twin, distinct, *steps[place + 1 :])
    return None


def in_order_of_use(steps: Steps) -> Steps:
    """The leaves first, in the order in which they are read: which was made first is seldom the cause."""
    uses = {slot: n for n, slot in reversed(list(enumerate(slot for step in steps for slot in step.reads())))}
    leaves = sorted((s for s in steps if isinstance(s, Leaf)), key=lambda leaf: uses.get(leaf.out, len(uses) + leaf.out))
    return (*leaves, *(s for s in steps if not isinstance(s, Leaf)))


PASSES = (stretches, deletions, leaves, bypasses, roots, pure, literals, flags, shapes, ops, plain_values)
