"""Linear maps that act along each of the last dimensions on their own: padding, average pooling, interpolation.

Along one dimension such a map is a table of taps: `index[o, k]` and `weight[o, k]` say that output place o takes its k-th
contribution from input place index[o, k]. `weight` None means that all weights are 1; a tap of weight 0 is not looked at,
so an infinity elsewhere does not spoil a place that does not see it. The adjoint adds where the map reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .table import op

Taps = tuple[Any, Any]


def _along(weight: Any, axis: int, ndim: int) -> Any:
    """The weights shaped to meet an array in which `axis` has become (output, tap)."""
    return weight.reshape((1,) * axis + weight.shape + (1,) * (ndim - axis - 1))


def gather(x: Any, taps: Sequence[Taps]) -> Any:
    """The map itself, over the last len(taps) dimensions."""
    for axis, (index, weight) in enumerate(taps, x.ndim - len(taps)):
        ndim = x.ndim
        x = x.take(index, axis)
        if weight is not None:
            w = _along(weight, axis, ndim)
            x = np.where(w != 0, x * w.astype(x.dtype), x.dtype.type(0))
        x = x.sum(axis + 1, dtype=x.dtype) if index.shape[1] != 1 else x.squeeze(axis + 1)
    return x


def scatter(ct: Any, taps: Sequence[Taps], shape: tuple[int, ...]) -> Any:
    """The adjoint: cotangents of the outputs go back to the places they were read from."""
    for axis, (index, weight) in enumerate(taps, ct.ndim - len(taps)):
        spread = np.expand_dims(ct, axis + 1)
        if weight is not None:
            w = _along(weight, axis, ct.ndim)
            spread = np.where(w != 0, spread * w.astype(ct.dtype), ct.dtype.type(0))
        out = np.zeros((*ct.shape[:axis], shape[axis], *ct.shape[axis + 1 :]), ct.dtype)
        where = (slice(None),) * axis + (index,)
        np.add.at(out, where, np.broadcast_to(spread, out[where].shape))
        ct = out
    return ct


# Several of torch's backward ops take the input too, though they need its shape only. Its gradient is zero then, which is
# not the same as none.
op("beside", lambda x, other: x.copy(), "ct_ !self", face=False, arrays_as=lambda x, other: x, ct_=lambda F, ct: ct,
   self=lambda F, ct, self_shape: F.new_zeros(ct, self_shape))  # fmt: skip
# And several save it, though their formula here does not need it: the graph of a gradient, too, must refuse what changed.
op("keeping", lambda x, other: x.copy(), "ct_ self", face=False, arrays_as=lambda x, other: x,
   ct_=lambda F, ct, self: ct, self=lambda F, ct, self: F.zeros_like(self))  # fmt: skip


def nonempty(shape: tuple[int, ...], n: int) -> None:
    """Raise if a dimension other than the batch's has no entries; the last n are those of space."""
    if 0 in shape[1 if len(shape) == n + 2 else 0 :]:
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got: {list(shape)}"
        )


def tapped(name: str, taps_of: Callable, params: str, *, saves: bool, node: str, face: Any = False, check: Any = None,
           hollow: bool = False) -> None:  # fmt: skip
    """Make the row `name` and its adjoint `name_backward`. taps_of(shape, *params) -> one table of taps a dimension.

    saves: whether torch keeps the input, although its shape would do. hollow: whether there may be no channels.
    """
    words = [p.partition("=")[0] for p in params.split()]

    def forward(x: Any, *args: Any) -> Any:
        if check is not None:
            check(x.shape, *args)
        taps = taps_of(x.shape, *args)
        if not x.size and not hollow:
            nonempty(x.shape, len(taps))
        return gather(x, taps)

    def backward(ct: Any, shape: tuple, *args: Any) -> Any:
        return scatter(ct, taps_of(shape, *args), shape)

    # The formulas' parameters are named by the row's own: they are told apart by name, so they are made from text.
    names, keeps = ", ".join(words), "self, " if saves else ""
    back = f"F.{name}_backward(ct, self_shape, {names})"
    make = f"lambda F, ct, {keeps}self_shape, {names}: {f'F.beside({back}, self)' if saves else back}"
    vjp = eval(make)
    vjp_back = eval(f"lambda F, ct, {names}: F.{name}(ct, {names})")
    op(name, forward, params=params, face=face, node=node, jvp="linear", self=vjp)
    op(name + "_backward", backward, "ct_", f"shape {params}", face=False, node=node.replace("Backward0", "BackwardBackward0"),
       jvp="linear", ct_=vjp_back)  # fmt: skip
