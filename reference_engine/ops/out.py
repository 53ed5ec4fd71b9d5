"""out=: writing a result into given tensors; and the functions that take it besides the rows of the table."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import errors
from ..inplace import bump, check_cast
from ..modes import no_grad, state
from ..tensor import Tensor
from .memory import resized
from .table import FUNCTIONS


def store(target: Tensor, value: np.ndarray, writer: str) -> None:
    """Write a result into an out= argument, which is resized to it and counts one write."""
    check_cast(target._array, value)
    shape = target._array.shape
    if shape != value.shape:
        if target._array.size:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(shape)}, which does not match the "
                f"required output shape {list(value.shape)}. This behavior is deprecated, and in a future PyTorch release "
                "outputs will not be resized unless they have zero elements. You can explicitly reuse an out tensor t by "
                "resizing it, inplace, to zero elements with t.resize_(0).",
                UserWarning,
                stacklevel=4,
            )
        target._array = resized(target._array, value.shape)
    target._array[...] = value
    bump(target, f"{writer}(out=)")


def _tensors(args: Any) -> Iterator[Tensor]:
    for a in args:
        if isinstance(a, Tensor):
            yield a
        elif isinstance(a, (list, tuple)):
            yield from _tensors(a)


def _into(name: str, out: Any, fn: Any, args: tuple, kwargs: dict) -> Any:
    outs = out if isinstance(out, (tuple, list)) else (out,)
    if state.grad and any(t.requires_grad for t in (*_tensors(args), *_tensors(kwargs.values()), *outs)):
        raise errors.out_argument(name)
    if name in _MAKERS:
        kwargs.setdefault("dtype", outs[0].dtype)
    with no_grad():
        result = fn(*args, **kwargs)
    for target, made in zip(outs, result if isinstance(result, tuple) else (result,)):
        store(target, made._array, name)
    return out


def _accept(name: str) -> None:
    fn = FUNCTIONS[name]

    @functools.wraps(fn)
    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        return fn(*args, **kwargs) if out is None else _into(name, out, fn, args, kwargs)

    FUNCTIONS[name] = call


_MAKERS = frozenset(
    ("arange", "eye", "full", "linspace", "logspace", "normal", "ones", "rand", "randint", "randn", "randperm", "zeros")
)
_OTHERS = (
    "bernoulli cummax cummin diag dist einsum fmax fmin gather index_add index_copy index_select kthvalue log_softmax logsumexp "
    "median mode msort multinomial narrow_copy norm outer quantile renorm scatter scatter_add softmax sort std take tensordot "
    "topk var column_stack dstack hstack vstack inverse cholesky pinverse"
)
for _name in (*sorted(_MAKERS), *_OTHERS.split()):
    if _name in FUNCTIONS:
        _accept(_name)


@functools.wraps(FUNCTIONS["empty"])
def _empty(*size: Any, out: Any = None, **kwargs: Any) -> Tensor:
    """Uninitialised; with out= nothing is written but the shape."""
    made = _plain_empty(*size, **kwargs)
    if out is None:
        return made
    out._array = resized(out._array, made._array.shape)
    return out


_plain_empty, FUNCTIONS["empty"] = FUNCTIONS["empty"], _empty
