"""An executable specification of PyTorch's autograd in pure Python and NumPy, under torch's own names.

    import reference_engine as torch

Read in this order: storage, tensor, graph, engine, modes, inplace, hooks, function, then the table of ops (ops/table
says what a row is). autograd/, nn/, func, optim, utils/ are thin faces that carry torch's names.
"""

# ruff: noqa: F401, F811, I001 - everything imported here is what the package offers, in the order that it needs
from __future__ import annotations

import math as _math
import sys as _sys
from typing import Any

from . import dtypes as _dtypes
from .dtypes import Size, device, dtype, finfo, get_default_dtype, iinfo, promote_types, set_default_dtype
from .tensor import Tensor
from .modes import (
    enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled,
)  # fmt: skip
from .ops import pointwise, binary, compare, shape, unit_dims, strided, parts, join, reduce, norms, scan
from .ops import index, indexadd, linalg, cast, activation, create, random, operators
from .ops import aten as _aten, chapters as _chapters
from .ops.faces import named_input as _named_input
from .ops.table import FUNCTIONS as _FUNCTIONS
from . import leaves as _leaves, printing as _printing
from .copying import load, save
from .install import installed_as_torch

_chapters.load()
_here = _sys.modules[__name__]
for _name in (
    "pointwise", "binary", "compare", "shape", "unit_dims", "strided", "parts", "join", "reduce", "norms", "scan", "index",
    "indexadd",
    "linalg", "cast", "activation", "create", "random", "operators",
):  # fmt: skip
    delattr(_here, _name)
for _name, _fn in _FUNCTIONS.items():
    setattr(_here, _name, _named_input(_fn))
for _name in _dtypes.NAMES:
    setattr(_here, _name, getattr(_dtypes, _name))

from . import autograd, nn, optim  # noqa: E402
from . import _C, cuda, fft, func, linalg, special, utils  # noqa: E402
from .func import vmap  # noqa: E402
from .autograd.anomaly_mode import is_anomaly_check_nan_enabled, is_anomaly_enabled, set_anomaly_enabled  # noqa: E402
from .ops.random import Generator, default_generator  # noqa: E402

inf, nan, pi, e = _math.inf, _math.nan, _math.pi, _math.e
newaxis = None
__version__ = "2.13.0"  # of the torch whose behaviour this is


def result_type(a: Any, b: Any) -> dtype:
    """The dtype that arithmetic on the two would have."""
    return _dtypes.result_type_of(x._array if isinstance(x, Tensor) else x for x in (a, b))


def can_cast(source: dtype, target: dtype) -> bool:
    """Whether a value may be cast without leaving its category."""
    return source.category <= target.category


def set_printoptions(*args: Any, **kwargs: Any) -> None:
    """Accepted; printing is fixed here."""
