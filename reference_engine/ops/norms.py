"""Norms, and reductions by way of the exponential: logsumexp, softmax, log_softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from .faces import face
from .reduce import _cast, add_reduce, dims_of, keep
from .shape import axis
from .table import ROWS, op


def _vector_norm(x: Any, ord: float, dim: Any, keepdim: bool) -> Any:
    dims, size = dims_of(dim, x.ndim), np.abs(x)
    if not x.size and (ord < 0 or ord == math.inf) and any(x.shape[d] == 0 for d in dims):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the operation does not have an identity"
        )
    if ord == math.inf:
        return np.maximum.reduce(size, dims, keepdims=keepdim, initial=0)
    if ord == -math.inf:
        return np.minimum.reduce(size, dims, keepdims=keepdim)
    if ord == 0:
        return add_reduce((x != 0).astype(size.dtype), dims, None, None, keepdim)
    if ord == 1:
        return add_reduce(size, dims, None, None, keepdim)
    if ord == 2:
        return np.sqrt(add_reduce(size * size, dims, None, None, keepdim))
    return np.power(add_reduce(size**ord, dims, None, None, keepdim), 1.0 / ord)


def _norm_vjp(F: Any, ct: Any, self: Any, result: Any, self_shape: tuple, ord: float, dim: Any, keepdim: bool) -> Any:
    if ord == 0:
        return None  # torch hands on no gradient at all here
    ct, norm = keep(F, ct, self_shape, dim, keepdim), keep(F, result, self_shape, dim, keepdim)
    if ord == 1:
        return F.mul(F.sgn(self), ct)
    if ord == 2:
        unit = F.div(self, norm)
        return F.mul(ct, F.masked_fill(unit, F.expand_like(F.eq(norm, 0), unit), 0.0))
    if abs(ord) == math.inf:
        size = F.abs(self)
        hit = F.mask_like(F.logical_or(F.eq(size, norm), F.isnan(size)), norm)
        shares = F.sum_dims(hit, dims_of(dim, len(self_shape)), True)
        return F.mul(F.mul(F.sgn(self), hit), F.div(ct, shares))
    if ord < 1:
        scaled = F.mul(F.sgn(self), F.masked_fill(F.pow_scalar(F.abs(self), ord - 1), F.eq(self, 0), 0.0))
        return F.mul(F.mul(scaled, ct), F.pow_scalar(norm, 1 - ord))
    if ord < 2:
        scaled = F.mul(F.sgn(self), F.pow_scalar(F.abs(self), ord - 1))
    else:
        scaled = F.mul(self, F.pow_scalar(F.abs(self), ord - 2))
    return F.mul(scaled, F.masked_fill(F.div(ct, F.pow_scalar(norm, ord - 1)), F.eq(norm, 0), 0.0))


op(
    "vector_norm",
    _vector_norm,
    order="contiguous",
    params="ord dim keepdim",
    face=False,
    node="LinalgVectorNormBackward0",
    self=_norm_vjp,
)


@face()
def norm(self: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm of all elements or along dimensions."""
    if p == "nuc":
        from .linalg_faces import matrix_norm

        return matrix_norm(self, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return ROWS["vector_norm"].call(_cast(self, dtype), 2.0 if p in (None, "fro") else float(p), dim, keepdim)


def _dist_vjp(F: Any, ct: Any, self: Any, other: Any, result: Any, p: float) -> Any:
    gap = F.sub(self, other)
    return _norm_vjp(F, ct, gap, result, tuple(gap.shape), p, None, False)


def _dist_other(F: Any, ct: Any, self: Any, other: Any, result: Any, p: float) -> Any:
    got = _dist_vjp(F, ct, self, other, result, p)
    return None if got is None else F.neg(got)


op("dist", lambda a, b, p: _vector_norm(a - b, float(p), None, False), "self other", "p=2", promote="compare",
   self=_dist_vjp, other=_dist_other)  # fmt: skip


# ---- exponential families ---------------------------------------------------------------------------------------------


def _logsumexp(x: Any, dim: Any, keepdim: bool) -> Any:
    dims = dims_of(dim, x.ndim)
    if x.dtype.kind not in "fc":
        x = x.astype(dtypes.get_default_dtype().np)
    if any(x.shape[d] == 0 for d in dims):
        return np.log(add_reduce(np.exp(x), dims, None, None, keepdim))
    top = np.maximum.reduce(x.real, dims, keepdims=True)
    top = np.where(np.isinf(top), top.dtype.type(0), top)
    total = np.log(add_reduce(np.exp(x - top), dims, None, None, True)) + top
    return total if keepdim else total.reshape(tuple(s for i, s in enumerate(total.shape) if i not in dims))


op("logsumexp", _logsumexp,
   order="contiguous", params="dim keepdim=False", self=lambda F, ct, self, result, self_shape, dim, keepdim: F.mul(
    keep(F, ct, self_shape, dim, keepdim), F.conj(F.exp(F.sub(self, keep(F, result, self_shape, dim, keepdim))))))  # fmt: skip


def _softmax(x: Any, dim: int) -> Any:
    d = axis(dim, x.ndim)
    if not x.ndim:
        return np.ones_like(x)
    if not x.size:
        return x.copy()
    e = np.exp(x - np.maximum.reduce(x, d, keepdims=True))
    return e / add_reduce(e, d, None, None, True)


def _log_softmax(x: Any, dim: int) -> Any:
    d = axis(dim, x.ndim)
    if not x.ndim:
        return np.zeros_like(x)
    if not x.size:
        return x.copy()
    shifted = x - np.maximum.reduce(x, d, keepdims=True)
    return shifted - np.log(add_reduce(np.exp(shifted), axis(dim, x.ndim), None, None, True))


def _softmax_vjp(F: Any, ct: Any, result: Any, dim: int) -> Any:
    weighted = F.mul(ct, result)
    return F.sub(weighted, F.mul(result, F.sum_dims(weighted, (dim,), True)))


def _safe_softmax(x: Any, dim: int) -> Any:
    out = _softmax(x, dim)
    if x.size and x.ndim:
        out = np.where(np.isneginf(x).all(axis(dim, x.ndim), keepdims=True), x.dtype.type(0), out)
    return out


op("softmax_row", _softmax, order="contiguous", params="dim", face=False, node="SoftmaxBackward0", self=_softmax_vjp)
# A row that may look at nothing looks at nothing.
op("safe_softmax", _safe_softmax, params="dim", face=False, node="SafeSoftmaxBackward0", self=_softmax_vjp)
op("log_softmax_row", _log_softmax, order="contiguous", params="dim", face=False, node="LogSoftmaxBackward0",
   self=lambda F, ct, result, dim: F.sub(ct, F.mul(F.exp(result), F.sum_dims(ct, (dim,), True))))  # fmt: skip


@face()
def softmax(self: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """exp(self) normalised along a dimension"""
    return ROWS["softmax_row"].call(_cast(self, dtype), dim)


@face()
def log_softmax(self: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """log of softmax"""
    return ROWS["log_softmax_row"].call(_cast(self, dtype), dim)
