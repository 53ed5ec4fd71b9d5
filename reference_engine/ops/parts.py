"""Views that show a part: select, slice, diagonal, unfold; and those that give several parts: split, unbind."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..tensor import Tensor
from .faces import face, function
from .shape import axis
from .table import ROWS, op


def _at(dim: int, what: Any) -> tuple:
    return (slice(None),) * dim + (what,)


def _select(x: np.ndarray, dim: int, index: int) -> np.ndarray:
    if dim == 0 and x.ndim and -x.shape[0] <= index < x.shape[0]:
        return x[index, ...]
    if not x.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d = axis(dim, x.ndim)
    n = x.shape[d]
    if not -n <= index < n:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(x.shape)} at dimension {d}")
    return x[(*_at(d, int(index)), ...)]


def _place(shape: tuple, key: tuple, ct: Any) -> Any:
    out = np.zeros(shape, ct.dtype)
    out[key] = ct
    return out


def _select_key(shape: tuple, dim: int, index: int) -> tuple:
    return (*_at(axis(dim, len(shape)), index), ...)


def _slice_key(shape: tuple, dim: int, start: Any, end: Any, step: int) -> tuple:
    return _at(axis(dim, len(shape)), slice(start, end, step))


op("select", _select, params="dim index", view=True, jvp="linear",
   self=lambda F, ct, self_shape, dim, index: F.select_backward(ct, self_shape, dim, index))  # fmt: skip
op("select_backward", lambda ct, shape, dim, index: _place(shape, _select_key(shape, dim, index), ct), "ct_",
   "shape dim index", face=False, jvp="linear",
   ct_=lambda F, ct, dim, index: F.select(ct, dim, index))  # fmt: skip
op("slice", lambda x, dim, start, end, step: x[_slice_key(x.shape, dim, start, end, step)], params="dim start end step=1",
   view=True, face=False, jvp="linear",
   self=lambda F, ct, self_shape, dim, start, end, step: F.slice_backward(ct, self_shape, dim, start, end, step))  # fmt: skip
op("slice_backward", lambda ct, shape, dim, start, end, step: _place(shape, _slice_key(shape, dim, start, end, step), ct),
   "ct_", "shape dim start end step", face=False, jvp="linear",
   ct_=lambda F, ct, dim, start, end, step: F.slice(ct, dim, start, end, step))  # fmt: skip


@face()
def narrow(self: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` entries along a dimension from `start`."""
    n = self._array.shape[axis(dim, self._array.ndim)]
    start = int(start)
    if not -n <= start <= n:
        raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    if start < 0:
        start += n
    if not 0 <= start <= n or start + length > n or length < 0:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return ROWS["slice"].call(self, dim, start, start + length, 1)


def _diagonal(x: np.ndarray, offset: int, dim1: int, dim2: int) -> np.ndarray:
    d1, d2 = axis(dim1, x.ndim), axis(dim2, x.ndim)
    if d1 == d2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    view = x.diagonal(offset, d1, d2)
    # NumPy marks the diagonal read-only; it is a plain strided window on the same memory.
    view = view.view()
    view.flags.writeable = True
    return view


def _diagonal_backward(ct: Any, shape: tuple, offset: int, dim1: int, dim2: int) -> Any:
    out = np.zeros(shape, ct.dtype)
    _diagonal(out, offset, dim1, dim2)[...] = ct
    return out


op("diagonal", _diagonal, params="offset=0 dim1=0 dim2=1", view=True, jvp="linear",
   self=lambda F, ct, self_shape, offset, dim1, dim2: F.diagonal_backward(ct, self_shape, offset, dim1, dim2))  # fmt: skip
op("diagonal_backward", _diagonal_backward, "ct_", "shape offset dim1 dim2", face=False, jvp="linear",
   ct_=lambda F, ct, offset, dim1, dim2: F.diagonal(ct, offset, dim1, dim2))  # fmt: skip

op("diagonal_copy", lambda x, offset: _diagonal(x, offset, 0, 1).copy(), params="offset", face=False,
   node="DiagonalBackward0_copy",
   self=lambda F, ct, self_shape, offset: F.diagonal_backward(ct, self_shape, offset, 0, 1))  # fmt: skip


def _unfold(x: np.ndarray, dimension: int, size: int, step: int) -> np.ndarray:
    if not x.ndim:
        return np.ndarray((size,), x.dtype, x, 0, (x.itemsize,))
    d = axis(dimension, x.ndim)
    if size > x.shape[d]:
        raise RuntimeError(f"maximum size for tensor at dimension {d} is {x.shape[d]} but size is {size}")
    shape = (*x.shape[:d], (x.shape[d] - size) // step + 1, *x.shape[d + 1 :], size)
    steps = (*x.strides[:d], x.strides[d] * step, *x.strides[d + 1 :], x.strides[d])
    return np.lib.stride_tricks.as_strided(x, shape, steps)


def _unfold_backward(ct: Any, shape: tuple, dimension: int, size: int, step: int) -> Any:
    places = _unfold(np.arange(int(np.prod(shape))).reshape(shape), dimension, size, step)
    out = np.zeros(int(np.prod(shape)), ct.dtype)
    np.add.at(out, places, ct)
    return out.reshape(shape)


op("unfold", _unfold, params="dimension size step", view=True, jvp="linear",
   self=lambda F, ct, self_shape, dimension, size, step: F.unfold_backward(ct, self_shape, dimension, size, step))  # fmt: skip
op("unfold_backward", _unfold_backward, "ct_", "shape dimension size step", face=False, jvp="linear",
   ct_=lambda F, ct, dimension, size, step: F.unfold(ct, dimension, size, step))  # fmt: skip

# ---- several parts ----------------------------------------------------------------------------------------------------


def _pieces(F: Any, cts: list, piece: Any) -> list:
    """The cotangents with zeros where none arrived; `piece(i)` is the shape of part i."""
    like = next(c for c in cts if c is not None)
    return [F.new_zeros(like, piece(i)) if c is None else c for i, c in enumerate(cts)]


def _unbind_vjp(F: Any, cts: list, self_shape: tuple, dim: int) -> Any:
    d = axis(dim, len(self_shape))
    return F.stack(_pieces(F, cts, lambda i: self_shape[:d] + self_shape[d + 1 :]), d)


def _split_vjp(F: Any, cts: list, self_shape: tuple, lengths: tuple, dim: int) -> Any:
    d = axis(dim, len(self_shape))
    return F.cat(_pieces(F, cts, lambda i: (*self_shape[:d], lengths[i], *self_shape[d + 1 :])), d)


def _split(x: np.ndarray, lengths: tuple[int, ...], dim: int) -> list[np.ndarray]:
    d, start, parts = axis(dim, x.ndim), 0, []
    for n in lengths:
        parts.append(x[_at(d, slice(start, start + n))])
        start += n
    return parts


op("unbind", lambda x, dim: [x[(*_at(axis(dim, x.ndim), i), ...)] for i in range(x.shape[axis(dim, x.ndim)])],
   params="dim=0", view=True, outputs=0, face=False, jvp="linear", self=_unbind_vjp)  # fmt: skip
op("split", _split, params="lengths dim", view=True, outputs=0, face=False, node="SplitBackward0", jvp="linear",
   self=_split_vjp)  # fmt: skip
op("split_with_sizes", _split, params="lengths dim", view=True, outputs=0, face=False, jvp="linear", self=_split_vjp)


@face()
def unbind(self: Tensor, dim: int = 0) -> tuple:
    """The entries along a dimension, each without it."""
    if not self._array.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return ROWS["unbind"](self, dim) if self._array.shape[axis(dim, self._array.ndim)] else ()


def _even(n: int, size: int) -> tuple[int, ...]:
    if n == 0:
        return (0,)
    return tuple(min(size, n - i) for i in range(0, n, size))


@face()
def split(self: Tensor, split_size: Any, dim: int = 0) -> tuple:
    """Parts of a given length (the last may be shorter), or of given lengths."""
    n = self._array.shape[axis(dim, self._array.ndim)]
    if isinstance(split_size, int):
        if split_size < 0:
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={split_size}")
        if not split_size and n:
            raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
        return ROWS["split"](self, _even(n, split_size), dim)
    if any(s < 0 for s in split_size):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(split_size)}"
        )
    if sum(split_size) != n:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {dim}), but "
            f"got split_sizes={list(split_size)}"
        )
    return ROWS["split_with_sizes"](self, tuple(split_size), dim)


@face()
def split_with_sizes(self: Tensor, split_sizes: Any, dim: int = 0) -> tuple:
    """Parts of given lengths."""
    return split(self, list(split_sizes), dim)


@face()
def chunk(self: Tensor, chunks: int, dim: int = 0) -> tuple:
    """At most `chunks` parts of equal length (the last may be shorter)."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = self._array.shape[axis(dim, self._array.ndim)]
    return ROWS["split"](self, _even(n, -(-n // chunks)) if n else (0,) * chunks, dim)


@face()
def tensor_split(self: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple:
    """Parts as equal as possible, or cut at given indices."""
    n = self._array.shape[axis(dim, self._array.ndim)]
    k = indices_or_sections
    if isinstance(k, int):
        cuts = [0]
        for i in range(k):
            cuts.append(cuts[-1] + n // k + (i < n % k))
    else:
        cuts = [0, *(min(n, c) for c in k), n]
    return tuple(ROWS["slice"].call(self, dim, a, b, 1) for a, b in pairwise(cuts))


def _equal_parts(name: str, self: Tensor, k: Any, dim: int) -> tuple:
    n = self._array.shape[dim]
    if isinstance(k, int) and n % k:
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {n} is not divisible by the "
            f"split_size {k}!"
        )
    return tensor_split(self, k, dim)


@face()
def hsplit(self: Tensor, k: Any) -> tuple:
    """tensor_split along the columns"""
    return _equal_parts("hsplit", self, k, 0 if self._array.ndim == 1 else 1)


@face()
def vsplit(self: Tensor, k: Any) -> tuple:
    """tensor_split along the rows"""
    return _equal_parts("vsplit", self, k, 0)


@face()
def dsplit(self: Tensor, k: Any) -> tuple:
    """tensor_split along the third dimension"""
    return _equal_parts("dsplit", self, k, 2)


_ = function
