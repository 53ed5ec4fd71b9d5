"""What torch.ops.aten calls differently from torch.nn.functional: names and argument orders of the nn chapters."""

from __future__ import annotations

from typing import Any

from ..ops import conv, embedding, norm
from ..ops.aten import ATEN
from ..ops.conv import per_dim
from ..ops.pool import FACES
from ..ops.table import ROWS
from .functional_norm import native_dropout
from .functional_sample import fold, grid_sampler, unfold, upsample_vec


def _beside(gradient: Any, self: Any) -> Any:
    return ROWS["beside"].call(gradient, self)


def _avg_back(n: int) -> Any:
    def run(grad_output: Any, self: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
            count_include_pad: bool, divisor_override: Any) -> Any:  # fmt: skip
        k, s, p = (per_dim(v, n) for v in (kernel_size, stride or kernel_size, padding))
        shape = self._array.shape
        row = ROWS[f"avg_pool{n}d_backward"]
        return _beside(row.call(grad_output, shape, k, s, p, ceil_mode, count_include_pad, divisor_override), self)

    return run


def _max_back(grad_output: Any, self: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
              indices: Any) -> Any:  # fmt: skip
    n = indices._array.ndim - 2 if isinstance(kernel_size, int) else len(kernel_size)
    return _beside(ROWS["put_places"].call(grad_output, indices, self._array.shape[-n:]), self)


def _adaptive_back(n: int) -> Any:
    row = ROWS[f"adaptive_avg_pool{n}d_backward"]
    return lambda ct, self: _beside(row.call(ct, self._array.shape, ct._array.shape[-n:]), self)


def _adaptive(n: int) -> Any:
    # Without the short cut that the public function takes for one window.
    return lambda self, output_size: ROWS[f"adaptive_avg_pool{n}d"].call(self, tuple(output_size))


def _elu(self: Any, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Any:
    return ROWS["elu"].call(self, alpha, scale, input_scale)


def _real_only(kernel: str, run: Any) -> Any:
    """A backward function of torch's own: unlike the ops that use it, it is not composed for complex numbers."""

    def call(x: Any, *rest: Any, **options: Any) -> Any:
        if x.is_complex():
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{x.dtype.long_name}'")
        return run(x, *rest, **options)

    return call


ATEN.update({
    "convolution": _real_only("slow_conv2d_cpu", conv.convolution),
    "convolution_backward": _real_only("slow_conv2d_cpu_grad_input", conv.convolution_backward),
    "native_batch_norm": norm.native_batch_norm, "_native_batch_norm_legit": norm.native_batch_norm_legit,
    "_native_batch_norm_legit_no_training": norm.native_batch_norm_legit_no_training, "batch_norm": norm.batch_norm,
    "native_layer_norm": norm.native_layer_norm,
    "native_layer_norm_backward": _real_only("LayerNormBackwardKernelImpl", norm.native_layer_norm_backward),
    "native_group_norm": norm.native_group_norm, "native_dropout": native_dropout,
    "embedding": embedding.embedding, "embedding_dense_backward": embedding.embedding_dense_backward,
    "embedding_bag": embedding.embedding_bag, "_embedding_bag": embedding.embedding_bag, "elu": _elu,
    "col2im": lambda self, output_size, kernel_size, dilation, padding, stride: fold(
        self, tuple(output_size), kernel_size, dilation, padding, stride),
    "im2col": lambda self, kernel_size, dilation, padding, stride: unfold(self, kernel_size, dilation, padding, stride),
    "grid_sampler": grid_sampler, "grid_sampler_2d": grid_sampler, "grid_sampler_3d": grid_sampler,
    "constant_pad_nd": lambda self, pad, value=0: ROWS["constant_pad_nd"].call(self, tuple(pad), value),
    "_prelu_kernel": lambda self, weight: ROWS["prelu_kernel"].call(self, weight),
})  # fmt: skip
for _n in (2, 3):
    ATEN[f"max_pool{_n}d_with_indices"] = FACES[f"max_pool{_n}d_with_indices"]
    ATEN[f"max_pool{_n}d_with_indices_backward"] = _real_only(f"max_pool{_n}d_backward", _max_back)
    ATEN[f"avg_pool{_n}d_backward"] = _avg_back(_n)
    ATEN[f"_adaptive_avg_pool{_n}d"] = _adaptive(_n)
    ATEN[f"_adaptive_avg_pool{_n}d_backward"] = _adaptive_back(_n)
    ATEN[f"adaptive_max_pool{_n}d"] = FACES[f"adaptive_max_pool{_n}d_with_indices"]
for _n in (1, 2, 3):
    for _kind in ("reflection", "replication"):
        ATEN[f"{_kind}_pad{_n}d"] = lambda self, padding, _row=ROWS[f"{_kind}_pad{_n}d"]: _row.call(self, tuple(padding))
for _name in [r[9:-4] for r in ROWS if r.startswith("upsample_") and r.endswith("d_row")]:
    ATEN[("_upsample_" if "exact" in _name else "upsample_") + _name] = upsample_vec(_name)
