"""Questions about values, and casts to integers: their answers never require grad.

Equality and order are asked of values that are the same numbers on every engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, Shape
from conformance.catalog.op import Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners
from conformance.catalog.ordering import a_sort

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]


def truth(xs: Many, p: Params, s: Shapes) -> Bounds:
    """False or true"""
    return Bounds(0.0, 1.0, 0)


def told_exactly(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """False or true, of values without rounding"""
    return Bounds(0.0, 1.0, 0) if all(x.grain is not None for x in xs) else None


def number(xs: Many, p: Params, s: Shapes) -> Bounds:
    """A place or a count"""
    return Bounds(0.0, 24.0, 0)


def truncated(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """Integers towards 0, of values without rounding"""
    return Bounds(min(xs[0].lo, 0.0), max(xs[0].hi, 0.0), 0) if xs[0].grain is not None else None


def question(name: str, code: str, partners: PartnersRule = no_partners, params: ParamsRule = no_params, **more: Any) -> Op:
    """A row for a question about each value."""
    bounds = told_exactly if more.pop("exact", True) else truth
    return Op(
        name, code, "comparison", bounds, shapes.broadcast, params, partners, result_dtype="bool", constant_outputs=1, **more
    )


def place(name: str, code: str, shape: ShapeRule, params: ParamsRule) -> Op:
    """A row for places of values."""
    return Op(name, code, "comparison", number, shape, params, kink=True, index_outputs=1)


ORDER = ("lt", "le", "gt", "ge", "eq", "ne")
LOGIC = ("logical_and", "logical_or", "logical_xor")
VALUE = draws.one_of(value=(0.5, 0.0, -1.0, 1.0))

OPS = (
    *(question(name, f"torch.{name}(a, b)", draws.peer, promotes=True, kink=True) for name in (*ORDER, *LOGIC)),
    *(question(f"{name}_scalar", f"torch.{name}(a, value)", params=VALUE, kink=True) for name in ORDER),
    question("isclose", "torch.isclose(a, b)", draws.peer, kink=True),
    question("logical_not", "torch.logical_not(a)", kink=True),
    question("signbit", "torch.signbit(a + 0.25)", kink=True),
    question("to_bool", "a.bool()", kink=True),
    question("isnan", "torch.isnan(a)", exact=False),
    question("isinf", "torch.isinf(a)", exact=False),
    question("isfinite", "torch.isfinite(a)", exact=False),
    Op("any", "torch.any(a != 0.0)", "comparison", told_exactly, shapes.scalar, result_dtype="bool", constant_outputs=1,
            kink=True),
    Op("all_dim", "torch.all(a != 0.0, dim=dim, keepdim=keepdim)", "comparison", told_exactly, shapes.drop_axis,
       draws.a_full_dim, result_dtype="bool", constant_outputs=1, kink=True),
    Op("to_integers", "a.long()", "comparison", truncated, shapes.same, kink=True, index_outputs=1),
    Op("count_nonzero", "torch.count_nonzero(a > 0.25)", "comparison", lambda xs, p, s: told_exactly(xs, p, s) and number(xs,
            p, s),
       shapes.scalar, kink=True, index_outputs=1),
    place("argmax", "a.argmax(dim=dim, keepdim=keepdim)", shapes.drop_axis, draws.a_full_dim),
    place("argmin", "a.argmin(dim=dim, keepdim=keepdim)", shapes.drop_axis, draws.a_full_dim),
    place("argmax_all", "a.argmax()", shapes.scalar, draws.elements),
    place("argsort", "torch.argsort(a, dim=dim, descending=descending, stable=True)", shapes.along_axis, a_sort),
)  # fmt: skip
