"""Eigenvalues and singular values. Formulas: torch's FunctionsManual, the papers are named there.

Complex vectors are determined up to a phase, and what depends on that phase has no derivative: the formulas refuse it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modes import state
from .decomposition_kernels import svd
from .decompositions import _diagonal, _eye, _mul3, _named, _scale_diagonal
from .linalg import _conj_t
from .table import arrays, op, tensors

arrays.values_of = lambda x: x
tensors.values_of = lambda x: x._array


def _embedded(F: Any, x: Any) -> Any:
    return F.diag_embed(x, 0, -2, -1)


def _gaps(F: Any, values: Any) -> Any:
    """values[j] - values[i], with ones on the diagonal."""
    gaps = F.sub(F.unsqueeze(values, -2), F.unsqueeze(values, -1))
    return F.add(gaps, _eye(F, values, values.shape[-1]))


def _skew(F: Any, x: Any) -> Any:
    return F.sub(x, _conj_t(F, x))


def _check_phase(F: Any, turn: Any, name: str, what: str) -> None:
    """Raise if a gradient has a part along the free phase. Going forward, the cotangents are only probes."""
    if not state.transposing and not np.allclose(F.values_of(turn).imag, 0, 1e-2, 1e-2):
        raise RuntimeError(
            f"{name}: The {what} in the complex case are specified up to multiplication by e^{{i phi}}. The specified loss "
            "function depends on this phase term, making it ill-defined."
        )


# ---- eigenvalues ------------------------------------------------------------------------------------------------------


def _eigh_vjp(F: Any, cts: list, result0: Any, result1: Any) -> Any:
    gL, gV = cts
    h, inner = _conj_t(F, result1), None
    if gV is not None:
        along = F.matmul(h, gV)
        if F.is_complex(along):
            _check_phase(F, _diagonal(F, along), "linalg_eigh_backward", "eigenvectors")
        inner = _scale_diagonal(F, F.div(along, _gaps(F, result0)), 0.0)
    if gL is not None:
        diagonal = F.mul(F.unsqueeze(gL, -2), _eye(F, result1, gL.shape[-1]))
        inner = diagonal if inner is None else F.add(inner, diagonal)
    gA = _mul3(F, result1, inner, h)
    return F.mul(F.add(gA, _conj_t(F, gA)), 0.5)


op("_linalg_eigh", lambda a, uplo: tuple(np.linalg.eigh(a, uplo)), "A", "UPLO", outputs=2, face=False,
   node="LinalgEighBackward0", namedtuple=_named("linalg_eigh", "eigenvalues eigenvectors"), A=_eigh_vjp)  # fmt: skip


def _eig(a: Any) -> tuple:
    kind = np.result_type(a.dtype, np.complex64)
    w, v = np.linalg.eig(a)
    return w.astype(kind), v.astype(kind)


def _eig_vjp(F: Any, cts: list, result0: Any, result1: Any, self_dtype: Any) -> Any:
    gL, gV = cts
    V, h = result1, _conj_t(F, result1)
    if gV is None:
        gA = F.mul(F.unsqueeze(gL, -1), h)
    else:
        along = F.matmul(h, gV)
        diagonal = _diagonal(F, along)
        _check_phase(F, diagonal, "linalg_eig_backward", "eigenvectors")
        # Eigenvectors are of length 1: what would stretch them does not count.
        inner = F.sub(along, F.matmul(h, F.mul(V, F.unsqueeze(F.real(diagonal), -2))))
        inner = F.div(inner, _gaps(F, F.conj(result0)))
        if gL is not None:
            inner = F.add(_scale_diagonal(F, inner, 0.0), _embedded(F, gL))
        gA = F.matmul(inner, h)
    gA = F.linalg_solve_ex(h, gA)
    return gA if self_dtype.kind == "c" else F.real(gA)


op("linalg_eig", _eig, outputs=2, face=False, namedtuple=_named("linalg_eig", "eigenvalues eigenvectors"),
   self=_eig_vjp)  # fmt: skip

# ---- singular values --------------------------------------------------------------------------------------------------


def _svd_inner(F: Any, uu: Any, vv: Any, gS: Any, S: Any) -> Any:
    """The gradient within the spaces of the singular vectors. uu, vv: the skew parts of U^H gU and V^H gV, or None."""
    gaps = _gaps(F, F.square(S))
    parts = [] if uu is None else [F.mul(F.div(uu, gaps), F.unsqueeze(S, -2))]
    if vv is not None:
        parts.append(F.mul(F.unsqueeze(S, -1), F.div(vv, gaps)))
    if gS is not None:
        parts.append(_embedded(F, gS))
    if uu is not None and vv is not None and F.is_complex(uu):
        parts.append(_embedded(F, F.div(_diagonal(F, uu), F.mul(S, 2))))
    inner = parts[0]
    for part in parts[1:]:
        inner = F.add(inner, part)
    return inner


def _svd_vjp(F: Any, cts: list, result0: Any, result1: Any, result2: Any, self_shape: tuple, full_matrices: bool) -> Any:
    gU, gS, gVh, (m, n) = *cts, self_shape[-2:]
    k, S = min(m, n), result1
    U, Vh = F.slice(result0, -1, 0, k, 1), F.slice(result2, -2, 0, k, 1)
    if full_matrices:
        # The vectors beyond the rank are any that complete the basis: nothing depends on them.
        gU, gVh = None if gU is None else F.slice(gU, -1, 0, k, 1), None if gVh is None else F.slice(gVh, -2, 0, k, 1)
    if gU is None and gVh is None:
        return F.matmul(F.mul(U, F.unsqueeze(gS, -2)), Vh)
    V, Uh = _conj_t(F, Vh), _conj_t(F, U)
    uu = None if gU is None else _skew(F, F.matmul(Uh, gU))
    vv = None if gVh is None else _skew(F, F.matmul(Vh, _conj_t(F, gVh)))
    if F.is_complex(U):
        turns = [_diagonal(F, x) for x in (uu, vv) if x is not None]
        _check_phase(F, turns[0] if len(turns) == 1 else F.add(*turns), "svd_backward", "singular vectors")
    gA = _mul3(F, U, _svd_inner(F, uu, vv, gS, S), Vh)
    if gU is not None and m > k:
        scaled = F.div(gU, F.unsqueeze(S, -2))
        gA = F.add(gA, F.matmul(F.sub(scaled, _mul3(F, U, Uh, scaled)), Vh))
    if gVh is not None and n > k:
        scaled = F.div(gVh, F.unsqueeze(S, -1))
        gA = F.add(gA, F.matmul(U, F.sub(scaled, _mul3(F, scaled, V, Vh))))
    return gA


op("_linalg_svd", svd, "self", "full_matrices", outputs=3, face=False, node="LinalgSvdBackward0",
   namedtuple=_named("linalg_svd", "U S Vh"), self=_svd_vjp)  # fmt: skip
