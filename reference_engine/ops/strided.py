"""as_strided: any window on a tensor's buffer, and the edge that views regenerate from their base."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import NO_EDGE, edge_of
from ..storage import flat, offset, strided, strides
from ..tensor import Tensor
from ..views import geometry, start
from .table import ROWS, op


def _as_strided(x: np.ndarray, size: tuple, stride: tuple, storage_offset: int | None) -> np.ndarray:
    if any(s < 0 for s in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    return strided(flat(x), size, stride, offset(x) if storage_offset is None else storage_offset)


def _span(base: tuple, window: tuple) -> tuple[int, int]:
    """First element and number of elements that the two geometries touch."""
    first = min(base[2], window[2])
    ends = [s + sum((n - 1) * k for n, k in zip(shape, steps)) for shape, steps, s in (base, window) if 0 not in shape]
    return first, max(ends, default=first - 1) + 1 - first


def _shares(size: int, base: tuple, first: int) -> Any:
    """How many elements of the base lie on each place; None where each has its own."""
    if all(step or n == 1 for n, step in zip(*base[:2])):
        return None
    places = strided(np.arange(size), base[0], base[1], base[2] - first)
    return np.maximum(np.bincount(places.reshape(-1), minlength=size), 1)


def _scatter_window(ct: np.ndarray, base: tuple, window: tuple) -> np.ndarray:
    """Zeros in the base's layout with ct added where the window lies; overlapping places add up.

    Elements of an expanded base that share a place share its gradient (torch: as_strided_backward).
    """
    first, size = _span(base, window)
    whole = np.zeros(size, ct.dtype)
    places = strided(np.arange(size), window[0], window[1], window[2] - first)
    np.add.at(whole, places, ct)
    shares = _shares(size, base, first)
    whole = whole if shares is None else (whole / shares).astype(ct.dtype)
    return strided(whole, base[0], base[1], base[2] - first).copy()


def _gather_window(x: np.ndarray, base: tuple, window: tuple) -> np.ndarray:
    """What the window shows of values laid out as the base: the transpose of _scatter_window."""
    first, size = _span(base, window)
    whole = np.zeros(size, x.dtype)
    np.add.at(whole, strided(np.arange(size), base[0], base[1], base[2] - first), x)
    shares = _shares(size, base, first)
    whole = whole if shares is None else (whole / shares).astype(x.dtype)
    return strided(whole, window[0], window[1], window[2] - first).copy()


def _window(self_geometry: tuple, size: Any, stride: Any, storage_offset: Any) -> tuple:
    return tuple(size), tuple(stride), self_geometry[2] if storage_offset is None else storage_offset


op("as_strided", _as_strided, params="size stride storage_offset=None", view=True, jvp="linear",
   self=lambda F, ct, self_geometry, size, stride, storage_offset: F.scatter_window(
       ct, self_geometry, _window(self_geometry, size, stride, storage_offset)))  # fmt: skip
op("scatter_window", _scatter_window, params="base window", face=False, node="AsStridedScatterBackward0",
   self=lambda F, ct, base, window: F.gather_window(ct, base, window))  # fmt: skip
op("gather_window", _gather_window, params="base window", face=False, node="AsStridedBackward0",
   self=lambda F, ct, base, window: F.scatter_window(ct, base, window))  # fmt: skip


def as_strided_edge(base: Tensor, view: Tensor) -> tuple:
    """The history of a view made anew from its base: one AsStrided node."""
    row = ROWS["as_strided"]
    node = row.node((edge_of(base) if base.requires_grad else NO_EDGE,), view._array.shape, view._array.dtype)
    whole, array = geometry(base), view._array
    known = {"self_geometry": whole, "size": array.shape, "stride": strides(array), "storage_offset": whole[2] + start(view)}
    node.values = tuple(known[v] for v in row.values)
    return (node, 0)
