"""torch.autograd.forward_ad: dual tensors, made and taken apart by hand. tangents.py says how ops carry them along."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

import numpy as np

from ..modes import state
from ..storage import strides
from ..tensor import Tensor, wrap
from .tangents import Level, check_size, hold, propagate, propagate_in_place, stack, tangent_of

UnpackedDualTensor = namedtuple("UnpackedDualTensor", "primal tangent")
UnpackedDualTensor.__doc__ = "What unpack_dual returns: the value, and its tangent or None."


def enter_dual_level() -> int:
    """Start a level; returns its number, which is 0: levels of this kind do not nest."""
    if stack.levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    Level(by_hand=True).__enter__()
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level; all its tangents are gone."""
    if not stack.levels:
        raise RuntimeError("Dual level must be a positive number.")
    if level not in (None, len(stack.levels) - 1):
        raise RuntimeError("Trying to exit a forward AD level that was not the last one that was created. This is not supported.")
    stack.levels[-1].__exit__()


class dual_level:
    """A level as a context."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: Any) -> None:
        exit_dual_level()

    def __call__(self, fn: Any) -> Any:
        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with dual_level():
                return fn(*args, **kwargs)

        return wrapper


def _level(number: int | None, name: str) -> Level:
    if number not in (None, 0):
        raise RuntimeError(f"Invalid level given to {name}")
    return stack.levels[-1]


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A view of `tensor` that carries `tangent`, which is shared, not copied.

    Raises RuntimeError outside a level, for a tensor that has a tangent already and for sizes that differ, ValueError
    for dtypes that have no derivative.
    """
    if not stack.levels:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for name, t in (("primal", tensor), ("tangent", tangent)):
        if not (t.is_floating_point() or t.is_complex()):
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {t.dtype}")
    place = _level(level, "_make_dual")
    if tangent_of(tensor, place) is not None:
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level "
            f"{level or 0} is not supported."
        )
    check_size(tensor, tangent)
    if strides(tangent._array) != strides(tensor._array) and tensor._array.size > 1:
        # Views of the dual are taken of the tangent too: both must lie alike in memory.
        tangent = wrap(np.empty_like(tensor._array, tangent._array.dtype)).copy_(tangent)
    out = tensor.view(tensor.shape)
    hold(out, place, tangent)
    return out


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """(value, tangent); the tangent is None if there is none, and outside any level."""
    if not stack.levels:
        return UnpackedDualTensor(tensor, None)
    place = _level(level if tangent_of(tensor, stack.levels[-1]) is not None else None, "_fw_primal")
    primal = tensor.view(tensor.shape)
    hold(primal, place, None)
    return UnpackedDualTensor(primal, tangent_of(tensor, place))


class _set_fwd_grad_enabled:
    """Switch the carrying of tangents on or off, as a context."""

    def __init__(self, mode: bool) -> None:
        self.previous = state.dual_level
        state.dual_level = len(stack.levels) - 1 if mode else -1

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        state.dual_level = self.previous


def _is_fwd_grad_enabled() -> bool:
    return state.dual_level >= 0 or not stack.levels


__all__ = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "propagate", "propagate_in_place",
    "unpack_dual",
]  # fmt: skip
