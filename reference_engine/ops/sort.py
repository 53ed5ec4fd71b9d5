"""Order statistics and running extrema: kthvalue, median, mode, cummax, logcumsumexp, quantile, unique."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import errors
from ..tensor import Tensor, wrap
from .faces import face
from .reduce import _evenly, pair, value_selecting
from .scan import _reverse_cumsum
from .shape import axis
from .table import ROWS, op


def _chosen(x: Any, where: Any, dim: int, keepdim: bool) -> tuple:
    """Values and indices at places given with the dimension kept."""
    value = np.take_along_axis(x, where, dim)
    return (value, where) if keepdim else (value.squeeze(dim), where.squeeze(dim))


def _kth(x: Any, k: int, dim: int, keepdim: bool) -> tuple:
    d = axis(dim, x.ndim)
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    if not 1 <= k <= x.shape[d]:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {d}")
    order = np.argsort(x, d, kind="stable")
    return _chosen(x, np.take(order, [k - 1], d), d, keepdim)


def _median_dim(x: Any, dim: int, keepdim: bool, skip: bool) -> tuple:
    """The lower of the two middle values; a NaN wins, or is passed over (skip)."""
    d = axis(dim, x.ndim)
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)
    order, missing = np.argsort(x, d, kind="stable"), np.isnan(x)
    n = x.shape[d] - missing.sum(d, keepdims=True)
    middle = np.maximum(n - 1, 0) // 2
    where = np.take_along_axis(order, middle, d)
    if not skip:
        where = np.where(missing.any(d, keepdims=True), np.argmax(missing, d, keepdims=True), where)
    return _chosen(x, where, d, keepdim)


def _median(x: Any, skip: bool) -> Any:
    if not x.size:
        return np.asarray(math.nan, x.dtype)
    return _median_dim(x.reshape(-1), 0, False, skip)[0]


def _mode(x: Any, dim: int, keepdim: bool) -> tuple:
    """The most frequent value, the smallest of several; its last place."""
    d = axis(dim, x.ndim)
    if not x.ndim:
        return x.copy(), np.zeros((), np.int64)

    def one(line: Any) -> int:
        values, counts = np.unique(line, return_counts=True, equal_nan=False)  # no NaN is as frequent as two
        same = np.flatnonzero(line == values[np.argmax(counts)])
        return int(same[-1]) if same.size else 0  # nothing but NaN

    return _chosen(x, np.expand_dims(np.apply_along_axis(one, d, x), d), d, keepdim)


_ROWS = (
    ("kthvalue", _kth, "k dim keepdim", "KthvalueBackward0"),
    ("median_dim", lambda x, dim, keepdim: _median_dim(x, dim, keepdim, False), "dim keepdim", "MedianBackward1"),
    ("nanmedian_dim", lambda x, dim, keepdim: _median_dim(x, dim, keepdim, True), "dim keepdim", "NanmedianBackward1"),
    ("mode_row", _mode, "dim keepdim", "ModeBackward0"),
)
for _name, _kernel, _params, _node in _ROWS:
    op(_name, _kernel, params=_params, outputs=2, diff=(0,), face=False, node=_node, self=value_selecting,
       namedtuple=pair(_name.partition("_")[0]))  # fmt: skip
op("median_all", lambda x: _median(x, False), face=False, node="MedianBackward0", self=_evenly)
op("nanmedian_all", lambda x: _median(x, True), face=False, node="NanmedianBackward0", self=_evenly)


@face()
def kthvalue(self: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest value along a dimension, and where it is."""
    return ROWS["kthvalue"](self, k, dim, keepdim)


@face()
def mode(self: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent value along a dimension, and where it is."""
    return ROWS["mode_row"](self, dim, keepdim)


def _middle(name: str) -> None:
    def call(self: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        return ROWS[name + "_all"].call(self) if dim is None else ROWS[name + "_dim"](self, dim, keepdim)

    call.__name__ = name
    face(name)(call)


_middle("median")
_middle("nanmedian")

# ---- running ----------------------------------------------------------------------------------------------------------


def _running(better: Any) -> Any:
    """The extremum so far and where it was last attained; a NaN stays."""

    def run(x: Any, dim: int) -> tuple:
        d = axis(dim, x.ndim)
        if not x.ndim:
            return x.copy(), np.zeros((), np.int64)
        line = np.moveaxis(x, d, 0)
        values, places = line.copy(), np.zeros(line.shape, np.int64)
        for i in range(1, line.shape[0]):
            new = (better(line[i], values[i - 1]) | np.isnan(line[i])) & ~(np.isnan(values[i - 1]) & ~np.isnan(line[i]))
            values[i] = np.where(new, line[i], values[i - 1])
            places[i] = np.where(new, i, places[i - 1])
        return tuple(np.ascontiguousarray(np.moveaxis(a, 0, axis(dim, x.ndim))) for a in (values, places))

    return run


def _running_vjp(F: Any, ct: Any, self: Any, result1: Any, self_shape: tuple, dim: int) -> Any:
    if not self_shape:
        return ct
    return F.scatter_add(F.new_zeros(ct, self_shape), axis(dim, len(self_shape)), result1, ct)


for _name, _better in (("cummax", np.greater_equal), ("cummin", np.less_equal)):
    op(_name + "_row", _running(_better), params="dim", outputs=2, diff=(0,), face=False,
       node=_name.capitalize() + "Backward0", namedtuple=pair(_name), self=_running_vjp)  # fmt: skip


@face()
def cummax(self: Tensor, dim: int) -> Any:
    """The maximum so far along a dimension, and where it was."""
    return ROWS["cummax_row"](self, dim)


@face()
def cummin(self: Tensor, dim: int) -> Any:
    """The minimum so far along a dimension, and where it was."""
    return ROWS["cummin_row"](self, dim)


def _logcumsumexp(x: Any, dim: int) -> Any:
    d = axis(dim, x.ndim)
    if not x.ndim:
        return x.copy()
    if x.dtype.kind != "c":
        return np.logaddexp.accumulate(x, d)
    out = np.moveaxis(x, d, 0).copy()
    for i in range(1, len(out)):
        top = np.maximum(out[i - 1].real, out[i].real)
        out[i] = np.log(np.exp(out[i - 1] - top) + np.exp(out[i] - top)) + top
    return np.ascontiguousarray(np.moveaxis(out, 0, d))


def _logcumsumexp_vjp(F: Any, ct: Any, self: Any, result: Any, self_shape: tuple, dim: int) -> Any:
    """exp of a reversed logcumsumexp, for positive and negative cotangents apart, so that nothing overflows."""
    if not self_shape or 0 in self_shape:
        return ct
    d = axis(dim, len(self_shape))
    if F.is_complex(self):
        return F.mul(F.conj(F.exp(self)), _reverse_cumsum(F, F.mul(ct, F.conj(F.exp(F.neg(result)))), d))
    parts = []
    for sign, hit in ((1, F.gt(ct, 0)), (-1, F.lt(ct, 0))):
        size = F.where(hit, ct if sign == 1 else F.neg(ct), 1.0)
        log = F.masked_fill(F.log(size), F.logical_not(hit), -1e300 if str(self.dtype).endswith("64") else -3e38)
        sums = F.flip(F.logcumsumexp(F.flip(F.sub(log, result), (d,)), d), (d,))
        parts.append(F.exp(F.add(sums, self)))
    return F.sub(*parts)


op("logcumsumexp", _logcumsumexp, order="contiguous", params="dim", promote="float", self=_logcumsumexp_vjp)

# ---- quantiles, distinct values ---------------------------------------------------------------------------------------


def _quantile(self: Tensor, q: Any, dim: Any, keepdim: bool, interpolation: str, skip: bool) -> Tensor:
    """Sort, then mix the two neighbours of each rank, as torch composes it."""
    qs = np.atleast_1d(q._array if isinstance(q, Tensor) else np.asarray(q, self._array.dtype))
    if not self.numel():
        raise RuntimeError("quantile() input tensor must be non-empty")
    flat = dim is None or not self.dim()
    x = self.reshape(-1) if flat else self.movedim(dim, -1)
    x = ROWS["sort_row"](x, -1, False)[0]
    missing = np.isnan(x._array)
    n = x.shape[-1] - (missing.sum(-1, keepdims=True) if skip else 0)
    rank = qs * (np.maximum(n - 1, 0) * np.ones((*x.shape[:-1], 1)))
    if not skip:
        rank = np.where(missing.any(-1, keepdims=True), x.shape[-1] - 1.0, rank)
    rounding = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}.get(interpolation)
    rank = rounding(rank) if rounding else rank
    low = np.floor(rank).astype(np.int64)
    out = x.gather(-1, wrap(low))
    if rounding is None:
        weight = np.full_like(rank, 0.5) if interpolation == "midpoint" else rank - low
        high = x.gather(-1, wrap(np.ceil(rank).astype(np.int64)))
        out = out.lerp(high, wrap(weight.astype(self._array.dtype)))
    if keepdim:
        out = out.unsqueeze(-1).movedim(-1, 0 if flat else dim) if flat else out.unsqueeze(dim if dim >= 0 else dim - 1)
        out = out.reshape((len(qs), *(1,) * self.dim())) if flat else out
    out = out.movedim(-1, 0) if not flat else out
    return out.squeeze(0) if np.ndim(q._array if isinstance(q, Tensor) else q) == 0 else out


@face()
def quantile(self: Tensor, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The values below which given fractions lie."""
    return _quantile(self, q, dim, keepdim, interpolation, False)


@face()
def nanquantile(self: Tensor, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """quantile without the NaNs"""
    return _quantile(self, q, dim, keepdim, interpolation, True)


def _no_derivative(F: Any, ct: Any) -> Any:
    raise errors.NotImplementedDerivative("the derivative for '_unique2' is not implemented.")


op("unique_values", lambda x, found: found, params="found", face=False, node="NotImplemented", self=_no_derivative)


@face()
def unique_consecutive(self: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: Any = None) -> Any:
    """The values without those that repeat their predecessor."""
    x = self._array.reshape(-1) if dim is None else np.moveaxis(self._array, dim, 0)
    rows = x.reshape(x.shape[0], -1)
    fresh = np.concatenate([np.ones(min(1, len(x)), bool), (rows[1:] != rows[:-1]).any(1)])
    places = np.flatnonzero(fresh)
    kept = x[fresh] if dim is None else np.moveaxis(x[fresh], 0, dim)
    inverse = np.cumsum(fresh) - 1
    out = [ROWS["unique_values"].call(self, kept)]
    out += [wrap(inverse.reshape(self._array.shape if dim is None else -1))] if return_inverse else []
    out += [wrap(np.diff(np.append(places, len(x))))] if return_counts else []
    return out[0] if len(out) == 1 else tuple(out)


@face()
def unique(self: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Any = None) -> Any:
    """The distinct values in order."""
    values, inverse, counts = np.unique(self._array, return_inverse=True, return_counts=True, axis=dim)
    shaped = inverse.reshape(self._array.shape if dim is None else -1)
    found = ROWS["unique_values"].call(self, values)
    out = [found, *([wrap(shaped)] if return_inverse else []), *([wrap(counts)] if return_counts else [])]
    return out[0] if len(out) == 1 else tuple(out)
