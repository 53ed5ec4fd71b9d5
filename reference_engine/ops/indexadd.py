"""index_add, index_copy, index_fill; take, masked_select, masked_scatter."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inplace import write
from ..tensor import Tensor, wrap
from .faces import face, method
from .index import _along
from .shape import axis
from .table import ROWS, arrays, op, tensors


def _index_add(x: Any, index: Any, source: Any, dim: int, alpha: Any) -> Any:
    out = x.copy(order="K")
    if not x.ndim:
        axis(dim, 0)
        return out + (source.reshape(-1) * alpha).sum().astype(x.dtype)
    np.add.at(out, _along(out, dim, index.reshape(-1)), source if alpha == 1 else source * alpha)
    return out


def _index_copy(x: Any, index: Any, source: Any, dim: int) -> Any:
    if isinstance(source, np.ndarray) and source.ndim and x.ndim != source.ndim:
        raise IndexError("index_copy_(): When source and destination are not scalars, their dimensionality must match. "
                         f"Source dimensionality ({source.ndim}), destination dimensionality ({x.ndim})")  # fmt: skip
    out = x.copy(order="K")
    out[_along(out, dim, index.reshape(-1)) or ...] = source
    return out


def _scaled(F: Any, x: Any, alpha: Any) -> Any:
    return x if alpha == 1 else F.mul(x, alpha)


def _pick(F: Any, ct: Any, index: Any, dim: int, shape: tuple) -> Any:
    return F.reshape(F.index_select_row(ct, index, dim), shape)


op("index_add_row", _index_add, "self !index !source", "dim alpha",
   order="contiguous", face=False, node="IndexAddBackward0", inplace=True,
   self=lambda F, ct: ct,
   source=lambda F, ct, index, source, dim, alpha, source_shape: _scaled(
       F, _pick(F, ct, index, dim, source_shape), alpha))  # fmt: skip
op("index_copy_row", _index_copy, "self !index !source", "dim",
   order="contiguous", face=False, node="IndexCopyBackward0", inplace=True,
   self=lambda F, ct, index, dim: F.index_fill_row(ct, index, dim, 0.0),
   source=lambda F, ct, index, source, dim, source_shape: _pick(F, ct, index, dim, source_shape))  # fmt: skip
op("index_fill_row", lambda x, index, dim, value: _index_copy(x, index, x.dtype.type(value), dim), "self !index",
   "dim value", face=False, node="IndexFillBackward0", inplace=True,
   self=lambda F, ct, index, dim: F.index_fill_row(ct, index, dim, 0.0))  # fmt: skip
op("index_fill_tensor", lambda x, index, value, dim: _index_copy(x, index, value.astype(x.dtype), dim),
   "self !index !value", "dim", face=False, node="IndexFillBackward1", inplace=True,
   self=lambda F, ct, index, dim: F.index_fill_row(ct, index, dim, 0.0),
   value=lambda F, ct, index, dim: F.sum_all(F.index_select_row(ct, F.distinct(index), dim)))  # fmt: skip


# What is written several times in one place counts once.
arrays.distinct = np.unique
tensors.distinct = lambda index: wrap(np.unique(index._array))


def _order(name: str, parts: str) -> None:
    """Faces with torch's argument order (dim, index, source) for a row whose inputs come first."""
    row = ROWS[name + "_row"]

    def call(self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
        return row.call(self, index, source, dim, *((alpha,) if parts else ()))

    def in_place(self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
        return write(row, name + "_", self, (index, source), (dim, *((alpha,) if parts else ())))

    face(name)(call)
    method(name + "_")(in_place)


_order("index_add", "alpha")
_order("index_copy", "")


@face()
def index_fill(self: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """One value at all entries that the index names."""
    if isinstance(value, Tensor):
        return ROWS["index_fill_tensor"].call(self, index, value, dim)
    return ROWS["index_fill_row"].call(self, index, dim, value)


@method("index_fill_")
def index_fill_(self: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """index_fill in place"""
    if isinstance(value, Tensor):
        return write(ROWS["index_fill_tensor"], "index_fill_", self, (index, value), (dim,))
    return write(ROWS["index_fill_row"], "index_fill_", self, (index,), (dim, value))


# ---- flat places and masks --------------------------------------------------------------------------------------------


def _put_flat(ct: Any, index: Any, shape: tuple) -> Any:
    out = np.zeros(int(np.prod(shape)), ct.dtype)
    np.add.at(out, index, ct)
    return out.reshape(shape)


op("take", lambda x, index: x.reshape(-1)[index], "self !index",
   self=lambda F, ct, self, index, self_shape: F.take_backward(ct, index, self_shape))  # fmt: skip
op("take_backward", _put_flat, "ct_ index", "shape", face=False, ct_=lambda F, ct, index: F.take(ct, index))


def _masked_select(x: Any, mask: Any) -> Any:
    if mask.dtype.kind != "b":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    x, mask = np.broadcast_arrays(x, mask)
    return x[mask]


def _select_back(ct: Any, mask: Any, shape: tuple) -> Any:
    full = np.broadcast_shapes(shape, mask.shape)
    out = np.zeros(full, ct.dtype)
    out[np.broadcast_to(mask, full)] = ct
    return out


op("masked_select", _masked_select, "self !mask",
   self=lambda F, ct, self, mask, self_shape: F.masked_select_backward(ct, mask, self_shape))  # fmt: skip
op("masked_select_backward", _select_back, "ct_ mask", "shape", face=False,
   ct_=lambda F, ct, mask, shape: F.masked_select(F.expand(ct, shape) if ct.shape != shape else ct, mask))  # fmt: skip


def _masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    full = np.broadcast_shapes(x.shape, mask.shape)
    out = np.broadcast_to(x, full).copy()
    mask = np.broadcast_to(mask, full)
    out[mask] = source.reshape(-1)[: int(mask.sum())]
    return out


def _scatter_source(F: Any, ct: Any, mask: Any, source_shape: tuple) -> Any:
    picked = F.masked_select(ct, mask)
    missing = int(np.prod(source_shape)) - picked.shape[0]
    if missing:
        picked = F.cat([picked, F.new_zeros(picked, (missing,))], 0)
    return F.reshape(picked, source_shape)


op("masked_scatter", _masked_scatter, "self !mask !source", inplace=True,
   self=lambda F, ct, mask: F.masked_fill(ct, mask, 0.0), source=_scatter_source)  # fmt: skip

# ---- a part replaced --------------------------------------------------------------------------------------------------


def _replaced(part: Any) -> Any:
    """A kernel that puts `src` (or one value) where part(x, *params) looks."""

    def kernel(x: Any, src: Any, *params: Any) -> Any:
        out = x.copy(order="K")
        part(out, *params)[...] = src
        return out

    return kernel


_select, _slice, _diagonal = (_replaced(ROWS[n].kernel) for n in ("select", "slice", "diagonal"))
op("select_zero", lambda x, dim, index: _select(x, 0, dim, index), params="dim index", face=False,
   self=lambda F, ct, dim, index: F.select_zero(ct, dim, index))  # fmt: skip
op("select_scatter", _select, "self !src", "dim index", complex=False,
   self=lambda F, ct, dim, index: F.select_zero(ct, dim, index),
   src=lambda F, ct, dim, index: F.select(ct, dim, index))  # fmt: skip
op("slice_zero", lambda x, dim, start, end, step: _slice(x, 0, dim, start, end, step), params="dim start end step",
   face=False, self=lambda F, ct, dim, start, end, step: F.slice_zero(ct, dim, start, end, step))  # fmt: skip
op("slice_scatter", _slice, "self !src", "dim=0 start=None end=None step=1", complex=False,
   self=lambda F, ct, dim, start, end, step: F.slice_zero(ct, dim, start, end, step),
   src=lambda F, ct, dim, start, end, step: F.slice(ct, dim, start, end, step))  # fmt: skip
op("diagonal_zero", lambda x, offset, dim1, dim2: _diagonal(x, 0, offset, dim1, dim2), params="offset dim1 dim2",
   face=False, self=lambda F, ct, offset, dim1, dim2: F.diagonal_zero(ct, offset, dim1, dim2))  # fmt: skip
op("diagonal_scatter", _diagonal, "self !src", "offset=0 dim1=0 dim2=1",
   self=lambda F, ct, offset, dim1, dim2: F.diagonal_zero(ct, offset, dim1, dim2),
   src=lambda F, ct, offset, dim1, dim2: F.diagonal(ct, offset, dim1, dim2))  # fmt: skip
_ = wrap
