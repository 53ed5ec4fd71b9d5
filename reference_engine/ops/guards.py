"""Operands that kernels of NumPy would take and torch refuses."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes


def whole(divide: Any) -> Any:
    """A division that refuses to divide integers by zero; NumPy would answer 0."""

    def kernel(a: Any, b: Any) -> Any:
        result = divide(a, b)
        if result.dtype.kind in "iu" and not np.all(b):
            raise RuntimeError("ZeroDivisionError")
        return result

    return kernel


def where_kernel(condition: Any, a: Any, b: Any) -> Any:
    """numpy.where for a condition that is boolean."""
    if condition.dtype.kind != "b" and condition.dtype != np.uint8:
        kind = dtypes.OF_NUMPY[condition.dtype].long_name
        raise RuntimeError(f"where expected condition to be a boolean tensor, but got a tensor with dtype {kind}")
    return np.where(condition, a, b)


def mask_only(mask: Any) -> Any:
    """The mask, if it is boolean. Raises RuntimeError."""
    if mask.dtype.kind != "b":
        kind = dtypes.OF_NUMPY[mask.dtype].long_name.lower()
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {kind}")
    return mask
