"""torch.nn.functional: activation functions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..inplace import write
from ..ops.random import default_generator
from ..ops.table import FUNCTIONS, ROWS
from ..tensor import Tensor, wrap


def _act(name: str, input: Tensor, params: tuple, inplace: bool, writer: str = "") -> Tensor:
    """A row, or (in place) the row that torch uses for writing."""
    if inplace:
        return write(ROWS[writer or name], name + "_", input, (), params)
    return ROWS[name].call(input, *params)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return input.relu_() if inplace else ROWS["relu"].call(input)


def relu_(input: Tensor) -> Tensor:
    """relu in place"""
    return input.relu_()


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x limited to [min_val, max_val]"""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _act("hardtanh", input, (min_val, max_val), inplace)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """hardtanh in place"""
    return hardtanh(input, min_val, max_val, True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x limited to [0, 6]"""
    return hardtanh(input, 0.0, 6.0, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x, or a small multiple of it below 0"""
    return _act("leaky_relu", input, (negative_slope,), inplace, "leaky_relu_saving_result")


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """leaky_relu in place"""
    return leaky_relu(input, negative_slope, True)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x, or alpha * (exp(x) - 1) below 0"""
    return _act("elu", input, (alpha, 1.0, 1.0), inplace, "elu_saving_result")


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """elu in place"""
    return elu(input, alpha, True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """elu with fixed constants"""
    params = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1.0)
    return _act("elu", input, params, inplace, "elu_saving_result")


def selu_(input: Tensor) -> Tensor:
    """selu in place"""
    return selu(input, True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x, or alpha * (exp(x / alpha) - 1) below 0"""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _act("celu", input, (alpha,), inplace, "celu_saving_result")


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """celu in place"""
    return celu(input, alpha, True)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution function of x"""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return ROWS["gelu"].call(input, approximate)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)"""
    return _act("silu", input, (), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))"""
    return _act("mish", input, (), inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * relu6(x + 3) / 6"""
    return _act("hardswish", input, (), inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6"""
    return _act("hardsigmoid", input, (), inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, and x itself beyond the threshold"""
    return ROWS["softplus"].call(input, beta, threshold)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)"""
    return input - input.tanh()


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, or 0 within [-lambd, lambd]"""
    return ROWS["hardshrink"].call(input, lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd"""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return ROWS["softshrink"].call(input, lambd)


def logsigmoid(input: Tensor) -> Tensor:
    """log of sigmoid"""
    return ROWS["log_sigmoid_row"].call(input)[0]


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it exceeds the threshold, else a value"""
    return _act("threshold", input, (threshold, value), inplace, "threshold_in_place")


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """threshold in place"""
    return write(ROWS["threshold_in_place"], "threshold_", input, (), (threshold, value))


def rrelu(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False) -> Tensor:
    """leaky_relu with slopes drawn from [lower, upper] in training and their mean otherwise"""
    x = input._array
    noise = np.zeros_like(x)
    if training:
        drawn = default_generator.bits.uniform(lower, upper, x.shape).astype(x.dtype)
        noise = np.where(x <= 0, drawn, x.dtype.type(1))
    if inplace:
        return write(ROWS["rrelu_saving_result"], "rrelu_", input, (wrap(noise),), (lower, upper, training))
    return ROWS["rrelu_with_noise"].call(input, wrap(noise), lower, upper, training)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """rrelu in place"""
    return rrelu(input, lower, upper, training, True)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """One half of x times the sigmoid of the other"""
    return ROWS["glu"].call(input, dim)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """leaky_relu with a learned slope, for all or for each channel"""
    shape = input._array.shape
    if weight.numel() != 1:
        if not shape:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = shape[1] if len(shape) > 1 else 1
        if channels != weight.numel():
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} and "
                f"channel size = {channels}."
            )
    if weight._array.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight._array.ndim}")
    if len(shape) < 2:
        fitted = weight.reshape(()) if not shape else weight
    else:
        fitted = weight.reshape(1, -1, *(1,) * (len(shape) - 2))
    return ROWS["prelu_kernel"].call(input, fitted)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))"""
    return ROWS["sigmoid"].call(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return ROWS["tanh"].call(input)


def _dim(name: str, ndim: int, dim: Any) -> int:
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=4,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) normalised along a dimension"""
    return input.softmax(_dim("softmax", input.dim(), dim), dtype=dtype)


def log_softmax(input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """log of softmax"""
    return input.log_softmax(_dim("log_softmax", input.dim(), dim), dtype=dtype)


def softmin(input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax of -x"""
    return (-input).softmax(_dim("softmin", input.dim(), dim), dtype=dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A softmax of noisy logits; `hard` makes it one-hot with the soft one's gradient"""
    drawn = default_generator.bits.exponential(1.0, logits._array.shape).astype(logits._array.dtype)
    soft = ((logits + -wrap(np.asarray(np.log(drawn)))) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.argmax(dim, True)
    one_hot = FUNCTIONS["zeros_like"](logits).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft
