"""grad(is_grads_batched=True): one vector-Jacobian product for each row of the grad_outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import errors
from ..tensor import Tensor


def batched_grad(roots: tuple, inputs: tuple, given: Any, keep: bool, create: bool, allow_unused: bool) -> list:
    """The gradients for each row of `given`, stacked along a new first dimension; None for unused inputs.

    Raises ShapeMismatch for rows of the wrong shape, ValueError where there are no rows or not equally many.
    """
    from . import grad

    given = (given,) if given is None or isinstance(given, Tensor) else tuple(given)
    for i, (root, batch) in enumerate(zip(roots, given)):
        _check_rows(i, root, batch)
    lengths = [batch.shape[0] for batch in given]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {lengths} for the mapped "
            "dimension"
        )
    rows = []
    for k in range(lengths[0]):
        last = k + 1 == lengths[0]
        seeds = [batch.select(0, k) for batch in given]
        rows.append(grad(roots, inputs, seeds, keep or not last, create, allow_unused=allow_unused))
    return [_stacked(column) for column in zip(*rows)]


def _check_rows(i: int, root: Any, batch: Any) -> None:
    if batch is None or batch.dim() == 0:
        raise ValueError(
            "vmap(vjp, in_dims=0, ...)(<inputs>): Got in_dim=0 for some input, but that input is a Tensor of "
            "dimensionality 0 so expected in_dim to satisfy 0 <= in_dim < 0."
        )
    shape = root._array.shape if isinstance(root, Tensor) else root.node.meta(root.output_nr)[0]
    if tuple(batch.shape[1:]) != tuple(shape):
        raise errors.ShapeMismatch(
            "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The "
            "sizes of the remaining dimensions are expected to match the shape of corresponding output, but a mismatch was "
            f"detected: grad_output[{i}] has a shape of {batch.shape} and output[{i}] has a shape of {list(shape)}. If you "
            "only want some tensors in `grad_output` to be considered batched, consider using vmap."
        )


def _stacked(column: Sequence) -> Any:
    from ..ops.table import FUNCTIONS

    return None if column[0] is None else FUNCTIONS["stack"](list(column))
