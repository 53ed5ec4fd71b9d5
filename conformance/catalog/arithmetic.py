"""Further broadcasting ops: remainders, special functions of two operands, bounds that are tensors, operands of other kinds."""

from __future__ import annotations

from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, away_from_zero, mixed, product, reaching
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, no_params
from conformance.catalog.pointwise import (
    POSITIVE,
    VALUES,
    Many,
    Params,
    Shapes,
    added,
    binary,
    divide_add,
    larger,
    multiplied,
    plus,
    point,
    quotient,
    scaled,
    subtracted,
)
from conformance.chooser import Chooser

ANY = (-50.0, 50.0)


def remained(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """The remainder of a by b, where b stays away from 0: smaller than b, and exact."""
    a, b = xs[0], xs[1] if len(xs) > 1 else point(p["value"])
    if not away_from_zero(b) or a.magnitude > 40:
        return None
    grain = None if a.grain is None or b.grain is None else max(a.grain, b.grain)
    return Bounds(-b.magnitude, b.magnitude, grain)


def signed(xs: Many, p: Params, s: Shapes) -> Bounds:
    """|a| with a sign"""
    return Bounds(-xs[0].magnitude, xs[0].magnitude, xs[0].grain)


def shifted(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a * 2 ** b"""
    top = xs[0].magnitude * 2.0 ** xs[1].hi
    return Bounds(-top, top, None) if xs[1].magnitude <= 3 else None


def raised(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a ** b for positive a"""
    if xs[0].lo < 0.2 or xs[0].hi > 4 or xs[1].magnitude > 3:
        return None
    return Bounds(0.0, max(xs[0].hi, 1 / xs[0].lo) ** xs[1].magnitude, None)


def turned(xs: Many, p: Params, s: Shapes) -> Bounds:
    """b - alpha * a"""
    return plus(xs[1], scaled(xs[0], -p.get("alpha", 1)))


def subtracted_multiple(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a - alpha * b"""
    return plus(xs[0], scaled(xs[1], -p["alpha"]))


def whole(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a / b rounded to an integer, where b stays away from 0"""
    part = quotient(xs[0], xs[1])
    return None if part is None else Bounds(part.lo - 1, part.hi + 1, 0)


def divide_add_multiple(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a + value * b / c"""
    return divide_add([xs[0], scaled(xs[1], p["value"]), xs[2]], p, s)


def between(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, b or c"""
    return mixed(xs, p, s)


def part_of_the_way(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a + weight * (b - a)"""
    return plus(xs[0], scaled(plus(xs[1], scaled(xs[0], -1)), p["weight"]))


def on_numbers(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a / (b + 2) for indices b"""
    top = xs[0].magnitude
    return Bounds(-top, top, None)


def small_numbers(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Integers below 4 that broadcast into the first operand."""
    return (Need((shape, shape, shape[1:])[chooser.below(3)], "int64", 4),)


def row(
    name: str, code: str, bounds: BoundsRule, saves: str = "", params: ParamsRule = no_params,
    partners: PartnersRule = draws.peer, **more: Any,
) -> Op:  # fmt: skip
    """A row for a broadcasting op."""
    return Op(name, code, "binary", bounds, shapes.broadcast, params, partners, saves, **more)


FUNCTIONS = (
    binary("hypot", reaching(2.0, 0.0, POSITIVE, POSITIVE), "a?a b?b out"),
    binary("fmod", remained, "a?b b?b", kink=True),
    binary("remainder", remained, "a?b b?b", kink=True),
    binary("copysign", signed, "a?a out", kink=True),
    binary("fmax", larger, "a b", kink=True),
    binary("fmin", larger, "a b", kink=True),
    row("fmax_beside_nan", "torch.fmax(a, b.masked_fill(b > 0.75, torch.nan))", larger, "a own", kink=True),
    row("fmin_beside_nan", "torch.fmin(a.masked_fill(a > 0.75, torch.nan), b)", larger, "b own", kink=True),
    row("lerp_value", "torch.lerp(a, b, weight)", part_of_the_way, params=draws.one_of(weight=(0.25, 0.75, 1.5))),
    binary("logaddexp2", reaching(1.0, 1.0), "a b"),
    binary("xlogy", reaching(4.0, 4.0, ANY, POSITIVE), "a b"),
    row("xlog1py", "torch.special.xlog1py(a, b)", reaching(4.0, 4.0, ANY, (-0.6, 50.0)), "a b", promotes=True),
    row("ldexp", "torch.ldexp(a, b)", shifted, "out b?a"),
    row("float_power", "torch.float_power(a, b)", raised, "a b out", result_dtype="float64"),
    row("rsub", "torch.rsub(a, b)", turned, promotes=True),
    row("rsub_alpha", "torch.rsub(a, b, alpha=alpha)", turned, params=draws.one_of(alpha=(2, -3)), promotes=True),
    row("sub_alpha", "torch.sub(a, b, alpha=alpha)", subtracted_multiple, params=draws.one_of(alpha=(2, -3)), promotes=True),
    row("div_mode", "torch.div(a, b, rounding_mode=mode)", whole, params=draws.one_of(mode=("floor", "trunc")), kink=True,
            saves="a?b b"),
    row("clamp_tensors", "torch.clamp(a, b, c)", between, "a b c", partners=draws.two_twins, kink=True),
    row("clamp_min_tensor", "torch.clamp(a, min=b)", between, "a b", kink=True),
    row("clamp_max_tensor", "torch.clamp(a, max=b)", between, "a b", kink=True),
    row("addcdiv_value", "torch.addcdiv(a, b, c, value=value)", divide_add_multiple, "b?c c",
        draws.one_of(value=(2.0, -0.5)), draws.two_peers),
    row("mul_with_itself", "torch.mul(a, a) - torch.mul(b, b)", lambda xs, p, s: plus(product(xs[0], xs[0]),
        scaled(product(xs[1], xs[1]), -1)), "a?a b?b"),
)  # fmt: skip

WITH_NUMBERS = (
    row("add_integers", "a + b", added, partners=small_numbers, second="int64"),
    row("sub_integers", "a - b", subtracted, partners=small_numbers, second="int64"),
    row("mul_integers", "a * b", multiplied, "b", partners=small_numbers, second="int64"),
    row("div_integers", "a / (b + 2)", on_numbers, "own", partners=small_numbers, second="int64"),
    row("mul_mask", "a * b", multiplied, "b", partners=draws.mask, second="bool"),
)

SCALARS = (
    Op("fmod_scalar", "torch.fmod(a, value)", "pointwise", remained, shapes.same, draws.one_of(value=(2.0, -1.5)), kink=True),
    Op("remainder_scalar", "torch.remainder(a, value)", "pointwise", remained, shapes.same, draws.one_of(value=(2.0, -1.5)),
       kink=True),
    Op("copysign_scalar", "torch.copysign(a, value)", "pointwise", signed, shapes.same, draws.one_of(value=(2.0, -1.0)),
       saves="a out", kink=True),
    Op("where_scalar", "torch.where(b, a, value)", "binary", lambda xs, p, s: mixed([xs[0], point(p["value"])], p, s),
       shapes.broadcast, draws.one_of(value=VALUES), draws.mask, saves="b", second="bool"),
)  # fmt: skip

# At 0, where a formula that masks or divides goes wrong although the derivative exists. The operand stays 0 wherever it moves.
AT_ZERO = (row("xlogy_at_zero", "torch.xlogy(a - a.detach(), b)", reaching(0.0, 0.0, ANY, POSITIVE), "b own", kink=True),)

OPS = FUNCTIONS + WITH_NUMBERS + SCALARS + AT_ZERO
