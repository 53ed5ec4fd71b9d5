"""torch.nn.utils.stateless: the older name of torch.func.functional_call."""

from __future__ import annotations

from typing import Any

from ...func import functional_call as call


def functional_call(module: Any, parameters_and_buffers: Any, args: Any = None, kwargs: Any = None, *,
                    tie_weights: bool = True, strict: bool = False) -> Any:  # fmt: skip
    """Call a module with other tensors in the places of its parameters and buffers."""
    return call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


__all__ = ["functional_call"]
