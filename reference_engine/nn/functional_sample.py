"""torch.nn.functional: interpolation, sliding blocks, grid sampling, pixel shuffles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.conv import per_dim
from ..ops.table import ROWS
from ..tensor import Tensor, wrap

_NAMES = {
    "nearest": "nearest{}d", "nearest-exact": "nearest_exact{}d", "linear": "linear{}d", "bilinear": "bilinear{}d",
    "trilinear": "trilinear{}d", "bicubic": "bicubic{}d",
}  # fmt: skip


def interpolate(input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None,
                recompute_scale_factor: Any = None, antialias: bool = False) -> Tensor:  # fmt: skip
    """The last dimensions resized."""
    k = input._array.ndim - 2
    if antialias:
        raise NotImplementedError("antialias is not part of the reference engine")
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    if (size is None) == (scale_factor is None):
        raise ValueError("only one of size or scale_factor should be defined" if size is not None else
                         "either size or scale_factor should be defined")  # fmt: skip
    shape = input._array.shape[2:]
    factors: tuple = (None,) * k
    if size is None:
        given = tuple(scale_factor) if isinstance(scale_factor, (list, tuple)) else (scale_factor,) * k
        size = tuple(math.floor(n * f) for n, f in zip(shape, given))
        factors = factors if recompute_scale_factor else given
    else:
        size = per_dim(size, k)
    if mode == "area":
        from . import functional as F

        return getattr(F, f"adaptive_avg_pool{k}d")(input, size)
    row = ROWS.get("upsample_" + _NAMES.get(mode, "?").format(k) + "_row")
    if row is None:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {k + 2}D) for the modes: nearest | linear | bilinear "
            f"| bicubic | trilinear | area | nearest-exact (got {mode})"
        )
    return row.call(input, tuple(size), bool(align_corners), factors)


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None
) -> Tensor:
    """interpolate"""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_vec(name: str) -> Any:
    """aten's upsample_*.vec: sizes, for the smooth ones align_corners, and factors."""
    row, k = ROWS[f"upsample_{name}_row"], int(name[-2])
    smooth = not name.startswith("nearest")

    def call(input: Tensor, output_size: Any, *rest: Any) -> Tensor:
        align = bool(rest[0]) if smooth else False
        factors = rest[1 if smooth else 0 :]
        if len(factors) == 1 and isinstance(factors[0], (list, tuple)):
            factors = tuple(factors[0])  # the .vec overload has one list of factors, the plain one a factor a dimension
        factors = (factors + (None,) * k)[:k]
        if output_size is None:
            output_size = tuple(math.floor(n * f) for n, f in zip(input._array.shape[2:], factors))
        return row.call(input, tuple(output_size), align, factors)

    return call


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Sliding blocks as columns."""
    return ROWS["im2col_row"].call(input, *(per_dim(v, 2) for v in (kernel_size, dilation, padding, stride)))


def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Columns added into the image they are blocks of."""
    return ROWS["col2im_row"].call(input, *(per_dim(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)))


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels into space."""
    if input._array.ndim < 3 or input._array.shape[-3] % upscale_factor**2:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
            f"input.size(-3)={input._array.shape[-3]} is not divisible by {upscale_factor**2}"
        )
    return ROWS["pixel_shuffle_row"].call(input, upscale_factor)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Space into channels."""
    return ROWS["pixel_unshuffle_row"].call(input, downscale_factor)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels of several groups interleaved."""
    return ROWS["channel_shuffle_row"].call(input, groups)


def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: Any = None) -> Tensor:  # fmt: skip
    """The input at places given in coordinates from -1 to 1."""
    modes, paddings = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    if mode not in modes:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in paddings:
        raise ValueError("nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
                         f"'{padding_mode}'")  # fmt: skip
    return grid_sampler(input, grid, modes.index(mode), paddings.index(padding_mode), bool(align_corners))


def grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    """grid_sample with numbers for the modes."""
    if interpolation_mode == 2:
        raise NotImplementedError("bicubic grid_sample is not part of the reference engine")
    n = input._array.ndim - 2
    return ROWS[f"grid_sampler_{n}d_row"].call(input, grid, interpolation_mode, padding_mode, align_corners)


def affine_grid(theta: Tensor, size: Any, align_corners: Any = None) -> Tensor:
    """The grid of an affine map, for grid_sample."""
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    space = tuple(size)[2:]
    axes = []
    for n in space:
        line = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        axes.append(line if align_corners else line * (n - 1) / n)
    mesh = np.meshgrid(*axes, indexing="ij")
    base = np.stack([*reversed(mesh), np.ones(space)], -1).reshape(1, -1, len(space) + 1)
    base = wrap(np.repeat(base, next(iter(size)), 0).astype(theta._array.dtype))
    return base.bmm(theta.transpose(1, 2)).view(next(iter(size)), *space, len(space))


def _lp_pool(n: int) -> Any:
    def pool(input: Tensor, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
        from . import functional as F

        mean = getattr(F, f"avg_pool{n}d")(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        return (mean.sign() * F.relu(mean.abs())).mul(math.prod(per_dim(kernel_size, n))).pow(1.0 / norm_type)

    pool.__name__, pool.__doc__ = f"lp_pool{n}d", "The p-norms of windows."
    return pool


lp_pool1d, lp_pool2d, lp_pool3d = (_lp_pool(n) for n in (1, 2, 3))
