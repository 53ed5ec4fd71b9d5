"""torch.ops.aten: every op by its aten name, as a callable with its overloads (`aten.add.Tensor` is `aten.add` here).

Looked up in this order: the names that aten alone has, the package's functions, the methods of Tensor, the rows.
"""

from __future__ import annotations

import sys
from typing import Any

from ..tensor import Tensor
from . import conv, norm
from .pool import FACES
from .table import FUNCTIONS, ROWS

NAMES: dict[str, Any] = {
    "convolution": conv.convolution, "convolution_backward": conv.convolution_backward,
    "native_batch_norm": norm.native_batch_norm, "_native_batch_norm_legit": norm.native_batch_norm_legit,
    "_native_batch_norm_legit_no_training": norm.native_batch_norm_legit_no_training,
    "native_layer_norm": norm.native_layer_norm, "native_layer_norm_backward": norm.native_layer_norm_backward,
    "native_group_norm": norm.native_group_norm,
}  # fmt: skip
NAMES.update({f"{name}{tail}": face for name, face in FACES.items() for tail in ("",)})


class Packet:
    """One op under its aten name."""

    def __init__(self, name: str, run: Any) -> None:
        self.name, self.run = name, run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)

    def __getattr__(self, overload: str) -> Any:
        if overload.startswith("__"):
            raise AttributeError(overload)
        return self

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='aten.{self.name}')>"


def find(name: str) -> Any:
    """What an aten name stands for, or None."""
    if name in NAMES:
        return NAMES[name]
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    # What nn.functional and the package have been given by others.
    package = sys.modules[__name__.rpartition(".ops.")[0]]
    for place in (Tensor, package, package.nn.functional):
        found = getattr(place, name, None)
        if callable(found):
            return found
    row = ROWS.get(name)
    return row.call if row is not None else None


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    found = find(name)
    if found is None:
        raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute '{name}'")
    return Packet(name, found)
