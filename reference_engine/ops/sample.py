"""Sampling of images: interpolation, sliding blocks, grid sampling, pixel shuffles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import wrap
from .conv import _padded, _windows, out_size
from .table import arrays, op, tensors
from .taps import Taps, nonempty, tapped

Ints = tuple[int, ...]

# ---- interpolation ----------------------------------------------------------------------------------------------------


def _scale(n: int, out: int, align: bool, factor: Any) -> float:
    """How far the source moves for one step of the output."""
    if align:
        return (n - 1) / (out - 1) if out > 1 else 0.0
    return 1 / factor if factor is not None and factor > 0 else n / out


def _nearest(shift: float) -> Any:
    def taps(n: int, out: int, align: bool, factor: Any) -> Taps:
        at = np.floor((np.arange(out) + shift) * np.float32(_scale(n, out, False, factor))).astype(np.int64)
        return np.minimum(at, n - 1)[:, None], None

    return taps


def _linear(n: int, out: int, align: bool, factor: Any) -> Taps:
    i, s = np.arange(out), _scale(n, out, align, factor)
    at = i * s if align else np.maximum((i + 0.5) * s - 0.5, 0)
    low = np.minimum(np.floor(at).astype(np.int64), n - 1)
    part = np.clip(at - low, 0, 1)
    return np.stack([low, np.minimum(low + 1, n - 1)], 1), np.stack([1 - part, part], 1)


def _cubic(n: int, out: int, align: bool, factor: Any) -> Taps:
    i, s = np.arange(out), _scale(n, out, align, factor)
    at = i * s if align else (i + 0.5) * s - 0.5
    low = np.floor(at).astype(np.int64)
    t, a = at - low, -0.75
    near = [((a + 2) * x - (a + 3)) * x * x + 1 for x in (t, 1 - t)]
    far = [((a * x - 5 * a) * x + 8 * a) * x - 4 * a for x in (t + 1, 2 - t)]
    index = np.clip(low[:, None] + np.arange(-1, 3), 0, n - 1)
    return index, np.stack([far[0], near[0], near[1], far[1]], 1)


def _each(along: Any) -> Any:
    def taps(shape: tuple, output_size: Ints, align_corners: bool, scales: tuple) -> list:
        k = len(output_size)
        return [along(n, o, align_corners, f) for n, o, f in zip(shape[len(shape) - k :], output_size, scales)]

    return taps


MODES = {
    **{f"nearest{n}d": (_nearest(0.0), f"Nearest{n}D") for n in (1, 2, 3)},
    **{f"nearest_exact{n}d": (_nearest(0.5), f"NearestExact{n}D") for n in (1, 2, 3)},
    "linear1d": (_linear, "Linear1D"), "bilinear2d": (_linear, "Bilinear2D"), "trilinear3d": (_linear, "Trilinear3D"),
    "bicubic2d": (_cubic, "Bicubic2D"),
}  # fmt: skip
for _name, (_along, _title) in MODES.items():
    tapped(f"upsample_{_name}_row", _each(_along), "output_size align_corners scales", saves=False,
           node=f"Upsample{_title}Backward0")  # fmt: skip


# ---- sliding blocks ---------------------------------------------------------------------------------------------------


def _copied(x: Any, shape: tuple[int, ...]) -> Any:
    """Another shape in memory of its own, even where NumPy's reshape would be a view."""
    return x.copy().reshape(shape)


def _im2col(x: Any, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Any:
    if x.ndim == 3:
        return _im2col(x[None], kernel, dilation, padding, stride)[0]
    nonempty(x.shape, 2)
    size = out_size(x.shape[2:], kernel, stride, padding, dilation)
    if any(n <= 0 for n in size):
        raise RuntimeError(
            f"Given input with spatial size ({', '.join(map(str, x.shape[2:]))}), kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, stride={stride}, calculated shape of the array of sliding blocks as {size}, but its "
            "components must be at least one."
        )
    win = _windows(_padded(x, padding), kernel, size, stride, dilation, 1)[0]
    b, c, n = x.shape[0], x.shape[1], len(kernel)
    order = (0, 1, *range(2 + n, 2 + 2 * n), *range(2, 2 + n))
    return _copied(win.transpose(order), (b, c * math.prod(kernel), math.prod(size)))


def _col2im(cols: Any, output_size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Any:
    if cols.ndim == 2:
        return _col2im(cols[None], output_size, kernel, dilation, padding, stride)[0]
    size = out_size(output_size, kernel, stride, padding, dilation)
    b, c = cols.shape[0], cols.shape[1] // math.prod(kernel)
    if cols.shape[1] % math.prod(kernel) or cols.shape[2] != math.prod(size):
        raise RuntimeError(
            f"Given output_size={output_size}, kernel_size={kernel}, dilation={dilation}, padding={padding}, stride={stride}, "
            f"expected size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{' * '.join(map(str, size))} = {math.prod(size)}, but got input.size(2)={cols.shape[2]}."
        )
    blocks = cols.reshape(b, c, *kernel, *size)
    whole = np.zeros((b, c, *(n + 2 * p for n, p in zip(output_size, padding))), cols.dtype)
    for at in np.ndindex(kernel):
        where = tuple(slice(a * d, a * d + (m - 1) * s + 1, s) for a, d, s, m in zip(at, dilation, stride, size))
        whole[(slice(None), slice(None), *where)] += blocks[(slice(None), slice(None), *at)]
    return whole[(slice(None), slice(None), *(slice(p, p + n) for p, n in zip(padding, output_size)))].copy()


op("im2col_row", _im2col, params="kernel_size dilation padding stride", face=False, node="Im2ColBackward0", jvp="linear",
   self=lambda F, ct, self_shape, kernel_size, dilation, padding, stride: F.col2im_row(
       ct, self_shape[-2:], kernel_size, dilation, padding, stride))  # fmt: skip
op("col2im_row", _col2im, params="output_size kernel_size dilation padding stride", face=False, node="Col2ImBackward0",
   jvp="linear",
   self=lambda F, ct, kernel_size, dilation, padding, stride: F.im2col_row(ct, kernel_size, dilation, padding, stride))  # fmt: skip  # noqa: E501


# ---- shuffles ---------------------------------------------------------------------------------------------------------


def _shuffle(x: Any, r: int) -> Any:
    *lead, c, h, w = x.shape
    parts = x.reshape(*lead, c // (r * r), r, r, h, w)
    return _copied(np.moveaxis(parts, (-4, -3), (-3, -1)), (*lead, c // (r * r), h * r, w * r))


def _unshuffle(x: Any, r: int) -> Any:
    *lead, c, h, w = x.shape
    return _copied(np.moveaxis(x.reshape(*lead, c, h // r, r, w // r, r), (-3, -1), (-4, -3)), (*lead, c * r * r, h // r, w // r))


def _regroup(x: Any, groups: int) -> Any:
    shape = x.shape
    return _copied(x.reshape(shape[0], groups, shape[1] // groups, *shape[2:]).swapaxes(1, 2), shape)


op("pixel_shuffle_row", _shuffle, params="upscale_factor", face=False, node="PixelShuffleBackward0", jvp="linear",
   self=lambda F, ct, upscale_factor: F.pixel_unshuffle_row(ct, upscale_factor))  # fmt: skip
op("pixel_unshuffle_row", _unshuffle, params="downscale_factor", face=False, node="PixelUnshuffleBackward0", jvp="linear",
   self=lambda F, ct, downscale_factor: F.pixel_shuffle_row(ct, downscale_factor))  # fmt: skip
op("channel_shuffle_row", _regroup, params="groups", face=False, node="ChannelShuffleBackward0", jvp="linear",
   self=lambda F, ct, self_shape, groups: F.channel_shuffle_row(ct, self_shape[1] // groups))  # fmt: skip


# ---- grid sampling ----------------------------------------------------------------------------------------------------

ZEROS, BORDER, REFLECTION = 0, 1, 2


def _reflected(x: Any, low: float, high: float) -> tuple[Any, Any]:
    """A coordinate thrown back from both ends, and the sign that its slope takes."""
    if low == high:
        return np.zeros_like(x), np.zeros_like(x)
    span = (high - low) / 2
    start = low / 2
    sign = np.where(x < start, -1.0, 1.0)
    x = np.abs(x - start)
    extra, flips = np.fmod(x, span), np.floor(x / span)
    even = flips % 2 == 0
    return np.where(even, extra + start, span - extra + start), np.where(even, sign, -sign)


def _source(g: Any, n: int, padding: int, align: bool) -> tuple[Any, Any]:
    """The place in the input that a normalised coordinate means, and d place / d coordinate."""
    slope = np.full_like(g, (n - 1) / 2 if align else n / 2)
    x = (g + 1) / 2 * (n - 1) if align else ((g + 1) * n - 1) / 2
    if padding == REFLECTION:
        x, sign = _reflected(x, 0, 2 * (n - 1)) if align else _reflected(x, -1, 2 * n - 1)
        slope = slope * sign
    if padding != ZEROS:
        slope = np.where((x <= 0) | (x >= n - 1), 0, slope)
        x = np.clip(x, 0, n - 1)
    return x, slope


def _lines(grid: Any, size: Ints, padding: int, align: bool) -> list[tuple[Any, Any, Any]]:
    """For each dimension of the input: place = slope * coordinate + offset around here, and the place itself."""
    k, out = len(size), []
    for d in range(k):
        g = grid[..., k - 1 - d]
        place, slope = _source(g, size[d], padding, align)
        out.append((slope.astype(grid.dtype), (place - slope * g).astype(grid.dtype), place))
    return out


def _corners(places: list, mode: int) -> list[tuple[tuple, list]]:
    """The corners around each place: which (0 below, 1 above), and where."""
    if mode == 1:
        return [((), [np.rint(x).astype(np.int64) for x in places])]
    low = [np.floor(x).astype(np.int64) for x in places]
    return [(corner, [f + c for f, c in zip(low, corner)]) for corner in np.ndindex((2,) * len(places))]


def _look(index: list, size: Ints, batch: int) -> tuple[tuple, Any]:
    """The key that reads (batch, places, channel) from the input, and which places are inside."""
    inside = np.logical_and.reduce([(i >= 0) & (i < n) for i, n in zip(index, size)])
    safe = [np.clip(i, 0, n - 1) for i, n in zip(index, size)]
    first = np.arange(batch).reshape(-1, *(1,) * len(size))
    return (first, slice(None), *safe), inside


def _grid_read(x: Any, index: list) -> Any:
    """(batch, *places, channel): the input at whole places, 0 outside."""
    key, inside = _look(index, x.shape[2:], len(x))
    return np.where(inside[..., None], x[key], x.dtype.type(0))


def _grid_add(ct: Any, index: list, shape: tuple) -> Any:
    """The adjoint of _grid_read."""
    key, inside = _look(index, shape[2:], shape[0])
    out = np.zeros(shape, ct.dtype)
    np.add.at(out, key, np.where(inside[..., None], ct, ct.dtype.type(0)))
    return out


op("grid_read", _grid_read, params="index", face=False, jvp="linear", node="GridSamplerBackwardBackward0",
   self=lambda F, ct, self_shape, index: F.grid_add(ct, index, self_shape))  # fmt: skip
op("grid_add", _grid_add, "ct_", "index shape", face=False, jvp="linear", node="GridSamplerBackwardBackward0",
   ct_=lambda F, ct, index: F.grid_read(ct, index))  # fmt: skip


def _grid_sample(x: Any, grid: Any, mode: int, padding: int, align: bool) -> Any:
    places = [p for *_, p in _lines(grid, x.shape[2:], padding, align)]
    part = [p - np.floor(p) for p in places]
    out = np.zeros((*grid.shape[:-1], x.shape[1]), x.dtype)
    for corner, index in _corners(places, mode):
        weight = math.prod((p if c else 1 - p for p, c in zip(part, corner)), start=np.ones(grid.shape[:-1]))
        out += (_grid_read(x, index) * weight[..., None]).astype(x.dtype)
    return np.moveaxis(out, -1, 1).copy()


def _data(x: Any) -> Any:
    return getattr(x, "_array", x)


arrays.held = lambda like, x: x
tensors.held = lambda like, x: wrap(np.asarray(x, like._array.dtype))


def _grid_parts(F: Any, input: Any, grid: Any, mode: int, padding: int, align: bool) -> tuple[list, list]:
    """The corners, and how far each place is beyond its lower corner: linear in the grid, for the interpreters."""
    k, size = len(input.shape) - 2, tuple(input.shape)[2:]
    lines = _lines(_data(grid), size, padding, align)
    part = []
    for d, (slope, offset, place) in enumerate(lines):
        g = F.select(grid, len(grid.shape) - 1, k - 1 - d)
        part.append((F.add(F.mul(g, F.held(grid, slope)), F.held(grid, offset - np.floor(place))), slope))
    return _corners([p for *_, p in lines], mode), part


def _product(F: Any, factors: list, like: Any) -> Any:
    out = None
    for f in factors:
        out = f if out is None else F.mul(out, f)
    return F.ones_like(like) if out is None else out


def _side(F: Any, part: Any, corner: int) -> Any:
    return part if corner else F.rsub(part, 1)


def _last(F: Any, ct: Any) -> Any:
    n = len(ct.shape)
    return F.permute(ct, (0, *range(2, n), 1))


def _grid_input(F: Any, ct: Any, input: Any, grid: Any, mode: int, padding: int, align: bool) -> Any:
    corners, part = _grid_parts(F, input, grid, mode, padding, align)
    ct, out = _last(F, ct), None
    for corner, index in corners:
        weight = _product(F, [_side(F, p, c) for (p, _), c in zip(part, corner)], part[0][0])
        each = F.grid_add(F.mul(ct, F.unsqueeze(weight, -1)), index, tuple(input.shape))
        out = each if out is None else F.add(out, each)
    return out


def _grid_grid(F: Any, ct: Any, input: Any, grid: Any, mode: int, padding: int, align: bool) -> Any:
    if mode == 1:
        return F.zeros_like(grid)
    corners, part = _grid_parts(F, input, grid, mode, padding, align)
    ct, k = _last(F, ct), len(part)
    sums: list[Any] = [None] * k
    for corner, index in corners:
        pull = F.sum_dims(F.mul(ct, F.grid_read(input, index)), (len(ct.shape) - 1,), False)
        for d in range(k):
            others = [_side(F, p, c) for e, ((p, _), c) in enumerate(zip(part, corner)) if e != d]
            each = F.mul(_product(F, [pull, *others], pull), F.held(grid, part[d][1] * (1.0 if corner[d] else -1.0)))
            sums[d] = each if sums[d] is None else F.add(sums[d], each)
    return F.stack(sums[::-1], len(grid.shape) - 1)


for _n in (2, 3):
    op(f"grid_sampler_{_n}d_row", _grid_sample, "input grid", "mode padding align", face=False,
       node=f"GridSampler{_n}DBackward0",
       input=lambda F, ct, input, grid, mode, padding, align: _grid_input(F, ct, input, grid, mode, padding, align),
       grid=lambda F, ct, input, grid, mode, padding, align: _grid_grid(F, ct, input, grid, mode, padding, align))  # fmt: skip
