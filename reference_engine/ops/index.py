"""Indexing: square brackets, index_select, gather, scatter, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inplace import write
from ..tensor import Tensor, wrap
from .cast import copy_to, slimmed
from .faces import face, method
from .fits import check_source
from .shape import axis
from .table import ROWS, op

# ---- x[indices] with tensors ------------------------------------------------------------------------------------------


def _key(indices: list) -> tuple:
    return tuple(slice(None) if i is None else i for i in indices)


def _index(x: Any, indices: list) -> Any:
    dim = 0
    for k, i in enumerate(indices):
        if i is not None and i.dtype.kind not in "biu":
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        if i is not None and i.dtype.kind == "b":
            if i.shape != x.shape[dim : dim + i.ndim]:
                raise IndexError(
                    f"The shape of the mask {list(i.shape)} at index {k} does not match the shape of the indexed tensor "
                    f"{list(x.shape)} at index {dim}"
                )
            dim += i.ndim - 1
        dim += 1
    try:
        return x[_key(indices)]
    except IndexError as error:
        raise IndexError(str(error).replace("axis", "dimension")) from None


def _index_put(x: Any, values: Any, indices: list, accumulate: bool) -> Any:
    out = x.copy(order="K")
    if accumulate:
        np.add.at(out, _key(indices), values.astype(x.dtype))
    else:
        try:
            out[_key(indices)] = values
        except ValueError as error:
            raise RuntimeError(f"shape mismatch: {error}") from None
    return out


op("index", _index, "self *indices", face=False, jvp="linear",
   self=lambda F, ct, self_shape, indices: F.index_put_new(ct, indices, self_shape))  # fmt: skip


def _put_new(ct: Any, indices: list, shape: tuple) -> Any:
    out = np.zeros(shape, ct.dtype)
    np.add.at(out, _key(indices), ct)
    return out


op("index_put_new", _put_new, "ct_ *indices", "shape", face=False, jvp="linear",
   ct_=lambda F, ct, indices: F.index(ct, indices))  # fmt: skip


def _index_put_self(F: Any, ct: Any, indices: list, accumulate: bool) -> Any:
    return ct if accumulate else F.index_zero(ct, indices)


op("index_zero", lambda x, indices: _index_put(x, x.dtype.type(0), indices, False), "ct_ *indices", face=False,
   ct_=lambda F, ct, indices: F.index_zero(ct, indices))  # fmt: skip
op("index_put_row", lambda x, values, indices, accumulate: _index_put(x, values, indices, accumulate),
   "self !values *indices", "accumulate", face=False, node="IndexPutBackward0", inplace=True,
   self=_index_put_self, values=lambda F, ct, indices, values_shape: F.sum_to(F.index(ct, indices), values_shape))  # fmt: skip


@method("index_put_")
def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Write values at the places that index tensors name."""
    return write(ROWS["index_put_row"], "index_put_", self, (_to_dtype(values, self), list(indices)), (accumulate,))


@face()
def index_put(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """index_put_ on a copy"""
    return ROWS["index_put_row"].general((self, values, list(indices)), (accumulate,))


def _to_dtype(values: Any, like: Tensor) -> Tensor:
    return values if isinstance(values, Tensor) else wrap(np.asarray(values, like._array.dtype))


# ---- square brackets --------------------------------------------------------------------------------------------------

SELECT, SLICE = ROWS["select"].call, ROWS["slice"].call


def _is_advanced(item: Any) -> bool:
    return isinstance(item, (Tensor, np.ndarray, list, tuple, range))


def _as_index(item: Any) -> Tensor:
    if isinstance(item, Tensor):
        return item
    array = np.asarray([i.item() if isinstance(i, Tensor) and not i._array.ndim else i for i in item]
                       if isinstance(item, (list, tuple)) else item)  # fmt: skip
    return wrap(array.astype(np.int64) if array.size == 0 else array)


def _is_whole(start: int | None, stop: int | None, step: int | None, length: int) -> bool:
    """Whether torch takes a slice for the whole axis, which gives the tensor itself."""
    return start in (None, 0) and (stop is None or stop >= length) and step in (None, 1)


def basic(self: Tensor, key: Any) -> tuple[Tensor, list | None]:
    """Apply the integers, slices, None and ... of a key as views; return the view and the index tensors left over."""
    items = key if isinstance(key, tuple) else (key,)
    taken = 0
    for i in items:
        if isinstance(i, Tensor) and i._array.dtype.kind == "b":
            taken += i._array.ndim
        elif i is not None and i is not Ellipsis and not isinstance(i, bool):
            taken += 1
    ndim = self._array.ndim
    if taken > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    dim, left, advanced, out = 0, ndim - taken, False, self
    indices: list[Any] = []
    for item in items:
        if item.__class__ is int or isinstance(item, np.integer):
            out = ROWS["select"].call(out, dim, int(item))
        elif item.__class__ is slice:
            start, stop, step = (None if s is None else int(s) for s in (item.start, item.stop, item.step))
            if step is not None and step <= 0:
                raise ValueError("step must be greater than zero")
            if not _is_whole(start, stop, step, out._array.shape[dim]):
                out = ROWS["slice"].call(out, dim, start, stop, step or 1)
            dim += 1
            indices.append(None)
        elif item is Ellipsis:
            dim += left
            indices += [None] * left
        elif item is None:
            out = ROWS["unsqueeze"].call(out, dim)
            dim += 1
            indices.append(None)
        elif isinstance(item, bool):
            out = ROWS["unsqueeze"].call(out, dim)
            indices.append(wrap(np.zeros(int(item), np.int64)))  # the new dimension is taken, or nothing of it
            dim, advanced = dim + 1, True
        elif _is_advanced(item):
            index = _as_index(item)
            if index._array.ndim == 0 and index._array.dtype.kind in "iu":
                out = ROWS["select"].call(out, dim, int(index._array))
                continue
            if index._array.ndim == 0 and index._array.dtype.kind == "b":
                out = ROWS["unsqueeze"].call(out, dim)
                index = wrap(np.zeros(int(index._array), np.int64))
            indices.append(index)
            # A mask of several dimensions takes as many of the tensor's.
            dim += index._array.ndim if index._array.dtype.kind == "b" else 1
            advanced = True
        elif isinstance(item, str):
            raise TypeError("new(): invalid data type 'str'")
        else:
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                f"(got {type(item).__name__})"
            )
    return out, (indices if advanced else None)


def getitem(self: Tensor, key: Any) -> Tensor:
    """self[key]: a view for integers, slices, None and ...; a copy when tensors, lists or masks take part."""
    if key.__class__ is int:
        if not self._array.ndim:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert "
                "a 0-dim tensor to a number"
            )
        n = self._array.shape[0]
        if not -n <= key < n:
            raise IndexError(f"index {key} is out of bounds for dimension 0 with size {n}")
        return SELECT(self, 0, key)
    if key.__class__ is slice and self._array.ndim and key.step in (None, 1):
        start, stop = key.start, key.stop
        if (start.__class__ is int or start is None) and (stop.__class__ is int or stop is None):
            return SLICE(self, 0, start, stop, 1)
    if key.__class__ is Tensor and key._array.ndim and key._array.dtype.kind == "i" and self._array.ndim:
        return ROWS["index"].call(self, [key])
    if isinstance(key, (list, range)):
        key = (list(key),)
    out, indices = basic(self, key)
    if indices is not None:
        return ROWS["index"].call(out, indices)
    return ROWS["alias" if _only_ellipsis(key) else "slice_all"].call(out) if out is self else out


def _only_ellipsis(key: Any) -> bool:
    return key is Ellipsis or key == ()


op("slice_all", lambda x: x[:] if x.ndim else x[...], view=True, face=False, node="SliceBackward0", self=lambda F, ct: ct)


def setitem(self: Tensor, key: Any, value: Any) -> None:
    """self[key] = value, in place; the value may be broadcast."""
    if isinstance(key, (list, range)):
        key = (list(key),)
    if key.__class__ is int:
        out, indices = getitem(self, key), None
    else:
        out, indices = basic(self, key)
    if isinstance(value, str):
        raise TypeError(f"can't assign a {type(value).__name__} to a torch.{self.dtype.long_name}Tensor")
    value = _to_dtype(value, self)
    if indices is None:
        copy_to(out, value)
    else:
        out.index_put_(indices, slimmed(value))


Tensor.__getitem__ = getitem
Tensor.__setitem__ = setitem

# ---- along one dimension ----------------------------------------------------------------------------------------------


def _along(x: Any, dim: int, index: Any) -> tuple:
    before = (slice(None),) * axis(dim, x.ndim)
    return (*before, index) if x.ndim else ()


def _index_select(x: Any, index: Any, dim: int) -> Any:
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if not x.ndim:
        axis(dim, 0)
        return x.copy()
    return np.take(x, index.reshape(-1), axis(dim, x.ndim))


def _select_add(ct: Any, index: Any, dim: int, shape: tuple) -> Any:
    out = np.zeros(shape, ct.dtype)
    np.add.at(out, _along(out, dim, index.reshape(-1)), ct)
    return out


op("index_select_row", _index_select, "self !index", "dim", face=False, node="IndexSelectBackward0", jvp="linear",
   self=lambda F, ct, index, dim, self_shape: F.index_select_backward(ct, index, dim, self_shape))  # fmt: skip
op("index_select_backward", _select_add, "ct_ index", "dim shape", face=False, jvp="linear",
   ct_=lambda F, ct, index, dim: F.index_select_row(ct, index, dim))  # fmt: skip


@face()
def index_select(self: Tensor, dim: int, index: Tensor) -> Tensor:
    """The entries along a dimension that the index names."""
    return ROWS["index_select_row"].call(self, index, dim)


def _grid(index: Any, dim: int) -> tuple:
    """Coordinates of gather and scatter: the index itself along dim, its own position along the others."""
    d = axis(dim, index.ndim)
    return tuple(index if i == d else g for i, g in enumerate(np.ogrid[tuple(slice(n) for n in index.shape)]))


def _gather(x: Any, index: Any, dim: int) -> Any:
    if not x.ndim or not index.ndim:
        return np.asarray(x.reshape(-1)[index.reshape(-1)]).reshape(index.shape)
    if x.ndim != index.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    return x[_grid(index, dim)]


def _scatter(x: Any, index: Any, src: Any, dim: int) -> Any:
    out = x.copy(order="K")
    if np.ndim(src):
        check_source(x, index, src, dim)
    if not x.ndim:
        axis(dim, 0)
        out[...] = np.reshape(src, -1)[-1] if np.size(src) else out
        return out
    out[_grid(index, dim)] = src[tuple(slice(n) for n in index.shape)] if np.ndim(src) else src
    return out


def scatter_add_array(x: Any, index: Any, src: Any, dim: int) -> Any:
    """`x` with `src` added where the index says."""
    check_source(x, index, src, dim)
    out = x.copy(order="K")
    if not x.ndim:
        axis(dim, 0)
        if index.ndim > 1:
            raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
        return out + np.add.reduce(src, None)
    np.add.at(out, _grid(index, dim), src[tuple(slice(n) for n in index.shape)])
    return out


def _window_of(F: Any, ct: Any, shape: tuple, index_shape: tuple) -> Any:
    """Only the part of src that the index covers took part."""
    if shape == index_shape:
        return ct
    for d, (n, m) in enumerate(zip(shape, index_shape)):
        if n != m:
            grown = (*ct.shape[:d], n, *ct.shape[d + 1 :])
            ct = F.slice_backward(ct, grown, d, 0, m, 1)
    return ct


op("gather_row", _gather, "self !index", "dim", face=False, node="GatherBackward0", jvp="linear",
   self=lambda F, ct, self, index, dim, self_shape: F.scatter_add_row(F.new_zeros(ct, self_shape), index, ct, dim))  # fmt: skip
op("scatter_row", _scatter, "self !index !src", "dim", order="contiguous", face=False, node="ScatterBackward0", inplace=True,
   self=lambda F, ct, index, dim: F.scatter_value(ct, index, dim, 0.0),
   src=lambda F, ct, index, dim, src_shape, index_shape: _window_of(
       F, F.gather_row(ct, index, dim), src_shape, index_shape))  # fmt: skip
op("scatter_value", lambda x, index, dim, value: _scatter(x, index, x.dtype.type(value), dim), "self !index", "dim value",
   order="contiguous",
   face=False, node="ScatterBackward1", inplace=True,
   self=lambda F, ct, index, dim: F.scatter_value(ct, index, dim, 0.0))  # fmt: skip
op("scatter_add_row", scatter_add_array, "self !index !src", "dim",
   order="contiguous", face=False, node="ScatterAddBackward0", inplace=True,
   self=lambda F, ct: ct, src=lambda F, ct, index, dim, src_shape, index_shape: _window_of(
       F, F.gather_row(ct, index, dim), src_shape, index_shape))  # fmt: skip


@face()
def gather(self: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Pick along a dimension, place by place."""
    return ROWS["gather_row"].call(self, index, dim)


@face()
def take_along_dim(self: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """gather with broadcasting"""
    if dim is None:
        return gather(self.reshape(-1), 0, indices.reshape(-1))
    shape = list(np.broadcast_shapes(*((*t.shape[:dim], 1, *t.shape[dim:][1:]) for t in (self, indices))))
    a, i = list(shape), list(shape)
    a[dim], i[dim] = self.shape[dim], indices.shape[dim]
    return gather(self.expand(a), dim, indices.expand(i).clone())


@face()
def scatter_add(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Add src where the index says."""
    return ROWS["scatter_add_row"].call(self, index, src, dim)


@method("scatter_add_")
def scatter_add_(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """scatter_add in place"""
    return write(ROWS["scatter_add_row"], "scatter_add_", self, (index, src), (dim,))


@face()
def scatter(self: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: Any = None) -> Tensor:
    """Write src (or one value) where the index says."""
    if src is None or not isinstance(src, Tensor):
        return ROWS["scatter_value"].call(self, index, dim, value if src is None else src)
    return ROWS["scatter_row"].call(self, index, src, dim)


@method("scatter_")
def scatter_(self: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: Any = None) -> Tensor:
    """scatter in place"""
    if src is None or not isinstance(src, Tensor):
        return write(ROWS["scatter_value"], "scatter_", self, (index,), (dim, value if src is None else src))
    return write(ROWS["scatter_row"], "scatter_", self, (index, src), (dim,))


from .table import arrays, tensors  # noqa: E402

arrays.scatter_add = lambda x, dim, index, src: scatter_add_array(x, index, src, dim)
tensors.scatter_add = scatter_add
