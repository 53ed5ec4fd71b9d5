"""torch.nn: layers with parameters."""

from __future__ import annotations

import math
from typing import Any

from ..modes import no_grad
from ..ops.conv import per_dim
from ..ops.table import FUNCTIONS
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter


def _empty(*shape: int, dtype: Any = None) -> Parameter:
    return Parameter(FUNCTIONS["empty"](*shape, dtype=dtype))


def _filled(value: float, *shape: int, dtype: Any = None) -> Parameter:
    """A parameter with one value throughout, written into it as torch's reset_parameters does: its version is 1."""
    return init.constant_(_empty(*shape, dtype=dtype), value)  # type: ignore[return-value]


class Linear(Module):
    """input @ weight.T + bias"""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = _empty(out_features, in_features, dtype=dtype)
        self.register_parameter("bias", _empty(out_features, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers within 1 / sqrt(fan_in)."""
        _reset(self)

    def forward(self, input: Tensor) -> Tensor:
        """The product."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def _reset(module: Any) -> None:
    init.kaiming_uniform_(module.weight, a=math.sqrt(5))
    if module.bias is not None:
        fan_in = init._calculate_fan_in_and_fan_out(module.weight)[0]
        bound = 1 / math.sqrt(fan_in) if fan_in else 0
        init.uniform_(module.bias, -bound, bound)


class Bilinear(Module):
    """A bilinear form of two inputs for each output"""

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.weight = _empty(out_features, in1_features, in2_features, dtype=dtype)
        self.register_parameter("bias", _empty(out_features, dtype=dtype) if bias else None)
        bound = 1 / math.sqrt(in1_features)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """The form."""
        return F.bilinear(input1, input2, self.weight, self.bias)


class Conv(Module):
    """Base of the convolutions."""

    n = 0
    transposed = False

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None, output_padding: Any = 0) -> None:  # fmt: skip
        super().__init__()
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = per_dim(kernel_size, self.n), per_dim(stride, self.n)
        self.padding = padding if isinstance(padding, str) else per_dim(padding, self.n)
        self.dilation, self.padding_mode = per_dim(dilation, self.n), padding_mode
        self.output_padding = per_dim(output_padding, self.n)
        rows = (in_channels, out_channels // groups) if self.transposed else (out_channels, in_channels // groups)
        self.weight = _empty(*rows, *self.kernel_size, dtype=dtype)
        self.register_parameter("bias", _empty(out_channels, dtype=dtype) if bias else None)
        _reset(self)

    def forward(self, input: Tensor) -> Tensor:
        """The convolution."""
        run = getattr(F, f"conv{self.n}d")
        padding = self.padding
        if self.padding_mode != "zeros":
            if padding == "same":
                total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
                around = [v for t in reversed(total) for v in (t // 2, t - t // 2)]
            else:
                around = [v for p in reversed(padding) for v in (p, p)]
            input, padding = F.pad(input, around, mode=self.padding_mode), 0
        return run(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"


class ConvTranspose(Conv):
    """Base of the transposed convolutions."""

    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
                 device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         device, dtype, output_padding)  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """The transposed convolution; output_size chooses among the sizes that the stride allows."""
        extra = self.output_padding
        if output_size is not None:
            least = [
                (m - 1) * s - 2 * p + d * (k - 1) + 1
                for m, s, p, d, k in zip(
                    input._array.shape[-self.n :], self.stride, self.padding, self.dilation, self.kernel_size
                )
            ]
            extra = tuple(want - have for want, have in zip(tuple(output_size)[-self.n :], least))
        run = getattr(F, f"conv_transpose{self.n}d")
        return run(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class BatchNorm(Module):
    """Base of batch norm and instance norm: affine parameters and running statistics."""

    dims: tuple[int, ...] = (2, 3)
    defaults: dict[str, bool] = {"affine": True, "track_running_stats": True}

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: Any = 0.1, affine: Any = None,
                 track_running_stats: Any = None, device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine = self.defaults["affine"] if affine is None else affine
        self.track_running_stats = self.defaults["track_running_stats"] if track_running_stats is None else track_running_stats
        make = FUNCTIONS
        for name, value in (("weight", 1.0), ("bias", 0.0)):
            self.register_parameter(name, _filled(value, num_features, dtype=dtype) if self.affine else None)
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, make["zeros"](num_features, dtype=dtype) if self.track_running_stats else None)
        self.register_buffer("num_batches_tracked", make["tensor"](0) if self.track_running_stats else None)
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Start over."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def _check(self, input: Tensor) -> None:
        if input._array.ndim not in self.dims:
            raise ValueError(f"expected {' or '.join(f'{d}D' for d in self.dims)} input (got {input._array.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        """Normalised by the batch in training, by the running statistics otherwise."""
        self._check(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                factor = 1.0 / float(self.num_batches_tracked.item())
        by_batch = self.training or self.running_mean is None
        kept = not self.training or self.track_running_stats
        return F.batch_norm(
            input, self.running_mean if kept else None, self.running_var if kept else None, self.weight, self.bias, by_batch,
            factor, self.eps,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """The options."""
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"track_running_stats={self.track_running_stats}")  # fmt: skip


class InstanceNorm(BatchNorm):
    """Base of instance norm."""

    defaults = {"affine": False, "track_running_stats": False}

    def forward(self, input: Tensor) -> Tensor:
        """Normalised by each sample's own statistics."""
        self._check(input)
        single = input._array.ndim == min(self.dims)
        x = input.unsqueeze(0) if single else input
        out = F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return out.squeeze(0) if single else out


class LayerNorm(Module):
    """Mean 0 and deviation 1 over the last dimensions"""

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        shape = self.normalized_shape
        self.register_parameter("weight", _filled(1.0, *shape, dtype=dtype) if elementwise_affine else None)
        has_bias = elementwise_affine and bias
        self.register_parameter("bias", _filled(0.0, *shape, dtype=dtype) if has_bias else None)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(Module):
    """The input over its root mean square"""

    def __init__(self, normalized_shape: Any, eps: Any = None, elementwise_affine: bool = True, device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        ones = _filled(1.0, *self.normalized_shape, dtype=dtype) if elementwise_affine else None
        self.register_parameter("weight", ones)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    """Mean 0 and deviation 1 within groups of channels"""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        for name, value in (("weight", 1.0), ("bias", 0.0)):
            self.register_parameter(name, _filled(value, num_channels, dtype=dtype) if affine else None)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class Embedding(Module):
    """Rows by index"""

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: Any = None, max_norm: Any = None,
                 norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Any = None,
                 _freeze: bool = False, device: Any = None, dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx + num_embeddings if padding_idx is not None and padding_idx < 0 else padding_idx
        self.options = (max_norm, norm_type, scale_grad_by_freq, sparse)
        self.weight = _empty(num_embeddings, embedding_dim, dtype=dtype) if _weight is None else Parameter(_weight, not _freeze)
        if _weight is None:
            init.normal_(self.weight)
            if self.padding_idx is not None:
                with no_grad():
                    self.weight[self.padding_idx].fill_(0)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, **options: Any) -> Embedding:
        """An embedding with a given weight."""
        return cls(*embeddings._array.shape, _weight=embeddings, _freeze=freeze, **options)

    def forward(self, input: Tensor) -> Tensor:
        """The rows."""
        return F.embedding(input, self.weight, self.padding_idx, *self.options)


class EmbeddingBag(Module):
    """Bags of rows by index"""

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: Any = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Any = None,
                 include_last_offset: bool = False, padding_idx: Any = None, device: Any = None,
                 dtype: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.options = (max_norm, norm_type, scale_grad_by_freq, mode, sparse)
        self.rest = (include_last_offset, padding_idx)
        self.weight = _empty(num_embeddings, embedding_dim, dtype=dtype) if _weight is None else Parameter(_weight)
        if _weight is None:
            init.normal_(self.weight)

    def forward(self, input: Tensor, offsets: Any = None, per_sample_weights: Any = None) -> Tensor:
        """The reduced bags."""
        return F.embedding_bag(input, self.weight, offsets, *self.options, per_sample_weights, *self.rest)


class PReLU(Module):
    """leaky_relu with a learned slope"""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = _filled(init, num_parameters, dtype=dtype)

    def forward(self, input: Tensor) -> Tensor:
        """x, or weight * x below 0."""
        return F.prelu(input, self.weight)


CLASSES: dict[str, type] = {}
for _n in (1, 2, 3):
    for _base, _options in (
        (Conv, {"n": _n}), (ConvTranspose, {"n": _n}),
        (BatchNorm, {"dims": (2, 3) if _n == 1 else (_n + 2,)}), (InstanceNorm, {"dims": (_n + 1, _n + 2)}),
    ):  # fmt: skip
        _name = f"{_base.__name__}{_n}d"
        CLASSES[_name] = type(_name, (_base,), {"__doc__": f"{_base.__doc__} In {_n} dimensions.", **_options})
