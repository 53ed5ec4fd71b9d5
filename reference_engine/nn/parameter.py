"""torch.nn.Parameter"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.create import make_leaf
from ..storage import Storage, dense_like
from ..tensor import Tensor, alias, wrap


class Parameter(Tensor):
    """A tensor that is meant to be trained: a leaf that requires grad."""

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        data = wrap(np.zeros(0, np.float32)) if data is None else data
        t = alias(data._array, data._storage, cls)
        if requires_grad:
            make_leaf(t)
        return t

    def __deepcopy__(self, memo: dict) -> Parameter:
        # As in torch: the value and the flag alone, neither .grad nor attributes.
        if id(self) not in memo:
            memo[id(self)] = type(self)(_copied(self), self.requires_grad)
        return memo[id(self)]


class Buffer(Tensor):
    """A tensor that a module registers as its buffer when it is assigned to an attribute."""

    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        data = wrap(np.zeros(0, np.float32)) if data is None else data
        t = alias(data._array, data._storage, cls)
        t._rg = data.requires_grad
        t.persistent = persistent
        return t

    def __deepcopy__(self, memo: dict) -> Buffer:
        if id(self) not in memo:
            memo[id(self)] = type(self)(_copied(self), persistent=self.persistent)
        return memo[id(self)]


def _copied(t: Tensor) -> Tensor:
    fresh = dense_like(t._array)
    fresh[...] = t._array
    return alias(fresh, Storage.at(0))
