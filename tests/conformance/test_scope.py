"""What the scope predicts of a program is what torch does."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from conformance.areas import AREA_NAMES, BY_NAME
from conformance.chooser import SeededChooser
from conformance.features import Feature
from conformance.generate import generate
from conformance.program import (
    Apply,
    AssignGrad,
    Backward,
    Enter,
    Exit,
    Grad,
    InvalidProgram,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    SetRequiresGrad,
)
from conformance.scope import Scope
from conformance.sketch import Sketch

PROGRAMS = 120
SHOWN = ("shape", "dtype", "requires_grad", "is_leaf")
INVALID = ("refused: view-written", "refused: inference")  # torch does not tell of a view whose base was written past it


@pytest.mark.parametrize("area", AREA_NAMES)
def test_predictions_are_torchs(area: str, torch_engine: Any) -> None:
    """Shape, dtype, requires_grad and is_leaf of every slot after every step are those of torch.

    Whether a gradient itself requires grad is predicted from the ops alone, and approximately: such slots are left out. So are
    gradients that the program assigned, and reshapes of what may lie in another order of memory, which may be views.
    """
    from conformance.execute import Executor

    executor = Executor(torch_engine, frozenset(SHOWN))
    chooser = SeededChooser(11)
    wrong: Counter[tuple[str, ...]] = Counter()
    looked = 0
    for _ in range(PROGRAMS):
        program, _ = generate(chooser, BY_NAME[area])
        seen = executor.run(program, "thorough")
        end = len(program) if seen.refusal is None else seen.refusal.step
        sights: dict[int, list[tuple[int, str, Any]]] = {}
        for place, slot, facet, content in seen.sights:
            sights.setdefault(place, []).append((slot, facet, content))
        scope = Scope()
        approximate: set[Any] = set()
        for place, step in enumerate(program.steps[:end]):
            scope.apply(step)
            touched = (*step.reads(), *step.makes())
            known = {scope.slots[s].storage for s in touched if s in scope.slots}
            reordered = isinstance(step, Apply) and step.op == "reshape" and not scope.slots[step.inputs[0]].contiguous
            if reordered or isinstance(step, (AssignGrad, Grad, ReadGrad)) or not known.isdisjoint(approximate):
                approximate |= known
            for slot, facet, content in sights.get(place, ()):
                told = facet in SHOWN and content not in INVALID
                if not told or slot not in scope.slots or (facet in SHOWN[2:] and scope.slots[slot].storage in approximate):
                    continue
                looked += 1
                if getattr(scope.slots[slot], facet) != content:
                    wrong[facet, type(step).__name__, getattr(step, "op", "")] += 1

    assert wrong == {}
    assert looked > 1000


@pytest.mark.parametrize("area", AREA_NAMES)
def test_reading_a_program_gives_the_scope_that_generation_had(area: str) -> None:
    """The features that a program was generated with are those that reading it finds."""
    chooser = SeededChooser(12)
    for _ in range(PROGRAMS):
        program, scope = generate(chooser, BY_NAME[area])

        assert Scope.of(program).features == scope.features


X = Leaf(0, (2,), (1.0, 2.0), "float64", True)
MISTYPED: tuple[tuple[tuple[Any, ...], str, int], ...] = (
    ((Leaf(0, (2,), (1.0,)),), "1 values for shape", 0),
    ((Leaf(0, (1, 1, 1, 1, 1), (1.0,)),), "more than four axes", 0),
    ((Leaf(0, (-1, -1), (1.0,)),), "negative", 0),
    ((Leaf(0, (1,), (1.0,), "int64", True),), "cannot require grad", 0),
    ((X, Apply("nosuch", (0,), (1,))), "has no op 'nosuch'", 1),
    ((X, Apply("mul_", (0,), (1,))), "has no op 'mul_'", 1),
    ((X, Mutate("mul", 0)), "has no in-place op 'mul'", 1),
    ((X, Apply("add", (0,), (1,))), "add takes 2 operands, not 1", 1),
    ((X, Apply("neg", (0,), (1, 2))), "neg has 1 results, not 2", 1),
    ((X, Apply("gather", (0, 0), (1,), {"dim": 0})), "operand b of gather must be int64, not float64", 1),
    ((X, Apply("mul_scalar", (0,), (1,))), "parameters do not fit", 1),
    ((X, Apply("sum_dim", (0,), (1,), {"dim": "x", "keepdim": False})), "out of range", 1),
    ((Leaf(0, (1,), (1.0,), "int64"), SetRequiresGrad(0)), "requires_grad_ on a tensor of dtype int64", 1),
    ((X, Backward((0,), ((1.0, 2.0), (1.0, 2.0)))), "2 gradients for 1 roots", 1),
    ((X, Backward((0,), ((1.0,),))), "1 gradient values for shape", 1),
)


@pytest.mark.parametrize(("steps", "reason", "place"), MISTYPED)
def test_a_program_that_is_not_well_typed_is_refused(steps: tuple[Any, ...], reason: str, place: int) -> None:
    """The message says why and names the step."""
    with pytest.raises(InvalidProgram, match=reason) as caught:
        Scope.of(Program(steps))

    assert str(caught.value).endswith(f"at `$.steps[{place}]`")


def features_of(build: Any) -> Feature:
    """What a sketch exercises."""
    sketch = Sketch()
    build(sketch)
    return Feature(sketch.scope.features)


def test_one_op_that_takes_a_tensor_twice_is_one_use() -> None:
    """x * x repeats an operand, but no leaf is reused."""

    def build(s: Sketch) -> None:
        x = s.leaf([1.0, 2.0])
        s.backward(s.op("mul", x, x), [1.0, 2.0])

    features = features_of(build)

    assert Feature.REPEATED_OPERAND in features
    assert Feature.LEAF_REUSED not in features


def test_an_index_is_no_constant_operand() -> None:
    """Only operands that could require grad count as constants."""
    indexed = features_of(lambda s: s.op("index", s.leaf([1.0, 2.0]), s.constant([0.0], dtype="int64")))
    constant = features_of(lambda s: s.op("add", s.leaf([1.0, 2.0]), s.constant([0.0, 1.0])))

    assert Feature.CONSTANT_OPERAND not in indexed
    assert Feature.CONSTANT_OPERAND in constant


def test_a_write_through_a_detached_alias_leaves_the_sources_flags() -> None:
    """Writing something that requires grad into y.detach() makes the alias require grad, not y."""
    s = Sketch()
    y, x = s.constant([1.0, 2.0]), s.leaf([3.0, 4.0])
    d = s.detach(y)
    s.write("add_", d, x)

    assert (s.scope.slots[d].requires_grad, s.scope.slots[y].requires_grad) == (True, False)


def test_regions_nest() -> None:
    """Leaving a region brings back the mode outside."""
    scope = Scope()
    modes = []
    for step in (Enter("no_grad"), Enter("enable_grad"), Exit(), Exit()):
        scope.apply(step)
        modes.append(scope.recording)

    assert modes == [False, True, False, True]
