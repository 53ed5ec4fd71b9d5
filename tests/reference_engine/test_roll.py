"""roll, whose kernel takes entries by number: every kind of shape, shift and dimension, refusals included, as torch has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference_engine

torch = pytest.importorskip("torch")

SHAPES = [(), (1,), (3,), (0, 2), (2, 3), (2, 3, 2)]
CALLS: list[tuple[Any, Any]] = [
    (1, ()), (-1, ()), (5, ()), (0, 0), (1, 0), (-2, -1), (1, 7), ((1, 2), (0, 1)),
    ((1, -4), (0, 0)), ((1, 2), (0,)), ((1, 2), ()),
]  # fmt: skip


def outcome(module: Any, shape: tuple[int, ...], shifts: Any, dims: Any) -> list[Any]:
    """Value, strides and gradient, or the error."""
    numbers = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    x = module.tensor(numbers.tolist(), dtype=module.float32).reshape(shape).requires_grad_()
    try:
        rolled = module.roll(x, shifts, dims)
        rolled.backward(module.from_numpy(numbers))
    except (RuntimeError, IndexError) as error:
        return [str(error)]
    return [rolled.tolist(), rolled.stride(), x.grad.tolist()]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_roll_is_that_of_torch(shape: tuple[int, ...]) -> None:
    """Values, strides, gradients and the words of refusals agree."""
    expected = [outcome(torch, shape, *call) for call in CALLS]

    assert [outcome(reference_engine, shape, *call) for call in CALLS] == expected
