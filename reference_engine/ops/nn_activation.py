"""The activation functions that torch.nn.functional adds to those of the activation chapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .activation import _elu, _elu_result_vjp, _elu_vjp, _softplus
from .binary import not_implemented
from .pointwise import _sigmoid
from .shape import axis
from .table import ROWS, arrays, op, tensors


def _piecewise(name: str, kernel: Callable, stays: Callable, params: str, factor: float = 1.0, *, twice: bool = True,
               **options: Any) -> None:  # fmt: skip
    """A row of straight pieces: the gradient is `factor` times ct where `stays`, else zero; its own slope is zero.

    twice=False: torch has no derivative of the gradient.
    """
    words = ", ".join(p.partition("=")[0] for p in params.split())

    def backward(ct: Any, x: Any, *args: Any) -> Any:
        return np.where(stays(x, *args), ct * ct.dtype.type(factor) if factor != 1 else ct, ct.dtype.type(0))

    scope = f"lambda F, ct, self, {words}: F.{name}_backward(ct, self, {words})"
    again = {"ct_": eval(scope), "self": lambda F, ct, self: F.zeros_like(ct)}
    if not twice:
        again = dict.fromkeys(again, not_implemented(name + "_backward"))
    op(name + "_backward", backward, "ct_ self", params, face=False, **again)
    op(name, kernel, params=params, jvp="elementwise", self=eval(scope), **options)


def _outside(x: Any, lambd: float) -> Any:
    return ~((x >= -lambd) & (x <= lambd))


_piecewise("hardshrink", lambda x, lambd: np.where(_outside(x, lambd), x, x.dtype.type(0)), _outside, "lambd=0.5")
_piecewise("softshrink", lambda x, lambd: np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, x * 0)), _outside,
           "lambd=0.5", face=False)  # fmt: skip
_piecewise("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, lambda x: (x > -3) & (x < 3), "", 1 / 6, twice=False,
           face=False, inplace=True)  # fmt: skip


def _threshold(x: Any, threshold: float, value: float) -> Any:
    return np.where(x <= threshold, x.dtype.type(value), x)


for _name, _node, _where in (
    ("threshold", "ThresholdBackward0", "function"),
    ("threshold_in_place", "ThresholdBackward1", False),
):
    op(_name, _threshold, params="threshold value", face=_where, node=_node, jvp="elementwise",
       inplace="threshold_" if _where is False else False,
       self=lambda F, ct, self, threshold: F.threshold_backward(ct, self, threshold))  # fmt: skip


def _hardswish_vjp(F: Any, ct: Any, self: Any) -> Any:
    middle = F.mul(ct, F.add(F.div(self, 3), 0.5))
    return F.keeping(F.where(F.le(self, -3), 0.0, F.where(F.lt(self, 3), middle, ct)), self)


op("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6, face=False, inplace=True, jvp="elementwise", self=_hardswish_vjp)


def _mish_vjp(F: Any, ct: Any, self: Any) -> Any:
    t, s = F.tanh(F.softplus(self, 1.0, 20.0)), F.sigmoid(self)
    return F.mul(ct, F.add(t, F.mul(F.mul(self, s), F.rsub(F.mul(t, t), 1))))


op("mish", lambda x: x * np.tanh(_softplus(x, 1.0, 20.0)), face=False, inplace=True, jvp="elementwise", self=_mish_vjp)


def _log_sigmoid(x: Any) -> tuple:
    """The value, and exp(-|x|), from which the slope is told."""
    small = np.exp(-np.abs(x))
    return np.minimum(x, 0) - np.log1p(small), small


def _log_sigmoid_slope(ct: Any, x: Any, small: Any) -> Any:
    """ct * sigmoid(-x)"""
    share = small / (1 + small)
    return ct * np.where(x < 0, 1 - share, share)


# The slope's own derivative is that of sigmoid(-x): ct * s * (s - 1).
op("log_sigmoid_slope", _log_sigmoid_slope, "ct_ self !small", node="LogSigmoidBackwardBackward0", face=False,
   ct_=lambda F, ct, self, small: F.log_sigmoid_slope(ct, self, small),
   self=lambda F, ct, ct_, self: F.mul(F.mul(F.mul(ct, ct_), F.sigmoid(self)), F.sub(F.sigmoid(self), 1)))  # fmt: skip
op("log_sigmoid_row", _log_sigmoid, order="contiguous", outputs=2, diff=(0,), face=False, node="LogSigmoidBackward0",
   self=lambda F, cts, self, result1: None if cts[0] is None else F.log_sigmoid_slope(cts[0], self, result1))  # fmt: skip
arrays.log_sigmoid = lambda x: _log_sigmoid(x)[0]
tensors.log_sigmoid = lambda x: ROWS["log_sigmoid_row"].call(x)[0]


def _celu(x: Any, alpha: float) -> Any:
    return _elu(x, alpha, 1.0, 1.0 / alpha)


op("celu", _celu, params="alpha=1.0", face="function", jvp="elementwise",
   self=lambda F, ct, self, alpha: _elu_vjp(F, ct, self, alpha, 1.0, 1.0 / alpha))  # fmt: skip
op("celu_saving_result", _celu, params="alpha=1.0", face=False, node="CeluBackward1", inplace="celu_",
   self=lambda F, ct, result, alpha: _elu_result_vjp(F, ct, result, alpha, 1.0, 1.0 / alpha))  # fmt: skip


def _halves(F: Any, x: Any, dim: int) -> tuple[Any, Any]:
    d = axis(dim, len(x.shape))
    n = x.shape[d] // 2
    return F.slice(x, d, 0, n, 1), F.slice(x, d, n, 2 * n, 1)


def _glu(x: Any, dim: int) -> Any:
    if not x.ndim:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    d = axis(dim, x.ndim)
    if x.shape[d] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {d} is size {x.shape[d]}")
    a, b = np.split(x, 2, d)
    return a * _sigmoid(b)


def _glu_vjp(F: Any, ct: Any, self: Any, dim: int) -> Any:
    a, b = _halves(F, self, dim)
    s = F.sigmoid(b)
    return F.keeping(F.cat([F.mul(ct, s), F.mul(F.mul(ct, a), F.mul(s, F.rsub(s, 1)))], axis(dim, len(self.shape))), self)


op("glu", _glu, params="dim=-1", face=False, self=_glu_vjp)

# The two gradients of prelu, each of which depends, as torch has it, on all that prelu's backward is given. The weight comes
# shaped like the input's channels.
op("prelu_slope", lambda ct, x, w: np.where(x > 0, ct, ct * w), "ct_ self weight", face=False,
   node="PreluKernelBackwardBackward0",
   ct_=lambda F, ct, self, weight: F.where(F.ge(self, 0), ct, F.mul(ct, weight)),  # unlike the slope: torch's choice at 0
   self=lambda F, ct: F.zeros_like(ct),
   weight=lambda F, ct, ct_, self: F.where(F.ge(self, 0), 0.0, F.mul(ct, ct_)))  # fmt: skip
op("prelu_weight_slope", lambda ct, x, w: np.where(x > 0, ct.dtype.type(0), ct * x), "ct_ self weight", face=False,
   node="PreluKernelBackwardBackward0",
   ct_=lambda F, ct, self, weight: F.prelu_weight_slope(ct, self, weight),
   self=lambda F, ct, ct_, self: F.where(F.ge(self, 0), 0.0, F.mul(ct, ct_)),
   weight=lambda F, ct: F.zeros_like(ct))  # fmt: skip
op("prelu_kernel", lambda x, w: np.where(x > 0, x, w * x), "self weight", face=False,
   self=lambda F, ct, self, weight: F.prelu_slope(ct, self, weight),
   weight=lambda F, ct, self, weight: F.prelu_weight_slope(ct, self, weight))  # fmt: skip


def _rrelu(x: Any, noise: Any, lower: float, upper: float, training: bool) -> Any:
    return x * noise if training else np.where(x > 0, x, x * ((lower + upper) / 2))


def _rrelu_vjp(F: Any, ct: Any, x: Any, noise: Any, lower: float, upper: float, training: bool) -> Any:
    if training and upper - lower > 1e-6:
        return F.mul(ct, noise)
    return F.leaky_relu_backward(ct, x, (lower + upper) / 2)


op("rrelu_with_noise", _rrelu, "self !noise", "lower upper training", order="contiguous", face=False,
   self=lambda F, ct, self, noise, lower, upper, training: _rrelu_vjp(F, ct, self, noise, lower, upper, training))  # fmt: skip
op("rrelu_saving_result", _rrelu, "self !noise", "lower upper training", face=False, node="RreluWithNoiseBackward1",
   inplace="rrelu_with_noise_",
   self=lambda F, ct, result, noise, lower, upper, training: _rrelu_vjp(F, ct, result, noise, lower, upper, training))  # fmt: skip  # noqa: E501
