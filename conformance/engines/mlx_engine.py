"""MLX (https://github.com/ml-explore/mlx) on its CPU device, where it has float64: `mx.vjp` of functions of arrays.

It promotes by dtype alone. Indices come as uint32, which is cast here, since what is compared with torch is int64.
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
    "sigmoid": "mx.sigmoid(a)", "relu": "nn.relu(a)", "relu6": "nn.relu6(a)", "elu": "nn.elu(a)",
    "elu_with_alpha": "nn.elu(a, alpha)", "celu_with_alpha": "nn.celu(a, alpha)", "selu": "nn.selu(a)", "gelu": "nn.gelu(a)",
    "gelu_with_tanh": "nn.gelu_approx(a)", "softplus": "nn.softplus(a)", "softsign": "nn.softsign(a)", "silu": "nn.silu(a)",
    "mish": "nn.mish(a)", "logsigmoid": "nn.log_sigmoid(a)", "hardswish": "nn.hardswish(a)",
    "leaky_relu": "nn.leaky_relu(a, negative_slope)", "glu": "nn.glu(a, axis=dim)", "softmax": "mx.softmax(a, axis=dim)",
    "softmin": "nn.softmin(a, axis=dim)", "log_softmax": "nn.log_softmax(a, axis=dim)",
    "hardshrink_with_lambd": "nn.hard_shrink(a, lambd)", "softshrink_with_lambd": "nn.softshrink(a, lambd)",
    "hardtanh_with_bounds": "nn.hard_tanh(a, min, max)", "sigmoid_far": "mx.sigmoid(a * 3000.0)",
    "tanh_far": "mx.tanh(a * 3000.0)", "elu_far": "nn.elu(a * 3000.0) / 3000.0", "celu_far": "nn.celu(a * 3000.0) / 3000.0",
    "softplus_far": "nn.softplus(a * 3000.0) / 3000.0", "logsigmoid_far": "nn.log_sigmoid(a * 3000.0) / 3000.0",
    "silu_far": "nn.silu(a * 3000.0) / 3000.0", "logaddexp_far": "mx.logaddexp(a * 3000.0, a * -3000.0) / 3000.0",
}  # fmt: skip
LOSSES = {
    "mse_loss": "losses.mse_loss(a, b, reduction=reduction)", "l1_loss": "losses.l1_loss(a, b, reduction=reduction)",
    "smooth_l1_loss": "losses.smooth_l1_loss(a, b, beta=beta, reduction=reduction)",
    "huber_loss": "losses.huber_loss(a, b, delta=delta, reduction=reduction)",
    "binary_cross_entropy_with_logits": "losses.binary_cross_entropy(a, b, with_logits=True, reduction=reduction)",
    "cross_entropy": "losses.cross_entropy(a, b, reduction=reduction)",
    "cross_entropy_smoothed": "losses.cross_entropy(a, b, label_smoothing=0.25, reduction=reduction)",
    "nll_loss": "losses.nll_loss(a, b, reduction=reduction)",
    "cosine_similarity": "losses.cosine_similarity_loss(a, b, axis=dim)",
}  # fmt: skip
OWN = {
    **ACTIVATIONS, **LOSSES,
    "clone": "mx.array(a)", "rsqrt": "mx.rsqrt(a)", "erf": "mx.erf(a)", "erfinv": "mx.erfinv(a / 4.0)",
    "deg2rad": "mx.radians(a)", "rad2deg": "mx.degrees(a / 64.0)", "clamp_min": "mx.clip(a, bound, None)",
    "clamp_max": "mx.clip(a, None, bound)", "clamp_min_tensor": "mx.clip(a, b, None)", "clamp_max_tensor": "mx.clip(a, None, b)",
    "logsumexp": "mx.logsumexp(a, axis=dim, keepdims=keepdim)", "logsumexp_dims": "mx.logsumexp(a, axis=dims, keepdims=keepdim)",
    "logcumsumexp": "mx.logcumsumexp(a, axis=dim)", "to_integers": "a.astype(mx.int64)",
    "max_dim": "mx.max(a, axis=dim, keepdims=keepdim), mx.argmax(a, axis=dim, keepdims=keepdim).astype(mx.int64)",
    "min_dim": "mx.min(a, axis=dim, keepdims=keepdim), mx.argmin(a, axis=dim, keepdims=keepdim).astype(mx.int64)",
    "sum_in_double": "mx.sum(a.astype(mx.float64))", "cumsum_in_double": "mx.cumsum(a, axis=dim, dtype=mx.float64)",
    "norm_infinite": "mx.linalg.norm(a, ord=float('inf'), axis=dim, keepdims=keepdim)",
    "norm": "mx.linalg.norm(a)", "norm_at_zero": "mx.linalg.norm(a - cut(a))",
    "dot": "mx.inner(a, b)", "vdot": "mx.inner(a, b)", "cross": "mx.linalg.cross(a, b, axis=dim)",
    "index_vector": "a[mx.array(places)]", "index_pairs": "a[mx.array(rows), mx.array(columns)]",
    "unbind": "mx.unstack(a, axis=dim)", "flatten": "mx.flatten(a, start, end)", "unflatten": "mx.unflatten(a, dim, sizes)",
    "scatter": "mx.put_along_axis(a, b, c, axis=dim)", "index_put": "mx.put_along_axis(a, b, c, axis=0)",
    "index_put_accumulate": "a.at[b].add(c)", "index_add": "a.at[(slice(None),) * dim + (b,)].add(c)",
    "index_add_alpha": "a.at[(slice(None),) * dim + (b,)].add(2 * c)",
    "addmm": "mx.addmm(a, b, c)", "addmm_factors": "mx.addmm(a, b, c, alpha=alpha, beta=beta)",
    "repeat_interleave": "mx.repeat(a, count, axis=dim)", "meshgrid": "mx.stack(mx.meshgrid(a, b, indexing='ij'))",
    "linear": "mx.addmm(c, a, mx.transpose(b))", "transposed_matrices": "mx.matrix_transpose(a)",
}  # fmt: skip
WITHOUT = (
    "exp2", "sinc", "trunc", "positive", "fmod_scalar", "copysign_scalar", "hypot", "fmod", "copysign", "fmax", "fmin",
    "logaddexp2", "div_mode", "nansum", "nanmean", "flip", "flip_two", "pad_circular", "rot90", "hstack", "chunk",
    "tensor_split", "index_mask", "masked_select", "matrix_power", "index_put",
)  # fmt: skip
OPS = spelled("mx", OWN, WITHOUT)


class MlxScript(FunctionalScript):
    """Programs as plain code of MLX."""

    imports = ("import mlx.core as mx", "mx.set_default_device(mx.cpu)")
    names = {"nn": "from mlx import nn", "losses": "from mlx.nn import losses", "cut": "cut = mx.stop_gradient"}
    codes = OPS
    boolean = "bool_"
    array = "mx.array({data}, mx.{dtype})"
    zeros = "mx.zeros({shape}, mx.{dtype})"
    differentiate = ("{found} = mx.vjp({f}, {primals}, {cotangents})[1]",)


class MlxEngine(FunctionalEngine):
    """The released MLX."""

    name: ClassVar[str] = "mlx"
    home: ClassVar[str] = "https://github.com/ml-explore/mlx"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = MlxScript
    ops: Mapping[str, str] = OPS
    promotes: ClassVar[frozenset[str]] = frozenset({"floats", "numbers"})
    limits: ClassVar[tuple[str, ...]] = ("not yet implemented", "Not implemented", "not supported on the CPU")

    def __init__(self) -> None:
        import mlx.core as mx
        from mlx import nn

        mx.set_default_device(mx.cpu)
        mx.disable_compile()  # its activations would run a C++ compiler for every new shape
        self.mx: Any = mx
        self.stop_gradient = mx.stop_gradient
        self._dtypes = {name: getattr(mx, name) for name in ("float32", "float64", "int64")} | {"bool": mx.bool_}
        self._names = {dtype: name for name, dtype in self._dtypes.items()}
        self.namespace = {"mx": mx, "nn": nn, "losses": nn.losses, "cut": mx.stop_gradient, "float": float, **BUILTINS}

    def version(self) -> str:
        from importlib.metadata import version

        return version("mlx")

    def asarray(self, array: np.ndarray[Any, Any]) -> Any:
        return self.mx.array(array, dtype=self._dtypes[str(array.dtype)])

    def numpy(self, array: Any) -> np.ndarray[Any, Any]:
        return np.array(array)

    def dtype(self, tensor: Any) -> str:
        return self._names.get(tensor.array.dtype) or str(tensor.array.dtype)

    def vjp(self, function: Callable[..., list[Any]], primals: list[Any], cotangents: list[Any]) -> Sequence[Any]:
        return self.mx.vjp(function, primals, cotangents)[1]  # type: ignore[no-any-return]

    def categorize(self, error: BaseException) -> Category:
        return Category.GRADIENT_SHAPE if "cotangent" in str(error).lower() else Category.OTHER
