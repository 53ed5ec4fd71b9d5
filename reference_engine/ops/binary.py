"""Elementwise functions of two or three tensors, arithmetic operators among them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import errors
from ..inplace import write
from ..modes import state
from ..tensor import Tensor
from .faces import face, function, method
from .guards import mask_only, where_kernel, whole
from .table import ROWS, arrays, op, tensors

op("add", np.add, "self other", promote="arith", inplace=True, face=False, jvp="linear",
   self=lambda F, ct: ct, other=lambda F, ct: ct)  # fmt: skip


def _scaled(b: Any, alpha: Any, out: Any) -> Any:
    """alpha * b, on its way into a result of which `out` is the other part; alpha may not be of a higher kind than both."""
    kinds = {np.asarray(x).dtype.kind for x in (b, out)}
    if isinstance(alpha, complex) and "c" not in kinds:
        raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
    if isinstance(alpha, float) and not kinds & {"f", "c"}:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    return b * alpha


op("add_scaled", lambda a, b, alpha: a + _scaled(b, alpha, a), "self other", "alpha", promote="arith", node="AddBackward0",
   face=False, inplace=True, jvp="linear", self=lambda F, ct: ct,
   other=lambda F, ct, alpha: F.mul(ct, alpha.conjugate()))  # fmt: skip
op("sub", np.subtract, "self other", promote="arith", inplace=True, face=False, jvp="linear",
   self=lambda F, ct: ct, other=lambda F, ct: F.neg(ct))  # fmt: skip
op("sub_scaled", lambda a, b, alpha: a - _scaled(b, alpha, a), "self other", "alpha", promote="arith", node="SubBackward0",
   face=False, inplace=True, jvp="linear", self=lambda F, ct: ct,
   other=lambda F, ct, alpha: F.mul(ct, -alpha.conjugate()))  # fmt: skip


def _rsub(a: Any, b: Any, alpha: Any = 1) -> Any:
    return np.subtract(b, a if alpha == 1 else _scaled(a, alpha, b))


def _rsub_self(F: Any, ct: Any, alpha: Any) -> Any:
    return F.neg(ct) if alpha == 1 else F.mul(ct, -alpha.conjugate())


op("rsub_tensor", _rsub, "self other", "alpha=1", promote="arith", node="RsubBackward0", face=False,
   self=_rsub_self, other=lambda F, ct: ct)  # fmt: skip
op("rsub", _rsub, "self other", "alpha=1", promote="arith", node="RsubBackward1", face=False, self=_rsub_self)
op("mul", np.multiply, "self other", promote="arith", inplace=True,
   self=lambda F, ct, other: F.mul(ct, F.conj(other)), other=lambda F, ct, self: F.mul(ct, F.conj(self)))  # fmt: skip
op("div", np.true_divide, "self other", promote="float", inplace=True, face=False,
   self=lambda F, ct, other: F.quotient(ct, F.conj(other)),
   other=lambda F, ct, self, other: F.mul(F.neg(ct), F.conj(F.div(F.div(self, other), other))))  # fmt: skip
op("div_floor", whole(np.floor_divide), "self other", promote="arith", node="DivBackward2", inplace=True, face=False,
   self=lambda F, ct, other: F.zeros_like(ct), other=lambda F, ct, self, other: F.zeros_like(ct))  # fmt: skip
op("div_trunc", lambda a, b: np.trunc(np.true_divide(a, b)).astype(np.result_type(a, b)), "self other", promote="arith",
   node="DivBackward2", inplace=True, face=False,
   self=lambda F, ct, other: F.zeros_like(ct), other=lambda F, ct, self, other: F.zeros_like(ct))  # fmt: skip


def _remainder(a: Any, b: Any) -> Any:
    """NumPy's remainder, whose zeros have the sign that the division left: that of fmod."""
    found = np.remainder(a, b)
    return np.where(found == 0, np.fmod(a, b), found) if found.dtype.kind == "f" else found


op("fmod", np.fmod, "self other", promote="arith", inplace=True, face=False, node="FmodBackward1",
   self=lambda F, ct: ct, other=lambda F, ct, self, other: F.mul(F.neg(ct), F.div_trunc(self, other)))  # fmt: skip
op("fmod_scalar", np.fmod, "self other", promote="arith", inplace=True, face=False, node="FmodBackward0",
   self=lambda F, ct: ct)  # fmt: skip
op("remainder", whole(_remainder), "self other", promote="arith", inplace=True, face=False, node="RemainderBackward1",
   self=lambda F, ct: ct, other=lambda F, ct, self, other: F.mul(F.neg(ct), F.div_floor(self, other)))  # fmt: skip
op("remainder_scalar", whole(_remainder), "self other", promote="arith", inplace=True, face=False, node="RemainderBackward0",
   self=lambda F, ct: ct)  # fmt: skip


def not_implemented(name: str) -> Any:
    """A formula for ops that torch lists without a derivative."""

    def formula(F: Any, ct: Any) -> Any:
        raise errors.NotDifferentiable(f"derivative for aten::{name} is not implemented")

    return formula


op("floor_divide", whole(np.floor_divide), "self other", promote="arith", inplace=True, node="NotImplemented",
   self=not_implemented("floor_divide"), other=not_implemented("floor_divide"))  # fmt: skip
ROWS["floor_divide"].node.title = "torch::autograd::NotImplemented"


# ---- powers -----------------------------------------------------------------------------------------------------------


_POWERS = {
    2: lambda a: a * a, 3: lambda a: a * a * a, 0.5: np.sqrt, 1: lambda a: a.copy(), -1: lambda a: 1 / a,
    -0.5: lambda a: 1 / np.sqrt(a), -2: lambda a: 1 / (a * a),
}  # fmt: skip


def _pow_scalar(a: Any, exponent: Any) -> Any:
    if a.dtype.kind in "iu" and exponent < 0 and not isinstance(exponent, float):
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    special = _POWERS.get(exponent)
    return special(a) if special is not None else np.power(a, exponent)


def _pow(a: Any, b: Any) -> Any:
    if a.dtype.kind in "iu" and (np.asarray(b) < 0).any():
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return np.power(a, b)


def _pow_scalar_vjp(F: Any, ct: Any, self: Any, exponent: Any) -> Any:
    if exponent == 0:
        return F.zeros_like(ct)
    return F.mul(ct, F.conj(F.mul(F.pow_scalar(self, exponent - 1), exponent)))


def _pow_self(F: Any, ct: Any, self: Any, exponent: Any) -> Any:
    slope = F.conj(F.mul(exponent, F.pow(self, F.sub(exponent, 1))))
    return F.mul(ct, F.masked_fill(slope, F.expand_like(F.eq(exponent, 0), slope), 0.0))


def _not_negative(F: Any, x: Any) -> Any:
    return F.logical_and(F.eq(F.imag(x), 0), F.ge(F.real(x), 0)) if F.is_complex(x) else F.ge(x, 0)


def _pow_exponent(F: Any, ct: Any, self: Any, exponent: Any, result: Any) -> Any:
    # 0 ** b is flat for b >= 0; the logarithm would make it NaN.
    flat = F.logical_and(F.eq(self, 0), _not_negative(F, exponent))
    slope = F.conj(F.mul(result, F.log(self)))
    return F.mul(ct, F.masked_fill(slope, F.expand_like(flat, slope), 0.0))


def _rpow_exponent(F: Any, ct: Any, self: Any, exponent: Any, result: Any) -> Any:
    if exponent == 0:
        slope = F.mul(result, -math.inf)
        return F.mul(ct, F.masked_fill(slope, _not_negative(F, self), 0.0))
    log = math.log(exponent) if not isinstance(exponent, complex) and exponent > 0 else complex(np.log(complex(exponent)))
    if not isinstance(exponent, complex) and exponent < 0 and not F.is_complex(self):
        log = math.nan
    return F.mul(ct, F.conj(F.mul(result, log)))


op("pow_scalar", _pow_scalar, "self exponent", promote="arith", node="PowBackward0", inplace=True, face=False,
   self=_pow_scalar_vjp)  # fmt: skip
op("pow", _pow, "self exponent", promote="arith", node="PowBackward1", inplace=True, face=False,
   self=_pow_self, exponent=_pow_exponent)  # fmt: skip
# Here `self` is the exponent and `exponent` the number that is raised: the tensor comes first in a row.
op("rpow", lambda x, base: np.power(base, x), "self exponent",
   order="contiguous", promote="arith", node="PowBackward2", face=False,
   self=_rpow_exponent)  # fmt: skip


# ---- choices ----------------------------------------------------------------------------------------------------------


def _maximum_self(F: Any, ct: Any, self: Any, other: Any) -> Any:
    return F.masked_fill(F.where(F.eq(self, other), F.div(ct, 2), ct), F.lt(self, other), 0.0)


def _maximum_other(F: Any, ct: Any, self: Any, other: Any) -> Any:
    return F.masked_fill(F.where(F.eq(self, other), F.div(ct, 2), ct), F.gt(self, other), 0.0)


op("maximum", np.maximum, "self other", promote="arith", self=_maximum_self, other=_maximum_other)
op("minimum", np.minimum, "self other", promote="arith", self=_maximum_other, other=_maximum_self)
op("fmax", np.fmax, "self other", promote="arith",
   self=lambda F, ct, self, other: F.masked_fill(ct, F.logical_not(F.logical_or(F.ge(self, other), F.isnan(other))), 0.0),
   other=lambda F, ct, self, other: F.masked_fill(ct, F.logical_or(F.ge(self, other), F.isnan(other)), 0.0))  # fmt: skip
op("fmin", np.fmin, "self other", promote="arith",
   self=lambda F, ct, self, other: F.masked_fill(ct, F.logical_not(F.logical_or(F.le(self, other), F.isnan(other))), 0.0),
   other=lambda F, ct, self, other: F.masked_fill(ct, F.logical_or(F.le(self, other), F.isnan(other)), 0.0))  # fmt: skip


def _atan2_share(F: Any, self: Any, other: Any) -> Any:
    square = F.add(F.mul(self, self), F.mul(other, other))
    return F.masked_fill(F.reciprocal(square), F.eq(square, 0), 0.0)


op("atan2", np.arctan2, "self other", promote="float", inplace=True,
   self=lambda F, ct, self, other: F.mul(F.mul(ct, other), _atan2_share(F, self, other)),
   other=lambda F, ct, self, other: F.mul(F.mul(ct, F.neg(self)), _atan2_share(F, self, other)))  # fmt: skip
op("hypot", np.hypot, "self other", promote="arith", inplace=True,
   self=lambda F, ct, self, result: F.mul(ct, F.div(self, result)),
   other=lambda F, ct, other, result: F.mul(ct, F.div(other, result)))  # fmt: skip


def _logaddexp(a: Any, b: Any) -> Any:
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        swap = np.real(a) < np.real(b)
        top, low = np.where(swap, b, a), np.where(swap, a, b)
        return top + np.log1p(np.exp(low - top))
    return np.logaddexp(a, b)


op("logaddexp", _logaddexp, "self other", promote="float",
   self=lambda F, ct, self, other: F.div(ct, F.conj(F.add(F.exp(F.sub(other, self)), 1))),
   other=lambda F, ct, self, other: F.div(ct, F.conj(F.add(F.exp(F.sub(self, other)), 1))))  # fmt: skip
op("logaddexp2", np.logaddexp2, "self other", promote="float",
   self=lambda F, ct, self, other: F.div(ct, F.add(F.exp2(F.sub(other, self)), 1)),
   other=lambda F, ct, self, other: F.div(ct, F.add(F.exp2(F.sub(self, other)), 1)))  # fmt: skip

# ---- three operands ---------------------------------------------------------------------------------------------------
op("where", where_kernel, "!condition self other", promote="arith", face=False, node="WhereBackward0",
   self=lambda F, ct, condition: F.where(condition, ct, 0.0),
   other=lambda F, ct, condition: F.where(condition, 0.0, ct))  # fmt: skip
op("masked_fill", lambda x, mask, value: np.where(mask_only(mask), x.dtype.type(value), x), "self !mask", "value", face=False,
   order="contiguous", inplace=True, node="MaskedFillBackward0", self=lambda F, ct, mask: F.masked_fill(ct, mask, 0))  # fmt: skip
op("masked_fill_tensor", lambda x, mask, value: np.where(mask_only(mask), value.astype(x.dtype), x), "self !mask !value",
   order="contiguous", face=False, inplace=True, node="MaskedFillBackward1",
   self=lambda F, ct, mask: F.masked_fill(ct, mask, 0.0), value=lambda F, ct, mask: F.where(mask, ct, 0.0))  # fmt: skip
op("lerp_scalar", lambda a, b, weight: a + (b - a) * weight if abs(weight) < 0.5 else b - (b - a) * (1 - weight), "self end",
   "weight", node="LerpBackward0", face=False, inplace=True, jvp="linear",
   self=lambda F, ct, weight: F.mul(ct, (1 - weight).conjugate()),
   end=lambda F, ct, weight: F.mul(ct, weight.conjugate()))  # fmt: skip
op("lerp", lambda a, b, w: np.where(np.abs(w) < 0.5, a + (b - a) * w, b - (b - a) * (1 - w)), "self end weight",
   node="LerpBackward1", face=False, inplace=True, self=lambda F, ct, weight: F.mul(ct, F.conj(F.rsub(weight, 1))),
   end=lambda F, ct, weight: F.mul(ct, F.conj(weight)),
   weight=lambda F, ct, self, end: F.mul(ct, F.conj(F.sub(end, self))))  # fmt: skip
op("addcmul", lambda a, b, c, value: a + value * b * c, "self tensor1 tensor2", "value=1", promote="arith", inplace=True,
   self=lambda F, ct: ct, tensor1=lambda F, ct, tensor2, value: F.mul(ct, F.conj(F.mul(tensor2, value))),
   tensor2=lambda F, ct, tensor1, value: F.mul(ct, F.conj(F.mul(tensor1, value))))  # fmt: skip
op("addcdiv", lambda a, b, c, value: a + value * b / c, "self tensor1 tensor2", "value=1", promote="arith", inplace=True,
   self=lambda F, ct: ct, tensor1=lambda F, ct, tensor2, value: F.mul(ct, F.conj(F.rdiv(tensor2, value))),
   tensor2=lambda F, ct, tensor1, tensor2, value: F.mul(
       F.neg(ct), F.conj(F.div(F.mul(tensor1, value), F.mul(tensor2, tensor2)))))  # fmt: skip


def _quotient(ct: Tensor, other: Any) -> Tensor:
    """ct / other. Run backwards, a formula that masks what it divided by zero asks for 0 / 0: nothing comes from nothing."""
    found = tensors.div(ct, other)
    if state.transposing and isinstance(other, Tensor):
        nothing = tensors.logical_and(tensors.eq(ct, 0), tensors.eq(other, 0))
        return tensors.masked_fill(found, nothing, 0.0) if nothing._array.any() else found
    return found


arrays.quotient = np.true_divide
tensors.quotient = _quotient
arrays.rdiv = lambda x, number: number / x
tensors.rdiv = lambda x, number: tensors.div(Tensor._from_number(number), x)
arrays.expand_like = lambda x, like: np.broadcast_to(x, np.shape(like))
tensors.expand_like = lambda x, like: x.expand(like.shape)

# ---- faces ------------------------------------------------------------------------------------------------------------

ADD, SUB, MUL, DIV, RSUB = (ROWS[n].call for n in ("add", "sub", "mul", "div", "rsub"))
ADD_SCALED, SUB_SCALED = ROWS["add_scaled"].call, ROWS["sub_scaled"].call


def tensor_first(name: str, fn: Any) -> Any:
    """A function face that also takes a Python number as first operand."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(self, Tensor):
            self = Tensor._from_number(self)
        return fn(self, *args, **kwargs)

    call.__name__ = name
    return call


@face("add")
def add(self: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Tensor:
    """self + alpha * other"""
    return ADD(self, other, out=out) if alpha == 1 else ADD_SCALED(self, other, alpha, out=out)


@face("sub", "subtract")
def sub(self: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Tensor:
    """self - alpha * other"""
    return SUB(self, other, out=out) if alpha == 1 else SUB_SCALED(self, other, alpha, out=out)


@function("rsub")
def rsub(self: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha * self"""
    return (ROWS["rsub_tensor"].call if isinstance(other, Tensor) else RSUB)(self, other, alpha)


@face("div", "divide", "true_divide")
def div(self: Any, other: Any, *, rounding_mode: Any = None, out: Any = None) -> Tensor:
    """self / other, optionally rounded toward zero ("trunc") or down ("floor")"""
    if rounding_mode is None:
        return DIV(self, other, out=out)
    return ROWS["div_" + rounding_mode].call(self, other, out=out)


def _scalar_or_tensor(name: str) -> Any:
    with_tensor, with_number = ROWS[name].call, ROWS[name + "_scalar"].call

    def call(self: Any, other: Any, *, out: Any = None) -> Tensor:
        if not isinstance(self, Tensor):
            self = Tensor._from_number(self)
        return (with_tensor if isinstance(other, Tensor) else with_number)(self, other, out=out)

    call.__name__ = name
    return call


fmod = face("fmod")(_scalar_or_tensor("fmod"))
remainder = face("remainder")(_scalar_or_tensor("remainder"))
POW, POW_SCALAR, RPOW = (ROWS[n].call for n in ("pow", "pow_scalar", "rpow"))


@face("pow")
def pow(self: Any, exponent: Any, *, out: Any = None) -> Tensor:
    """self ** exponent; either may be a number"""
    if not isinstance(exponent, Tensor):
        return POW_SCALAR(self, exponent, out=out)
    return POW(self, exponent, out=out) if isinstance(self, Tensor) else RPOW(exponent, self, out=out)


@method("where")
def _where(self: Any, condition: Any, other: Any) -> Any:
    return ROWS["where"].call(condition, self, other)


@function("where")
def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """self where the condition holds, else other; with the condition alone: where it holds"""
    if input is None:
        return condition.nonzero(as_tuple=True)
    return ROWS["where"].call(condition, input, other, out=out)


def _fill_row(value: Any) -> str:
    return "masked_fill_tensor" if isinstance(value, Tensor) else "masked_fill"


@face("masked_fill")
def masked_fill(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """self with value where the mask is True"""
    return ROWS[_fill_row(value)].call(self, mask, value)


@method("masked_fill_")
def masked_fill_(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """masked_fill in place"""
    if isinstance(value, Tensor):
        return write(ROWS["masked_fill_tensor"], "masked_fill_", self, (mask, value), ())
    return ROWS["masked_fill"].inplace(self, mask, value)


@face("lerp")
def lerp(self: Tensor, end: Tensor, weight: Any, *, out: Any = None) -> Tensor:
    """self + weight * (end - self)"""
    return ROWS["lerp" if isinstance(weight, Tensor) else "lerp_scalar"].call(self, end, weight, out=out)


# In-place variants whose face chooses between rows.


@method("add_")
def add_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """self += alpha * other"""
    return ROWS["add"].inplace(self, other) if alpha == 1 else ROWS["add_scaled"].inplace(self, other, alpha)


@method("sub_", "subtract_")
def sub_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """self -= alpha * other"""
    return ROWS["sub"].inplace(self, other) if alpha == 1 else ROWS["sub_scaled"].inplace(self, other, alpha)


@method("div_", "divide_", "true_divide_")
def div_(self: Tensor, other: Any, *, rounding_mode: Any = None) -> Tensor:
    """self /= other"""
    return ROWS["div" if rounding_mode is None else "div_" + rounding_mode].inplace(self, other)


def _chooser(name: str, tensor_row: str, number_row: str) -> Any:
    def call(self: Tensor, other: Any) -> Tensor:
        return ROWS[tensor_row if isinstance(other, Tensor) else number_row].inplace(self, other)

    return method(name)(call)


pow_ = _chooser("pow_", "pow", "pow_scalar")
fmod_ = _chooser("fmod_", "fmod", "fmod_scalar")
remainder_ = _chooser("remainder_", "remainder", "remainder_scalar")


@method("lerp_")
def lerp_(self: Tensor, end: Tensor, weight: Any) -> Tensor:
    """lerp in place"""
    if isinstance(weight, Tensor):
        return write(ROWS["lerp"], "lerp_", self, (end, weight), ())
    return write(ROWS["lerp_scalar"], "lerp_", self, (end,), (weight,))


method("mul_", "multiply_")(Tensor.mul_)
face("multiply")(MUL)
face("arctan2")(ROWS["atan2"].call)
method("arctan2_")(Tensor.atan2_)
