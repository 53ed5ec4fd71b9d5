"""Connectionist temporal classification: the probability of all alignments of a target with a sequence, by recursion.

alpha[t, s]: log probability of all beginnings that reach place s of the extended target (blanks between the labels) at time
t; beta[t, s]: of all endings from there. Their product is the weight of passing through (t, s).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .binary import not_implemented
from .table import op

LOW = -np.inf


def _extended(labels: list[int], blank: int) -> list[int]:
    out = [blank]
    for label in labels:
        out += [label, blank]
    return out


def _forward(lp: Any, ext: list[int], blank: int) -> Any:
    """alpha for one sequence of log probabilities (time, class)."""
    alpha = np.full((len(lp), len(ext)), LOW)
    if not len(lp):
        return alpha
    alpha[0, 0] = lp[0, ext[0]]
    if len(ext) > 1:
        alpha[0, 1] = lp[0, ext[1]]
    for t in range(1, len(lp)):
        for s, symbol in enumerate(ext):
            total = alpha[t - 1, s]
            if s > 0:
                total = np.logaddexp(total, alpha[t - 1, s - 1])
            if s > 1 and symbol != blank and symbol != ext[s - 2]:
                total = np.logaddexp(total, alpha[t - 1, s - 2])
            alpha[t, s] = total + lp[t, symbol]
    return alpha


def _loss(alpha: Any, ext: list[int]) -> float:
    if not len(alpha):
        return 0.0 if len(ext) == 1 else np.inf
    end = alpha[-1, -1]
    return -np.logaddexp(end, alpha[-1, -2]) if len(ext) > 1 else -end


def _sequences(targets: Any, lengths: tuple) -> list[list[int]]:
    if targets.ndim == 2:
        return [[int(v) for v in row[:n]] for row, n in zip(targets, lengths)]
    out, start = [], 0
    for n in lengths:
        out.append([int(v) for v in targets[start : start + n]])
        start += n
    return out


def _ctc(lp: Any, targets: Any, input_lengths: tuple, target_lengths: tuple, blank: int, zero_infinity: bool) -> Any:
    out = np.zeros(lp.shape[1], lp.dtype)
    for b, labels in enumerate(_sequences(targets, target_lengths)):
        ext = _extended(labels, blank)
        out[b] = _loss(_forward(lp[: input_lengths[b], b], ext, blank), ext)
    return np.where(np.isinf(out), lp.dtype.type(0), out) if zero_infinity else out


def _ctc_back(
    ct: Any, lp: Any, targets: Any, input_lengths: tuple, target_lengths: tuple, blank: int, zero_infinity: bool
) -> Any:
    """exp(lp) minus the share of each class among all alignments, as torch: the gradient through log_softmax is in it."""
    out = np.zeros_like(lp)
    for b, labels in enumerate(_sequences(targets, target_lengths)):
        ext, n = _extended(labels, blank), input_lengths[b]
        own = lp[:n, b].astype(np.float64)
        alpha = _forward(own, ext, blank)
        loss = _loss(alpha, ext)
        if zero_infinity and np.isinf(loss):
            continue
        # Backwards in time the recursion is the same one.
        beta = _forward(own[::-1], ext[::-1], blank)[::-1, ::-1]
        share = np.full(own.shape, LOW)
        for s, symbol in enumerate(ext):
            share[:, symbol] = np.logaddexp(share[:, symbol], alpha[:, s] + beta[:, s])
        out[:n, b] = ct[b] * (np.exp(own) - np.exp(share + loss - own))
    return out


PARAMS = "input_lengths target_lengths blank zero_infinity"
_once = not_implemented("_ctc_loss_backward")
op("ctc_back", _ctc_back, "ct_ log_probs !targets", PARAMS, face=False, ct_=_once, log_probs=_once)
op("ctc_loss_each", _ctc, "log_probs !targets", PARAMS, face=False, node="CtcLossBackward0",
   log_probs=lambda F, ct, log_probs, targets, result, input_lengths, target_lengths, blank, zero_infinity: F.ctc_back(
       ct, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity))  # fmt: skip
