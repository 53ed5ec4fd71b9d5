"""torch.nn: modules without parameters: each is a function of nn.functional with its options kept. A table."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import functional as F
from .module import Module

# class: function, options in order with defaults ("!" marks the option that is the module's training mode).
UNARY = {
    "ReLU": "relu inplace=False", "ReLU6": "relu6 inplace=False", "LeakyReLU": "leaky_relu negative_slope=0.01 inplace=False",
    "ELU": "elu alpha=1.0 inplace=False", "SELU": "selu inplace=False", "CELU": "celu alpha=1.0 inplace=False",
    "GELU": "gelu approximate='none'", "SiLU": "silu inplace=False", "Mish": "mish inplace=False",
    "Hardswish": "hardswish inplace=False", "Hardsigmoid": "hardsigmoid inplace=False",
    "Hardtanh": "hardtanh min_val=-1.0 max_val=1.0 inplace=False", "Hardshrink": "hardshrink lambd=0.5",
    "Softshrink": "softshrink lambd=0.5", "Softplus": "softplus beta=1.0 threshold=20.0", "Softsign": "softsign",
    "Tanhshrink": "tanhshrink", "LogSigmoid": "logsigmoid", "Threshold": "threshold threshold value inplace=False",
    "Sigmoid": "sigmoid", "Tanh": "tanh", "GLU": "glu dim=-1", "Softmax": "softmax dim=None", "Softmin": "softmin dim=None",
    "LogSoftmax": "log_softmax dim=None",
    "AvgPool1d": "avg_pool1d kernel_size stride=None padding=0 ceil_mode=False count_include_pad=True",
    "AvgPool2d": "avg_pool2d kernel_size stride=None padding=0 ceil_mode=False count_include_pad=True divisor_override=None",
    "AvgPool3d": "avg_pool3d kernel_size stride=None padding=0 ceil_mode=False count_include_pad=True divisor_override=None",
    **{f"AdaptiveAvgPool{n}d": f"adaptive_avg_pool{n}d output_size" for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d": f"adaptive_max_pool{n}d output_size return_indices=False" for n in (1, 2, 3)},
    "LPPool1d": "lp_pool1d norm_type kernel_size stride=None ceil_mode=False",
    "LPPool2d": "lp_pool2d norm_type kernel_size stride=None ceil_mode=False",
    "LocalResponseNorm": "local_response_norm size alpha=0.0001 beta=0.75 k=1.0",
    "PixelShuffle": "pixel_shuffle upscale_factor", "PixelUnshuffle": "pixel_unshuffle downscale_factor",
    "ChannelShuffle": "channel_shuffle groups", "Unfold": "unfold kernel_size dilation=1 padding=0 stride=1",
    "Fold": "fold output_size kernel_size dilation=1 padding=0 stride=1",
    "Upsample": "interpolate size=None scale_factor=None mode='nearest' align_corners=None recompute_scale_factor=None",
}  # fmt: skip
TRAINED = {
    **{name: f"{name.lower()} p=0.5 ! inplace=False" for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")},
    "AlphaDropout": "alpha_dropout p=0.5 ! inplace=False", "FeatureAlphaDropout": "feature_alpha_dropout p=0.5 ! inplace=False",
    "RReLU": "rrelu lower=0.125 upper=0.3333333333333333 ! inplace=False",
}  # fmt: skip
OLD = "size_average=None reduce=None reduction='mean'"
LOSSES = {
    "MSELoss": f"mse_loss {OLD}", "L1Loss": f"l1_loss {OLD}", "SmoothL1Loss": f"smooth_l1_loss {OLD} beta=1.0",
    "HuberLoss": "huber_loss reduction='mean' delta=1.0", "SoftMarginLoss": f"soft_margin_loss {OLD}",
    "KLDivLoss": f"kl_div {OLD} log_target=False", "GaussianNLLLoss": "gaussian_nll_loss full=False eps=1e-06 reduction='mean'",
    "PoissonNLLLoss": "poisson_nll_loss log_input=True full=False size_average=None eps=1e-08 reduce=None reduction='mean'",
    "HingeEmbeddingLoss": f"hinge_embedding_loss margin=1.0 {OLD}", "MarginRankingLoss": f"margin_ranking_loss margin=0.0 {OLD}",
    "CosineEmbeddingLoss": f"cosine_embedding_loss margin=0.0 {OLD}",
    "TripletMarginLoss": f"triplet_margin_loss margin=1.0 p=2.0 eps=1e-06 swap=False {OLD}",
    "MultiLabelMarginLoss": f"multilabel_margin_loss {OLD}", "CTCLoss": "ctc_loss blank=0 reduction='mean' zero_infinity=False",
    "CosineSimilarity": "cosine_similarity dim=1 eps=1e-08", "PairwiseDistance": "pairwise_distance p=2.0 eps=1e-06 keepdim=False",  # noqa: E501
}  # fmt: skip
# Losses with a weight of their own, which is a buffer.
WEIGHTED = {
    "CrossEntropyLoss": "cross_entropy weight=None size_average=None ignore_index=-100 reduce=None reduction='mean' "
                        "label_smoothing=0.0",
    "NLLLoss": "nll_loss weight=None size_average=None ignore_index=-100 reduce=None reduction='mean'",
    "BCELoss": f"binary_cross_entropy weight=None {OLD}",
    "BCEWithLogitsLoss": f"binary_cross_entropy_with_logits weight=None {OLD} pos_weight=None",
    "MultiLabelSoftMarginLoss": f"multilabel_soft_margin_loss weight=None {OLD}",
    "MultiMarginLoss": f"multi_margin_loss p=1 margin=1.0 weight=None {OLD}",
}  # fmt: skip
PADS = {"Zero": "constant", "Reflection": "reflect", "Replication": "replicate", "Circular": "circular"}


def _options(words: list[str]) -> tuple[list[str], dict[str, Any]]:
    names = [w.partition("=")[0] for w in words if w != "!"]
    return names, {w.partition("=")[0]: eval(w.partition("=")[2]) for w in words if "=" in w}


def simple(name: str, line: str, buffers: tuple[str, ...] = ()) -> type:
    """A module class that calls one function of nn.functional."""
    function, *words = line.split()
    names, defaults = _options(words)
    trained = "!" in words

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        Module.__init__(self)
        if len(args) > len(names):
            raise TypeError(f"{name}() takes {len(names)} arguments but {len(args)} were given")
        given = {**defaults, **dict(zip(names, args)), **kwargs}
        for n in names:
            if n not in given:
                raise TypeError(f"{name}() missing 1 required argument: '{n}'")
            if n == "p" and trained and not 0 <= given[n] <= 1:
                raise ValueError(f"dropout probability has to be between 0 and 1, but got {given[n]}")
            if n in buffers:
                self.register_buffer(n, given.pop(n))
        for n, value in given.items():
            if n not in names:
                raise TypeError(f"{name}() got an unexpected keyword argument '{n}'")
            setattr(self, n, value)

    def forward(self: Any, *inputs: Any) -> Any:
        """The function, with the options of the module."""
        options = {n: getattr(self, n) for n in names}
        if trained:
            options["training"] = self.training
        return getattr(F, function)(*inputs, **options)

    def extra_repr(self: Any) -> str:
        """The options that were set."""
        return ", ".join(f"{n}={getattr(self, n)}" for n in names if n not in ("size_average", "reduce", *buffers))

    body = {"__init__": __init__, "forward": forward, "extra_repr": extra_repr, "__doc__": f"nn.functional.{function} as a module.",  # noqa: E501
            "__module__": __name__}  # fmt: skip
    return type(name, (Module,), body)


class Identity(Module):
    """The input, whatever the arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input


class Flatten(Module):
    """Dimensions joined."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """flatten"""
        return input.flatten(self.start_dim, self.end_dim)


class Unflatten(Module):
    """A dimension split."""

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        """unflatten"""
        return input.unflatten(self.dim, self.unflattened_size)


def _max_pool(n: int) -> type:
    line = f"max_pool{n}d kernel_size stride=None padding=0 dilation=1 return_indices=False ceil_mode=False"
    return simple(f"MaxPool{n}d", line)


def _unpool(n: int) -> type:
    return simple(f"MaxUnpool{n}d", f"max_unpool{n}d kernel_size stride=None padding=0")


def _pad(kind: str, n: int, mode: str) -> type:
    class Pad(Module):
        def __init__(self, padding: Any, value: float = 0) -> None:
            super().__init__()
            self.padding = (padding,) * (2 * n) if isinstance(padding, int) else tuple(padding)
            self.value = value

        def forward(self, input: Tensor) -> Tensor:
            """pad"""
            return F.pad(input, self.padding, mode, self.value if mode == "constant" else None)

    Pad.__name__ = Pad.__qualname__ = f"{kind}Pad{n}d"
    Pad.__doc__ = f"nn.functional.pad with mode {mode!r} in {n} dimensions."
    return Pad


CLASSES: dict[str, type] = {name: simple(name, line) for name, line in {**UNARY, **TRAINED, **LOSSES}.items()}
CLASSES.update({name: simple(name, line, ("weight", "pos_weight")) for name, line in WEIGHTED.items()})
for _n in (1, 2, 3):
    for _kind, _mode in {**PADS, "Constant": "constant"}.items():
        CLASSES[f"{_kind}Pad{_n}d"] = _pad(_kind, _n, _mode)
    CLASSES[f"MaxPool{_n}d"], CLASSES[f"MaxUnpool{_n}d"] = _max_pool(_n), _unpool(_n)
CLASSES.update(Identity=Identity, Flatten=Flatten, Unflatten=Unflatten)
CLASSES["Softmax2d"] = type(
    "Softmax2d", (Module,), {"forward": lambda self, x: x.softmax(-3), "__doc__": "softmax over channels"}
)
