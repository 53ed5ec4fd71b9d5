"""Normalisation: batch, layer and group norm. One formula for all: they differ in what they average over.

An ordinary backward takes the mean and the inverse deviation that were saved. A recorded one computes them again from the
input, because they depend on it: so the same formula serves all orders.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import Tensor, wrap
from .table import ROWS, arrays, op, tensors


def _moments(x: Any, dims: tuple, eps: float) -> tuple[Any, Any]:
    """Mean and 1 / sqrt(variance + eps) along dims, kept."""
    mean = x.mean(dims, keepdims=True, dtype=x.dtype) if x.size else np.zeros_like(x.sum(dims, keepdims=True))
    centred = x - mean
    var = (centred * centred).mean(dims, keepdims=True, dtype=x.dtype) if x.size else np.ones_like(mean)
    return mean, (1 / np.sqrt(var + eps)).astype(x.dtype)


def _centred(F: Any, x: Any, dims: tuple, eps: float, saved: tuple = ()) -> tuple[Any, Any]:
    """What _moments says, for the interpreters: x - mean and the inverse deviation. `saved`: both, as they were."""
    if saved and F is arrays:
        shape = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
        return x - saved[0].reshape(shape), saved[1].reshape(shape)
    centred = F.sub(x, F.mean_dims(x, dims, True))
    return centred, F.rsqrt(F.add(F.mean_dims(F.mul(centred, centred), dims, True), eps))


def normalized_vjp(F: Any, ct: Any, x: Any, dims: tuple, eps: float, saved: tuple, ct_mean: Any = None,
                   ct_rstd: Any = None) -> Any:  # fmt: skip
    """The cotangent of x from that of (x - mean) * rstd and, where they arrive, those of mean and rstd themselves."""
    n = max(1, math.prod(x.shape[d] for d in dims))
    centred, rstd = _centred(F, x, dims, eps, saved)
    of_rstd = None if ct is None else F.sum_dims(F.mul(ct, centred), dims, True)
    if ct_rstd is not None:
        of_rstd = ct_rstd if of_rstd is None else F.add(of_rstd, ct_rstd)
    out = None
    if ct is not None:
        direct = F.mul(ct, rstd)
        out = F.sub(direct, F.mean_dims(direct, dims, True))
    if of_rstd is not None:
        # rstd = (var + eps)^(-1/2), and var = mean(centred^2)
        through = F.mul(F.mul(F.mul(of_rstd, F.pow_scalar(rstd, 3)), -1.0 / n), centred)
        out = through if out is None else F.add(out, through)
    if ct_mean is not None:
        shift = F.div(F.expand(ct_mean, tuple(x.shape)), n)
        out = shift if out is None else F.add(out, shift)
    return out if out is None else F.keeping(out, x)


def _others(shape: tuple, keep: int) -> tuple:
    return tuple(d for d in range(len(shape)) if d != keep)


# ---- batch norm -------------------------------------------------------------------------------------------------------


def _channel(F: Any, v: Any, ndim: int) -> Any:
    return F.reshape(v, (1, -1, *(1,) * (ndim - 2)))


def _batch_norm(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float,
                eps: float) -> tuple:  # fmt: skip
    fit = (1, -1, *(1,) * (x.ndim - 2))
    if training:
        mean, rstd = _moments(x, _others(x.shape, 1), eps)
        saved = mean.reshape(-1), rstd.reshape(-1)
    else:
        mean, rstd = running_mean.reshape(fit), 1 / np.sqrt(running_var.reshape(fit) + eps)
        saved = np.zeros(0, x.dtype), np.zeros(0, x.dtype)
    y = (x - mean) * rstd
    y = y if weight is None else y * weight.reshape(fit)
    y = y if bias is None else y + bias.reshape(fit)
    return y.astype(x.dtype), *saved


def _bn_standard(F: Any, x: Any, mean: Any, var: Any, training: bool, eps: float, saved: tuple) -> Any:
    """(x - mean) * rstd"""
    n = len(x.shape)
    if training:
        centred, rstd = _centred(F, x, _others(x.shape, 1), eps, saved)
    else:
        centred, rstd = F.sub(x, _channel(F, mean, n)), F.rsqrt(F.add(_channel(F, var, n), eps))
    return F.mul(centred, rstd)


def _bn_input(F: Any, cts: list, input: Any, weight: Any, running_mean: Any, running_var: Any, result1: Any, result2: Any,
              training: bool, eps: float) -> Any:  # fmt: skip
    ct, n = cts[0], len(input.shape)
    if weight is not None:
        ct = F.mul(ct, _channel(F, weight, n))
    if training:
        return normalized_vjp(F, ct, input, _others(input.shape, 1), eps, (result1, result2))
    return F.mul(ct, F.rsqrt(F.add(_channel(F, running_var, n), eps)))


def _bn_weight(F: Any, cts: list, input: Any, weight: Any, running_mean: Any, running_var: Any, result1: Any, result2: Any,
               training: bool, eps: float) -> Any:  # fmt: skip
    standard = _bn_standard(F, input, running_mean, running_var, training, eps, (result1, result2))
    return F.sum_dims(F.mul(cts[0], standard), _others(input.shape, 1), False)


# Torch's one backward kernel wants everything, whoever asks: each formula names input, weight and the running statistics.
for _name, _node in (
    ("native_batch_norm", "NativeBatchNorm"), ("batch_norm_legit", "NativeBatchNormLegit"),
    ("batch_norm_legit_no_stats", "NativeBatchNormLegit"), ("batch_norm_legit_no_training", "NativeBatchNormLegitNoTraining"),
):  # fmt: skip
    op(_name, _batch_norm, "input weight bias !running_mean !running_var", "training momentum eps", outputs=3, order="contiguous",
       node=f"{_node}Backward{int(_name.endswith('no_stats'))}", diff=(0,), face=False, input=_bn_input, weight=_bn_weight,
       bias=lambda F, cts, input, weight, running_mean, running_var, result1, result2: F.sum_dims(
           cts[0], _others(input.shape, 1), False))  # fmt: skip


def _track(input: Tensor, running_mean: Any, running_var: Any, momentum: float) -> None:
    """Move the running statistics towards the batch's. The writes are not counted, as torch's kernel does not."""
    x = input._array
    dims = _others(x.shape, 1)
    n = max(1, x.size // max(1, x.shape[1]))
    for stat, value in ((running_mean, x.mean(dims)), (running_var, x.var(dims) * (n / max(1, n - 1)))):
        if stat is not None:
            stat._array[...] = (1 - momentum) * stat._array + momentum * value


def native_batch_norm(input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool,
                      momentum: float, eps: float, row: str = "native_batch_norm") -> tuple:  # fmt: skip
    """Output, and the mean and inverse deviation of the batch."""
    tracked = training and (running_mean is not None or running_var is not None)
    # In training the statistics are written, not read: torch does not save them then in any way that a test could see.
    stats = (None, None) if training else (running_mean, running_var)
    out = ROWS[row](input, weight, bias, *stats, training, momentum, eps)
    if tracked:
        _track(input, running_mean, running_var, momentum)
    return out


def native_batch_norm_legit(input: Tensor, weight: Any, bias: Any, *rest: Any) -> tuple:
    """_native_batch_norm_legit, with or without running statistics."""
    stats = rest[:2] if len(rest) == 5 else (None, None)
    row = "batch_norm_legit" if len(rest) == 5 else "batch_norm_legit_no_stats"
    return native_batch_norm(input, weight, bias, *stats, *rest[-3:], row)


def native_batch_norm_legit_no_training(input: Tensor, weight: Any, bias: Any, mean: Any, var: Any, momentum: float,
                                        eps: float) -> tuple:  # fmt: skip
    """Batch norm by running statistics."""
    return native_batch_norm(input, weight, bias, mean, var, False, momentum, eps, "batch_norm_legit_no_training")


def batch_norm(input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float,
               eps: float, cudnn_enabled: bool = True) -> Tensor:  # fmt: skip
    """torch.batch_norm"""
    channels = input._array.shape[1]
    for name, v in (("weight", weight), ("bias", bias), ("running_mean", running_mean), ("running_var", running_var)):
        if v is not None and v.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {v.numel()}")
    if not training and (running_mean is None or running_var is None):
        missing = "running_mean" if running_mean is None else "running_var"
        raise RuntimeError(f"{missing} must be defined in evaluation mode")
    return native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)[0]


# ---- layer norm -------------------------------------------------------------------------------------------------------


def _trailing(shape: tuple, normalized_shape: tuple) -> tuple:
    return tuple(range(len(shape) - len(normalized_shape), len(shape)))


def _layer_norm(x: Any, weight: Any, bias: Any, normalized_shape: tuple, eps: float) -> tuple:
    k = len(normalized_shape)
    if k < 1 or x.shape[x.ndim - k :] != normalized_shape or k > x.ndim:
        raise RuntimeError(
            f"Given normalized_shape={list(normalized_shape)}, expected input with shape [*, "
            f"{', '.join(map(str, normalized_shape))}], but got input of size{list(x.shape)}"
        )
    mean, rstd = _moments(x, _trailing(x.shape, normalized_shape), eps)
    y = (x - mean) * rstd
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias).astype(x.dtype), mean, rstd


def _ln_input(F: Any, cts: list, input: Any, weight: Any, bias: Any, result1: Any, result2: Any, normalized_shape: tuple,
              eps: float) -> Any:  # fmt: skip
    ct = cts[0] if weight is None else F.mul(cts[0], weight)
    return normalized_vjp(F, ct, input, _trailing(input.shape, normalized_shape), eps, (result1, result2))


def _ln_weight(F: Any, cts: list, input: Any, weight: Any, bias: Any, result1: Any, result2: Any, normalized_shape: tuple,
               eps: float) -> Any:  # fmt: skip
    centred, rstd = _centred(F, input, _trailing(input.shape, normalized_shape), eps, (result1, result2))
    lead = tuple(range(len(input.shape) - len(normalized_shape)))
    product = F.mul(cts[0], F.mul(centred, rstd))
    return F.sum_dims(product, lead, False) if lead else product


op("native_layer_norm", _layer_norm, "input weight bias", "normalized_shape eps",
   order="contiguous", outputs=3, diff=(0,), face=False,
   input=_ln_input, weight=_ln_weight, bias=lambda F, cts, input, weight, bias: F.sum_to(cts[0], tuple(bias.shape)))  # fmt: skip


def native_layer_norm(input: Tensor, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> tuple:
    """Output, mean and inverse deviation."""
    return ROWS["native_layer_norm"](input, weight, bias, tuple(normalized_shape), eps)


def layer_norm(input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5,
               cudnn_enable: bool = True) -> Tensor:  # fmt: skip
    """Mean 0 and deviation 1 over the last dimensions, then scaled and moved."""
    return native_layer_norm(input, normalized_shape, weight, bias, eps)[0]


def native_layer_norm_backward(grad_out: Tensor, input: Tensor, normalized_shape: Any, mean: Tensor, rstd: Tensor, weight: Any,
                               bias: Any, output_mask: Any) -> tuple:  # fmt: skip
    """The three gradients of layer norm; differentiable. eps is read off rstd, which is all that torch is given too."""
    shape, F = tuple(normalized_shape), tensors
    x = input._array
    dims = _trailing(x.shape, shape)
    variance = ((x - mean._array) ** 2).mean(dims, keepdims=True)
    eps = float((rstd._array.astype(np.float64) ** -2 - variance).mean()) if x.size else 0.0
    args = (F, [grad_out], input, weight, bias)
    bias_shape = shape
    wanted = (
        lambda: _ln_input(*args, None, None, shape, eps),
        lambda: _ln_weight(*args, None, None, shape, eps),
        lambda: F.sum_to(grad_out, bias_shape),
    )
    return tuple(make() if mask else None for make, mask in zip(wanted, output_mask))


# ---- group norm -------------------------------------------------------------------------------------------------------


def _groups(F: Any, x: Any, group: int) -> Any:
    """(batch, groups, everything of the group)"""
    n = math.prod(x.shape[1:]) // group
    return F.reshape(x, (x.shape[0], group, n))


def _group_norm(x: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float) -> tuple:
    mean, rstd = _moments(x.reshape(N, group, -1 if x.size else 0), (2,), eps)
    y = ((x.reshape((*mean.shape[:2], -1)) - mean) * rstd).reshape(x.shape) if x.size else x.copy()
    fit = (1, C, *(1,) * (x.ndim - 2))
    y = y if weight is None else y * weight.reshape(fit)
    y = y if bias is None else y + bias.reshape(fit)
    return y, mean.reshape(N, group), rstd.reshape(N, group)


def _gn_input(F: Any, cts: list, input: Any, weight: Any, result1: Any, result2: Any, group: int, eps: float) -> Any:
    ct, ct_mean, ct_rstd = cts
    if ct is not None:
        ct = ct if weight is None else F.mul(ct, _channel(F, weight, len(input.shape)))
        ct = _groups(F, ct, group)
    small = (F.unsqueeze(c, 2) if c is not None else None for c in (ct_mean, ct_rstd))
    found = normalized_vjp(F, ct, _groups(F, input, group), (2,), eps, (result1, result2), *small)
    return F.reshape(found, tuple(input.shape))


def _gn_weight(F: Any, cts: list, input: Any, weight: Any, result1: Any, result2: Any, group: int, eps: float) -> Any:
    if cts[0] is None:
        return None
    centred, rstd = _centred(F, _groups(F, input, group), (2,), eps, (result1, result2))
    standard = F.reshape(F.mul(centred, rstd), tuple(input.shape))
    return F.sum_dims(F.mul(cts[0], standard), _others(input.shape, 1), False)


op("native_group_norm", _group_norm, "input weight bias", "N C HxW group eps",
   order="contiguous", outputs=3, face=False, input=_gn_input,
   weight=_gn_weight, bias=lambda F, cts, input, weight: None if cts[0] is None else F.sum_dims(
       cts[0], _others(input.shape, 1), False))  # fmt: skip


def native_group_norm(input: Tensor, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float) -> tuple:
    """Output, mean and inverse deviation."""
    return ROWS["native_group_norm"](input, weight, bias, N, C, HxW, group, eps)


def group_norm(input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5,
               cudnn_enabled: bool = True) -> Tensor:  # fmt: skip
    """Mean 0 and deviation 1 within groups of channels, then scaled and moved."""
    shape = input._array.shape
    if len(shape) < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}"
        )
    return native_group_norm(input, weight, bias, shape[0], shape[1], math.prod(shape[2:]), num_groups, eps)[0]


# ---- made of others ---------------------------------------------------------------------------------------------------


def instance_norm(input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool,
                  momentum: float, eps: float, cudnn_enabled: bool = True) -> Tensor:  # fmt: skip
    """Batch norm with every (sample, channel) as a channel of its own; the running statistics average over the samples."""
    shape = input._array.shape
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    b, c = shape[:2]
    per = [None if v is None else v.repeat(b) for v in (weight, bias, running_mean, running_var)]
    flat = input.contiguous().view(1, b * c, *shape[2:])
    out = batch_norm(flat, per[0], per[1], per[2], per[3], use_input_stats, momentum, eps)
    if use_input_stats:
        for stat, copies in ((running_mean, per[2]), (running_var, per[3])):
            if stat is not None:
                stat.copy_(wrap(copies._array.reshape(b, c).mean(0)))
    return out.view(*shape)


def rms_norm(input: Tensor, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Tensor:
    """The input over its root mean square along the last dimensions, then scaled."""
    shape = tuple(normalized_shape)
    if input._array.shape[input._array.ndim - len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but got "
            f"input of size{list(input._array.shape)}"
        )
    if weight is not None and weight._array.shape != shape:
        raise RuntimeError(
            "Expected weight to be of same shape as normalized_shape, but got weight of shape "
            f"{list(weight._array.shape)} and normalized_shape = {list(shape)}"
        )
    eps = float(np.finfo(input._array.dtype).eps) if eps is None else eps
    square = input.pow(2).mean(_trailing(input._array.shape, shape), True)
    out = input * (square + eps).rsqrt()
    return out if weight is None else out * weight
