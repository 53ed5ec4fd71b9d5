"""Tensors made after the model of another: they never depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, keep
from conformance.catalog.op import Op, ParamsRule, no_params
from conformance.catalog.pointwise import VALUES, point, scaled

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]


def constant(value: float) -> BoundsRule:
    """That value everywhere."""
    return lambda xs, p, s: point(value)


def chosen(xs: Many, p: Params, s: Shapes) -> Bounds:
    """The value asked for everywhere"""
    return point(p["value"])


def doubled(xs: Many, p: Params, s: Shapes) -> Bounds:
    """2 * a"""
    return scaled(xs[0], 2.0)


VALUE = draws.one_of(value=VALUES)
DECORATED = "@torch.no_grad()\ndef doubled_unrecorded(x):\n    return x * 2.0\n"

# name, code, bounds, parameters; each with and without requires_grad=True
LIKE: tuple[tuple[str, str, BoundsRule, ParamsRule], ...] = (
    ("zeros_like", "torch.zeros_like(a)", constant(0.0), no_params),
    ("ones_like", "torch.ones_like(a)", constant(1.0), no_params),
    ("full_like", "torch.full_like(a, value)", chosen, VALUE),
    ("new_zeros", "a.new_zeros(a.shape)", constant(0.0), no_params),
    ("new_ones", "a.new_ones(a.shape)", constant(1.0), no_params),
    ("new_full", "a.new_full(a.shape, value)", chosen, VALUE),
)


def model(name: str, code: str, bounds: BoundsRule, params: ParamsRule = no_params, **more: Any) -> Op:
    """A row for a tensor made after a model."""
    return Op(name, code, "creation", bounds, shapes.same, params, **more)


OPS = (
    *(model(name, code, bounds, params, constant_outputs=1) for name, code, bounds, params in LIKE),
    *(
        model(f"{name}_requiring_grad", f"{code[:-1]}, requires_grad=True)", bounds, params, new_leaf=True)
        for name, code, bounds, params in LIKE
    ),
    model("detached_copy", "a.detach().clone()", keep, constant_outputs=1),
    model("detached_in_place", "a.clone().detach_()", keep, constant_outputs=1, marks="detached"),
    model("made_by_decorated", "doubled_unrecorded(a)", doubled, constant_outputs=1, setup=DECORATED, marks="mode_within"),
    model("zeros_like_integers", "torch.zeros_like(a, dtype=torch.int64)", constant(0.0), index_outputs=1),
    model("ones_like_in_double", "torch.ones_like(a, dtype=torch.float64)", constant(1.0), constant_outputs=1,
          result_dtype="float64"),
)  # fmt: skip
