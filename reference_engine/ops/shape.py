"""Views: the same memory under another shape. Each has a backward that puts the gradient back in place."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..dtypes import OF_NUMPY, Size, dtype
from ..storage import flat, offset, strided, strides
from ..tensor import Tensor
from .faces import face, function, method
from .table import ROWS, arrays, op, tensors

SMALL = 1 << 14


def axis(dim: int, ndim: int) -> int:
    """A dimension number made non-negative. Raises IndexError out of range."""
    n = ndim or 1
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def sizes(args: tuple) -> tuple[int, ...]:
    """The shape given as `f(2, 3)` or as `f((2, 3))`."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = args[0]
    if all([a.__class__ is int for a in args]):
        return tuple(args)
    for i, a in enumerate(args):
        if isinstance(a, (str, float)):
            raise TypeError(f"argument 'size' (position {i + 1}) must be tuple of ints, not {type(a).__name__}")
    return tuple(int(a) for a in args)


def infer(shape: tuple[int, ...], numel: int) -> tuple[int, ...]:
    """Fill in the -1 of a shape. Raises RuntimeError if the number of elements does not fit."""
    known = 1
    for s in shape:
        known *= s if s != -1 else 1
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if -1 in shape:
        if known == 0 and not numel:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size -1 can "
                "be any value and is ambiguous"
            )
        if known == 0 or numel % known:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
        return tuple(numel // known if s == -1 else s for s in shape)
    if known != numel:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
    return shape


def typed(x: np.ndarray) -> str:
    """An array as torch's messages describe it: torch.FloatTensor{[2, 3]}."""
    return f"torch.{OF_NUMPY[x.dtype].long_name}Tensor{{{list(x.shape)}}}"


# ---- view, expand -----------------------------------------------------------------------------------------------------


def _view(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if x.flags.c_contiguous:
        return x.reshape(shape)
    try:
        return x.reshape(shape, copy=False)
    except ValueError:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        ) from None


def _expand(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    lead = len(shape) - x.ndim
    if lead < 0:
        raise RuntimeError(
            f"expand({typed(x)}, size={list(shape)}): the number of sizes provided ({len(shape)}) must be greater "
            f"or equal to the number of dimensions in the tensor ({x.ndim})"
        )
    steps, full = [], list(shape)
    lengths, strides = (1,) * lead + x.shape, (0,) * lead + x.strides
    for i, s in enumerate(shape):
        have = lengths[i]
        if s == -1 and i < lead:
            raise RuntimeError(f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {i}")
        if s == -1:
            full[i] = s = have
        if s != have and have != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({s}) must match the existing size ({have}) at non-singleton "
                f"dimension {i}.  Target sizes: {list(shape)}.  Tensor sizes: {list(x.shape)}"
            )
        steps.append(strides[i] if s == have else 0)
    if x.base is None and x.flags.c_contiguous:
        return np.ndarray(tuple(full), x.dtype, x, 0, tuple(steps))
    return strided(flat(x), tuple(full), tuple(s // x.itemsize for s in steps), offset(x))


def expand_array(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` with the shape, for a backward: small ones are written out, which is cheaper than a view; others read-only."""
    n = 1
    for s in shape:
        n *= s
    if n > SMALL:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` summed over the dimensions along which `shape` was broadcast; a sum of all is new memory, as in torch."""
    if not shape:
        return np.asarray(np.add.reduce(x, None))
    lead = x.ndim - len(shape)
    dims = [*range(lead), *(i + lead for i, s in enumerate(shape) if s == 1 and x.shape[i + lead] != 1)]
    if dims:
        x = np.add.reduce(x, tuple(dims), keepdims=True)
    return x.reshape(shape) if lead else x


op("view", _view, params="shape", view=True, face=False, jvp="linear",
   self=lambda F, ct, self_shape: F.reshape(ct, self_shape))  # fmt: skip
op("reshape_copy", lambda x, shape: x.reshape(shape), params="shape", face=False, node="UnsafeViewBackward0",
   self=lambda F, ct, self_shape: F.reshape(ct, self_shape))  # fmt: skip
op("alias", lambda x: x[...], view=True, face=False, jvp="linear", self=lambda F, ct: ct)
op("expand", _expand, params="shape", view=True, face=False, arrays_as=expand_array, jvp="linear",
   self=lambda F, ct, self_shape: F.sum_to(ct, self_shape))  # fmt: skip
op("sum_to", sum_to, params="shape", face=False, node="SumBackward1", jvp="linear",
   self=lambda F, ct, self_shape: F.expand(ct, self_shape))  # fmt: skip


def reshape_tensor(self: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A view if the strides allow it, else a copy."""
    a = self._array
    try:
        if not a.flags.c_contiguous:
            a.reshape(shape, copy=False)
    except ValueError:
        return ROWS["reshape_copy"].call(ROWS["clone_"].call(self), shape)
    return ROWS["view"].call(self, shape)


arrays.reshape = lambda x, shape: x.reshape(shape)
tensors.reshape = reshape_tensor


@method("view")
def view(self: Tensor, *shape: Any) -> Tensor:
    """The same elements under another shape; a dtype instead of a shape reinterprets the bytes."""
    if shape and shape[0].__class__ is dtype:
        return ROWS["view_dtype"].call(self, shape[0])
    if len(shape) == 1 and shape[0].__class__ is not int:
        shape = tuple(shape[0])
    n = 1
    for s in shape:
        n *= s
    if n != self._array.size or -1 in shape:
        shape = infer(sizes(shape), self._array.size)
    return VIEW(self, shape)


VIEW = ROWS["view"].call


def _view_dtype(x: np.ndarray, dtype: Any) -> np.ndarray:
    have, want = x.itemsize, dtype.np.itemsize
    names = f"to view {OF_NUMPY[x.dtype].long_name} as {dtype.long_name} (different element sizes), but got"
    if have != want and not x.ndim:
        raise RuntimeError(f"self.dim() cannot be 0 {names.removesuffix(', but got')}")
    if have != want and strides(x)[-1] != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 {names} {strides(x)[-1]}")
    if want > have and x.shape[-1] * have % want:
        raise RuntimeError(f"self.size(-1) must be divisible by {want // have} {names} {x.shape[-1]}")
    return x.view(dtype.np)


op("view_dtype", _view_dtype, params="dtype", view=True, face=False)


@face()
def reshape(self: Tensor, *given: Any, shape: Any = None) -> Tensor:
    """The elements under another shape, as a view if possible."""
    shape = given if shape is None else shape
    if self._array.flags.c_contiguous:
        return view(self, *shape)
    return reshape_tensor(self, infer(sizes(shape), self._array.size))


@method("view_as")
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """view to the shape of another tensor"""
    return ROWS["view"].call(self, other._array.shape)


@method("reshape_as")
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """reshape to the shape of another tensor"""
    return reshape_tensor(self, other._array.shape)


@method("expand")
def expand(self: Tensor, *shape: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Repeat dimensions of length 1 without copying; -1 keeps a length."""
    return ROWS["expand"].call(self, sizes(shape if size is None else size))


@face("broadcast_to")
def broadcast_to(self: Tensor, *shape: Any, size: Any = None) -> Tensor:
    """expand"""
    return ROWS["expand"].call(self, sizes(shape if size is None else size))


@method("expand_as")
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """expand to the shape of another tensor"""
    return ROWS["expand"].call(self, other._array.shape)


@method("sum_to_size")
def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Sum over broadcast dimensions down to the shape; the tensor itself if it has it."""
    shape = sizes(size)
    return self if shape == self._array.shape else ROWS["sum_to"].call(self, shape)


@function()
def broadcast_tensors(*tensors_: Any) -> tuple:
    """All tensors expanded to their common shape."""
    shape = np.broadcast_shapes(*(t._array.shape for t in tensors_))
    return tuple(t if t._array.shape == shape else ROWS["expand"].call(t, shape) for t in tensors_)


@function()
def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that all broadcast to."""
    return Size(np.broadcast_shapes(*(tuple(s) if isinstance(s, (tuple, list)) else s for s in shapes)))


@face()
def flatten(self: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge a range of dimensions into one."""
    shape = self._array.shape
    first, last = axis(start_dim, len(shape)), axis(end_dim, len(shape))
    if not shape:
        return reshape_tensor(self, (1,))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last:
        return self
    n = 1
    for s in shape[first : last + 1]:
        n *= s
    return reshape_tensor(self, (*shape[:first], n, *shape[last + 1 :]))


@face()
def ravel(self: Tensor) -> Tensor:
    """All elements in one dimension."""
    return reshape_tensor(self, (self._array.size,))


@face()
def unflatten(self: Tensor, dim: int, sizes: Any) -> Tensor:
    """Split one dimension into several."""
    shape = self._array.shape
    d = axis(dim, len(shape))
    try:
        inner = infer(tuple(sizes), shape[d])
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} ({shape[d]}) in the input tensor"
        ) from None
    return ROWS["view"].call(self, (*shape[:d], *inner, *shape[d + 1 :]))


# ---- permutations -----------------------------------------------------------------------------------------------------


def _t(x: np.ndarray) -> np.ndarray:
    if x.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {x.ndim}D")
    return x.T


def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    back = [0] * len(dims)
    for i, d in enumerate(dims):
        back[d] = i
    return tuple(back)


def _swap(x: np.ndarray, a: int, b: int) -> np.ndarray:
    a, b = axis(a, x.ndim), axis(b, x.ndim)
    return x.swapaxes(a, b) if x.ndim else x[...]


op("t", _t, view=True, jvp="linear", self=lambda F, ct: F.t(ct))
op("transpose", _swap, params="dim0 dim1", view=True, jvp="linear",
   self=lambda F, ct, dim0, dim1: F.transpose(ct, dim0, dim1))  # fmt: skip
op("permute", lambda x, dims: x.transpose(dims), params="dims", view=True, face=False, jvp="linear",
   self=lambda F, ct, dims: F.permute(ct, _inverse(dims)))  # fmt: skip
for _name in ("swapaxes", "swapdims"):
    face(_name)(ROWS["transpose"].call)


@face()
def permute(self: Tensor, *given: Any, dims: Any = None) -> Tensor:
    """Reorder the dimensions."""
    ndim = self._array.ndim
    order = tuple([axis(d, ndim) for d in sizes(given if dims is None else dims)])
    if len(order) == ndim != len(set(order)):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    if len(order) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(order)}"
        )
    return ROWS["permute"].call(self, order)


@face("movedim", "moveaxis")
def movedim(self: Tensor, source: Any, destination: Any) -> Tensor:
    """Move dimensions to other places."""
    n = self._array.ndim
    src = [axis(d, n) for d in (source if isinstance(source, (tuple, list)) else (source,))]
    dst = [axis(d, n) for d in (destination if isinstance(destination, (tuple, list)) else (destination,))]
    if not n:
        return ROWS["permute"].call(self, ())
    order = [d for d in range(n) if d not in src]
    for d, s in sorted(zip(dst, src)):
        order.insert(d, s)
    return ROWS["permute"].call(self, tuple(order))


def _reversed(self: Tensor) -> Tensor:
    if self._array.ndim > 2:
        warnings.warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will throw an "
            "error in a future release. Consider `x.mT` to transpose batches of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.",
            UserWarning,
            stacklevel=2,
        )
    return ROWS["permute"].call(self, tuple(range(self._array.ndim - 1, -1, -1)))


def _matrix_transpose(name: str, conjugate: bool) -> Any:
    def get(self: Tensor) -> Tensor:
        ndim = self._array.ndim
        if ndim == 1 or (name == "H" and ndim > 2):
            which = "matrices (2-D tensors)" if name == "H" else "matrices or batches of matrices"
            raise RuntimeError(f"tensor.{name} is only supported on {which}. Got {ndim}-D tensor.")
        out = ROWS["transpose"].call(self, -2, -1) if ndim else ROWS["transpose"].call(self, 0, 0)
        return out.conj() if conjugate and self.is_complex() else out

    return get


Tensor.T = property(_reversed)
Tensor.mT, Tensor.mH = property(_matrix_transpose("mT", False)), property(_matrix_transpose("mH", True))
Tensor.H = property(_matrix_transpose("H", True))
face("adjoint")(lambda self: self.mH)
