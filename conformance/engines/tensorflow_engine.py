"""TensorFlow (https://www.tensorflow.org): functions of tensors, differentiated by a GradientTape around each.

It promotes nothing, as it documents: operands of different dtypes are refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from conformance.engine import Category
from conformance.engines.functional import FunctionalEngine
from conformance.engines.functional_script import FunctionalScript
from conformance.engines.numpy_like import BUILTINS

POINTWISE = {
    "neg": "tf.negative(a)", "clone": "tf.identity(a)", "square": "tf.square(a)", "exp": "tf.exp(a)",
    "expm1": "tf.math.expm1(a)", "log": "tf.math.log(a)", "log1p": "tf.math.log1p(a)", "sqrt": "tf.sqrt(a)",
    "rsqrt": "tf.math.rsqrt(a)", "reciprocal": "tf.math.reciprocal(a)", "sin": "tf.sin(a)", "cos": "tf.cos(a)",
    "tanh": "tf.tanh(a)", "sinh": "tf.sinh(a)", "cosh": "tf.cosh(a)", "sigmoid": "tf.sigmoid(a)", "atan": "tf.atan(a)",
    "asinh": "tf.asinh(a)", "erf": "tf.math.erf(a)", "softplus": "tf.nn.softplus(a)", "silu": "tf.nn.silu(a)",
    "gelu": "tf.nn.gelu(a)", "gelu_with_tanh": "tf.nn.gelu(a, approximate=True)", "abs": "tf.abs(a)", "relu": "tf.nn.relu(a)",
    "elu": "tf.nn.elu(a)", "selu": "tf.nn.selu(a)", "relu6": "tf.nn.relu6(a)", "softsign": "tf.nn.softsign(a)",
    "leaky_relu": "tf.nn.leaky_relu(a, negative_slope)", "sign": "tf.sign(a)", "add_scalar": "a + value",
    "mul_scalar": "a * value", "rsub_scalar": "value - a", "div_scalar": "a / value", "rdiv_scalar": "value / a",
    "pow_scalar": "a ** exponent", "rpow_scalar": "value ** a", "pow_fractional": "a ** exponent", "pow_one": "a ** 1.0",
    "pow_zero": "a ** 0.0", "clamp": "tf.clip_by_value(a, min, max)", "float": "tf.cast(a, tf.float32)",
    "double": "tf.cast(a, tf.float64)", "tan": "tf.tan(a / 2.0)", "asin": "tf.asin(a / 4.0)", "acos": "tf.acos(a / 4.0)",
    "atanh": "tf.atanh(a / 4.0)", "acosh": "tf.acosh(a + 5.0)", "erfinv": "tf.math.erfinv(a / 4.0)",
    "ndtri": "tf.math.ndtri(a / 8.0 + 0.5)", "lgamma": "tf.math.lgamma(a + 60.0) / 8.0", "digamma": "tf.math.digamma(a + 60.0)",
    "trigamma": "tf.math.polygamma(tf.ones_like(a), a + 60.0)", "erfc": "tf.math.erfc(a)", "i0": "tf.math.bessel_i0(a)",
    "i0e": "tf.math.bessel_i0e(a)", "i1": "tf.math.bessel_i1(a)", "floor": "tf.floor(a)", "ceil": "tf.math.ceil(a)",
    "round": "tf.round(a)", "logsigmoid": "tf.math.log_sigmoid(a)", "sigmoid_far": "tf.sigmoid(a * 3000.0)",
    "tanh_far": "tf.tanh(a * 3000.0)", "elu_far": "tf.nn.elu(a * 3000.0) / 3000.0",
    "softplus_far": "tf.nn.softplus(a * 3000.0) / 3000.0", "logsigmoid_far": "tf.math.log_sigmoid(a * 3000.0) / 3000.0",
    "silu_far": "tf.nn.silu(a * 3000.0) / 3000.0", "remainder_scalar": "tf.math.floormod(a, tf.cast(value, a.dtype))",
    "fmod_scalar": "tf.truncatemod(a, tf.cast(value, a.dtype))",
}  # fmt: skip
BINARY = {
    "add": "tf.add(a, b)", "mul": "tf.multiply(a, b)", "sub": "tf.subtract(a, b)", "div": "tf.divide(a, b)",
    "pow": "tf.pow(a, b)", "maximum": "tf.maximum(a, b)", "minimum": "tf.minimum(a, b)", "atan2": "tf.atan2(a, b)",
    "add_alpha": "a + alpha * b", "addcmul": "a + value * b * c", "addcdiv": "a + b / c", "addcdiv_value": "a + value * b / c",
    "lerp": "a + c * (b - a)", "where": "tf.where(b, a, c)", "masked_fill": "tf.where(b, tf.cast(value, a.dtype), a)",
    "masked_fill_number": "tf.where(b, c, a)", "where_scalar": "tf.where(b, a, tf.cast(value, a.dtype))",
    "remainder": "tf.math.floormod(a, b)", "fmod": "tf.truncatemod(a, b)", "xlogy": "tf.math.xlogy(a, b)",
    "xlog1py": "tf.math.xlog1py(a, b)", "xlogy_at_zero": "tf.math.xlogy(a - cut(a), b)", "rsub": "b - a",
    "rsub_alpha": "b - alpha * a", "sub_alpha": "a - alpha * b",
    "mul_with_itself": "a * a - b * b",
}  # fmt: skip
REDUCE = {
    "sum": "tf.reduce_sum(a)", "sum_dim": "tf.reduce_sum(a, dim, keepdim)", "mean": "tf.reduce_mean(a)",
    "mean_dim": "tf.reduce_mean(a, dim, keepdim)", "prod": "tf.reduce_prod(a)", "prod_dim": "tf.reduce_prod(a, dim, keepdim)",
    "amax": "tf.reduce_max(a, dim, keepdim)",
    "amin": "tf.reduce_min(a, dim, keepdim)", "max": "tf.reduce_max(a)", "min": "tf.reduce_min(a)",
    "amax_all": "tf.reduce_max(a)", "amin_all": "tf.reduce_min(a)", "aminmax": "tf.reduce_min(a), tf.reduce_max(a)",
    "logsumexp": "tf.reduce_logsumexp(a, dim, keepdim)", "logsumexp_dims": "tf.reduce_logsumexp(a, dims, keepdim)",
    "softmax": "tf.nn.softmax(a, dim)", "log_softmax": "tf.nn.log_softmax(a, dim)", "cumsum": "tf.cumsum(a, dim)",
    "cumprod": "tf.math.cumprod(a, dim)", "logcumsumexp": "tf.math.cumulative_logsumexp(a, dim)",
    "sort": "tf.sort(a, dim, 'DESCENDING' if descending else 'ASCENDING'),"
    " tf.cast(tf.argsort(a, dim, 'DESCENDING' if descending else 'ASCENDING', stable=True), tf.int64)",
    "msort": "tf.sort(a, 0)", "sum_dims": "tf.reduce_sum(a, dims, keepdim)", "mean_dims": "tf.reduce_mean(a, dims, keepdim)",
    "amax_dims": "tf.reduce_max(a, dims, keepdim)", "amin_dims": "tf.reduce_min(a, dims, keepdim)", "trace": "tf.linalg.trace(a)",
    "norm": "tf.norm(a)", "norm_dim": "tf.norm(a, axis=dim, keepdims=keepdim)",
    "norm_1": "tf.norm(a, 1, dim, keepdim)", "norm_3": "tf.norm(a, 3, dim, keepdim)",
    "norm_infinite": "tf.norm(a, float('inf'), dim, keepdim)", "norm_dims": "tf.norm(a, axis=list(dims), keepdims=keepdim)",
    "norm_at_zero": "tf.norm(a - cut(a))",
    "normalize": "tf.math.l2_normalize(a, dim)",
}  # fmt: skip
LAST = "[[0, 0]] * (len(a.shape) - 1) + [[left, right]]"
SHAPE = {
    "reshape": "tf.reshape(a, shape)", "cat": "tf.concat([a, b], dim)", "stack": "tf.stack([a, b], dim)",
    "repeat": "tf.tile(a, repeats)", "flip": "tf.reverse(a, dims)", "roll": "tf.roll(a, shifts, dims)",
    "tril": "tf.linalg.band_part(a, -1, 0)", "triu": "tf.linalg.band_part(a, 0, -1)", "pad": f"tf.pad(a, {LAST})",
    "pad_value": f"tf.pad(a, {LAST}, constant_values=1.5)", "pad_reflect": f"tf.pad(a, {LAST}, 'REFLECT')",
    "repeat_interleave": "tf.repeat(a, count, dim)", "flip_two": "tf.reverse(a, dims)", "cat_three": "tf.concat([a, b, c], dim)",
    "cat_repeated": "tf.concat([a, b, a], dim)", "stack_three": "tf.stack([a, b, c], dim)",
    "meshgrid": "tf.stack(tf.meshgrid(a, b, indexing='ij'))", "broadcast_to": "tf.broadcast_to(a, shape)",
    "diag_embed": "tf.linalg.diag(a, k=offset)", "view": "tf.reshape(a, shape)", "t": "tf.transpose(a)",
    "permute": "tf.transpose(a, dims)", "unsqueeze": "tf.expand_dims(a, dim)", "squeeze": "tf.squeeze(a, dim)",
    "select": "tf.gather(a, index % a.shape[dim], axis=dim)", "narrow": "tf.gather(a, range(start, start + length), axis=dim)",
    "slice": "a[start:stop:step]", "expand": "tf.broadcast_to(a, shape)",
    "split_with_sizes": "tf.split(a, sizes, dim)", "unbind": "tf.unstack(a, axis=dim)",
    "transposed_matrices": "tf.linalg.matrix_transpose(a)", "squeeze_all": "tf.squeeze(a)",
    "view_as": "tf.reshape(a, tf.shape(a))", "select_last": "a[..., index]", "slice_last": "a[..., start:stop:step]",
    "new_axis": "a[None]",
}  # fmt: skip
INDEX = {
    "index_select": "tf.gather(a, b, axis=dim)", "index": "tf.gather(a, b)", "embedding": "tf.nn.embedding_lookup(a, b)",
    "gather": "tf.experimental.numpy.take_along_axis(a, b, axis=dim)",
    "take_along_dim": "tf.experimental.numpy.take_along_axis(a, b, axis=dim)", "take": "tf.gather(tf.reshape(a, [-1]), b)",
    "index_last": "tf.gather(a, b, axis=-1)", "index_mask": "tf.boolean_mask(a, list(mask))",
    "index_vector": "tf.gather(a, [i % a.shape[0] for i in places])",
    "index_pairs": "tf.gather_nd(a, [(i % a.shape[0], j % a.shape[1]) for i, j in zip(rows, columns)])",
    "index_put": "tf.tensor_scatter_nd_update(a, b[:, None], tf.broadcast_to(c, tf.concat([tf.shape(b), tf.shape(a)[1:]], 0)))",
    "index_put_accumulate": "tf.tensor_scatter_nd_add(a, b[:, None],"
    " tf.broadcast_to(c, tf.concat([tf.shape(b), tf.shape(a)[1:]], 0)))",
}  # fmt: skip
GRAM = "tf.matmul(a, a, transpose_b=True) / 8.0 + tf.eye(a.shape[-2], dtype=a.dtype)"
UNEVEN = (
    "tf.range(1, a.shape[-2] + 1, dtype=a.dtype)[:, None] * tf.matmul(a, a, transpose_b=True) / 32.0"
    " + tf.eye(a.shape[-2], dtype=a.dtype)"
)
MATMUL = {
    "mm": "tf.matmul(a, b)", "bmm": "tf.matmul(a, b)", "mv": "tf.linalg.matvec(a, b)",
    "dot": "tf.tensordot(a, b, 1)", "outer": "tf.tensordot(a, b, 0)", "addmm": "a + tf.matmul(b, c)",
    "addmm_factors": "beta * a + alpha * tf.matmul(b, c)", "addmv": "beta * a + alpha * tf.linalg.matvec(b, c)",
    "addr": "beta * a + alpha * tf.tensordot(b, c, 0)", "baddbmm": "beta * a + alpha * tf.matmul(b, c)",
    "vdot": "tf.tensordot(a, b, 1)", "tensordot": "tf.tensordot(a, b, 1)",
    "matmul_transposed": "tf.matmul(a, b, transpose_a=True)", "einsum_matrices": "tf.einsum('ij,jk->ik', a, b)",
    "einsum_batches": "tf.einsum('bij,bjk->bik', a, b)", "einsum_summed_out": "tf.einsum('ij,i->', a, b)",
    "einsum_elementwise": "tf.einsum('ij,ij->ij', a, b)", "einsum_outer": "tf.einsum('i,j->ji', a, b)",
    "einsum_inner": "tf.einsum('i,i->', a, b)", "einsum_transposed": "tf.einsum('ij->ji', a)",
    "einsum_three": "tf.einsum('ij,jk,k->i', a, b, c)", "einsum_form": "tf.einsum('i,ij,j->', a, b, c)",
    "inverse": f"tf.linalg.inv({UNEVEN})", "determinant": f"tf.linalg.det({UNEVEN})", "logdet": f"tf.linalg.slogdet({UNEVEN})[1]",
    "cholesky": f"tf.linalg.cholesky({GRAM})", "solve": f"tf.linalg.solve({UNEVEN}, b)",
    "matrix_exp": "tf.linalg.expm(a / 4.0 + tf.eye(a.shape[-1], dtype=a.dtype))",
}  # fmt: skip
CONSTANT = {
    "zeros_like": "tf.zeros_like(a)", "ones_like": "tf.ones_like(a)",
    "full_like": "tf.fill(tf.shape(a), tf.cast(value, a.dtype))",
    "detached_copy": "tf.identity(cut(a))", "lt": "tf.less(a, b)", "le": "tf.less_equal(a, b)", "gt": "tf.greater(a, b)",
    "ge": "tf.greater_equal(a, b)", "eq": "tf.equal(a, b)", "ne": "tf.not_equal(a, b)", "lt_scalar": "a < value",
    "le_scalar": "a <= value", "gt_scalar": "a > value", "ge_scalar": "a >= value", "isnan": "tf.math.is_nan(a)",
    "isinf": "tf.math.is_inf(a)", "isfinite": "tf.math.is_finite(a)", "to_integers": "tf.cast(a, tf.int64)",
}  # fmt: skip
OPS = POINTWISE | BINARY | REDUCE | SHAPE | INDEX | MATMUL | CONSTANT


class TensorFlowScript(FunctionalScript):
    """Programs as plain code of TensorFlow."""

    imports = ("import tensorflow as tf",)
    names = {"cut": "cut = tf.stop_gradient"}
    codes = OPS
    array = "tf.constant({data}, tf.{dtype})"
    zeros = "tf.zeros({shape}, tf.{dtype})"
    differentiate = (
        "with tf.GradientTape() as tape:",
        "    primals = {primals}",
        "    tape.watch(primals)",
        "    results = {f}(*primals)",
        "{found} = tape.gradient(results, primals, output_gradients={cotangents}, unconnected_gradients='zero')",
    )


class TensorFlowEngine(FunctionalEngine):
    """The released TensorFlow, op by op on its CPU."""

    name: ClassVar[str] = "tensorflow"
    home: ClassVar[str] = "https://github.com/tensorflow/tensorflow"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = TensorFlowScript
    ops: Mapping[str, str] = OPS
    limits: ClassVar[tuple[str, ...]] = (
        "is not registered", "gradient registry has no entry", "gradient defined for operation", "Paddings must be non-negative",
        "for empty output shape", "slice index 0 of dimension 0 out of bounds",
    )  # fmt: skip

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
        import tensorflow as tf

        self.tf: Any = tf
        self.stop_gradient = tf.stop_gradient
        self.namespace = {"tf": tf, "cut": tf.stop_gradient, "float": float, "zip": zip, "j": None, **BUILTINS}

    def version(self) -> str:
        return str(self.tf.__version__)

    def asarray(self, array: np.ndarray[Any, Any]) -> Any:
        return self.tf.constant(array)

    def numpy(self, array: Any) -> np.ndarray[Any, Any]:
        return array.numpy()  # type: ignore[no-any-return]

    def dtype(self, tensor: Any) -> str:
        return str(tensor.array.dtype.name)

    def vjp(self, function: Callable[..., list[Any]], primals: list[Any], cotangents: list[Any]) -> Sequence[Any]:
        with self.tf.GradientTape() as tape:
            tape.watch(primals)
            results = function(*primals)
        found = tape.gradient(
            results, primals, output_gradients=cotangents, unconnected_gradients=self.tf.UnconnectedGradients.ZERO
        )
        return [self.tf.convert_to_tensor(gradient) for gradient in found]

    def categorize(self, error: BaseException) -> Category:
        return Category.GRADIENT_SHAPE if "output_gradient" in str(error).lower() else Category.OTHER
