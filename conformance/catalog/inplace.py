"""In-place ops: each writes into its first operand, `a`.

`saves` is torch's too: what an in-place op saves of its target is a copy made before the write, so only the operands and the
result count. The bounds are those of the value written.
"""

from __future__ import annotations

import math

from conformance.catalog import draws, shapes
from conformance.catalog import pointwise as pw
from conformance.catalog import structure as st
from conformance.catalog.bounds import Bounds, BoundsRule, mixed, monotone, union, within
from conformance.catalog.op import Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners


def inplace(
    name: str, code: str, bounds: BoundsRule, params: ParamsRule = no_params, partners: PartnersRule = no_partners,
    saves: str = "", shape: ShapeRule = shapes.into_first, kink: bool = False,
    second: str = "float",
) -> Op:  # fmt: skip
    """A row for an in-place op."""
    return Op(name, code, "inplace", bounds, shape, params, partners, saves, kink, inplace=True, second=second)


def copied(xs: pw.Many, p: pw.Params, s: pw.Shapes) -> Bounds:
    """The second operand's values"""
    return xs[1]


def partly_copied(xs: pw.Many, p: pw.Params, s: pw.Shapes) -> Bounds:
    """Values of both operands"""
    return union(xs[0], xs[1])


def one_value(xs: pw.Many, p: pw.Params, s: pw.Shapes) -> Bounds:
    """The one value filled in"""
    return pw.point(p["value"])


VALUES = draws.one_of(value=pw.VALUES)

OPS = (
    inplace("mul_", "a.mul_(b)", pw.multiplied, partners=draws.smaller, saves="b?a"),
    inplace("add_", "a.add_(b)", pw.added, partners=draws.smaller),
    inplace("sub_", "a.sub_(b)", pw.subtracted, partners=draws.smaller),
    inplace("div_", "a.div_(b)", pw.divided, partners=draws.smaller, saves="b"),
    inplace("add_alpha_", "a.add_(b, alpha=alpha)", pw.added, draws.one_of(alpha=(2, -3)), draws.smaller),
    inplace("add_scalar_", "a.add_(value)", lambda xs, p, s: pw.plus(xs[0], pw.point(p["value"])), VALUES),
    inplace("mul_scalar_", "a.mul_(value)", lambda xs, p, s: pw.scaled(xs[0], p["value"]), VALUES),
    inplace("neg_", "a.neg_()", pw.negated),
    inplace("zero_", "a.zero_()", lambda xs, p, s: pw.point(0.0)),
    inplace("fill_", "a.fill_(value)", one_value, VALUES),
    Op("zero_index_", "a.zero_()", "inplace", lambda xs, p, s: pw.point(0.0), shapes.into_first, inplace=True, first="int64"),
    inplace("copy_", "a.copy_(b)", copied, partners=draws.smaller),
    inplace("square_", "a.square_()", pw.squared, saves="own"),
    inplace("pow_", "a.pow_(exponent)", pw.cubed, draws.one_of(exponent=(2, 3)), saves="own"),
    inplace("exp_", "a.exp_()", monotone(math.exp, (-8.0, 3.0)), saves="out"),
    inplace("sin_", "a.sin_()", within(-1.0, 1.0), saves="own"),
    inplace("cos_", "a.cos_()", within(-1.0, 1.0), saves="own"),
    inplace("tanh_", "a.tanh_()", monotone(math.tanh, (-4.0, 4.0)), saves="out"),
    inplace("sigmoid_", "a.sigmoid_()", within(0.0, 1.0, (-8.0, 8.0)), saves="out"),
    inplace("sqrt_", "a.sqrt_()", monotone(math.sqrt, pw.POSITIVE), saves="out"),
    inplace("relu_", "a.relu_()", mixed, saves="out", kink=True),
    inplace("abs_", "a.abs_()", pw.magnitude, kink=True),
    inplace("clamp_", "a.clamp_(min, max)", pw.clamped, draws.one_of(min=(-0.75, -1.25), max=(0.75, 1.25)), kink=True),
    inplace("addcmul_", "a.addcmul_(b, c, value=value)", pw.multiply_add, draws.one_of(value=(1.0, 2.0, -0.5)),
            draws.two_smaller, "b?c c?b"),
    inplace("lerp_", "a.lerp_(b, c)", pw.interpolated, partners=draws.two_smaller, saves="b?c c"),
    inplace("masked_fill_", "a.masked_fill_(b, value)", pw.filled, VALUES, draws.mask, "b", second="bool"),
    inplace("cumsum_", "a.cumsum_(dim)", st.running, draws.a_dim, shape=shapes.along_axis),
    inplace("index_add_", "a.index_add_(dim, b, c)", st.zero_and_added, draws.full_dim, draws.index_and_slices, "b?c c?c",
            shapes.index_add, second="int64"),
    inplace("scatter_add_", "a.scatter_add_(dim, b, c)", st.zero_and_added, draws.full_dim, draws.index_and_source, "b?c",
            shapes.scatter, second="int64"),
    inplace("setitem", "a[index] = b", partly_copied, draws.a_first_entry, draws.row_value, shape=shapes.set_item),
    inplace("setitem_scalar", "a[index] = value", pw.filled,
            lambda ch, s: {**(draws.a_first_entry(ch, s) or {}), **VALUES(ch, s)} if s and s[0] else None,  # type: ignore[dict-item]
            shape=shapes.set_item),
)  # fmt: skip
