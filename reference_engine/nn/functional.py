"""torch.nn.functional: its functions live in chapters of their own, named functional_*.py, and are gathered here."""

from __future__ import annotations

import sys
from types import ModuleType

from ..ops import embedding as _embedding
from ..ops import norm as _norm
from ..ops import pool as _pool
from ..ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d  # noqa: F401
from ..ops.pad import pad  # noqa: F401
from ..ops.table import FUNCTIONS
from . import functional_activation, functional_loss, functional_norm, functional_sample, functional_vector


def _gather(*chapters: ModuleType) -> None:
    """Take over what each chapter defines itself."""
    for chapter in chapters:
        for name, value in vars(chapter).items():
            if not name.startswith("_") and getattr(value, "__module__", None) == chapter.__name__:
                globals()[name] = value


_gather(functional_activation, functional_norm, functional_loss, functional_sample, functional_vector)
globals().update(_pool.FACES)

# What torch has at its top level too.
ALSO_TORCH = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "celu",
    "celu_",
    "selu",
    "selu_",
    "relu_",
    "rrelu",
    "rrelu_",
    "prelu",
    "hardshrink",
    "threshold",
    "threshold_",
    "avg_pool1d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool1d_with_indices",
    "adaptive_avg_pool1d",
    "dropout",
    "alpha_dropout",
    "feature_alpha_dropout",
    "native_dropout",
    "rms_norm",
    "cosine_similarity",
    "pairwise_distance",
    "bilinear",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "grid_sampler",
]


def _publish() -> None:
    package = sys.modules[__name__.rpartition(".nn.")[0]]
    for name in ALSO_TORCH:
        setattr(package, name, globals()[name])


_publish()
pdist = FUNCTIONS["pdist"]
for _name in ("batch_norm", "instance_norm", "layer_norm", "group_norm", "native_batch_norm", "native_layer_norm",
              "native_group_norm"):  # fmt: skip
    setattr(sys.modules[__name__.rpartition(".nn.")[0]], _name, getattr(_norm, _name))
for _name in ("embedding", "embedding_bag"):
    setattr(sys.modules[__name__.rpartition(".nn.")[0]], _name, getattr(_embedding, _name))

from . import aten_names  # noqa: E402, F401 - enters the names of these functions in torch.ops.aten
