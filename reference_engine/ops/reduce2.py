"""Reductions that give pairs: var_mean, std_mean; nanmean; counting: histc, bincount, bucketize."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor, wrap
from .faces import face, function
from .reduce import _std_vjp, _var, _var_vjp, count, dims_of, keep
from .table import FUNCTIONS, ROWS, op


def _mean(x: Any, dim: Any, keepdim: bool) -> Any:
    return np.true_divide(np.add.reduce(x, dims_of(dim, x.ndim), None, None, keepdim), x.dtype.type(count(x.shape, dim)))


def _plus(F: Any, a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else F.add(a, b)


def _mean_part(F: Any, ct: Any, shape: tuple, dim: Any, keepdim: bool) -> Any:
    if ct is None:
        return None
    return F.div(F.expand(keep(F, ct, shape, dim, keepdim), shape), max(1, count(shape, dim)))


def _var_mean_vjp(F: Any, cts: list, self: Any, self_shape: tuple, dim: Any, correction: float, keepdim: bool) -> Any:
    spread = None if cts[0] is None else _var_vjp(F, cts[0], self, self_shape, dim, correction, keepdim)
    return _plus(F, spread, _mean_part(F, cts[1], self_shape, dim, keepdim))


def _std_mean_vjp(
    F: Any, cts: list, self: Any, result0: Any, self_shape: tuple, dim: Any, correction: float, keepdim: bool
) -> Any:
    spread = None if cts[0] is None else _std_vjp(F, cts[0], self, result0, self_shape, dim, correction, keepdim)
    return _plus(F, spread, _mean_part(F, cts[1], self_shape, dim, keepdim))


op("var_mean_row", lambda x, dim, correction, keepdim: (_var(x, dim, correction, keepdim), _mean(x, dim, keepdim)),
   order="contiguous",
   params="dim correction keepdim", outputs=2, face=False, node="VarMeanBackward0", self=_var_mean_vjp)  # fmt: skip
op("std_mean_row", lambda x, dim, correction, keepdim: (np.sqrt(_var(x, dim, correction, keepdim)), _mean(x, dim, keepdim)),
   order="contiguous",
   params="dim correction keepdim", outputs=2, face=False, node="StdMeanBackward0", self=_std_mean_vjp)  # fmt: skip


def _spread_and_mean(name: str) -> None:
    def call(self: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> tuple:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if correction is None:
            correction = 1 if unbiased is None else int(unbiased)
        return ROWS[name + "_row"](self, dim, correction, keepdim)

    call.__name__ = name
    function(name)(call)


_spread_and_mean("var_mean")
_spread_and_mean("std_mean")


@face()
def nanmean(self: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of what is no NaN."""
    total = FUNCTIONS["nansum"](self, dim, keepdim, dtype=dtype)
    n = np.add.reduce(~np.isnan(self._array), dims_of(dim, self._array.ndim), np.int64, None, keepdim)
    return total / wrap(np.asarray(n))


# ---- counting ---------------------------------------------------------------------------------------------------------


@face()
def histc(self: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many values fall into each of equal bins."""
    x = self._array.reshape(-1)
    if x.dtype.kind != "f":
        raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{self.dtype.long_name}'")
    if min == max:
        min, max = (x.min(), x.max()) if x.size else (0, 0)
        if min == max:
            min, max = min - 1, max + 1
    x = x[(x >= min) & (x <= max)]
    place = np.minimum(((x - min) / (max - min) * bins).astype(np.int64), bins - 1)
    return wrap(np.bincount(place, minlength=bins).astype(self._array.dtype))


@face()
def bincount(self: Tensor, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each integer occurs, or the sum of its weights."""
    found = np.bincount(self._array, None if weights is None else weights._array, minlength)
    return wrap(found)


@function()
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The bucket of each value."""
    x = input._array if isinstance(input, Tensor) else np.asarray(input)
    found = np.asarray(np.searchsorted(boundaries._array, x, "right" if right else "left"))
    return wrap(found.astype(np.int32 if out_int32 else np.int64))


@function()
def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: Any = None
) -> Tensor:
    """Where the values would go in sorted sequences (one for all, or one a row)."""
    rows = sorted_sequence._array
    x = input._array if isinstance(input, Tensor) else np.asarray(input)
    where = "right" if right or side == "right" else "left"
    if rows.ndim == 1:
        found = np.asarray(np.searchsorted(rows, x, where))
    else:
        found = np.empty(x.shape, np.int64)
        for i in np.ndindex(rows.shape[:-1]):
            found[i] = np.searchsorted(rows[i], x[i], where)
    return wrap(found.astype(np.int32 if out_int32 else np.int64))
