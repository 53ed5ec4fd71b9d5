"""Reductions: sum, mean, prod, extrema, var, norm, logsumexp, softmax."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from .faces import face
from .shape import axis
from .table import ROWS, arrays, op, tensors

add_reduce = np.add.reduce


def dims_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions to reduce; None and () mean all."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    found = tuple(axis(d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    if len(found) > 1 and len(set(found)) < len(found):
        raise RuntimeError(f"dim {max(found, key=found.count)} appears multiple times in the list of dims")
    return found if ndim else ()


def keep(F: Any, x: Any, shape: tuple, dim: Any, keepdim: bool) -> Any:
    """A reduced value with the reduced dimensions put back as length 1."""
    if keepdim:
        return x
    dims = dims_of(dim, len(shape))
    return F.reshape(x, tuple(1 if i in dims else s for i, s in enumerate(shape)))


def count(shape: tuple, dim: Any) -> int:
    """How many elements go into each reduced value."""
    n = 1
    for d in dims_of(dim, len(shape)):
        n *= shape[d]
    return n


def _sum(x: Any) -> Any:
    if x.dtype.kind in "biu":
        return add_reduce(x, None, np.int64)
    return add_reduce(x, None)


def _sum_dims(x: Any, dim: Any, keepdim: bool) -> Any:
    return add_reduce(x, dims_of(dim, x.ndim), np.int64 if x.dtype.kind in "biu" else None, None, keepdim)


def _prod_dims(x: Any, dim: Any, keepdim: bool) -> Any:
    kind = np.int64 if x.dtype.kind in "biu" else None
    return np.multiply.reduce(x, dims_of(dim, x.ndim), kind, None, keepdim)


op("sum_all", _sum, face=False, node="SumBackward0", jvp="linear", self=lambda F, ct, self_shape: F.expand(ct, self_shape))
op("sum_dims", _sum_dims, order="contiguous", params="dim keepdim", face=False, node="SumBackward1", jvp="linear",
   self=lambda F, ct, self_shape, dim, keepdim: F.expand(keep(F, ct, self_shape, dim, keepdim), self_shape))  # fmt: skip


def _mean(x: Any) -> Any:
    if x.dtype.kind not in "fc":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            f"{dtypes.OF_NUMPY[x.dtype].long_name}"
        )
    return x.dtype.type(add_reduce(x, None) / x.size) if x.size else x.dtype.type(np.nan)


def _mean_dims(x: Any, dim: Any, keepdim: bool) -> Any:
    return np.true_divide(add_reduce(x, dims_of(dim, x.ndim), None, None, keepdim), x.dtype.type(count(x.shape, dim)))


op("mean_all", _mean, face=False, node="MeanBackward0", jvp="linear",
   self=lambda F, ct, self_shape: F.expand(F.div(ct, max(1, math.prod(self_shape))), self_shape))  # fmt: skip
op("mean_dims", _mean_dims, order="contiguous", params="dim keepdim", face=False, node="MeanBackward1", jvp="linear",
   self=lambda F, ct, self_shape, dim, keepdim: F.div(
       F.expand(keep(F, ct, self_shape, dim, keepdim), self_shape), max(1, count(self_shape, dim))))  # fmt: skip


def _product_of_others(F: Any, ct: Any, x: Any, dim: int) -> Any:
    """ct times, at each place, the product of all other places: without dividing, so that zeros are exact."""
    shape = x.shape
    n = shape[dim] if shape else 1
    if 0 in shape:
        return F.expand(ct, shape)
    if n == 1:
        return ct
    one = F.ones_like(F.slice(x, dim, 0, 1, 1))
    before = F.cumprod(F.cat([one, F.slice(x, dim, 0, n - 1, 1)], dim), dim)
    after = F.cumprod(F.cat([one, F.flip(F.slice(x, dim, 1, n, 1), (dim,))], dim), dim)
    return F.mul(ct, F.conj(F.mul(before, F.flip(after, (dim,)))))


def _prod_vjp(F: Any, ct: Any, self: Any, result: Any) -> Any:
    if not self.shape:
        return F.clone(ct)
    if not F.has_zero(self):
        return F.mul(ct, F.conj(F.div(result, self)))
    line = F.reshape(self, (math.prod(self.shape),))
    return F.reshape(_product_of_others(F, ct, line, 0), tuple(self.shape))


def _prod_dims_vjp(F: Any, ct: Any, self: Any, result: Any, self_shape: tuple, dim: int, keepdim: bool) -> Any:
    if not self_shape:
        return F.clone(ct)
    ct, result = keep(F, ct, self_shape, dim, keepdim), keep(F, result, self_shape, dim, keepdim)
    if not F.has_zero(self):
        return F.mul(ct, F.conj(F.div(result, self)))
    return _product_of_others(F, ct, self, axis(dim, len(self_shape)))


arrays.has_zero = lambda x: not x.all()
tensors.has_zero = lambda x: not x._array.all()
op("prod_all", lambda x: _prod_dims(x, None, False), face=False, node="ProdBackward0",
   self=_prod_vjp)  # fmt: skip
op("prod_dims", _prod_dims, order="contiguous", params="dim keepdim", face=False, node="ProdBackward1", self=_prod_dims_vjp)


def _cast(self: Tensor, dtype: Any) -> Tensor:
    return self if dtype is None else self.to(dtype)


@face("sum")
def sum_(self: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
    """The sum over all elements or along dimensions."""
    self = _cast(self, dtype)
    if dim is None and not keepdim:
        return ROWS["sum_all"].call(self, out=out)
    return ROWS["sum_dims"].call(self, dim, keepdim, out=out)


@face()
def mean(self: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
    """The mean over all elements or along dimensions."""
    self = _cast(self, dtype)
    if dim is None and not keepdim:
        return ROWS["mean_all"].call(self, out=out)
    return ROWS["mean_dims"].call(self, dim, keepdim, out=out)


@face()
def prod(self: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
    """The product of all elements or along one dimension."""
    self = _cast(self, dtype)
    return ROWS["prod_all"].call(self, out=out) if dim is None else ROWS["prod_dims"].call(self, dim, keepdim, out=out)


@face()
def nansum(self: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """sum that takes NaN for 0"""
    if self.is_complex():
        raise RuntimeError("nansum on CPU does not support complex inputs")
    return ROWS["nansum_row"].call(_cast(self, dtype), dim, keepdim)


op("nansum_row", lambda x, dim, keepdim: _sum_dims(np.where(np.isnan(x), x.dtype.type(0), x), dim, keepdim), order="contiguous",
   params="dim keepdim", face=False, node="NansumBackward0",
   self=lambda F, ct, self, self_shape, dim, keepdim: F.mul(
       F.expand(keep(F, ct, self_shape, dim, keepdim), self_shape), F.logical_not(F.isnan(self))))  # fmt: skip

# ---- extrema ----------------------------------------------------------------------------------------------------------


def _evenly(F: Any, ct: Any, self: Any, result: Any) -> Any:
    """All places that attain the extremum share the gradient; with a NaN, the NaNs do; where none is left, none gets any."""
    hit = F.isnan(self) if F.is_nan_number(result) else F.eq(self, result)
    count = F.sum_all(hit)
    return F.where(hit, F.over_count(ct, F.maximum(count, F.ones_like(count))), 0.0)


# 0s and 1s in the cotangent's dtype: a count of integers would turn a float32 gradient into float64.
arrays.mask_like = lambda hit, like: hit.astype(like.dtype)
tensors.mask_like = lambda hit, like: hit.to(like.dtype)
# Counted as integers and divided in double precision: 70,000 ties overflow float16.
arrays.over_count = lambda x, n: (x / n).astype(x.dtype)
tensors.over_count = lambda x, n: (x / n.double()).to(x.dtype)
arrays.is_nan_number = lambda x: bool(np.isnan(x))
tensors.is_nan_number = lambda x: bool(np.isnan(x._array))


def _by_count(F: Any, ct: Any, self: Any, result: Any, self_shape: tuple, dim: Any, keepdim: bool) -> Any:
    hit = F.eq(self, keep(F, result, self_shape, dim, keepdim))
    ct = keep(F, ct, self_shape, dim, keepdim)
    return F.over_count(F.mul(ct, F.mask_like(hit, ct)), F.sum_dims(hit, dims_of(dim, len(self_shape)), True))


def _extremum(name: str, kernel: Any) -> Any:
    def run(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if x.dtype.kind == "c":
            raise RuntimeError(f'"{name}" not implemented for {dtypes.OF_NUMPY[x.dtype].long_name}')
        if x.size == 0 and (dim is None or count(x.shape, dim) == 0):
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                "with the 'dim' argument."
            )
        return kernel(x, axis=dims_of(dim, x.ndim), keepdims=keepdim)

    return run


for _name, _kernel in (("max", np.maximum.reduce), ("min", np.minimum.reduce)):
    op(f"{_name}_all", _extremum(_name, _kernel), face=False, node=f"{_name.capitalize()}Backward1", self=_evenly)
    op(f"a{_name}", _extremum(f"a{_name}", _kernel), params="dim=() keepdim=False", order="contiguous", self=_by_count)


def _pick(arg: Any, name: str) -> Any:
    """The extremum along one dimension and where it is; NaN counts as extreme, ties go to the first."""

    def run(x: Any, dim: int, keepdim: bool) -> tuple:
        d = axis(dim, x.ndim)
        if x.ndim == 0:
            return x.copy(), np.zeros((), np.int64)
        if x.shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")
        where = arg(x, axis=d, keepdims=True)
        value = np.take_along_axis(x, where, d)
        return (value, where) if keepdim else (value.squeeze(d), where.squeeze(d))

    return run


def value_selecting(F: Any, ct: Any, result1: Any, self_shape: tuple, dim: int, keepdim: bool) -> Any:
    """The gradient goes to the chosen places."""
    if ct is None:
        return None
    if not self_shape:
        return ct
    d = axis(dim, len(self_shape))
    if not keepdim:
        ct, result1 = F.unsqueeze(ct, d), F.unsqueeze(result1, d)
    return F.scatter_add(F.new_zeros(ct, self_shape), d, result1, ct)


def pair(name: str) -> Any:
    """A named tuple (values, indices) as torch.return_types has it."""
    t = namedtuple(name, "values indices")
    t.__module__ = "torch.return_types"
    return t


for _name, _arg in (("max", np.argmax), ("min", np.argmin)):
    op(f"{_name}_dim", _pick(_arg, _name), params="dim keepdim", outputs=2, diff=(0,), face=False,
       node=f"{_name.capitalize()}Backward0", namedtuple=pair(_name), self=value_selecting)  # fmt: skip


def _max_or_min(name: str, binary: str) -> Any:
    def call(self: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None, out: Any = None) -> Any:
        if isinstance(dim, Tensor) or other is not None:
            return ROWS[binary].call(self, dim if other is None else other, out=out)
        if dim is None:
            return ROWS[name + "_all"].call(self)
        return ROWS[name + "_dim"](self, dim, keepdim)

    call.__name__ = name
    return face(name)(call)


_max_or_min("max", "maximum")
_max_or_min("min", "minimum")
_MinMax = namedtuple("aminmax", "min max")


def _aminmax_vjp(F: Any, cts: list, self: Any, result: Any, result1: Any, self_shape: tuple, dim: Any, keepdim: bool) -> Any:
    low, high = (None if ct is None else _by_count(F, ct, self, r, self_shape, dim, keepdim)
                 for ct, r in zip(cts, (result, result1)))  # fmt: skip
    return high if low is None else low if high is None else F.add(low, high)


op("aminmax_row", lambda x, dim, keepdim: (ROWS["amin"].kernel(x, dim, keepdim), ROWS["amax"].kernel(x, dim, keepdim)),
   params="dim keepdim", outputs=2, face=False, node="AminmaxBackward0", namedtuple=_MinMax, self=_aminmax_vjp)  # fmt: skip


@face()
def aminmax(self: Tensor, *, dim: Any = None, keepdim: bool = False) -> Any:
    """The minimum and the maximum."""
    return ROWS["aminmax_row"](self, dim, keepdim)


# ---- spread -----------------------------------------------------------------------------------------------------------


def _var(x: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    dims = dims_of(dim, x.ndim)
    n = count(x.shape, dim)
    centred = x - add_reduce(x, dims, None, None, True) / x.dtype.type(n)
    square = (centred * centred.conj()).real if x.dtype.kind == "c" else centred * centred
    return np.true_divide(add_reduce(square, dims, None, None, keepdim), square.dtype.type(np.maximum(0, n - correction)))


def _var_vjp(F: Any, ct: Any, self: Any, self_shape: tuple, dim: Any, correction: float, keepdim: bool) -> Any:
    dims, rest = dims_of(dim, len(self_shape)), count(self_shape, dim) - correction
    ct = keep(F, ct, self_shape, dim, keepdim)
    if rest <= 0 and (dim is None or not self_shape):
        # No degree of freedom is left: NaN, or infinity where the spread was not zero. A constant to further derivatives.
        flat = F.eq(self, F.mean_dims(self, dims, True))
        return F.mul(ct, F.masked_fill(F.masked_fill(F.zeros_like(self), flat, math.nan), F.logical_not(flat), math.inf))
    # Along dimensions torch does not look: twice the spread over what is left, be that zero or negative.
    return F.mul(F.mul(ct, 2.0 / rest if rest else math.inf), F.sub(self, F.mean_dims(self, dims, True)))


def _std_vjp(F: Any, ct: Any, self: Any, result: Any, self_shape: tuple, dim: Any, correction: float, keepdim: bool) -> Any:
    ct = F.masked_fill(F.div(ct, F.mul(result, 2)), F.eq(result, 0), 0.0)
    return _var_vjp(F, ct, self, self_shape, dim, correction, keepdim)


op("var_row", _var, order="contiguous", params="dim correction keepdim", face=False, node="VarBackward0", self=_var_vjp)
op(
    "std_row",
    lambda *a: np.sqrt(_var(*a)),
    order="contiguous",
    params="dim correction keepdim",
    face=False,
    node="StdBackward0",
    self=_std_vjp,
)


def _spread(name: str) -> Any:
    def call(self: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Tensor:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if correction is None:
            correction = 1 if unbiased is None else int(unbiased)
        return ROWS[name + "_row"].call(self, dim, correction, keepdim)

    call.__name__ = name
    return face(name)(call)


var, std = _spread("var"), _spread("std")
