"""Integrals and derivatives estimated from samples: cumulative_trapezoid, gradient. Composed of other ops."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from .faces import function
from .shape import axis


def _along(x: Any, like: Tensor, dim: int) -> Any:
    """Steps along one dimension of `like`, in a shape that broadcasts."""
    return x if x.dim() > 1 else x.reshape([-1 if d == dim else 1 for d in range(like.dim())])


@function()
def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The integral by trapezoids up to each sample but the first."""
    d = axis(dim, y.dim())
    n = y.shape[d]
    both = y.narrow(d, 1, n - 1) + y.narrow(d, 0, n - 1)
    if x is None:
        return (dx / 2.0) * both.cumsum(d)
    return (_along(x.diff(dim=d if x.dim() > 1 else -1), y, d) * both).cumsum(d) / 2.0


def _spacings(spacing: Any, dims: list[int]) -> list[Any]:
    """The distance of samples along each dimension: a number, or the coordinates."""
    if not isinstance(spacing, (list, tuple)):
        return [1 if spacing is None else spacing] * len(dims)
    if len(spacing) != len(dims):
        kind = "coordinates" if isinstance(spacing[0], Tensor) else "spacing"
        raise RuntimeError(
            f"torch.gradient expected {kind} to be unspecified, a scalar, or a list of length equal to 'self.dim() = {len(dims)}'"
            f", since dim argument was not given, but got a list of length {len(spacing)}"
        )
    return list(spacing)


def _derivative(y: Tensor, d: int, spacing: Any, edge_order: int) -> Tensor:
    """The derivative along one dimension at each sample, by the parabola through it and its neighbours."""
    from .table import FUNCTIONS

    n = y.shape[d]

    def at(start: int, count: int = 1) -> Tensor:
        return y.narrow(d, start % n, count)

    if isinstance(spacing, Tensor):
        steps = _along(spacing.diff().to(y.dtype), y, d)
        left, right = steps.narrow(d, 0, n - 2), steps.narrow(d, 1, n - 2)
        inner = (
            -right / (left * (left + right)) * at(0, n - 2)
            + (right - left) / (left * right) * at(1, n - 2)
            + left / (right * (left + right)) * at(2, n - 2)
        )
        first, second, last, before = (steps.narrow(d, k % (n - 1), 1) for k in (0, 1 % (n - 1), -1, -2 % (n - 1)))
    else:
        inner = (at(2, n - 2) - at(0, n - 2)) / (2 * spacing)
        first = second = last = before = spacing
    if edge_order == 1:
        begin, end = (at(1) - at(0)) / first, (at(-1) - at(-2)) / last
    else:
        begin = (
            -(2 * first + second) / (first * (first + second)) * at(0)
            + (first + second) / (first * second) * at(1)
            - first / (second * (first + second)) * at(2)
        )
        end = (
            (2 * last + before) / (last * (last + before)) * at(-1)
            - (last + before) / (last * before) * at(-2)
            + last / (before * (last + before)) * at(-3)
        )
    return FUNCTIONS["cat"]([begin, inner, end], d)


@function()
def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The derivatives along dimensions of a function known by samples, by second-order central differences."""
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    whole = range(input.dim()) if dim is None else dim if isinstance(dim, (list, tuple)) else (dim,)
    dims = [axis(d, input.dim()) for d in whole]
    for d in dims:
        if input.shape[d] <= edge_order:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    return tuple(_derivative(input, d, s, edge_order) for d, s in zip(dims, _spacings(spacing, dims)))
