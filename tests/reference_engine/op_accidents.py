"""Where torch itself is wrong or accidental, so that the reference engine need not agree. docs/deviations.md says why."""

from __future__ import annotations

import re

# (call, as a regular expression; dtypes; variants; questions), "" for any. "value" is whether the call is refused.
ACCIDENTS: tuple[tuple[str, str, str, str], ...] = (
    # The numbers contradict difference quotients.
    (r"^x \*\* \(1 \+ 2j\)", "float64 | float32", "", "forward"),
    (r"^T.cholesky_inverse", "", "", "forward"),
    (r"^T.as_strided_scatter", "", "", "backward | recorded | second"),
    (r"scatter_reduce_?\(.*'prod'", "", "", "forward"),
    (r"^A.native_layer_norm_backward", "", "", "second"),
    # Torch forgets to refuse, or refuses for reasons of its kernels: assertions, memory layouts, MKL.
    (r"^T.vander", "", "", ""),
    (r"^T.as_strided_scatter", "", "strided | expanded", "value"),
    (r"^T.kron", "", "strided", "value"),
    (r"^A.native_group_norm", "", "strided | expanded", "value"),
    (r"^T.fft|^A._fft", "", "empty", "value"),
    (r"^T.view_as_(complex|real)", "", "empty", ""),
    (r"^T.linalg.vecdot", "", "broadcast", "value"),
    (r"^T.clamp\(x, y, z\)", "", "broadcast", ""),
    (r"^x.logcumsumexp", "", "empty", "forward"),
    (r"^F.nll_loss\(x, i, reduction='none'\)", "", "strided", ""),
    (r"^F.(embedding|adaptive_avg_pool1d)\(|^T.block_diag", "", "empty", "backward | second | recorded"),
    (r"", "complex128", "empty", "value"),
    # Uninitialised memory, and which of equal values is named.
    (r"^F.multi(label)?_margin_loss", "", "empty", "values"),
    (r"^x.median\(0\)", "", "expanded", ""),
    (r"^F.grid_sample\(x, y, mode='nearest'", "", "", "recorded requires_grad"),
)


def excused(call: str, dtype: str, variant: str, what: str) -> bool:
    """Whether a difference is torch's own doing."""
    return any(
        re.search(text, call)
        and all(not given or have in given.split(" | ") for given, have in zip(rest, (dtype, variant, what)))
        for text, *rest in ACCIDENTS
    )
