"""torch.optim.lr_scheduler: learning rates that depend on the number of steps taken. A table of closed forms."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Callable
from typing import Any


class LRScheduler:
    """Sets the learning rate of each group from its initial one and the number of steps."""

    def __init__(self, optimizer: Any, last_epoch: int = -1) -> None:
        self.optimizer, self.last_epoch = optimizer, last_epoch
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._steps_of_optimizer = 0
        optimizer.register_step_post_hook(self._count)
        self._advance()

    def _count(self, *_: Any) -> None:
        self._steps_of_optimizer += 1

    def get_lr(self) -> list:
        """The learning rates now due. To be said by each scheduler."""
        raise NotImplementedError

    def get_last_lr(self) -> list:
        """The learning rates last set."""
        return self._last_lr

    def _advance(self) -> None:
        self.last_epoch += 1
        self._last_lr = self.get_lr()
        for group, lr in zip(self.optimizer.param_groups, self._last_lr):
            group["lr"] = lr

    def step(self, epoch: int | None = None) -> None:
        """One step later (or at the given one)."""
        if self.last_epoch == 0 and not self._steps_of_optimizer:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should "
                "call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will "
                "result in PyTorch skipping the first value of the learning rate schedule. See more details at "
                "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate",
                UserWarning,
                stacklevel=2,
            )
        if epoch is not None:
            self.last_epoch = epoch - 1
        self._advance()

    def state_dict(self) -> dict:
        """Everything but the optimizer."""
        return {k: v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what state_dict gave."""
        self.__dict__.update(state_dict)


# class: options with defaults, and the learning rate from (base, step, options).
_TABLE: dict[str, tuple[dict, Callable]] = {
    "StepLR": ({"step_size": None, "gamma": 0.1}, lambda b, e, o: b * o.gamma ** (e // o.step_size)),
    "MultiStepLR": ({"milestones": None, "gamma": 0.1},
                    lambda b, e, o: b * o.gamma ** bisect_right(sorted(o.milestones), e)),
    "ExponentialLR": ({"gamma": None}, lambda b, e, o: b * o.gamma**e),
    "ConstantLR": ({"factor": 1 / 3, "total_iters": 5}, lambda b, e, o: b * (o.factor if e < o.total_iters else 1)),
    "LinearLR": ({"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5}, lambda b, e, o: b * (
        o.start_factor + (o.end_factor - o.start_factor) * min(o.total_iters, e) / o.total_iters)),
    "PolynomialLR": ({"total_iters": 5, "power": 1.0},
                     lambda b, e, o: b * (1 - min(e, o.total_iters) / o.total_iters) ** o.power),
    "CosineAnnealingLR": ({"T_max": None, "eta_min": 0.0},
                          lambda b, e, o: o.eta_min + (b - o.eta_min) * (1 + math.cos(math.pi * e / o.T_max)) / 2),
}  # fmt: skip


def _scheduler(name: str, options: dict, rate: Callable) -> type:
    def __init__(self: Any, optimizer: Any, *args: Any, last_epoch: int = -1, **kwargs: Any) -> None:
        given = dict(zip(options, args))
        for key, default in options.items():
            setattr(self, key, kwargs.pop(key, given.get(key, default)))
        if kwargs:
            raise TypeError(f"{name}.__init__() got an unexpected keyword argument {next(iter(kwargs))!r}")
        LRScheduler.__init__(self, optimizer, last_epoch)

    def get_lr(self: Any) -> list:
        return [rate(base, self.last_epoch, self) for base in self.base_lrs]

    return type(name, (LRScheduler,), {"__init__": __init__, "get_lr": get_lr, "__module__": __name__,
                                       "__doc__": f"Options: {', '.join(options)}."})  # fmt: skip


globals().update({name: _scheduler(name, options, rate) for name, (options, rate) in _TABLE.items()})


class LambdaLR(LRScheduler):
    """The initial learning rate times a function of the number of steps."""

    def __init__(self, optimizer: Any, lr_lambda: Any, last_epoch: int = -1) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The learning rates now due."""
        return [base * fn(self.last_epoch) for base, fn in zip(self.base_lrs, self.lr_lambdas)]


__all__ = ["LRScheduler", "LambdaLR", *_TABLE]
