"""Copies where other ops give views, and scatters into a copy: narrow_copy, select_copy, as_strided_scatter ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..storage import flat, offset, strided, strides
from ..tensor import Tensor
from .faces import face, function
from .parts import chunk, narrow, split
from .shape import axis
from .table import FUNCTIONS, ROWS, op

CLONE = ROWS["clone_"].call


@face()
def narrow_copy(self: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """narrow, copied"""
    return CLONE(narrow(self, dim, start, length))


def _copying(name: str, view: Any) -> None:
    def call(*args: Any, **kwargs: Any) -> Any:
        got = view(*args, **kwargs)
        return tuple(map(CLONE, got)) if isinstance(got, tuple) else CLONE(got)

    call.__name__ = name + "_copy"
    function(name + "_copy")(call)


for _name in ("as_strided", "detach", "diagonal", "expand", "permute", "select", "split", "split_with_sizes", "squeeze", "t",
              "transpose", "unbind", "unfold", "unsqueeze", "view"):  # fmt: skip
    _copying(_name, getattr(Tensor, _name))
_copying("alias", ROWS["alias"].call)
_copying("slice", lambda x, dim=0, start=None, end=None, step=1: ROWS["slice"].call(x, dim, start, end, step))
for _name in ("view_as_real", "view_as_complex"):
    if _name in FUNCTIONS:
        _copying(_name, FUNCTIONS[_name])


@face("unsafe_split")
def unsafe_split(self: Tensor, split_size: Any, dim: int = 0) -> tuple:
    """split whose parts may be written to: copies"""
    return tuple(map(CLONE, split(self, split_size, dim)))


@face("unsafe_split_with_sizes")
def unsafe_split_with_sizes(self: Tensor, split_sizes: Any, dim: int = 0) -> tuple:
    """split_with_sizes whose parts may be written to: copies"""
    return tuple(map(CLONE, split(self, list(split_sizes), dim)))


@face("unsafe_chunk")
def unsafe_chunk(self: Tensor, chunks: int, dim: int = 0) -> tuple:
    """chunk whose parts may be written to: copies"""
    return tuple(map(CLONE, chunk(self, chunks, dim)))


def _scattered(x: np.ndarray, src: np.ndarray, size: tuple, stride: tuple, start: int | None) -> np.ndarray:
    steps, first = strides(x), offset(x)
    whole = flat(x).copy()
    strided(whole, size, stride, first if start is None else start)[...] = src
    return strided(whole, x.shape, steps, first).copy()


def _hole(F: Any, ct: Any, size: tuple, stride: tuple, start: int | None) -> Any:
    return F.as_strided_scatter_row(ct, F.new_zeros(ct, size), size, stride, start)


op("as_strided_scatter_row", _scattered, "self !src", "size stride storage_offset=None", face=False,
   node="AsStridedScatterBackward0", jvp="linear",
   self=lambda F, ct, size, stride, storage_offset: _hole(F, ct, size, stride, storage_offset),
   src=lambda F, ct, size, stride, storage_offset: F.as_strided(ct, size, stride, storage_offset))  # fmt: skip


@face()
def as_strided_scatter(self: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: Any = None) -> Tensor:
    """A copy with src written into the window that as_strided would show."""
    return ROWS["as_strided_scatter_row"].call(self, src, tuple(size), tuple(stride), storage_offset)


_ = axis
