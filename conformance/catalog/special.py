"""Further pointwise functions of one operand: inverse and special functions, logarithms to other bases, rounding.

An argument that must stay within a small interval is scaled into it, so that the ordinary values of programs fit.
"""

from __future__ import annotations

import math

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, growing, keep, mixed, monotone, within
from conformance.catalog.op import Op
from conformance.catalog.pointwise import POSITIVE, VALUES, Many, Params, Shapes, plus, point, scaled, unary

UNIT = (-3.2, 3.2)  # a / 4 stays within 0.8 of 0
LN2, LN10 = math.log(2.0), math.log(10.0)


def rounded(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Integers next to the values."""
    return Bounds(xs[0].lo - 1, xs[0].hi + 1, 0)


def fraction(xs: Many, p: Params, s: Shapes) -> Bounds:
    """What is left of a number without its integer part."""
    return Bounds(-1.0, 1.0, xs[0].grain)


def signs(xs: Many, p: Params, s: Shapes) -> Bounds:
    """-1, 0 or 1"""
    return Bounds(-1.0, 1.0, 0)


def power_of_value(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """value ** a for a positive value"""
    if xs[0].magnitude > 4:
        return None
    ends = sorted(p["value"] ** end for end in (xs[0].lo, xs[0].hi))
    return Bounds(ends[0], ends[1], None)


def rooted(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a ** exponent for positive a"""
    if xs[0].lo < 0.2 or xs[0].hi > 8:
        return None
    ends = sorted(end ** p["exponent"] for end in (xs[0].lo, xs[0].hi))
    return Bounds(ends[0], ends[1], None)


def one(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a ** 0"""
    return point(1.0)


def at_most(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or the bound (a multiple of 1/4) where it cuts."""
    return mixed([xs[0], point(p["bound"])], p, s)


def at_most_two(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or 2"""
    return mixed([xs[0], point(2.0)], p, s)


def rounded_to_half(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, to eleven bits"""
    top = 1.001 * xs[0].magnitude
    return Bounds(-top, top, None)


def powers_of_zero(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """0 ** a for a positive a"""
    return point(0.0) if xs[0].lo > 0 else None


def logarithm_times(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """value * log(a) for a positive a"""
    return Bounds(-8.0, 8.0, None) if xs[0].lo >= 0.2 and xs[0].hi <= 16 else None


def scaled_and_moved(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a + 0.5 * (value - a)"""
    return plus(scaled(xs[0], 0.5), scaled(point(p["value"]), 0.5))


def scalar(name: str, code: str, bounds: BoundsRule, saves: str = "", kink: bool = False, **choices: tuple[float, ...]) -> Op:
    """A row for an op of one operand and a number."""
    return Op(name, code, "pointwise", bounds, shapes.same, draws.one_of(**choices), saves=saves, kink=kink)


INVERSES = (
    unary("tan", monotone(lambda x: math.tan(x / 2), (-2.2, 2.2)), "out", "torch.tan(a / 2.0)"),
    unary("asin", monotone(lambda x: math.asin(x / 4), UNIT), "own", "torch.asin(a / 4.0)"),
    unary("acos", monotone(lambda x: math.acos(x / 4), UNIT, falling=True), "own", "torch.acos(a / 4.0)"),
    unary("atanh", monotone(lambda x: math.atanh(x / 4), UNIT), "own", "torch.atanh(a / 4.0)"),
    unary("acosh", monotone(lambda x: math.acosh(x + 5), (-3.5, 40.0)), "own", "torch.acosh(a + 5.0)"),
    unary("erfinv", within(-1.0, 1.0, UNIT), "own", "torch.erfinv(a / 4.0)"),
    unary("logit", within(-2.2, 2.2, UNIT), "own", "torch.logit(a / 8.0 + 0.5)"),
    unary("logit_eps", within(-1.1, 1.1, UNIT), "own", "torch.logit(a / 4.0 + 0.5, eps=0.25)", kink=True),
    unary("ndtri", within(-1.3, 1.3, UNIT), "out", "torch.special.ndtri(a / 8.0 + 0.5)"),
)

FUNCTIONS = (
    unary("exp2", monotone(lambda x: 2.0**x, (-8.0, 5.0)), "out"),
    unary("log2", monotone(lambda x: math.log(x) / LN2, POSITIVE), "a"),
    unary("log10", monotone(lambda x: math.log(x) / LN10, POSITIVE), "a"),
    unary("sinc", within(-1.0, 1.0, (-4.0, 4.0)), "a"),
    # Far from 0, since torch's own trigamma, their derivative, is good to nine digits only for small arguments.
    unary("lgamma", within(18.0, 30.0, (-10.0, 10.0)), "own", "torch.lgamma(a + 60.0) / 8.0"),
    unary("digamma", within(3.8, 4.3, (-10.0, 10.0)), "own", "torch.digamma(a + 60.0)"),
    unary("trigamma", within(0.0, 0.1, (-10.0, 10.0)), "own", "torch.polygamma(1, a + 60.0)"),
    unary("mvlgamma", within(28.0, 46.0, (-10.0, 10.0)), "own", "torch.mvlgamma(a + 60.0, 2) / 10.0"),
    unary("igamma", within(0.0, 1.0, (-6.0, 12.0)), "own", "torch.igamma(torch.full_like(a, 2.0), a + 8.0)"),
    unary("igammac", within(0.0, 1.0, (-6.0, 12.0)), "own", "torch.igammac(torch.full_like(a, 2.0), a + 8.0)"),
    unary("erfc", within(0.0, 2.0, (-3.0, 3.0)), "a"),
    unary("i0", within(1.0, 5.0, (-3.0, 3.0)), "a"),
    unary("i0e", within(0.0, 1.0, (-8.0, 8.0)), "a out", "torch.special.i0e(a)"),
    unary("i1", within(-4.0, 4.0, (-3.0, 3.0)), "a out", "torch.special.i1(a)"),
    unary("entr", within(-50.0, 0.37, (0.2, 16.0)), "a", "torch.special.entr(a)"),
    unary("ndtr", within(0.0, 1.0, (-4.0, 4.0)), "own", "torch.special.ndtr(a)"),
    unary("log_ndtr", within(-12.0, 0.0, (-4.0, 4.0)), "a out", "torch.special.log_ndtr(a)"),
    unary("erfcx", within(0.0, 20.0, (-1.6, 8.0)), "a out", "torch.special.erfcx(a)"),
    unary("deg2rad", growing(0.02)),
    unary("rad2deg", growing(0.9), "", "torch.rad2deg(a / 64.0)"),
)

STEPS = (
    unary("floor", rounded, kink=True),
    unary("ceil", rounded, kink=True),
    unary("trunc", rounded, kink=True),
    unary("round", rounded, kink=True),
    unary("frac", fraction, kink=True),
)

PASSING = (
    unary("positive", keep, code="torch.positive(a) * 1.0"),
    unary("nan_to_num", keep, "a"),
    unary(
        "nan_to_num_beyond",
        at_most_two,
        "own",
        "torch.nan_to_num(a + torch.zeros_like(a).masked_fill(a > 1.0, torch.inf), posinf=2.0)",
        kink=True,
    ),
    unary("through_half", rounded_to_half, "", "a.half().to(a.dtype)", kink=True),
    unary("contiguous_copy", keep, code="a.clone(memory_format=torch.contiguous_format)"),
)

SCALARS = (
    scalar("rpow_scalar", "torch.pow(value, a)", power_of_value, "a out", value=(2.0, 0.5, 1.5)),
    scalar("pow_fractional", "a ** exponent", rooted, "a", exponent=(0.5, 1.5, -1.0, -0.5, -2.0, 2.5)),
    scalar("pow_of_zero", "torch.pow(value, a)", powers_of_zero, "a out", kink=True, value=(0.0,)),
    scalar("polygamma", "torch.polygamma(n, a + 8.0)", within(-1.0, 1.0, (-4.0, 4.0)), "own", n=(2, 3)),
    scalar("xlogy_number_first", "torch.xlogy(value, a)", logarithm_times, "a", value=(2.0, -1.5)),
    scalar("xlogy_number_last", "torch.xlogy(a, value)", growing(1.5), "a", value=(3.0, 0.5)),
    unary("pow_one", keep, "a", "a ** 1.0"),
    unary("pow_zero", one, "a", "a ** 0.0"),
    scalar("clamp_min", "torch.clamp(a, min=bound)", at_most, "a", kink=True, bound=(-0.75, 0.5, 1.0)),
    scalar("clamp_max", "torch.clamp(a, max=bound)", at_most, "a", kink=True, bound=(0.75, -0.5, 1.0)),
    scalar("lerp_scalar", "torch.lerp(a, a * 0.0 + value, 0.5)", scaled_and_moved, value=VALUES),
)

OPS = INVERSES + FUNCTIONS + STEPS + PASSING + SCALARS
