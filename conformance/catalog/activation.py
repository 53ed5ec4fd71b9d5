"""Activation functions beyond the commonest, with their parameters, and far out where they saturate."""

from __future__ import annotations

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, away_from_zero, finer, growing, mixed, within
from conformance.catalog.op import Need, Op
from conformance.catalog.pointwise import F, Many, Params, Shapes, clamped, point, scaled, unary
from conformance.chooser import Chooser


def activation(name: str, arguments: str, bounds: BoundsRule, saves: str, kink: bool = False, **choices: tuple[float, ...]) -> Op:
    """A row for an activation function with parameters, which torch passes by name."""
    code = f"{F}.{name.partition('_with_')[0]}({arguments})"
    return Op(name, code, "pointwise", bounds, shapes.same, draws.one_of(**choices), saves=saves, kink=kink)


def reach(slope: float, start: float) -> BoundsRule:
    """|f(x)| <= slope * |x| + start"""

    def rule(xs: Many, p: Params, s: Shapes) -> Bounds:
        top = slope * xs[0].magnitude + start
        return Bounds(-top, top, None)

    return rule


def shrunk(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a pulled towards 0 by lambd, a multiple of 1/4, or 0"""
    top = xs[0].magnitude
    return Bounds(-top, top, finer(xs[0].grain, 2))


def thresholded(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or the value below the threshold"""
    return mixed([xs[0], point(p["value"])], p, s)


def halved_below(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or half of it"""
    return mixed([xs[0], scaled(xs[0], 0.5)], p, s)


def sloped(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or a * b"""
    top = xs[0].magnitude * max(1.0, xs[1].magnitude)
    return Bounds(-top, top, None if xs[0].grain is None or xs[1].grain is None else xs[0].grain + xs[1].grain)


def one_slope(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A slope for all, or one for each channel."""
    return (Need((shape[1],) if len(shape) > 1 and chooser.below(2) else (1,)),)


def channels_alike(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The first operand's shape; a second one for all, or for each entry of the second axis."""
    if shapes_[1] not in ((1,), shapes_[0][1:2]):
        raise shapes.ShapeError(f"slopes {shapes_[1]} for {shapes_[0]}")
    return (shapes_[0],)


def halves(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis of even length."""
    even = [d for d, n in enumerate(shape) if n and n % 2 == 0]
    return {"dim": even[chooser.below(len(even))]} if even else None


def halved(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Half as long along `dim`."""
    shape = shapes_[0]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape or shape[dim] % 2:
        raise shapes.ShapeError(f"no two halves along dim {params['dim']} of {shape}")
    return ((*shape[:dim], shape[dim] // 2, *shape[dim + 1 :]),)


def far(name: str, code: str, bounds: BoundsRule, saves: str = "own") -> Op:
    """A row for a function beyond 700, where exp overflows or vanishes in double precision; the result is scaled back."""

    def rule(xs: Many, p: Params, s: Shapes) -> Bounds | None:
        return bounds(xs, p, s) if away_from_zero(xs[0], 0.3) else None

    return Op(f"{name}_far", code, "pointwise", rule, shapes.same, saves=saves, kink=True)


ACTIVATIONS = (
    activation("softplus_with_beta", "a, beta=beta", growing(1.0), "a", beta=(2.0, 0.5)),
    activation("softplus_with_threshold", "a, beta=beta, threshold=threshold", growing(1.0), "a", kink=True,
               beta=(2.0, 0.5), threshold=(1.1, 0.7)),
    activation("elu_with_alpha", "a, alpha=alpha", reach(2.0, 2.0), "a", kink=True, alpha=(2.0, 0.5)),
    activation("celu_with_alpha", "a, alpha=alpha", reach(1.0, 2.0), "a", kink=True, alpha=(1.0, 2.0, 0.5)),
    activation("hardtanh_with_bounds", "a, min_val=min, max_val=max", clamped, "a", kink=True,
               min=(-1.0, -0.5), max=(1.0, 1.5)),
    activation("hardshrink_with_lambd", "a, lambd=lambd", shrunk, "a", kink=True, lambd=(0.5, 1.0)),
    activation("softshrink_with_lambd", "a, lambd=lambd", shrunk, "a", kink=True, lambd=(0.5, 1.0)),
    activation("threshold_with_value", "a, threshold, value", thresholded, "a", kink=True, threshold=(0.5, -1.0), value=(2.0,
            -1.0)),
    unary("selu", reach(1.1, 2.0), "a", f"{F}.selu(a)", kink=True),
    unary("relu6", mixed, "a", f"{F}.relu6(a)", kink=True),
    unary("rrelu_evaluated", halved_below, "own", f"{F}.rrelu(a * 1.0, lower=0.25, upper=0.75)", kink=True),
    unary("hardswish", reach(1.0, 1.0), "a", f"{F}.hardswish(a)", kink=True),
    unary("softsign", within(-1.0, 1.0), "a", f"{F}.softsign(a)", kink=True),
    unary("tanhshrink", growing(1.0, (-4.0, 4.0)), "own", f"{F}.tanhshrink(a)"),
    unary("logsigmoid", growing(1.0), "a", f"{F}.logsigmoid(a)"),
    unary("mish", growing(1.0), "a", f"{F}.mish(a)"),
    unary("gelu_with_tanh", growing(1.0), "a", f"{F}.gelu(a, approximate='tanh')"),
    Op("softmin", f"{F}.softmin(a, dim=dim)", "reduce", within(0.0, 1.0), shapes.along_axis, draws.a_dim, saves="out"),
    Op("prelu", f"{F}.prelu(a * 1.0, b * 1.0)", "binary", sloped, channels_alike, partners=one_slope, saves="own", kink=True),
    Op("glu", f"{F}.glu(a, dim=dim)", "shape", growing(1.0), halved, halves, saves="a"),
)  # fmt: skip

FAR = (
    far("sigmoid", "torch.sigmoid(a * 3000.0)", within(0.0, 1.0), "out"),
    far("tanh", "torch.tanh(a * 3000.0)", within(-1.0, 1.0), "out"),
    far("elu", f"{F}.elu(a * 3000.0) / 3000.0", growing(1.0)),
    far("celu", f"{F}.celu(a * 3000.0) / 3000.0", growing(1.0)),
    far("softplus", f"{F}.softplus(a * 3000.0) / 3000.0", growing(1.0)),
    far("logsigmoid", f"{F}.logsigmoid(a * 3000.0) / 3000.0", growing(1.0)),
    far("silu", f"{F}.silu(a * 3000.0) / 3000.0", growing(1.0)),
    far("logaddexp", "torch.logaddexp(a * 3000.0, a * -3000.0) / 3000.0", growing(1.0)),
)

OPS = ACTIVATIONS + FAR
