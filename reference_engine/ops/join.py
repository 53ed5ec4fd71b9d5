"""Joining and rearranging by copying: cat, stack, repeat, flip, roll, tril, pad-like placements."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from .faces import face, function
from .shape import axis, sizes
from .table import ROWS, arrays, op, tensors

arrays.new_zeros = lambda like, shape: np.zeros(shape, like.dtype)
tensors.new_zeros = lambda like, shape: like.new_zeros(shape)


def _skip(shape: tuple) -> bool:
    """Torch's cat passes over empty one-dimensional tensors of any company."""
    return shape == (0,)


def _common(parts: list) -> Any:
    """The dtype of the parts joined."""
    first = parts[0].dtype
    return first if all([p.dtype is first for p in parts]) else dtypes.result_type_of(parts).np


def _cat(parts: list, dim: int) -> Any:
    common = _common(parts)
    kept = [p for p in parts if not _skip(p.shape)] or parts[:1]
    return np.concatenate(kept, axis(dim, kept[0].ndim), dtype=common)


def _cat_vjp(F: Any, ct: Any, tensors_shape: list, dim: int) -> list:
    d = axis(dim, len(ct.shape))
    out, start = [], 0
    for shape in tensors_shape:
        if _skip(shape):
            out.append(F.new_zeros(ct, shape))
            continue
        out.append(F.slice(ct, d, start, start + shape[d], 1))
        start += shape[d]
    return out


def _stack_vjp(F: Any, ct: Any, tensors_shape: list, dim: int) -> list:
    return [F.select(ct, dim, i) for i in range(len(tensors_shape))]


def _stack(parts: list, dim: int) -> Any:
    if any(p.shape != parts[0].shape for p in parts):
        bad = next(i for i, p in enumerate(parts) if p.shape != parts[0].shape)
        raise RuntimeError(
            f"stack expects each tensor to be equal size, but got {list(parts[0].shape)} at entry 0 and "
            f"{list(parts[bad].shape)} at entry {bad}"
        )
    d = axis(dim, parts[0].ndim + 1)
    place = (*(slice(None),) * d, None)
    return np.concatenate([p[place] for p in parts], d, dtype=_common(parts))


op("cat", _cat, "*tensors", "dim", order="contiguous", face=False, jvp="linear", tensors=_cat_vjp)
op("stack", _stack, "*tensors", "dim", order="contiguous", face=False, jvp="linear", tensors=_stack_vjp)


@function("cat", "concat", "concatenate")
def cat(tensors: Any, dim: int = 0, *, out: Any = None) -> Tensor:
    """Join along an existing dimension."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")
    return ROWS["cat"].call(tensors, dim, out=out)


@function("stack")
def stack(tensors: Any, dim: int = 0, *, out: Any = None) -> Tensor:
    """Join along a new dimension."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    return ROWS["stack"].call(tensors, dim, out=out)


tensors.cat, tensors.stack = cat, stack


@function()
def hstack(tensors: Any) -> Tensor:
    """cat along the columns"""
    parts = [FUNCTION("atleast_1d")(t) for t in tensors]
    return cat(parts, 0 if parts[0]._array.ndim == 1 else 1)


@function("vstack", "row_stack")
def vstack(tensors: Any) -> Tensor:
    """cat along the rows"""
    return cat([FUNCTION("atleast_2d")(t) for t in tensors], 0)


def FUNCTION(name: str) -> Any:
    from .table import FUNCTIONS

    return FUNCTIONS[name]


# ---- copies -----------------------------------------------------------------------------------------------------------


def _repeat_vjp(F: Any, ct: Any, self_shape: tuple, repeats: tuple) -> Any:
    lead = len(repeats) - len(self_shape)
    full = (1,) * lead + tuple(self_shape)
    split = [x for r, s in zip(repeats, full) for x in (r, s)]
    summed = F.sum_dims(F.reshape(ct, tuple(split)), tuple(range(0, len(split), 2)), False)
    return F.reshape(summed, tuple(self_shape))


op("repeat", lambda x, repeats: np.tile(x, repeats).copy(), params="repeats", face=False, jvp="linear", self=_repeat_vjp)
op("flip", lambda x, dims: np.flip(x, dims).copy(), order="first", params="dims", face=False, jvp="linear",
   self=lambda F, ct, dims: F.flip(ct, dims))  # fmt: skip


def _roll(x: np.ndarray, shifts: tuple[int, ...], dims: tuple[int, ...]) -> np.ndarray:
    if len(shifts) != max(1, len(dims)):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    if not x.size:
        return x.copy()
    if not dims:
        return _roll(x.reshape(-1), shifts, (0,)).reshape(x.shape)
    if not x.ndim:
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    for shift, dim in zip(shifts, dims):
        n = x.shape[axis(dim, x.ndim)]
        first = -shift % n
        x = x.take(np.arange(first, first + n), dim, mode="wrap")  # five times as fast as numpy.roll on a few elements
    return x


op("roll", _roll, params="shifts dims", face=False, jvp="linear",
   self=lambda F, ct, shifts, dims: F.roll(ct, tuple(-s for s in shifts), dims))  # fmt: skip
op("tril", lambda x, diagonal: np.tril(x, diagonal), order="contiguous", params="diagonal=0", inplace=True, jvp="linear",
   self=lambda F, ct, diagonal: F.tril(ct, diagonal))  # fmt: skip
op("triu", lambda x, diagonal: np.triu(x, diagonal), order="contiguous", params="diagonal=0", inplace=True, jvp="linear",
   self=lambda F, ct, diagonal: F.triu(ct, diagonal))  # fmt: skip
op("trace", lambda x: np.asarray(np.trace(x)), jvp="linear",
   self=lambda F, ct, self_shape: F.diagonal_backward(F.expand(ct, (min(self_shape),)), self_shape, 0, 0, 1))  # fmt: skip


def _diag_embed(x: Any, offset: int, dim1: int, dim2: int) -> Any:
    n = x.shape[-1] + abs(offset)
    out = np.zeros((*x.shape[:-1], n, n), x.dtype)
    i = np.arange(x.shape[-1])
    out[..., i + max(0, -offset), i + max(0, offset)] = x
    return np.moveaxis(out, (-2, -1), (axis(dim1, out.ndim), axis(dim2, out.ndim))).copy()


op("diag_embed", _diag_embed, params="offset=0 dim1=-2 dim2=-1", jvp="linear",
   self=lambda F, ct, offset, dim1, dim2: F.diagonal(ct, offset, dim1, dim2))  # fmt: skip
op("rot90", lambda x, k, dims: np.rot90(x, k, dims).copy(), params="k=1 dims=(0,1)", jvp="linear",
   self=lambda F, ct, k, dims: F.rot90(ct, -k, dims))  # fmt: skip


@face()
def diag(self: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with the vector on its diagonal, or the diagonal of a matrix as a copy."""
    if self._array.ndim == 1:
        return ROWS["diag_embed"].call(self, diagonal)
    return ROWS["diagonal_copy"].call(self, diagonal)


@face("repeat", function=False)
def repeat(self: Tensor, *repeats: Any) -> Tensor:
    """Copies side by side along each dimension."""
    reps = sizes(repeats)
    if len(reps) < self._array.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    return ROWS["repeat"].call(self, reps)


@face()
def tile(self: Tensor, *given: Any, dims: Any = None) -> Tensor:
    """repeat, with missing leading counts taken as 1"""
    reps = sizes(given if dims is None else dims)
    return ROWS["repeat"].call(self, (1,) * (self._array.ndim - len(reps)) + reps)


@face()
def flip(self: Tensor, *given: Any, dims: Any = None) -> Tensor:
    """Reverse the order along dimensions (a copy)."""
    turned = sizes(given if dims is None else ((dims,) if isinstance(dims, int) else dims))
    return ROWS["flip"].call(self, tuple(axis(d, self._array.ndim) for d in turned))


@face()
def fliplr(self: Tensor) -> Tensor:
    """flip the columns"""
    return ROWS["flip"].call(self, (1,))


@face()
def flipud(self: Tensor) -> Tensor:
    """flip the rows"""
    return ROWS["flip"].call(self, (0,))


@face()
def roll(self: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """Shift entries along dimensions, those pushed out coming back at the other end."""
    s = shifts if isinstance(shifts, (tuple, list)) else (shifts,)
    d = dims if isinstance(dims, (tuple, list)) else (dims,)
    return ROWS["roll"].call(self, tuple(s), tuple(d))


@function()
def meshgrid(*tensors_: Any, indexing: str = "ij") -> tuple:
    """Coordinate grids of one-dimensional tensors."""
    ts = list(tensors_[0]) if len(tensors_) == 1 and isinstance(tensors_[0], (tuple, list)) else list(tensors_)
    if indexing == "xy" and len(ts) > 1:
        ts[0], ts[1] = ts[1], ts[0]
    shape = tuple(t.numel() for t in ts)
    grids = [t.reshape(*((-1 if i == k else 1) for i in range(len(ts)))).expand(shape) for k, t in enumerate(ts)]
    if indexing == "xy" and len(ts) > 1:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@function()
def cartesian_prod(*tensors_: Any) -> Tensor:
    """All combinations of entries, as rows."""
    for t in tensors_:
        if t.dim() != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(t.shape)}")
    return stack([g.flatten() for g in meshgrid(*tensors_)], 1) if len(tensors_) > 1 else tensors_[0]
