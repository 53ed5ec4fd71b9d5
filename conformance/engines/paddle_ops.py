"""The ops of PaddlePaddle: those that it writes as torch does, and the others.

Left out, since it computes something else: masks times floats (it does not promote these), `expand` and `split` (they copy, torch
gives views), `copy_` (it takes the other tensor's shape), norms (it adds an epsilon), `div` with a rounding mode (a constant).
"""

from __future__ import annotations

from conformance.catalog import CATALOG

AS_TORCH = """
neg clone square exp expm1 log log1p sqrt rsqrt reciprocal sin cos tanh sinh cosh sigmoid atan asinh erf softplus silu gelu abs
elu sign add_scalar mul_scalar rsub_scalar div_scalar rdiv_scalar pow_scalar clamp leaky_relu add mul sub div pow maximum
minimum atan2 logaddexp add_alpha lerp where masked_fill float double tan asin acos atanh acosh erfinv logit logit_eps log2
log10 sinc lgamma digamma i0 deg2rad rad2deg floor ceil trunc round frac positive nan_to_num contiguous_copy pow_fractional
pow_one pow_zero clamp_min clamp_max lerp_scalar softplus_with_beta softplus_with_threshold elu_with_alpha celu_with_alpha
hardshrink_with_lambd softshrink_with_lambd relu6 hardswish softsign tanhshrink mish gelu_with_tanh glu sigmoid_far tanh_far
elu_far celu_far softplus_far logsigmoid_far silu_far logaddexp_far hypot remainder copysign fmax fmin ldexp sub_alpha
mul_with_itself remainder_scalar copysign_scalar where_scalar sum sum_dim mean mean_dim prod prod_dim var var_dim amax amin max
logsumexp softmax cumsum matmul mm bmm mv dot outer addmm view t transpose permute unsqueeze squeeze narrow slice diagonal
unbind reshape cat repeat flip roll tril triu pad index_select gather index scatter scatter_add index_add swapaxes
transposed_matrices unflatten squeeze_all view_as diagonal_beside select_last slice_last new_axis as_strided tile flip_two
roll_all cat_three cat_repeated stack_three hstack meshgrid diag_embed tril_beside triu_beside flatten unfold unfold_overlapping
as_strided_overlapping channels_shuffled msort min amax_all amin_all sum_dims mean_dims sum_in_double amax_dims amin_dims
logsumexp_dims trace std var_correction cumprod softmax_in_double cumsum_in_double addmm_factors kron matmul_transposed
matrix_power matrix_exp mse_loss l1_loss binary_cross_entropy_with_logits kl_div poisson_nll_loss soft_margin_loss nll_loss
cross_entropy embedding pad_value take take_along_dim index_mask index_vector index_pairs masked_select index_put
index_put_accumulate index_add_alpha scatter_value masked_scatter masked_fill_number select_scatter diagonal_scatter scatter_sum
scatter_mean scatter_prod scatter_amax scatter_amin scatter_sum_alone scatter_amax_alone mul_ add_ sub_ div_ add_alpha_ neg_
zero_ fill_ zero_index_ square_ pow_ exp_ sin_ cos_ tanh_ sigmoid_ sqrt_ abs_ clamp_ lerp_ masked_fill_ cumsum_ index_add_
scatter_add_ setitem setitem_scalar log_ log1p_ log2_ rsqrt_ reciprocal_ sinh_ cosh_ atan_ sinc_ i0_ floor_ ceil_ round_ trunc_
frac_ nan_to_num_ silu_ elu_ hardtanh_ leaky_relu_ clamp_min_ clamp_max_ lerp_scalar_ hypot_ remainder_ copysign_ sub_alpha_
masked_fill_number_ masked_scatter_ setitem_mask setitem_slice setitem_last setitem_all setitem_index add_to_entry
fill_diagonal_ tril_ triu_ index_put_ index_put_accumulate_ scatter_ cumprod_ unsqueeze_squeeze_ squeeze_wide_ zeros_like
ones_like full_like new_zeros new_ones new_full detached_copy zeros_like_integers ones_like_in_double lt le gt ge eq ne
logical_and logical_or logical_xor eq_scalar isclose logical_not signbit to_bool isnan isinf isfinite any all_dim to_integers
count_nonzero argmax argmin argmax_all argsort function_saving_input function_saving_output function_saving_both
function_with_two_outputs function_with_absent_gradients function_with_constant_output function_with_none
function_with_wider_gradient function_saving_dead_output function_with_wrong_shape function_with_too_few_gradients
function_with_too_many_gradients function_that_raises
"""

_FUNCTIONAL = "paddle.nn.functional"
# Steps between values that ties cannot reach; an integer tensor is cast, since Paddle does not promote it.
_RANKED = "a / 64.0 + (paddle.arange(a.numel()) * 11 % 29).reshape(a.shape).astype(a.dtype)"
_GRAM = "a @ a.mT / 8.0 + paddle.eye(a.shape[-2], dtype=a.dtype)"
_UNEVEN = (
    "paddle.arange(1, a.shape[-2] + 1, dtype=a.dtype).unsqueeze(-1) * (a @ a.mT) / 32.0 + paddle.eye(a.shape[-2], dtype=a.dtype)"
)


def in_paddle(code: str) -> str:
    """Torch's code in Paddle's names."""
    for torch, paddle in (
        (".clone(memory_format=torch.contiguous_format)", ".clone()"),
        ("torch.autograd.Function", "paddle.autograd.PyLayer"),
        ("ctx.saved_tensors", "ctx.saved_tensor()"),
        ("torch.", "paddle."),
    ):
        code = code.replace(torch, paddle)
    return code


SPELLED: dict[str, str] = {
    "relu": f"{_FUNCTIONAL}.relu(a)", "trigamma": "paddle.polygamma(a + 60.0, 1)", "i0e": "paddle.i0e(a)", "i1": "paddle.i1(a)",
    "rpow_scalar": "value ** a", "hardtanh_with_bounds": f"{_FUNCTIONAL}.hardtanh(a, min, max)",
    "threshold_with_value": f"{_FUNCTIONAL}.thresholded_relu(a, threshold, value)",
    "logsigmoid": f"{_FUNCTIONAL}.log_sigmoid(a)", "softmin": f"{_FUNCTIONAL}.softmax(-a, axis=dim)", "rsub": "b - a",
    "add_integers": "a + b.astype(a.dtype)", "sub_integers": "a - b.astype(a.dtype)", "mul_integers": "a * b.astype(a.dtype)",
    "max_dim": "paddle.compat.max(a, dim=dim, keepdim=keepdim)", "log_softmax": f"{_FUNCTIONAL}.log_softmax(a, axis=dim)",
    "select": "a[(slice(None),) * dim + (index, ...)]", "stack": "paddle.stack([a, b], dim)",
    "movedim": "a.moveaxis(source, destination)", "repeat_interleave": "a.repeat_interleave(count, dim)",
    "rot90": "paddle.rot90(a, k)", "block_diag": "paddle.block_diag([a, b])", "broadcast_to": "paddle.broadcast_to(a, shape)",
    "kthvalue": f"paddle.kthvalue({_RANKED}, k, axis=dim, keepdim=keepdim)",
    "topk": f"paddle.topk({_RANKED}, k, axis=dim, largest=largest)",
    "median_dim": f"paddle.median({_RANKED}, axis=dim, keepdim=keepdim, mode='min')",
    "sort": "paddle.compat.sort(a, dim=dim, descending=descending, stable=True)",
    "min_dim": "paddle.compat.min(a, dim=dim, keepdim=keepdim)", "median": "a.contiguous().median(mode='min')",
    "nanmedian": "a.contiguous().nanmedian(mode='min')", "mode": "paddle.mode(a, axis=dim, keepdim=keepdim)",
    "cummax": "paddle.cummax(a, axis=dim)", "cummin": "paddle.cummin(a, axis=dim)",
    "nansum": "a.nansum(axis=dim, keepdim=keepdim)", "nanmean": "a.nanmean(axis=dim, keepdim=keepdim)",
    "std_dim": "a.std(axis=dim, keepdim=keepdim)", "logcumsumexp": "a.logcumsumexp(axis=dim)",
    "diff": "paddle.diff(a, n=n, axis=dim)", "linear": f"{_FUNCTIONAL}.linear(a, b.mT, c)",
    "linear_without_bias": f"{_FUNCTIONAL}.linear(a, b.mT)", "inner": "paddle.inner(a, b)",
    "cross": "paddle.cross(a, b, axis=dim)", "tensordot": "paddle.tensordot(a, b, axes=1)",
    "einsum_matrices": "paddle.einsum('ij,jk->ik', a, b)", "einsum_batches": "paddle.einsum('bij,bjk->bik', a, b)",
    "einsum_summed_out": "paddle.einsum('ij,i->', a, b)", "einsum_elementwise": "paddle.einsum('ij,ij->ij', a, b)",
    "einsum_outer": "paddle.einsum('i,j->ji', a, b)", "einsum_inner": "paddle.einsum('i,i->', a, b)",
    "einsum_transposed": "paddle.einsum('ij->ji', a)", "einsum_three": "paddle.einsum('ij,jk,k->i', a, b, c)",
    "einsum_form": "paddle.einsum('i,ij,j->', a, b, c)", "inverse": f"paddle.inverse({_UNEVEN})",
    "determinant": f"paddle.linalg.det({_UNEVEN})", "logdet": f"paddle.linalg.slogdet({_UNEVEN})[1]",
    "cholesky": f"paddle.linalg.cholesky({_GRAM})", "solve": f"paddle.linalg.solve({_UNEVEN}, b)",
    "smooth_l1_loss": f"{_FUNCTIONAL}.smooth_l1_loss(a, b, reduction=reduction, delta=beta) / beta",
    "huber_loss": f"{_FUNCTIONAL}.smooth_l1_loss(a, b, reduction=reduction, delta=delta)",
    "group_norm": f"{_FUNCTIONAL}.group_norm(a, 1, epsilon=0.25)", "index_last": "a[..., b]",
    "index_fill": "a.index_fill(b, dim, value)", "index_fill_number": "a.index_fill(b, dim, c)",
    "slice_scatter": "paddle.slice_scatter(a, b, [0], [start], [a.shape[0]], [step])", "add_scalar_": "a.scale_(1.0, value)",
    "mul_scalar_": "a.scale_(value)", "relu_": f"{_FUNCTIONAL}.relu_(a)", "expm1_": "paddle.expm1_(a)",
    "erf_": "paddle.erf_(a)", "threshold_": f"{_FUNCTIONAL}.thresholded_relu_(a, threshold, value)",
    "div_scalar_": "a.scale_(1.0 / value)", "sub_scalar_": "a.scale_(1.0, -value)",
    "index_fill_": "a.index_fill_(b, dim, value)", "lt_scalar": "a < value", "le_scalar": "a <= value",
    "gt_scalar": "a > value", "ge_scalar": "a >= value", "ne_scalar": "a != value",
}  # fmt: skip

OPS: dict[str, str] = {name: in_paddle(CATALOG[name].torch) for name in AS_TORCH.split()} | SPELLED
