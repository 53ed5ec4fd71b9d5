"""Every row of the catalogue against torch: shapes, dtypes, bounds, grains, and what a node saves."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest

torch = pytest.importorskip("torch")

from conformance.areas import LIMIT, SHAPES
from conformance.catalog import CATALOG, CHAPTERS, MISBEHAVING, Bounds, Op, ShapeError, size
from conformance.catalog.code import compile_code
from conformance.chooser import SeededChooser
from conformance.features import Feature
from conformance.values import BANKS, indices, values

DRAWS = 60
NAMES = tuple(CATALOG)


class Draw(NamedTuple):
    """One application of an op: operands with their bounds and the parameters."""

    operands: list[Any]
    bounds: list[Bounds]
    params: dict[str, Any]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The operands' shapes."""
        return [tuple(t.shape) for t in self.operands]


def operand(chooser: SeededChooser, shape: tuple[int, ...], dtype: str, banks: tuple[str, ...]) -> tuple[Any, Bounds]:
    """A tensor from one of the banks, and what is known of its values."""
    bank = banks[chooser.below(len(banks))]
    numbers = values(bank, chooser.below(12), size(shape))
    return torch.tensor(numbers, dtype=getattr(torch, dtype)).reshape(shape), BANKS[bank][1]


def draw(op: Op, chooser: SeededChooser, banks: tuple[str, ...] = tuple(BANKS), dtype: str = "float64") -> Draw | None:
    """Operands and parameters as generation would draw them, or None where the op does not fit the shape drawn."""
    shape = SHAPES[chooser.below(len(SHAPES))]
    params = op.params(chooser, shape)
    if params is None:
        return None
    tensors, bounds = map(list, zip(operand(chooser, shape, dtype, banks), strict=True))
    for need in op.partners(chooser, shape, params):
        if need.dtype == "float":
            tensor, known = operand(chooser, need.shape, dtype, banks)
        else:
            numbers = indices(chooser.below(12), size(need.shape), need.below if need.dtype == "int64" else 2)
            tensor = torch.tensor(numbers).to(getattr(torch, need.dtype)).reshape(need.shape)
            known = Bounds(0.0, max(need.below, 1), 0)
        tensors.append(tensor)
        bounds.append(known)
    return Draw(tensors, bounds, params)


def draws(op: Op, **more: Any) -> Iterator[Draw]:
    """Applications whose operands fit by the shape rule."""
    chooser = SeededChooser(sum(map(ord, op.name)))
    for _ in range(DRAWS):
        found = draw(op, chooser, **more)
        if found is None:
            continue
        try:
            op.shape(found.shapes, found.params)
        except (ShapeError, IndexError):
            continue
        yield found


@cache
def code(name: str) -> Any:
    """The op as a function, in torch."""
    namespace: dict[str, Any] = {"torch": torch}
    exec(CATALOG[name].setup, namespace)
    return compile_code(CATALOG[name].torch, namespace)


def results(op: Op, found: Draw) -> list[Any]:
    """What torch makes of a draw; the operands stay as they were."""
    operands = [t.clone() for t in found.operands]
    made = code(op.name)(*operands, **found.params)
    if op.inplace:
        return operands[:1]
    return list(made) if isinstance(made, (tuple, list)) else [made]


@pytest.mark.parametrize("name", NAMES)
def test_shapes_are_torchs(name: str) -> None:
    """What the shape rule admits runs on torch and has the shapes that the rule says."""
    op = CATALOG[name]
    applications = list(draws(op))
    expected = [op.shape(found.shapes, found.params) for found in applications]
    actual = [tuple(tuple(t.shape) for t in results(op, found)) for found in applications]

    assert actual == expected
    assert len(actual) >= 4  # few of the shapes are squares


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_torchs(name: str, dtype: str) -> None:
    """Results have their operands' dtype, or the one that the row names; results that are indices are int64."""
    op = CATALOG[name]
    found = next(draws(op, dtype=dtype))
    made = results(op, found)
    floats = len(made) - op.index_outputs
    expected = [getattr(torch, op.result_dtype or dtype)] * floats + [torch.int64] * op.index_outputs

    assert [t.dtype for t in made] == expected


@pytest.mark.parametrize("name", NAMES)
def test_bounds_hold_the_values(name: str) -> None:
    """Where the bounds rule admits an application, every value lies within the bounds, up to rounding."""
    op = CATALOG[name]
    admitted = 0
    for found in (*draws(op), *draws(op, banks=("positive",))):
        bounds = op.bounds(found.bounds, found.params, found.shapes)
        if bounds is None:
            continue
        admitted += 1
        for tensor in results(op, found)[: None if not op.index_outputs else -op.index_outputs]:
            if tensor.numel():
                slack = 1e-12 * (1 + bounds.magnitude)

                assert bounds.lo - slack <= tensor.min().item()
                assert tensor.max().item() <= bounds.hi + slack
    assert admitted >= 3


@pytest.mark.parametrize("name", NAMES)
def test_grains_hold_the_values(name: str) -> None:
    """Where the bounds promise a grain, every value is a multiple of it, from operands that keep the promise."""
    op = CATALOG[name]
    for found in draws(op, banks=("integers", "halves")):
        bounds = op.bounds(found.bounds, found.params, found.shapes)
        if bounds is None or bounds.grain is None or bounds.magnitude > LIMIT:
            continue
        for tensor in results(op, found)[: None if not op.index_outputs else -op.index_outputs]:
            scaled = tensor.double() * 2.0**bounds.grain

            assert torch.equal(scaled, scaled.round())


def is_exact(op: Op) -> bool:
    """Whether the op keeps operands of a grain at a grain."""
    bounds = (op.bounds(f.bounds, f.params, f.shapes) for f in draws(op, banks=("integers", "halves")))
    return any(b is not None and b.grain is not None for b in bounds)


EXACT_OPS = [name for name, op in CATALOG.items() if is_exact(op)]


@pytest.mark.parametrize("name", EXACT_OPS)
def test_exact_ops_are_exact_in_single_precision(name: str) -> None:
    """An op that promises a grain gives the same numbers in float32 as in float64."""
    op = CATALOG[name]
    for found in draws(op, banks=("integers", "halves")):
        bounds = op.bounds(found.bounds, found.params, found.shapes)
        if bounds is None or bounds.grain is None or bounds.magnitude * 2.0**bounds.grain > 512:
            continue
        single = found._replace(operands=[t.float() if t.dtype == torch.float64 else t for t in found.operands])

        assert [t.tolist() for t in results(op, single)] == [t.tolist() for t in results(op, found)]


# -- what a node saves: found by changing each tensor between forward and backward ----------------------------------------------


def refuses(op: Op, found: Draw, changed: int, requiring: tuple[int, ...]) -> bool | None:
    """Whether torch refuses backward after a write into operand `changed` (-1: the result); None where nothing requires grad."""
    leaves = [t.clone().requires_grad_(t.is_floating_point() and i in requiring) for i, t in enumerate(found.operands)]
    operands = [t.clone() for t in leaves]
    made = code(op.name)(*operands, **found.params)
    outs = [operands[0]] if op.inplace else list(made) if isinstance(made, (tuple, list)) else [made]
    outs = [t for t in outs if t.is_floating_point()]
    if not outs or not outs[0].requires_grad or outs[0].is_leaf:
        return None
    copies = [t.clone() for t in outs[:1]]  # the write must not become a part of the graph that is walked
    with torch.no_grad():
        target = outs[0] if changed < 0 else operands[changed]
        target.zero_()
    try:
        torch.autograd.backward(copies, [torch.ones_like(t) for t in copies])
    except RuntimeError as error:
        return "modified by an inplace operation" in str(error)
    return False


def predicted(op: Op, changed: int, requiring: tuple[int, ...]) -> bool:
    """The same from the row's `saves`."""
    return any(what == changed and (when is None or when in requiring) for what, when in op.saved)


def requirements(op: Op) -> list[tuple[int, ...]]:
    """Which operands require grad: every non-empty choice among the floating ones."""
    floats = [i for i, kind in enumerate(op.kinds) if kind == "float"]
    choices = [tuple(f for n, f in enumerate(floats) if bits >> n & 1) for bits in range(1, 1 << len(floats))]
    return [c for c in choices if c]


@pytest.mark.parametrize("name", [n for n, op in CATALOG.items() if not op.view and n not in MISBEHAVING])
def test_saves_is_what_torch_saves(name: str) -> None:
    """A write into an operand or the result before backward is refused exactly where the row says that it is saved."""
    op = CATALOG[name]
    found = next(d for d in draws(op, banks=("positive",)) if all(0 not in s for s in d.shapes) and size(d.shapes[0]) > 1)
    expected, actual = {}, {}
    for requiring in requirements(op):
        for changed in (-1, *range(len(op.kinds))):
            if op.inplace and changed == 0:
                continue  # the target is the result
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome = refuses(op, copy.deepcopy(found), changed, requiring)
            if outcome is not None:
                actual[requiring, changed] = outcome
                expected[requiring, changed] = predicted(op, changed, requiring)

    assert actual == expected


@pytest.mark.parametrize("name", [n for n, op in CATALOG.items() if op.view])
def test_views_share_memory_and_save_nothing(name: str) -> None:
    """A view's result lies in its operand's memory."""
    op = CATALOG[name]
    found = next(d for d in draws(op) if 0 not in d.shapes[0] and 0 not in op.shape(d.shapes, d.params)[0])
    source = found.operands[0].contiguous()
    made = code(name)(source, **found.params)
    first = made[0] if isinstance(made, (tuple, list)) else made

    assert first.untyped_storage().data_ptr() == source.untyped_storage().data_ptr()
    assert op.saves == ""


# Functions of a program's own give what gradients they like, rows of padding get none; constants have none.
OTHER_GRADIENTS = (
    "embedding_with_padding", "detached_copy", "detached_in_place", "made_by_decorated",
)  # fmt: skip
SMOOTH = [
    name
    for name, op in CATALOG.items()
    if not (op.kink or op.index_outputs or op.new_leaf or op.chapter == "function" or name in OTHER_GRADIENTS)
    and "use_reentrant=True" not in op.torch  # backward() alone walks these
]


@pytest.mark.parametrize("name", SMOOTH)
def test_ops_without_a_kink_are_smooth(name: str) -> None:
    """Where a row names no kink, torch's gradient agrees with central differences, so that a difference is a difference."""
    op = CATALOG[name]
    checked = 0
    for found in draws(op, banks=("positive",)):
        if any(0 in s for s in found.shapes) or op.bounds(found.bounds, found.params, found.shapes) is None or op.result_dtype:
            continue
        floats = [i for i, t in enumerate(found.operands) if t.is_floating_point()]

        def function(*tensors: Any, found: Draw = found, floats: list[int] = floats) -> Any:
            operands = list(found.operands)
            for i, tensor in zip(floats, tensors, strict=True):
                operands[i] = tensor.clone()
            return results(op, found._replace(operands=operands))

        inputs = [found.operands[i].clone().requires_grad_() for i in floats]

        assert torch.autograd.gradcheck(function, inputs)
        checked += 1
        if checked == 2:
            break


@pytest.mark.parametrize("name", [n for n, op in CATALOG.items() if op.constant_outputs or op.index_outputs or op.new_leaf])
@pytest.mark.parametrize("recording", [True, False])
def test_results_that_depend_on_nothing(name: str, recording: bool) -> None:
    """Results that a row calls constant never require grad, and those that it calls new leaves always do, and are leaves."""
    op = CATALOG[name]
    found = next(draws(op))
    operands = [t.requires_grad_(t.is_floating_point()) for t in found.operands]
    with torch.set_grad_enabled(recording):
        made = results(op, found._replace(operands=operands))
    constants = made[len(made) - op.constant_outputs - op.index_outputs :]

    assert [t.requires_grad for t in constants] == [op.new_leaf] * len(constants)
    assert all(t.is_leaf for t in constants)
    if op.new_leaf:
        assert [(t.requires_grad, t.is_leaf) for t in made] == [(True, True)]


@pytest.mark.parametrize("name", MISBEHAVING)
def test_misbehaving_functions_are_refused(name: str) -> None:
    """Their forward runs; their backward raises."""
    op = CATALOG[name]
    found = next(draws(op))
    (made,) = results(op, found._replace(operands=[found.operands[0].requires_grad_()]))

    assert made.requires_grad
    with pytest.raises((RuntimeError, ValueError)):
        made.sum().backward()


def test_every_chapter_is_filled() -> None:
    """The catalogue has more than five hundred ops, in all chapters, under names that are Python's."""
    counts = {chapter: sum(op.chapter == chapter for op in CATALOG.values()) for chapter in CHAPTERS}

    assert len(CATALOG) >= 500
    assert {Feature[chapter.upper()] for chapter in counts} <= set(Feature)
    assert min(counts.values()) >= 5
    assert all(name.isidentifier() for name in CATALOG)
