"""How modules that carry NumPy's names write the ops of the catalogue. `np` stands for the module's own name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

POINTWISE = {
    "neg": "np.negative(a)", "square": "np.square(a)", "exp": "np.exp(a)", "expm1": "np.expm1(a)", "log": "np.log(a)",
    "log1p": "np.log1p(a)", "sqrt": "np.sqrt(a)", "reciprocal": "np.reciprocal(a)", "sin": "np.sin(a)", "cos": "np.cos(a)",
    "tanh": "np.tanh(a)", "sinh": "np.sinh(a)", "cosh": "np.cosh(a)", "atan": "np.arctan(a)", "asinh": "np.arcsinh(a)",
    "abs": "np.abs(a)", "sign": "np.sign(a)", "tan": "np.tan(a / 2.0)", "asin": "np.arcsin(a / 4.0)",
    "acos": "np.arccos(a / 4.0)", "atanh": "np.arctanh(a / 4.0)", "acosh": "np.arccosh(a + 5.0)", "exp2": "np.exp2(a)",
    "log2": "np.log2(a)", "log10": "np.log10(a)", "sinc": "np.sinc(a)", "deg2rad": "np.deg2rad(a)",
    "rad2deg": "np.rad2deg(a / 64.0)", "floor": "np.floor(a)", "ceil": "np.ceil(a)", "trunc": "np.trunc(a)",
    "round": "np.round(a)", "positive": "np.positive(a) * 1.0", "nan_to_num": "np.nan_to_num(a)", "add_scalar": "a + value",
    "mul_scalar": "a * value", "rsub_scalar": "value - a", "div_scalar": "a / value", "rdiv_scalar": "value / a",
    "pow_scalar": "a ** exponent", "rpow_scalar": "value ** a", "pow_fractional": "a ** exponent", "pow_one": "a ** 1.0",
    "pow_zero": "a ** 0.0", "clamp": "np.clip(a, min, max)", "clamp_min": "np.maximum(a, bound)",
    "clamp_max": "np.minimum(a, bound)", "float": "a.astype(np.float32)", "double": "a.astype(np.float64)",
    "fmod_scalar": "np.fmod(a, value)", "remainder_scalar": "np.remainder(a, value)",
    "copysign_scalar": "np.copysign(a, value)",
}  # fmt: skip

BINARY = {
    "add": "np.add(a, b)", "mul": "np.multiply(a, b)", "sub": "np.subtract(a, b)", "div": "np.divide(a, b)",
    "pow": "np.power(a, b)", "maximum": "np.maximum(a, b)", "minimum": "np.minimum(a, b)", "atan2": "np.arctan2(a, b)",
    "logaddexp": "np.logaddexp(a, b)", "add_alpha": "a + alpha * b", "addcmul": "a + value * b * c", "addcdiv": "a + b / c",
    "addcdiv_value": "a + value * b / c", "lerp": "a + c * (b - a)", "where": "np.where(b, a, c)",
    "masked_fill": "np.where(b, value, a)", "where_scalar": "np.where(b, a, value)", "masked_fill_number": "np.where(b, c, a)",
    "hypot": "np.hypot(a, b)", "fmod": "np.fmod(a, b)", "remainder": "np.remainder(a, b)", "copysign": "np.copysign(a, b)",
    "fmax": "np.fmax(a, b)", "fmin": "np.fmin(a, b)", "logaddexp2": "np.logaddexp2(a, b)", "rsub": "b - a",
    "rsub_alpha": "b - alpha * a", "sub_alpha": "a - alpha * b", "clamp_tensors": "np.clip(a, b, c)",
    "clamp_min_tensor": "np.maximum(a, b)", "clamp_max_tensor": "np.minimum(a, b)", "mul_with_itself": "a * a - b * b",
    "div_mode": "np.floor(a / b) if mode == 'floor' else np.trunc(a / b)",
    "add_integers": "a + b", "sub_integers": "a - b", "mul_integers": "a * b", "div_integers": "a / (b + 2)", "mul_mask": "a * b",
}  # fmt: skip

# Names of two results come first with what is differentiable, as torch's do.
REDUCE = {
    "sum": "np.sum(a)", "sum_dim": "np.sum(a, axis=dim, keepdims=keepdim)", "mean": "np.mean(a)",
    "mean_dim": "np.mean(a, axis=dim, keepdims=keepdim)", "prod": "np.prod(a)",
    "prod_dim": "np.prod(a, axis=dim, keepdims=keepdim)", "var": "np.var(a, ddof=1)",
    "var_dim": "np.var(a, axis=dim, ddof=1, keepdims=keepdim)", "std": "np.std(a, ddof=1)",
    "std_dim": "np.std(a, axis=dim, ddof=1, keepdims=keepdim)",
    "var_correction": "np.var(a, axis=dim, ddof=correction, keepdims=keepdim)",
    "var_mean": "np.var(a, axis=dim, ddof=1, keepdims=keepdim), np.mean(a, axis=dim, keepdims=keepdim)",
    "std_mean": "np.std(a, axis=dim, ddof=1, keepdims=keepdim), np.mean(a, axis=dim, keepdims=keepdim)",
    "amax": "np.max(a, axis=dim, keepdims=keepdim)", "amin": "np.min(a, axis=dim, keepdims=keepdim)", "max": "np.max(a)",
    "min": "np.min(a)", "amax_all": "np.max(a)", "amin_all": "np.min(a)", "aminmax": "np.min(a), np.max(a)",
    "max_dim": "np.max(a, axis=dim, keepdims=keepdim), np.argmax(a, axis=dim, keepdims=keepdim)",
    "min_dim": "np.min(a, axis=dim, keepdims=keepdim), np.argmin(a, axis=dim, keepdims=keepdim)",
    "cumsum": "np.cumsum(a, axis=dim)", "cumprod": "np.cumprod(a, axis=dim)", "msort": "np.sort(a, axis=0)",
    "sum_dims": "np.sum(a, axis=dims, keepdims=keepdim)", "mean_dims": "np.mean(a, axis=dims, keepdims=keepdim)",
    "amax_dims": "np.max(a, axis=dims, keepdims=keepdim)", "amin_dims": "np.min(a, axis=dims, keepdims=keepdim)",
    "sum_in_double": "np.sum(a, dtype=np.float64)", "cumsum_in_double": "np.cumsum(a, axis=dim, dtype=np.float64)",
    "nansum": "np.nansum(a, axis=dim, keepdims=keepdim)", "nanmean": "np.nanmean(a, axis=dim, keepdims=keepdim)",
    "trace": "np.trace(a)", "diff": "np.diff(a, n=n, axis=dim)", "norm": "np.linalg.norm(np.reshape(a, (-1,)))",
    "norm_dim": "np.linalg.norm(a, axis=dim, keepdims=keepdim)",
    "norm_1": "np.linalg.norm(a, ord=1, axis=dim, keepdims=keepdim)",
    "norm_3": "np.linalg.norm(a, ord=3, axis=dim, keepdims=keepdim)",
    "norm_infinite": "np.linalg.norm(a, ord=np.inf, axis=dim, keepdims=keepdim)",
    "norm_dims": "np.linalg.norm(a, axis=dims, keepdims=keepdim)",
    "norm_at_zero": "np.linalg.norm(np.reshape(a - cut(a), (-1,)))",
}  # fmt: skip

SHAPE = {
    "reshape": "np.reshape(a, shape)", "cat": "np.concatenate([a, b], axis=dim)", "stack": "np.stack([a, b], axis=dim)",
    "repeat": "np.tile(a, repeats)", "flip": "np.flip(a, dims)", "roll": "np.roll(a, shifts, dims)", "tril": "np.tril(a)",
    "triu": "np.triu(a)", "tril_beside": "np.tril(a, k)", "triu_beside": "np.triu(a, k)",
    "pad": "np.pad(a, [(0, 0)] * (a.ndim - 1) + [(left, right)])",
    "pad_value": "np.pad(a, [(0, 0)] * (a.ndim - 1) + [(left, right)], constant_values=1.5)",
    "pad_reflect": "np.pad(a, [(0, 0)] * (a.ndim - 1) + [(left, right)], mode='reflect')",
    "pad_replicate": "np.pad(a, [(0, 0)] * (a.ndim - 1) + [(left, right)], mode='edge')",
    "pad_circular": "np.pad(a, [(0, 0)] * (a.ndim - 1) + [(left, right)], mode='wrap')",
    "repeat_interleave": "np.repeat(a, count, axis=dim)", "tile": "np.tile(a, (2,))", "rot90": "np.rot90(a, k)",
    "flip_two": "np.flip(a, dims)", "roll_all": "np.roll(a, shift)", "cat_three": "np.concatenate([a, b, c], axis=dim)",
    "cat_repeated": "np.concatenate([a, b, a], axis=dim)", "stack_three": "np.stack([a, b, c], axis=dim)",
    "hstack": "np.hstack([a, b])", "meshgrid": "np.stack(np.meshgrid(a, b, indexing='ij'))",
    "broadcast_to": "np.broadcast_to(a, shape)",
}  # fmt: skip

VIEW = {
    "view": "np.reshape(a, shape)", "t": "np.transpose(a)", "transpose": "np.swapaxes(a, dim0, dim1)",
    "permute": "np.transpose(a, dims)", "unsqueeze": "np.expand_dims(a, dim)", "squeeze": "np.squeeze(a, dim)",
    "select": "a[(slice(None),) * dim + (index,)]",
    "narrow": "a[(slice(None),) * dim + (slice(start, start + length),)]", "slice": "a[start:stop:step]",
    "expand": "np.broadcast_to(a, shape)", "diagonal": "np.diagonal(a)",
    "diagonal_beside": "np.diagonal(a, offset, dim1, dim2)", "split_with_sizes": "np.split(a, [sizes[0]], axis=dim)",
    "split": "np.split(a, list(range(size, a.shape[dim], size)), axis=dim)",
    "chunk": "np.array_split(a, count, axis=dim)", "tensor_split": "np.array_split(a, count, axis=dim)",
    "unbind": "[a[(slice(None),) * dim + (i,)] for i in range(a.shape[dim])]",
    "movedim": "np.moveaxis(a, source, destination)", "swapaxes": "np.swapaxes(a, dim0, dim1)",
    "transposed_matrices": "np.swapaxes(a, -1, -2)", "squeeze_all": "np.squeeze(a)", "view_as": "np.reshape(a, a.shape)",
    "select_last": "a[..., index]", "slice_last": "a[..., start:stop:step]", "new_axis": "a[None]",
    "unflatten": "np.reshape(a, a.shape[:dim] + sizes + a.shape[dim + 1:])",
}  # fmt: skip

INDEX = {
    "index_select": "np.take(a, b, axis=dim)", "gather": "np.take_along_axis(a, b, axis=dim)", "index": "a[b]",
    "take_along_dim": "np.take_along_axis(a, b, axis=dim)", "embedding": "a[b]", "take": "np.reshape(a, (-1,))[b]",
    "index_last": "a[..., b]", "index_mask": "a[np.array(mask)]", "index_vector": "a[np.array(places)]",
    "index_pairs": "a[np.array(rows), np.array(columns)]", "masked_select": "a[np.broadcast_to(np.array(mask), a.shape)]",
}  # fmt: skip

GRAM = "np.matmul(a, np.swapaxes(a, -1, -2)) / 8.0 + np.eye(a.shape[-2], dtype=a.dtype)"
UNEVEN = (
    "np.arange(1, a.shape[-2] + 1, dtype=a.dtype)[:, None] * np.matmul(a, np.swapaxes(a, -1, -2)) / 32.0"
    " + np.eye(a.shape[-2], dtype=a.dtype)"
)
MATMUL = {
    "matmul": "np.matmul(a, b)", "mm": "np.matmul(a, b)", "bmm": "np.matmul(a, b)", "mv": "np.matmul(a, b)",
    "dot": "np.dot(a, b)", "outer": "np.outer(a, b)", "addmm": "a + np.matmul(b, c)",
    "addmm_factors": "beta * a + alpha * np.matmul(b, c)", "addmv": "beta * a + alpha * np.matmul(b, c)",
    "addr": "beta * a + alpha * np.outer(b, c)", "baddbmm": "beta * a + alpha * np.matmul(b, c)",
    "addbmm": "beta * a + alpha * np.sum(np.matmul(b, c), axis=0)", "linear": "np.matmul(a, np.transpose(b)) + c",
    "linear_without_bias": "np.matmul(a, np.transpose(b))", "inner": "np.inner(a, b)", "vdot": "np.dot(a, b)",
    "kron": "np.kron(a, b)", "cross": "np.cross(a, b, axis=dim)", "tensordot": "np.tensordot(a, b, 1)",
    "matmul_transposed": "np.matmul(np.transpose(a), b)", "einsum_matrices": "np.einsum('ij,jk->ik', a, b)",
    "einsum_batches": "np.einsum('bij,bjk->bik', a, b)", "einsum_summed_out": "np.einsum('ij,i->', a, b)",
    "einsum_elementwise": "np.einsum('ij,ij->ij', a, b)", "einsum_outer": "np.einsum('i,j->ji', a, b)",
    "einsum_inner": "np.einsum('i,i->', a, b)", "einsum_transposed": "np.einsum('ij->ji', a)",
    "einsum_three": "np.einsum('ij,jk,k->i', a, b, c)", "einsum_form": "np.einsum('i,ij,j->', a, b, c)",
    "matrix_power": "np.linalg.matrix_power(a, n)", "inverse": f"np.linalg.inv({UNEVEN})",
    "determinant": f"np.linalg.det({UNEVEN})", "logdet": f"np.linalg.slogdet({UNEVEN})[1]",
    "cholesky": f"np.linalg.cholesky({GRAM})", "solve": f"np.linalg.solve({UNEVEN}, b)",
}  # fmt: skip

CONSTANT = {
    "zeros_like": "np.zeros_like(a)", "ones_like": "np.ones_like(a)", "full_like": "np.full_like(a, value)",
    "detached_copy": "cut(a)", "lt": "np.less(a, b)", "le": "np.less_equal(a, b)", "gt": "np.greater(a, b)",
    "ge": "np.greater_equal(a, b)", "eq": "np.equal(a, b)", "ne": "np.not_equal(a, b)", "logical_and": "np.logical_and(a, b)",
    "logical_or": "np.logical_or(a, b)", "lt_scalar": "a < value", "le_scalar": "a <= value", "gt_scalar": "a > value",
    "ge_scalar": "a >= value", "eq_scalar": "a == value", "ne_scalar": "a != value", "logical_not": "np.logical_not(a)",
    "isnan": "np.isnan(a)", "isinf": "np.isinf(a)", "isfinite": "np.isfinite(a)",
}  # fmt: skip

OPS = POINTWISE | BINARY | REDUCE | SHAPE | VIEW | INDEX | MATMUL | CONSTANT


def spelled(name: str, own: Mapping[str, str], without: Iterable[str] = ()) -> dict[str, str]:
    """The table for a module of that name, with rows of its own, and without those that it does not have."""
    rows = {op: re.sub(r"\bnp\.", f"{name}.", code) for op, code in OPS.items()} | dict(own)
    lacking = set(without)
    return {op: code for op, code in rows.items() if op not in lacking}


# Names in the code that are neither operands nor parameters of an op.
BUILTINS = {"slice": slice, "range": range, "list": list, "len": len, "i": None}
