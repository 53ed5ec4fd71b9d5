"""Further in-place ops: pointwise families, writes of wholes and parts, by index and by mask, and ops that only change shape."""

from __future__ import annotations

import math

from conformance.catalog import arithmetic as ar
from conformance.catalog import draws, shapes
from conformance.catalog import indexing as ix
from conformance.catalog import pointwise as pw
from conformance.catalog import products as pr
from conformance.catalog import special as sp
from conformance.catalog import structure as st
from conformance.catalog.activation import thresholded
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, growing, keep, mixed, monotone, reaching, union, within
from conformance.catalog.folding import wide_axis
from conformance.catalog.inplace import VALUES, copied, inplace, partly_copied
from conformance.catalog.op import Need, Op, ShapeRule
from conformance.catalog.pointwise import Many, Params, Shapes
from conformance.chooser import Chooser

F = pw.F


def unary(name: str, bounds: BoundsRule, saves: str = "own", kink: bool = False, code: str = "") -> Op:
    """A row for a method without arguments."""
    return inplace(f"{name}_", code or f"a.{name}_()", bounds, saves=saves, kink=kink)


def binary(name: str, bounds: BoundsRule, saves: str = "", kink: bool = False) -> Op:
    """A row for a method whose argument broadcasts into the target."""
    return inplace(f"{name}_", f"a.{name.partition('_with_')[0]}_(b)", bounds, partners=draws.smaller, saves=saves, kink=kink)


def halfway(xs: Many, p: Params, s: Shapes) -> Bounds:
    """The mean of a and b"""
    return pw.scaled(pw.plus(xs[0], xs[1]), 0.5)


POINTWISE = (
    unary("expm1", monotone(math.expm1, (-8.0, 3.0)), "out"),
    unary("exp2", monotone(lambda x: 2.0**x, (-8.0, 5.0)), "out"),
    unary("log", monotone(math.log, pw.POSITIVE)),
    unary("log1p", monotone(math.log1p, (-0.6, 50.0))),
    unary("log2", monotone(lambda x: math.log(x) / sp.LN2, pw.POSITIVE)),
    unary("rsqrt", monotone(lambda x: x**-0.5, pw.POSITIVE, falling=True), "out"),
    unary("reciprocal", pw.inverted, "out"),
    unary("sinh", monotone(math.sinh, (-3.0, 3.0))),
    unary("cosh", within(1.0, 11.0, (-3.0, 3.0))),
    unary("atan", monotone(math.atan)),
    unary("erf", monotone(math.erf, (-3.0, 3.0))),
    unary("erfc", within(0.0, 2.0, (-3.0, 3.0))),
    unary("sinc", within(-1.0, 1.0, (-4.0, 4.0))),
    unary("i0", within(1.0, 5.0, (-3.0, 3.0))),
    unary("floor", sp.rounded, "", True),
    unary("ceil", sp.rounded, "", True),
    unary("round", sp.rounded, "", True),
    unary("trunc", sp.rounded, "", True),
    unary("frac", sp.fraction, "", True),
    unary("sign", sp.signs, "", True),
    unary("nan_to_num", keep),
    unary("deg2rad", growing(0.02), ""),
    unary("silu", growing(1.0), code=f"{F}.silu(a, inplace=True)"),
    unary("mish", growing(1.0), code=f"{F}.mish(a, inplace=True)"),
    unary("elu", growing(1.0), "out", True, f"{F}.elu_(a)"),
    unary("celu", growing(1.0), "out", True, f"{F}.celu_(a)"),
    unary("selu", growing(1.8), "out", True, f"{F}.selu_(a)"),
    unary("hardtanh", within(-1.0, 1.0), "own", True, f"{F}.hardtanh_(a)"),
    unary("relu6", mixed, "own", True, f"{F}.relu6(a, inplace=True)"),
    unary("hardswish", growing(1.0), "own", True, f"{F}.hardswish(a, inplace=True)"),
    inplace("leaky_relu_", f"{F}.leaky_relu_(a, negative_slope)", pw.leaked, draws.one_of(negative_slope=(0.25, 0.5)),
            saves="out",
            kink=True),
    inplace("threshold_", f"{F}.threshold_(a, threshold, value)", thresholded,
            draws.one_of(threshold=(0.5, -1.0), value=(2.0, -1.0)), saves="own", kink=True),
    inplace("clamp_min_", "a.clamp_(min=bound)", sp.at_most, draws.one_of(bound=(-0.75, 0.5)), saves="own", kink=True),
    inplace("clamp_max_", "a.clamp_(max=bound)", sp.at_most, draws.one_of(bound=(0.75, -0.5)), saves="own", kink=True),
    inplace("div_scalar_", "a.div_(value)", pw.over_value, draws.one_of(value=(2.0, 0.5, -4.0))),
    inplace("sub_scalar_", "a.sub_(value)", lambda xs, p, s: pw.plus(xs[0], pw.point(-p["value"])), VALUES),
    inplace("lerp_scalar_", "a.lerp_(b, 0.5)", halfway, partners=draws.smaller),
)  # fmt: skip

BROADCASTING = (
    binary("pow_with_tensor", ar.raised, "b out"),
    binary("atan2", within(-3.2, 3.2, pw.POSITIVE), "b"),
    binary("hypot", reaching(2.0, 0.0, pw.POSITIVE, pw.POSITIVE), "b?b out"),
    binary("fmod", ar.remained, "b?b", True),
    binary("remainder", ar.remained, "b?b", True),
    binary("copysign", ar.signed, "out", True),
    binary("xlogy", reaching(4.0, 4.0, ar.ANY, pw.POSITIVE), "b"),
    inplace("sub_alpha_", "a.sub_(b, alpha=alpha)", ar.subtracted_multiple, draws.one_of(alpha=(2, -3)), draws.smaller),
    inplace("addcdiv_", "a.addcdiv_(b, c, value=value)", ar.divide_add_multiple, draws.one_of(value=(2.0, -0.5)),
            draws.two_smaller, "b?c c"),
    inplace("clamp_tensors_", "a.clamp_(b, c)", mixed, partners=draws.two_twins, saves="b c", kink=True),
    inplace("mul_integers_", "a.mul_(b)", pw.multiplied, partners=ar.small_numbers, saves="b", second="int64"),
    inplace("masked_fill_number_", "a.masked_fill_(b, c)", st.placed, partners=ix.mask_and_number, saves="b", second="bool"),
    inplace("masked_scatter_", "a.masked_scatter_(b, c.clone())", st.placed, partners=ix.mask_and_source, saves="b",
            shape=ix.same_for_all, second="bool"),
    inplace("setitem_mask", "a[b] = value", pw.filled, VALUES, draws.mask, "b", second="bool"),
)  # fmt: skip


def a_scalar(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A 0-dim operand."""
    return (Need(()),)


def filled_from(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The target's shape; the value is 0-dim."""
    if shapes_[1]:
        raise shapes.ShapeError("the value must be a number")
    return (shapes_[0],)


def on_the_diagonal(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or the value"""
    return union(xs[0], pw.point(p["value"]))


def slice_written(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A value that broadcasts into a slice of the first axis."""
    (region,) = shapes.take_slice(shapes_[:1], params)
    shapes.into_first([region, shapes_[1]], params)
    return (shapes_[0],)


def a_slice_value(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A value for a slice of the first axis."""
    count = len(range(*slice(params["start"], params["stop"], params["step"]).indices(shape[0])))
    return (Need(((count, *shape[1:]), shape[1:])[chooser.below(2)]),)


def last_entry_written(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A value that broadcasts into entry `index` of the last axis."""
    region = shapes.select(shapes_[:1], {"dim": -1, "index": params["index"]})[0]
    shapes.into_first([region, shapes_[1]], params)
    return (shapes_[0],)


def a_last_entry(chooser: Chooser, shape: Shape) -> Params | None:
    """An entry of the last axis."""
    return draws.a_first_entry(chooser, shape[::-1])


def a_last_value(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A value for one entry of the last axis."""
    return (Need((shape[:-1], ())[chooser.below(2)]),)


def one_slice(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """One slice along dim: what is written twice is undefined."""
    there = st.distinct(shape, params["dim"])
    return Need(there, "int64", shape[params["dim"]]), Need(there)


WRITES = (
    inplace("fill_number_", "a.fill_(b)", copied, partners=a_scalar, shape=filled_from),
    inplace("setitem_slice", "a[start:stop:step] = b", partly_copied, draws.a_slice, a_slice_value, shape=slice_written),
    inplace("setitem_last", "a[..., index] = b", partly_copied, a_last_entry, a_last_value, shape=last_entry_written),
    inplace("setitem_all", "a[...] = b", copied, partners=draws.smaller, shape=shapes.into_first),
    inplace("setitem_index", "a[b] = c", st.placed, draws.rows, ix.one_place, "b", ix.onto_rows, second="int64"),
    inplace("add_to_entry", "a[index] += b", lambda xs, p, s: union(xs[0], pw.added(xs, {}, s)), draws.a_first_entry,
            draws.row_value,
            shape=shapes.set_item),
    inplace("fill_diagonal_", "a.fill_diagonal_(value)", on_the_diagonal, VALUES, shape=pr.ranked(shapes.same, 2)),
    inplace("tril_", "a.tril_()", mixed, shape=shapes.matrix),
    inplace("triu_", "a.triu_()", mixed, shape=shapes.matrix),
    inplace("index_copy_", "a.index_copy_(dim, b, c)", st.placed, draws.full_dim, ix.one_place, "b c?c", shapes.index_add,
            second="int64"),
    inplace("index_fill_", "a.index_fill_(dim, b, value)", pw.filled, ix.with_value(draws.full_dim), ix.one_place_alone, "b",
            ix.filled_places, second="int64"),
    inplace("index_put_", "a.index_put_((b,), c)", st.placed, draws.rows, ix.one_place, "b", ix.onto_rows, second="int64"),
    inplace("index_put_accumulate_", "a.index_put_((b,), c, accumulate=True)", st.zero_and_added, draws.rows,
            ix.row_index_and_rows, "b", ix.onto_rows, second="int64"),
    inplace("scatter_", "a.scatter_(dim, b, c)", st.placed, draws.full_dim, one_slice, "b", shapes.scatter, second="int64"),
    inplace("scatter_amax_", "a.scatter_reduce_(dim, b, c, 'amax')", st.placed, draws.full_dim, draws.index_and_source,
            "b c out", shapes.scatter, kink=True, second="int64"),
    inplace("cumprod_", "a.cumprod_(dim)", st.multiplied_up, wide_axis, saves="out",
            shape=shapes.along_axis),
    inplace("renorm_", "a.renorm_(2, dim, 1.0)", reaching(1.0, 0.0), draws.full_dim_of_full, saves="own", shape=shapes.matrix,
            kink=True),
)  # fmt: skip


def kept(rule: ShapeRule) -> ShapeRule:
    """A change of shape that leaves this shape as it was."""

    def checked(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
        if rule(shapes_, params)[0] != shapes_[0]:
            raise shapes.ShapeError(f"{shapes_[0]} would become another shape")
        return (shapes_[0],)

    return checked


def two_equal_dims(chooser: Chooser, shape: Shape) -> Params | None:
    """Two axes of one length."""
    found = draws.two_dims(chooser, shape)
    return found if found and shape[found["dim0"]] == shape[found["dim1"]] else None


# Values stay in memory as they are: what was saved would be read in another order. The shape must come out as it was.
RESHAPING = (
    inplace("t_", "a.t_()", keep, shape=kept(shapes.t)),
    inplace("transpose_", "a.transpose_(dim0, dim1)", keep, two_equal_dims, shape=kept(shapes.transpose)),
    inplace("swapaxes_", "a.swapaxes_(dim0, dim1)", keep, two_equal_dims, shape=kept(shapes.transpose)),
    inplace("unsqueeze_squeeze_", "a.unsqueeze_(dim).squeeze_(dim)", keep, draws.new_dim, shape=shapes.same),
    inplace("squeeze_wide_", "a.squeeze_(dim)", keep, draws.a_dim, shape=kept(shapes.squeeze)),
)

OPS = POINTWISE + BROADCASTING + WRITES + RESHAPING
