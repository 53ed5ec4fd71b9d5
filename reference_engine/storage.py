"""Storage: the version counter that all aliases of one buffer share, and where that buffer lies.

A tensor's `_array` is a NumPy view of some owner array. The Storage says which tensors belong together: a view and a
detached alias carry the very Storage of their base, so a write through any of them is seen by all. `Tensor.data` makes
a second Storage on the same bytes: that is why writes through it escape the version check (torch: variable_data).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


class Storage:
    """The version of a family of aliases: raised by every in-place op, compared when a saved tensor is unpacked.

    `version` is None for inference tensors, which have no counter. `writer` is the name of the last in-place op (unset
    until the first): an error message can then say what changed the value.
    """

    __slots__ = ("version", "writer")

    @classmethod
    def at(cls, version: int | None) -> Storage:
        """A storage at that version. Code that every op runs sets the version itself: an __init__ would cost it a call."""
        storage = cls()
        storage.version = version
        return storage


class InferenceAlias(Storage):
    """Of an alias of an inference tensor made outside inference mode: it counts writes, but is an inference tensor still."""

    __slots__ = ()


def owner(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory which `array` looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def address(array: np.ndarray) -> int:
    """The address of the first element."""
    return array.ctypes.data


def flat(array: np.ndarray) -> np.ndarray:
    """The whole buffer behind `array` as one dimension of its dtype, in memory order."""
    whole = owner(array)
    if not whole.flags.c_contiguous:
        whole = whole.transpose(sorted(range(whole.ndim), key=lambda d: -whole.strides[d]))
    return np.ndarray((whole.nbytes // array.itemsize,), array.dtype, whole)


def offset(array: np.ndarray) -> int:
    """Where `array` starts in its buffer, in elements."""
    if array.base is None:
        return 0
    return (address(array) - address(owner(array))) // max(1, array.itemsize)


def strides(array: np.ndarray) -> tuple[int, ...]:
    """Strides in elements, as torch counts them."""
    size, steps = array.itemsize, array.strides
    if not array.size and not any(steps):
        # NumPy gives an empty array no strides; torch counts a length of 0 as 1.
        return tuple(math.prod(max(1, n) for n in array.shape[i + 1 :]) for i in range(array.ndim))
    return tuple(s // size for s in steps)


def laid_as(result: np.ndarray, first: np.ndarray) -> np.ndarray:
    """A result with its dimensions nested as those of the first operand, which decides in torch; NumPy prefers its own order."""
    fresh = dense_like(first if first.shape == result.shape else np.broadcast_to(first, result.shape), result.dtype)
    if fresh.strides == result.strides:
        return result
    fresh[...] = result
    return fresh


def dense_like(array: np.ndarray, dtype: Any = None) -> np.ndarray:
    """Uninitialised memory without gaps, its dimensions nested as those of `array` (torch: empty_like).

    A dimension of stride 0 says nothing of its order: it stays where it stands.
    """
    if 0 not in array.strides:
        return np.empty_like(array, dtype)
    order = list(range(array.ndim - 1, -1, -1))  # innermost first
    steps = array.strides
    for i in range(1, array.ndim):
        place = i
        for k in range(i - 1, -1, -1):
            a, b = steps[order[k]], steps[order[place]]
            if a and b and a > b:
                order[k], order[place], place = order[place], order[k], k
            elif a and b:
                break
    outermost_first = order[::-1]
    fresh = np.empty([array.shape[d] for d in outermost_first], dtype or array.dtype)
    return fresh.transpose(np.argsort(outermost_first))


def strided(whole: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...], start: int) -> np.ndarray:
    """A view of the flat buffer `whole` with the given geometry (in elements).

    Raises RuntimeError when the geometry reaches beyond the buffer.
    """
    size = whole.itemsize
    try:
        if not whole.size:
            raise ValueError  # NumPy checks nothing against a buffer of no bytes
        return np.ndarray(shape, whole.dtype, whole, start * size, tuple(s * size for s in steps))
    except (ValueError, TypeError) as error:
        if 0 in shape:
            return np.ndarray(shape, whole.dtype)
        room = size * (1 + start + sum((n - 1) * s for n, s in zip(shape, steps)))
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {start}, and itemsize {size} "
            f"requiring a storage size of {room} are out of bounds for storage of size {whole.nbytes}"
        ) from error


class UntypedStorage:
    """What `Tensor.untyped_storage()` returns: the bytes, outside the version counter's sight."""

    __slots__ = ("_array",)

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return address(owner(self._array))

    def nbytes(self) -> int:
        """How many bytes there are."""
        return owner(self._array).nbytes

    size = nbytes

    @property
    def _cdata(self) -> int:
        return id(owner(self._array))

    def __len__(self) -> int:
        return self.nbytes()

    def tolist(self) -> list:
        """The bytes as numbers."""
        return flat(self._array).view(np.uint8).tolist()

    def fill_(self, value: Any) -> UntypedStorage:
        """Set every byte; no version counter notices."""
        flat(self._array).view(np.uint8)[...] = value
        return self


class TypedStorage(UntypedStorage):
    """What `Tensor.storage()` returns: the same memory as elements of the tensor's dtype."""

    __slots__ = ()

    def size(self) -> int:
        """How many elements there are."""
        return flat(self._array).size

    __len__ = size

    def __getitem__(self, i: Any) -> Any:
        return flat(self._array)[i].item()

    def __setitem__(self, i: Any, value: Any) -> None:
        flat(self._array)[i] = value

    def tolist(self) -> list:
        """The elements as numbers."""
        return flat(self._array).tolist()

    def fill_(self, value: Any) -> TypedStorage:
        """Set every element; no version counter notices."""
        flat(self._array)[...] = value
        return self
