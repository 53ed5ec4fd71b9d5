"""torch.nn.init: fill tensors in place, without a record, but counted as writes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..modes import no_grad
from ..tensor import Tensor, wrap


def _quietly(method: str) -> Any:
    def fill(tensor: Tensor, *args: Any, generator: Any = None) -> Tensor:
        with no_grad():
            return getattr(tensor, method)(*args)

    return fill


_uniform, _normal, _fill, _zero = (_quietly(m) for m in ("uniform_", "normal_", "fill_", "zero_"))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Numbers of [a, b)"""
    return _uniform(tensor, a, b)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers"""
    return _normal(tensor, mean, std)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere"""
    return _fill(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones"""
    return _fill(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros"""
    return _zero(tensor)


def _set(tensor: Tensor, value: Any) -> Tensor:
    with no_grad():
        return tensor.copy_(wrap(np.asarray(value, tensor._array.dtype)))


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix"""
    if tensor._array.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _set(tensor, np.eye(*tensor._array.shape))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Any = None) -> Tensor:  # fmt: skip
    """Normal numbers, drawn again where they fall outside [a, b]"""
    from ..ops.random import default_generator

    x = mean + std * default_generator.bits.standard_normal(tensor._array.shape)
    while ((x < a) | (x > b)).any():
        x = np.where((x < a) | (x > b), mean + std * default_generator.bits.standard_normal(x.shape), x)
    return _set(tensor, x)


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """The factor that keeps the variance through a nonlinearity."""
    gains = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 0.75, "sigmoid": 1.0, "linear": 1.0}
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity.startswith("conv"):
        return 1.0
    if nonlinearity not in gains:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return gains[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    shape = tensor._array.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    return _calculate_fan_in_and_fan_out(tensor)[("fan_in", "fan_out").index(mode.lower())]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform numbers of variance 2 / (fan_in + fan_out)"""
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return _uniform(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers of variance 2 / (fan_in + fan_out)"""
    return _normal(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))))


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Any = None) -> Tensor:  # fmt: skip
    """Uniform numbers of variance gain^2 / fan"""
    if 0 in tensor._array.shape:
        return tensor
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return _uniform(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Any = None) -> Tensor:  # fmt: skip
    """Normal numbers of variance gain^2 / fan"""
    return _normal(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode)))


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """A (part of an) orthogonal matrix"""
    from ..ops.random import default_generator

    rows = tensor._array.shape[0]
    columns = tensor.numel() // rows
    q, r = np.linalg.qr(default_generator.bits.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r))
    return _set(tensor, gain * (q.T if rows < columns else q).reshape(tensor._array.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The kernel of an identity convolution"""
    x = np.zeros(tensor._array.shape)
    each = x.shape[0] // groups
    for g in range(groups):
        for d in range(min(each, x.shape[1])):
            x[(g * each + d, d, *(n // 2 for n in x.shape[2:]))] = 1
    return _set(tensor, x)
