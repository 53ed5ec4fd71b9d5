"""What torch offers for real numbers only. The last chapter: it puts a guard before the kernels of other chapters' rows.

Rows whose values are complex but whose derivatives are not say so themselves (`complex=False`).
"""

from __future__ import annotations

from typing import Any

from .. import dtypes
from .table import ROWS

# Torch's name of the kernel -> the rows that stop with "... not implemented for 'ComplexFloat'".
KERNELS = {
    "lt_cpu": "lt lt_into_tensor lt_into_number", "le_cpu": "le le_into_tensor le_into_number",
    "gt_cpu": "gt gt_into_tensor gt_into_number", "ge_cpu": "ge ge_into_tensor ge_into_number",
    "fmod_cpu": "fmod fmod_scalar", "remainder_cpu": "remainder remainder_scalar", "hypot_cpu": "hypot", "atan2_cpu": "atan2",
    "frac_cpu": "frac", "div_floor_cpu": "div_floor floor_divide floor_divide_into", "div_trunc_cpu": "div_trunc",
    "logaddexp2_cpu": "logaddexp2", "copysign_cpu": "copysign_tensor copysign_scalar",
    "xlogy_cpu": "xlogy xlogy_number_first xlogy_number_last", "xlog1py_cpu": "special_xlog1py", "nextafter_cpu": "nextafter",
    "leaky_relu_cpu": "leaky_relu leaky_relu_saving_result rrelu_with_noise rrelu_saving_result",
    "elu_cpu": "elu elu_saving_result celu celu_saving_result", "softplus_cpu": "softplus", "logit_cpu": "logit",
    "mish_cpu": "mish", "hardsigmoid_cpu": "hardsigmoid", "hardswish_cpu": "hardswish",
    "log_sigmoid_cpu": "log_sigmoid_row binary_cross_entropy_with_logits",
    "hardshrink_cpu": "hardshrink", "softshrink_check": "softshrink", "threshold_cpu": "threshold threshold_in_place",
    "glu_cpu": "glu", "prelu_cpu": "prelu_kernel", "GeluKernelImpl": "gelu", "erf_vml_cpu": "erf", "erfc_vml_cpu": "erfc",
    "round_vml_cpu": "round", "erfinv_vml_cpu": "erfinv", "lgamma_vml_cpu": "lgamma", "digamma_vml_cpu": "digamma",
    "i0_vml_cpu": "i0", "entr_cpu": "special_entr", "log_ndtr_cpu": "special_log_ndtr", "i0e_cpu": "special_i0e",
    "i1_cpu": "special_i1", "i1e_cpu": "special_i1e", "erfcx_cpu": "special_erfcx", "ndtri_cpu": "special_ndtri",
    "polygamma": "polygamma polygamma_into", "mvlgamma_cpu": "mvlgamma gamma_steps", "igamma_cpu": "igamma",
    "igammac_cpu": "igammac", "zeta_cpu": "special_zeta", "pdist": "_pdist_forward", "signbit_cpu": "signbit",
    "median_cpu": "median_all nanmedian_all median_dim nanmedian_dim", "cummax_cpu": "cummax_row", "cummin_cpu": "cummin_row",
    "mode_cpu": "mode_row", "kthvalue_cpu": "kthvalue", "max_values_cpu": "amax amin max_all min_all aminmax_row",
    "softmax_lastdim_kernel_impl": "softmax_row log_softmax_row",
    "max_pool2d": "max_pool2d_with_indices", "max_pool3d": "max_pool3d_with_indices",
    "avg_pool2d": "avg_pool2d avg_pool2d_backward", "avg_pool3d_out_frame": "avg_pool3d avg_pool3d_backward",
    "max_unpooling2d": "max_unpool2d max_unpool3d",
    "adaptive_avg_pool2d": "adaptive_avg_pool2d adaptive_avg_pool2d_backward",
    "adaptive_avg_pool3d_cpu": "adaptive_avg_pool3d adaptive_avg_pool3d_backward",
    "adaptive_max_pool2d": "adaptive_max_pool2d", "adaptive_max_pool3d_cpu": "adaptive_max_pool3d",
    "batch_norm": "batch_norm_legit batch_norm_legit_no_stats batch_norm_legit_no_training native_batch_norm",
    "LayerNormKernelImpl": "native_layer_norm", "GroupNormKernelImpl": "native_group_norm",
    "compute_indices_weights_nearest": "upsample_nearest1d_row upsample_nearest2d_row upsample_nearest3d_row "
    "upsample_nearest_exact1d_row upsample_nearest_exact2d_row upsample_nearest_exact3d_row",
    "compute_indices_weights_linear": "upsample_linear1d_row upsample_bilinear2d_row upsample_trilinear3d_row",
    "compute_indices_weights_cubic": "upsample_bicubic2d_row",
    "grid_sampler_2d_cpu_kernel_impl": "grid_sampler_2d_row", "grid_sampler3d_cpu": "grid_sampler_3d_row",
    "mse_cpu": "mse_loss", "smooth_l1_cpu": "smooth_l1_loss", "huber_cpu": "huber_loss",
    "binary_cross_entropy": "binary_cross_entropy", "nll_loss_out_frame": "nll_loss nll_loss2d",
    "multi_margin_loss_cpu_kernel": "multi_margin_loss",
    "multilabel_margin_loss_forward_out_frame": "multilabel_margin_loss",
}  # fmt: skip

# What torch says in a sentence of its own -> the rows. Kind, text.
SENTENCES = {
    (NotImplementedError, "floor is not supported for complex inputs"): "floor",
    (NotImplementedError, "ceil is not supported for complex inputs"): "ceil",
    (NotImplementedError, "trunc is not supported for complex inputs"): "trunc",
    (NotImplementedError, "clamp is not supported for complex types"):
        "clamp_scalar clamp_min_scalar clamp_max_scalar clamp_tensor relu hardtanh",
    (NotImplementedError, "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead."):
        "sign",
    (RuntimeError, "maximum not implemented for complex tensors."): "maximum fmax",
    (RuntimeError, "minimum not implemented for complex tensors."): "minimum fmin",
    (RuntimeError, "heaviside is not yet implemented for complex tensors."): "heaviside heaviside_into",
    (RuntimeError, "argmax(): does not support complex input"): "argmax",
    (RuntimeError, "argmin(): does not support complex input"): "argmin",
    (RuntimeError, "max(): does not support complex input"): "max_dim",
    (RuntimeError, "min(): does not support complex input"): "min_dim",
    (RuntimeError, " Sort does not support complex dtypes on CPU"): "sort_row",
    (RuntimeError, " topk does not support complex dtypes on CPU"): "topk_row",
    (RuntimeError, "nansum on CPU does not support complex inputs"): "nansum_row",
    (RuntimeError, "deg2rad is not supported for complex tensors."): "deg2rad",
    (RuntimeError, "rad2deg is not supported for complex tensors."): "rad2deg",
    (RuntimeError, "cdist only supports floating-point dtypes"): "_cdist_forward",
    (RuntimeError, "rfft expects a real input tensor"): "_fft_r2c",
    (RuntimeError, "Expected tensor for argument #1 'weight' to be of a floating-point type"): "embedding_bag_row",
}  # fmt: skip


def _guarded(kernel: Any, kind: type, text: str) -> Any:
    def run(x: Any, *rest: Any) -> Any:
        if x.dtype.kind == "c":
            raise kind(text.format(dtypes.OF_NUMPY[x.dtype].long_name))
        return kernel(x, *rest)

    return run


def _refuse(names: str, kind: type, text: str) -> None:
    """Guard the kernels of rows. Formulas over arrays keep the bare ones, which were handed out when the rows were made."""
    for row in (ROWS[name] for name in names.split()):
        row.kernel = _guarded(row.kernel, kind, text)
        for compiled in (row.call, getattr(row, "inplace", None)):
            if "kernel" in getattr(compiled, "__globals__", ()):
                compiled.__globals__["kernel"] = row.kernel


for _name, _rows in KERNELS.items():
    _refuse(_rows, NotImplementedError, f"\"{_name}\" not implemented for '{{}}'")
for (_kind, _text), _rows in SENTENCES.items():
    _refuse(_rows, _kind, _text)
