"""Convolution in any number of dimensions.

A convolution is a trilinear form <conv(x, w), y>: with two of the three held, it gives the third.

    conv_output(x, w) -> y      the convolution
    conv_input(y, w)  -> x      its adjoint in x: what torch calls the transposed convolution
    conv_weight(x, y) -> w      its adjoint in w

Each is linear in both its operands, and the derivatives of each are the other two; so all orders are here. Shapes:
x (batch, groups * i, *size), w (groups * o, i, *kernel), y (batch, groups * o, *out).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .table import ROWS, op, tensors

Ints = tuple[int, ...]


def _padded(x: Any, padding: Ints) -> Any:
    if not any(padding):
        return x
    return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])


def _windows(x: Any, kernel: Ints, out: Ints, stride: Ints, dilation: Ints, groups: int) -> Any:
    """A view (groups, batch, i, *out, *kernel) of a padded input."""
    b, c = x.shape[:2]
    x = np.ascontiguousarray(x)
    steps = x.strides[2:]
    shape = (groups, b, c // groups, *out, *kernel)
    moves = (x.strides[1] * (c // groups), *x.strides[:2], *(a * s for a, s in zip(steps, stride)),
             *(a * d for a, d in zip(steps, dilation)))  # fmt: skip
    return np.lib.stride_tricks.as_strided(x, shape, moves)


def _grouped(x: Any, groups: int, axis: int) -> Any:
    """Split a channel axis into (groups, rest), groups first."""
    shape = (*x.shape[:axis], groups, x.shape[axis] // max(1, groups), *x.shape[axis + 1 :])
    return np.moveaxis(x.reshape(shape), axis, 0)


def _letters(n: int) -> tuple[str, str]:
    return "xyz"[:n], "uvw"[:n]


def conv_output(x: Any, w: Any, size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """The convolution; `size` is that of the output (a transposed one's may be smaller than what would fit)."""
    n = w.ndim - 2
    win = _windows(_padded(x, padding), w.shape[2:], size, stride, dilation, groups)
    o, k = _letters(n)
    y = np.einsum(f"gbi{o}{k},goi{k}->bgo{o}", win, _grouped(w, groups, 0), optimize=True)
    return np.ascontiguousarray(y.reshape(x.shape[0], w.shape[0], *size))


def conv_input(y: Any, w: Any, size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """The adjoint in the input, whose spatial size is given."""
    n, channels = w.ndim - 2, w.shape[1] * groups
    o, k = _letters(n)
    spread = np.einsum(f"gbo{o},goi{k}->{k}bgi{o}", _grouped(y, groups, 1), _grouped(w, groups, 0), optimize=True)
    whole = np.zeros((y.shape[0], channels, *(s + 2 * p for s, p in zip(size, padding))), spread.dtype)
    for at in np.ndindex(w.shape[2:]):
        where = tuple(
            slice(a * d, a * d + (m - 1) * s + 1 if m else a * d, s) for a, d, s, m in zip(at, dilation, stride, y.shape[2:])
        )
        whole[(slice(None), slice(None), *where)] += spread[at].reshape(y.shape[0], channels, *y.shape[2:])
    inner = tuple(slice(p, p + s) for p, s in zip(padding, size))
    return np.ascontiguousarray(whole[(slice(None), slice(None), *inner)])


def conv_weight(x: Any, y: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> Any:
    """The adjoint in the weight, whose kernel size is given."""
    win = _windows(_padded(x, padding), kernel, y.shape[2:], stride, dilation, groups)
    o, k = _letters(len(kernel))
    w = np.einsum(f"gbi{o}{k},gbo{o}->goi{k}", win, _grouped(y, groups, 1), optimize=True)
    return np.ascontiguousarray(w.reshape(y.shape[1], x.shape[1] // max(1, groups), *kernel))


PARAMS = "size stride padding dilation groups"
# Each is linear in both operands: the cotangent takes the place of what it belongs to.
op("conv_output", conv_output, "x w", PARAMS, face=False, node="ConvolutionBackwardBackward0",
   x=lambda F, ct, w, x_shape, stride, padding, dilation, groups: F.conv_input(
       ct, F.conj(w), x_shape[2:], stride, padding, dilation, groups),
   w=lambda F, ct, x, w_shape, stride, padding, dilation, groups: F.conv_weight(
       F.conj(x), ct, w_shape[2:], stride, padding, dilation, groups))  # fmt: skip
op("conv_input", conv_input, "y w", PARAMS, face=False, node="ConvolutionBackwardBackward0",
   y=lambda F, ct, w, y_shape, stride, padding, dilation, groups: F.conv_output(
       ct, F.conj(w), y_shape[2:], stride, padding, dilation, groups),
   w=lambda F, ct, y, w_shape, stride, padding, dilation, groups: F.conv_weight(
       ct, F.conj(y), w_shape[2:], stride, padding, dilation, groups))  # fmt: skip
op("conv_weight", conv_weight, "x y", PARAMS, face=False, node="ConvolutionBackwardBackward0",
   x=lambda F, ct, y, x_shape, stride, padding, dilation, groups: F.conv_input(
       F.conj(y), ct, x_shape[2:], stride, padding, dilation, groups),
   y=lambda F, ct, x, y_shape, stride, padding, dilation, groups: F.conv_output(
       F.conj(x), ct, y_shape[2:], stride, padding, dilation, groups))  # fmt: skip


# ---- torch's convolution ----------------------------------------------------------------------------------------------


def _check(x: Any, w: Any, bias: Any, transposed: bool, groups: int) -> None:
    n = w.ndim - 2
    if not w.shape[0]:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
            f"{list(w.shape)} instead"
        )
    if x.ndim != n + 2:
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to conv{n}d, but got input of size: {list(x.shape)}"
        )
    if x.dtype != w.dtype:
        from ..dtypes import OF_NUMPY

        names = [OF_NUMPY[a.dtype].long_name.lower() for a in (x, w)]
        raise RuntimeError(f"expected input and weight to have the same dtype, but got: {names[0]} != {names[1]}")
    channels = w.shape[0] if transposed else w.shape[1] * groups
    if x.shape[1] != channels:
        raise RuntimeError(
            f"Given {'transposed=1' if transposed else f'groups={groups}'}, weight of size {list(w.shape)}, expected input"
            f"{list(x.shape)} to have {channels} channels, but got {x.shape[1]} channels instead"
        )
    if w.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
            f"{list(w.shape)} instead"
        )
    out = w.shape[1] * groups if transposed else w.shape[0]
    if bias is not None and bias.shape != (out,):
        raise RuntimeError(
            f"Given weight of size {list(w.shape)}, expected bias to be 1-dimensional with {out} elements, but got bias of "
            f"size {list(bias.shape)} instead"
        )


def out_size(size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    """The spatial size of a plain convolution's output."""
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, kernel, stride, padding, dilation))


def transposed_size(size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, extra: Ints) -> Ints:
    """The spatial size of a transposed convolution's output."""
    return tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, d, e in zip(size, kernel, stride, padding, dilation, extra)
    )


def _convolution(x: Any, w: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, transposed: bool, extra: Ints,
                 groups: int) -> Any:  # fmt: skip
    _check(x, w, bias, transposed, groups)
    if transposed:
        size = transposed_size(x.shape[2:], w.shape[2:], stride, padding, dilation, extra)
        if any(s <= 0 for s in size) and x.size:
            raise RuntimeError(f"Given input size per channel: {list(x.shape[2:])}. Calculated output size per channel: {list(size)}. Output size is too small")  # noqa: E501 # fmt: skip
        y = conv_input(x, w, size, stride, padding, dilation, groups)
    else:
        size = out_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
        if any(s <= 0 for s in size):
            grown = " x ".join(str(n + 2 * p) for n, p in zip(x.shape[2:], padding))
            reach = " x ".join(str(d * (k - 1) + 1) for k, d in zip(w.shape[2:], dilation))
            raise RuntimeError(
                f"Calculated padded input size per channel: ({grown}). Kernel size: ({reach}). Kernel size can't be "
                "greater than actual input size"
            )
        y = conv_output(x, w, size, stride, padding, dilation, groups)
    return y if bias is None else y + bias.reshape(-1, *(1,) * (w.ndim - 2))


def _vjp_input(F: Any, ct: Any, input: Any, weight: Any, input_shape: Ints, stride: Ints, padding: Ints, dilation: Ints,
               transposed: bool, groups: int) -> Any:  # fmt: skip
    back = F.conv_output if transposed else F.conv_input
    return back(ct, F.conj(weight), input_shape[2:], stride, padding, dilation, groups)


def _vjp_weight(F: Any, ct: Any, input: Any, weight: Any, weight_shape: Ints, stride: Ints, padding: Ints, dilation: Ints,
                transposed: bool, groups: int) -> Any:  # fmt: skip
    x, y = (ct, F.conj(input)) if transposed else (F.conj(input), ct)
    return F.conv_weight(x, y, weight_shape[2:], stride, padding, dilation, groups)


def _vjp_bias(F: Any, ct: Any, input: Any, weight: Any) -> Any:
    return F.sum_dims(ct, (0, *range(2, len(ct.shape))), False)


# Torch's one backward kernel needs input and weight whatever is asked of it: every formula names both, so both are saved.
op("convolution", _convolution, "input weight bias", "stride padding dilation transposed output_padding groups", face=False,
   input=_vjp_input, weight=_vjp_weight, bias=_vjp_bias)  # fmt: skip


def convolution_backward(
    grad_output: Any, input: Any, weight: Any, bias_sizes: Any, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int, output_mask: Any,
) -> tuple:  # fmt: skip
    """The three gradients of a convolution (None where not asked for); differentiable."""
    del bias_sizes, output_padding
    s, p, d = tuple(stride), tuple(padding), tuple(dilation)
    x, w, F = input._array.shape, weight._array.shape, tensors
    wanted = (
        lambda: _vjp_input(F, grad_output, input, weight, x, s, p, d, transposed, groups),
        lambda: _vjp_weight(F, grad_output, input, weight, w, s, p, d, transposed, groups),
        lambda: _vjp_bias(F, grad_output, input, weight),
    )
    return tuple(make() if mask else None for make, mask in zip(wanted, output_mask))


def per_dim(value: Any, n: int) -> Ints:
    """A number for all n dimensions, or one for each."""
    if isinstance(value, int):
        return (value,) * n
    value = tuple(int(v) for v in value)
    return value * n if len(value) == 1 else value


def _convolve(n: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
              extra: Any, groups: int) -> Any:  # fmt: skip
    """One call for all the faces; an input without a batch dimension gets one for the while."""
    single = input._array.ndim == n + 1
    if single:
        input = input.unsqueeze(0)
    s, p, d, e = (per_dim(v, n) for v in (stride, padding, dilation, extra))
    y = ROWS["convolution"].call(input, weight, bias, s, p, d, transposed, e, groups)
    return y.squeeze(0) if single else y


def _same(n: int, input: Any, weight: Any, dilation: Any, stride: Any) -> tuple[Any, Ints]:
    """padding="same": the even part goes into the convolution, the rest is put behind the input."""
    if any(s != 1 for s in per_dim(stride, n)):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(per_dim(dilation, n), weight._array.shape[2:])]
    rest = tuple(v for t in reversed(total) for v in (0, t % 2))
    if any(rest):
        input = ROWS["constant_pad_nd"].call(input, rest, 0)
    return input, tuple(t // 2 for t in total)


def _faces(n: int) -> tuple[Any, Any]:
    def conv(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
             groups: int = 1) -> Any:  # fmt: skip
        if padding == "same":
            input, padding = _same(n, input, weight, dilation, stride)
        elif padding == "valid":
            padding = 0
        return _convolve(n, input, weight, bias, stride, padding, dilation, False, 0, groups)

    def conv_transpose(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                       groups: int = 1, dilation: Any = 1) -> Any:  # fmt: skip
        return _convolve(n, input, weight, bias, stride, padding, dilation, True, output_padding, groups)

    conv.__name__, conv.__doc__ = f"conv{n}d", f"Convolution over the last {n} dimensions."
    conv_transpose.__name__ = f"conv_transpose{n}d"
    conv_transpose.__doc__ = f"Transposed convolution over the last {n} dimensions."
    return conv, conv_transpose


(conv1d, conv_transpose1d), (conv2d, conv_transpose2d), (conv3d, conv_transpose3d) = (_faces(n) for n in (1, 2, 3))


def convolution(input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
                output_padding: Any, groups: int) -> Any:  # fmt: skip
    """torch.convolution: the general form behind all the faces."""
    n = weight._array.ndim - 2
    return _convolve(n, input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)


# ---- another trilinear form: nn.functional.bilinear -------------------------------------------------------------------


def _outer(F: Any, x: Any, y: Any) -> Any:
    """All products of the entries of x and y, row by row."""
    return F.reshape(F.mul(F.unsqueeze(x, 2), F.unsqueeze(y, 1)), (x.shape[0], x.shape[1] * y.shape[1]))


def _bilinear_weight(F: Any, ct: Any, input1: Any, input2: Any) -> Any:
    shape = (ct.shape[1], input1.shape[1], input2.shape[1])
    return F.reshape(F.mm(F.t(ct), _outer(F, input1, input2)), shape)


def _flat(F: Any, weight: Any, order: Ints, kept: int) -> Any:
    """The weight as a matrix whose columns are dimension `kept`."""
    return F.reshape(F.permute(weight, order), (-1, weight.shape[kept]))


# out[k] = sum over i, j of input1[i] * weight[k, i, j] * input2[j]
op("bilinear_form", lambda a, w, b: np.einsum("ni,kij,nj->nk", a, w, b, optimize=True), "input1 weight input2", face=False,
   node="TrilinearBackward0", complex=False, exact=True,
   input1=lambda F, ct, input2, weight: F.mm(_outer(F, ct, input2), _flat(F, weight, (0, 2, 1), 1)),
   input2=lambda F, ct, input1, weight: F.mm(_outer(F, ct, input1), _flat(F, weight, (0, 1, 2), 2)),
   weight=_bilinear_weight)  # fmt: skip
