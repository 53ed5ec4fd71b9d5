"""Matrix decompositions and what follows from them. Formulas: torch's FunctionsManual, the papers are named there."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from .. import errors
from . import linalg2  # noqa: F401 - F.matmul is defined there
from .decomposition_kernels import lu_factor, negative_minor, unpack, zero_pivot
from .linalg import _conj_t
from .table import op


def _named(name: str, fields: str) -> Any:
    """A named tuple as torch.return_types has it."""
    t = namedtuple(name, fields)
    t.__module__ = "torch.return_types"
    return t


def _mul3(F: Any, a: Any, b: Any, c: Any) -> Any:
    return F.matmul(F.matmul(a, b), c)


def _right_solve(F: Any, a: Any, b: Any) -> Any:
    """b @ inv(a)"""
    return _conj_t(F, F.linalg_solve_ex(_conj_t(F, a), _conj_t(F, b)))


def _diagonal(F: Any, x: Any) -> Any:
    return F.diagonal(x, 0, -2, -1)


def _eye(F: Any, x: Any, n: int) -> Any:
    """Identity matrices of x's dtype."""
    return F.diag_embed(F.add(F.new_zeros(x, (n,)), 1), 0, -2, -1)


def _scale_diagonal(F: Any, x: Any, by: float) -> Any:
    return F.add(x, F.diag_embed(F.mul(_diagonal(F, x), by - 1), 0, -2, -1))


# ---- inverse, determinant, solve --------------------------------------------------------------------------------------


def _square(name: str, a: Any) -> None:
    if a.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if a.shape[-1] != a.shape[-2]:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {a.shape[-2]} by {a.shape[-1]} matrices")


def _inv(a: Any) -> Any:
    _square("linalg.inv", a)
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        batch, k = _fails(a, zero_pivot)
        raise errors.LinAlgError(f"linalg.inv: {batch}The diagonal element {k} is zero, the inversion could not be completed "
                                 "because the input matrix is singular.") from None  # fmt: skip


def _fails(a: Any, first: Any) -> tuple[str, int]:
    """Which matrix of a batch fails, as torch's messages say it, and where: the first place that is not 0."""
    places = map(first, a.reshape(-1, *a.shape[-2:]))
    batch, place = next(((b, k) for b, k in enumerate(places) if k), (0, 1))
    return f"(Batch element {batch}): " if a.ndim > 2 else "", place


def _is_vector(a_shape: tuple, b_shape: tuple) -> bool:
    return len(b_shape) == 1 or (len(a_shape) - 1 == len(b_shape) and b_shape == a_shape[:-1])


def _solve(a: Any, b: Any) -> Any:
    _square("linalg.solve", a)
    try:
        return np.linalg.solve(a, b[..., None])[..., 0] if _is_vector(a.shape, b.shape) else np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise errors.LinAlgError("torch.linalg.solve: The solver failed because the input matrix is singular.") from None


def _solve_a(F: Any, ct: Any, A: Any, result: Any, A_shape: tuple, B_shape: tuple) -> Any:
    gB = F.linalg_solve_ex(_conj_t(F, A), ct)
    if _is_vector(A_shape, B_shape):
        return F.neg(F.mul(F.unsqueeze(gB, -1), F.conj(F.unsqueeze(result, -2))))
    return F.neg(F.matmul(gB, _conj_t(F, result)))


op("linalg_inv_ex", _inv, "A", face=False, A=lambda F, ct, result: F.neg(
    _mul3(F, _conj_t(F, result), ct, _conj_t(F, result))))  # fmt: skip
op("linalg_solve_ex", _solve, "A B", face=False, A=_solve_a,
   B=lambda F, ct, A, result: F.linalg_solve_ex(_conj_t(F, A), ct))  # fmt: skip


def _det(a: Any) -> Any:
    _square("linalg.det", a)
    return np.linalg.det(a)


def _cofactors(a: Any) -> Any:
    """The gradient of the determinant, singular matrices included: by the singular value decomposition."""
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    others = np.stack([np.delete(s, i, -1).prod(-1) for i in range(n)], -1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return sign.conj()[..., None, None] * ((u * others[..., None, :]) @ vh)


def _cofactors_or_zero(a: Any) -> Any:
    # Torch's ordinary backward solves with the determinant as right-hand side: where that is exactly zero, so is the result.
    return np.where((np.linalg.det(a) == 0)[..., None, None], 0, _cofactors(a))


op("cofactors", _cofactors, "A", face=False, arrays_as=_cofactors_or_zero)


def _det_vjp(F: Any, ct: Any, A: Any, result: Any) -> Any:
    ct = F.unsqueeze(F.unsqueeze(ct, -1), -1)
    if F.has_zero(result):
        return F.mul(ct, F.cofactors(A))
    size = F.conj(F.unsqueeze(F.unsqueeze(result, -1), -1))
    return F.mul(F.mul(ct, size), _conj_t(F, F.linalg_inv_ex(A)))


op("_linalg_det", _det, "A", face=False, node="LinalgDetBackward0", A=_det_vjp)


def _slogdet(a: Any) -> tuple:
    _square("linalg.slogdet", a)
    sign, size = np.linalg.slogdet(a)
    return np.asarray(sign), np.asarray(size)


def _slogdet_vjp(F: Any, cts: list, A: Any, result: Any) -> Any:
    g = cts[1]
    if cts[0] is not None and "complex" in str(A.dtype):
        # A complex sign turns with the phase of the determinant.
        turn = F.mul(F.conj(cts[0]), result)
        turn = F.div(F.sub(F.conj(turn), turn), 2)
        g = turn if g is None else F.add(turn, g)
    if g is None:
        return F.zeros_like(A)
    return F.mul(F.unsqueeze(F.unsqueeze(g, -1), -1), _conj_t(F, F.linalg_inv_ex(A)))


op("_linalg_slogdet", _slogdet, "A", outputs=2, face=False, node="LinalgSlogdetBackward0",
   namedtuple=_named("linalg_slogdet", "sign logabsdet"), A=_slogdet_vjp)  # fmt: skip

# ---- triangular -------------------------------------------------------------------------------------------------------


def _triangle(F: Any, x: Any, upper: bool, unit: bool = False) -> Any:
    return F.triu(x, int(unit)) if upper else F.tril(x, -int(unit))


def _solve_triangular(a: Any, b: Any, upper: bool, left: bool, unit: bool) -> Any:
    a = np.triu(a) if upper else np.tril(a)
    if unit:
        a = a.copy()
        a[..., range(a.shape[-1]), range(a.shape[-1])] = 1
    if left:
        return np.linalg.solve(a, b)
    return np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)


def _triangular_b(F: Any, ct: Any, self: Any, upper: bool, left: bool, unitriangular: bool) -> Any:
    return F.linalg_solve_triangular_row(_conj_t(F, self), ct, not upper, left, unitriangular)


def _triangular_a(F: Any, ct: Any, self: Any, result: Any, upper: bool, left: bool, unitriangular: bool) -> Any:
    gB, h = _triangular_b(F, ct, self, upper, left, unitriangular), _conj_t(F, result)
    product = F.matmul(gB, h) if left else F.matmul(h, gB)
    return F.neg(_triangle(F, product, upper, unitriangular))


op("linalg_solve_triangular_row", _solve_triangular, "self B", "upper left unitriangular", face=False,
   node="LinalgSolveTriangularBackward0", self=_triangular_a,
   B=lambda F, ct, self, result, upper, left, unitriangular: _triangular_b(F, ct, self, upper, left, unitriangular))  # fmt: skip


def _cholesky(a: Any, upper: bool) -> Any:
    _square("linalg.cholesky", a)
    try:
        low = np.linalg.cholesky(a)
        if np.isnan(low).any():  # NumPy lets a matrix with NaN pass
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        batch, k = _fails(a, negative_minor)
        text = f"(the leading minor of order {k} is not positive-definite)."
        raise errors.LinAlgError(f"linalg.cholesky: {batch}The factorization could not be completed because the input is not "
                                 f"positive-definite {text}") from None  # fmt: skip
    return np.ascontiguousarray(np.swapaxes(low, -1, -2).conj()) if upper else low


def _cholesky_vjp(F: Any, ct: Any, result: Any, upper: bool) -> Any:
    low = _conj_t(F, result) if upper else result
    ct = _conj_t(F, ct) if upper else ct
    inner = F.matmul(_conj_t(F, low), ct)
    inner = F.add(F.tril(inner, 0), _conj_t(F, F.tril(inner, -1)))
    return F.mul(_right_solve(F, low, F.linalg_solve_ex(_conj_t(F, low), inner)), 0.5)


def _gram(factor: Any, upper: bool) -> Any:
    factor = np.triu(factor) if upper else np.tril(factor)
    h = np.swapaxes(factor, -1, -2).conj()
    return h @ factor if upper else factor @ h


def _cholesky_inverse_vjp(F: Any, ct: Any, self: Any, result: Any, upper: bool) -> Any:
    both = _mul3(F, result, F.add(ct, _conj_t(F, ct)), result)
    return F.neg(F.matmul(self, both) if upper else F.matmul(both, self))


def _cholesky_solve_factor(F: Any, ct: Any, self: Any, input2: Any, result: Any, upper: bool) -> Any:
    common = F.matmul(F.cholesky_solve(ct, input2, upper), _conj_t(F, result))
    common = F.add(common, _conj_t(F, common))
    return F.neg(F.matmul(input2, common) if upper else F.matmul(common, input2))


op("linalg_cholesky_ex", _cholesky, params="upper=False", face=False, self=_cholesky_vjp)
op("cholesky_inverse", lambda x, upper: np.linalg.inv(_gram(x, upper)), params="upper=False", self=_cholesky_inverse_vjp)


def _cholesky_solve(b: Any, x: Any, upper: bool) -> Any:
    _square("cholesky_solve", x)
    return np.linalg.solve(_gram(x, upper), b)


op("cholesky_solve", _cholesky_solve, "self input2", "upper=False",
   self=lambda F, ct, self, input2, result, upper: F.cholesky_solve(ct, input2, upper), input2=_cholesky_solve_factor)  # fmt: skip  # noqa: E501

# ---- QR, LU -----------------------------------------------------------------------------------------------------------


def _qr(a: Any, mode: str) -> tuple:
    q, r = (np.zeros(0, a.dtype), np.linalg.qr(a, "r")) if mode == "r" else np.linalg.qr(a, mode)
    return np.ascontiguousarray(q), np.ascontiguousarray(r)


def _qr_vjp(F: Any, cts: list, result0: Any, result1: Any, self_shape: tuple, mode: str) -> Any:
    gQ, gR, Q, R = *cts, result0, result1
    m, n = self_shape[-2:]
    if mode == "r":
        raise RuntimeError("The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
                           "linalg.qr(A, mode='reduced') if you are going to require gradients.")  # fmt: skip
    if mode == "complete" and m > n:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
    rest = None
    if m < n:
        # A = Q [R1 R2]: the columns beyond the square part are Q R2.
        R2, gR2 = F.slice(R, -1, m, n, 1), None if gR is None else F.slice(gR, -1, m, n, 1)
        if gR2 is not None:
            rest = F.matmul(Q, gR2)
            more = _mul3(F, Q, R2, _conj_t(F, gR2))
            gQ = more if gQ is None else F.add(gQ, more)
            gR = F.slice(gR, -1, 0, m, 1)
        else:
            rest = F.zeros_like(F.matmul(Q, R2))
        R = F.slice(R, -1, 0, m, 1)
    gA = None if gR is None else F.matmul(gR, _conj_t(F, R))
    if gQ is not None:
        along = F.matmul(_conj_t(F, Q), gQ)
        gA = F.neg(along) if gA is None else F.sub(gA, along)
    upper = F.triu(gA, 0)
    gA = F.matmul(Q, _scale_diagonal(F, F.add(upper, _conj_t(F, upper)), 0.5))
    gA = _right_solve(F, _conj_t(F, R), gA if gQ is None else F.add(gA, gQ))
    return gA if rest is None else F.cat([gA, rest], -1)


op("linalg_qr_row", _qr, params="mode", outputs=2, face=False, node="LinalgQrBackward0",
   namedtuple=_named("linalg_qr", "Q R"), self=_qr_vjp)  # fmt: skip


def _lu_square(F: Any, gL: Any, gU: Any, L: Any, U: Any) -> Any:
    """The gradient of L U for square factors."""
    inner = F.add(F.tril(F.matmul(_conj_t(F, L), gL), -1), F.triu(F.matmul(gU, _conj_t(F, U)), 0))
    return F.linalg_solve_ex(_conj_t(F, L), _right_solve(F, _conj_t(F, U), inner))


def _lu_product(F: Any, gL: Any, gU: Any, L: Any, U: Any) -> Any:
    """The same for any shape: what lies beyond the square part is a function of the square part's factors."""
    gL, gU = F.zeros_like(L) if gL is None else gL, F.zeros_like(U) if gU is None else gU
    m, n = L.shape[-2], U.shape[-1]
    if m > n:  # below: L2 = A2 / U
        upper, lower, L2 = F.slice(gL, -2, 0, n, 1), F.slice(gL, -2, n, m, 1), F.slice(L, -2, n, m, 1)
        gA2 = _right_solve(F, _conj_t(F, U), lower)
        gU = F.sub(gU, F.matmul(_conj_t(F, L2), gA2))
        return F.cat([_lu_square(F, upper, gU, F.slice(L, -2, 0, n, 1), U), gA2], -2)
    if m < n:  # to the right: U2 = inverse of L times A2
        gA2 = F.linalg_solve_ex(_conj_t(F, L), F.slice(gU, -1, m, n, 1))
        gL = F.sub(gL, F.matmul(gA2, _conj_t(F, F.slice(U, -1, m, n, 1))))
        return F.cat([_lu_square(F, gL, F.slice(gU, -1, 0, m, 1), L, F.slice(U, -1, 0, m, 1)), gA2], -1)
    return _lu_square(F, gL, gU, L, U)


def _lu_vjp(F: Any, cts: list, result0: Any, result1: Any, result2: Any) -> Any:
    return F.matmul(result0, _lu_product(F, cts[1], cts[2], result1, result2))


def _lu_factor_vjp(F: Any, ct: Any, result0: Any, result1: Any) -> Any:
    k = min(result0.shape[-2:])
    low, one = F.slice(result0, -1, 0, k, 1), _eye(F, result0, k)
    if result0.shape[-2] > k:
        one = F.cat([one, F.new_zeros(result0, (result0.shape[-2] - k, k))], -2)
    L, U = F.add(F.tril(low, -1), one), F.triu(F.slice(result0, -2, 0, k, 1), 0)
    gL, gU = F.tril(F.slice(ct, -1, 0, k, 1), -1), F.triu(F.slice(ct, -2, 0, k, 1), 0)
    return F.matmul(F.permutation(result0, result1), _lu_product(F, gL, gU, L, U))


op("linalg_lu", lambda a: unpack(*lu_factor(a)), "A", outputs=3, diff=(1, 2), face=False,
   namedtuple=_named("linalg_lu", "P L U"), A=_lu_vjp)  # fmt: skip
op("linalg_lu_factor_ex", lu_factor, "A", outputs=2, diff=(0,), face=False,
   namedtuple=_named("linalg_lu_factor", "LU pivots"), A=_lu_factor_vjp)  # fmt: skip
op("permutation", lambda lu, pivots: unpack(lu, pivots)[0], "LU pivots", face=False)


def _lu_parts(F: Any, lu: Any) -> tuple:
    """L and U of square matrices from the matrix that holds both."""
    return F.add(F.tril(lu, -1), _eye(F, lu, lu.shape[-1])), F.triu(lu, 0)


def _lu_solve(lu: Any, pivots: Any, b: Any, left: bool, adjoint: bool) -> Any:
    p, low, up = unpack(lu, pivots)
    a = p @ low @ up
    a = np.swapaxes(a, -1, -2).conj() if adjoint else a
    if left:
        return np.linalg.solve(a, b)
    return np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)


def _lu_solve_vjp(F: Any, ct: Any, LU: Any, pivots: Any, result: Any, left: bool, adjoint: bool) -> Any:
    gB = F.linalg_lu_solve(LU, pivots, ct, left, not adjoint)
    gA = F.matmul(gB, _conj_t(F, result)) if left else F.matmul(_conj_t(F, result), gB)
    gA = F.matmul(F.transpose(F.permutation(LU, pivots), -2, -1), F.neg(_conj_t(F, gA) if adjoint else gA))
    L, U = _lu_parts(F, LU)
    return F.add(F.tril(F.matmul(gA, _conj_t(F, U)), -1), F.triu(F.matmul(_conj_t(F, L), gA), 0))


op("linalg_lu_solve", _lu_solve, "LU !pivots B", "left=True adjoint=False", face=False, LU=_lu_solve_vjp,
   B=lambda F, ct, LU, pivots, left, adjoint: F.linalg_lu_solve(LU, pivots, ct, left, not adjoint))  # fmt: skip
