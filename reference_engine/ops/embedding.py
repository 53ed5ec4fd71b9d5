"""Embedding: rows of a weight by index, and bags of rows reduced to one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inplace import bump
from ..tensor import Tensor, wrap
from .table import ROWS, op


def _embedding(weight: Any, indices: Any, padding_idx: int) -> Any:
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if indices.dtype.kind not in "iu":
        raise RuntimeError("Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int")
    if indices.size and not (indices.min() >= 0 and indices.max() < len(weight)):
        raise IndexError("index out of range in self")
    return weight[indices]


def _dense(ct: Any, indices: Any, rows: int, padding_idx: int, by_count: bool) -> Any:
    """Add each row's cotangent to the weight's; the padding row gets none."""
    out = np.zeros((rows, ct.shape[-1]), ct.dtype)
    np.add.at(out, indices.reshape(-1), _scaled(ct, indices, padding_idx, by_count).reshape(indices.size, ct.shape[-1]))
    return out


def _scaled(rows: Any, indices: Any, padding_idx: int, by_count: bool) -> Any:
    """Rows that come several times shared out among their places, if asked for, and 0 for the padding row, NaN or not."""
    if by_count and indices.size:
        rows = (rows / np.bincount(indices.reshape(-1), minlength=1)[indices][..., None]).astype(rows.dtype)
    return np.where((indices != padding_idx)[..., None], rows, rows.dtype.type(0)) if padding_idx >= 0 else rows


def _rows(weight: Any, indices: Any, padding_idx: int, by_count: bool) -> Any:
    return _embedding(weight, indices, padding_idx)


# The gradient of the weight is linear in ct, and its adjoint reads the rows back.
op("embedding_row", _rows, "weight !indices", "padding_idx by_count", face=False, node="EmbeddingBackward0", complex=False,
   weight=lambda F, ct, indices, weight_shape, padding_idx, by_count: F.embedding_dense(
       ct, indices, weight_shape[0], padding_idx, by_count))  # fmt: skip
op("embedding_dense", _dense, "ct_ !indices", "rows padding_idx by_count", face=False, node="EmbeddingDenseBackwardBackward0",
   complex=False,
   ct_=lambda F, ct, indices, padding_idx, by_count: F.embedding_read(ct, indices, padding_idx, by_count))  # fmt: skip
op("embedding_read", lambda w, i, padding_idx, by_count: _scaled(w[i], i, padding_idx, by_count), "weight !indices",
   "padding_idx by_count", face=False, node="EmbeddingBackward0",
   weight=lambda F, ct, indices, weight_shape, padding_idx, by_count: F.embedding_dense(
       ct, indices, weight_shape[0], padding_idx, by_count))  # fmt: skip


def embedding(weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False,
              sparse: bool = False) -> Tensor:  # fmt: skip
    """torch.embedding: the rows of `weight` that `indices` name. Gradients are always dense here."""
    return ROWS["embedding_row"].call(weight, indices, padding_idx, scale_grad_by_freq)


def embedding_dense_backward(grad_output: Tensor, indices: Tensor, num_weights: int, padding_idx: int,
                             scale_grad_by_freq: bool) -> Tensor:  # fmt: skip
    """The gradient of the weight of an embedding."""
    return ROWS["embedding_dense"].call(grad_output, indices, num_weights, padding_idx, scale_grad_by_freq)


def renorm_rows(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Shrink in place those of the named rows whose norm is too great. Outside of the graph, but counted as a write."""
    w = weight._array
    rows = np.unique(indices._array)
    norms = np.linalg.norm(w[rows], norm_type, axis=1)
    great = norms > max_norm
    w[rows[great]] *= (max_norm / (norms[great] + 1e-7))[:, None].astype(w.dtype)
    bump(weight, "embedding_renorm_")
    return weight


# ---- bags -------------------------------------------------------------------------------------------------------------

SUM, MEAN, MAX = 0, 1, 2


def _bags(indices: Any, offsets: Any, include_last: bool, padding_idx: int) -> tuple[Any, Any, Any]:
    """The bag of each index, how many count in each bag, and which indices count."""
    starts = offsets[:-1] if include_last else offsets
    bag = np.searchsorted(starts, np.arange(len(indices)), side="right") - 1
    keep = indices != padding_idx if padding_idx >= 0 else np.ones(len(indices), bool)
    return bag, np.bincount(bag[keep], minlength=len(starts)), keep


def _bag(weight: Any, indices: Any, offsets: Any, per_sample: Any, mode: int, include_last: bool, padding_idx: int) -> tuple:
    if indices.size and not (indices.min() >= 0 and indices.max() < len(weight)):
        raise RuntimeError(f"Expected idx >= 0 && idx < num_embeddings but found idx to be {indices.max()}")
    bag, sizes, keep = _bags(indices, offsets, include_last, padding_idx)
    out = np.zeros((len(sizes), weight.shape[1]), weight.dtype)
    chosen = np.zeros((len(sizes), weight.shape[1]) if mode == MAX else 0, np.int64)
    rows = weight[indices]
    if mode == MAX:
        for b in range(len(sizes)):
            mine = np.flatnonzero((bag == b) & keep)
            if len(mine):
                own = rows[mine]
                # As in torch a NaN is never greater: it counts only where it comes first.
                at = np.where(np.isnan(own[0]), 0, np.where(np.isnan(own), -np.inf, own).argmax(0))
                out[b], chosen[b] = own[at, np.arange(own.shape[1])], indices[mine][at]
    else:
        rows = rows if per_sample is None else rows * per_sample[:, None]
        np.add.at(out, bag[keep], rows[keep])
        if mode == MEAN:
            out /= np.maximum(sizes, 1)[:, None].astype(out.dtype)
    return out, np.where(keep, bag, -1), sizes, chosen


def _bag_weight(F: Any, cts: list, indices: Any, per_sample_weights: Any, result1: Any, result2: Any, result3: Any,
                weight_shape: tuple, mode: int, padding_idx: int) -> Any:  # fmt: skip
    if mode == MAX:
        return F.bag_spread_max(cts[0], result3, result2, weight_shape[0])
    rows = F.bag_read(cts[0], result1, result2, mode)
    if per_sample_weights is not None:
        rows = F.mul(rows, F.unsqueeze(per_sample_weights, 1))
    return F.embedding_dense(rows, indices, weight_shape[0], padding_idx, False)


def _bag_per_sample(F: Any, cts: list, weight: Any, indices: Any, result1: Any, result2: Any, mode: int, padding_idx: int) -> Any:
    rows = F.mul(F.bag_read(cts[0], result1, result2, mode), F.embedding_row(weight, indices, padding_idx, False))
    return F.sum_dims(rows, (1,), False)


def _bag_scale(sizes: Any, bag: Any, mode: int, dtype: Any) -> Any:
    """What each index contributes: 1, over the size of its bag for means, 0 where it does not count."""
    by = (bag >= 0).astype(dtype)
    return (by / np.maximum(sizes, 1)[np.maximum(bag, 0)] if mode == MEAN else by).astype(dtype)[:, None]


def _bag_gather(ct: Any, bag: Any, sizes: Any, mode: int) -> Any:
    return ct[np.maximum(bag, 0)] * _bag_scale(sizes, bag, mode, ct.dtype)


def _bag_add(rows: Any, bag: Any, sizes: Any, mode: int) -> Any:
    out = np.zeros((len(sizes), rows.shape[1]), rows.dtype)
    np.add.at(out, np.maximum(bag, 0), rows * _bag_scale(sizes, bag, mode, rows.dtype))
    return out


def _spread_max(ct: Any, chosen: Any, sizes: Any, rows: int) -> Any:
    out = np.zeros((rows, ct.shape[1]), ct.dtype)
    np.add.at(out, (chosen, np.arange(ct.shape[1])), np.where(sizes[:, None] > 0, ct, ct.dtype.type(0)))
    return out


# All linear, in adjoint pairs.
op("bag_read", _bag_gather, "ct_ !bag !sizes", "mode", face=False,
   ct_=lambda F, ct, bag, sizes, mode: F.bag_add(ct, bag, sizes, mode))  # fmt: skip
op("bag_add", _bag_add, "rows !bag !sizes", "mode", face=False,
   rows=lambda F, ct, bag, sizes, mode: F.bag_read(ct, bag, sizes, mode))  # fmt: skip
op("bag_spread_max", _spread_max, "ct_ !chosen !sizes", "rows", face=False,
   ct_=lambda F, ct, chosen, sizes: F.bag_pick_max(ct, chosen, sizes))  # fmt: skip
op("bag_pick_max", lambda w, chosen, sizes: np.where(sizes[:, None] > 0, w[chosen, np.arange(w.shape[1])], w.dtype.type(0)),
   "weight !chosen !sizes", face=False, weight=lambda F, ct, chosen, sizes, weight_shape: F.bag_spread_max(
       ct, chosen, sizes, weight_shape[0]))  # fmt: skip
op("embedding_bag_row", _bag, "weight !indices !offsets per_sample_weights", "mode include_last padding_idx", outputs=4,
   diff=(0,), face=False, node="EmbeddingBagBackward0", weight=_bag_weight, per_sample_weights=_bag_per_sample)  # fmt: skip


def embedding_bag(weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = 0,
                  sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
                  padding_idx: int = -1) -> tuple:  # fmt: skip
    """torch.embedding_bag: output, bag of each index, bag sizes, maxima's indices."""
    padding_idx = -1 if padding_idx is None else padding_idx
    return ROWS["embedding_bag_row"](weight, indices, offsets, per_sample_weights, mode, include_last_offset, padding_idx)


def offsets_of(shape: tuple) -> Tensor:
    """The offsets of bags given as the rows of a matrix."""
    return wrap(np.arange(0, shape[0] * shape[1], shape[1] or 1, dtype=np.int64)[: shape[0]])
