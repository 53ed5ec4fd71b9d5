"""Copies of whole tensors: copy.deepcopy, copy.copy, pickle, and torch.save and torch.load on top of it.

Tensors that share memory share it in the copy too: what is copied is the buffer, once, and each tensor's window on it.
No graph is copied: deepcopy refuses what an op made, pickle makes a leaf of it.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np

from . import errors
from .storage import Storage, flat, offset, owner, strided, strides
from .tensor import Tensor, alias, ndarray


def _window(array: ndarray) -> tuple:
    """(shape, strides, offset) of an array in its buffer, in elements."""
    return array.shape, strides(array), offset(array)


def _rebuild(cls: type, whole: ndarray, dtype: np.dtype, window: tuple, requires_grad: bool, attributes: dict) -> Tensor:
    buffer = flat(whole)
    if buffer.dtype != dtype:
        buffer = buffer.view(dtype)
    # The version is 1: torch points a fresh tensor at the copied storage by set_, which counts as a write.
    t = alias(strided(buffer, *window), Storage.at(1), cls)
    t._rg = requires_grad
    t.__dict__.update(attributes)
    return t


def _deepcopy(self: Tensor, memo: dict) -> Tensor:
    if self._current_edge() is not None:
        raise errors.AutogradError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
            "moment.  If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_"
            "norm usage, see https://github.com/pytorch/pytorch/pull/103001"
        )
    if id(self) in memo:
        return memo[id(self)]
    array = self._array
    whole = copy.deepcopy(owner(array), memo)
    twin = _rebuild(type(self), whole, array.dtype, _window(array), self._rg, copy.deepcopy(self.__dict__, memo))
    memo[id(self)] = twin
    if self._meta is not None and self._meta.grad is not None:
        twin.grad = copy.deepcopy(self._meta.grad, memo)
    return twin


def _reduce(self: Tensor, protocol: Any) -> tuple:
    array = self._array
    return _rebuild, (type(self), owner(array), array.dtype, _window(array), self.requires_grad, dict(self.__dict__))


Tensor.__deepcopy__, Tensor.__reduce_ex__ = _deepcopy, _reduce


def save(obj: Any, f: Any, *_: Any, **__: Any) -> None:
    """Write tensors, or anything made of them, to a path or a file."""
    if hasattr(f, "write"):
        pickle.dump(obj, f)
        return
    with open(f, "wb") as file:
        pickle.dump(obj, file)


def load(f: Any, *_: Any, **__: Any) -> Any:
    """Read what save wrote. The file is a pickle: read only what you trust."""
    if hasattr(f, "read"):
        return pickle.load(f)
    with open(f, "rb") as file:
        return pickle.load(file)
