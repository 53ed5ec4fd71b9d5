"""NumPy kernels of the decompositions that NumPy itself lacks: LU with partial pivoting, the matrix exponential."""

from __future__ import annotations

from typing import Any

import numpy as np


def _lu(a: Any) -> tuple[Any, Any]:
    """One matrix in place of itself: L below the diagonal, U on and above it; pivots counted from 1 as LAPACK does."""
    m, n = a.shape
    pivots = np.arange(1, min(m, n) + 1, dtype=np.int32)
    for k in range(min(m, n)):
        p = k + int(np.argmax(np.abs(a[k:, k])))
        pivots[k] = p + 1
        if p != k:
            a[[k, p]] = a[[p, k]]
        if a[k, k] != 0:
            a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    return a, pivots


def lu_factor(a: Any) -> tuple:
    """LU and pivots of a batch."""
    lu = a.copy()
    lead = a.shape[:-2]
    pivots = np.zeros((*lead, min(a.shape[-2:])), np.int32)
    for i in np.ndindex(lead):
        lu[i], pivots[i] = _lu(lu[i])
    return lu, pivots


def unpack(lu: Any, pivots: Any) -> tuple:
    """P, L, U with P L U = A."""
    m, n = lu.shape[-2:]
    k = min(m, n)
    low = np.tril(lu[..., :, :k], -1) + np.eye(m, k, dtype=lu.dtype)
    order = np.zeros((*lu.shape[:-2], m, m), lu.dtype)
    for i in np.ndindex(lu.shape[:-2]):
        rows = np.arange(m)
        for row, p in enumerate(pivots[i]):
            rows[[row, p - 1]] = rows[[p - 1, row]]
        order[i][rows, np.arange(m)] = 1
    return order, low, np.triu(lu[..., :k, :])


def svd(a: Any, full_matrices: bool) -> tuple:
    """U, S, Vh."""
    u, s, vh = np.linalg.svd(a, full_matrices=full_matrices)
    return u, s, vh


def matrix_exp(a: Any) -> Any:
    """Scaling and squaring with a Taylor series of degree 18, which is exact to rounding for norms below a half.

    Each squaring doubles the rounding, so that single precision is left for double.
    """
    if a.size == 0:
        return a.copy()
    wide = np.result_type(a.dtype, np.float64)
    if wide != a.dtype:
        return matrix_exp(a.astype(wide)).astype(a.dtype)
    norm = np.abs(a).sum(-1).max()
    steps = max(0, int(np.ceil(np.log2(norm / 0.5)))) if norm > 0 and np.isfinite(norm) else 0
    x = a / a.dtype.type(2**steps)
    term = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    total = term.copy()
    for k in range(1, 19):
        term = term @ x / a.dtype.type(k)
        total = total + term
    for _ in range(steps):
        total = total @ total
    return total


def zero_pivot(a: Any) -> int:
    """The first pivot of one matrix that is 0, counted from 1; 0 if none is."""
    zeros = np.flatnonzero(np.diagonal(_lu(a.copy())[0]) == 0)
    return int(zeros[0]) + 1 if zeros.size else 0


def negative_minor(a: Any) -> int:
    """The order of the first leading minor that is not positive-definite; 0 if all are. Only the lower triangle counts."""
    low = np.zeros_like(a)
    for k in range(len(a)):
        left = a[k, k].real - np.sum(np.abs(low[k, :k]) ** 2)
        if not left > 0:
            return k + 1
        low[k, k] = np.sqrt(left)
        low[k + 1 :, k] = (a[k + 1 :, k] - low[k + 1 :, :k] @ low[k, :k].conj()) / low[k, k]
    return 0
