"""Elementwise functions of one tensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import ndarray
from .table import arrays, op, tensors

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


def of_python(fn: Any) -> Any:
    """An elementwise kernel from a function of Python floats; results keep the array's dtype."""
    run = np.frompyfunc(fn, 1, 1)

    def kernel(x: Any) -> Any:
        return np.asarray(run(x)).astype(x.dtype if x.dtype.kind in "fc" else np.float64)

    return kernel


def conj(x: Any) -> Any:
    """The conjugate of an array; real ones are handed through."""
    if x.__class__ is ndarray:
        return x if x.dtype.kind != "c" else np.conj(x)
    return x.conjugate()


def _unary(name: str, kernel: Any, vjp: Any = None, *, promote: str | None = "float", **options: Any) -> None:
    formulas = {} if vjp is None else {"self": vjp}
    op(name, kernel, promote=promote, inplace=options.pop("inplace", True), jvp=options.pop("jvp", "elementwise"),
       **formulas, **options)  # fmt: skip


def _zero(F: Any, ct: Any) -> Any:
    return F.zeros_like(ct)


def _sigmoid(x: Any) -> Any:
    # The two branches avoid overflow; for complex numbers the plain formula is the definition.
    if x.dtype.kind == "c":
        return 1 / (1 + np.exp(-x))
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype if x.dtype.kind == "f" else np.float64)


def _reciprocal(x: Any) -> Any:
    return np.reciprocal(x) if x.dtype.kind in "fc" else 1 / x


def _acosh_slope(F: Any, z: Any) -> Any:
    # For complex numbers the root of the product is not the product of the roots.
    if F.is_complex(z):
        return F.mul(F.rsqrt(F.sub(z, 1)), F.rsqrt(F.add(z, 1)))
    return F.rsqrt(F.sub(F.mul(z, z), 1))


def _sign(x: Any) -> Any:
    # Unlike NumPy's, torch's sign of NaN is 0.
    return np.subtract(x > 0, x < 0, dtype=x.dtype) if x.dtype.kind == "f" else np.sign(x)


def _round(x: Any, decimals: int = 0) -> Any:
    return np.round(x, decimals)


arrays.zeros_like = np.zeros_like
arrays.ones_like = np.ones_like
arrays.conj = conj

_unary("abs", np.abs, lambda F, ct, self: F.mul(ct, F.sgn(self)), promote=None)
_unary("neg", np.negative, lambda F, ct: F.neg(ct), promote=None, jvp="linear")
_unary("exp", np.exp, lambda F, ct, result: F.mul(ct, F.conj(result)))
_unary("exp2", np.exp2, lambda F, ct, result: F.mul(F.mul(ct, F.conj(result)), math.log(2)))
_unary("expm1", np.expm1, lambda F, ct, result: F.mul(ct, F.add(F.conj(result), 1)))
_unary("log", np.log, lambda F, ct, self: F.div(ct, F.conj(self)))
_unary("log2", np.log2, lambda F, ct, self: F.div(ct, F.mul(F.conj(self), math.log(2))))
_unary("log10", np.log10, lambda F, ct, self: F.div(ct, F.mul(F.conj(self), math.log(10))))
_unary("log1p", np.log1p, lambda F, ct, self: F.div(ct, F.conj(F.add(self, 1))), node="Log1PBackward0")
_unary("sqrt", np.sqrt, lambda F, ct, result: F.div(ct, F.mul(F.conj(result), 2)))
_unary("rsqrt", lambda x: 1 / np.sqrt(x), lambda F, ct, result: F.mul(F.mul(ct, F.conj(F.pow_scalar(result, 3))), -0.5))
_unary("reciprocal", _reciprocal, lambda F, ct, result: F.mul(F.neg(ct), F.conj(F.mul(result, result))))
_unary("sin", np.sin, lambda F, ct, self: F.mul(ct, F.conj(F.cos(self))))
_unary("cos", np.cos, lambda F, ct, self: F.mul(ct, F.conj(F.neg(F.sin(self)))))
_unary("tan", np.tan, lambda F, ct, result: F.mul(ct, F.conj(F.add(F.mul(result, result), 1))))
_unary("sinh", np.sinh, lambda F, ct, self: F.mul(ct, F.conj(F.cosh(self))))
_unary("cosh", np.cosh, lambda F, ct, self: F.mul(ct, F.conj(F.sinh(self))))
_unary("tanh", np.tanh, lambda F, ct, result: F.mul(ct, F.conj(F.rsub(F.mul(result, result), 1))))
_unary("sigmoid", _sigmoid, lambda F, ct, result: F.mul(ct, F.conj(F.mul(F.rsub(result, 1), result))))
_unary("asin", np.arcsin, lambda F, ct, self: F.mul(ct, F.conj(F.rsqrt(F.rsub(F.mul(self, self), 1)))))
_unary("acos", np.arccos, lambda F, ct, self: F.mul(ct, F.conj(F.neg(F.rsqrt(F.rsub(F.mul(self, self), 1))))))
_unary("atan", np.arctan, lambda F, ct, self: F.div(ct, F.conj(F.add(F.mul(self, self), 1))))
_unary("asinh", np.arcsinh, lambda F, ct, self: F.mul(ct, F.conj(F.rsqrt(F.add(F.mul(self, self), 1)))))
_unary("acosh", np.arccosh, lambda F, ct, self: F.mul(ct, F.conj(_acosh_slope(F, self))))
_unary("atanh", np.arctanh, lambda F, ct, self: F.div(ct, F.conj(F.rsub(F.mul(self, self), 1))))
_unary("erf", of_python(math.erf), lambda F, ct, self: F.mul(F.mul(ct, F.exp(F.neg(F.mul(self, self)))), TWO_OVER_SQRT_PI))
_unary("erfc", of_python(math.erfc), lambda F, ct, self: F.mul(F.mul(ct, F.exp(F.neg(F.mul(self, self)))), -TWO_OVER_SQRT_PI))
_unary("floor", np.floor, _zero, promote=None)
_unary("ceil", np.ceil, _zero, promote=None)
_unary("trunc", np.trunc, _zero, promote=None)
op("round", _round, params="decimals=0", self=_zero, inplace=True, jvp="elementwise")
_unary("sign", _sign, _zero, promote=None)
_unary("frac", lambda x: x - np.trunc(x), lambda F, ct: ct, promote=None)
_unary("sgn", _sign, lambda F, ct, self, result: _sgn_vjp(F, ct, self, result), promote=None)
_unary("relu", lambda x: np.maximum(x, 0), lambda F, ct, result: F.threshold_backward(ct, result, 0), promote=None)
_unary("deg2rad", np.deg2rad, lambda F, ct: F.mul(ct, math.pi / 180), node="Deg2RadBackward0", jvp="linear")
_unary("rad2deg", np.rad2deg, lambda F, ct: F.mul(ct, 180 / math.pi), node="Rad2DegBackward0", jvp="linear")
# As the power that it is in torch: its second derivative depends on self, though only by a zeroth power.
_unary("square", np.square, lambda F, ct, self: F.mul(ct, F.conj(F.mul(F.pow_scalar(self, 1), 2))), promote=None,
       node="PowBackward0")  # fmt: skip
_unary("clone_", lambda x: x.copy(order="K"), lambda F, ct: ct, promote=None, node="CloneBackward0", face=False, inplace=False,
       jvp="linear")  # fmt: skip


def _nan_to_num(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    return np.nan_to_num(x, copy=True, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


op("nan_to_num", _nan_to_num, params="nan=None posinf=None neginf=None", inplace=True, complex=False,
   self=lambda F, ct, self: F.mul(ct, F.mask_like(F.isfinite(self), ct)))  # fmt: skip


def _sgn_vjp(F: Any, ct: Any, self: Any, result: Any) -> Any:
    """Zero for real numbers; for complex z the part of ct across the direction z/|z|."""
    if self.dtype.kind != "c" if hasattr(self.dtype, "kind") else not self.dtype.is_complex:
        return F.zeros_like(ct)
    size = F.abs(self)
    across = F.div(F.sub(F.div(ct, 2), F.mul(F.div(F.conj(ct), 2), F.mul(result, result))), size)
    return F.masked_fill(across, F.eq(size, 0), 0.0)


def _like(kernel: Any) -> Any:
    def make(x: Any) -> Any:
        from ..tensor import wrap

        return wrap(kernel(x._array))

    return make


tensors.zeros_like = _like(np.zeros_like)
tensors.ones_like = _like(np.ones_like)

# What the piecewise linear functions use: linear in ct, and flat in the saved tensor, so that its second derivative is a
# proper zero and not "no graph" (the first derivative requires grad through it).
op("threshold_backward", lambda ct, x, threshold: np.where(x <= threshold, ct.dtype.type(0), ct), "ct_ self", "threshold",
   face=False, ct_=lambda F, ct, self, threshold: F.threshold_backward(ct, self, threshold),
   self=lambda F, ct, self: F.zeros_like(ct))  # fmt: skip
op("hardtanh_backward", lambda ct, x, low, high: np.where((x <= low) | (x >= high), ct.dtype.type(0), ct), "ct_ self",
   "low high", face=False, ct_=lambda F, ct, self, low, high: F.hardtanh_backward(ct, self, low, high),
   self=lambda F, ct, self: F.zeros_like(ct))  # fmt: skip
op("leaky_relu_backward", lambda ct, x, slope: np.where(x > 0, ct, ct * slope), "ct_ self", "slope", face=False,
   ct_=lambda F, ct, self, slope: F.leaky_relu_backward(ct, self, slope),
   self=lambda F, ct, self: F.zeros_like(ct))  # fmt: skip
