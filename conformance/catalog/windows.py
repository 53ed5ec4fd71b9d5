"""Windows over signals and images: convolutions, pooling, sliding blocks, and sampling between places.

What torch keeps of an input is here a copy that no program can reach: one node computes all gradients of a convolution, and keeps
what each of them needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, away_from_zero, keep, mixed, size
from conformance.catalog.layers import averaged
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, ShapeRule, no_partners, owned
from conformance.catalog.products import bias_first, summed_products
from conformance.chooser import Chooser

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]
Fits = Callable[[Shape], bool]
F = "torch.nn.functional"


def ranked(*ranks: int) -> Fits:
    """Whether a shape has elements and as many axes."""
    return lambda shape: len(shape) in ranks and 0 not in shape


def fitting(fits: Fits, **choices: tuple[Any, ...]) -> ParamsRule:
    """One of each of the choices, for a first operand that fits."""
    chosen = draws.one_of(**choices) if choices else None

    def rule(chooser: Chooser, shape: Shape) -> Params | None:
        if not fits(shape):
            return None
        return chosen(chooser, shape) if chosen else {}

    return rule


def reach(n: int, kernel: int, p: Params) -> int:
    """How many places a window has along an axis of n entries."""
    if p.get("stride", 1) < 1:
        raise shapes.ShapeError(f"a window does not move by {p['stride']}")
    return int((n + 2 * p.get("padding", 0) - p.get("dilation", 1) * (kernel - 1) - 1) // p.get("stride", 1) + 1)


def checked(fits: Fits, rule: ShapeRule) -> ShapeRule:
    """The rule, for a first operand that fits, where something comes out."""

    def found(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
        if not fits(shapes_[0]) or any(params.get(name, 1) < 1 for name in ("stride", "dilation", "groups")):
            raise shapes.ShapeError(f"no windows over {shapes_[0]} with {params}")
        result = rule(shapes_, params)
        if any(n < 1 for shape in result for n in shape):
            raise shapes.ShapeError(f"nothing comes of {shapes_[0]} with {params}")
        return result

    return found


def window(
    name: str, code: str, bounds: BoundsRule, fits: Fits, result: ShapeRule, params: ParamsRule | None = None,
    partners: PartnersRule = no_partners, chapter: str = "reduce", **more: Any,
) -> Op:  # fmt: skip
    """A row for an op over windows; the result is copied, since torch adds an axis and drops it again."""
    made = Op(name, code.replace("F.", f"{F}."), chapter, bounds, checked(fits, result), params or fitting(fits), partners,
              more.pop("saves", "own"), **more)  # fmt: skip
    return made if made.index_outputs else owned(made)


# -- convolutions: signals have a batch or none --------------------------------------------------------------------------------

SIGNAL, IMAGE = ranked(2, 3), ranked(3)


def in_pairs(shape: Shape) -> bool:
    """Whether channels come in two groups."""
    return SIGNAL(shape) and shape[-2] % 2 == 0


def convolved(shapes_: Shapes, p: Params) -> tuple[Shape, ...]:
    """Channels of the kernel, places of the windows."""
    a, b, *bias = shapes_
    groups = p.get("groups", 1)
    if len(b) != 3 or a[-2] != b[1] * groups or b[0] % groups or any(c != b[:1] for c in bias):
        raise shapes.ShapeError(f"convolution of {list(shapes_)}")
    return ((*a[:-2], b[0], reach(a[-1], b[2], p)),)


def spread_out(shapes_: Shapes, p: Params) -> tuple[Shape, ...]:
    """The transposed convolution's places."""
    a, b = shapes_
    if len(b) != 3 or a[-2] != b[0]:
        raise shapes.ShapeError(f"transposed convolution of {list(shapes_)}")
    return ((*a[:-2], b[1], (a[-1] - 1) * p["stride"] - 2 * p["padding"] + b[2]),)


def convolved_image(shapes_: Shapes, p: Params) -> tuple[Shape, ...]:
    """The same over height and width."""
    a, b = shapes_
    if len(b) != 4 or a[0] != b[1]:
        raise shapes.ShapeError(f"convolution of {list(shapes_)}")
    return ((1, b[0], reach(a[1], b[2], p), reach(a[2], b[3], p)),)


def kernel(groups: int = 1, *, bias: bool = False) -> PartnersRule:
    """A kernel of two channels and two places, and a bias."""

    def rule(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
        need = Need((2, shape[-2] // groups, 2))
        return (need, Need((2,))) if bias else (need,)

    return rule


CONVOLUTIONS = (
    window("conv1d", "F.conv1d(a * 1.0, b * 1.0, stride=stride, padding=padding, dilation=dilation)", summed_products, SIGNAL,
           convolved, fitting(SIGNAL, stride=(1, 2), padding=(1, 0, 2), dilation=(1, 2)), kernel(), "matmul"),
    window("conv1d_with_bias", "F.conv1d(a * 1.0, b * 1.0, c, padding=padding)", bias_first, SIGNAL, convolved,
           fitting(SIGNAL, padding=(1, 0)), kernel(bias=True), "matmul"),
    window("conv1d_in_groups", "F.conv1d(a * 1.0, b * 1.0, padding=padding, groups=groups)", summed_products, in_pairs, convolved,
           fitting(in_pairs, padding=(1, 0), groups=(2,)), kernel(2), "matmul"),
    window("conv_transpose1d", "F.conv_transpose1d(a * 1.0, b * 1.0, stride=stride, padding=padding)", summed_products, SIGNAL,
           spread_out, fitting(SIGNAL, stride=(1, 2), padding=(0, 1)), lambda ch, s, p: (Need((s[-2], 2, 3)),), "matmul"),
    window("conv2d", "F.conv2d(a[None] * 1.0, b * 1.0, stride=stride, padding=padding)", summed_products, IMAGE, convolved_image,
           fitting(IMAGE, stride=(1, 2), padding=(1,)), lambda ch, s, p: (Need((2, s[0], 2, 2)),), "matmul"),
)  # fmt: skip

# -- pooling -------------------------------------------------------------------------------------------------------------------


def last_axis(length: Callable[[int, Params], int]) -> ShapeRule:
    """Another length of the last axis."""
    return lambda shapes_, p: ((*shapes_[0][:-1], length(shapes_[0][-1], p)),)


def longer(shapes_: Shapes, p: Params) -> tuple[Shape, ...]:
    """One entry more along the last two axes."""
    return ((*shapes_[0][:-2], shapes_[0][-2] + 1, shapes_[0][-1] + 1),)


def wide(shape: Shape) -> bool:
    """Whether a window of two fits the last axis."""
    return SIGNAL(shape) and shape[-1] > 1


def of_length_two(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """Lengths of pairs that are not zero."""
    return Bounds(0.0, 2 * xs[0].magnitude, None) if away_from_zero(xs[0]) else None


def twice(rule: ShapeRule) -> ShapeRule:
    """The same for values and places."""
    return lambda shapes_, p: rule(shapes_, p) * 2


POOLS = (
    window("avg_pool1d_padded", "F.avg_pool1d(a * 1.0, 2, stride=stride, padding=1, count_include_pad=counted)", averaged, SIGNAL,
           last_axis(lambda n, p: n // p["stride"] + 1), fitting(SIGNAL, stride=(1, 2), counted=(False, True))),
    window("avg_pool2d", "F.avg_pool2d(a * 1.0, 2, stride=1, padding=1, divisor_override=divisor)", averaged, IMAGE, longer,
           fitting(IMAGE, divisor=(None, 5))),
    window("max_pool2d", "F.max_pool2d(a * 1.0, 2, stride=1, padding=1)", keep, IMAGE, longer, kink=True),
    window("max_pool1d_with_places", "F.max_pool1d(a * 1.0, 2, stride=stride, return_indices=True)", keep, wide,
           twice(last_axis(lambda n, p: (n - 2) // p["stride"] + 1)), fitting(wide, stride=(1, 2)), kink=True, index_outputs=1),
    window("adaptive_max_pool1d", "F.adaptive_max_pool1d(a * 1.0, size)", keep, SIGNAL, last_axis(lambda n, p: p["size"]),
           fitting(SIGNAL, size=(2, 1, 3)), kink=True),
    window("adaptive_avg_pool2d", "F.adaptive_avg_pool2d(a * 1.0, (2, size))", averaged, IMAGE,
           lambda s, p: ((s[0][0], 2, p["size"]),), fitting(IMAGE, size=(1, 2, 3))),
    window("max_unpool1d", "F.max_unpool1d(a * 1.0, (torch.arange(a.shape[-1]) * 2).expand(a.shape), 2)", mixed, SIGNAL,
           last_axis(lambda n, p: 2 * n), chapter="shape"),
    window("lp_pool1d", "F.lp_pool1d(a * 1.0, 2, 2, stride=stride)", of_length_two, wide,
           last_axis(lambda n, p: (n - 2) // p["stride"] + 1), fitting(wide, stride=(1, 2))),
)  # fmt: skip

# -- blocks, shuffles and sampling ---------------------------------------------------------------------------------------------


def between(factor: float) -> BoundsRule:
    """Values between neighbours, or beyond them by this factor."""

    def rule(xs: Many, p: Params, s: Shapes) -> Bounds:
        top = factor * xs[0].magnitude
        return Bounds(-top, top, None)

    return rule


def overlapping(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Sums of two values"""
    return Bounds(min(2 * xs[0].lo, 0.0), max(2 * xs[0].hi, 0.0), xs[0].grain)


def resized(shapes_: Shapes, p: Params) -> tuple[Shape, ...]:
    """An image of two by `size`."""
    return ((1, shapes_[0][0], 2, p["size"]),)


def of_lines(shapes_: Shapes, p: Params) -> tuple[Shape, ...]:
    """Lines of `size` entries."""
    return ((1, size(shapes_[0][:-1]), p["size"]),)


def sampled(shapes_: Shapes, p: Params) -> tuple[Shape, ...]:
    """A value of each channel for each pair of coordinates."""
    a, b = shapes_
    if len(b) != 4 or b[0] != 1 or b[3] != 2:
        raise shapes.ShapeError(f"places {b} in an image {a}")
    return ((1, a[0], b[1], b[2]),)


def padded(shapes_: Shapes, p: Params) -> tuple[Shape, ...]:
    """Entries more around the last two axes."""
    a = shapes_[0]
    return ((*a[:-2], a[-2] + p["top"] + p["bottom"], a[-1] + p["left"] + p["right"]),)


def in_fours(shape: Shape) -> bool:
    """Whether elements come in fours."""
    return 0 not in shape and size(shape) % 4 == 0


def two_channels(shape: Shape) -> bool:
    """Whether it is a signal of two channels."""
    return len(shape) == 2 and shape[0] == 2 and shape[1] > 0


CORNERS = (False, True)
MATRICES = ranked(2, 3, 4)
LINES = ranked(1, 2, 3)

SAMPLING = (
    window("interpolate_nearest", "F.interpolate(a.reshape(1, -1, a.shape[-1]), size=size, mode='nearest')", keep, LINES,
           of_lines, fitting(LINES, size=(3, 4, 1)), chapter="shape"),
    window("interpolate_linear", "F.interpolate(a.reshape(1, -1, a.shape[-1]), size=size, mode='linear', align_corners=corners)",
           between(1.0), LINES, of_lines, fitting(LINES, size=(3, 4, 2), corners=CORNERS), chapter="shape"),
    window("interpolate_bilinear", "F.interpolate(a[None], size=(2, size), mode='bilinear', align_corners=corners)", between(1.0),
           IMAGE, resized, fitting(IMAGE, size=(3, 4, 2), corners=CORNERS), chapter="shape"),
    window("interpolate_bicubic", "F.interpolate(a[None], size=(2, size), mode='bicubic', align_corners=corners)", between(3.0),
           IMAGE, resized, fitting(IMAGE, size=(3, 4, 2), corners=CORNERS), chapter="shape"),
    window("unfold_blocks", "F.unfold(a[None], (1, 2), padding=(0, 1))", mixed, IMAGE,
           lambda s, p: ((1, 2 * s[0][0], s[0][1] * (s[0][2] + 1)),), chapter="shape"),
    window("fold_blocks", "F.fold(a[None], (1, a.shape[-1] + 1), (1, 2))", overlapping, two_channels,
           lambda s, p: ((1, 1, 1, s[0][1] + 1),), chapter="shape"),
    window("pixel_shuffle", "F.pixel_shuffle(a.reshape(4, 1, -1), 2)", keep, in_fours,
           lambda s, p: ((1, 2, size(s[0]) // 2),), chapter="shape"),
    window("grid_sample", "F.grid_sample(a[None] * 1.0, b / 4.0, padding_mode=padding, align_corners=corners)", between(1.0),
           IMAGE, sampled, fitting(IMAGE, padding=("zeros", "border", "reflection"), corners=CORNERS),
           lambda ch, s, p: (Need((1, 2, 1, 2)),), chapter="index", kink=True),
    window("pad_two", "F.pad(a, (left, right, top, bottom))", mixed, MATRICES, padded,
           fitting(MATRICES, left=(1, 0), right=(0, 1), top=(0, 1), bottom=(1, 0)), chapter="shape"),
)  # fmt: skip

OPS = CONVOLUTIONS + POOLS + SAMPLING
