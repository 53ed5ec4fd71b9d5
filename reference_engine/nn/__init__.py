"""torch.nn: modules, parameters, functions, initialisation."""

from . import functional, init, layers, modules, simple, utils
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .layers import Bilinear, Embedding, EmbeddingBag, GroupNorm, LayerNorm, Linear, PReLU, RMSNorm
from .module import Module
from .parameter import Buffer, Parameter

globals().update(layers.CLASSES)
globals().update(simple.CLASSES)
__all__ = [
    "Bilinear", "Buffer", "Embedding", "EmbeddingBag", "GroupNorm", "LayerNorm", "Linear", "Module", "ModuleDict",
    "ModuleList", "modules",
    "PReLU", "Parameter", "ParameterDict", "ParameterList", "RMSNorm", "Sequential", "functional", "init", "utils",
    *layers.CLASSES, *simple.CLASSES,
]  # fmt: skip
