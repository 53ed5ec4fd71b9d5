"""Products beyond mm: addmv, addr, addbmm, cross, kron, einsum, multi_dot, matrix_power; distances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..inplace import write
from ..tensor import Tensor, wrap
from .faces import face, function, method
from .fits import check_target
from .linalg import ROWS, _conj_t, _dot, _mv, _scaled, matmul
from .norms import _norm_vjp, _vector_norm
from .shape import axis
from .table import arrays, op, tensors

arrays.matmul, tensors.matmul = np.matmul, matmul


def _sum_scaled(c: Any, product: Any, beta: Any, alpha: Any) -> Any:
    check_target(c, product)
    product = product if alpha == 1 else product * alpha
    # beta 0 ignores c altogether: its NaNs do not spread.
    return product + (c if beta == 1 else c * beta if beta != 0 else np.zeros_like(c))


def _outer(F: Any, a: Any, b: Any) -> Any:
    return F.mul(F.unsqueeze(a, -1), F.conj(F.unsqueeze(b, -2)))


op("addmv", lambda c, m, v, beta, alpha: _sum_scaled(c, _mv(m, v), beta, alpha), "self mat vec", "beta=1 alpha=1", inplace=True,
   self=lambda F, ct, beta: _scaled(F, ct, beta), mat=lambda F, ct, vec, alpha: _scaled(F, _outer(F, ct, vec), alpha),
   vec=lambda F, ct, mat, alpha: _scaled(F, F.mv(_conj_t(F, mat), ct), alpha))  # fmt: skip


def _addr(c: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    for name, v in (("vec1", a), ("vec2", b)):
        if v.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {v.ndim}-D")
    return _sum_scaled(c, np.outer(a, b), beta, alpha)


op("addr", _addr, "self vec1 vec2", "beta=1 alpha=1", order="first",
   inplace=True, self=lambda F, ct, beta: _scaled(F, ct, beta),
   vec1=lambda F, ct, vec2, alpha: _scaled(F, F.mv(ct, F.conj(vec2)), alpha),
   vec2=lambda F, ct, vec1, alpha: _scaled(F, F.mv(F.t(ct), F.conj(vec1)), alpha))  # fmt: skip


def _spread(F: Any, ct: Any, batch: tuple) -> Any:
    return F.expand(F.unsqueeze(ct, 0), (batch[0], *ct.shape))


def _addbmm(c: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    if a.ndim != 3 or b.ndim != 3:
        raise RuntimeError(f"batch{1 + (a.ndim == 3)} must be a 3D tensor")
    if len(a) != len(b):
        raise RuntimeError(f"batch1 and batch2 must have same number of batches, got {len(a)} and {len(b)}")
    return _sum_scaled(c, np.matmul(a, b).sum(0), beta, alpha)


op("addbmm", _addbmm, "self batch1 batch2",
   "beta=1 alpha=1", inplace=True, self=lambda F, ct, beta: _scaled(F, ct, beta),
   batch1=lambda F, ct, batch2, batch1_shape, alpha: _scaled(
       F, F.bmm(_spread(F, ct, batch1_shape), _conj_t(F, batch2)), alpha),
   batch2=lambda F, ct, batch1, batch2_shape, alpha: _scaled(
       F, F.bmm(_conj_t(F, batch1), _spread(F, ct, batch2_shape)), alpha))  # fmt: skip
op("vdot", lambda a, b: _dot(np.conj(a), b), "self other", self=lambda F, ct, other: F.mul(F.conj(ct), other),
   other=lambda F, ct, self: F.mul(ct, self))  # fmt: skip


def _cross(a: Any, b: Any, dim: int) -> Any:
    if a.ndim != b.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    d = axis(dim, a.ndim)
    if a.shape[d] != 3 or b.shape[d] != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {a.shape[d]} and {b.shape[d]}")
    return np.cross(*np.broadcast_arrays(a, b), axis=d)


op("linalg_cross", _cross, "self other", "dim", promote="arith", face=False,
   self=lambda F, ct, other, dim: F.linalg_cross(F.expand_like(F.conj(other), ct), ct, dim),
   other=lambda F, ct, self, dim: F.linalg_cross(ct, F.expand_like(F.conj(self), ct), dim))  # fmt: skip


@face()
def cross(self: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product along a dimension of length 3: the first such, if none is named."""
    if dim is None:
        dim = self.shape.index(3)
    return ROWS["linalg_cross"].call(self, other, dim)


@face()
def kron(self: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product."""
    n = max(self.dim(), other.dim())
    a, b = ((1,) * (n - t.dim()) + tuple(t.shape) for t in (self, other))
    copy = ROWS["reshape_copy"].call
    left = copy(self, tuple(x for s in a for x in (s, 1)))
    right = copy(other, tuple(x for s in b for x in (1, s)))
    for part, whole in ((left, self), (right, other)):
        if whole._storage.version is None:
            part._storage.version = None  # what lies in the memory of an inference tensor is one
    return copy(left * right, tuple(x * y for x, y in zip(a, b)))


@face()
def matrix_power(self: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices, by repeated squaring; a negative n inverts first."""
    if n < 0:
        return matrix_power(ROWS["linalg_inv_ex"].call(self), -n)
    if n == 0:
        return self.clone().copy_(wrap(np.eye(self.shape[-1], dtype=self._array.dtype)))
    if n == 3:
        return self @ self @ self
    out, square = None, self
    while True:
        n, odd = divmod(n, 2)
        if odd:
            out = square if out is None else out @ square
        if not n:
            return out.clone() if out is self else out
        square = square @ square


@function()
def multi_dot(matrices: Any) -> Tensor:
    """The product of several matrices (the first and last may be vectors) in the cheapest order."""
    ts = list(matrices)
    first, last = ts[0].dim() == 1, ts[-1].dim() == 1
    ts[0] = ts[0].unsqueeze(0) if first else ts[0]
    ts[-1] = ts[-1].unsqueeze(-1) if last else ts[-1]
    sizes, n = [t.shape[0] for t in ts] + [ts[-1].shape[1]], len(ts)
    cost = {(i, i): (0, i) for i in range(n)}
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            cost[i, j] = min((cost[i, k][0] + cost[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    out = _chain(ts, cost, 0, n - 1)
    out = out.squeeze(0) if first else out
    return out.squeeze(-1) if last else out


def _chain(matrices: list, cost: dict, i: int, j: int) -> Tensor:
    """The product of the matrices from i to j, split where `cost` says."""
    if i == j:
        return matrices[i]
    k = cost[i, j][1]
    return _chain(matrices, cost, i, k) @ _chain(matrices, cost, k + 1, j)


# ---- einsum -----------------------------------------------------------------------------------------------------------


def _letters(equation: str, operands: list) -> tuple[list, list]:
    """The index labels of each operand and of the result; an ellipsis becomes labels of its own."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation" if len(terms) > len(operands)
                           else "einsum(): more operands were provided than specified in the equation")  # fmt: skip
    deep = max((t.dim() - len(s.replace("...", "")) for s, t in zip(terms, operands) if "..." in s), default=0)

    def expand(term: str, own: int) -> list:
        before, dots, after = term.partition("...")
        return [*before, *((k for k in range(deep - own, deep)) if dots else ()), *after]

    inputs = [expand(s, t.dim() - len(s.replace("...", ""))) for s, t in zip(terms, operands)]
    for labels, t in zip(inputs, operands):
        if len(labels) != t.dim():
            raise RuntimeError("einsum(): the number of subscripts in the equation does not match the number of dimensions")
    if arrow:
        return inputs, expand(right, deep)
    counts = [x for labels in inputs for x in labels if isinstance(x, str)]
    return inputs, [*range(deep), *sorted(x for x in set(counts) if counts.count(x) == 1)]


def _aligned(t: Tensor, labels: list, order: list) -> Tensor:
    """The operand with one dimension for every label, in one order for all operands; labels that it lacks have length 1."""
    places: dict = {}
    for label in labels:
        if label in places:
            t = t.diagonal(0, places[label], len(places)).movedim(-1, places[label])
        else:
            places[label] = len(places)
    for label in order:
        if label not in places:
            t = t.unsqueeze(len(places))
            places[label] = len(places)
    return t.permute(*(places[label] for label in order))


def _sumproduct(a: Tensor, b: Tensor, summed: list) -> Tensor:
    """The product of two aligned operands, summed over dimensions that both have, which stay with length 1: one bmm."""
    if not summed:
        return a * b
    m, n = a._array.shape, b._array.shape
    kept = [d for d in range(len(m)) if d not in summed]
    batch = [d for d in kept if m[d] != 1 and n[d] != 1]
    rows = [d for d in kept if m[d] != 1 and n[d] == 1]
    columns = [d for d in kept if m[d] == 1]
    left = a.permute(*batch, *rows, *summed, *columns).reshape(*(math.prod(m[d] for d in ds) for ds in (batch, rows, summed)))
    right = b.permute(*batch, *summed, *columns, *rows).reshape(*(math.prod(n[d] for d in ds) for ds in (batch, summed, columns)))
    order = [*batch, *rows, *summed, *columns]
    size = [*(m[d] for d in (*batch, *rows)), *(1 for _ in summed), *(n[d] for d in columns)]
    return left.bmm(right).view(size).permute(*(order.index(d) for d in range(len(order))))


def _contract(ts: list, out: int) -> Tensor:
    """The product of aligned operands from left to right; a dimension past the first `out` is summed as soon as it may be."""
    counts = [sum(t._array.shape[d] != 1 for t in ts) for d in range(ts[0].dim())]
    a = ts[0]
    for b in ts[1:]:
        m, n = a._array.shape, b._array.shape
        sums: tuple[list, list, list] = ([], [], [])
        for d in range(out, len(counts)):
            if m[d] != 1 and n[d] != 1:
                counts[d] -= 1
                which = 2
            else:
                which = 0 if m[d] != 1 else 1
            if counts[d] == 1 and (m[d] != 1 or n[d] != 1):
                sums[which].append(d)
                counts[d] = 0
        a = a.sum(sums[0], keepdim=True) if sums[0] else a
        b = b.sum(sums[1], keepdim=True) if sums[1] else b
        a = _sumproduct(a, b, sums[2])
    if out == len(counts):
        return a
    return a.view(a._array.shape[:out]) if len(ts) > 1 else a.sum(list(range(out, len(counts))))


@function()
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products, as an equation says: "ij,jk->ik"."""
    if not isinstance(equation, str):  # operand, labels, operand, labels, ..., labels of the result
        flat = [equation, *operands]
        out = flat.pop() if len(flat) % 2 else None
        words = ["".join("..." if k is Ellipsis else chr(97 + k) for k in labels) for labels in flat[1::2]]
        tail = "" if out is None else "->" + "".join("..." if k is Ellipsis else chr(97 + k) for k in out)
        equation, operands = ",".join(words) + tail, tuple(flat[::2])
    ts = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else list(operands)
    labels, result = _letters(equation, ts)
    for x in result:
        if not any(x in ls for ls in labels):
            raise RuntimeError(f"einsum(): output subscript {x} does not appear in the equation for any input operand")
    sizes: dict = {}
    for number, (t, ls) in enumerate(zip(ts, labels)):
        for x, n in zip(ls, t._array.shape):
            if n != 1 and sizes.setdefault(x, n) != n:
                raise RuntimeError(f"einsum(): subscript {x} has size {n} for operand {number} which does not broadcast with "
                                   f"previously seen size {sizes[x]}")  # fmt: skip
    summed = sorted({x for ls in labels for x in ls} - set(result), key=lambda x: (isinstance(x, str), x))
    return _contract([_aligned(t, ls, [*result, *summed]) for t, ls in zip(ts, labels)], len(result))


# ---- distances --------------------------------------------------------------------------------------------------------


def _gaps(a: Any, b: Any) -> Any:
    return a[..., :, None, :] - b[..., None, :, :]


def _cdist(a: Any, b: Any, p: float) -> Any:
    if not a.shape[-1]:
        p = 2.0  # all distances between empty rows are 0
    return _vector_norm(_gaps(a, b), p, -1, False)


def _cdist_slope(ct: Any, a: Any, b: Any, p: float, result: Any) -> Any:
    """What each pair of rows contributes to the gradient of the first one."""
    slope = _norm_vjp(arrays, ct, gap := _gaps(a, b), result, gap.shape, p, -1, False)
    return np.zeros_like(gap) if slope is None else slope


def _cdist_backward(ct: Any, a: Any, b: Any, result: Any, p: float, which: int) -> Any:
    slope = _cdist_slope(ct, a, b, p, result)
    return slope.sum(-2) if which == 0 else -slope.sum(-3)


def _pairs(n: int) -> tuple:
    return np.triu_indices(n, 1)


def _pdist_backward(ct: Any, x: Any, result: Any, p: float) -> Any:
    i, j = _pairs(x.shape[0])
    out, gap = np.zeros_like(x), x[i] - x[j]
    slope = _norm_vjp(arrays, ct, gap, result, gap.shape, p, -1, False)
    if slope is not None:
        np.add.at(out, i, slope)
        np.add.at(out, j, -slope)
    return out


def _final(name: str) -> Any:
    from .special import underivable

    return underivable(name)


op("_cdist_forward", _cdist, "x1 x2", "p", face=False, node="CdistBackward0",
   x1=lambda F, ct, x1, x2, result, p: F._cdist_backward(ct, x1, x2, result, p, 0),
   x2=lambda F, ct, x1, x2, result, p: F._cdist_backward(ct, x1, x2, result, p, 1))  # fmt: skip
op("_cdist_backward", _cdist_backward, "ct_ x1 x2 cdist", "p which", face=False,
   **{n: _final("_cdist_backward") for n in ("ct_", "x1", "x2", "cdist")})  # fmt: skip
op("_pdist_forward", lambda x, p: _vector_norm(x[_pairs(x.shape[0])[0]] - x[_pairs(x.shape[0])[1]], float(p), -1, False),
   params="p=2", face=False, node="PdistBackward0",
   self=lambda F, ct, self, result, p: F._pdist_backward(ct, self, result, float(p)))  # fmt: skip
op("_pdist_backward", _pdist_backward, "ct_ self pdist", "p", face=False,
   **{n: _final("_pdist_backward") for n in ("ct_", "self", "pdist")})  # fmt: skip


@function()
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    """The p-distances of all rows of x1 to all rows of x2."""
    if x1.dim() < 2 or x2.dim() < 2:
        raise RuntimeError(f"cdist only supports at least 2D tensors, X1 got: {x1.dim()}D, X2 got: {x2.dim()}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    batch = np.broadcast_shapes(tuple(x1.shape[:-2]), tuple(x2.shape[:-2]))
    x1 = x1 if tuple(x1.shape[:-2]) == batch else x1.expand(*batch, *x1.shape[-2:])
    x2 = x2 if tuple(x2.shape[:-2]) == batch else x2.expand(*batch, *x2.shape[-2:])
    return ROWS["_cdist_forward"].call(x1, x2, float(p))


@function()
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-distances of all pairs of rows."""
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    return ROWS["_pdist_forward"].call(input, float(p))


# ---- renorm -----------------------------------------------------------------------------------------------------------


def _others(ndim: int, dim: int) -> tuple:
    return tuple(d for d in range(ndim) if d != axis(dim, ndim))


def _renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    if x.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {x.ndim} dimensions")
    norm = _vector_norm(x, p, _others(x.ndim, dim), True)
    return np.where(norm > maxnorm, x * (maxnorm / (norm + 1e-7)), x).astype(x.dtype)


def _renorm_vjp(F: Any, ct: Any, self: Any, self_shape: tuple, p: float, dim: int, maxnorm: float) -> Any:
    dims = _others(len(self_shape), dim)
    norm = F.vector_norm(self, p, dims, True)
    along = F.sum_dims(F.real(F.mul(F.conj(self), ct)), dims, True)
    inner = _norm_vjp(F, along, self, norm, self_shape, p, dims, True)
    inverse = F.reciprocal(F.add(norm, 1e-7))
    scaled = F.mul(F.mul(inverse, maxnorm), F.sub(ct, F.mul(inverse, inner)))
    return F.where(F.gt(norm, maxnorm), scaled, ct)


op("renorm_row", _renorm, params="p dim maxnorm", order="contiguous", face=False, node="RenormBackward0", self=_renorm_vjp)


@face()
def renorm(self: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Parts along a dimension scaled down to a p-norm of at most maxnorm."""
    return ROWS["renorm_row"].call(self, float(p), dim, maxnorm)


@method("renorm_")
def renorm_(self: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """renorm in place"""
    return write(ROWS["renorm_row"], "renorm_", self, (), (float(p), dim, maxnorm))
