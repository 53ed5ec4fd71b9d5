"""dtype objects, the default dtype, and torch's promotion rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

BOOL, INT, FLOAT, COMPLEX = range(4)
_CATEGORY = {"b": BOOL, "u": INT, "i": INT, "f": FLOAT, "c": COMPLEX}


class dtype:
    """One element type: torch's name for it and the NumPy dtype that carries it."""

    __slots__ = ("__weakref__", "category", "long_name", "name", "np")

    def __init__(self, name: str, carrier: Any, long_name: str) -> None:
        self.name = name
        self.np = np.dtype(carrier)
        self.category = _CATEGORY[self.np.kind]
        self.long_name = long_name

    is_floating_point = property(lambda self: self.category == FLOAT)
    is_complex = property(lambda self: self.category == COMPLEX)
    is_signed = property(lambda self: self.np.kind not in "bu")
    itemsize = property(lambda self: self.np.itemsize)

    def to_complex(self) -> dtype:
        """The complex dtype of the same precision."""
        return {"float64": complex128, "complex128": complex128}.get(self.name, complex64)

    def to_real(self) -> dtype:
        """The real dtype of the same precision."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple:
        return _by_name, (self.name,)


def _by_name(name: str) -> dtype:
    return globals()[name]


float16 = half = dtype("float16", np.float16, "Half")
float32 = float = dtype("float32", np.float32, "Float")
float64 = double = dtype("float64", np.float64, "Double")
complex64 = cfloat = dtype("complex64", np.complex64, "ComplexFloat")
complex128 = cdouble = dtype("complex128", np.complex128, "ComplexDouble")
uint8 = dtype("uint8", np.uint8, "Byte")
int8 = dtype("int8", np.int8, "Char")
int16 = short = dtype("int16", np.int16, "Short")
int32 = int = dtype("int32", np.int32, "Int")
int64 = long = dtype("int64", np.int64, "Long")
uint16 = dtype("uint16", np.uint16, "UInt16")
uint32 = dtype("uint32", np.uint32, "UInt32")
uint64 = dtype("uint64", np.uint64, "UInt64")
bool = dtype("bool", np.bool_, "Bool")

ALL = (
    float16, float32, float64, complex64, complex128, uint8, int8, int16, int32, int64, uint16, uint32, uint64, bool,
)  # fmt: skip
OF_NUMPY: dict[np.dtype, dtype] = {d.np: d for d in ALL}
NAMES = [
    "float16", "half", "float32", "float", "float64", "double", "complex64", "cfloat", "complex128", "cdouble", "uint8",
    "int8", "int16", "short", "int32", "int", "int64", "long", "uint16", "uint32", "uint64", "bool",
]  # fmt: skip

_py_bool, _py_int, _py_float = True.__class__, (1).__class__, (1.0).__class__


class _Default:
    """The dtype that Python floats get; `torch.set_default_dtype` changes it."""

    dtype = float32


def get_default_dtype() -> dtype:
    """The dtype of tensors made from Python floats."""
    return _Default.dtype


def set_default_dtype(d: dtype) -> None:
    """Change the dtype of tensors made from Python floats; only float dtypes are allowed."""
    if d.category != FLOAT:
        raise TypeError("only floating-point types are supported as the default type")
    _Default.dtype = d


def as_dtype(d: Any) -> dtype:
    """A dtype from a dtype or from Python's float, int, bool, complex."""
    if d.__class__ is dtype:
        return d
    table = {_py_float: _Default.dtype, _py_int: int64, _py_bool: bool, complex: complex128}
    if d in table:
        return table[d]
    return OF_NUMPY[np.dtype(d)]


def of_number(value: Any) -> dtype:
    """The dtype of a Python number taking part in arithmetic."""
    if value.__class__ is _py_bool or isinstance(value, np.bool_):
        return bool
    if isinstance(value, (_py_int, np.integer)):
        return int64
    if isinstance(value, (_py_float, np.floating)):
        return _Default.dtype
    return _Default.dtype.to_complex()


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest dtype that holds both; an integer never widens a float (unlike NumPy)."""
    if a is b:
        return a
    if a.category < b.category:
        a, b = b, a
    if a.category == b.category:
        return OF_NUMPY.get(np.promote_types(a.np, b.np), float32)
    if a.category == COMPLEX and b is float64:
        return complex128
    return a


def _combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """Merge two priority classes: the lower one counts only if its category is higher (torch: combine_categories)."""
    if higher is None or lower is None:
        return higher or lower
    if higher.category >= lower.category:
        return higher
    if higher.category == FLOAT:
        return higher.to_complex()
    return promote_types(higher, lower)


def result_type_of(operands: Iterable[Any]) -> dtype:
    """The dtype of arithmetic on arrays and Python numbers.

    Arrays with dimensions come first, 0-dim arrays second, numbers last (torch: TensorIterator's result_type).
    """
    ranks: list[dtype | None] = [None, None, None]
    for x in operands:
        if x is None:
            continue
        if isinstance(x, (np.ndarray, np.generic)):
            rank, d = (0 if x.ndim else 1), OF_NUMPY[x.dtype]
        else:
            rank, d = 2, of_number(x)
        seen = ranks[rank]
        ranks[rank] = d if seen is None else promote_types(seen, d)
    return _combine(ranks[0], _combine(ranks[1], ranks[2])) or _Default.dtype


class finfo:
    """Limits of a float dtype."""

    def __init__(self, d: Any = None) -> None:
        d = as_dtype(d or _Default.dtype)
        i = np.finfo(d.np)
        self.dtype, self.bits = d.name, i.bits
        self.eps, self.max, self.min = i.eps.item(), i.max.item(), i.min.item()
        self.tiny = self.smallest_normal = i.tiny.item()
        self.resolution = i.resolution.item()


class iinfo:
    """Limits of an integer dtype."""

    def __init__(self, d: Any) -> None:
        i = np.iinfo(as_dtype(d).np)
        self.bits, self.max, self.min, self.dtype = i.bits, _py_int(i.max), _py_int(i.min), as_dtype(d).name


class Size(tuple):
    """A shape: a tuple that prints as torch's."""

    __slots__ = ()

    def numel(self) -> _py_int:
        """The number of elements of that shape."""
        n = 1
        for s in self:
            n *= s
        return n

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __add__(self, other: Any) -> Size:
        return Size(tuple(self) + tuple(other))

    def __getitem__(self, key: Any) -> Any:
        got = tuple.__getitem__(self, key)
        return Size(got) if isinstance(key, slice) else got


_DEVICES = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy", "vulkan",
    "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class device:
    """Where a tensor lives: always the CPU here."""

    __slots__ = ("index", "type")

    def __init__(self, kind: Any = "cpu", index: Any = None) -> None:
        name, _, number = str(kind).partition(":")
        if name not in _DEVICES:
            raise RuntimeError(f"Expected one of {', '.join(_DEVICES)} device type at start of device string: {name}")
        self.type = name
        self.index = _py_int(number) if number else index

    def __eq__(self, other: object) -> _py_bool:
        return isinstance(other, device) and self.type == other.type and self.index == other.index

    def __hash__(self) -> _py_int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        parts = f"type={self.type!r}" + ("" if self.index is None else f", index={self.index}")
        return f"device({parts})"


CPU = device("cpu")
