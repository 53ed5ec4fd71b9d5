"""Losses that torch has as ops of their own. Reductions: "none", "mean", "sum"."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import taps  # noqa: F401 - F.beside
from .binary import not_implemented
from .table import op


def reduced(values: Any, reduction: str) -> Any:
    """The reduction of an array of losses."""
    if reduction == "none":
        return values
    if reduction == "sum":
        return np.asarray(values.sum(dtype=values.dtype))
    return np.asarray(values.mean(dtype=values.dtype)) if values.size else np.asarray(values.dtype.type(np.nan))


def spread(F: Any, ct: Any, shape: tuple, reduction: str) -> Any:
    """The cotangent of each loss from that of the reduced one."""
    if reduction == "none":
        return ct
    ct = F.expand(ct, tuple(shape))
    return F.div(ct, max(1, math.prod(shape))) if reduction == "mean" else ct


def _of_two(name: str, kernel: Callable, slope: Callable, params: str = "", *, node: str, target: Any = "minus",
            **options: Any) -> None:  # fmt: skip
    """A loss of input and target. slope(F, input, target, *params): d loss / d input; for the target minus that."""
    extra = "".join(f", {p.partition('=')[0]}" for p in params.split())

    def forward(x: Any, t: Any, *args: Any) -> Any:
        return reduced(kernel(x, t, *args[:-1]), args[-1])

    def vjp(F: Any, ct: Any, x: Any, t: Any, reduction: str, sign: Any, args: tuple) -> Any:
        ct = spread(F, ct, x.shape, reduction)
        found = F.mul(ct if sign > 0 else F.neg(ct), slope(F, x, t, *args))
        return F.keeping(F.keeping(found, x), t)

    scope = {"vjp": vjp}
    text = "lambda F, ct, input, target, reduction{0}: vjp(F, ct, input, target, reduction, {1}, ({2}))"
    words = f"{extra[2:]}," if extra else ""
    formulas = {"input": eval(text.format(extra, 1, words), scope)}
    if target == "minus":
        formulas["target"] = eval(text.format(extra, -1, words), scope)
    op(name, forward, "input target", f"{params} reduction", face=False, node=node, **options, **formulas)


_of_two("mse_loss", lambda x, t: (x - t) * (x - t), lambda F, x, t: F.mul(F.sub(x, t), 2), node="MseLossBackward0")


def _smooth_l1(x: Any, t: Any, beta: float) -> Any:
    z = np.abs(x - t)
    return np.where(z < beta, 0.5 * z * z / beta, z - 0.5 * beta).astype(x.dtype)


def _smooth_l1_slope(F: Any, x: Any, t: Any, beta: float) -> Any:
    z = F.sub(x, t)
    return F.where(F.ge(F.abs(z), beta), F.sgn(z), F.div(z, beta))  # in this order a NaN stays one


_of_two("smooth_l1_loss", _smooth_l1, _smooth_l1_slope, "beta", node="SmoothL1LossBackward0")


def _huber(x: Any, t: Any, delta: float) -> Any:
    z = np.abs(x - t)
    return np.where(z <= delta, 0.5 * z * z, delta * (z - 0.5 * delta)).astype(x.dtype)


def _huber_slope(F: Any, x: Any, t: Any, delta: float) -> Any:
    z = F.sub(x, t)
    return F.where(F.ge(F.abs(z), delta), F.mul(F.sgn(z), delta), z)


_of_two("huber_loss", _huber, _huber_slope, "delta", node="HuberLossBackward0")
_of_two("soft_margin_loss", lambda x, t: np.log1p(np.exp(-t * x)).astype(x.dtype),
        lambda F, x, t: F.mul(F.neg(t), F.sigmoid(F.neg(F.mul(t, x)))), node="SoftMarginLossBackward0", target=None,
        complex=False)  # fmt: skip


# ---- binary cross entropy ---------------------------------------------------------------------------------------------


# Torch's constant is a float32.
EPS = float(np.float32(1e-12))


def _weighted(F: Any, x: Any, weight: Any) -> Any:
    return x if weight is None else F.mul(x, weight)


def _bce(x: Any, t: Any, weight: Any, reduction: str) -> Any:
    if x.size and not ((x >= 0) & (x <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")
    value = (t - 1) * np.maximum(np.log1p(-x), -100) - t * np.maximum(np.log(x), -100)
    return reduced((value if weight is None else value * weight).astype(x.dtype), reduction)


def _bce_input(F: Any, ct: Any, input: Any, target: Any, weight: Any, reduction: str) -> Any:
    ct = spread(F, ct, input.shape, reduction)
    return _weighted(F, F.binary_cross_entropy_slope(ct, input, target), weight)


def _bce_slope(ct: Any, input: Any, target: Any) -> Any:
    return ct * ((input - target) / np.maximum((1 - input) * input, EPS)).astype(ct.dtype)


def _room(F: Any, input: Any) -> Any:
    """What lies on both sides of a share, multiplied: from here on torch adds its constant where it was a bound before."""
    return F.mul(F.add(input, 1e-12), F.add(F.rsub(input, 1), 1e-12))


def _bce_curve(F: Any, ct: Any, ct_: Any, input: Any, target: Any) -> Any:
    room = _room(F, input)
    top = F.add(F.sub(F.mul(input, input), F.mul(F.mul(input, 2), target)), target)
    return F.mul(F.mul(ct, ct_), F.div(top, F.mul(room, room)))


op("binary_cross_entropy_slope", _bce_slope, "ct_ input target", face=False, input=_bce_curve,
   ct_=lambda F, ct, input, target: F.mul(ct, F.div(F.sub(input, target), _room(F, input))),
   target=lambda F, ct, ct_, input: F.neg(
       F.div(F.mul(ct, ct_), F.clamp_min_scalar(F.mul(F.rsub(input, 1), input), EPS))))  # fmt: skip


def _bce_target(F: Any, ct: Any, input: Any, target: Any, weight: Any, reduction: str) -> Any:
    ct = spread(F, ct, input.shape, reduction)
    # Torch cuts the logarithms off in the value alone.
    return _weighted(F, F.mul(ct, F.neg(F.logit(input, None))), weight)


op("binary_cross_entropy", _bce, "input target !weight", "reduction", face=False, input=_bce_input, target=_bce_target)


def _bcel(x: Any, t: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    falling = np.maximum(-x, 0) + np.log1p(np.exp(-np.abs(x)))  # -log(sigmoid(x))
    scale = 1 if pos_weight is None else 1 + (pos_weight - 1) * t
    value = (1 - t) * x + scale * falling
    return reduced((value if weight is None else value * weight).astype(x.dtype), reduction)


def _bcel_input(F: Any, ct: Any, input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    ct = spread(F, ct, input.shape, reduction)
    s = F.sigmoid(input)
    if pos_weight is None:
        slope = F.sub(s, target)
    else:
        positive = F.mul(pos_weight, target)
        slope = F.sub(F.mul(F.sub(F.add(positive, 1), target), s), positive)
    return _weighted(F, F.mul(ct, slope), weight)


def _bcel_target(F: Any, ct: Any, input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    ct = spread(F, ct, input.shape, reduction)
    if pos_weight is None:
        return _weighted(F, F.mul(ct, F.neg(input)), weight)
    by = F.sub(F.log_sigmoid(F.neg(input)), F.mul(pos_weight, F.log_sigmoid(input)))
    return _weighted(F, F.mul(ct, by), weight)


op("binary_cross_entropy_with_logits", _bcel, "input target !weight !pos_weight", "reduction", face=False,
   input=_bcel_input, target=_bcel_target)  # fmt: skip


# ---- negative log likelihood ------------------------------------------------------------------------------------------


def _class_places(target: Any, classes: int) -> tuple:
    """Where (sample, class, rest) of each target lies; ignored targets point at class 0."""
    safe = np.where((target >= 0) & (target < classes), target, 0)
    if not target.ndim:
        return (safe,)
    where = list(np.ogrid[tuple(slice(n) for n in target.shape)])
    return (where[0], safe, *where[1:])


def _spread_classes(ct: Any, target: Any, classes: int) -> Any:
    shape = (*target.shape[:1], classes, *target.shape[1:])
    out = np.zeros(shape, ct.dtype)
    np.add.at(out, _class_places(target, classes), ct)
    return out


# Reading one class a place, and putting back there: linear, and adjoint to each other.
op("pick_classes", lambda x, target: x[_class_places(target, x.shape[1 if x.ndim > 1 else 0])], "self !target", face=False,
   node="NllLossBackwardBackward0", jvp="linear",
   self=lambda F, ct, target, self_shape: F.spread_classes(ct, target, self_shape[1 if len(self_shape) > 1 else 0]))  # fmt: skip
op("spread_classes", _spread_classes, "ct_ !target", "classes", face=False, node="NllLossBackwardBackward0", jvp="linear",
   ct_=lambda F, ct, target: F.pick_classes(ct, target))  # fmt: skip


def _class_weights(target: Any, weight: Any, like: Any, ignore_index: int) -> Any:
    """The weight of each target; 0 where it is to be ignored."""
    kept = target != ignore_index
    if weight is None:
        return kept.astype(like.dtype)
    return np.where(kept, weight[np.where(kept, target, 0)], 0).astype(like.dtype)


op("class_weights", _class_weights, "!target !weight !like", "ignore_index", face=False)


def _nll(x: Any, target: Any, weight: Any, reduction: str, ignore_index: int) -> tuple:
    classes = x.shape[1 if x.ndim > 1 else 0]
    bad = (target != ignore_index) & ((target < 0) | (target >= classes))
    if bad.any():
        raise IndexError(f"Target {np.asarray(target)[bad][0]} is out of bounds.")
    w = _class_weights(target, weight, x, ignore_index)
    value = -w * x[_class_places(target, classes)]
    value = np.where(w == 0, x.dtype.type(0), value) if ignore_index is not None else value
    total = np.asarray(w.sum(dtype=x.dtype))
    if reduction == "none":
        return value, total if x.ndim == 1 else np.asarray(x.dtype.type(0))
    summed = np.asarray(value.sum(dtype=x.dtype))
    return (summed if reduction == "sum" else np.asarray(summed / total)), total


def _nll_vjp(F: Any, cts: list, self: Any, target: Any, weight: Any, result1: Any, reduction: str, ignore_index: int) -> Any:
    w = F.class_weights(target, weight, self, ignore_index)
    ct = cts[0] if reduction == "none" else F.expand(cts[0], tuple(target.shape))
    ct = F.div(ct, result1) if reduction == "mean" else ct
    classes = self.shape[1 if len(self.shape) > 1 else 0]
    # An ignored target gets an exact zero, also where everything is ignored and the mean has divided by nothing.
    each = F.masked_fill(F.mul(F.neg(ct), w), F.eq(w, 0), 0.0)
    return F.keeping(F.beside(F.spread_classes(each, target, classes), self), target)


for _name, _node in (("nll_loss", "NllLossBackward0"), ("nll_loss2d", "NllLoss2DBackward0")):
    op(_name, _nll, "self !target !weight", "reduction ignore_index", outputs=2, diff=(0,), face=False, node=_node, self=_nll_vjp)


# ---- margins: torch has no second derivative of these -----------------------------------------------------------------


def _rows_of(x: Any, target: Any) -> tuple[Any, Any]:
    return np.atleast_2d(x), np.atleast_1d(target)


def _margins(x: Any, target: Any, margin: float) -> tuple[Any, Any]:
    """margin - x[y] + x[j] for each sample and class, and where j is not y."""
    rows = np.arange(len(target))
    other = np.ones(x.shape, bool)
    other[rows, target] = False
    return margin - x[rows, target][:, None] + x, other


def _multi_margin(x: Any, target: Any, weight: Any, p: int, margin: float, reduction: str) -> Any:
    x2, t = _rows_of(x, target)
    z, other = _margins(x2, t, margin)
    value = np.where(other & (z > 0), z**p, 0)
    value = value if weight is None else value * weight[t][:, None]
    each = (value.sum(1) / x2.shape[1]).astype(x.dtype)
    return reduced(each if x.ndim == 2 or reduction != "none" else each[0], reduction)


def _multi_margin_back(ct: Any, x: Any, target: Any, weight: Any, p: int, margin: float, reduction: str) -> Any:
    x2, t = _rows_of(x, target)
    z, other = _margins(x2, t, margin)
    slope = np.where(other & (z > 0), p * z ** (p - 1), 0) / x2.shape[1]
    slope = slope if weight is None else slope * weight[t][:, None]
    slope[np.arange(len(t)), t] = -slope.sum(1)
    by = np.reshape(ct, (-1, 1)) / (len(t) if reduction == "mean" else 1)
    return (slope * by).reshape(x.shape).astype(x.dtype)


def _labels(x: Any, target: Any) -> list[list[int]]:
    """The labels of each sample: those before the first -1."""
    return [[int(j) for j in row[: (row < 0).argmax() if (row < 0).any() else len(row)]] for row in np.atleast_2d(target)]


def _multilabel_slopes(x: Any, target: Any) -> tuple[Any, Any]:
    """Loss and its slope for each sample: sum over labels y and the others j of max(0, 1 - x[y] + x[j]) / classes."""
    x2 = np.atleast_2d(x)
    value, slope = np.zeros(len(x2), x.dtype), np.zeros_like(x2)
    n = max(1, x2.shape[1])
    for i, labels in enumerate(_labels(x, target)):
        others = [j for j in range(x2.shape[1]) if j not in labels]
        for y in labels:
            for j in others:
                z = 1 - x2[i, y] + x2[i, j]
                if z > 0:
                    value[i] += z / n
                    slope[i, y] -= 1 / n
                    slope[i, j] += 1 / n
    return value, slope


def _multilabel(x: Any, target: Any, reduction: str) -> Any:
    value = _multilabel_slopes(x, target)[0]
    return reduced(value if x.ndim == 2 or reduction != "none" else value[0], reduction)


def _multilabel_back(ct: Any, x: Any, target: Any, reduction: str) -> Any:
    slope = _multilabel_slopes(x, target)[1]
    return (slope * (np.reshape(ct, (-1, 1)) / (len(slope) if reduction == "mean" else 1))).reshape(x.shape).astype(x.dtype)


_once = not_implemented("multi_margin_loss_backward")
op("multi_margin_back", _multi_margin_back, "ct_ self !target !weight", "p margin reduction", face=False, ct_=_once, self=_once)
op("multi_margin_loss", _multi_margin, "self !target !weight", "p margin reduction", face=False,
   self=lambda F, ct, self, target, weight, p, margin, reduction: F.multi_margin_back(
       ct, self, target, weight, p, margin, reduction))  # fmt: skip
_once = not_implemented("multilabel_margin_loss_backward")
op("multilabel_margin_back", _multilabel_back, "ct_ self !target", "reduction", face=False, ct_=_once, self=_once)
op("multilabel_margin_loss", _multilabel, "self !target", "reduction", face=False,
   self=lambda F, ct, self, target, reduction: F.multilabel_margin_back(ct, self, target, reduction))  # fmt: skip
