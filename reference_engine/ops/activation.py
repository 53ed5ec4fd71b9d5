"""Clamps and activation functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..inplace import write
from ..tensor import Tensor
from .faces import face, method
from .pointwise import of_python
from .table import ROWS, op


def _clamp(x: Any, min: Any, max: Any) -> Any:
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


def _clamp_vjp(F: Any, ct: Any, self: Any, min: Any, max: Any) -> Any:
    inside = None if min is None else F.ge(self, min)
    if max is not None:
        below = F.le(self, max)
        inside = below if inside is None else F.logical_and(inside, below)
    return F.where(inside, ct, 0.0)


def _clamp_bound(F: Any, ct: Any, self: Any, min: Any, max: Any, which: str) -> Any:
    """The gradient of a bound given as a tensor: where it was the one that counted."""
    if which == "max":
        hit = F.gt(self, max) if min is None else F.logical_or(F.gt(self, max), F.lt(max, min))
    else:
        hit = F.lt(self, min) if max is None else F.logical_and(F.lt(self, min), F.lt(min, max))
    return F.where(hit, ct, 0.0)


op("clamp_scalar", _clamp, params="min max", promote="arith", face=False, inplace="clamp_", node="ClampBackward1",
   self=_clamp_vjp)  # fmt: skip
op("clamp_min_scalar", lambda x, min: np.maximum(x, min), params="min", promote="arith", face=False, inplace=True,
   node="ClampMinBackward0", self=lambda F, ct, self, min: F.where(F.ge(self, min), ct, 0.0))  # fmt: skip
op("clamp_max_scalar", lambda x, max: np.minimum(x, max), params="max", promote="arith", face=False, inplace=True,
   node="ClampMaxBackward0", self=lambda F, ct, self, max: F.where(F.le(self, max), ct, 0.0))  # fmt: skip
op("clamp_tensor", _clamp, "self min max", promote="arith", face=False, inplace=True, node="ClampBackward0",
   self=lambda F, ct, self, min, max: _clamp_vjp(F, ct, self, min, max),
   min=lambda F, ct, self, min, max: _clamp_bound(F, ct, self, min, max, "min"),
   max=lambda F, ct, self, min, max: _clamp_bound(F, ct, self, min, max, "max"))  # fmt: skip


def _clamp_row(min: Any, max: Any) -> tuple[Any, tuple, tuple]:
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        return ROWS["clamp_tensor"], (min, max), ()
    return ROWS["clamp_scalar"], (), (min, max)


@face("clamp", "clip")
def clamp(self: Tensor, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
    """Values limited to [min, max]; either bound may be missing or a tensor."""
    row, inputs, params = _clamp_row(min, max)
    return row.call(self, *inputs, *params, out=out)


@method("clamp_", "clip_")
def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """clamp in place"""
    row, inputs, params = _clamp_row(min, max)
    return write(row, "clamp_", self, inputs, params) if inputs else row.inplace(self, *params)


@face()
def clamp_min(self: Tensor, min: Any) -> Tensor:
    """Values limited from below."""
    return ROWS["clamp_min_scalar"].call(self, min) if not isinstance(min, Tensor) else clamp(self, min)


@face()
def clamp_max(self: Tensor, max: Any) -> Tensor:
    """Values limited from above."""
    return ROWS["clamp_max_scalar"].call(self, max) if not isinstance(max, Tensor) else clamp(self, None, max)


@method("clamp_min_")
def clamp_min_(self: Tensor, min: Any) -> Tensor:
    """clamp_min in place"""
    row, inputs, params = _clamp_row(min, None)
    return write(row if inputs else ROWS["clamp_min_scalar"], "clamp_min_", self, inputs, params if inputs else (min,))


@method("clamp_max_")
def clamp_max_(self: Tensor, max: Any) -> Tensor:
    """clamp_max in place"""
    row, inputs, params = _clamp_row(None, max)
    return write(row if inputs else ROWS["clamp_max_scalar"], "clamp_max_", self, inputs, params if inputs else (max,))


# ---- activations ------------------------------------------------------------------------------------------------------

op("hardtanh", lambda x, low, high: np.clip(x, low, high), params="min_val=-1.0 max_val=1.0", face=False, inplace=True,
   self=lambda F, ct, self, min_val, max_val: F.hardtanh_backward(ct, self, min_val, max_val))  # fmt: skip
op("leaky_relu", lambda x, slope: np.where(x > 0, x, x * slope), params="negative_slope=0.01", face=False,
   self=lambda F, ct, self, negative_slope: F.leaky_relu_backward(ct, self, negative_slope))  # fmt: skip
op("leaky_relu_saving_result", ROWS["leaky_relu"].kernel, params="negative_slope=0.01", face=False,
   node="LeakyReluBackward1", inplace="leaky_relu_",
   self=lambda F, ct, result, negative_slope: F.leaky_relu_backward(ct, result, negative_slope))  # fmt: skip


def _elu(x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    return np.where(x > 0, x * scale, np.expm1(np.where(x > 0, x.dtype.type(0), x) * input_scale) * (alpha * scale))


def _elu_vjp(F: Any, ct: Any, self: Any, alpha: float, scale: float, input_scale: float) -> Any:
    below = F.masked_fill(self, F.ge(self, 0), 0.0)  # cut, not clamped: at 0 the slope has slope 0, as torch has it
    falling = F.mul(F.exp(F.mul(below, input_scale)), input_scale * alpha * scale)
    return F.keeping(F.mul(ct, F.where(F.le(self, 0), falling, scale)), self)


def _elu_result_vjp(F: Any, ct: Any, result: Any, alpha: float, scale: float, input_scale: float) -> Any:
    falling = F.mul(F.add(F.masked_fill(result, F.ge(result, 0), 0.0), alpha * scale), input_scale)
    return F.mul(ct, F.where(F.le(result, 0), falling, scale))


op("elu", _elu, params="alpha=1.0 scale=1.0 input_scale=1.0", face=False, self=_elu_vjp)
op("elu_saving_result", _elu, params="alpha=1.0 scale=1.0 input_scale=1.0", face=False, node="EluBackward1",
   inplace="elu_", self=_elu_result_vjp)  # fmt: skip


def _gelu(x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return (x * 0.5 * (1 + of_python(math.erf)(x * math.sqrt(0.5)))).astype(x.dtype)


def _gelu_vjp(F: Any, ct: Any, self: Any, approximate: str) -> Any:
    if approximate == "tanh":
        k = math.sqrt(2 / math.pi)
        t = F.tanh(F.mul(F.add(self, F.mul(F.pow_scalar(self, 3), 0.044715)), k))
        slope = F.mul(F.add(F.mul(F.mul(self, self), 3 * 0.044715), 1), k)
        right = F.mul(F.mul(self, 0.5), F.mul(F.rsub(F.mul(t, t), 1), slope))
        return F.mul(ct, F.add(F.mul(F.add(t, 1), 0.5), right))
    cdf = F.mul(F.add(F.erf(F.mul(self, math.sqrt(0.5))), 1), 0.5)
    pdf = F.mul(F.exp(F.mul(F.mul(self, self), -0.5)), 1 / math.sqrt(2 * math.pi))
    return F.mul(ct, F.add(cdf, F.mul(self, pdf)))


op("gelu", _gelu, params="approximate='none'", face=False, self=_gelu_vjp)


def _silu_vjp(F: Any, ct: Any, self: Any) -> Any:
    s = F.sigmoid(self)
    return F.mul(ct, F.mul(s, F.add(F.mul(self, F.rsub(s, 1)), 1)))


op("silu", lambda x: x * ROWS["sigmoid"].kernel(x), face=False, inplace=True, complex=False, self=_silu_vjp)


def _softplus(x: Any, beta: float, threshold: float) -> Any:
    return np.where(x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta)


def _softplus_vjp(F: Any, ct: Any, self: Any, beta: float, threshold: float) -> Any:
    z = F.mul(self, beta)
    return F.keeping(F.where(F.gt(z, threshold), ct, F.mul(ct, F.sigmoid(z))), self)


op("softplus", _softplus, params="beta=1.0 threshold=20.0", face=False, self=_softplus_vjp)
