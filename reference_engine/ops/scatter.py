"""Reductions into named places: scatter_reduce, index_reduce; writing by flat index: put."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..inplace import write
from ..tensor import Tensor
from .faces import face, method
from .fits import check_source
from .index import _along, _grid
from .shape import axis
from .table import op

UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}
START = {"sum": 0, "mean": 0, "prod": 1, "amax": -np.inf, "amin": np.inf}


def _lowest(kind: Any, reduce: str) -> Any:
    if kind.kind == "f" or reduce not in ("amax", "amin"):
        return kind.type(START[reduce])
    info = np.iinfo(kind)
    return info.min if reduce == "amax" else info.max


def _reduced(x: Any, places: tuple, src: Any, reduce: str, include_self: bool) -> Any:
    if reduce not in UFUNCS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}.")
    if x.dtype.kind == "c" and reduce in ("amax", "amin"):
        raise NotImplementedError(f"reduction {reduce} not implemented for '{dtypes.OF_NUMPY[x.dtype].long_name}'")
    out = x.copy(order="K")
    if not include_self:
        out[places] = _lowest(x.dtype, reduce)
    UFUNCS[reduce].at(out, places, src)
    if reduce == "mean":
        count = (np.ones if include_self else np.zeros)(x.shape, x.dtype)
        np.add.at(count, places, np.ones_like(src))
        count[count == 0] = 1
        out = np.true_divide(out, count) if x.dtype.kind in "fc" else np.floor_divide(out, count)
    return out


def _scatter_reduce(x: Any, index: Any, src: Any, dim: int, reduce: str, include_self: bool) -> Any:
    if not x.ndim:
        axis(dim, 0)
        return _scatter_reduce(x[None], index.reshape(-1), src.reshape(-1), 0, reduce, include_self)[0]
    check_source(x, index, src, dim)
    return _reduced(x, _grid(index, dim), src[tuple(slice(n) for n in index.shape)], reduce, include_self)


def _index_reduce(x: Any, index: Any, source: Any, dim: int, reduce: str, include_self: bool) -> Any:
    if reduce == "sum":
        raise RuntimeError("index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got sum.")
    if source.ndim != x.ndim:
        raise RuntimeError(f"index_reduce_(): Indexing dim {dim} is out of bounds of the source tensor with dim {source.ndim}")
    return _reduced(x, _along(x, dim, index.reshape(-1)) or ..., source, reduce, include_self)


# What differs between the two families is how places are read, added to and overwritten.
FAMILIES = {
    "scatter_reduce": (
        lambda F, x, dim, index: F.gather_row(x, index, dim),
        lambda F, x, dim, index, src: F.scatter_add_row(x, index, src, dim),
        lambda F, x, dim, index: F.scatter_value(x, index, dim, 0.0),
    ),
    "index_reduce": (
        lambda F, x, dim, index: F.index_select_row(x, index, dim),
        lambda F, x, dim, index, src: F.index_add_row(x, index, src, dim, 1),
        lambda F, x, dim, index: F.index_fill_row(x, index, dim, 0.0),
    ),
}


def _number_like(F: Any, hit: Any, x: Any) -> Any:
    """A mask as 0s and 1s of x's dtype."""
    return F.where(hit, F.ones_like(x), 0.0)


def _self_prod(F: Any, again: Any, ct: Any, self: Any, src: Any) -> Any:
    masked = F.masked_fill(self, F.eq(self, 0), 1.0)
    return F.div(F.mul(ct, again(masked, src)), masked)


def _src_prod(F: Any, again: Any, read: Any, add: Any, ct: Any, self: Any, index: Any, src: Any, result: Any, dim: int) -> Any:
    zero = F.eq(src, 0)
    zeros = read(F, add(F, F.zeros_like(self), dim, index, _number_like(F, zero, src)), dim, index)
    single = F.logical_and(zero, F.eq(zeros, 1))
    with_one = again(self, F.masked_fill(src, single, 1.0))
    return F.where(single, read(F, F.mul(ct, with_one), dim, index),
                   F.div(read(F, F.mul(ct, result), dim, index), F.masked_fill(src, zero, 1.0)))  # fmt: skip


def _shares(F: Any, read: Any, add: Any, ct: Any, self: Any, index: Any, src: Any, result: Any, dim: int) -> tuple:
    """Which of self and src attain the extremum, and the gradient divided among all that do."""
    by_self = _number_like(F, F.eq(self, result), self)
    by_src = _number_like(F, F.eq(src, read(F, result, dim, index)), src)
    return by_self, by_src, F.div(ct, add(F, by_self, dim, index, by_src))


def _count(F: Any, add: Any, ct: Any, index: Any, src: Any, dim: int, include_self: bool) -> Any:
    n = add(F, F.ones_like(ct) if include_self else F.zeros_like(ct), dim, index, F.ones_like(src))
    return F.masked_fill(n, F.eq(n, 0), 1.0)


def _formulas(family: str) -> tuple[Any, Any]:
    read, add, clear = FAMILIES[family]

    def of_self(F: Any, ct: Any, self: Any, index: Any, src: Any, result: Any, dim: int, reduce: str, include_self: bool) -> Any:
        def again(x: Any, s: Any) -> Any:
            return getattr(F, family + "_row")(x, index, s, dim, reduce, include_self)

        if reduce == "sum":
            out = ct
        elif reduce == "prod":
            out = _self_prod(F, again, ct, self, src)
        elif reduce == "mean":
            out = F.div(ct, _count(F, add, ct, index, src, dim, include_self))
        else:
            by_self, _, share = _shares(F, read, add, ct, self, index, src, result, dim)
            out = F.mul(by_self, share)
        return out if include_self else clear(F, out, dim, index)

    def of_src(F: Any, ct: Any, self: Any, index: Any, src: Any, result: Any, dim: int, reduce: str, include_self: bool) -> Any:
        def again(x: Any, s: Any) -> Any:
            return getattr(F, family + "_row")(x, index, s, dim, reduce, include_self)

        if reduce == "sum":
            return read(F, ct, dim, index)
        if reduce == "prod":
            return _src_prod(F, again, read, add, ct, self, index, src, result, dim)
        if reduce == "mean":
            return F.div(read(F, ct, dim, index), read(F, _count(F, add, ct, index, src, dim, include_self), dim, index))
        _, by_src, share = _shares(F, read, add, ct, self, index, src, result, dim)
        return F.mul(by_src, read(F, share, dim, index))

    return of_self, of_src


def _family(name: str, kernel: Any, source: str) -> None:
    """A row, and its faces with torch's argument order (dim, index, source, reduce)."""
    of_self, of_src = _formulas(name)
    if source == "source":
        of_self, of_src = _renamed(of_self), _renamed(of_src)
    node = "".join(w.capitalize() for w in name.split("_")) + "Backward0"
    row = op(name + "_row", kernel, f"self !index !{source}", "dim reduce include_self", face=False, inplace=True, node=node,
             order="contiguous", complex=False,
             **{"self": of_self, source: of_src})  # fmt: skip

    def call(self: Tensor, dim: int, index: Tensor, src: Any = None, reduce: Any = None, *, include_self: bool = True,
             source: Any = None, out: Any = None) -> Tensor:  # fmt: skip
        return row.call(self, index, source if src is None else src, dim, reduce, include_self, out=out)

    def in_place(self: Tensor, dim: int, index: Tensor, src: Any = None, reduce: Any = None, *, include_self: bool = True,
                 source: Any = None) -> Tensor:  # fmt: skip
        return write(row, name + "_", self, (index, source if src is None else src), (dim, reduce, include_self))

    face(name)(call)
    method(name + "_")(in_place)


def _renamed(formula: Any) -> Any:
    """The formula for the family that calls src `source`."""

    def run(F: Any, ct: Any, self: Any, index: Any, source: Any, result: Any, dim: int, reduce: str, include_self: bool) -> Any:
        return formula(F, ct, self, index, source, result, dim, reduce, include_self)

    return run


_family("scatter_reduce", _scatter_reduce, "src")
_family("index_reduce", _index_reduce, "source")

# ---- flat places ------------------------------------------------------------------------------------------------------


def _put(x: Any, index: Any, source: Any, accumulate: bool) -> Any:
    if isinstance(source, np.ndarray) and index.size != source.size:
        raise IndexError(f"put_(): Expected source and index to have the same number of elements, but got source.numel() = "
                           f"{np.size(source)}, index.numel() = {index.size}")  # fmt: skip
    out = x.copy().reshape(-1)
    values = np.reshape(source, -1)
    if accumulate:
        np.add.at(out, index.reshape(-1), values)
    else:
        out[index.reshape(-1)] = values
    return out.reshape(x.shape)


op("put", _put, "self !index !source", "accumulate=False", order="first", inplace=True,
   self=lambda F, ct, index, accumulate: ct if accumulate else F.put_zero(ct, index),
   source=lambda F, ct, index, source, source_shape: F.reshape(F.take(ct, index), source_shape))  # fmt: skip
op("put_zero", lambda x, index: _put(x, index, x.dtype.type(0), False), "self !index", face=False,
   self=lambda F, ct, index: F.put_zero(ct, index))  # fmt: skip
