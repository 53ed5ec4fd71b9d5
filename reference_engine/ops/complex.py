"""Complex numbers: their parts as views, lazy conjugates, and how they are made from real ones.

Gradients are torch's: for a real-valued loss L of z = x + iy the gradient is dL/dx + i dL/dy, so that a holomorphic op
with derivative f'(z) has the vjp ct * conj(f'(z)), and ops between real and complex numbers take real parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes, errors, views
from ..storage import address, flat, offset, strided, strides
from ..tensor import Tensor, new
from .faces import face, function, method
from .layout import contiguous_format
from .table import ROWS, arrays, op, tensors

# ---- the parts --------------------------------------------------------------------------------------------------------


def _view_as_real(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    x = np.asarray(x)  # a cotangent of one number may come as a NumPy scalar
    part = x.real
    return strided(flat(part), (*x.shape, 2), (*(2 * s for s in strides(x)), 1), offset(part))


def _view_as_complex(x: np.ndarray) -> np.ndarray:
    steps, start = strides(x), offset(x)
    if x.dtype.kind != "f":
        raise RuntimeError(f"view_as_complex is only supported for floating point tensors, but got a tensor of scalar type: {dtypes.OF_NUMPY[x.dtype].long_name}")  # noqa: E501 # fmt: skip
    if x.ndim == 0:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if x.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if steps[-1] != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if start % 2:
        raise RuntimeError("Tensor must have a storage_offset divisible by 2")
    if any(s % 2 for s in steps[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    kind = np.result_type(x.dtype, np.complex64)
    return np.ndarray(x.shape[:-1], kind, flat(x), start * x.itemsize, x.strides[:-1])


op("view_as_real", _view_as_real, view=True, face=False, jvp="linear", self=lambda F, ct: F.as_complex(ct))
op("view_as_complex", _view_as_complex, view=True, face="function", jvp="linear", self=lambda F, ct: F.view_as_real(ct))
# Copied: a contiguous array may have any stride along a dimension of length 1, and a complex view wants even ones.
arrays.as_complex = lambda x: _view_as_complex(np.array(x, order="C"))
tensors.as_complex = lambda x: ROWS["view_as_complex"].call(x.clone(memory_format=contiguous_format))


@function("view_as_real")
def view_as_real(self: Tensor) -> Tensor:
    """Pairs of real and imaginary parts along a new last dimension, as a view."""
    if isinstance(self, ConjTensor):
        raise RuntimeError(
            "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate tensor so you can view "
            "it as real, use self.resolve_conj(); however, be warned that the resulting tensor will NOT alias the original."
        )
    return ROWS["view_as_real"].call(self)


def across(base: Tensor, view: Tensor) -> Any:
    """How to look at a complex base through a real view, or the other way round; None for other dtypes."""
    b, v = base._array, view._array
    shape, steps = v.shape, strides(v)
    as_real, as_complex = ROWS["view_as_real"].call, ROWS["view_as_complex"].call
    if b.dtype.kind == "c" and v.dtype == b.real.dtype:
        start = (address(v) - address(b)) // v.itemsize

        def parts(whole: Tensor) -> Tensor:
            pairs = as_real(whole)
            return pairs.as_strided(shape, steps, offset(pairs._array) + start)

        return parts
    if v.dtype.kind == "c" and b.dtype == v.real.dtype:
        start = (address(v) - address(b)) // b.itemsize

        def numbers(whole: Tensor) -> Tensor:
            place = offset(whole._array) + start
            return as_complex(whole.as_strided((*shape, 2), (*(2 * s for s in steps), 1), place))

        return numbers
    return None


@function("real")
def real(self: Tensor) -> Tensor:
    """The real part, as a view; a real tensor is its own."""
    if self._array.dtype.kind != "c":
        return self
    if isinstance(self, ConjTensor):
        return real(self._source)
    return ROWS["view_as_real"].call(self).select(-1, 0)


@function("imag")
def imag(self: Tensor) -> Tensor:
    """The imaginary part, as a view."""
    if self._array.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    if isinstance(self, ConjTensor):
        return imag(self._source).neg()
    return ROWS["view_as_real"].call(self).select(-1, 1)


Tensor.real = property(real, lambda self, value: _set(real(self), value))
Tensor.imag = property(imag, lambda self, value: _set(imag(self), value))


def _set(part: Tensor, value: Any) -> None:
    part.copy_(value) if isinstance(value, Tensor) else part.fill_(value)


op("imag_part", lambda x: x.imag.copy(), face=False, node="ImagBackward0", casts=True,
   self=lambda F, ct, self_dtype: F.mul(F.to_numpy_dtype(ct, self_dtype), 1j))  # fmt: skip
arrays.imag = np.imag
tensors.imag = ROWS["imag_part"].call

# ---- conjugates -------------------------------------------------------------------------------------------------------

op("conj_view", np.conj, face=False, node="ConjBackward0", jvp="linear", self=lambda F, ct: F.conj(ct))


class ConjTensor(Tensor):
    """The conjugate of `_source`, computed when it is looked at; writing to it writes to the source."""

    __slots__ = ("_source",)

    @property
    def _array(self) -> np.ndarray:  # type: ignore[override]
        value = np.asarray(np.conj(self._source._array))
        value.flags.writeable = False  # a write must go through `_through`
        return value

    def data_ptr(self) -> int:
        """The source's: the memory is shared."""
        return self._source.data_ptr()

    def untyped_storage(self) -> Any:
        """The source's."""
        return self._source.untyped_storage()

    def storage_offset(self) -> int:
        """The source's."""
        return self._source.storage_offset()

    def stride(self, dim: int | None = None) -> Any:
        """The source's."""
        return self._source.stride(dim)

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the source is."""
        return self._source.is_contiguous()

    def detach(self) -> Tensor:
        """The conjugate of the detached source."""
        return conj(self._source.detach())

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """Refused: NumPy knows no lazy conjugates."""
        if not force:
            raise errors.AutogradError(
                "Can't call numpy() on Tensor that has conjugate bit set. Use tensor.resolve_conj().numpy() instead."
            )
        return self._array


def _through(name: str) -> Any:
    """An in-place method of a lazy conjugate: done on a copy, whose conjugate then goes into the source."""

    def call(self: ConjTensor, *args: Any, **kwargs: Any) -> Any:
        copy = self.clone()
        getattr(Tensor, name)(copy, *args, **kwargs)
        ROWS["alias"].call(self._source).copy_(ROWS["conj_physical"].call(copy))
        return self

    call.__name__ = name
    return call


_NOT_WRITES = {"requires_grad_", "retain_grad_", "detach_", "apply_", "map_"}
_OPERATORS = ["__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__", "__setitem__"]


def _write_through() -> None:
    """Give ConjTensor its in-place methods: at the first conjugate, when all chapters have given theirs to Tensor."""
    if "add_" in ConjTensor.__dict__:
        return
    for name in dir(Tensor):
        if name in _OPERATORS or (name.endswith("_") and not name.startswith("_") and name not in _NOT_WRITES):
            setattr(ConjTensor, name, _through(name))


@face("conj")
def conj(self: Tensor) -> Tensor:
    """The conjugate as a lazy view; a real tensor is its own."""
    if self._array.dtype.kind != "c":
        return self
    if isinstance(self, ConjTensor):
        made = ROWS["conj_view"].call(self)
        made._array = self._source._array  # the conjugate of the conjugate looks at the memory itself
        views.attach(made, self._source)
        return made
    _write_through()
    made = ROWS["conj_view"].call(self)
    lazy = new(ConjTensor)
    lazy._source = self
    lazy._rg, lazy._edge, lazy._meta, lazy._view = made._rg, made._edge, made._meta, None
    views.attach(lazy, self)
    if lazy._view is None:  # made of an inference tensor
        return lazy
    back = views.replay(self)
    window = None if self._view is None else views.geometry(self)
    lazy._view.replay = lambda base: conj(_again(base, back, window))
    return lazy


def _again(base: Tensor, replay: Any, window: Any) -> Tensor:
    if replay is not None:
        return replay(base)
    return base if window is None else base.as_strided(*window)


face("adjoint")(lambda self: self.mH)
face("is_conj")(lambda self: isinstance(self, ConjTensor))
face("is_neg")(lambda self: False)
face("resolve_conj")(lambda self: self.clone() if isinstance(self, ConjTensor) else self)


@method("abs_", "absolute_")
def _abs_(self: Tensor) -> Tensor:
    """abs in place: for real numbers, since those of complex ones have another dtype"""
    if self._array.dtype.kind == "c":
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return ROWS["abs"].inplace(self)


@method("conj_physical_")
def _conj_physical_(self: Tensor) -> Tensor:
    from ..inplace import write

    return write(ROWS["conj_physical"], "conj_physical_", self, (), ())


# ---- made from real numbers -------------------------------------------------------------------------------------------


def _complex(re: np.ndarray, im: np.ndarray) -> np.ndarray:
    names = [dtypes.OF_NUMPY[x.dtype].long_name for x in (re, im)]
    if re.dtype.kind != "f" or im.dtype.kind != "f":
        raise RuntimeError(f"Expected both inputs to be Half, Float or Double tensors but got {names[0]} and {names[1]}")
    if re.dtype != im.dtype:
        raise RuntimeError(f"Expected object of scalar type {names[0]} but got scalar type {names[1]} for second argument")
    out = np.empty(np.broadcast_shapes(re.shape, im.shape), np.result_type(re.dtype, np.complex64))
    out.real, out.imag = re, im
    return out


op("complex", _complex, "real imag", face="function", jvp="linear",
   real=lambda F, ct, real: F.real(ct), imag=lambda F, ct, imag: F.imag(ct))  # fmt: skip
op("polar", lambda size, angle: _complex(size * np.cos(angle), size * np.sin(angle)), "abs angle", face="function",
   abs=lambda F, ct, result: F.real(F.mul(F.conj(ct), F.sgn(result))),
   angle=lambda F, ct, result: F.real(F.mul(F.conj(ct), F.mul(result, 1j))))  # fmt: skip


def _angle(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind in "fc":
        return np.where(np.isnan(x), x.real, np.angle(x)).astype(x.real.dtype)
    return np.where(x < 0, np.pi, 0.0).astype(dtypes.get_default_dtype().np)


def _angle_vjp(F: Any, ct: Any, self: Any) -> Any:
    """i z / |z|^2 for complex numbers, 0 at 0; nothing for real ones."""
    if not F.is_complex(self):
        return F.zeros_like(ct)
    return F.masked_fill(F.div(F.mul(ct, 1j), F.conj(self)), F.eq(self, 0), 0.0)


arrays.is_complex = np.iscomplexobj
tensors.is_complex = Tensor.is_complex
op("angle", _angle, self=_angle_vjp)
op("isreal", np.isreal)
