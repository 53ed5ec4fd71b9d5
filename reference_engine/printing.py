"""repr of tensors, close to torch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .tensor import Tensor


def _element(x: Any, whole: bool) -> str:
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    if isinstance(x, (int, np.integer)):
        return str(int(x))
    if isinstance(x, (complex, np.complexfloating)):
        return f"{x.real:.4f}{x.imag:+.4f}j"
    if whole and np.isfinite(x):
        return f"{x:.0f}."
    return f"{x:.4f}"


def body(array: np.ndarray, indent: int) -> str:
    """The numbers, nested in brackets."""
    if not array.size:
        return "[]"
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    whole = array.dtype.kind == "f" and bool((finite == np.trunc(finite)).all())

    def text(a: np.ndarray, depth: int) -> str:
        if not a.ndim:
            return _element(a[()], whole)
        items = list(a) if a.shape[0] <= 12 else [*a[:3], None, *a[-3:]]
        parts = ["..." if i is None else text(np.asarray(i), depth + 1) for i in items]
        glue = ", " if a.ndim == 1 else "," + "\n" * (a.ndim - 1) + " " * (indent + depth + 1)
        if a.ndim == 1:
            width = max(map(len, parts))
            parts = [p.rjust(width) for p in parts]
        return "[" + glue.join(parts) + "]"

    return text(array, 0)


def represent(self: Tensor) -> str:
    """tensor([1., 2.], requires_grad=True)"""
    array, d = self._array, self.dtype
    extra = []
    if not array.size and array.ndim != 1:
        extra.append(f"size={tuple(array.shape)}")
    default = (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool, dtypes.get_default_dtype().to_complex())
    if d not in default or (not array.size and d is not dtypes.get_default_dtype()):
        extra.append(f"dtype={d}")
    if self._edge is not None and not self._edge[0].hidden:
        extra.append(f"grad_fn=<{type(self._edge[0]).__name__}>")
    elif self._rg:
        extra.append("requires_grad=True")
    tangent = None if self._meta is None or not self._meta.tangents else next(reversed(self._meta.tangents.values()))
    if tangent is not None:
        extra.append(f"tangent={represent(tangent)}")
    prefix = "Parameter containing:\ntensor(" if type(self).__name__ == "Parameter" else "tensor("
    return prefix + ", ".join([body(array, 7), *extra]) + ")"


Tensor.__repr__ = represent
Tensor.__str__ = represent
Tensor.__format__ = lambda self, spec: format(self.item(), spec) if spec and self._array.ndim == 0 else represent(self)
