"""Python's operators and conversions on Tensor."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import errors
from ..modes import state
from ..tensor import Tensor
from .binary import ADD, DIV, MUL, POW, POW_SCALAR, RPOW, RSUB, SUB
from .cast import to
from .table import ROWS

NUMERIC = (Tensor, int, float, complex, np.generic)


Tensor.__neg__ = ROWS["neg"].call
Tensor.__abs__ = ROWS["abs"].call
Tensor.__pos__ = lambda self: self
Tensor.__invert__ = ROWS["bitwise_not"].call
for _name, _fn in (("add", ADD), ("sub", SUB), ("mul", MUL), ("truediv", DIV), ("radd", ADD), ("rmul", MUL), ("rsub", RSUB)):
    setattr(Tensor, f"__{_name}__", _fn)
for _name in ("and", "or", "xor"):
    setattr(Tensor, f"__{_name}__", ROWS[f"bitwise_{_name}"].call)
    setattr(Tensor, f"__r{_name}__", ROWS[f"bitwise_{_name}"].call)
Tensor.__mod__ = lambda a, b: a.remainder(b)
Tensor.__rmod__ = lambda a, b: Tensor._from_number(b).remainder(a)
Tensor.__floordiv__ = lambda a, b: a.floor_divide(b)
Tensor.__rfloordiv__ = lambda a, b: Tensor._from_number(b).floor_divide(a)
Tensor.__matmul__ = lambda a, b: a.matmul(b)
Tensor.__rmatmul__ = lambda a, b: b.matmul(a)
Tensor.__pow__ = lambda a, b: POW(a, b) if isinstance(b, Tensor) else POW_SCALAR(a, b)
Tensor.__rpow__ = lambda a, b: RPOW(a, b)
Tensor.__rtruediv__ = lambda a, b: MUL(ROWS["reciprocal"].call(a), b)

for _op, _row in (("lt", "lt"), ("le", "le"), ("gt", "gt"), ("ge", "ge")):
    setattr(Tensor, f"__{_op}__", ROWS[_row].call)


def _equality(row: Any, otherwise: bool) -> Any:
    def compare(self: Tensor, other: Any) -> Any:
        if not isinstance(other, NUMERIC):
            return NotImplemented if other is not None else otherwise
        return row(self, other.item() if isinstance(other, np.generic) else other)

    return compare


Tensor.__eq__ = _equality(ROWS["eq"].call, False)
Tensor.__ne__ = _equality(ROWS["ne"].call, True)
Tensor.__hash__ = object.__hash__
for _name, _method in (("iadd", "add_"), ("isub", "sub_"), ("imul", "mul_"), ("itruediv", "div_"), ("ipow", "pow_"),
                       ("imod", "remainder_"), ("ifloordiv", "floor_divide_"), ("iand", "bitwise_and_"), ("ior", "bitwise_or_"),
                       ("ixor", "bitwise_xor_")):  # fmt: skip
    setattr(Tensor, f"__{_name}__", getattr(Tensor, _method))

# ---- conversions ------------------------------------------------------------------------------------------------------


def item(self: Tensor) -> Any:
    """The only element as a Python number."""
    if self._array.size != 1:
        raise RuntimeError(f"a Tensor with {self._array.size} elements cannot be converted to Scalar")
    return self._array.item()


_warned = False


def _number(kind: Any) -> Any:
    def convert(self: Tensor) -> Any:
        global _warned
        if self.requires_grad and not _warned:
            _warned = True
            warnings.warn(
                "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\nConsider "
                "using tensor.detach() first.",
                UserWarning,
                stacklevel=2,
            )
        if self._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        value = self._array.item()
        if isinstance(value, complex) and kind is not complex:
            if value.imag:
                name = "double" if kind is float else "int64_t"
                raise RuntimeError(f"value cannot be converted to type {name} without overflow")
            value = value.real
        return kind(value)

    return convert


def _bool(self: Tensor) -> bool:
    n = self._array.size
    if n != 1:
        raise RuntimeError(
            f"Boolean value of Tensor with {'more than one' if n else 'no'} value{'s' if not n else ''} is ambiguous"
        )
    return bool(self._array.item())


def _index(self: Tensor) -> int:
    if self._array.dtype.kind not in "biu" or self._array.size != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(self._array.item())


def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """The array itself, sharing memory."""
    if self.requires_grad and state.grad and not force:
        raise errors.AutogradError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    return self._array


def _array(self: Tensor, dtype: Any = None, copy: Any = None) -> np.ndarray:
    array = numpy(self)
    return array if dtype is None else array.astype(dtype, copy=False)


def _len(self: Tensor) -> int:
    if not self._array.ndim:
        raise TypeError("len() of a 0-d tensor")
    return self._array.shape[0]


def _iter(self: Tensor) -> Iterator:
    if not self._array.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


def _dlpack(self: Tensor, **_: Any) -> Any:
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return self._array.__dlpack__()


def _reversed(self: Tensor) -> Tensor:
    return self.flip(0) if self._array.ndim else self


def _contains(self: Tensor, element: Any) -> bool:
    if not isinstance(element, NUMERIC):
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")
    return bool((self._array == (element._array if isinstance(element, Tensor) else element)).any())


def apply_(self: Tensor, fn: Any) -> Tensor:
    """Replace each element by fn(element)."""
    if self.requires_grad:
        raise errors.AutogradError("Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead.")
    self._array[...] = np.vectorize(fn, otypes=[self._array.dtype])(self._array)
    return self


def map_(self: Tensor, other: Tensor, fn: Any) -> Tensor:
    """Replace each element by fn(element, other's)."""
    if self.requires_grad or other.requires_grad:
        raise errors.AutogradError("Can't call map_() on Variable that requires grad. Use var.detach().map_() instead.")
    self._array[...] = np.vectorize(fn, otypes=[self._array.dtype])(self._array, other._array)
    return self


Tensor.item, Tensor.numpy, Tensor.apply_, Tensor.map_ = item, numpy, apply_, map_
Tensor.tolist = lambda self: self._array.tolist()
Tensor.__float__, Tensor.__int__, Tensor.__complex__ = _number(float), _number(int), _number(complex)
Tensor.__bool__, Tensor.__index__, Tensor.__array__ = _bool, _index, _array
Tensor.__len__, Tensor.__iter__, Tensor.__contains__, Tensor.__reversed__ = _len, _iter, _contains, _reversed
Tensor.__dlpack__ = _dlpack
Tensor.__dlpack_device__ = lambda self: (1, 0)
_ = to
