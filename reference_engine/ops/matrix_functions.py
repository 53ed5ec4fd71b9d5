"""The matrix exponential, the pseudoinverse and least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import linalg2  # noqa: F401 - F.matmul is defined there
from .decomposition_kernels import matrix_exp
from .linalg import _conj_t
from .table import op


def _matrix_exp_vjp(F: Any, ct: Any, self: Any) -> Any:
    # The derivative of a matrix function is the corner of that function of a block matrix (Mathias 1996).
    h = _conj_t(F, self)
    n = h.shape[-1]
    block = F.cat([F.cat([h, ct], -1), F.cat([F.zeros_like(h), h], -1)], -2)
    return F.slice(F.slice(F.linalg_matrix_exp(block), -2, 0, n, 1), -1, n, 2 * n, 1)


op("linalg_matrix_exp", matrix_exp, face=False, self=_matrix_exp_vjp)


def _pinv_vjp(F: Any, ct: Any, self: Any, result: Any) -> Any:
    """Golub and Pereyra 1973."""
    m, n = self.shape[-2:]
    ph, gh = _conj_t(F, result), _conj_t(F, ct)
    if m <= n:
        K = F.matmul(gh, result)
        Kp = F.matmul(K, ph)
        out = F.sub(Kp, _conj_t(F, F.matmul(result, K)))
        out = F.sub(out, F.matmul(F.matmul(self, result), Kp))
        return F.add(out, F.matmul(F.matmul(ph, result), F.sub(gh, F.matmul(K, self))))
    K = F.matmul(result, gh)
    pK = F.matmul(ph, K)
    out = F.sub(pK, _conj_t(F, F.matmul(K, result)))
    out = F.add(out, F.matmul(F.matmul(F.sub(gh, F.matmul(self, K)), result), ph))
    return F.sub(out, F.matmul(F.matmul(pK, result), self))


def _pinv(a: Any, rcond: Any, hermitian: bool) -> Any:
    rcond = np.finfo(a.dtype).eps * max(a.shape[-2:]) if rcond is None else rcond
    return np.linalg.pinv(a, rcond=rcond, hermitian=hermitian)


def _lstsq(a: Any, b: Any) -> Any:
    return np.linalg.pinv(a) @ b


op("linalg_pinv", _pinv, params="rcond hermitian", face=False, self=_pinv_vjp)
op("linalg_lstsq_row", _lstsq, "self b", face=False, node="LinalgLstsqBackward0",
   self=lambda F, ct, self, b, result: _pinv_vjp(
       F, F.matmul(ct, _conj_t(F, b)), self, F.linalg_pinv(self, None, False)),
   b=lambda F, ct, self, b, result: F.matmul(_conj_t(F, F.linalg_pinv(self, None, False)), ct))  # fmt: skip
