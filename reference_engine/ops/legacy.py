"""Old and internal names that torch code still uses: typed constructors, Tensor.new, the _foreach functions, global settings."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..storage import Storage
from ..tensor import Tensor, alias
from .create import legacy_tensor
from .faces import function, method
from .table import FUNCTIONS


class _Typed(type):
    """The class of torch.FloatTensor and its like: makes tensors of one dtype, and knows them again."""

    dtype: Any

    def __call__(cls, *args: Any, **kwargs: Any) -> Tensor:
        made = legacy_tensor(Tensor, *args, **kwargs)
        return alias(made._array.astype(cls.dtype.np), Storage.at(0))

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype


for _d in dtypes.ALL:
    if _d.long_name.startswith(("Complex", "UInt")):
        continue
    FUNCTIONS[f"{_d.long_name}Tensor"] = _Typed(f"{_d.long_name}Tensor", (), {"dtype": _d, "__module__": "torch"})


@method("new")
def new(self: Tensor, *args: Any) -> Tensor:
    """A tensor of this one's dtype: Tensor(*args)."""
    made = legacy_tensor(Tensor, *args)
    return alias(made._array.astype(self._array.dtype), Storage.at(0))


# ---- one op on every tensor of a list ---------------------------------------------------------------------------------


def _foreach(name: str) -> None:
    fn = getattr(Tensor, name)

    def call(tensors: Any, *others: Any, **kwargs: Any) -> list[Tensor]:
        rows = (
            zip(*(o if isinstance(o, (list, tuple)) else [o] * len(tensors) for o in others)) if others else [()] * len(tensors)
        )
        return [fn(t, *row, **kwargs) for t, row in zip(tensors, rows)]

    call.__name__ = f"_foreach_{name}"
    FUNCTIONS[call.__name__] = call


_POINTWISE = (
    "abs add addcdiv addcmul ceil clamp_max clamp_min cos div erf exp expm1 floor frac lerp log log10 log1p log2 maximum "
    "minimum mul neg pow reciprocal round sigmoid sign sin sqrt sub tan tanh trunc"
)
for _name in _POINTWISE.split():
    _foreach(_name)
    if hasattr(Tensor, _name + "_"):
        _foreach(_name + "_")
for _name in ("copy_", "norm", "zero_"):
    _foreach(_name)


# ---- settings that change nothing here --------------------------------------------------------------------------------


class _Settings:
    threads = 1
    deterministic = False


@function()
def get_num_threads() -> int:
    """The number that set_num_threads was given; kernels decide for themselves."""
    return _Settings.threads


@function()
def set_num_threads(n: int) -> None:
    """Remembered."""
    _Settings.threads = n


@function()
def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered; every algorithm here is deterministic."""
    _Settings.deterministic = mode


@function()
def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was given."""
    return _Settings.deterministic


@function()
def get_default_device() -> Any:
    """The CPU."""
    return dtypes.CPU


method("multinomial")(FUNCTIONS["multinomial"])


@method("prelu")
def prelu(self: Tensor, weight: Tensor) -> Tensor:
    """leaky_relu with a slope that may be learned"""
    from ..nn.functional import prelu as by_name

    return by_name(self, weight)
