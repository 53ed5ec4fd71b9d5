"""Views and copies whose axes and entries are counted from behind, and those that do several axes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Shape, keep
from conformance.catalog.op import no_params
from conformance.catalog.rearranging import MATRIX_SIDE, copy, needs, rank_at_least
from conformance.catalog.structure import joined, view
from conformance.chooser import Chooser

Params = dict[str, Any]
Shapes = Sequence[Shape]


def from_behind(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The last `count` entries of the first axis."""
    return shapes.take_slice(shapes_, {"start": -params["count"], "stop": None, "step": 1})


def a_few(chooser: Chooser, shape: Shape) -> Params | None:
    """A number of entries of the first axis, at least one."""
    return {"count": 1 + chooser.below(shape[0])} if shape and shape[0] else None


def repeated_more(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A new first axis of two, and the last one `count` times."""
    shape = shapes_[0]
    return ((2, *shape[:-1], shape[-1] * params["count"]),)


def embedded_first(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The last axis becomes the diagonal above that of the first and the last."""
    shape = shapes_[0]
    return ((shape[-1] + 1, *shape[:-1], shape[-1] + 1),)


OPS = (
    view("slice_from_behind", "a[-count:]", from_behind, a_few),
    copy("stack_behind", "torch.stack([a, b], dim=-1)", lambda s, p: shapes.stack(s, {"dim": -1}), no_params, draws.twin, joined),
    copy("repeat_more", "a.repeat((2,) + (1,) * (a.dim() - 1) + (count,))",
         needs(repeated_more, lambda shape, p: 1 <= len(shape) <= 3, "one to three axes are needed"), draws.one_of(count=(1, 2)),
         bounds=keep),
    copy("roll_two", "a.roll((1, 2), (0, 1))", MATRIX_SIDE, bounds=keep),
    copy("diag_embed_first", "torch.diag_embed(a, 1, first, -1 - first)",
         needs(embedded_first, lambda shape, p: 1 <= len(shape) <= 3, "one to three axes are needed"),
         draws.one_of(first=(0, -1))),
    copy("flip_from_behind", "a.flip(-1)", needs(shapes.same, rank_at_least(1), "an axis is needed"), bounds=keep),
)  # fmt: skip
