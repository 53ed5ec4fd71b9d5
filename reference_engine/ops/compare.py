"""Comparisons, logic and tests: no gradient flows through them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inplace import write
from ..tensor import Tensor, wrap
from .faces import face, function, method
from .shape import axis
from .table import ROWS, op


def _writer(name: str) -> Any:
    """The comparison in place; with a tensor torch's node has another number than with a number."""

    def call(self: Tensor, other: Any) -> Tensor:
        kind = "tensor" if isinstance(other, Tensor) else "number"
        return write(ROWS[f"{name}_into_{kind}"], name + "_", self, (other,), ())

    call.__name__ = name + "_"
    return call


for _name, _kernel, *_others in (
    ("eq", np.equal), ("ne", np.not_equal, "not_equal"), ("lt", np.less, "less"), ("le", np.less_equal, "less_equal"),
    ("gt", np.greater, "greater"), ("ge", np.greater_equal, "greater_equal"),
):  # fmt: skip
    op(_name, _kernel, "self other", promote="compare")
    # In place the 0s and 1s are written into self: a constant, so that self's old history gets a zero gradient.
    for _kind, _number in (("number", 0), ("tensor", 1)):
        op(f"{_name}_into_{_kind}", _kernel, "self other", promote="arith", face=False,
           node=f"{_name.capitalize()}Backward{_number}", self=lambda F, ct: F.zeros_like(ct))  # fmt: skip
    method(*(n + "_" for n in (_name, *_others)))(_writer(_name))
    face(*_others)(ROWS[_name].call) if _others else None

for _name, _kernel in (
    ("logical_and", np.logical_and), ("logical_or", np.logical_or), ("logical_xor", np.logical_xor),
):  # fmt: skip
    op(_name, _kernel, "self other", promote="compare", inplace=True)
op("logical_not", np.logical_not, inplace=True)
op("bitwise_and", np.bitwise_and, "self other", promote="arith", inplace=True)
op("bitwise_or", np.bitwise_or, "self other", promote="arith", inplace=True)
op("bitwise_xor", np.bitwise_xor, "self other", promote="arith", inplace=True)
op("bitwise_not", np.bitwise_not, inplace=True)
op("isnan", np.isnan)
op("isinf", np.isinf)
op("isfinite", np.isfinite)
op("isposinf", np.isposinf)
op("isneginf", np.isneginf)
op("signbit", np.signbit)


def _dims(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


op("all", lambda x, dim, keepdim: np.all(x, axis=_dims(dim), keepdims=keepdim), params="dim=None keepdim=False")
op("any", lambda x, dim, keepdim: np.any(x, axis=_dims(dim), keepdims=keepdim), params="dim=None keepdim=False")


def _arg(kernel: Any) -> Any:
    def find(x: Any, dim: Any, keepdim: bool) -> Any:
        if dim is not None:
            dim = axis(dim, x.ndim)
        if x.size == 0 and (dim is None or x.shape[dim] == 0):
            raise IndexError("argmax(): Expected reduction dim to be specified for input.numel() == 0.")
        if x.ndim == 0:
            return np.asarray(0)
        return kernel(x, axis=dim, keepdims=keepdim) if dim is not None or keepdim else kernel(x)

    return find


op("argmax", _arg(np.argmax), params="dim=None keepdim=False")
op("argmin", _arg(np.argmin), params="dim=None keepdim=False")
op("count_nonzero", lambda x, dim: np.asarray(np.count_nonzero(x, axis=_dims(dim))), params="dim=None")


@face()
def nonzero(self: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero."""
    found = np.nonzero(np.atleast_1d(self._array))
    if as_tuple:
        return tuple(wrap(f) for f in found)
    return wrap(np.stack(found, 1) if self._array.ndim else np.zeros((len(found[0]), 0), np.int64))


@face()
def equal(self: Tensor, other: Tensor) -> bool:
    """Same shape and same values."""
    return self._array.shape == other._array.shape and bool((self._array == other._array).all())


@face()
def allclose(self: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """All values close: |self - other| <= atol + rtol * |other|."""
    if self._array.dtype != other._array.dtype:
        raise RuntimeError(f"{self.dtype} did not match {other.dtype}")
    return bool(np.allclose(self._array, other._array, rtol, atol, equal_nan))


@face()
def isclose(self: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Elementwise closeness."""
    return wrap(np.isclose(self._array, other._array, rtol, atol, equal_nan))


@function()
def is_tensor(x: Any) -> bool:
    """Whether x is a Tensor."""
    return isinstance(x, Tensor)


@function()
def is_floating_point(x: Tensor) -> bool:
    """Whether the dtype is a float."""
    return x.is_floating_point()


@function()
def is_complex(x: Tensor) -> bool:
    """Whether the dtype is complex."""
    return x.is_complex()


@function()
def is_nonzero(x: Tensor) -> bool:
    """The truth value of a one-element tensor."""
    return bool(x)


@face()
def searchsorted(sorted_sequence: Tensor, values: Any, *, right: bool = False, side: Any = None) -> Tensor:
    """Where the values would go in a sorted sequence."""
    v = values._array if isinstance(values, Tensor) else values
    return wrap(np.asarray(np.searchsorted(sorted_sequence._array, v, "right" if right or side == "right" else "left")))


@function()
def numel(x: Tensor) -> int:
    """The number of elements."""
    return x._array.size
