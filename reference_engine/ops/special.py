"""Special functions: gamma, error, Bessel and entropy families."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import errors
from ..inplace import write
from ..tensor import Tensor
from . import special_kernels as kernels
from .binary import tensor_first
from .faces import face, function, method
from .table import FUNCTIONS, ROWS, op

SQRT_PI = math.sqrt(math.pi)


def underivable(name: str) -> Any:
    """A formula for an input for which torch states that it has no derivative."""

    def formula(F: Any, ct: Any) -> Any:
        raise errors.NotImplementedDerivative(f"the derivative for '{name}' is not implemented.")

    return formula


def _unary(name: str, kernel: Any, vjp: Any, **options: Any) -> None:
    op(name, kernel, promote="float", order="first", jvp="elementwise", self=vjp, **options)


def _times(F: Any, ct: Any, *factors: Any) -> Any:
    for f in factors:
        ct = F.mul(ct, f)
    return ct


# ---- gamma ------------------------------------------------------------------------------------------------------------

_unary("lgamma", kernels.lgamma, lambda F, ct, self: F.mul(ct, F.digamma(self)), inplace=True)
_unary("digamma", kernels.digamma, lambda F, ct, self: F.mul(ct, F.polygamma(self, 1)), inplace=True)
_unary("polygamma", kernels.polygamma, lambda F, ct, self, n: F.mul(ct, F.polygamma(self, n + 1)), params="n", face=False)
# Written in place it has a node class of its own, with the same formula.
_unary("polygamma_into", kernels.polygamma, lambda F, ct, self, n: F.mul(ct, F.polygamma(self, n + 1)), params="n",
       face=False, inplace="polygamma_", node="PolygammaBackward1")  # fmt: skip


def _polygamma(n: Any, self: Any) -> Tensor:
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return ROWS["polygamma"].call(self, n)


function("polygamma")(_polygamma)
method("polygamma")(lambda self, n: _polygamma(n, self))


def _gamma_steps(x: Any, p: int) -> Any:
    """x, x - 1/2, ... in a new last dimension: the arguments of the factors of the multivariate gamma function."""
    return x[..., None] + np.arange(-p / 2 + 0.5, 0.5, 0.5).astype(x.dtype)


def _mvlgamma(x: Any, p: int) -> Any:
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    constant = p * (p - 1) / 4 * math.log(math.pi)
    return (kernels.lgamma(_gamma_steps(x, p)).sum(-1) + constant).astype(x.dtype)


op("mvlgamma", _mvlgamma, params="p", promote="float", inplace=True,
   self=lambda F, ct, self, p: F.mul(ct, F.sum_dims(F.digamma(F.gamma_steps(self, p)), (-1,), False)))  # fmt: skip
op("gamma_steps", _gamma_steps, params="p", face=False, self=lambda F, ct: F.sum_dims(ct, (-1,), False))
op("special_zeta", kernels.zeta, "self other", promote="float", face=False, self=underivable("zeta"),
   other=lambda F, ct, self, other: _times(F, ct, F.neg(self), F.special_zeta(F.add(self, 1), other)))  # fmt: skip


def _incomplete_slope(F: Any, self: Any, other: Any) -> Any:
    return F.exp(F.sub(F.sub(F.mul(F.sub(self, 1), F.log(other)), other), F.lgamma(self)))


op("igamma", kernels.igamma, "self other", promote="float", inplace=True, self=underivable("igamma: input"),
   other=lambda F, ct, self, other: F.mul(ct, _incomplete_slope(F, self, other)))  # fmt: skip
op("igammac", kernels.igammac, "self other", promote="float", inplace=True, self=underivable("igammac: input"),
   other=lambda F, ct, self, other: F.neg(F.mul(ct, _incomplete_slope(F, self, other))))  # fmt: skip

# ---- error functions --------------------------------------------------------------------------------------------------

_unary("erfinv", kernels.erfinv, lambda F, ct, self: _times(F, ct, F.exp(F.square(F.erfinv(self))), 0.5 * SQRT_PI), inplace=True)
_unary("special_erfcx", kernels.erfcx,
       lambda F, ct, self, result: F.mul(F.sub(F.mul(F.mul(self, 2.0), result), 2 / SQRT_PI), ct), face=False)  # fmt: skip
_unary("special_ndtri", kernels.ndtri,
       lambda F, ct, result: _times(F, ct, F.exp(F.div(F.square(result), 2)), math.sqrt(2 * math.pi)), face=False)  # fmt: skip
_unary("special_log_ndtr", kernels.log_ndtr, lambda F, ct, self, result: F.mul(
    F.div(ct, math.sqrt(2 * math.pi)), F.exp(F.neg(F.add(result, F.div(F.square(self), 2))))), face=False)  # fmt: skip
op("mul_number", np.multiply, "self other", promote="arith", node="MulBackward1", face=False, jvp="linear",
   self=lambda F, ct, other: F.mul(ct, other))  # fmt: skip


def ndtr(self: Tensor) -> Tensor:
    """The normal distribution function."""
    return ROWS["mul_number"].call(1 + (self / math.sqrt(2)).erf(), 0.5)


# ---- Bessel -----------------------------------------------------------------------------------------------------------


def _off_zero(F: Any, self: Any) -> tuple[Any, Any]:
    """Where self is tiny, or NaN, and self with these lifted, as torch does."""
    tiny = F.logical_not(F.gt(F.abs(self), 1e-15))
    return tiny, F.masked_fill(self, tiny, 1e-15)


def _i1_vjp(F: Any, ct: Any, self: Any, result: Any) -> Any:
    tiny, safe = _off_zero(F, self)
    return F.mul(ct, F.masked_fill(F.sub(F.i0(safe), F.div(result, safe)), tiny, 0.5))


def _i1e_vjp(F: Any, ct: Any, self: Any, result: Any) -> Any:
    tiny, safe = _off_zero(F, self)
    slope = F.sub(F.special_i0e(safe), F.mul(result, F.add(F.sgn(safe), F.reciprocal(safe))))
    return F.mul(ct, F.masked_fill(slope, tiny, 0.5))


_unary("i0", kernels.i0, lambda F, ct, self: F.mul(ct, F.special_i1(self)), inplace=True)
_unary("special_i0e", kernels.i0e,
       lambda F, ct, self, result: F.mul(ct, F.sub(F.special_i1e(self), F.mul(F.sgn(self), result))),
       face=False, node="SpecialI0EBackward0")  # fmt: skip
_unary("special_i1", kernels.i1, _i1_vjp, face=False)
_unary("special_i1e", kernels.i1e, _i1e_vjp, face=False, node="SpecialI1EBackward0")

# ---- entropies, logits ------------------------------------------------------------------------------------------------


def _entr(x: Any) -> Any:
    positive = np.where(x > 0, x, x.dtype.type(1))
    value = -positive * np.log(positive)
    return np.where(x > 0, value, np.where(x == 0, x.dtype.type(0), np.where(np.isnan(x), x, -np.inf).astype(x.dtype)))


def _sinc_vjp(F: Any, ct: Any, self: Any) -> Any:
    turned, square = F.mul(self, math.pi), F.mul(F.mul(self, self), math.pi)
    slope = F.div(F.sub(F.mul(turned, F.cos(turned)), F.sin(turned)), square)
    return F.masked_fill(F.mul(ct, F.conj(slope)), F.eq(square, 0), 0.0)


def _logit(x: Any, eps: Any) -> Any:
    z = x if eps is None else np.clip(x, eps, 1 - eps)
    return np.log(z / (1 - z))


def _logit_vjp(F: Any, ct: Any, self: Any, eps: Any) -> Any:
    slope = F.div(ct, F.mul(self, F.rsub(self, 1)))
    low, high = (0.0, 1.0) if eps is None else (eps, 1 - eps)
    outside = F.logical_or(F.lt(self, low), F.gt(self, high))
    return F.masked_fill(slope, outside, math.nan if eps is None else 0.0)


_unary("special_entr", _entr, lambda F, ct, self: F.mul(ct, F.sub(F.neg(F.log(self)), 1)), face=False)
_unary("sinc", np.sinc, _sinc_vjp, inplace=True)
_unary("logit", _logit, _logit_vjp, params="eps=None", inplace=True)


def _x_times(log: Any) -> Any:
    """x * log(y), 0 where x is 0 and y no NaN."""

    def kernel(x: Any, y: Any) -> Any:
        with np.errstate(all="ignore"):
            value = np.where((np.asarray(x) == 0) & ~np.isnan(y), 0.0, x * log(y))
        return value.astype(np.result_type(x, y))

    return kernel


op("xlogy", _x_times(np.log), "self other", promote="float", face=False, inplace=True,
   self=lambda F, ct, self, other: F.masked_fill(
       F.xlogy(ct, other), F.logical_and(F.eq(self, 0), F.le(other, 0)), 0.0),
   other=lambda F, ct, self, other: F.div(F.mul(ct, self), other))  # fmt: skip
op("special_xlog1py", _x_times(np.log1p), "self other", promote="float", face=False, node="SpecialXlog1PyBackward0",
   self=lambda F, ct, self, other: F.masked_fill(
       F.special_xlog1py(ct, other), F.logical_and(F.eq(self, 0), F.le(other, -1)), 0.0),
   other=lambda F, ct, self, other: F.div(F.mul(ct, self), F.add(other, 1)))  # fmt: skip
# A number in one place: the tensor comes first in a row, so `other` is the first input of the former.
op("xlogy_number_first", lambda y, x: _x_times(np.log)(x, y), "other self", promote="float", face=False,
   node="XlogyBackward1", other=lambda F, ct, other, self: F.div(F.mul(ct, self), other))  # fmt: skip
op("xlogy_number_last", _x_times(np.log), "self other", promote="float", face=False, node="XlogyBackward2",
   self=lambda F, ct, self, other: F.xlogy_number_last(ct, other) if _number(other) > 0 else F.masked_fill(
       F.mul(ct, _log(other)), F.eq(self, 0), 0.0))  # fmt: skip


def _number(x: Any) -> float:
    return float(x if not isinstance(x, Tensor) else x._array)


def _log(x: float) -> float:
    return -math.inf if x == 0 else math.nan


@face("xlogy")
def xlogy(self: Any, other: Any) -> Tensor:
    """self * log(other), 0 where self is 0; either may be a number."""
    if not isinstance(self, Tensor):
        return ROWS["xlogy_number_first"].call(other, self)
    return ROWS["xlogy" if isinstance(other, Tensor) else "xlogy_number_last"].call(self, other)


@method("xlogy_")
def xlogy_(self: Tensor, other: Any) -> Tensor:
    """xlogy in place"""
    return write(ROWS["xlogy" if isinstance(other, Tensor) else "xlogy_number_last"], "xlogy_", self, (other,), ())


def _named(row: str) -> Any:
    return tensor_first(row, ROWS[row].call)


SPECIAL = {
    "gammaln": ROWS["lgamma"].call, "digamma": ROWS["digamma"].call, "psi": ROWS["digamma"].call, "polygamma": _polygamma,
    "multigammaln": ROWS["mvlgamma"].call, "gammainc": ROWS["igamma"].call, "gammaincc": ROWS["igammac"].call,
    "zeta": _named("special_zeta"), "erf": ROWS["erf"].call, "erfc": ROWS["erfc"].call, "erfinv": ROWS["erfinv"].call,
    "erfcx": ROWS["special_erfcx"].call, "ndtr": ndtr, "ndtri": ROWS["special_ndtri"].call,
    "log_ndtr": ROWS["special_log_ndtr"].call, "i0": ROWS["i0"].call, "i0e": ROWS["special_i0e"].call,
    "i1": ROWS["special_i1"].call, "i1e": ROWS["special_i1e"].call, "entr": ROWS["special_entr"].call,
    "sinc": ROWS["sinc"].call, "logit": ROWS["logit"].call, "expit": ROWS["sigmoid"].call, "xlogy": xlogy,
    "xlog1py": _named("special_xlog1py"), "exp2": ROWS["exp2"].call, "expm1": ROWS["expm1"].call,
    "log1p": ROWS["log1p"].call, "round": ROWS["round"].call,
}  # fmt: skip
for _name in ("logsumexp", "softmax", "log_softmax"):
    SPECIAL[_name] = FUNCTIONS[_name]
