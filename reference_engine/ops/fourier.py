"""Discrete Fourier transforms: the three rows torch has (real to complex, complex to complex, complex to real)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from .shape import axis
from .table import FUNCTIONS, ROWS, op

SCALE = {0: lambda n: 1.0, 1: lambda n: 1 / math.sqrt(n), 2: lambda n: 1 / n}
NORMS = {None: (0, 2), "backward": (0, 2), "ortho": (1, 1), "forward": (2, 0)}  # forward and inverse transforms


def _count(shape: tuple, dims: tuple) -> int:
    return math.prod(shape[d] for d in dims)


def _complex(x: Any) -> Any:
    return np.complex64 if x.dtype in (np.float32, np.complex64) else np.complex128


def _check_complex(x: Any) -> None:
    if x.dtype.kind != "c":
        raise RuntimeError(f"Only supports complex dtypes, but found: {dtypes.OF_NUMPY[x.dtype].long_name}")


def _c2c(x: Any, dims: tuple, norm: int, forward: bool) -> Any:
    _check_complex(x)
    out = np.fft.fftn(x, axes=dims) if forward else np.fft.ifftn(x, axes=dims, norm="forward")
    return _scaled(out, SCALE[norm](_count(x.shape, dims))).astype(_complex(x))


def _scaled(x: Any, scale: float) -> Any:
    """Both parts of complex numbers times a real one: as a product of complex numbers, infinities would give NaN."""
    parts = np.ascontiguousarray(x).view(x.real.dtype)
    parts *= scale
    return parts.view(x.dtype)


def _r2c(x: Any, dims: tuple, norm: int, onesided: bool) -> Any:
    out = (np.fft.rfftn if onesided else np.fft.fftn)(x, axes=dims)
    return _scaled(out, SCALE[norm](_count(x.shape, dims))).astype(_complex(x))


def _c2r(x: Any, dims: tuple, norm: int, last: int) -> Any:
    _check_complex(x)
    sizes = [x.shape[d] for d in dims[:-1]] + [last]
    n = math.prod(sizes)
    out = np.fft.irfftn(x, sizes, axes=dims) * (SCALE[norm](n) * n)
    return out.astype(np.float32 if x.dtype == np.complex64 else np.float64)


def _r2c_vjp(F: Any, ct: Any, self: Any, self_shape: tuple, dim: tuple, normalization: int, onesided: bool) -> Any:
    if onesided:
        # The half spectrum, filled up with zeros: the other half was never given out.
        d = axis(dim[-1], len(self_shape))
        missing = self_shape[d] - ct.shape[d]
        if missing:
            ct = F.cat([ct, F.new_zeros(ct, (*ct.shape[:d], missing, *ct.shape[d + 1 :]))], d)
    return F.real(F._fft_c2c(ct, dim, normalization, False))


def _c2r_vjp(F: Any, ct: Any, dim: tuple, normalization: int, last_dim_size: int) -> Any:
    out = F._fft_r2c(ct, dim, normalization, True)
    d = axis(dim[-1], len(ct.shape))
    doubled = last_dim_size - out.shape[d]
    if doubled <= 0:
        return out
    # Frequencies that stand for their mirror image too count twice.
    parts = [F.slice(out, d, 0, 1, 1), F.mul(F.slice(out, d, 1, 1 + doubled, 1), 2), F.slice(out, d, 1 + doubled, None, 1)]
    return F.cat(parts, d)


op("_fft_r2c", _r2c, params="dim normalization onesided", face=False, node="FftR2CBackward0", self=_r2c_vjp)
op("_fft_c2c", _c2c, params="dim normalization forward", face=False, node="FftC2CBackward0",
   self=lambda F, ct, dim, normalization, forward: F._fft_c2c(ct, dim, normalization, not forward))  # fmt: skip
op("_fft_c2r", _c2r, params="dim normalization last_dim_size", face=False, node="FftC2RBackward0", self=_c2r_vjp)


def _fitted(x: Tensor, n: Any, d: int) -> Tensor:
    """Cut or filled up with zeros to n entries along a dimension."""
    if n is None or n == x.shape[d]:
        return x
    if n < x.shape[d]:
        return x.narrow(d, 0, n)
    return FUNCTIONS["cat"]([x, x.new_zeros((*x.shape[:d], n - x.shape[d], *x.shape[d + 1 :]))], d)


def _dims(x: Tensor, s: Any, dim: Any) -> tuple:
    if dim is None:
        return tuple(range(x.dim() - (x.dim() if s is None else len(s)), x.dim()))
    return tuple(axis(d, x.dim()) for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))


def _prepared(x: Tensor, s: Any, dims: tuple) -> Tensor:
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(dtypes.get_default_dtype())
    for n, d in zip(s or (), dims):
        x = _fitted(x, None if n == -1 else n, d)
    return x


def fftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """The transform along dimensions."""
    dims = _dims(input, s, dim)
    x = _prepared(input, s, dims)
    if x.is_complex():
        return ROWS["_fft_c2c"].call(x, dims, NORMS[norm][0], True)
    return ROWS["_fft_r2c"].call(x, dims, NORMS[norm][0], False)


def ifftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """The inverse transform along dimensions."""
    dims = _dims(input, s, dim)
    x = _prepared(input, s, dims)
    if not x.is_complex():
        x = x.to(dtypes.OF_NUMPY[np.dtype(_complex(x._array))])
    return ROWS["_fft_c2c"].call(x, dims, NORMS[norm][1], False)


def rfftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """The half spectrum of real data."""
    dims = _dims(input, s, dim)
    return ROWS["_fft_r2c"].call(_prepared(input, s, dims), dims, NORMS[norm][0], True)


def irfftn(input: Tensor, s: Any = None, dim: Any = None, norm: Any = None) -> Tensor:
    """Real data from a half spectrum."""
    dims = _dims(input, s, dim)
    last = 2 * (input.shape[dims[-1]] - 1) if s is None or s[-1] is None else s[-1]
    x = _prepared(input, [*(s[:-1] if s else [-1] * (len(dims) - 1)), last // 2 + 1], dims)
    if not x.is_complex():
        x = x.to(dtypes.OF_NUMPY[np.dtype(_complex(x._array))])
    return ROWS["_fft_c2r"].call(x, dims, NORMS[norm][1], last)


def hfft(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
    """Real data from half of a signal that is its own mirror image, conjugated."""
    (d,) = _dims(input, None, dim)
    last = 2 * (input.shape[d] - 1) if n is None else n
    x = _prepared(input, (last // 2 + 1,), (d,))
    if not x.is_complex():
        x = x.to(dtypes.OF_NUMPY[np.dtype(_complex(x._array))])
    return ROWS["_fft_c2r"].call(x.conj(), (d,), NORMS[norm][0], last)


def ihfft(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
    """The inverse of hfft."""
    dims = _dims(input, None, dim)
    return ROWS["_fft_r2c"].call(_prepared(input, (n,), dims), dims, NORMS[norm][1], True).conj()


def _along_one(run: Any, name: str) -> Any:
    def call(input: Tensor, n: Any = None, dim: int = -1, norm: Any = None) -> Tensor:
        return run(input, None if n is None else (n,), (dim,), norm)

    call.__name__ = name
    return call


def _along_two(run: Any, name: str) -> Any:
    def call(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: Any = None) -> Tensor:
        return run(input, s, dim, norm)

    call.__name__ = name
    return call


def _shift(sign: int) -> Any:
    def call(input: Tensor, dim: Any = None) -> Tensor:
        dims = _dims(input, None, dim)
        return input.roll(tuple(sign * (input.shape[d] // 2) if sign > 0 else (input.shape[d] + 1) // 2 for d in dims), dims)

    return call


FFT: dict[str, Any] = {"fftshift": _shift(1), "ifftshift": _shift(-1), "hfft": hfft, "ihfft": ihfft}
for _run in (fftn, ifftn, rfftn, irfftn):
    _stem = _run.__name__[:-1]
    FFT.update({_run.__name__: _run, _stem: _along_one(_run, _stem), _stem + "2": _along_two(_run, _stem + "2")})
