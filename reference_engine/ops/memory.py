"""Which memory a tensor looks at, and how large it is: set_, resize_, swap_tensors."""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from .. import errors
from ..graph import Node, edge_of
from ..inplace import bump, check
from ..modes import state
from ..storage import UntypedStorage, flat, offset, strided
from ..tensor import Tensor
from .faces import face, function, method


class NotImplementedNode(Node):
    """The history of a tensor after an in-place op that has no derivative."""

    __slots__ = ("op",)
    title = "torch::autograd::NotImplemented"

    def _refuse(self, ct: Any) -> tuple:
        raise errors.NotDifferentiable(f"derivative for aten::{self.op} is not implemented")

    backward = differentiate = _refuse


def _dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(max(1, n) for n in shape[i + 1 :]) for i in range(len(shape)))


def _looked_at(self: Tensor, source: Any, start: int, size: Any, stride: Any) -> np.ndarray:
    """The array that set_ makes the tensor look at."""
    dtype = self._array.dtype
    if source is None:
        return np.empty(0, dtype)
    whole = source._array
    if isinstance(source, UntypedStorage):
        whole = flat(whole).view(np.uint8)
        whole = whole[: whole.size // dtype.itemsize * dtype.itemsize].view(dtype)
    elif whole.dtype != dtype:
        kinds = [getattr(t.dtype, "long_name", "").lower() for t in (source, self)]
        raise RuntimeError(f"Could not set tensor of type {kinds[0]} to a tensor of type {kinds[1]}")
    if size is None:
        return whole
    size = tuple(size)
    return strided(flat(whole), size, _dense_strides(size) if stride is None else tuple(stride), start)


@method("set_")
def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Look at the memory of another tensor or storage instead; counts as an in-place write, has no derivative."""
    needed = state.grad and self.requires_grad
    if needed:
        check(self, "set_")
    self._array = _looked_at(self, source, storage_offset, size, stride)
    bump(self, "set_")
    if needed:
        node = NotImplementedNode((edge_of(self),), self._array.shape, self._array.dtype)
        node.op = "set_"
        self._edge = (node, 0)
    return self


def resized(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The array in another shape, in the memory at hand if it is large enough, else in new memory that begins so."""
    whole, start = flat(array), offset(array)
    if start + math.prod(shape) > whole.size:
        larger = np.zeros(start + math.prod(shape), whole.dtype)
        larger[: whole.size] = whole
        whole = larger
    return strided(whole, shape, _dense_strides(shape), start)


def _resize(self: Tensor, shape: tuple[int, ...]) -> None:
    """Change the shape in place. Raises where gradients are involved."""
    if self.requires_grad:
        raise errors.AutogradError("cannot resize variables that require grad")
    if shape != self._array.shape:
        self._array = resized(self._array, shape)
        bump(self, "resize_")


@method("resize_")
def resize_(self: Tensor, *shape: Any, memory_format: Any = None) -> Tensor:
    """Change the shape in place, keeping the elements in order; refused where gradients are involved."""
    _resize(self, tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else tuple(shape))
    return self


@face("resize_as_")
def resize_as_(self: Tensor, other: Tensor, *, memory_format: Any = None) -> Tensor:
    """resize_ to the shape of another tensor"""
    _resize(self, other._array.shape)
    return self


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Exchange two tensors: every name of the one then means the other. Refused if something refers to one weakly."""
    for i, t in enumerate((t1, t2), 1):
        if weakref.getweakrefs(t):
            raise RuntimeError(f"Cannot swap t{i} because it has weakref associated with it")
        if t._meta is not None and t._meta.sink is not None and t._meta.sink() is not None:
            raise RuntimeError(
                f"Cannot swap t{i} because its AccumulateGrad node is in use: a graph that was recorded with it is alive"
            )
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    for name in ("__dict__", "_array", "_edge", "_meta", "_rg", "_storage", "_view"):
        a, b = getattr(t1, name), getattr(t2, name)
        setattr(t1, name, b)
        setattr(t2, name, a)


_ = function
