"""torch.nn.functional: normalisation and dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops import norm as _norm
from ..ops.random import default_generator
from ..ops.table import ROWS, op
from ..tensor import Tensor, wrap


def _check_batch(shape: tuple) -> None:
    n = math.prod((shape[0], *shape[2:]))
    if n == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size torch.Size({list(shape)})")


def batch_norm(input: Tensor, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
               training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Each channel with mean 0 and deviation 1 over the batch, or by its running statistics."""
    if training:
        _check_batch(input._array.shape)
    return _norm.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def instance_norm(input: Tensor, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
                  use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Each channel of each sample with mean 0 and deviation 1."""
    if use_input_stats and math.prod(input._array.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size torch.Size({list(input._array.shape)})"
        )
    return _norm.instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps)


def layer_norm(input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Mean 0 and deviation 1 over the last dimensions."""
    return _norm.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Mean 0 and deviation 1 within groups of channels."""
    shape = input._array.shape
    if len(shape) >= 2 and math.prod((shape[0] * shape[1] // num_groups, num_groups, *shape[2:])) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size torch.Size({list(shape)})")
    return _norm.group_norm(input, num_groups, weight, bias, eps)


def rms_norm(input: Tensor, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Tensor:
    """The input over its root mean square along the last dimensions."""
    return _norm.rms_norm(input, normalized_shape, weight, eps)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """The input over a power of the mean square of its neighbouring channels."""
    shape = input._array.shape
    if len(shape) < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)")
    if not input._array.size:
        return input
    from . import functional as F

    square = input.mul(input)
    if len(shape) == 3:
        mean = F.avg_pool2d(F.pad(square.unsqueeze(1), (0, 0, size // 2, (size - 1) // 2)), (size, 1), stride=1).squeeze(1)
    else:
        flat = square.unsqueeze(1).view(shape[0], 1, shape[1], shape[2], -1)
        padded = F.pad(flat, (0, 0, 0, 0, size // 2, (size - 1) // 2))
        mean = F.avg_pool3d(padded, (size, 1, 1), stride=1).squeeze(1).view(*shape)
    return input / mean.mul(alpha).add(k).pow(beta)


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Tensor:
    """The input over its norm along a dimension, or over eps if that is greater."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)


# ---- dropout ----------------------------------------------------------------------------------------------------------


def _check_p(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _noise(input: Tensor, p: float, features: bool, scaled: bool = True) -> Tensor:
    """Zeros with probability p, and what makes the expectation 1 elsewhere; one number a channel if `features`."""
    x = input._array
    shape = (*x.shape[:2], *(1,) * (x.ndim - 2)) if features else x.shape
    keep = default_generator.bits.random(shape) >= p
    return wrap((keep / (1 - p) if scaled and p < 1 else keep).astype(x.dtype))


def _dropout(input: Tensor, p: float, training: bool, inplace: bool, features: bool = False) -> Tensor:
    _check_p(p)
    if p == 0 or not training or not input._array.size:
        return input
    if p == 1:
        noise: Any = input.new_zeros(())
    else:
        noise = _noise(input, p, features)
    return input.mul_(noise) if inplace else input.mul(noise)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Elements set to zero at random, the others scaled up."""
    return _dropout(input, p, training, inplace)


def _feature_dropout(n: int) -> Any:
    def drop(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        single = (n > 1 and input._array.ndim == n + 1) or (n == 1 and input._array.ndim == 2)
        if single:
            input = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
        y = _dropout(input, p, training, inplace, features=True)
        return (y.squeeze_(0) if inplace else y.squeeze(0)) if single else y

    drop.__name__, drop.__doc__ = f"dropout{n}d", "Whole channels set to zero at random."
    return drop


dropout1d, dropout2d, dropout3d = (_feature_dropout(n) for n in (1, 2, 3))

_ALPHA = 1.7580993408473766


def _alpha(input: Tensor, p: float, training: bool, inplace: bool, features: bool) -> Tensor:
    """Dropout that keeps mean and variance of selu's outputs: dropped elements take the value -alpha."""
    _check_p(p)
    if p == 0 or not training or not input._array.size:
        return input
    if p == 1:
        return input.mul_(input.new_zeros(())) if inplace else input.mul(input.new_zeros(()))
    keep = _noise(input, p, features, scaled=False)
    a = 1.0 / math.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    shift = keep.add(-1).mul_(_ALPHA * a).add_(_ALPHA * a * p)
    scale = keep.mul_(a)
    return input.mul_(scale).add_(shift) if inplace else input.mul(scale).add(shift)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout for selu networks."""
    return _alpha(input, p, training, inplace, False)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels"""
    return _alpha(input, p, training, inplace, True)


def _draw(x: Any, p: float, train: Any) -> tuple[Any, Any]:
    if train is False or p == 0:
        return x.copy(), np.ones(x.shape, bool)
    keep = default_generator.bits.random(x.shape) >= p
    return (x * keep * x.dtype.type(0 if p == 1 else 1 / (1 - p))).astype(x.dtype), keep


op("native_dropout", _draw, params="p train", outputs=2, diff=(0,), face=False, complex=False,
   self=lambda F, cts, result1, p, train: F.mul(
       F.mul(cts[0], result1), 1.0 if train is False or p == 0 else 0.0 if p == 1 else 1 / (1 - p)))  # fmt: skip


def native_dropout(input: Tensor, p: float, train: Any) -> tuple:
    """Dropout and the mask of what was kept."""
    return ROWS["native_dropout"](input, p, train)
