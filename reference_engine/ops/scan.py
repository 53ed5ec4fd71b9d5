"""Running reductions and orderings: cumsum, cumprod, sort, topk."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .faces import face
from .reduce import pair, value_selecting
from .shape import axis
from .table import ROWS, arrays, op


def _cumsum(x: Any, dim: int) -> Any:
    d = axis(dim, x.ndim)
    return np.add.accumulate(x, d, np.int64 if x.dtype.kind in "biu" else None) if x.ndim else x.copy()


def _cumprod(x: Any, dim: int) -> Any:
    d, kind = axis(dim, x.ndim), np.int64 if x.dtype.kind in "biu" else None
    return np.multiply.accumulate(x, d, kind) if x.ndim else x.copy()


def _reverse_cumsum(F: Any, ct: Any, dim: int) -> Any:
    n = len(ct.shape)
    if not n:
        return ct
    d = axis(dim, n)
    return F.flip(F.cumsum(F.flip(ct, (d,)), d), (d,))


def _cumprod_vjp(F: Any, ct: Any, self: Any, result: Any, self_shape: tuple, dim: int) -> Any:
    if not self_shape or 0 in self_shape:
        return ct
    d = axis(dim, len(self_shape))
    if not F.has_zero(self):
        return F.div(_reverse_cumsum(F, F.mul(ct, F.conj(result)), d), F.conj(self))
    if F is arrays:
        return _around_zeros(ct, self, result, d)
    # With zeros: place k feeds every later product, each without the factor k.
    n, out = self_shape[d], []
    for k in range(n):
        others = F.ones_like(F.slice(self, d, 0, 1, 1))
        if k:
            others = F.prod_dims(F.slice(self, d, 0, k, 1), d, True)
        if k < n - 1:
            later = F.mul(F.cumprod(F.slice(self, d, k + 1, n, 1), d), others)
            others = F.cat([others, later], d)
        out.append(F.sum_dims(F.mul(F.slice(ct, d, k, n, 1), F.conj(others)), (d,), True))
    return F.cat(out, d)


def _around_zeros(ct: Any, x: Any, result: Any, d: int) -> Any:
    """The same without a history: before the first zero as without zeros, at it what the others multiply to, then 0."""
    zeros = np.cumsum(x == 0, d)
    before, reached = zeros == 0, zeros == 1
    summed = np.flip(np.cumsum(np.flip(np.where(before, result.conj() * ct, 0), d), d), d)
    first = reached & (np.cumsum(reached, d) == 1)
    later = np.multiply.accumulate(np.where(reached & ~first, x.conj(), 1), d) * np.where(reached, ct, 0)
    ahead = np.concatenate([np.ones_like(np.take(result, [0], d)), np.delete(result, -1, d).conj()], d)
    at_first = later.sum(d, keepdims=True) * ahead
    out = np.where(before, summed / np.where(before, x.conj(), 1), np.where(first, at_first, 0))
    return out.astype(ct.dtype, copy=False)


op("cumsum", _cumsum, order="contiguous", params="dim", inplace=True, face=False, jvp="linear",
   self=lambda F, ct, dim: _reverse_cumsum(F, ct, dim))  # fmt: skip
op("cumprod", _cumprod, order="contiguous", params="dim", inplace=True, face=False, self=_cumprod_vjp)


def _cumulative(name: str) -> Any:
    def call(self: Tensor, dim: int, *, dtype: Any = None, out: Any = None) -> Tensor:
        return ROWS[name].call(self if dtype is None else self.to(dtype), dim, out=out)

    call.__name__ = name
    face(name)(call)
    setattr(Tensor, name + "_", ROWS[name].inplace)
    return call


cumsum, cumprod = _cumulative("cumsum"), _cumulative("cumprod")


def _sort(x: Any, dim: int, descending: bool) -> tuple:
    d = axis(dim, x.ndim)
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    if descending:
        flipped = np.flip(x, d)
        order = np.flip(x.shape[d] - 1 - np.argsort(flipped, d, kind="stable"), d)
    else:
        order = np.argsort(x, d, kind="stable")
    return np.take_along_axis(x, order, d), np.ascontiguousarray(order)


def _topk(x: Any, k: int, dim: int, largest: bool, ordered: bool) -> tuple:
    if not 0 <= k <= (x.shape[axis(dim, x.ndim)] if x.ndim else 1):
        raise RuntimeError("selected index k out of range")
    values, order = _sort(x, dim, largest)
    if not x.ndim:
        return values, order
    part = (slice(None),) * axis(dim, x.ndim) + (slice(k),)
    return values[part].copy(), order[part].copy()


op("sort_row", _sort, order="first", params="dim descending", outputs=2, diff=(0,), face=False, node="SortBackward0",
   namedtuple=pair("sort"),
   self=lambda F, ct, result1, self_shape, dim: value_selecting(F, ct, result1, self_shape, dim, True))  # fmt: skip
op("topk_row", _topk, params="k dim largest ordered", outputs=2, diff=(0,), face=False, node="TopkBackward0",
   namedtuple=pair("topk"),
   self=lambda F, ct, result1, self_shape, dim: value_selecting(F, ct, result1, self_shape, dim, True))  # fmt: skip


@face()
def sort(self: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The values in order along a dimension, and where they were."""
    return ROWS["sort_row"](self, dim, descending)


@face()
def argsort(self: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort."""
    return ROWS["sort_row"](self.detach(), dim, descending)[1]


@face()
def msort(self: Tensor) -> Tensor:
    """sort along the first dimension"""
    return ROWS["sort_row"](self, 0, False)[0]


@face()
def topk(self: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) values along a dimension, and where they are."""
    return ROWS["topk_row"](self, k, dim, largest, sorted)
