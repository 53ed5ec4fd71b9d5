"""Dimensions of length one: put in and taken out."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .faces import face, function
from .shape import axis
from .table import ROWS, op


def _unsqueeze(x: np.ndarray, dim: int) -> np.ndarray:
    d = axis(dim, x.ndim + 1)
    if x.flags.c_contiguous:
        return x.reshape((*x.shape[:d], 1, *x.shape[d:]))  # unlike x[None], it gives the new dimension torch's stride
    return x[(slice(None),) * d + (None,)]


def _squeeze_dims(x: np.ndarray, dims: tuple[int, ...]) -> np.ndarray:
    drop = {axis(d, x.ndim) for d in dims}
    return x[(*(0 if i in drop and s == 1 else slice(None) for i, s in enumerate(x.shape)), ...)]


op("unsqueeze", _unsqueeze, params="dim", view=True, jvp="linear", self=lambda F, ct, self_shape: F.reshape(ct, self_shape))


def _unsqueeze_to(F: Any, ct: Any, self_shape: Any) -> Any:
    """Where nothing was dropped the gradient passes as it is, not as a view of itself."""
    return ct if tuple(ct.shape) == tuple(self_shape) else F.reshape(ct, self_shape)


op("squeeze_all", lambda x: x[(*(0 if s == 1 else slice(None) for s in x.shape), ...)], view=True, face=False,
   node="SqueezeBackward0", jvp="linear", self=_unsqueeze_to)  # fmt: skip
for _name, _node in (("squeeze", "SqueezeBackward1"), ("squeeze_several", "SqueezeBackward2")):
    op(_name, _squeeze_dims, params="dims", view=True, face=False, node=_node, jvp="linear",
       self=_unsqueeze_to)  # fmt: skip


@face()
def squeeze(self: Tensor, dim: Any = None) -> Tensor:
    """Drop dimensions of length 1: all, or those named."""
    if dim is None:
        return ROWS["squeeze_all"].call(self)
    if isinstance(dim, (tuple, list)):
        return ROWS["squeeze_several"].call(self, tuple(dim))
    return ROWS["squeeze"].call(self, (dim,))


def _atleast(n: int) -> Any:
    def one(t: Tensor) -> Tensor:
        d = t._array.ndim
        if d >= n:
            return t
        if d == 0:
            return t.reshape((1,) * n)
        if n == 2:
            return t.unsqueeze(0)
        return t.unsqueeze(0).unsqueeze(-1) if d == 1 else t.unsqueeze(-1)

    def call(*ts: Any) -> Any:
        ts = ts[0] if len(ts) == 1 and isinstance(ts[0], (tuple, list)) else ts
        return one(ts[0]) if len(ts) == 1 else tuple(one(t) for t in ts)

    return function(f"atleast_{n}d")(call)


atleast_1d, atleast_2d, atleast_3d = _atleast(1), _atleast(2), _atleast(3)
