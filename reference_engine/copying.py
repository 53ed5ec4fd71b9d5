"""Copies of whole tensors: copy.deepcopy and pickle. Only leaves have them, since no graph is copied."""

from __future__ import annotations

import copy
from typing import Any

from . import errors
from .storage import Storage
from .tensor import Tensor, alias, ndarray


def _deepcopy(self: Tensor, memo: dict) -> Tensor:
    if self._current_edge() is not None:
        raise errors.AutogradError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
            "moment.  If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_"
            "norm usage, see https://github.com/pytorch/pytorch/pull/103001"
        )
    if id(self) in memo:
        return memo[id(self)]
    twin = alias(self._array.copy(order="K"), Storage(0), type(self))
    memo[id(self)] = twin
    twin._rg = self._rg
    if self._meta is not None and self._meta.grad is not None:
        twin.grad = copy.deepcopy(self._meta.grad, memo)
    twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
    return twin


def _reduce(self: Tensor, protocol: Any) -> tuple:
    if self._current_edge() is not None:
        raise errors.AutogradError("cannot pickle a tensor that is not a leaf")
    return _rebuild, (type(self), self._array, self._rg)


def _rebuild(cls: type, array: ndarray, requires_grad: bool) -> Tensor:
    t = alias(array, Storage(0), cls)
    t._rg = requires_grad
    return t


Tensor.__deepcopy__, Tensor.__reduce_ex__ = _deepcopy, _reduce
