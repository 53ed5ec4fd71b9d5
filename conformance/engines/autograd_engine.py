"""HIPS autograd (https://github.com/HIPS/autograd): derivatives of NumPy functions.

It documents NumPy's promotion, not torch's. What users write to cut a gradient is `getval`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from conformance.engines.functional import FunctionalEngine
from conformance.engines.functional_script import FunctionalScript
from conformance.engines.numpy_like import BUILTINS, spelled

SPECIAL = {
    "erf": "special.erf(a)", "erfc": "special.erfc(a)", "erfinv": "special.erfinv(a / 4.0)", "sigmoid": "special.expit(a)",
    "logit": "special.logit(a / 8.0 + 0.5)", "lgamma": "special.gammaln(a + 60.0) / 8.0", "digamma": "special.psi(a + 60.0)",
    "i0": "special.i0(a)", "i1": "special.i1(a)",
    "logsumexp": "special.logsumexp(a, axis=dim, keepdims=keepdim)",
    "logsumexp_dims": "special.logsumexp(a, axis=dims, keepdims=keepdim)",
    "log_softmax": "a - special.logsumexp(a, axis=dim, keepdims=True)",
    "sigmoid_far": "special.expit(a * 3000.0)", "tanh_far": "anp.tanh(a * 3000.0)",
    "logaddexp_far": "anp.logaddexp(a * 3000.0, a * -3000.0) / 3000.0",
}  # fmt: skip
OWN = {
    **SPECIAL,
    "clone": "1.0 * a", "index_select": "a[(slice(None),) * dim + (b,)]",
    "sum_in_double": "anp.sum(a.astype(anp.float64))", "cumsum_in_double": "anp.cumsum(a.astype(anp.float64), axis=dim)",
}  # fmt: skip
# What it passes on to NumPy without a derivative; of clip, that of the bounds.
WITHOUT = (
    "fmod", "fmod_scalar", "copysign", "copysign_scalar", "clamp_tensors", "positive", "flip", "flip_two", "meshgrid", "nansum",
    "nanmean", "norm_1", "cumprod", "matrix_power", "pad_reflect", "pad_replicate", "pad_circular", "gather", "take_along_dim",
)  # fmt: skip
OPS = spelled("anp", OWN, WITHOUT)


class AutogradScript(FunctionalScript):
    """Programs as plain code of HIPS autograd."""

    imports = (
        "import autograd.numpy as anp",
        "from autograd import make_vjp",
        "from autograd.builtins import tuple as together",
    )
    names = {"special": "import autograd.scipy.special as special", "cut": "from autograd.tracer import getval as cut"}
    codes = OPS
    array = "anp.array({data}, '{dtype}')"
    zeros = "anp.zeros({shape}, '{dtype}')"
    differentiate = (
        "pull, _ = make_vjp(lambda *x: together({f}(*x)), tuple(range(len({primals}))))(*{primals})",
        "{found} = pull(together({cotangents}))",
    )


class AutogradEngine(FunctionalEngine):
    """The released autograd."""

    name: ClassVar[str] = "autograd"
    home: ClassVar[str] = "https://github.com/HIPS/autograd"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = AutogradScript
    ops: Mapping[str, str] = OPS
    limits: ClassVar[tuple[str, ...]] = ("Can't handle extra leading dims", "can't contain negative values")
    promotes: ClassVar[frozenset[str]] = frozenset({"floats"})

    def __init__(self) -> None:
        import autograd
        import autograd.numpy as anp
        import autograd.scipy.special as special
        from autograd.builtins import tuple as boxed_tuple
        from autograd.tracer import getval

        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"autograd\b")
        self.make_vjp = autograd.make_vjp
        self.tuple = boxed_tuple
        self.stop_gradient = getval
        self.namespace = {"anp": anp, "special": special, "cut": getval, **BUILTINS}

    def version(self) -> str:
        from importlib.metadata import version

        return version("autograd")

    def asarray(self, array: np.ndarray[Any, Any]) -> Any:
        return array

    def vjp(self, function: Callable[..., list[Any]], primals: list[Any], cotangents: list[Any]) -> Sequence[Any]:
        def results(*arrays: Any) -> Any:
            found = function(*arrays)
            return found[0] if len(found) == 1 else self.tuple(found)

        pull, _ = self.make_vjp(results, tuple(range(len(primals))))(*primals)
        return pull(cotangents[0] if len(cotangents) == 1 else self.tuple(cotangents))  # type: ignore[no-any-return]
