"""The few names of torch._C that torch code reaches for."""

from __future__ import annotations

from typing import Any


class _autograd:
    @staticmethod
    def _unsafe_set_version_counter(tensors: Any, versions: Any) -> None:
        """Move version counters anywhere."""
        for t, v in zip(tensors, versions):
            t._storage.version = v


def _set_grad_enabled(mode: bool) -> None:
    from .modes import state

    state.grad = mode
