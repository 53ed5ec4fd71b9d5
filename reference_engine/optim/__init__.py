"""torch.optim: optimizers that step in place, and schedules of their learning rates."""

from . import lr_scheduler
from .adaptive import ASGD, NAdam, RAdam, Rprop
from .lbfgs import LBFGS
from .optimizer import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Optimizer, RMSprop

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "Optimizer", "RAdam", "RMSprop",
    "Rprop", "lr_scheduler",
]  # fmt: skip
