"""Questions about tensors that no gradient depends on, and functions that repeat methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor, address, wrap
from .faces import face, function, method
from .table import FUNCTIONS

# Attributes that are the same for every tensor here.
for _name in ("mps", "mtia", "maia", "xpu", "ipu", "vulkan", "sparse_csr"):
    setattr(Tensor, f"is_{_name}", False)
Tensor.is_cpu = True


@face()
def is_signed(self: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return self.dtype.is_signed


@face()
def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether the shapes are equal."""
    return self._array.shape == other._array.shape


@face()
def is_nonzero(self: Tensor) -> bool:
    """Whether the only element is not zero."""
    return bool(self)


@face("is_distributed", "is_pinned", function=False)
def _never(self: Tensor, *_: Any) -> bool:
    return False


@method("is_shared")
def is_shared(self: Tensor) -> bool:
    """Whether share_memory_ was called on it."""
    return getattr(self, "_shared", False)


@method("share_memory_")
def share_memory_(self: Tensor) -> Tensor:
    """Memory is not moved: threads share it anyway."""
    self._shared = True
    return self


@method("const_data_ptr")
def const_data_ptr(self: Tensor) -> int:
    """The address of the first element."""
    return address(self._array) if self._array.size else 0


@method("_use_count")
def _use_count(self: Tensor) -> int:
    return 1


@method("as_subclass")
def as_subclass(self: Tensor, cls: type) -> Tensor:
    """The same tensor as an alias of another class."""
    from .table import ROWS

    out = ROWS["alias"].call(self)
    out.__class__ = cls
    return out


Tensor._grad_fn = property(lambda self: self.grad_fn)
for _name in ("is_inference", "is_floating_point", "is_complex", "get_device", "detach", "detach_"):
    function(_name)(getattr(Tensor, _name))


@function()
def typename(x: Any) -> str:
    """The type as torch's messages name it: torch.FloatTensor, or module and class."""
    if type(x) is Tensor:
        return x.type()
    kind = x if isinstance(x, type) else type(x)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


@function()
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Which elements are among the others."""
    values = [x._array if isinstance(x, Tensor) else x for x in (elements, test_elements)]
    return wrap(np.isin(*values, assume_unique=assume_unique, invert=invert))


@function()
def is_storage(x: Any) -> bool:
    """Whether it is a storage object."""
    from ..storage import UntypedStorage

    return isinstance(x, UntypedStorage)


# torch.<name>_(x) exists beside x.<name>_() for these.
_IN_PLACE = (
    "abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh as_strided asin asinh atan atanh ceil clamp "
    "clamp_max clamp_min clip cos cosh deg2rad erf erfc exp exp2 expm1 fix floor frac gcd i0 index_put lcm ldexp log "
    "log10 log1p log2 logit nan_to_num neg negative rad2deg reciprocal resize_as round rsqrt sigmoid sin sinc sinh sqrt "
    "square tan tanh trunc xlogy conj_physical"
)


def repeat_methods() -> None:
    """Offer the in-place methods as functions too."""
    for name in _IN_PLACE.split():
        found = getattr(Tensor, name + "_", None)
        if found is not None:
            FUNCTIONS.setdefault(name + "_", found)


repeat_methods()
