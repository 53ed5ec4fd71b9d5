"""Further reductions: over several axes, with other denominators, norms, scans, statistics with two results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, away_from_zero, growing, keep, size, total, within
from conformance.catalog.op import Op, ParamsRule, ShapeRule, no_params, owned
from conformance.catalog.structure import averaged, logsum, multiplied_up, running, spread, summed, terms
from conformance.chooser import Chooser

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]


def over_axes(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A reduction over the axes in `dims`, with `keepdim`."""
    shape = shapes_[0]
    gone = {shapes.axis(d, len(shape)) for d in params["dims"]}
    if len(gone) != len(params["dims"]):
        raise shapes.ShapeError(f"dims {params['dims']} name an axis twice")
    kept = params.get("keepdim")
    return (tuple(1 if d in gone else n for d, n in enumerate(shape) if kept or d not in gone),)


def two_axes(chooser: Chooser, shape: Shape) -> Params | None:
    """Two axes of a tensor that has elements, kept or not."""
    if len(shape) < 2 or 0 in shape:
        return None
    first = chooser.below(len(shape))
    second = (first + 1 + chooser.below(len(shape) - 1)) % len(shape)
    return {"dims": (first, second - len(shape)), "keepdim": chooser.below(2) == 1}


def three_axes(chooser: Chooser, shape: Shape) -> Params | None:
    """All axes but one of four, or three, of a tensor that has elements, kept or not."""
    if len(shape) < 3 or 0 in shape:
        return None
    left_out = chooser.below(len(shape)) if len(shape) > 3 else -1
    return {"dims": tuple(d for d in range(len(shape)) if d != left_out), "keepdim": chooser.below(2) == 1}


def count(p: Params, s: Shapes) -> int:
    """How many values a reduction over `dims` folds into one."""
    return size(tuple(s[0][d] for d in p["dims"]))


def over(rule: BoundsRule) -> BoundsRule:
    """The bounds of a reduction of everything, for one over several axes."""
    return lambda xs, p, s: rule(xs, {}, [(count(p, s),)])


def several_of(choices: dict[str, tuple[Any, ...]], fits: ParamsRule) -> ParamsRule:
    """One of each of the choices, and what else the op needs."""
    chosen = draws.one_of(**choices)

    def rule(chooser: Chooser, shape: Shape) -> Params | None:
        needed = fits(chooser, shape)
        return None if needed is None else {**needed, **(chosen(chooser, shape) or {})}

    return rule


def wide_axis(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis of at least two entries."""
    found = draws.several(chooser, shape)
    return found and {"dim": found["dim"]}


def partial_sums(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Sums of some of the values."""
    reach = xs[0].magnitude * terms(p, s)
    return Bounds(-reach, reach, xs[0].grain)


def root_of_spread(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Deviations"""
    return Bounds(0.0, 2 * xs[0].magnitude, None)


def spread_and_mean(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Variances or deviations, and means"""
    top = max(xs[0].magnitude, 4 * xs[0].magnitude ** 2)
    return Bounds(-top, top, None)


def length(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """Norms of vectors that are not zero, whose length is a smooth function of them."""
    reach = xs[0].magnitude * terms(p, s)
    return Bounds(0.0, reach, None) if away_from_zero(xs[0]) else None


def sum_of_sizes(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Sums of absolute values, exact"""
    return total(Bounds(0.0, xs[0].magnitude, xs[0].grain), max(terms(p, s), 1))


def largest(xs: Many, p: Params, s: Shapes) -> Bounds:
    """The largest absolute value"""
    return Bounds(0.0, xs[0].magnitude, xs[0].grain)


def nothing(xs: Many, p: Params, s: Shapes) -> Bounds:
    """0"""
    return Bounds(0.0, 0.0, 0)


def differenced(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Differences of neighbours, `n` times"""
    reach = xs[0].magnitude * 2.0 ** p.get("n", 1)
    return Bounds(-reach, reach, xs[0].grain)


def shorter(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """`n` entries fewer along `dim`."""
    shape = shapes_[0]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape:
        raise shapes.ShapeError("differences need an axis")
    return ((*shape[:dim], max(0, shape[dim] - params["n"]), *shape[dim + 1 :]),)


def diagonal_sum(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A matrix to a number."""
    if len(shapes_[0]) != 2:
        raise shapes.ShapeError("trace needs a matrix")
    return ((),)


def normed(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """Vectors scaled to length 1"""
    return Bounds(-1.0, 1.0, None) if away_from_zero(xs[0]) else None


def fold(
    name: str, code: str, bounds: BoundsRule, shape: ShapeRule = shapes.drop_axis, params: ParamsRule = draws.a_full_dim,
    saves: str = "", **more: Any,
) -> Op:  # fmt: skip
    """A row for a reduction or a scan."""
    return Op(name, code, "reduce", bounds, shape, params, saves=saves, **more)


def twice(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two results of the same shape."""
    return shapes.drop_axis(shapes_, params) * 2


SUMS = (
    fold("sum_dims", "a.sum(dim=dims, keepdim=keepdim)", over(summed), over_axes, two_axes),
    fold("mean_dims", "a.mean(dim=dims, keepdim=keepdim)", over(averaged), over_axes, two_axes),
    fold("sum_in_double", "a.sum(dtype=torch.float64)", summed, shapes.scalar, no_params, result_dtype="float64"),
    fold("nansum", "a.nansum(dim=dim, keepdim=keepdim)", summed, saves="a"),
    fold("nanmean", "a.nanmean(dim=dim, keepdim=keepdim)", averaged, saves="a"),
    fold("amax_dims", "a.amax(dim=dims, keepdim=keepdim)", keep, over_axes, two_axes, "a out", kink=True),
    fold("amin_dims", "a.amin(dim=dims, keepdim=keepdim)", keep, over_axes, two_axes, "a out", kink=True),
    fold("logsumexp_dims", "a.logsumexp(dim=dims, keepdim=keepdim)", logsum, over_axes, two_axes, "a out"),
    fold("sum_three", "a.sum(dim=dims, keepdim=keepdim)", over(summed), over_axes, three_axes),
    fold("mean_three", "a.mean(dim=dims, keepdim=keepdim)", over(averaged), over_axes, three_axes),
    fold("nansum_of_nans", "(a + torch.zeros_like(a).masked_fill(a > 0.75, torch.nan)).nansum(dim=dim, keepdim=keepdim)",
         partial_sums, saves="own", kink=True),
    fold("trace", "a.trace()", lambda xs, p, s: total(xs[0], max(s[0], default=1)), diagonal_sum, no_params),
)  # fmt: skip

SPREADS = (
    fold("std", "a.std()", root_of_spread, shapes.scalar, draws.two_elements, "a out"),
    fold("std_dim", "a.std(dim=dim, keepdim=keepdim)", root_of_spread, params=draws.several, saves="a out"),
    fold("var_correction", "a.var(dim=dim, correction=correction, keepdim=keepdim)", spread,
         params=several_of({"correction": (0, 1)}, draws.several), saves="a"),
    fold("var_mean", "torch.var_mean(a, dim=dim, keepdim=keepdim)", spread_and_mean, twice, draws.several, "a"),
    fold("std_mean", "torch.std_mean(a, dim=dim, keepdim=keepdim)", spread_and_mean, twice, draws.several, "a out"),
)  # fmt: skip

NORMS = (
    fold("norm", "a.norm()", length, shapes.scalar, draws.elements, "a out"),
    fold("norm_dim", "torch.linalg.vector_norm(a, dim=dim, keepdim=keepdim)", length, saves="a out"),
    fold("norm_1", "torch.linalg.vector_norm(a, ord=1, dim=dim, keepdim=keepdim)", sum_of_sizes, saves="a out", kink=True),
    fold("norm_3", "torch.linalg.vector_norm(a, ord=3, dim=dim, keepdim=keepdim)", length, saves="a out"),
    fold("norm_of_order", "torch.linalg.vector_norm(a, ord=ord, dim=dim, keepdim=keepdim)", length, saves="a out",
         params=several_of({"ord": (1.5, 4, 2.5)}, draws.a_full_dim)),
    fold("norm_least", "torch.linalg.vector_norm(a, ord=-torch.inf, dim=dim, keepdim=keepdim)", largest, saves="a out",
         kink=True),
    fold("norm_infinite", "torch.linalg.vector_norm(a, ord=torch.inf, dim=dim, keepdim=keepdim)", largest, saves="a out",
            kink=True),
    fold("norm_dims", "torch.linalg.norm(a, dim=dims, keepdim=keepdim)", over(length), over_axes, two_axes, "a out"),
    fold("normalize", "torch.nn.functional.normalize(a, dim=dim)", normed, shapes.along_axis, draws.full_dim_of_full, "a"),
    fold("renorm", "torch.renorm(a, 2, dim, 1.0)", normed, shapes.matrix, draws.full_dim_of_full, "a", kink=True),
    # At 0, where x / |x| is 0 by definition. The operand stays 0 wherever it moves.
    fold("norm_at_zero", "torch.linalg.vector_norm(a - a.detach())", nothing, shapes.scalar, draws.elements, "out", kink=True),
    fold("norm_of_order_at_zero", "torch.linalg.vector_norm(a - a.detach(), ord=ord, dim=dim, keepdim=keepdim)", nothing,
         saves="out own", kink=True, params=several_of({"ord": (3, 4, 1.5, 2, 1)}, draws.a_full_dim)),
)  # fmt: skip

SCANS = (
    fold("cumprod", "a.cumprod(dim=dim)", multiplied_up, shapes.along_axis, wide_axis, "a out"),
    fold("logcumsumexp", "a.logcumsumexp(dim=dim)", growing(2.0), shapes.along_axis, draws.full_dim_of_full, "a out"),
    fold("diff", "torch.diff(a, n=n, dim=dim)", differenced, shorter, several_of({"n": (1, 2)}, draws.full_dim)),
    fold("softmax_in_double", "a.softmax(dim=dim, dtype=torch.float64)", within(0.0, 1.0), shapes.along_axis, draws.a_dim,
         "out", result_dtype="float64"),
    fold("cumsum_in_double", "a.cumsum(dim=dim, dtype=torch.float64)", running, shapes.along_axis, draws.a_dim,
         result_dtype="float64"),
)  # fmt: skip

OPS = SUMS + SPREADS + NORMS + tuple(owned(op) if op.name == "diff" else op for op in SCANS)
