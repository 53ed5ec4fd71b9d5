"""torch.nn.functional: losses."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..ops.table import FUNCTIONS, ROWS
from ..tensor import Tensor


def _reduction(reduction: str, size_average: Any = None, reduce: Any = None) -> str:
    """The reduction, also from the two flags of old."""
    if size_average is not None or reduce is not None:
        if reduce is False:
            return "none"
        return "sum" if size_average is False else "mean"
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _apply(loss: Tensor, reduction: str) -> Tensor:
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def _alike(name: str, input: Tensor, target: Tensor) -> tuple:
    """Both in one shape; a difference is allowed, but warned of."""
    if input._array.shape == target._array.shape:
        return input, target
    warnings.warn(
        f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). This will likely lead "
        "to incorrect results due to broadcasting. Please ensure they have the same size.",
        stacklevel=3,
    )
    return tuple(FUNCTIONS["broadcast_tensors"](input, target))


def _same_size(input: Tensor, target: Tensor) -> None:
    if input._array.shape != target._array.shape:
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")


def mse_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
             weight: Any = None) -> Tensor:  # fmt: skip
    """(input - target)^2"""
    how = _reduction(reduction, size_average, reduce)
    input, target = _alike("mse_loss", input, target)
    if weight is None:
        return ROWS["mse_loss"].call(input, target, how)
    weighted = ROWS["mse_loss"].call(input, target, "none") * weight
    return weighted.sum() / weight.sum() if how == "mean" else _apply(weighted, how)


def l1_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
            weight: Any = None) -> Tensor:  # fmt: skip
    """|input - target|"""
    how = _reduction(reduction, size_average, reduce)
    input, target = _alike("l1_loss", input, target)
    loss = (input - target).abs()
    if weight is None:
        return _apply(loss, how)
    return (loss * weight).sum() / weight.sum() if how == "mean" else _apply(loss * weight, how)


def smooth_l1_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
                   beta: float = 1.0) -> Tensor:  # fmt: skip
    """Quadratic within beta, then linear"""
    how = _reduction(reduction, size_average, reduce)
    input, target = _alike("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0.0:
        return _apply((input - target).abs(), how)
    return ROWS["smooth_l1_loss"].call(input, target, float(beta), how)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    """delta times smooth_l1_loss"""
    how = _reduction(reduction)
    input, target = _alike("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is None:
        return ROWS["huber_loss"].call(input, target, float(delta), how)
    weighted = ROWS["huber_loss"].call(input, target, float(delta), "none") * weight
    return weighted.sum() / weight.sum() if how == "mean" else _apply(weighted, how)


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None, reduce: Any = None,
                         reduction: str = "mean") -> Tensor:  # fmt: skip
    """Cross entropy of probabilities"""
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is deprecated. "
            "Please ensure they have the same size."
        )
    weight = None if weight is None else weight.expand(input._array.shape)
    return ROWS["binary_cross_entropy"].call(input, target, weight, _reduction(reduction, size_average, reduce))


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None,
                                     reduce: Any = None, reduction: str = "mean", pos_weight: Any = None) -> Tensor:  # fmt: skip
    """Cross entropy of probabilities given by their logits"""
    _same_size(input, target)
    how = _reduction(reduction, size_average, reduce)
    return ROWS["binary_cross_entropy_with_logits"].call(input, target, weight, pos_weight, how)


def soft_margin_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
                     reduction: str = "mean") -> Tensor:  # fmt: skip
    """log(1 + exp(-target * input))"""
    return ROWS["soft_margin_loss"].call(input, target, _reduction(reduction, size_average, reduce))


def nll_loss(input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
             reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """minus the log probability of the target class"""
    return _nll(input, target, weight, ignore_index, _reduction(reduction, size_average, reduce))


def _nll(input: Tensor, target: Tensor, weight: Any, ignore_index: int, how: str) -> Tensor:
    shape, wanted = input._array.shape, target._array.shape
    if not shape:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if len(shape) > 1 and shape[0] != wanted[0] if wanted else len(shape) > 1:
        raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size ({wanted[0] if wanted else ()}).")
    if len(shape) <= 2:
        return ROWS["nll_loss"](input, target, weight, how, ignore_index)[0]
    if wanted[1:] != shape[2:]:
        raise ValueError(f"Expected target size {[shape[0], *shape[2:]]}, got {list(wanted)}")
    if len(shape) == 4:
        return ROWS["nll_loss2d"](input, target, weight, how, ignore_index)[0]
    flat = input.contiguous().view(shape[0], shape[1], 1, math.prod(shape[2:]))
    goal = target.contiguous().view(shape[0], 1, math.prod(shape[2:]))
    out = ROWS["nll_loss2d"](flat, goal, weight, how, ignore_index)[0]
    return out.view(shape[0], *shape[2:]) if how == "none" else out


def cross_entropy(input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
                  reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0) -> Tensor:  # fmt: skip
    """nll_loss of log_softmax; the target may also be probabilities"""
    how = _reduction(reduction, size_average, reduce)
    axis = 0 if input._array.ndim == 1 else 1
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target.is_complex() and target._array.shape == input._array.shape:
        raise RuntimeError(f"Expected floating point type for target with class probabilities, got {target.dtype.long_name}")
    logs = input.log_softmax(axis)
    classes = input._array.shape[axis]
    if target._array.shape == input._array.shape and target._array.dtype.kind == "f":
        return _cross_entropy_of_probabilities(logs, target, weight, how, label_smoothing, axis, classes)
    loss = _nll(logs, target, weight, ignore_index, how)
    if label_smoothing == 0.0:
        return loss
    if weight is not None:
        fit = [1] * logs._array.ndim
        fit[axis] = classes
        smooth = -(logs * weight.view(fit)).sum(axis)
    else:
        smooth = -logs.sum(axis)
    ignored = target == ignore_index
    smooth = smooth.masked_fill(ignored, 0.0)
    if how == "mean":
        if weight is not None:
            smooth = (
                smooth.sum() / weight.gather(0, target.masked_fill(ignored, 0).flatten()).masked_fill(ignored.flatten(), 0).sum()
            )
        else:
            smooth = smooth.sum() / ignored.logical_not().sum()
    else:
        smooth = _apply(smooth, how)
    return (1 - label_smoothing) * loss + (label_smoothing / classes) * smooth


def _cross_entropy_of_probabilities(logs: Tensor, target: Tensor, weight: Any, how: str, smoothing: float, axis: int,
                                    classes: int) -> Tensor:  # fmt: skip
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / classes
    product = logs * target
    if weight is not None:
        fit = [1] * logs._array.ndim
        fit[axis] = classes
        product = product * weight.view(fit)
    if how == "none":
        return -product.sum(axis)
    total = -product.sum()
    return total / (logs.numel() // classes) if how == "mean" else total


def kl_div(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
           log_target: bool = False) -> Tensor:  # fmt: skip
    """target * (log(target) - input)"""
    how = "batchmean" if reduction == "batchmean" else _reduction(reduction, size_average, reduce)
    if input.is_complex() or target.is_complex():
        raise RuntimeError("kl_div: Complex inputs not supported.")
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = FUNCTIONS["xlogy"](target, target) - target * input
    if how == "batchmean":
        return loss.sum() / input._array.shape[0] if input._array.ndim else loss.sum()
    return _apply(loss, how)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: Any = None,
                     eps: float = 1e-8, reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """minus the log likelihood of counts"""
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return _apply(loss, _reduction(reduction, size_average, reduce))


def gaussian_nll_loss(input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Tensor:  # fmt: skip
    """minus the log likelihood of normal values"""
    if isinstance(var, (int, float)):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * FUNCTIONS["ones_like"](input)
    elif (var._array < 0).any():
        raise ValueError("var has negative entry/entries")
    if var._array.shape != input._array.shape:
        if input._array.shape[:-1] == var._array.shape:
            var = var.unsqueeze(-1)
        elif input._array.shape[:-1] != var._array.shape[:-1] or var._array.shape[-1] != 1:
            raise ValueError("var is of incorrect size")
    from .. import no_grad

    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    return _apply(loss + 0.5 * math.log(2 * math.pi) if full else loss, _reduction(reduction))


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, size_average: Any = None, reduce: Any = None,
                         reduction: str = "mean") -> Tensor:  # fmt: skip
    """input where the target is 1, max(0, margin - input) where it is -1"""
    zeros = FUNCTIONS["zeros_like"](input)
    where = FUNCTIONS["where"]
    far = where(target != 1, (margin - input).clamp_min(0), zeros)
    near = where(target != -1, input, zeros)
    return _apply(far + near, _reduction(reduction, size_average, reduce))


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None,
                          reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """1 - cosine where the target is 1, max(0, cosine - margin) where it is -1"""
    d = target._array.ndim
    if input1._array.ndim != d + 1 or input2._array.ndim != d + 1:
        raise RuntimeError(
            f"{d}D target tensor expects {d + 1}D input tensors, but found inputs with sizes {list(input1.shape)} and "
            f"{list(input2.shape)}."
        )
    eps = 1e-12
    product = (input1 * input2).sum(d)
    one, two = (input1 * input1).sum(d) + eps, (input2 * input2).sum(d) + eps
    cosine = product / (one * two).sqrt()
    zeros = FUNCTIONS["zeros_like"](cosine)
    where = FUNCTIONS["where"]
    near = where(target == 1, FUNCTIONS["ones_like"](cosine) - cosine, zeros)
    far = where(target == -1, (cosine - margin).clamp_min(0), zeros)
    return _apply(near + far, _reduction(reduction, size_average, reduce))


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None,
                        reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """max(0, -target * (input1 - input2) + margin)"""
    if len({t._array.ndim for t in (input1, input2, target)}) > 1:
        raise RuntimeError("margin_ranking_loss : All input tensors should have same dimension")
    loss = (-target * (input1 - input2) + margin).clamp_min(0)
    return _apply(loss, _reduction(reduction, size_average, reduce))


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
                        eps: float = 1e-6, swap: bool = False, size_average: Any = None, reduce: Any = None,
                        reduction: str = "mean") -> Tensor:  # fmt: skip
    """max(0, distance to the positive - distance to the negative + margin)"""
    from .functional_vector import pairwise_distance

    dims = [t._array.ndim for t in (anchor, positive, negative)]
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor "
            f"{dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D inputs"
        )
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda a, b: pairwise_distance(a, b, p, eps), margin=margin, swap=swap,
        reduction=_reduction(reduction, size_average, reduce),
    )  # fmt: skip


def triplet_margin_with_distance_loss(anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Any = None,
                                      margin: float = 1.0, swap: bool = False, reduction: str = "mean") -> Tensor:  # fmt: skip
    """triplet_margin_loss with a distance of one's own"""
    from .functional_vector import pairwise_distance

    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = FUNCTIONS["minimum"](far, distance(positive, negative))
    return _apply((margin + near - far).clamp_min(0), reduction)


def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Any = None,
                      size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """max(0, margin - input[target] + input[j])^p over the other classes"""
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    how = _reduction(reduction, size_average, reduce)
    return ROWS["multi_margin_loss"].call(input, target, weight, p, margin, how)


def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
                           reduction: str = "mean") -> Tensor:  # fmt: skip
    """max(0, 1 - input[label] + input[j]) over labels and other classes"""
    return ROWS["multilabel_margin_loss"].call(input, target, _reduction(reduction, size_average, reduce))


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None,
                                reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """Binary cross entropy of each class, by logits"""
    from .functional_activation import logsigmoid

    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    loss = loss if weight is None else loss * weight
    dim = input._array.ndim - 1
    return _apply(loss.sum(dim) / input._array.shape[dim], _reduction(reduction, size_average, reduce))


def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
             reduction: str = "mean", zero_infinity: bool = False) -> Tensor:  # fmt: skip
    """minus the log probability of all alignments of the targets with the sequence"""
    single = log_probs._array.ndim == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.unsqueeze(0) if targets._array.ndim == 1 else targets
    inputs, goals = (_lengths(v) for v in (input_lengths, target_lengths))
    loss = ROWS["ctc_loss_each"].call(log_probs, targets, inputs, goals, blank, zero_infinity)
    if reduction == "mean":
        return (loss / log_probs.new_tensor([max(1, n) for n in goals])).mean()
    loss = loss.squeeze(0) if single else loss
    return _apply(loss, _reduction(reduction))


def _lengths(value: Any) -> tuple:
    if isinstance(value, Tensor):
        value = value.tolist()
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value),)
