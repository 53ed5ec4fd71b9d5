"""torch.autograd.grad_mode: the switches, and the unsafe handling of version counters."""

from __future__ import annotations

from typing import Any

from ..modes import enable_grad, inference_mode, no_grad, set_grad_enabled, set_multithreading_enabled
from ..tensor import Tensor


class _unsafe_preserve_version_counter:
    """Writes inside leave no trace in the version counters of the given tensors."""

    def __init__(self, tensors: Any) -> None:
        self.tensors = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        self.versions = [t._version for t in self.tensors]

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        for t, version in zip(self.tensors, self.versions):
            t._storage.version = version


__all__ = [
    "_unsafe_preserve_version_counter", "enable_grad", "inference_mode", "no_grad", "set_grad_enabled",
    "set_multithreading_enabled",
]  # fmt: skip
