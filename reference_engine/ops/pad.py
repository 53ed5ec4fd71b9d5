"""Padding: by a constant, by reflection, by repeating the edge, and around the circle."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .table import FUNCTIONS, ROWS, op
from .taps import Taps, tapped


def pairs(pad: tuple[int, ...]) -> list[tuple[int, int]]:
    """(before, after) of the dimensions, first to last; torch lists the last dimension first."""
    return [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]


def _constant(x: Any, pad: tuple, value: Any) -> Any:
    if len(pad) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pad)}")
    if len(pad) > 2 * x.ndim:
        raise RuntimeError(
            f"Length of pad should be no more than twice the number of dimensions of the input. Pad length is {len(pad)}"
            f"while the input has {x.ndim} dimensions."
        )
    around = [(0, 0)] * (x.ndim - len(pad) // 2) + pairs(pad)
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, around))
    for i, n in enumerate(shape):
        if n < 0 or x.shape[i] + min(around[i][0], 0) + min(around[i][1], 0) < 0:
            raise RuntimeError(
                f"The input size {x.shape[i]}, plus negative padding {around[i][0]} and {around[i][1]} resulted in a "
                f"negative output size, which is invalid. Check dimension {i} of your input."
            )
    inner = tuple(slice(max(a, 0), max(0, n + a + min(b, 0))) for n, (a, b) in zip(x.shape, around))
    source = tuple(slice(max(-a, 0), max(0, n - max(-b, 0))) for n, (a, b) in zip(x.shape, around))
    if inner == tuple(slice(0, n) for n in shape):
        return x[source].copy(order="K")  # what is only cut keeps its order of memory
    out = np.full(shape, value, x.dtype)
    out[inner] = x[source]
    return out


op("constant_pad_nd", _constant, params="pad value=0", face="function",
   self=lambda F, ct, pad: F.constant_pad_nd(ct, tuple(-p for p in pad), 0))  # fmt: skip


def _reflected(n: int, before: int, after: int) -> Taps:
    i = np.arange(-before, n + after)
    i = np.abs(i)
    return np.where(i >= n, 2 * (n - 1) - i, i)[:, None], None


def _replicated(n: int, before: int, after: int) -> Taps:
    return np.clip(np.arange(-before, n + after), 0, max(0, n - 1))[:, None], None


def _check_reflection(shape: tuple, padding: tuple) -> None:
    around = pairs(padding)
    for d, (a, b) in enumerate(around, len(shape) - len(around)):
        if a >= shape[d] or b >= shape[d]:
            raise RuntimeError(
                f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({a}, {b}) at dimension {d} of input {list(shape)}"
            )


def _taps_by(along: Any) -> Any:
    return lambda shape, padding: [along(n, a, b) for n, (a, b) in zip(shape[len(shape) - len(padding) // 2 :], pairs(padding))]


for _n in (1, 2, 3):
    for _kind, _title, _by, _check in (
        ("reflection", "Reflection", _reflected, _check_reflection), ("replication", "Replication", _replicated, None),
    ):  # fmt: skip
        _name = f"{_kind}_pad{_n}d"
        tapped(_name, _taps_by(_by), "padding", saves=True, node=f"{_title}Pad{_n}DBackward0", check=_check)
        FUNCTIONS[_name] = ROWS[_name].call


def _circular(x: Tensor, padding: tuple) -> Tensor:
    """As torch does it: an empty result, and copies of the input and of its ends into it."""
    around = pairs(padding)
    lead = x._array.ndim - len(around)
    for d, (a, b) in enumerate(around):
        n = x._array.shape[lead + d]
        if a > n or b > n:
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if n + a + b < 0:
            raise RuntimeError("Negative padding value is resulting in an empty dimension")
    shape = [n + a + b for n, (a, b) in zip(x._array.shape[lead:], around)]
    out = x.new_empty((*x._array.shape[:lead], *shape))
    target, source = out, x
    for d, (a, b) in enumerate(around, lead):
        n = x._array.shape[d]
        target = target.narrow(d, max(a, 0), n + min(a, 0) + min(b, 0))
        source = source.narrow(d, max(-a, 0), n + min(a, 0) + min(b, 0))
    target.copy_(source)
    for d, (a, b) in enumerate(around, lead):
        n = x._array.shape[d]
        whole = out._array.shape[d]
        # The last n entries of the inner part go before it, the first ones behind it.
        if a > 0:
            out.narrow(d, 0, a).copy_(out.narrow(d, whole - a - max(b, 0), a))
        if b > 0:
            out.narrow(d, whole - b, b).copy_(out.narrow(d, max(a, 0), b))
    return out


def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """Entries around the last dimensions, or fewer of them where the padding is negative."""
    padding = tuple(int(p) for p in pad)
    if mode == "constant":
        return ROWS["constant_pad_nd"].call(input, padding, 0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    n = len(padding) // 2
    if len(padding) % 2 or input._array.ndim not in (n + 1, n + 2):
        raise NotImplementedError("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now")
    if mode == "circular":
        return _circular(input, padding)
    kind = {"reflect": "reflection", "replicate": "replication"}.get(mode)
    if kind is None:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    return ROWS[f"{kind}_pad{n}d"].call(input, padding)


FUNCTIONS["_pad_circular"] = _circular
