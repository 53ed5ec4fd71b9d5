"""Copies, casts and fills: clone, to, contiguous, copy_, fill_, zero_."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import dtypes, errors
from ..inplace import bump, check, set_history
from ..modes import alert, state
from ..tensor import Tensor, wrap
from .faces import face, function, method
from .shape import typed
from .table import ROWS, arrays, op, tensors

CLONE = ROWS["clone_"].call
arrays.clone = lambda x: x
tensors.clone = CLONE


def _conj(x: Any) -> Any:
    if x.__class__ is not Tensor and not isinstance(x, Tensor):
        return x.conjugate()
    return x if x._array.dtype.kind != "c" else ROWS["conj_physical"].call(x)


tensors.conj = _conj
tensors.real = lambda x: x if x._array.dtype.kind != "c" else ROWS["real_part"].call(x)
arrays.real = np.real
op("conj_physical", np.conj, self=lambda F, ct: F.conj(ct), jvp="linear")
op("real_part", lambda x: x.real.copy(), face=False, node="RealBackward0", casts=True,
   self=lambda F, ct, self_dtype: F.to_numpy_dtype(ct, self_dtype))  # fmt: skip


face("positive")(lambda self: self)
face("resolve_conj")(lambda self: self)
face("resolve_neg")(lambda self: self)


def _to_copy(x: Any, dtype: Any) -> Any:
    if x.dtype.kind == "c" and dtype.np.kind not in "cb":
        warnings.warn("Casting complex values to real discards the imaginary part", UserWarning, stacklevel=4)
        x = x.real
    return x.astype(dtype.np)


arrays.to_numpy_dtype = lambda ct, d: (ct.real if ct.dtype.kind == "c" and d.kind != "c" else ct).astype(d)


def _to_numpy_dtype(ct: Tensor, d: Any) -> Tensor:
    return ct if ct._array.dtype == d else ROWS["to_copy"].call(ct, dtypes.OF_NUMPY[d])


tensors.to_numpy_dtype = _to_numpy_dtype
op("to_copy", _to_copy, params="dtype", face=False, casts=True, jvp="linear",
   self=lambda F, ct, self_dtype: F.to_numpy_dtype(ct, self_dtype))  # fmt: skip


def to(self: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, **_: Any) -> Tensor:
    """The tensor in another dtype; itself if nothing changes."""
    for a in args:
        if isinstance(a, Tensor):
            dtype = a.dtype
        elif isinstance(a, dtypes.dtype):
            dtype = a
        elif isinstance(a, bool):
            copy = copy or (a and a is args[-1])
    if dtype is None or self._array.dtype == dtype.np:
        return CLONE(self) if copy else self
    return ROWS["to_copy"].call(self, dtype)


for _name in ("half", "float", "double", "cfloat", "cdouble", "int", "long", "short", "bool"):
    _d = getattr(dtypes, _name)
    setattr(Tensor, _name, lambda self, _d=_d: to(self, _d))
Tensor.byte = lambda self: to(self, dtypes.uint8)
Tensor.char = lambda self: to(self, dtypes.int8)
for _name in ("cpu", "pin_memory", "cuda"):
    setattr(Tensor, _name, lambda self, *a, **k: self)


@method("type")
def type_(self: Tensor, dtype: Any = None) -> Any:
    """The tensor's type as a string, or the tensor in another dtype."""
    if dtype is None:
        return f"torch.{self.dtype.long_name}Tensor"
    if isinstance(dtype, str):
        name = dtype.rpartition(".")[2].removesuffix("Tensor")
        dtype = next(d for d in dtypes.ALL if d.long_name == name)
    return to(self, dtype)


@method("type_as")
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """to(other.dtype)"""
    return to(self, other.dtype)


# ---- overwriting ------------------------------------------------------------------------------------------------------


def _overwritten(x: Any, value: Any) -> Any:
    """A fresh array like x, filled with a value or with the elements of an array."""
    out = np.empty(x.shape, x.dtype)
    out[...] = value
    return out


op("copy_row", lambda x, src: _overwritten(x, _discard(x, src)), "self !src", face=False,
   node="CopyBackwards", self=lambda F, ct: F.zeros_like(ct), src=lambda F, ct: ct, inplace="copy_")  # fmt: skip
ROWS["copy_row"].node.title = "torch::autograd::CopyBackwards"


def _discard(x: Any, src: Any) -> Any:
    if src.dtype.kind == "c" and x.dtype.kind != "c":
        warnings.warn("Casting complex values to real discards the imaginary part", UserWarning, stacklevel=4)
        return src.real
    return src


@method("copy_")
def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Overwrite with the values of another tensor, broadcast and cast."""
    if not isinstance(src, Tensor):
        if not isinstance(src, (int, float, complex)):
            raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}")
        src = wrap(np.asarray(src))
    if src._array.ndim > self._array.ndim:
        raise errors.ShapeMismatch(f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(src.shape)}")
    return COPY(self, src)


COPY = ROWS["copy_row"].inplace


def _check_expands(value: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise if a value to be assigned cannot be expanded to the shape of its place."""
    lead = len(shape) - value.ndim
    if lead < 0:
        raise RuntimeError(
            f"expand({typed(value)}, size={list(shape)}): the number of sizes provided ({len(shape)}) must be greater or "
            f"equal to the number of dimensions in the tensor ({value.ndim})"
        )
    for i, (have, s) in enumerate(zip(value.shape, shape[lead:]), lead):
        if have not in (1, s):
            raise RuntimeError(
                f"The expanded size of the tensor ({s}) must match the existing size ({have}) at non-singleton "
                f"dimension {i}.  Target sizes: {list(shape)}.  Tensor sizes: {list(value.shape)}"
            )


def copy_to(out: Tensor, value: Tensor) -> None:
    """Write a value into its place; one of another shape loses its leading ones and is expanded, each as an op of its own."""
    shape, have = out._array.shape, value._array.shape
    if have == shape:
        out.copy_(value)
    elif not have:
        out.fill_(value)
    else:
        needed = _without_leading_ones(have)
        _check_expands(value._array.reshape(needed), shape)
        value = value.view(needed)
        out.copy_(value if needed == shape else value.expand(shape))


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[next((i for i, s in enumerate(shape) if s != 1), len(shape)) :]


def slimmed(value: Tensor) -> Tensor:
    """What is assigned to places that tensors name, as a view without leading dimensions of length 1."""
    shape = value._array.shape
    needed = _without_leading_ones(shape)
    return value if needed == shape else value.view(needed)


op("fill_scalar", _overwritten, "self", "value", face=False, node="FillBackward2",
   self=lambda F, ct: F.zeros_like(ct), inplace="fill_")  # fmt: skip
op("fill_tensor", _overwritten, "self !value", face=False, node="FillBackward3",
   self=lambda F, ct: F.zeros_like(ct), value=lambda F, ct: F.sum_all(ct), inplace="fill_")  # fmt: skip
op("zero", lambda x: np.zeros(x.shape, x.dtype), face=False, inplace="zero_", self=lambda F, ct: F.zeros_like(ct))


@method("fill_")
def fill_(self: Tensor, value: Any) -> Tensor:
    """Overwrite with one value."""
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value._array.ndim} dimensions."
            )
        return FILL_TENSOR(self, value)
    return FILL(self, value)


FILL, FILL_TENSOR = ROWS["fill_scalar"].inplace, ROWS["fill_tensor"].inplace


function("zero_")(Tensor.zero_)
function("fill_")(fill_)


@method("fill_diagonal_")
def fill_diagonal_(self: Tensor, value: Any, wrap: bool = False) -> Tensor:
    """Overwrite the diagonal."""
    self.diagonal().fill_(value)
    return self


# ---- in-place changes of shape ----------------------------------------------------------------------------------------


def rearrange(row: Any, t: Tensor, params: Any) -> None:
    """The tangents are looked at in the other way too."""
    from ..autograd.tangents import rearrange as each

    each(row, t, params)


def _reshaping(name: str, row_name: str, node: str, arrange: Any = lambda *a: a) -> None:
    """name_: look at the same memory under another shape, in place. Counts as a write although no value changes."""
    row = ROWS[row_name]
    cls = type(node, (row.node,), {"__slots__": ()})

    def call(self: Tensor, *args: Any) -> Tensor:
        params = arrange(*args)
        storage, info = self._storage, self._view
        if storage.version is None and not state.inference:
            raise errors.written_inference()
        needed = state.grad and self.requires_grad
        if needed:
            check(self, name + "_")
        old = self._array
        fresh = row.kernel(old, *params)
        made = None
        if needed and (info is None or info.replay is None):
            edges = row.edges((self,))[0]
            made = row.make_node((self,), [old], params, edges, [wrap(fresh)])
            made.__class__ = cls
        if alert.on and state.dual_level >= 0:
            rearrange(row, self, params)
        self._array = fresh
        bump(self, name + "_")
        if made is not None:  # no value of the base has changed: the history of a view alone grows
            set_history(self, made)
        return self

    call.__name__ = name + "_"
    method(name + "_")(call)


def _squeeze_arguments(*dims: Any) -> tuple:
    return (tuple(dims[0]) if dims and isinstance(dims[0], (tuple, list)) else dims,)


_reshaping("t", "t", "TBackward1")
_reshaping("unsqueeze", "unsqueeze", "UnsqueezeBackward1")
for _name in ("transpose", "swapaxes", "swapdims"):
    _reshaping(_name, "transpose", "TransposeBackward1")
_reshaping("as_strided", "as_strided", "AsStridedBackward1", lambda size, stride, o=None: (tuple(size), tuple(stride), o))
_reshaping("_squeeze_all", "squeeze_all", "SqueezeBackward3")
_reshaping("_squeeze_dims", "squeeze", "SqueezeBackward4", _squeeze_arguments)


@method("squeeze_")
def squeeze_(self: Tensor, *dim: Any) -> Tensor:
    """squeeze in place"""
    return self._squeeze_dims_(*dim) if dim else self._squeeze_all_()
