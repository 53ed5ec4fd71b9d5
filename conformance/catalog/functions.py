"""Differentiable functions that a program defines itself: subclasses of Function, one for each thing that they may do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, keep, monotone, product, union
from conformance.catalog.op import Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners
from conformance.catalog.pointwise import cubed, multiplied, scaled, squared
from conformance.chooser import Chooser

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]


def multiplied_and_counted(xs: Sequence[Bounds], p: dict[str, Any], s: Sequence[Shape]) -> Bounds | None:
    """The product, and beside it a count that begins at 0."""
    bounds = multiplied(xs, p, s)
    return bounds and Bounds(min(bounds.lo, 0.0), max(bounds.hi, 0.0), bounds.grain)


def doubled_and_counted(xs: Many, p: Params, s: Shapes) -> Bounds:
    """2 * a, and beside it a small number"""
    return union(scaled(xs[0], 2.0), Bounds(0.0, 8.0, 0))


def definition(name: str, forward: str, backward: str, *, inputs: str = "x", gradients: str = "g", decorator: str = "") -> str:
    """The code of a function: what `forward` and `backward` do, in lines."""
    head = [f"class {name}(torch.autograd.Function):", "    @staticmethod", f"    def forward(ctx, {inputs}):"]
    head += [f"        {line}" for line in forward.split("; ")]
    head += ["", "    @staticmethod", *([f"    {decorator}"] if decorator else []), f"    def backward(ctx, {gradients}):"]
    return "\n".join([*head, *(f"        {line}" for line in backward.split("; "))]) + "\n"


def doubled(xs: Many, p: Params, s: Shapes) -> Bounds:
    """2 * a"""
    return scaled(xs[0], 2.0)


def tripled(xs: Many, p: Params, s: Shapes) -> Bounds:
    """2 * a and 3 * a"""
    return product(xs[0], Bounds(2.0, 3.0, 0))


def by_value(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a * value"""
    return scaled(xs[0], p["value"])


def tenfold_and_square(xs: Many, p: Params, s: Shapes) -> Bounds:
    """10 * a and a * a"""
    top = max(10 * xs[0].magnitude, xs[0].magnitude ** 2)
    return Bounds(-top, top, None if xs[0].grain is None else 2 * xs[0].grain)


def twice(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two results of the operand's shape."""
    return (shapes_[0],) * 2


def ends_exchanged(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The first and the last axis change places."""
    return shapes.transpose(shapes_, {"dim0": 0, "dim1": -1})


def wide(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but an operand of several elements."""
    return {} if shape and 0 not in shape and shape[-1] > 1 else None


def function(
    name: str, setup: str, bounds: BoundsRule, saves: str = "", arguments: str = "a", shape: ShapeRule = shapes.same,
    params: ParamsRule = no_params, partners: PartnersRule = no_partners, **more: Any,
) -> Op:  # fmt: skip
    """A row for a function that the setup defines."""
    defined = setup.partition("class ")[2].partition("(")[0]
    return Op(name, f"{defined}.apply({arguments})", "function", bounds, shape, params, partners, saves, setup=setup, **more)


SETUP_CONTEXT = """class Cube(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x * x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * x * x * 3.0
"""
SQUARE = definition("Square", "ctx.save_for_backward(x); return x * x", "x, = ctx.saved_tensors; return g * x * 2.0")
EXPONENTIAL = definition(
    "Exponential", "y = torch.exp(x); ctx.save_for_backward(y); return y", "y, = ctx.saved_tensors; return g * y"
)
PRODUCT = definition(
    "Product", "ctx.save_for_backward(x, y); return x * y", "x, y = ctx.saved_tensors; return g * y, g * x", inputs="x, y"
)
TWO = definition("DoubleAndTriple", "return x * 2.0, x * 3.0", "return g * 2.0 + h * 3.0", gradients="g, h")
MAYBE_NONE = definition(
    "DoubleAndTripleOrNone",
    "ctx.set_materialize_grads(False); return x * 2.0, x * 3.0",
    "parts = [t * f for t, f in ((g, 2.0), (h, 3.0)) if t is not None]; return sum(parts) if parts else None",
    gradients="g, h",
)
MARKED = definition(
    "DoubleAndConstant",
    "y = x * 3.0; ctx.mark_non_differentiable(y); return x * 2.0, y",
    "return g * 2.0",
    gradients="g, h",
)
MARKED_PLACES = definition(
    "SortedWithPlaces",
    "y, i = torch.sort(x, stable=True); ctx.mark_non_differentiable(i); ctx.save_for_backward(i); return y, i",
    "i, = ctx.saved_tensors; return torch.zeros_like(g).scatter(-1, i, g)",
    gradients="g, h",
)
IDENTITY = definition("FivefoldGradient", "return x", "return g * 5.0")
VIEWED = definition("EndsExchanged", "return x.transpose(0, -1)", "return g.transpose(0, -1)")
ASKING = definition(
    "AskingProduct",
    "ctx.save_for_backward(x, y); return x * y",
    "x, y = ctx.saved_tensors; f = 1.0 + sum(ctx.needs_input_grad); return g * y * f, g * x * f",
    inputs="x, y",
)
WITH_NUMBER = definition("TimesNumber", "ctx.value = value; return x * value", "return g * ctx.value, None", inputs="x, value")
ONCE = definition(
    "SquareOnce",
    "ctx.save_for_backward(x); return x * x",
    "x, = ctx.saved_tensors; return g * x * 2.0",
    decorator="@torch.autograd.function.once_differentiable",
)
NONE_FOR_ONE = definition(
    "ProductOfOne", "ctx.save_for_backward(y); return x * y", "y, = ctx.saved_tensors; return g * y, None", inputs="x, y"
)
WIDER = definition("WiderGradient", "return x * 1.0", "return torch.stack([g, g])")
DEAD_OUTPUT = definition(
    "TenfoldAndSquare",
    "u = x * 10.0; ctx.save_for_backward(u); return u, x * x",
    "u, = ctx.saved_tensors; return g * 10.0 + h * u / 5.0",
    gradients="g, h",
)
COUNTING = definition(
    "DoubleAndTripleByCount",
    "ctx.set_materialize_grads(False); return x * 2.0, x * 3.0",
    "known = [t * f for t, f in ((g, 2.0), (h, 3.0)) if t is not None]; return sum(known) * len(known) if known else None",
    gradients="g, h",
)
WRITING_UNSEEN = definition("DoublingUnseen", "x.data.mul_(2.0); ctx.mark_dirty(x); return x", "return g * 2.0")

HOOKED_TOGETHER = """def product_hooked_together(x, y):
    calls = torch.zeros_like(x, requires_grad=False)
    factors = x * 1.0, y * 1.0
    hooked = [t for t in factors if t.requires_grad]
    if hooked:
        torch.autograd.graph.register_multi_grad_hook(hooked, lambda gradients: calls.add_(len(gradients)))
    return factors[0] * factors[1], calls
"""
CHANGED_UNSEEN = """def square_changed_unseen(x):
    factor = x * 1.0
    square = factor * factor
    factor.data.add_(1.0)
    return square * 1.0
"""
LEFT_BY_ERROR = """def doubled_after_error(x):
    try:
        with torch.no_grad():
            raise ValueError("for once")
    except ValueError:
        return x * 2.0
"""
SAVING_ANEW = definition(
    "SquareSavedAnew",
    "ctx.save_for_backward(x * 100.0); ctx.save_for_backward(x); return x * x",
    "x, = ctx.saved_tensors; return g * x * 2.0",
)
ON_CPU = """def square_saved_on_cpu(x):
    y = x * 1.0
    with torch.autograd.graph.save_on_cpu():
        return y * y
"""
MATERIALIZED = """def doubled_with_materialized(x):
    with torch.inference_mode(False), torch.enable_grad():
        unused, used = (torch.ones_like(x, requires_grad=True) for _ in range(2))
        zeros, twos = torch.autograd.grad((used * 2.0).sum(), [unused, used], materialize_grads=True)
    return x * 2.0, zeros + twos
"""
WITHIN_INFERENCE = """def doubled_and_modes_of_inference(x):
    with torch.inference_mode(), torch.enable_grad():
        modes = torch.is_grad_enabled() + 2.0 * (x * 2.0).requires_grad + 4.0 * torch.is_inference_mode_enabled()
    return x * 2.0, torch.zeros_like(x) + modes
"""
WRITING = definition("Doubling", "x.mul_(2.0); ctx.mark_dirty(x); return x", "return g * 2.0")

OPS = (
    function("function_saving_input", SQUARE, squared, "a", marks="function_saves"),
    function("function_saving_output", EXPONENTIAL, monotone(math.exp, (-8.0, 3.0)), "out", marks="function_saves"),
    function("function_saving_both", PRODUCT, multiplied, "a b", "a, b", shapes.same, no_params,
             draws.twin, marks="function_saves"),
    function("function_with_setup_context", SETUP_CONTEXT, lambda xs, p, s: cubed(xs, {"exponent": 3}, s), "a",
             marks="function_saves"),
    function("function_with_two_outputs", TWO, tripled, shape=twice, marks="function_outputs"),
    function("function_with_absent_gradients", MAYBE_NONE, tripled, shape=twice, marks="function_outputs"),
    function("function_with_constant_output", MARKED, tripled, shape=twice, constant_outputs=1, marks="function_constant_output"),
    function("function_with_places", MARKED_PLACES, keep, "own", shape=twice, params=wide, index_outputs=1, kink=True,
             marks="function_constant_output"),
    function("function_returning_input", IDENTITY, keep, view=True, marks="function_returns_input"),
    function("function_returning_view", VIEWED, keep, shape=ends_exchanged, params=draws.rows, view=True,
             marks="function_returns_input"),
    function("function_asking", ASKING, multiplied, "a b", "a, b", shapes.same, no_params,
             draws.twin, marks="function_asks"),
    function("function_with_number", WITH_NUMBER, by_value, "", "a, value", shapes.same, draws.one_of(value=(2.0, -0.5))),
    function("function_differentiable_once", ONCE, squared, "a", marks="function_once"),
    function("function_with_none", NONE_FOR_ONE, multiplied, "b", "a, b", shapes.same, no_params,
             draws.twin, marks="function_asks"),
    function("function_with_wider_gradient", WIDER, keep),
    function("function_saving_dead_output", DEAD_OUTPUT, tenfold_and_square, "out", shape=twice, marks="function_outputs"),
    function("function_counting_gradients", COUNTING, tripled, shape=twice, marks="function_outputs"),
    Op("function_hooked_together", "product_hooked_together(a, b)", "function", multiplied_and_counted, twice,
       partners=draws.twin, saves="own", constant_outputs=1, setup=HOOKED_TOGETHER, marks="hook"),
    Op("function_changing_data", "square_changed_unseen(a)", "function", squared, shapes.same, saves="own",
       setup=CHANGED_UNSEEN),
    Op("function_after_error", "doubled_after_error(a)", "function", doubled, shapes.same, setup=LEFT_BY_ERROR,
       marks="mode_within"),
    function("function_saving_anew", SAVING_ANEW, squared, "a", marks="function_saves"),
    Op("function_saving_on_cpu", "square_saved_on_cpu(a)", "function", squared, shapes.same, saves="own", setup=ON_CPU,
       marks="packed"),
    Op("function_with_materialized", "doubled_with_materialized(a)", "function", doubled_and_counted, twice,
       constant_outputs=1, setup=MATERIALIZED, marks="grad_call"),
    Op("function_within_inference", "doubled_and_modes_of_inference(a)", "function", doubled_and_counted, twice,
       constant_outputs=1, setup=WITHIN_INFERENCE, marks="mode_within"),
    Op("function_writing_unseen", "DoublingUnseen.apply(a)", "inplace", doubled, shapes.same, inplace=True, setup=WRITING_UNSEEN,
       marks="function function_writes"),
    Op("function_writing", "Doubling.apply(a)", "inplace", doubled, shapes.same, inplace=True, setup=WRITING,
       marks="function function_writes"),
)  # fmt: skip

# What torch refuses in backward. They are ops of the catalogue like the others, to be drawn where a refusal is wanted.
WRONG_SHAPE = definition("WrongShape", "return x * 1.0", "return g.new_ones((g.numel() + 5,))")
TOO_FEW = definition("TooFew", "return x + y", "return g", inputs="x, y")
TOO_MANY = definition("TooMany", "return x + y", "return g, g, g", inputs="x, y")
FOR_NUMBER = definition("ForNumber", "return x * value", "return g * 2.0, g", inputs="x, value")
OTHER_DTYPE = """def hooked_with_other_dtype(x):
    y = x * 1.0
    other = torch.float32 if x.dtype == torch.float64 else torch.float64
    if y.requires_grad:
        y.register_hook(lambda g: g.to(other))
    return y
"""
BY_OUT = """def square_overwritten_by_out(x):
    y = x * 1.0
    z = y * y
    with torch.no_grad():
        torch.add(y, y, out=y)
    return z
"""
RAISING = definition("Raising", "return x * 1.0", "raise RuntimeError('no gradient today')")

misbehaving = partial(function, marks="function_misbehaves")

MISBEHAVING = (
    misbehaving("function_with_wrong_shape", WRONG_SHAPE, keep, params=wide),
    misbehaving("function_with_too_few_gradients", TOO_FEW, lambda xs, p, s: product(xs[0], Bounds(-2.0, 2.0, 0)), "", "a, a"),
    misbehaving("function_with_too_many_gradients", TOO_MANY, lambda xs, p, s: product(xs[0], Bounds(-2.0, 2.0, 0)), "", "a, a"),
    misbehaving("function_that_raises", RAISING, keep),
    misbehaving("function_with_gradient_for_number", FOR_NUMBER, doubled, "", "a, 2.0"),
    Op(
        "function_with_miscast_hook",
        "hooked_with_other_dtype(a)",
        "function",
        keep,
        shapes.same,
        setup=OTHER_DTYPE,
        marks="hook hook_misshapes",
    ),
    Op(
        "function_overwriting_by_out",
        "square_overwritten_by_out(a)",
        "function",
        squared,
        shapes.same,
        setup=BY_OUT,
        marks="saved_written_under_no_grad",
    ),
)
