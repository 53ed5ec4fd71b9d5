"""JAX (https://github.com/jax-ml/jax), with 64-bit numbers on: `jax.vjp` of functions of arrays.

It promotes by dtype alone, as it documents: a 0-dim array of float64 widens one of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from conformance.engine import Category
from conformance.engines.functional import FunctionalEngine
from conformance.engines.functional_script import FunctionalScript
from conformance.engines.numpy_like import BUILTINS, spelled

ACTIVATIONS = {
    "sigmoid": "jax.nn.sigmoid(a)", "relu": "jax.nn.relu(a)", "relu6": "jax.nn.relu6(a)", "elu": "jax.nn.elu(a)",
    "elu_with_alpha": "jax.nn.elu(a, alpha)", "celu_with_alpha": "jax.nn.celu(a, alpha)", "selu": "jax.nn.selu(a)",
    "gelu": "jax.nn.gelu(a, approximate=False)", "gelu_with_tanh": "jax.nn.gelu(a)", "softplus": "jax.nn.softplus(a)",
    "softsign": "jax.nn.soft_sign(a)", "silu": "jax.nn.silu(a)", "mish": "jax.nn.mish(a)", "logsigmoid": "jax.nn.log_sigmoid(a)",
    "hardswish": "jax.nn.hard_swish(a)", "leaky_relu": "jax.nn.leaky_relu(a, negative_slope)", "glu": "jax.nn.glu(a, axis=dim)",
    "softmax": "jax.nn.softmax(a, axis=dim)", "log_softmax": "jax.nn.log_softmax(a, axis=dim)",
    "sigmoid_far": "jax.nn.sigmoid(a * 3000.0)", "tanh_far": "jnp.tanh(a * 3000.0)",
    "elu_far": "jax.nn.elu(a * 3000.0) / 3000.0", "celu_far": "jax.nn.celu(a * 3000.0) / 3000.0",
    "softplus_far": "jax.nn.softplus(a * 3000.0) / 3000.0", "logsigmoid_far": "jax.nn.log_sigmoid(a * 3000.0) / 3000.0",
    "silu_far": "jax.nn.silu(a * 3000.0) / 3000.0",
    "logaddexp_far": "jnp.logaddexp(a * 3000.0, a * -3000.0) / 3000.0",
}  # fmt: skip
SPECIAL = {
    "erf": "special.erf(a)", "erfc": "special.erfc(a)", "erfinv": "special.erfinv(a / 4.0)", "erfcx": "special.erfcx(a)",
    "logit": "special.logit(a / 8.0 + 0.5)", "ndtri": "special.ndtri(a / 8.0 + 0.5)", "ndtr": "special.ndtr(a)",
    "log_ndtr": "special.log_ndtr(a)", "entr": "special.entr(a)", "lgamma": "special.gammaln(a + 60.0) / 8.0",
    "digamma": "special.digamma(a + 60.0)", "trigamma": "special.polygamma(1, a + 60.0)", "i0": "special.i0(a)",
    "i0e": "special.i0e(a)", "i1": "special.i1(a)", "xlogy": "special.xlogy(a, b)", "xlog1py": "special.xlog1py(a, b)",
    "xlogy_at_zero": "special.xlogy(a - cut(a), b)",
    "logsumexp": "special.logsumexp(a, axis=dim, keepdims=keepdim)",
    "logsumexp_dims": "special.logsumexp(a, axis=dims, keepdims=keepdim)",
}  # fmt: skip
OWN = {
    **ACTIVATIONS, **SPECIAL,
    "clone": "jnp.copy(a)", "contiguous_copy": "jnp.copy(a)", "rsqrt": "jax.lax.rsqrt(a)", "signbit": "jnp.signbit(a + 0.25)",
    "ldexp": "a * jnp.exp2(b)", "float_power": "jnp.float_power(a, b)", "to_integers": "a.astype(jnp.int64)",
    "sort": "jnp.sort(a, axis=dim, descending=descending), jnp.argsort(a, axis=dim, stable=True, descending=descending)",
    "logcumsumexp": "jax.lax.cumlogsumexp(a, axis=dim)",
    "block_diag": "jax.scipy.linalg.block_diag(a, b)", "matrix_exp": "jax.scipy.linalg.expm(a / 4.0 + jnp.eye(a.shape[-1]))",
    "scatter": "jnp.put_along_axis(a, b, c, axis=dim, inplace=False)", "index_put": "a.at[b].set(c)",
    "index_put_accumulate": "a.at[b].add(c)", "select_scatter": "a.at[(slice(None),) * dim + (index,)].set(b)",
    "slice_scatter": "a.at[start::step].set(b)", "index_add": "a.at[(slice(None),) * dim + (b,)].add(c)",
    "index_add_alpha": "a.at[(slice(None),) * dim + (b,)].add(2 * c)",
    "index_copy": "a.at[(slice(None),) * dim + (b,)].set(c)", "index_fill": "a.at[(slice(None),) * dim + (b,)].set(value)",
    "index_fill_number": "a.at[(slice(None),) * dim + (b,)].set(c)",
    "norm": "jnp.linalg.vector_norm(a)", "norm_dim": "jnp.linalg.vector_norm(a, axis=dim, keepdims=keepdim)",
    "norm_1": "jnp.linalg.vector_norm(a, ord=1, axis=dim, keepdims=keepdim)",
    "norm_3": "jnp.linalg.vector_norm(a, ord=3, axis=dim, keepdims=keepdim)",
    "norm_infinite": "jnp.linalg.vector_norm(a, ord=jnp.inf, axis=dim, keepdims=keepdim)",
}  # fmt: skip
OPS = spelled("jnp", OWN)


class JaxScript(FunctionalScript):
    """Programs as plain code of JAX."""

    imports = ("import jax", "import jax.numpy as jnp", "jax.config.update('jax_enable_x64', True)")
    names = {
        "special": "import jax.scipy.special as special", r"jax\.scipy\.linalg": "import jax.scipy.linalg",
        "cut": "cut = jax.lax.stop_gradient",
    }  # fmt: skip
    codes = OPS
    array = "jnp.array({data}, '{dtype}')"
    zeros = "jnp.zeros({shape}, '{dtype}')"
    differentiate = ("_, pull = jax.vjp({f}, *{primals})", "{found} = pull({cotangents})")


class JaxEngine(FunctionalEngine):
    """The released JAX, on its CPU device, op by op."""

    name: ClassVar[str] = "jax"
    home: ClassVar[str] = "https://github.com/jax-ml/jax"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = JaxScript
    ops: Mapping[str, str] = OPS
    promotes: ClassVar[frozenset[str]] = frozenset({"floats", "numbers"})

    def __init__(self) -> None:
        import jax
        import jax.numpy as jnp
        import jax.scipy.linalg
        import jax.scipy.special as special

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self.jax: Any = jax
        self.stop_gradient = jax.lax.stop_gradient
        self.asarray = jnp.asarray  # type: ignore[method-assign]
        self.namespace = {"jax": jax, "jnp": jnp, "special": special, "cut": jax.lax.stop_gradient, **BUILTINS}

    def version(self) -> str:
        return str(self.jax.__version__)

    def vjp(self, function: Callable[..., list[Any]], primals: list[Any], cotangents: list[Any]) -> Sequence[Any]:
        _, pull = self.jax.vjp(function, *primals)
        return pull(list(cotangents))  # type: ignore[no-any-return]

    def numpy(self, array: Any) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def categorize(self, error: BaseException) -> Category:
        return Category.GRADIENT_SHAPE if "cotangent" in str(error).lower() else Category.OTHER
