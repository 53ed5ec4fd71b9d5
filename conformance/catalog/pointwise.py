"""Pointwise and broadcasting ops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import (
    Bounds,
    BoundsRule,
    Shape,
    away_from_zero,
    finer,
    growing,
    keep,
    mixed,
    monotone,
    product,
    reaching,
    within,
)
from conformance.catalog.op import Op

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]


def negated(xs: Many, p: Params, s: Shapes) -> Bounds:
    """-a"""
    return Bounds(-xs[0].hi, -xs[0].lo, xs[0].grain)


def squared(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a * a"""
    top = xs[0].magnitude ** 2
    return Bounds(0.0, top, None if xs[0].grain is None else 2 * xs[0].grain)


def magnitude(xs: Many, p: Params, s: Shapes) -> Bounds:
    """|a|"""
    return Bounds(0.0, xs[0].magnitude, xs[0].grain)


def added(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a + alpha * b"""
    return plus(xs[0], scaled(xs[1], p.get("alpha", 1)))


def subtracted(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a - b"""
    return plus(xs[0], scaled(xs[1], -1))


def plus(a: Bounds, b: Bounds) -> Bounds:
    """Bounds of sums."""
    return Bounds(a.lo + b.lo, a.hi + b.hi, finer(a.grain, b.grain))


def point(value: float) -> Bounds:
    """Bounds of a constant that is a multiple of 1/4."""
    return Bounds(value, value, 2)


def scaled(a: Bounds, value: float) -> Bounds:
    """Bounds of multiples; the factor is a multiple of 1/4."""
    low, high = (a.lo, a.hi) if value >= 0 else (a.hi, a.lo)
    return Bounds(low * value, high * value, None if a.grain is None else a.grain + 2)


def multiplied(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a * b"""
    return product(xs[0], xs[1])


def quotient(a: Bounds, b: Bounds) -> Bounds | None:
    """a / b where b stays away from 0."""
    if not away_from_zero(b):
        return None
    ends = (a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi)
    return Bounds(min(ends), max(ends), None)


def divided(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a / b"""
    return quotient(xs[0], xs[1])


def inverted(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """1 / a"""
    return quotient(Bounds(1.0, 1.0, None), xs[0])


def value_over(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """value / a"""
    return quotient(point(p["value"]), xs[0])


def over_value(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a / value, a power of two: exact."""
    return product(xs[0], Bounds(1 / p["value"], 1 / p["value"], 3))


def cubed(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a ** exponent for a small positive integer"""
    reach = max(1.0, xs[0].magnitude) ** p["exponent"]
    return Bounds(-reach, reach, None if xs[0].grain is None else p["exponent"] * xs[0].grain)


def powered(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a ** b for positive a"""
    a, b = xs
    if a.lo < 0.2 or b.magnitude > 3 or a.hi > 8:
        return None
    ends = [x**y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    return Bounds(min(ends), max(ends), None)


def clamped(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Values cut off at min and max, multiples of 1/4."""
    lo, hi = min(max(xs[0].lo, p["min"]), p["max"]), max(min(xs[0].hi, p["max"]), p["min"])
    return Bounds(lo, hi, finer(xs[0].grain, 2))


def leaked(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or a * slope (a multiple of 1/4) where negative"""
    return mixed([xs[0], scaled(xs[0], p["negative_slope"])], p, s)


def multiply_add(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a + value * b * c"""
    return plus(xs[0], scaled(product(xs[1], xs[2]), p["value"]))


def divide_add(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a + b / c"""
    part = quotient(xs[1], xs[2])
    return None if part is None else Bounds(xs[0].lo + part.lo, xs[0].hi + part.hi, None)


def interpolated(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a + c * (b - a)"""
    return plus(xs[0], product(plus(xs[1], scaled(xs[0], -1)), xs[2]))


def chosen(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a or c by the mask b"""
    return mixed([xs[0], xs[2]], p, s)


def filled(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or value where masked"""
    return mixed([xs[0], point(p["value"])], p, s)


def larger(xs: Many, p: Params, s: Shapes) -> Bounds:
    """One of the operands' values"""
    return mixed(xs[:2], p, s)


POSITIVE = (0.2, 50.0)


def unary(name: str, bounds: BoundsRule, saves: str = "", code: str = "", kink: bool = False) -> Op:
    """A row for an op of one operand and no parameters."""
    return Op(name, code or f"torch.{name}(a)", "pointwise", bounds, shapes.same, saves=saves, kink=kink)


F = "torch.nn.functional"
VALUES = (2.0, -1.0, 0.5, 3.0, -0.5)

UNARY = (
    unary("neg", negated),
    unary("clone", keep, code="a.clone()"),
    unary("square", squared, "a"),
    unary("exp", monotone(math.exp, (-8.0, 3.0)), "out"),
    unary("expm1", monotone(math.expm1, (-8.0, 3.0)), "out"),
    unary("log", monotone(math.log, POSITIVE), "a"),
    unary("log1p", monotone(math.log1p, (-0.6, 50.0)), "a"),
    unary("sqrt", monotone(math.sqrt, POSITIVE), "out"),
    unary("rsqrt", monotone(lambda x: x**-0.5, POSITIVE, falling=True), "out"),
    unary("reciprocal", inverted, "out"),
    unary("sin", within(-1.0, 1.0), "a"),
    unary("cos", within(-1.0, 1.0), "a"),
    unary("tanh", monotone(math.tanh, (-4.0, 4.0)), "out"),
    unary("sinh", monotone(math.sinh, (-3.0, 3.0)), "a"),
    unary("cosh", within(1.0, 11.0, (-3.0, 3.0)), "a"),
    unary("sigmoid", monotone(lambda x: 1 / (1 + math.exp(-x)), (-8.0, 8.0)), "out"),
    unary("atan", monotone(math.atan), "a"),
    unary("asinh", monotone(math.asinh), "a"),
    unary("erf", monotone(math.erf, (-3.0, 3.0)), "a"),
    unary("softplus", growing(1.0), "a", f"{F}.softplus(a)"),
    unary("silu", growing(1.0), "a", f"{F}.silu(a)"),
    unary("gelu", growing(1.0), "a", f"{F}.gelu(a)"),
    unary("abs", magnitude, "a", kink=True),
    unary("relu", mixed, "out", kink=True),
    unary("elu", growing(1.0), "a", f"{F}.elu(a)", kink=True),
    unary("sign", within(-1.0, 1.0), kink=True),
)

SCALAR = (
    Op("add_scalar", "a + value", "pointwise", lambda xs, p, s: plus(xs[0], point(p["value"])), shapes.same,
       draws.one_of(value=VALUES)),
    Op("mul_scalar", "a * value", "pointwise", lambda xs, p, s: scaled(xs[0], p["value"]), shapes.same,
       draws.one_of(value=VALUES)),
    Op("rsub_scalar", "value - a", "pointwise", lambda xs, p, s: plus(point(p["value"]), scaled(xs[0], -1)), shapes.same,
       draws.one_of(value=VALUES)),
    Op("div_scalar", "a / value", "pointwise", over_value, shapes.same, draws.one_of(value=(2.0, 0.5, -4.0))),
    Op("rdiv_scalar", "value / a", "pointwise", value_over, shapes.same, draws.one_of(value=VALUES), saves="own"),
    Op("pow_scalar", "a ** exponent", "pointwise", cubed, shapes.same, draws.one_of(exponent=(2, 3, 4, 5)), saves="a"),
    Op("clamp", "torch.clamp(a, min=min, max=max)", "pointwise", clamped, shapes.same,
       draws.one_of(min=(-0.75, -1.25), max=(0.75, 1.25)), saves="a", kink=True),
    Op("leaky_relu", f"{F}.leaky_relu(a, negative_slope)", "pointwise", leaked, shapes.same,
       draws.one_of(negative_slope=(0.25, 0.5)), saves="a", kink=True),
)  # fmt: skip


def binary(name: str, bounds: BoundsRule, saves: str = "", kink: bool = False) -> Op:
    """A row for an op of two broadcasting operands and no parameters."""
    code = f"torch.{name}(a, b)"
    return Op(name, code, "binary", bounds, shapes.broadcast, partners=draws.peer, saves=saves, kink=kink, promotes=True)


BROADCASTING = (
    binary("add", added),
    binary("mul", multiplied, "a?b b?a"),
    binary("sub", subtracted),
    binary("div", divided, "a?b b"),
    binary("pow", powered, "a b out"),
    binary("maximum", larger, "a b", kink=True),
    binary("minimum", larger, "a b", kink=True),
    binary("atan2", within(-3.2, 3.2, POSITIVE), "a b"),
    binary("logaddexp", reaching(1.0, 1.0), "a b"),
    Op("add_alpha", "torch.add(a, b, alpha=alpha)", "binary", added, shapes.broadcast, draws.one_of(alpha=(2, -3)),
       draws.peer, promotes=True),
    Op("addcmul", "torch.addcmul(a, b, c, value=value)", "binary", multiply_add, shapes.broadcast,
       draws.one_of(value=(1.0, 2.0, -0.5)), draws.two_peers, saves="b?c c?b"),
    Op("addcdiv", "torch.addcdiv(a, b, c)", "binary", divide_add, shapes.broadcast, partners=draws.two_peers, saves="b?c c"),
    Op("lerp", "torch.lerp(a, b, c)", "binary", interpolated, shapes.broadcast, partners=draws.two_peers, saves="a?c b?c c"),
    Op("where", "torch.where(b, a, c)", "binary", chosen, shapes.broadcast, partners=draws.mask_and_peer, saves="b",
       second="bool"),
    Op("masked_fill", "torch.masked_fill(a, b, value)", "binary", filled, shapes.broadcast, draws.one_of(value=VALUES),
       draws.mask, saves="b", second="bool"),
)  # fmt: skip

CASTS = (
    Op("float", "a.float()", "pointwise", keep, shapes.same, result_dtype="float32"),
    Op("double", "a.double()", "pointwise", keep, shapes.same, result_dtype="float64"),
)  # fmt: skip

OPS = UNARY + SCALAR + BROADCASTING + CASTS
