"""Pooling: averages and maxima over windows, fixed and adaptive; max unpooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .conv import per_dim
from .table import ROWS, op
from .taps import Taps, nonempty, tapped

Ints = tuple[int, ...]


def pooled_size(n: int, k: int, s: int, p: int, d: int, ceil: bool) -> int:
    """How many windows fit; with ceil_mode the last may hang over, but must begin inside the input or its left padding."""
    span = n + 2 * p - d * (k - 1) - 1
    out = -(-span // s) + 1 if ceil else span // s + 1
    if ceil and (out - 1) * s >= n + p:
        out -= 1
    return out


def _check(shape: tuple, n: int, kernel: Ints, padding: Ints, out: Ints) -> None:
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise RuntimeError("pad should be at most half of effective kernel size")
    if any(o < 1 for o in out):
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, shape[-n - 1 :]))}). Calculated output size: "
            f"({'x'.join(map(str, (shape[-n - 1], *out)))}). Output size is too small"
        )


# ---- averages ---------------------------------------------------------------------------------------------------------


def _windows(n: int, k: int, s: int, p: int, ceil: bool, count_padding: bool) -> Taps:
    """Windows of one dimension as taps, each with 1 / (how many it counts)."""
    out = pooled_size(n, k, s, p, 1, ceil)
    if out < 1:
        raise RuntimeError(f"Given input size: {n}. Calculated output size: {out}. Output size is too small")
    start = np.arange(out) * s - p
    index = start[:, None] + np.arange(k)
    inside = (index >= 0) & (index < n)
    end = np.minimum(start + k, n + p)
    counted = end - start if count_padding else inside.sum(1)
    return np.clip(index, 0, max(0, n - 1)), inside / np.maximum(counted, 1)[:, None]


def _average(shape: tuple, kernel: Ints, stride: Ints, padding: Ints, ceil: bool, count_padding: bool, divisor: Any) -> list:
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise RuntimeError("pad should be at most half of effective kernel size")
    taps = [
        _windows(n, k, s, p, ceil, count_padding)
        for n, k, s, p in zip(shape[len(shape) - len(kernel) :], kernel, stride, padding)
    ]
    if divisor is None:
        return taps
    if divisor == 0:
        raise RuntimeError("divisor must be not zero")
    plain = [(index, (weight != 0).astype(float)) for index, weight in taps]
    return [(plain[0][0], plain[0][1] / divisor), *plain[1:]]


def _adaptive_taps(n: int, out: int) -> Taps:
    """Window i reaches from floor(i n / out) to ceil((i + 1) n / out)."""
    i = np.arange(out)
    start, end = i * n // max(1, out), -(-(i + 1) * n // max(1, out))
    index = start[:, None] + np.arange(int((end - start).max()) if out else 1)
    inside = index < end[:, None]
    return np.clip(index, 0, max(0, n - 1)), inside / np.maximum(end - start, 1)[:, None]


def _adaptive(shape: tuple, output_size: Ints) -> list:
    return [_adaptive_taps(n, o) for n, o in zip(shape[len(shape) - len(output_size) :], output_size)]


for _n in (2, 3):
    tapped(f"avg_pool{_n}d", _average, "kernel_size stride padding ceil_mode count_include_pad divisor_override",
           saves=True, node=f"AvgPool{_n}DBackward0")  # fmt: skip
    tapped(f"adaptive_avg_pool{_n}d", _adaptive, "output_size", saves=True, hollow=True,
           node=f"AdaptiveAvgPool{_n}DBackward0")  # fmt: skip


# ---- maxima -----------------------------------------------------------------------------------------------------------


def _places(shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> tuple[Any, Any]:
    """For each window (rows) the flat places of its elements, and which of them lie inside the input."""
    n = len(shape)
    flat, inside = np.zeros((1,) * (2 * n), np.int64), np.ones((1,) * (2 * n), bool)
    for d in range(n):
        index = (np.arange(out[d]) * stride[d] - padding[d])[:, None] + np.arange(kernel[d]) * dilation[d]
        fit = [1] * (2 * n)
        fit[d], fit[n + d] = index.shape
        ok = (index >= 0) & (index < shape[d])
        flat = flat * shape[d] + np.where(ok, index, 0).reshape(fit)
        inside = inside & ok.reshape(fit)
    windows = int(np.prod(out))
    full = (*out, *kernel)
    return np.broadcast_to(flat, full).reshape(windows, -1), np.broadcast_to(inside, full).reshape(windows, -1)


def _first_maxima(planes: Any, places: Any, inside: Any) -> tuple[Any, Any]:
    """The greatest of each window and its place: the first of equals, and a NaN beats all."""
    values = planes[:, places]
    if planes.dtype.kind == "f":
        low: Any = -np.inf
        key = np.where(np.isnan(values), np.inf, values)
        key = np.where(inside, key, low)
        # A NaN must beat a true infinity too; the last of several NaNs is the one torch keeps.
        nan = np.isnan(values) & inside
        pick = np.where(nan.any(-1), values.shape[-1] - 1 - nan[..., ::-1].argmax(-1), 0)
        first = np.where(key == low, 0, 1).any(-1)
        # A window of nothing but -inf: its first element inside the input.
        pick = np.where(nan.any(-1), pick, np.where(first, key.argmax(-1), inside.argmax(-1)))
    else:
        low = np.iinfo(planes.dtype).min
        pick = np.where(inside, values, low).argmax(-1)
    where = np.broadcast_to(places, values.shape)
    index = np.take_along_axis(where, pick[..., None], -1)[..., 0]
    return np.take_along_axis(planes, index, 1), index


def _max_pool(x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil: bool) -> tuple[Any, Any]:
    n = len(kernel)
    if x.ndim not in (n + 1, n + 2):
        raise RuntimeError(f"non-empty {n + 1}D or {n + 2}D (batch mode) tensor expected for input")
    nonempty(x.shape, n)
    size = x.shape[-n:]
    out = tuple(pooled_size(*a, ceil) for a in zip(size, kernel, stride, padding, dilation))
    _check(x.shape, n, kernel, padding, out)
    lead = x.shape[:-n]
    value, index = _first_maxima(
        x.reshape(int(np.prod(lead)), int(np.prod(size))), *_places(size, kernel, stride, padding, dilation, out)
    )
    return value.reshape(*lead, *out), index.reshape(*lead, *out)


def _adaptive_max(x: Any, output_size: Ints) -> tuple[Any, Any]:
    n = len(output_size)
    size, lead = x.shape[-n:], x.shape[:-n]
    flat, inside = np.zeros((1,) * (2 * n), np.int64), np.ones((1,) * (2 * n), bool)
    for d, (index, weight) in enumerate(_adaptive(size, output_size)):
        fit = [1] * (2 * n)
        fit[d], fit[n + d] = index.shape
        flat = flat * size[d] + index.reshape(fit)
        inside = inside & (weight != 0).reshape(fit)
    windows = int(np.prod(output_size))
    flat, inside = np.broadcast_arrays(flat, inside)
    value, at = _first_maxima(
        x.reshape(int(np.prod(lead)), int(np.prod(size))), flat.reshape(windows, -1), inside.reshape(windows, -1)
    )
    return value.reshape(*lead, *output_size), at.reshape(*lead, *output_size)


def _put(ct: Any, index: Any, size: Ints) -> Any:
    """Add each cotangent where its value came from."""
    lead = ct.shape[: ct.ndim - len(size)]
    planes = int(np.prod(lead))
    flat = (planes, int(np.prod(ct.shape[len(lead) :])))
    out = np.zeros((planes, int(np.prod(size))), ct.dtype)
    np.add.at(out, (np.arange(planes)[:, None], index.reshape(flat)), ct.reshape(flat))
    return out.reshape(*lead, *size)


def _get(x: Any, index: Any, n: int) -> Any:
    """The values at flat places of the last n dimensions."""
    flat = x.reshape(*x.shape[:-n], int(np.prod(x.shape[-n:])))
    wanted = index.reshape(*index.shape[:-n], int(np.prod(index.shape[-n:])))
    return np.take_along_axis(flat, wanted, -1).reshape(index.shape)


# Both are linear, and adjoint to each other.
op("put_places", _put, "ct_ index", "size", face=False, node="MaxPoolBackwardBackward0", jvp="linear",
   ct_=lambda F, ct, index, size: F.get_places(ct, index, len(size)))  # fmt: skip
op("get_places", _get, "self !index", "n", face=False, node="MaxPoolBackwardBackwardBackward0", jvp="linear",
   self=lambda F, ct, index, n, self_shape: F.put_places(ct, index, self_shape[-n:]))  # fmt: skip

for _n in (2, 3):
    op(f"max_pool{_n}d_with_indices", _max_pool, params="kernel_size stride padding dilation ceil_mode", outputs=2, diff=(0,),
       face=False, node=f"MaxPool{_n}DWithIndicesBackward0",
       self=lambda F, ct, self, result1, self_shape, kernel_size: F.beside(
           F.put_places(ct, result1, self_shape[-len(kernel_size) :]), self))  # fmt: skip
    op(f"adaptive_max_pool{_n}d", _adaptive_max, params="output_size", outputs=2, diff=(0,), face=False,
       node=f"AdaptiveMaxPool{_n}DBackward0",
       self=lambda F, ct, self, result1, self_shape, output_size: F.beside(
           F.put_places(ct, result1, self_shape[-len(output_size) :]), self))  # fmt: skip
    # torch saves the indices and not the input.
    op(f"max_unpool{_n}d", lambda x, index, size: _unpool(x, index, size), "self !index", "output_size", face=False,
       node=f"MaxUnpool{_n}DBackward0",
       self=lambda F, ct, index, output_size: F.get_places(ct, index, len(output_size)))  # fmt: skip


def _unpool(x: Any, index: Any, size: Ints) -> Any:
    lead = x.shape[: x.ndim - len(size)]
    planes = int(np.prod(lead))
    out = np.zeros((planes, int(np.prod(size))), x.dtype)
    if index.size and not 0 <= index.min() <= index.max() < out.shape[1]:
        raise RuntimeError(f"Found an invalid max index: {index.max()} (output volumes are of size {'x'.join(map(str, size))})")
    flat = (planes, int(np.prod(x.shape[len(lead) :])))
    out[np.arange(planes)[:, None], index.reshape(flat)] = x.reshape(flat)
    return out.reshape(*lead, *size)


# ---- faces ------------------------------------------------------------------------------------------------------------


def _lifted(x: Tensor, n: int) -> tuple[Tensor, bool]:
    """One-dimensional pools are two-dimensional ones over a height of 1."""
    if n > 1:
        return x, False
    return x.unsqueeze(-2), True


def _ints(value: Any, n: int, lifted: bool, fill: int) -> Ints:
    return ((fill,) if lifted else ()) + per_dim(value, n)


def _avg(n: int) -> Any:
    def pool(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
             count_include_pad: bool = True, divisor_override: Any = None) -> Tensor:  # fmt: skip
        stride = kernel_size if stride is None or stride == [] or stride == () else stride
        x, lifted = _lifted(input, n)
        k, s, p = (_ints(v, n, lifted, f) for v, f in ((kernel_size, 1), (stride, 1), (padding, 0)))
        y = ROWS[f"avg_pool{max(n, 2)}d"].call(x, k, s, p, ceil_mode, count_include_pad, divisor_override)
        return y.squeeze(-2) if lifted else y

    pool.__name__, pool.__doc__ = f"avg_pool{n}d", f"Means over windows of the last {n} dimensions."
    return pool


def _max(n: int) -> Any:
    def both(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
             return_indices: bool = True) -> tuple:  # fmt: skip
        stride = kernel_size if stride is None or stride == [] or stride == () else stride
        x, lifted = _lifted(input, n)
        args = [_ints(v, n, lifted, f) for v, f in ((kernel_size, 1), (stride, 1), (padding, 0), (dilation, 1))]
        y, index = ROWS[f"max_pool{max(n, 2)}d_with_indices"](x, *args, ceil_mode)
        return (y.squeeze(-2), index.squeeze(-2)) if lifted else (y, index)

    def pool(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
             return_indices: bool = False) -> Any:  # fmt: skip
        pair = both(input, kernel_size, stride, padding, dilation, ceil_mode)
        return pair if return_indices else pair[0]

    both.__name__, both.__doc__ = f"max_pool{n}d_with_indices", f"Maxima over windows of {n} dimensions and their places."
    pool.__name__, pool.__doc__ = f"max_pool{n}d", f"Maxima over windows of the last {n} dimensions."
    return both, pool


def _adaptive_sizes(x: Tensor, output_size: Any, n: int) -> Ints:
    given = (output_size,) * n if isinstance(output_size, int) else tuple(output_size)
    given = given * n if len(given) == 1 else given
    return tuple(have if want is None else int(want) for want, have in zip(given, x._array.shape[-n:]))


def _adaptive_faces(n: int) -> Any:
    def average(input: Tensor, output_size: Any) -> Tensor:
        size = _adaptive_sizes(input, output_size, n)
        if size == (1,) * n and n > 1:
            return input.mean(tuple(range(-n, 0)), True)  # as torch does it
        x, lifted = _lifted(input, n)
        y = ROWS[f"adaptive_avg_pool{max(n, 2)}d"].call(x, (1,) * lifted + size)
        return y.squeeze(-2) if lifted else y

    def both(input: Tensor, output_size: Any, return_indices: bool = True) -> tuple:
        size = _adaptive_sizes(input, output_size, n)
        x, lifted = _lifted(input, n)
        y, index = ROWS[f"adaptive_max_pool{max(n, 2)}d"](x, (1,) * lifted + size)
        return (y.squeeze(-2), index.squeeze(-2)) if lifted else (y, index)

    def maximum(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        pair = both(input, output_size)
        return pair if return_indices else pair[0]

    average.__name__, average.__doc__ = f"adaptive_avg_pool{n}d", f"Means over as many windows as asked for, in {n} dimensions."
    both.__name__, both.__doc__ = f"adaptive_max_pool{n}d_with_indices", "Maxima over as many windows as asked for, and places."
    maximum.__name__, maximum.__doc__ = f"adaptive_max_pool{n}d", f"Maxima over as many windows as asked for, in {n} dimensions."
    return average, both, maximum


def _unpool_face(n: int) -> Any:
    def unpool(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               output_size: Any = None) -> Tensor:  # fmt: skip
        stride = kernel_size if stride is None else stride
        k, s, p = (per_dim(v, n) for v in (kernel_size, stride, padding))
        size = tuple((m - 1) * b + a - 2 * c for m, a, b, c in zip(input._array.shape[-n:], k, s, p))
        if output_size is not None:
            size = tuple(output_size)[-n:]
        x, lifted = _lifted(input, n)
        index = indices.unsqueeze(-2) if lifted else indices
        y = ROWS[f"max_unpool{max(n, 2)}d"].call(x, index, (1,) * lifted + size)
        return y.squeeze(-2) if lifted else y

    unpool.__name__, unpool.__doc__ = f"max_unpool{n}d", "Zeros, with each value at the place it was the maximum of."
    return unpool


FACES: dict[str, Any] = {}
for _n in (1, 2, 3):
    for _f in (_avg(_n), *_max(_n), *_adaptive_faces(_n), _unpool_face(_n)):
        FACES[_f.__name__] = _f
