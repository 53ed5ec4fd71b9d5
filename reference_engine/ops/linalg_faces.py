"""The functions of torch.linalg, and the older names of the same on torch and Tensor."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np

from ..tensor import Tensor, wrap
from . import spectral as _  # noqa: F401 - the rows
from .decompositions import _named
from .faces import face, function
from .linalg2 import matrix_power, multi_dot
from .table import FUNCTIONS, ROWS

LINALG: dict[str, Any] = {"multi_dot": multi_dot, "matrix_power": matrix_power}


def linalg(*names: str) -> Any:
    """Put a function in torch.linalg under its own name and others."""

    def decorate(fn: Any) -> Any:
        for name in (fn.__name__.strip("_"), *names):
            LINALG[name] = fn
        return fn

    return decorate


def _one(name: str, row: str, *elsewhere: str) -> None:
    call = ROWS[row].call

    def fn(A: Tensor, *, out: Any = None) -> Tensor:
        return call(A, out=out)

    fn.__name__ = name
    LINALG[name] = fn
    if elsewhere:
        face(*elsewhere)(call)


_one("inv", "linalg_inv_ex", "inverse")
_one("det", "_linalg_det", "det")
_one("matrix_exp", "linalg_matrix_exp", "matrix_exp")


@face()
@linalg()
def slogdet(A: Tensor) -> Any:
    """The sign and the logarithm of the size of the determinant."""
    return ROWS["_linalg_slogdet"](A)


@face()
def logdet(A: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN if that is negative."""
    sign, size = ROWS["_linalg_slogdet"](A)
    if A.is_complex():
        return sign.log() + size
    return ROWS["where"].call(sign == -1.0, math.nan, size)


@linalg()
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B, or X A = B if not left."""
    if left:
        return ROWS["linalg_solve_ex"].call(A, B)
    return ROWS["linalg_solve_ex"].call(A.mT, B.mT).mT


@linalg()
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of the linear map from the last dimensions to the first `ind`."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(first) != math.prod(last):
        raise RuntimeError("Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
                           f"{math.prod(last)} != {math.prod(first)}")  # fmt: skip
    return ROWS["linalg_inv_ex"].call(A.reshape(math.prod(last), math.prod(first))).reshape((*last, *first))


@linalg()
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """X with tensordot(A, X, X.dim()) = B."""
    n = A.dim()
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(n - len(dims), n)))
    shape = tuple(A.shape[B.dim() :])
    if math.prod(shape) != math.prod(A.shape[: B.dim()]):
        raise RuntimeError("Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
                           "prod(self.shape[:other.ndim])")  # fmt: skip
    size = math.prod(shape)
    return ROWS["linalg_solve_ex"].call(A.reshape(size, size), B.reshape(size)).reshape(shape)


@linalg()
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """solve for a triangular A, of which only the triangle is read."""
    return ROWS["linalg_solve_triangular_row"].call(A, B, upper, left, unitriangular)


@face()
def triangular_solve(b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    """X with A X = b, and A."""
    A = A.mT if transpose else A
    x = ROWS["linalg_solve_triangular_row"].call(A, b, upper != transpose, True, unitriangular)
    return _named("triangular_solve", "solution cloned_coefficient")(x, A.clone())


@linalg()
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The triangular factor of a positive definite matrix."""
    return ROWS["linalg_cholesky_ex"].call(A, upper)


face("cholesky")(lambda self, upper=False: cholesky(self, upper=upper))


@linalg()
def qr(A: Tensor, mode: str = "reduced") -> Any:
    """An orthogonal and an upper triangular factor."""
    return ROWS["linalg_qr_row"](A, mode)


face("qr")(lambda self, some=True: qr(self, "reduced" if some else "complete"))


@linalg()
def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """P, L and U with P L U = A."""
    return ROWS["linalg_lu"](A)


@linalg()
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """L and U in one matrix, and the row exchanges."""
    return ROWS["linalg_lu_factor_ex"](A)


@linalg()
def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """X with A X = B (or X A = B), A given by lu_factor's result."""
    return ROWS["linalg_lu_solve"].call(LU, pivots, B, left, adjoint)


face("lu_solve")(lambda self, LU_data, LU_pivots: lu_solve(LU_data, LU_pivots, self))


@function()
def lu_unpack(LU: Tensor, pivots: Tensor) -> tuple:
    """P, L and U from lu_factor's result."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    low = LU[..., :, :k].tril(-1) + wrap(np.eye(m, k, dtype=LU._array.dtype))
    return ROWS["permutation"].call(LU.detach(), pivots), low, LU[..., :k, :].triu()


@linalg()
def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """Eigenvalues and eigenvectors of a symmetric matrix."""
    return ROWS["_linalg_eigh"](A, UPLO)


@linalg()
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of a symmetric matrix."""
    return ROWS["_linalg_eigh"](A, UPLO)[0]


@linalg()
def eig(A: Tensor) -> Any:
    """Eigenvalues and eigenvectors of length 1 of a square matrix: complex ones always."""
    return ROWS["linalg_eig"](A)


@linalg()
def eigvals(A: Tensor) -> Tensor:
    """The eigenvalues of a square matrix."""
    return ROWS["linalg_eig"](A)[0]


@linalg()
def svd(A: Tensor, full_matrices: bool = True) -> Any:
    """U, S and Vh with U diag(S) Vh = A."""
    return ROWS["_linalg_svd"](A, full_matrices)


@face("svd")
def _svd(self: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    u, s, vh = ROWS["_linalg_svd"](self, not some)
    return _named("svd", "U S V")(u, s, vh.mH)


@linalg()
def svdvals(A: Tensor) -> Tensor:
    """The singular values."""
    return ROWS["_linalg_svd"](A, False)[1]


@linalg()
def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Tensor:
    """The pseudoinverse."""
    return ROWS["linalg_pinv"].call(A, rtol if rcond is None else rcond, hermitian)


face("pinverse")(lambda self, rcond=1e-15: pinv(self, rcond))


@linalg()
def lstsq(A: Tensor, B: Tensor, rcond: Any = None, *, driver: Any = None) -> Any:
    """The least squares solution."""
    x = ROWS["linalg_lstsq_row"].call(A, B)
    rank = wrap(np.asarray(np.linalg.matrix_rank(A._array)))
    return _Lstsq(x, A.new_zeros((0,)), rank, A.new_zeros((0,)))


_Lstsq = namedtuple("linalg_lstsq", "solution residuals rank singular_values")


@linalg()
def matrix_rank(A: Tensor, *, tol: Any = None, hermitian: bool = False) -> Tensor:
    """How many singular values are not negligible."""
    if A.dim() < 2:
        raise RuntimeError("torch.linalg.matrix_rank: The input tensor input must have at least 2 dimensions.")
    return wrap(np.asarray(np.linalg.matrix_rank(A._array, tol, hermitian)))


def _unchecked(name: str, row: str, fields: str) -> None:
    """An op that says in `info` where it failed, instead of raising."""
    made = _named(f"linalg_{name}", fields)

    def call(A: Tensor, *rest: Any, check_errors: bool = False, **options: Any) -> Any:
        run = ROWS[row].call
        info = wrap(np.zeros(A._array.shape[:-2], np.int32))
        try:
            return made(run(A, *rest, *options.values()), info)
        except RuntimeError as error:
            if check_errors or ("singular" not in str(error) and "positive" not in str(error)):
                raise
        shape = (rest[0] if rest else A)._array.shape
        return made(A.new_full(shape, math.nan), wrap(info._array + 1))

    call.__name__ = name
    LINALG[name] = call


_unchecked("inv_ex", "linalg_inv_ex", "inverse info")
_unchecked("solve_ex", "linalg_solve_ex", "result info")
_unchecked("cholesky_ex", "linalg_cholesky_ex", "L info")

# ---- norms ------------------------------------------------------------------------------------------------------------


@linalg()
def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of all elements, or of vectors along dimensions."""
    x = x if dtype is None else x.to(dtype)
    return ROWS["vector_norm"].call(x, float(ord), dim, keepdim)


@linalg()
def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of matrices: "fro", "nuc", 1, 2, inf and their negatives."""
    A = A if dtype is None else A.to(dtype)
    n = A.dim()
    if n < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    d0, d1 = (d % n for d in dim)
    if 0 in (A.shape[d0], A.shape[d1]):
        ord = "fro"  # all norms of an empty matrix are 0
    if ord == "fro":
        return vector_norm(A, 2, (d0, d1), keepdim)
    if ord in ("nuc", 2, -2):
        moved = A.movedim((d0, d1), (-2, -1))
        s = svdvals(moved)
        out = s.sum(-1) if ord == "nuc" else s.amax(-1) if ord == 2 else s.amin(-1)
        for d in sorted((d0, d1)) if keepdim else ():
            out = out.unsqueeze(d)
        return out
    if abs(ord) not in (1, math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    along, over = (d0, d1) if abs(ord) == 1 else (d1, d0)
    sums = vector_norm(A, 1, along, keepdim)
    over = over if keepdim or over < along else over - 1
    return sums.amax(over, keepdim) if ord > 0 else sums.amin(over, keepdim)


@linalg()
def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """vector_norm or matrix_norm, as the arguments suggest."""
    if ord is None or (dim is None and A.dim() == 1) or isinstance(dim, int) or (dim is not None and len(dim) == 1):
        if isinstance(ord, str):
            return matrix_norm(A, ord, dim, keepdim, dtype=dtype)
        return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)


@linalg()
def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number."""
    if not A.numel():
        return A.abs().sum((-2, -1))
    if p in (None, 2, -2):
        s = svdvals(A)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return matrix_norm(A, p) * matrix_norm(LINALG["inv"](A), p)


# ---- the rest ---------------------------------------------------------------------------------------------------------


@linalg()
def cross(A: Tensor, B: Tensor, *, dim: int = -1) -> Tensor:
    """The vector product along a dimension of length 3."""
    return ROWS["linalg_cross"].call(A, B, dim)


@linalg()
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The scalar product along a dimension."""
    return (x.conj() * y).sum(dim) if x.is_complex() else (x * y).sum(dim)


@linalg()
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonal of the last two dimensions."""
    return A.diagonal(offset, dim1, dim2)


@linalg()
def vander(x: Tensor, *, N: Any = None) -> Tensor:
    """The powers of each element, from the zeroth on."""
    n = x.shape[-1] if N is None else N
    ones = x.new_zeros((*x.shape, 1)) + 1
    if n == 1:
        return ones
    return FUNCTIONS["cat"]([ones, x.unsqueeze(-1).expand(*x.shape, n - 1)], -1).cumprod(-1)


@function("vander")
def _vander(x: Tensor, N: Any = None, increasing: bool = False) -> Tensor:
    """The powers of each element, the highest first."""
    out = vander(x, N=x.shape[-1] if N is None else N)
    return out if increasing else out.flip(-1)


LINALG["matmul"] = FUNCTIONS["matmul"]
