"""Order statistics: sorting, selection, extrema with their places, running extrema.

Ties make some places arbitrary, so that the rows are marked as having kinks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, Shape, keep, mixed
from conformance.catalog.functions import definition
from conformance.catalog.op import Op, ParamsRule, ShapeRule
from conformance.chooser import Chooser

Params = dict[str, Any]
Shapes = Sequence[Shape]


def order(name: str, code: str, shape: ShapeRule, params: ParamsRule, saves: str = "", indices: int = 1) -> Op:
    """A row for an op that picks values by their order."""
    return Op(name, code, "reduce", keep, shape, params, saves=saves, kink=True, index_outputs=indices)


def a_sort(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis and a direction."""
    return {**(draws.a_dim(chooser, shape) or {}), "descending": chooser.below(2) == 1} if shape else None


def some_largest(chooser: Chooser, shape: Shape) -> Params | None:
    """How many entries of an axis, and from which end."""
    found = draws.a_dim(chooser, shape) if 0 not in shape else None
    return found and {**found, "k": 1 + chooser.below(shape[found["dim"]]), "largest": chooser.below(2) == 0}


def one_by_rank(chooser: Chooser, shape: Shape) -> Params | None:
    """A rank along an axis, the axis kept or not."""
    found = draws.a_full_dim(chooser, shape)
    return found and {**found, "k": 1 + chooser.below(shape[found["dim"]])}


def same_twice(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Values and their places, in the operand's shape."""
    return shapes.along_axis(shapes_, params) * 2


def taken(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """`k` entries along `dim`, with their places."""
    shape = shapes_[0]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape or not 0 <= params["k"] <= shape[dim]:
        raise shapes.ShapeError(f"{params['k']} entries along dim {dim} of {shape}")
    return ((*shape[:dim], params["k"], *shape[dim + 1 :]),) * 2


def ranked(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A reduction over `dim` that gives the value of rank `k` and its place."""
    shape = shapes_[0]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape or not 1 <= params["k"] <= shape[dim]:
        raise shapes.ShapeError(f"rank {params['k']} along dim {dim} of {shape}")
    return shapes.drop_axis_twice(shapes_, params)


def mixed_up(xs: Sequence[Bounds], p: Params, s: Shapes) -> Bounds | None:
    """a / 64 on numbers from 0 to 28, whose order is known where a is below 32"""
    return Bounds(-0.5, 28.5, None) if xs[0].magnitude < 32 else None


def two_scalars(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two 0-dim results."""
    return ((), ())


FULL = draws.a_full_dim

# Of equal values torch takes any, so that there are none: a tensor has no more than 24 entries.
DISTINCT = "a / 64.0 + (torch.arange(a.numel()) * 11 % 29).reshape(a.shape)"


def distinct(name: str, arguments: str, shape: ShapeRule, params: ParamsRule) -> Op:
    """A row for an op that picks from distinct values along an axis."""
    return Op(name, f"torch.{arguments.replace('(', f'({DISTINCT}, ', 1)}", "reduce", mixed_up, shape, params, index_outputs=1)


# The result is made finite by a function that hands its gradient on as it is: NaN would reach all that follows.
FINITE = definition("MadeFinite", "return torch.nan_to_num(x)", "return g * 1.0")
WITH_NAN = "(a + torch.zeros_like(a).masked_fill(a > 0.75, torch.nan))"


def beside_nan(name: str, arguments: str, shape: ShapeRule, params: ParamsRule) -> Op:
    """A row for an extremum, or an order, of numbers among which are NaNs: which of them does it take, who gets the gradient?"""
    picked = f"torch.{arguments.replace('(', f'({WITH_NAN}, ', 1)}".replace(", )", ")")
    code = f"MadeFinite.apply({picked})"
    return Op(f"{name}_beside_nan", code, "reduce", mixed, shape, params, saves="own", kink=True, setup=FINITE)


BESIDE_NAN = (
    beside_nan("max", "max()", shapes.scalar, draws.elements),
    beside_nan("min", "min()", shapes.scalar, draws.elements),
    beside_nan("max_dim", "max(dim=dim, keepdim=keepdim)[0]", shapes.drop_axis, FULL),
    beside_nan("amax", "amax(dim=dim, keepdim=keepdim)", shapes.drop_axis, FULL),
    beside_nan("amin", "amin(dim=dim, keepdim=keepdim)", shapes.drop_axis, FULL),
    beside_nan("aminmax_low", "aminmax()[0]", shapes.scalar, draws.elements),
    beside_nan("aminmax_high", "aminmax()[1]", shapes.scalar, draws.elements),
    beside_nan("cummax", "cummax(dim=dim)[0]", shapes.along_axis, draws.full_dim_of_full),
    beside_nan("cummin", "cummin(dim=dim)[0]", shapes.along_axis, draws.full_dim_of_full),
)

OPS = (
    *BESIDE_NAN,
    distinct("kthvalue", "kthvalue(k, dim=dim, keepdim=keepdim)", ranked, one_by_rank),
    distinct("topk", "topk(k, dim=dim, largest=largest)", taken, some_largest),
    distinct("median_dim", "median(dim=dim, keepdim=keepdim)", shapes.drop_axis_twice, FULL),
    order("sort", "torch.sort(a, dim=dim, descending=descending, stable=True)", same_twice, a_sort),
    order("msort", "torch.msort(a)", shapes.same, draws.rows, indices=0),
    order("min", "a.min()", shapes.scalar, draws.elements, "a out", indices=0),
    order("min_dim", "a.min(dim=dim, keepdim=keepdim)", shapes.drop_axis_twice, FULL),
    # Of a tensor that reaches one place several times torch takes a wrong median.
    order("median", "a.contiguous().median()", shapes.scalar, draws.elements, "a out", indices=0),
    order("nanmedian", "a.contiguous().nanmedian()", shapes.scalar, draws.elements, "a out", indices=0),
    order("mode", "torch.mode(a, dim=dim, keepdim=keepdim)", shapes.drop_axis_twice, FULL),
    order("cummax", "torch.cummax(a, dim=dim)", same_twice, draws.full_dim_of_full, saves="a"),
    order("cummin", "torch.cummin(a, dim=dim)", same_twice, draws.full_dim_of_full, saves="a"),
    order("amax_all", "a.amax()", shapes.scalar, draws.elements, "a out", indices=0),
    order("amin_all", "a.amin()", shapes.scalar, draws.elements, "a out", indices=0),
    order("aminmax", "torch.aminmax(a)", two_scalars, draws.elements, "a out", indices=0),
)
