"""Products of matrices and vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import errors
from ..tensor import Tensor
from .faces import face
from .fits import check_target
from .table import ROWS, op


def _conj_t(F: Any, x: Any) -> Any:
    return F.conj(F.transpose(x, -2, -1))


def _same_dtype(a: Any, b: Any) -> None:
    if a.dtype is not b.dtype and a.dtype != b.dtype:
        from ..dtypes import OF_NUMPY

        names = OF_NUMPY[a.dtype].long_name.lower(), OF_NUMPY[b.dtype].long_name.lower()
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {names[0]} != {names[1]}")


def _mm(a: Any, b: Any) -> Any:
    _same_dtype(a, b)
    for name, x in (("self", a), ("mat2", b)):
        if x.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix")
    if a.shape[1] != b.shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({'x'.join(map(str, a.shape))} and {'x'.join(map(str, b.shape))})"
        )
    return np.matmul(a, b)


def _bmm(a: Any, b: Any) -> Any:
    _same_dtype(a, b)
    if a.ndim != 3 or b.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor")
    if a.shape[0] != b.shape[0] or a.shape[2] != b.shape[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{a.shape[0]}, {a.shape[2]}] but got: "
            f"[{b.shape[0]}, {b.shape[1]}]."
        )
    return np.matmul(a, b)


def _mv(a: Any, v: Any) -> Any:
    _same_dtype(a, v)
    if a.ndim != 2 or v.ndim != 1 or a.shape[1] != v.shape[0]:
        raise RuntimeError(f"size mismatch, got input ({a.shape[0]}), mat ({'x'.join(map(str, a.shape))}), vec ({v.shape[0]})")
    return np.matmul(a, v)


def _dot(a: Any, b: Any) -> Any:
    _same_dtype(a, b)
    if a.ndim != 1 or b.ndim != 1 or a.shape != b.shape:
        raise RuntimeError(f"inconsistent tensor size, expected tensor {list(a.shape)} and src {list(b.shape)} to have the same number of elements")  # noqa: E501 # fmt: skip
    return np.dot(a, b)


op("mm", _mm, "self mat2", self=lambda F, ct, mat2: F.mm(ct, _conj_t(F, mat2)),
   mat2=lambda F, ct, self: F.mm(_conj_t(F, self), ct))  # fmt: skip
op("bmm", _bmm, "self mat2", self=lambda F, ct, mat2: F.bmm(ct, _conj_t(F, mat2)),
   mat2=lambda F, ct, self: F.bmm(_conj_t(F, self), ct))  # fmt: skip
op("mv", _mv, "self vec", self=lambda F, ct, vec: F.mul(F.unsqueeze(ct, 1), F.conj(F.unsqueeze(vec, 0))),
   vec=lambda F, ct, self: F.mv(_conj_t(F, self), ct))  # fmt: skip
op("dot", _dot, "self tensor", self=lambda F, ct, tensor: F.mul(ct, F.conj(tensor)),
   tensor=lambda F, ct, self: F.mul(ct, F.conj(self)))  # fmt: skip


def _addmm(c: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    product = _mm(a, b) if a.ndim == 2 else _bmm(a, b)
    check_target(c, product)
    product = product if alpha == 1 else product * alpha
    return product + c if beta == 1 else product + c * beta if beta != 0 else product + np.zeros_like(product)


def _scaled(F: Any, x: Any, by: Any) -> Any:
    return x if by == 1 else F.mul(x, by)


op("addmm", _addmm, "self mat1 mat2", "beta=1 alpha=1", inplace=True,
   self=lambda F, ct, beta: _scaled(F, ct, beta),
   mat1=lambda F, ct, mat2, alpha: _scaled(F, F.mm(ct, _conj_t(F, mat2)), alpha),
   mat2=lambda F, ct, mat1, alpha: _scaled(F, F.mm(_conj_t(F, mat1), ct), alpha))  # fmt: skip
op("baddbmm", _addmm, "self batch1 batch2", "beta=1 alpha=1", inplace=True,
   self=lambda F, ct, beta: _scaled(F, ct, beta),
   batch1=lambda F, ct, batch2, alpha: _scaled(F, F.bmm(ct, _conj_t(F, batch2)), alpha),
   batch2=lambda F, ct, batch1, alpha: _scaled(F, F.bmm(_conj_t(F, batch1), ct), alpha))  # fmt: skip


@face()
def matmul(self: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The matrix product, vectors and batches included (as torch composes it from dot, mv, mm and bmm)."""
    if not isinstance(other, Tensor):
        raise TypeError(f"matmul(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}")
    m, n = self._array.ndim, other._array.ndim
    if m == 0 or n == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {m}D and {n}D")
    if m == 2 and n == 2:
        return ROWS["mm"].call(self, other, out=out)
    if m == 1 and n == 1:
        return ROWS["dot"].call(self, other, out=out)
    if m == 2 and n == 1:
        return ROWS["mv"].call(self, other, out=out)
    if m == 1 and n == 2:
        return ROWS["mm"].call(self.unsqueeze(0), other, out=out).squeeze_(0)
    return _batched(self, other)


def _folds(small: Tensor, large: Tensor, swapped: bool) -> bool:
    """Whether a stack of matrices times one matrix or vector is a single mm or mv (torch: should_fold).

    It is if that saves a gradient as large as the stack, or if the stack's rows follow each other in memory.
    """
    a = large._array
    if small._array.ndim > 2 or small.requires_grad:
        return small._array.ndim <= 2
    if swapped:
        return small._array.ndim == 1 and _rows_follow(a.swapaxes(-1, -2))
    return _rows_follow(a)


def _rows_follow(a: np.ndarray) -> bool:
    return not a.size or all(a.strides[i] == a.strides[i + 1] * a.shape[i + 1] for i in range(a.ndim - 2))


def _batched(self: Tensor, other: Tensor) -> Tensor:
    """Products with three or more dimensions, as one mm or mv over all rows or as one bmm over all batches."""
    m, n = self._array.ndim, other._array.ndim
    swapped = n > m
    small, large = (self, other) if swapped else (other, self)
    if _folds(small, large, swapped):
        return _folded(small, large, swapped)
    if m == n == 3:
        # What would be broadcast, and needs a gradient, is one matrix: no gradient as large as the batch.
        if self._array.shape[0] == 1 != other._array.shape[0] and self.requires_grad:
            return _batched(self.squeeze(0), other)
        if other._array.shape[0] == 1 != self._array.shape[0] and other.requires_grad:
            return _batched(self, other.squeeze(0))
    a, b = self._array.shape, other._array.shape
    rows, inner = a[-2:] if m > 1 else (1, *a)
    inner2, columns = b[-2:] if n > 1 else (*b, 1)
    try:
        batch = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError as error:
        raise errors.ShapeMismatch(f"the batches of {list(a)} and {list(b)} do not broadcast: {error}") from None
    k = math.prod(batch)
    left = self.expand(*batch, rows, inner).reshape(k, rows, inner)
    right = (other.unsqueeze(1) if n == 1 else other).expand(*batch, inner2, columns).reshape(k, inner2, columns)
    product = ROWS["bmm"].call(left, right)
    if n == 1:
        product = product.squeeze(-1)
    return ROWS["reshape_copy"].call(product, (*batch, *((rows,) if m > 1 else ()), *((columns,) if n > 1 else ())))


def _folded(small: Tensor, large: Tensor, swapped: bool) -> Tensor:
    """A stack times a matrix or vector, or with `swapped` the other way round (by transposing)."""
    if swapped:
        large = large.mT
        small = small.t() if small._array.ndim == 2 else small
    shape = large._array.shape
    rows = large.reshape(math.prod(shape[:-1]), shape[-1])
    if small._array.ndim == 1:
        return ROWS["reshape_copy"].call(ROWS["mv"].call(rows, small), shape[:-1])
    out = ROWS["reshape_copy"].call(ROWS["mm"].call(rows, small), (*shape[:-1], small._array.shape[1]))
    return out.mT.contiguous() if swapped else out


@face("outer", "ger")
def outer(self: Tensor, vec2: Tensor) -> Tensor:
    """All products of two vectors' elements."""
    for name, v in (("self", self), ("vec2", vec2)):
        if v._array.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {v._array.ndim}-D")
    return self.unsqueeze(1) * vec2


@face()
def inner(self: Tensor, other: Tensor) -> Tensor:
    """The product over the last dimension of both."""
    if self._array.ndim == 0 or other._array.ndim == 0:
        return self * other
    return tensordot(self, other, dims=([-1], [-1]))


@face()
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The product over the given dimensions of both."""
    m, n = a._array.ndim, b._array.ndim
    if isinstance(dims, int):
        dims = (list(range(m - dims, m)), list(range(dims)))
    da, db = [d % m for d in dims[0]], [d % n for d in dims[1]]
    for i, j in zip(da, db):  # a dimension that is expanded is summed at once
        if b._array.shape[j] == 1:
            a = a.sum(i, keepdim=True)
        elif a._array.shape[i] == 1:
            b = b.sum(j, keepdim=True)
    ra, rb = [d for d in range(m) if d not in da], [d for d in range(n) if d not in db]
    k = int(np.prod([a._array.shape[d] for d in da]))
    rows, columns = (int(np.prod([t._array.shape[d] for d in r])) for t, r in ((a, ra), (b, rb)))
    shape = [*(a._array.shape[d] for d in ra), *(b._array.shape[d] for d in rb)]
    left, right = a.permute(*ra, *da), b.permute(*db, *rb)
    if rows == columns == 1:
        if left.is_contiguous() and right.is_contiguous():
            return left.flatten().dot(right.flatten()).view(shape)
        return (left.squeeze() * right.squeeze()).sum().view(shape)
    return left.reshape(rows, k).mm(right.reshape(k, columns)).view(shape)


@face()
def chain_matmul(*matrices: Any) -> Tensor:
    """The product of several matrices."""
    out = matrices[0]
    for m in matrices[1:]:
        out = out @ m
    return out
