"""The ops of Chainer, but for what cuts the graph (floor, ceil, fix, sign) or gives back its operand where nothing changes."""

from __future__ import annotations

OPS: dict[str, str] = {
    # pointwise
    "neg": "-a", "clone": "F.copy(a, -1)", "square": "F.square(a)", "exp": "F.exp(a)", "expm1": "F.expm1(a)", "log": "F.log(a)",
    "log1p": "F.log1p(a)", "sqrt": "F.sqrt(a)", "rsqrt": "F.rsqrt(a)", "reciprocal": "1.0 / a", "sin": "F.sin(a)",
    "cos": "F.cos(a)", "tanh": "F.tanh(a)", "sinh": "F.sinh(a)", "cosh": "F.cosh(a)", "sigmoid": "F.sigmoid(a)",
    "atan": "F.arctan(a)", "erf": "F.erf(a)", "softplus": "F.softplus(a)", "abs": "F.absolute(a)", "relu": "F.relu(a)",
    "elu": "F.elu(a)", "add_scalar": "a + value", "mul_scalar": "a * value", "rsub_scalar": "value - a",
    "div_scalar": "a / value", "rdiv_scalar": "value / a", "pow_scalar": "a ** exponent", "clamp": "F.clip(a, min, max)",
    "leaky_relu": "F.leaky_relu(a, negative_slope)", "tan": "F.tan(a / 2.0)", "asin": "F.arcsin(a / 4.0)",
    "acos": "F.arccos(a / 4.0)", "atanh": "F.arctanh(a / 4.0)", "log2": "F.log2(a)", "log10": "F.log10(a)", "erfc": "F.erfc(a)",
    "rpow_scalar": "value ** a", "pow_fractional": "a ** exponent", "pow_one": "a ** 1.0", "pow_zero": "a ** 0.0",
    "softplus_with_beta": "F.softplus(a, beta)", "elu_with_alpha": "F.elu(a, alpha)", "selu": "F.selu(a)",
    "relu6": "F.relu6(a)", "logsigmoid": "-F.softplus(-a)", "sigmoid_far": "F.sigmoid(a * 3000.0)",
    "tanh_far": "F.tanh(a * 3000.0)", "elu_far": "F.elu(a * 3000.0) / 3000.0",
    "softplus_far": "F.softplus(a * 3000.0) / 3000.0",
    # broadcasting
    "add": "a + b", "mul": "a * b", "sub": "a - b", "div": "a / b", "pow": "a ** b", "maximum": "F.maximum(a, b)",
    "minimum": "F.minimum(a, b)", "atan2": "F.arctan2(a, b)", "add_alpha": "a + alpha * b", "addcmul": "a + value * b * c",
    "addcdiv": "a + b / c", "lerp": "a + c * (b - a)", "where": "F.where(b.array, a, c)",
    "masked_fill": "F.where(b.array, np.full_like(a.array, value), a)", "fmod": "F.fmod(a, b)", "rsub": "b - a",
    "sub_alpha": "a - alpha * b", "addcdiv_value": "a + value * b / c", "mul_with_itself": "a * a - b * b",
    # reductions
    "softmin": "F.softmax(-a, axis=dim)", "sum": "F.sum(a)", "sum_dim": "F.sum(a, axis=dim, keepdims=keepdim)",
    "mean": "F.mean(a)", "mean_dim": "F.mean(a, axis=dim, keepdims=keepdim)", "prod": "F.prod(a)",
    "prod_dim": "F.prod(a, axis=dim, keepdims=keepdim)", "amax": "F.max(a, axis=dim, keepdims=keepdim)",
    "amin": "F.min(a, axis=dim, keepdims=keepdim)", "max": "F.max(a)", "softmax": "F.softmax(a, axis=dim)",
    "log_softmax": "F.log_softmax(a, axis=dim)", "cumsum": "F.cumsum(a, axis=dim)", "min": "F.min(a)", "amax_all": "F.max(a)",
    "amin_all": "F.min(a)", "sum_dims": "F.sum(a, axis=(*dims,), keepdims=keepdim)",
    "mean_dims": "F.mean(a, axis=(*dims,), keepdims=keepdim)", "amax_dims": "F.max(a, axis=(*dims,), keepdims=keepdim)",
    "amin_dims": "F.min(a, axis=(*dims,), keepdims=keepdim)", "trace": "F.sum(F.diagonal(a))",
    "cumprod": "F.cumprod(a, axis=dim)",
    # matrix products
    "matmul": "F.matmul(a, b)", "mm": "F.matmul(a, b)", "bmm": "F.matmul(a, b)", "mv": "F.matmul(a, b)",
    "dot": "F.matmul(a, b)", "outer": "F.expand_dims(a, 1) * b", "addmm": "a + F.matmul(b, c)",
    "tensordot": "F.tensordot(a, b, axes=1)", "matmul_transposed": "F.matmul(a, b, transa=True)",
    "einsum_matrices": "F.einsum('ij,jk->ik', a, b)", "einsum_batches": "F.einsum('bij,bjk->bik', a, b)",
    "einsum_summed_out": "F.einsum('ij,i->', a, b)", "einsum_elementwise": "F.einsum('ij,ij->ij', a, b)",
    "einsum_outer": "F.einsum('i,j->ji', a, b)", "einsum_inner": "F.einsum('i,i->', a, b)",
    "einsum_transposed": "F.einsum('ij->ji', a)", "einsum_three": "F.einsum('ij,jk,k->i', a, b, c)",
    "einsum_form": "F.einsum('i,ij,j->', a, b, c)",
    # views
    "view": "F.reshape(a, shape)", "t": "F.transpose(a)", "transpose": "F.swapaxes(a, dim0, dim1)",
    "permute": "F.transpose(a, dims)", "unsqueeze": "F.expand_dims(a, dim)", "squeeze": "F.squeeze(a, axis=dim)",
    "select": "a[(slice(None),) * dim + (index, ...)]", "narrow": "a[(slice(None),) * dim + (slice(start, start + length),)]",
    "slice": "a[start:stop:step]", "expand": "F.broadcast_to(a, shape)", "diagonal": "F.diagonal(a)",
    "unbind": "F.separate(a, axis=dim)", "movedim": "F.moveaxis(a, source, destination)",
    "swapaxes": "F.swapaxes(a, dim0, dim1)", "transposed_matrices": "F.swapaxes(a, -1, -2)", "squeeze_all": "F.squeeze(a)",
    "diagonal_beside": "F.diagonal(a, offset, dim1, dim2)", "select_last": "a[..., index]",
    "slice_last": "a[..., start:stop:step]", "new_axis": "a[None]",
    # moves
    "reshape": "F.reshape(a, shape)", "cat": "F.concat([a, b], axis=dim)", "stack": "F.stack([a, b], axis=dim)",
    "repeat": "F.tile(a, (*repeats,))", "flip": "F.flip(a, dims[0])",
    "pad": "F.pad(a, ((0, 0),) * (a.ndim - 1) + ((left, right),), 'constant')",
    "repeat_interleave": "F.repeat(a, count, axis=dim)", "cat_three": "F.concat([a, b, c], axis=dim)",
    "cat_repeated": "F.concat([a, b, a], axis=dim)", "stack_three": "F.stack([a, b, c], axis=dim)",
    "broadcast_to": "F.broadcast_to(a, shape)",
    # indexing
    "index_select": "a[(slice(None),) * dim + (b.array,)]", "index": "a[b.array]", "index_last": "a[..., b.array]",
    "index_vector": "a[[*places]]", "index_pairs": "a[[*rows], [*columns]]",
    "index_put_accumulate": "F.scatter_add(a, b.array, c)",
}  # fmt: skip
