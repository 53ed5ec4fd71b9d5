"""Layers of networks: normalization, pooling, embedding, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, keep, mixed
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners, owned
from conformance.chooser import Chooser

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]
F = "torch.nn.functional"


def normalized(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Values over their deviation, times b"""
    reach = 6 * (xs[1].magnitude if len(xs) > 1 else 1.0)
    return Bounds(-reach, reach, None)


def weighted(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Values over their deviation, times b, plus c"""
    reach = 6 * xs[1].magnitude + xs[2].magnitude
    return Bounds(-reach, reach, None)


def scaled_and_shifted(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a times b, plus c"""
    reach = xs[0].magnitude * xs[1].magnitude + xs[2].magnitude
    return Bounds(-reach, reach, None)


def averaged(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Means of windows"""
    a = mixed(xs[:1], p, s)
    return Bounds(a.lo, a.hi, None)


def last_axis(chooser: Chooser, shape: Shape) -> Params | None:
    """The size of an axis of at least two entries."""
    return {"size": shape[-1]} if shape and shape[-1] > 1 and 0 not in shape else None


def fits_last_axis(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; weights as long as its last axis."""
    shape = shapes_[0]
    if shape[-1:] != (params["size"],) or any(s != shape[-1:] for s in shapes_[1:]):
        raise shapes.ShapeError(f"weights {list(shapes_[1:])} for {shape}")
    return (shape,)


def weights(count: int, where: int) -> PartnersRule:
    """That many vectors, as long as that axis."""
    return lambda chooser, shape, params: (
        (Need((shape[where],)),) * count if len(shape) > max(where, 0) else (Need((1,)),) * count
    )


def batch(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but more than one value for each channel."""
    return {} if len(shape) >= 2 and 0 not in shape and shape[0] * (shape[2] if len(shape) > 2 else 1) > 1 else None


def by_channel(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; weights as long as its second axis."""
    shape = shapes_[0]
    if len(shape) < 2 or any(s != shape[1:2] for s in shapes_[1:]):
        raise shapes.ShapeError(f"weights {list(shapes_[1:])} for channels of {shape}")
    return (shape,)


def halves_of_channels(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but an even number of channels, and more than one sample or value for each half of them."""
    return {} if batch(chooser, shape) is not None and shape[1] % 2 == 0 else None


def instances(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but more than one value for each channel of each sample."""
    return {} if len(shape) == 3 and 0 not in shape and shape[2] > 1 else None


def one_bag(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """One row for all indices."""
    return ((1, embedded(shapes_, params)[0][1]),)


def a_bag_of_table(chooser: Chooser, shape: Shape) -> Params | None:
    """How a bag becomes one row, of a table that has entries."""
    return {"mode": ("mean", "sum")[chooser.below(2)]} if len(shape) == 2 and 0 not in shape else None


def windows(chooser: Chooser, shape: Shape) -> Params | None:
    """A window of two and a stride, for a last axis that it fits."""
    if len(shape) not in (2, 3) or 0 in shape or shape[-1] < 2:
        return None
    return {"size": 2, "stride": 1 + chooser.below(2)}


def pooled(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Positions of a window over the last axis."""
    a = shapes_[0]
    if len(a) not in (2, 3) or not 1 <= params["size"] <= a[-1] or params["stride"] < 1:
        raise shapes.ShapeError(f"a window of {params['size']} does not fit {a}")
    return ((*a[:-1], (a[-1] - params["size"]) // params["stride"] + 1),)


def pooled_evenly(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A fixed number of positions."""
    a = shapes_[0]
    if len(a) not in (2, 3) or 0 in a:
        raise shapes.ShapeError(f"no pooling of {a}")
    return ((*a[:-1], params["size"]),)


def bagged(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Means or sums of up to three rows"""
    reach = 3 * xs[0].magnitude
    return Bounds(-reach, reach, None)


def embedded(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A row of the table for each index."""
    if len(shapes_[0]) != 2:
        raise shapes.ShapeError("a table of rows is needed")
    return (shapes_[1] + shapes_[0][1:],)


def a_table(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but rows that have entries."""
    return {} if len(shape) == 2 and 0 not in shape else None


def a_padding_row(chooser: Chooser, shape: Shape) -> Params | None:
    """A row that gets no gradient."""
    return {"row": chooser.below(shape[0])} if len(shape) == 2 and 0 not in shape else None


def cut_or_padded(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """`left` and `right` entries more at the last axis, or fewer."""
    if not shapes_[0] or shapes_[0][-1] + min(params["left"], 0) < 0:
        raise shapes.ShapeError(f"no padding of {shapes_[0]} by {params}")
    return shapes.pad(shapes_, params)


def padded(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """`left` and `right` entries more at the last axis of two or three."""
    a = shapes_[0]
    if len(a) not in (2, 3) or 0 in a or max(params["left"], params["right"]) >= a[-1]:
        raise shapes.ShapeError(f"no padding of {a} by {params}")
    return ((*a[:-1], a[-1] + params["left"] + params["right"]),)


def layer(
    name: str, code: str, bounds: BoundsRule, shape: ShapeRule, params: ParamsRule = no_params,
    partners: PartnersRule = no_partners, saves: str = "", chapter: str = "matmul", **more: Any,
) -> Op:  # fmt: skip
    """A row for a layer."""
    return Op(name, code.replace("F.", f"{F}."), chapter, bounds, shape, params, partners, saves, **more)


SIDES = draws.one_of(left=(1, 0), right=(1, 0))

# Without weights and convolutions: torch computes their gradients in one node, so that each seems to depend on what only another
# needs. A large eps, since a row of equal values has no deviation to divide by.
NORMALIZATIONS = (
    layer("layer_norm", "F.layer_norm(a, (size,), eps=0.25)", normalized, fits_last_axis, last_axis, saves="a own",
          chapter="reduce", marks="statistics"),
    layer("layer_norm_weighted", "F.layer_norm(a * 1.0, (size,), b * 1.0, c * 1.0, eps=0.25)", weighted, fits_last_axis,
          last_axis, weights(2, -1), "own", marks="statistics"),
    layer("batch_norm_weighted", "F.batch_norm(a * 1.0, None, None, b * 1.0, c * 1.0, training=True, eps=0.25)", weighted,
          by_channel, batch, weights(2, 1), "own", marks="statistics"),
    layer("batch_norm_evaluated", "F.batch_norm(a * 1.0, torch.zeros(a.shape[1]).to(a.dtype), "
          "torch.ones(a.shape[1]).to(a.dtype), b * 1.0, c * 1.0, eps=0.25)", scaled_and_shifted,
          by_channel, batch, weights(2, 1), "own"),
    layer("group_norm_weighted", "F.group_norm(a * 1.0, 2, b * 1.0, c * 1.0, eps=0.25)", weighted, by_channel, halves_of_channels,
          weights(2, 1), "own"),
    layer("instance_norm", "F.instance_norm(a * 1.0, eps=0.25)", normalized, by_channel, instances, saves="own",
          chapter="reduce", marks="statistics"),
    layer("rms_norm", "F.rms_norm(a, (size,), b, eps=0.25)", normalized, fits_last_axis, last_axis, weights(1, -1), "a?a b?a"),
    layer("group_norm", "F.group_norm(a, 1, eps=0.25)", normalized, by_channel, batch, saves="a own", chapter="reduce"),
    layer("batch_norm", "F.batch_norm(a, None, None, training=True, eps=0.25)", normalized, by_channel, batch, saves="a own",
          chapter="reduce", marks="statistics"),
)  # fmt: skip

POOLS = (
    layer("avg_pool1d", "F.avg_pool1d(a, size, stride=stride)", averaged, pooled, windows, saves="a", chapter="reduce"),
    layer("max_pool1d", "F.max_pool1d(a, size, stride=stride)", keep, pooled, windows, saves="a", chapter="reduce", kink=True),
    layer("adaptive_avg_pool1d", "F.adaptive_avg_pool1d(a, size)", averaged, pooled_evenly, draws.one_of(size=(2, 3)), saves="a",
          chapter="reduce"),
)  # fmt: skip

LOOKUPS = (
    layer("embedding", "F.embedding(b, a)", keep, embedded, a_table, draws.index_vector, "b", "index", second="int64"),
    layer("embedding_with_padding", "F.embedding(b, a, padding_idx=row)", keep, embedded, a_padding_row, draws.index_vector, "b",
          "index", second="int64"),
    # Not by frequency: torch's derivative of that gradient forgets the frequencies.
    layer("embedding_bag", "F.embedding_bag(b.reshape(1, -1), a, mode=mode)", bagged, one_bag, a_bag_of_table, draws.index_vector,
          "b", "index", second="int64"),
    layer("embedding_bag_of_largest", "F.embedding_bag(b.reshape(1, -1), a, mode='max')", keep, one_bag, a_table,
          draws.index_vector, "b", "index", second="int64", kink=True),
)  # fmt: skip

PADDINGS = (
    layer("pad_value", "F.pad(a, (left, right), value=1.5)", lambda xs, p, s: mixed([xs[0], Bounds(0.0, 1.5, 1)], p, s),
          cut_or_padded, draws.one_of(left=(1, 0, -1), right=(0, 2)), chapter="shape"),
    layer("pad_reflect", "F.pad(a, (left, right), mode='reflect')", keep, padded, SIDES, saves="a", chapter="shape"),
    layer("pad_replicate", "F.pad(a, (left, right), mode='replicate')", keep, padded, SIDES, saves="a", chapter="shape"),
    layer("pad_circular", "F.pad(a, (left, right), mode='circular')", keep, padded, SIDES, chapter="shape"),
)  # fmt: skip

OPS = NORMALIZATIONS + tuple(map(owned, POOLS)) + LOOKUPS + PADDINGS
