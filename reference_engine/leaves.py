"""The rules of `.grad`: what may be assigned to it, and of which dtype it is. Put on Tensor here."""

from __future__ import annotations

import warnings
from typing import Any

from . import errors
from .tensor import Meta, Tensor

ANY = False  # what Meta.grad_dtype holds after `grad_dtype = None`: a gradient of whatever dtype is accepted


def _cpp(kind: Any) -> str:
    """The name of a dtype in C++, by which some of torch's messages call it."""
    names = {"Half": "c10::Half", "ComplexFloat": "c10::complex<float>", "ComplexDouble": "c10::complex<double>"}
    return names.get(kind.long_name, kind.long_name.lower())


def _get_grad(self: Tensor) -> Any:
    meta = self._meta
    got = None if meta is None else meta.grad
    if got is None and self._edge is not None and not self.retains_grad:
        warnings.warn(
            "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't "
            "be populated during autograd.backward(). If you indeed want the .grad field to be populated for a "
            "non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by "
            "mistake, make sure you access the leaf Tensor instead.",
            UserWarning,
            stacklevel=2,
        )
    return got


def _set_grad(self: Tensor, value: Any) -> None:
    if value is not None:
        _check(self, value)
    if self._meta is None:
        self._meta = Meta.empty()
    self._meta.grad = value


def _delete_grad(self: Tensor) -> None:
    if self._meta is not None:
        self._meta.grad = None


def _check(self: Tensor, value: Any) -> None:
    """Raise if the value may not stand in `.grad` of the tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}")
    if value is self:
        raise errors.AutogradError("can't assign Variable as its own grad")
    wanted = _dtype_of_grad(self)
    if wanted is not None and value.dtype is not wanted:
        raise errors.AutogradError(
            f"attempting to assign a gradient with dtype '{_cpp(value.dtype)}' to a tensor with grad_dtype "
            f"'{wanted.long_name}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype)."
        )
    if value.device != self.device:
        raise errors.AutogradError(
            f"attempting to assign a gradient with device type '{value.device}' to a tensor with device type "
            f"'{self.device}'. Please ensure that the gradient and the tensor are on the same device"
        )
    if value._array.shape != self._array.shape:
        raise errors.ShapeMismatch(
            f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size "
            f"'{list(self.shape)}'. Please ensure that the gradient and the tensor are the same size"
        )


def _dtype_of_grad(self: Tensor) -> Any:
    meta = self._meta
    if meta is None or meta.grad_dtype is None:
        return self.dtype
    return None if meta.grad_dtype is ANY else meta.grad_dtype


def _get_grad_dtype(self: Tensor) -> Any:
    if not self.is_leaf:
        raise errors.AutogradError("grad_dtype can only be accessed on leaf tensors.")
    return _dtype_of_grad(self)


def _set_grad_dtype(self: Tensor, value: Any) -> None:
    if not self.is_leaf:
        raise errors.AutogradError("grad_dtype can only be set on leaf tensors.")
    if value is not None and not hasattr(value, "long_name"):
        raise errors.AutogradError(f"grad_dtype must be a torch.dtype or None, but got {type(value).__name__}")
    if self._meta is None:
        self._meta = Meta.empty()
    current = self._meta.grad
    if value is not None and current is not None and current.dtype is not value:
        raise errors.AutogradError(
            f"Cannot set grad_dtype to '{value.long_name}' because there is already a gradient with dtype "
            f"'{_cpp(current.dtype)}'. Please clear the gradient (.grad = None) before changing grad_dtype, or ensure "
            "the new grad_dtype matches the existing gradient's dtype."
        )
    self._meta.grad_dtype = ANY if value is None else value


Tensor.grad = Tensor._grad = property(_get_grad, _set_grad, _delete_grad, "The gradient accumulated so far, or None.")
Tensor.grad_dtype = property(_get_grad_dtype, _set_grad_dtype, None, "The dtype that `.grad` has; None: any.")
