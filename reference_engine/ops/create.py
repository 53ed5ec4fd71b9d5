"""Making tensors: from data, filled, random."""

from __future__ import annotations

import builtins
import warnings
from typing import Any

import numpy as np

from .. import dtypes, errors
from ..modes import alert
from ..storage import Storage
from ..tensor import Tensor, alias, new, wrap
from .faces import function, method
from .shape import sizes
from .table import arrays, tensors


def _finish(array: Any, requires_grad: bool = False) -> Tensor:
    t = wrap(array)
    if requires_grad:
        make_leaf(t)
    return t


def make_leaf(t: Tensor) -> None:
    """Let a new tensor require grad. Raises if its dtype has no gradient."""
    if t._array.dtype.kind not in "fc":
        raise errors.AutogradError("Only Tensors of floating point and complex dtype can require gradients")
    if t._storage.version is None:
        t.requires_grad = True  # which asks whether inference mode is on
    else:
        t._rg = True


def _np(dtype: Any) -> Any:
    return (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).np


def _plain(data: Any) -> Any:
    """Nested lists with the tensors in them read out."""
    if isinstance(data, Tensor):
        return data._array
    if isinstance(data, (list, tuple)):
        return [_plain(d) for d in data]
    return data


def array_of(data: Any, dtype: Any = None) -> np.ndarray:
    """A fresh array from a number, nested lists, an array or a tensor; Python floats get the default dtype."""
    kind = data.__class__
    if dtype is not None:
        dtype = dtype.np if dtype.__class__ is dtypes.dtype else dtypes.as_dtype(dtype).np
        if kind is list:
            try:
                return np.array(data, dtype)
            except errors.AutogradError:
                pass  # a tensor that requires grad stands among the numbers
        return np.array(_plain(data), dtype)
    if kind is builtins.float:
        return np.array(data, dtypes.get_default_dtype().np)
    if isinstance(data, (np.ndarray, np.generic)):
        return np.array(data)
    if isinstance(data, Tensor):
        return data._array.copy()
    if kind is str:
        raise TypeError("new(): invalid data type 'str'")
    try:
        found = np.array(_plain(data))
    except ValueError:
        raise _ragged(data) from None
    if found.dtype == np.float64 and not _has_float64(data):
        return found.astype(dtypes.get_default_dtype().np)
    if found.dtype == np.complex128 and not _has_float64(data):
        return found.astype(dtypes.get_default_dtype().to_complex().np)
    if found.dtype.kind == "O":
        raise ValueError("could not determine the shape of the data: expected a rectangular nest of numbers")
    return found


def _ragged(data: Any, dim: int = 0) -> Exception:
    """The error of a nest of lists that is no rectangle."""
    lengths = [len(d) if hasattr(d, "__len__") else -1 for d in data]
    for n in lengths:
        if n != lengths[0]:
            return ValueError(f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {n})")
    return next((e for e in (_ragged(d, dim + 1) for d in data if isinstance(d, (list, tuple))) if e.args), ValueError())


def _has_float64(data: Any) -> bool:
    """Whether the dtype of the first element that is not a plain number decides."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (Tensor, np.ndarray, np.generic)) and data.dtype not in (int,)


def _warn_copy() -> None:
    warnings.warn(
        "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
        "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
        UserWarning,
        stacklevel=3,
    )


@function()
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A leaf that holds a copy of the data."""
    if data.__class__ is not list and isinstance(data, Tensor):
        _warn_copy()
    t = wrap(array_of(data, dtype))
    if requires_grad:
        if t._array.dtype.kind == "f" and not alert.on:
            t._rg = True
        else:
            make_leaf(t)
    return t if device is None else _on(device, t)


class MetaTensor(Tensor):
    """A tensor that claims to live on another device; it has no use but to be refused."""

    is_meta = True
    device = dtypes.device("meta")


def _on(device: Any, t: Tensor) -> Tensor:
    if device is None or dtypes.device(device).type == "cpu":
        return t
    return alias(t._array, t._storage, MetaTensor)


@function()
def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: Any = None, requires_grad: bool = False) -> Tensor:
    """as_tensor, copied if asked to; the result requires grad only if asked to."""
    shared = as_tensor(obj, dtype)
    out = shared.clone() if copy else shared
    if requires_grad and not out.requires_grad:
        make_leaf(out)
    return out if requires_grad or not out.requires_grad or not copy else out.detach()


@function("as_tensor")
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The tensor itself, or a tensor that shares an array's memory, or a copy of other data."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == dtypes.as_dtype(dtype).np):
        return wrap(data)
    return _finish(array_of(data, dtype))


@function()
def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor on the array's own memory."""
    if array.__class__ is not np.ndarray and not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    if array.dtype not in dtypes.OF_NUMPY:
        raise TypeError(f"can't convert np.ndarray of type {array.dtype.type.__module__}.{array.dtype.type.__name__}.")
    if not array.flags.c_contiguous and any(s < 0 for s in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently "
            "supported. (You can probably work around this by making a copy of your array  with array.copy().)"
        )
    return wrap(array)


@function()
def from_dlpack(x: Any) -> Tensor:
    """A tensor on memory that another library exports."""
    if isinstance(x, Tensor):
        x.__dlpack__()  # raises where it may not be exported
        return wrap(x._array.view())
    return wrap(np.from_dlpack(x))


@function()
def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A tensor on the memory of a Python buffer."""
    return _finish(np.frombuffer(buffer, dtypes.as_dtype(dtype).np, count, offset), requires_grad)


@function()
def scalar_tensor(value: Any, *, dtype: Any = None, **_: Any) -> Tensor:
    """A 0-dim tensor."""
    return wrap(np.array(value, _np(dtype)))


def _filled(name: str, make: Any) -> None:
    def call(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, size_: Any = None,
             out: Any = None, layout: Any = None, pin_memory: Any = False, memory_format: Any = None,
             **kw: Any) -> Tensor:  # fmt: skip
        shape = sizes(kw.get("size", size))
        if any(n < 0 for n in shape):
            raise RuntimeError(f"{name}: Dimension size must be non-negative.")
        return _on(device, _finish(make(shape, _np(dtype)), requires_grad))

    def like(x: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None,
             **_: Any) -> Tensor:  # fmt: skip
        source = x._array
        fresh = np.empty_like(source, dtype=None if dtype is None else dtypes.as_dtype(dtype).np)
        fresh[...] = make(source.shape, fresh.dtype)
        return _on(device, _finish(fresh, requires_grad))

    def fresh(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **kw: Any) -> Tensor:
        kind = self._array.dtype if dtype is None else dtypes.as_dtype(dtype).np
        return _finish(make(sizes(kw.get("size", size)), kind), requires_grad)

    call.__name__, like.__name__, fresh.__name__ = name, name + "_like", "new_" + name
    function(name)(call)
    function(name + "_like")(like)
    method("new_" + name)(fresh)


_filled("zeros", np.zeros)
_filled("ones", np.ones)
# Uninitialised memory would make runs differ; zeros are as good an accident as any.
_filled("empty", np.zeros)


@function()
def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """A shape filled with one value."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    kind = dtypes.of_number(value).np if dtype is None else dtypes.as_dtype(dtype).np
    return _on(device, _finish(np.full(sizes((size,)), value, kind), requires_grad))


@function()
def full_like(x: Tensor, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """The shape of another tensor filled with one value."""
    fresh = np.empty_like(x._array, dtype=None if dtype is None else dtypes.as_dtype(dtype).np)
    fresh[...] = fill_value._array if isinstance(fill_value, Tensor) else fill_value
    return _finish(fresh, requires_grad)


arrays.full_like = lambda x, value: np.full(np.shape(x), value, x.dtype)
tensors.full_like = full_like


@method("new_full")
def new_full(self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """A shape filled with one value, in this tensor's dtype."""
    return _finish(np.full(sizes((size,)), fill_value, self._array.dtype if dtype is None else dtype.np), requires_grad)


@method("new_tensor")
def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """A leaf from data, in this tensor's dtype."""
    if isinstance(data, Tensor):
        _warn_copy()
    return _finish(array_of(data, dtype or self.dtype), requires_grad)


@function()
def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
           **_: Any) -> Tensor:  # fmt: skip
    """Numbers from start (0) up to end in steps."""
    if end is None:
        start, end = 0, start
    whole = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
    kind = dtypes.as_dtype(dtype).np if dtype is not None else np.int64 if whole else _np(None)
    n = builtins.max(0, int(np.ceil((end - start) / step)))
    return _finish((start + np.arange(n) * step).astype(kind), requires_grad)


@function()
def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """Evenly spaced numbers, both ends included."""
    return _finish(np.linspace(float(start), float(end), steps).astype(_np(dtype)), requires_grad)


@function()
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, **_: Any) -> Tensor:
    """Powers of the base, evenly spaced in the exponent."""
    return _finish((base ** np.linspace(float(start), float(end), steps)).astype(_np(dtype)))


@function()
def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """The identity matrix."""
    return _finish(np.eye(n, m, dtype=_np(dtype)), requires_grad)


@function()
def tril_indices(row: int, col: int, offset: int = 0, **_: Any) -> Tensor:
    """Where the lower triangle is."""
    return wrap(np.stack(np.tril_indices(row, offset, col)))


@function()
def triu_indices(row: int, col: int, offset: int = 0, **_: Any) -> Tensor:
    """Where the upper triangle is."""
    return wrap(np.stack(np.triu_indices(row, offset, col)))


def legacy_tensor(cls: type, *args: Any, **_: Any) -> Tensor:
    """`torch.Tensor(2, 3)`, `torch.Tensor([1, 2])`: the old constructor."""
    if len(args) == 1 and not isinstance(args[0], int):
        data = args[0]
        if isinstance(data, Tensor):
            return alias(data._array, data._storage, cls)
        array = np.array(_plain(data), dtypes.get_default_dtype().np)
    else:
        array = np.zeros(args or (0,), dtypes.get_default_dtype().np)
    return alias(array, Storage.at(0), cls)


def from_number(value: Any) -> Tensor:
    """A 0-dim constant standing for a Python number."""
    return wrap(np.array(value, dtypes.of_number(value).np))


Tensor._from_number = staticmethod(from_number)
_ = new
