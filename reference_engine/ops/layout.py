"""Memory formats: in which order the elements of a tensor lie, and what makes a copy in another order."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..storage import dense_like, strided
from ..tensor import Tensor, wrap
from .cast import CLONE, to
from .faces import face, function, method
from .table import FUNCTIONS, ROWS, op


class memory_format:
    """A rule for strides: `order` lists the dimensions from the outermost to the innermost, or is None."""

    __slots__ = ("name", "order")

    def __init__(self, name: str, order: tuple[int, ...] | None = None) -> None:
        self.name, self.order = name, order

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class layout:
    """How the elements are stored: always in strides here."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last", (0, 2, 3, 1))
channels_last_3d = memory_format("channels_last_3d", (0, 2, 3, 4, 1))
strided_layout = layout("strided")
Tensor.layout = strided_layout


def fresh(array: np.ndarray, wanted: memory_format | None, dtype: Any = None) -> np.ndarray:
    """Uninitialised memory for the shape of `array` in the wanted format. Raises RuntimeError on a wrong rank."""
    dtype = dtype or array.dtype
    if wanted is None or wanted is preserve_format:
        return dense_like(array, dtype)
    order = wanted.order
    if order is None:
        return np.empty(array.shape, dtype)
    if array.ndim != len(order):
        raise RuntimeError(f"required rank {len(order)} tensor to use {wanted.name} format")
    return np.empty([array.shape[d] for d in order], dtype).transpose(np.argsort(order))


def lies(array: np.ndarray, wanted: memory_format | None) -> bool:
    """Whether the elements lie in that format without gaps."""
    order = None if wanted is None else wanted.order
    if order is None:
        return array.flags.c_contiguous
    return array.ndim == len(order) and array.transpose(order).flags.c_contiguous


def _copied(x: np.ndarray, wanted: memory_format) -> np.ndarray:
    out = fresh(x, wanted)
    out[...] = x
    return out


op("laid_out", _copied, params="wanted", face=False, node="CloneBackward0", self=lambda F, ct: ct, jvp="linear")
op("laid_out_to", _copied, params="wanted", face=False, node="ToCopyBackward0", self=lambda F, ct: ct, jvp="linear")


@face()
def clone(self: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy that the gradient flows through."""
    if memory_format is None and 0 not in self._array.strides:
        return CLONE(self)
    return ROWS["laid_out"].call(self, memory_format)


@method("contiguous")
def contiguous(self: Tensor, memory_format: Any = contiguous_format) -> Tensor:
    """Itself if its elements lie in the order of the format, else a copy."""
    if memory_format is preserve_format:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    if lies(self._array, memory_format):
        return self
    return ROWS["laid_out"].call(self, memory_format)


@method("is_contiguous")
def is_contiguous(self: Tensor, memory_format: Any = contiguous_format) -> bool:
    """Whether the elements lie in the order of the format without gaps."""
    return lies(self._array, memory_format)


@method("to")
def to_with_format(self: Tensor, *args: Any, memory_format: Any = None, **kwargs: Any) -> Tensor:
    """The tensor in another dtype or memory format; itself if nothing changes."""
    out = to(self, *args, **kwargs)
    if memory_format in (None, preserve_format) or lies(out._array, memory_format):
        return out
    return ROWS["laid_out_to"].call(out, memory_format)


def _like(name: str) -> None:
    plain = FUNCTIONS[name]

    def call(x: Tensor, *args: Any, memory_format: Any = None, **kwargs: Any) -> Tensor:
        out = plain(x, *args, **kwargs)
        shape = fresh(x._array, memory_format, out._array.dtype)
        if shape.strides != out._array.strides:
            shape[...] = out._array
            out._array = shape
        return out

    call.__name__ = name
    function(name)(call)


for _name in ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"):
    _like(_name)


@function()
def empty_strided(size: Any, stride: Any, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """Zeros with the given strides."""
    kind = (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).np
    room = 0 if 0 in size else 1 + sum((n - 1) * s for n, s in zip(size, stride))
    out = wrap(strided(np.zeros(room, kind), tuple(size), tuple(stride), 0))
    if requires_grad:
        out.requires_grad = True
    return out


@method("new_empty_strided")
def new_empty_strided(self: Tensor, size: Any, stride: Any, *, dtype: Any = None, **kwargs: Any) -> Tensor:
    """empty_strided in this tensor's dtype"""
    return empty_strided(size, stride, dtype=dtype or self.dtype, **kwargs)


@method("dim_order")
def dim_order(self: Tensor, **_: Any) -> tuple[int, ...]:
    """The dimensions from the outermost to the innermost in memory."""
    steps = self.stride()
    return tuple(sorted(range(len(steps)), key=lambda d: -steps[d]))


NAMES = {
    "memory_format": memory_format, "contiguous_format": contiguous_format, "preserve_format": preserve_format,
    "channels_last": channels_last, "channels_last_3d": channels_last_3d, "layout": layout, "strided": strided_layout,
}  # fmt: skip
FUNCTIONS.update(NAMES)
