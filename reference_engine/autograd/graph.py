"""torch.autograd.graph: nodes, gradient edges and saved-tensor hooks."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from typing import Any

from .. import errors
from ..graph import Node, edge_of
from ..hooks import (
    disable_saved_tensors_hooks,
    register_multi_grad_hook,
    save_on_cpu,
    saved_tensors_hooks,
)
from ..tensor import Tensor
from .mutation import allow_mutation_on_saved_tensors

GradientEdge = namedtuple("GradientEdge", "node output_nr ownership_token", defaults=(None,))


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of the tensor would flow: stands for it as a root or an input."""
    if not tensor.requires_grad:
        raise errors.NoGradInput("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(*edge_of(tensor))


def increment_version(tensor: Any) -> None:
    """Count a write that the engine did not see."""
    if not isinstance(tensor, (Tensor, Iterable)):
        raise errors.AutogradError("increment_version expect a Iterable[Tensor] as input")
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        if not isinstance(t, Tensor):
            raise errors.AutogradError("increment_version expects each element of the iterable to be a tensor")
        if t._storage.version is None:
            continue
        t._storage.version += 1
        t._storage.writer = "increment_version"


__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip
