"""torch.nn.utils.parametrizations: weights with a norm of their own."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from ..module import Module
from .parametrize import register_parametrization


def norm_except(v: Tensor, dim: int) -> Tensor:
    """The norm over all dimensions but one, which keeps its place; dim -1: over everything."""
    if dim == -1:
        return v.norm()
    size = [1] * v.dim()
    size[dim] = v.shape[dim]
    return v.transpose(0, dim).reshape(v.shape[dim], -1).norm(dim=1).view(size)


class _WeightNorm(Module):
    """g * v / |v|"""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """The weight."""
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Norm and direction."""
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Norm and direction of a weight as parameters of their own."""
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    return module


__all__: list[Any] = ["weight_norm"]
