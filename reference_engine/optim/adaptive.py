"""More optimizers whose steps adapt to the gradients seen: NAdam, RAdam, Rprop and averaged SGD."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..ops.table import FUNCTIONS
from ..tensor import Tensor
from .optimizer import Optimizer, _check, _count, _zeros


def _decayed(p: Tensor, g: Tensor, group: dict) -> Tensor:
    """The gradient with weight decay; a decoupled one shrinks the parameter itself."""
    if group["weight_decay"] == 0:
        return g
    if group.get("decoupled_weight_decay"):
        p.mul_(1 - float(group["lr"]) * group["weight_decay"])
        return g
    return g.add(p, alpha=group["weight_decay"])


def _moments(p: Tensor, g: Tensor, state: dict, group: dict) -> tuple[Tensor, Tensor]:
    """The running means of the gradient and of its square."""
    mean, square = _zeros(state, p, "exp_avg", "exp_avg_sq")
    b1, b2 = group["betas"]
    mean.lerp_(g, 1 - b1)
    square.mul_(b2).addcmul_(g, g, value=1 - b2)
    return mean, square


class NAdam(Optimizer):
    """Adam with Nesterov's look ahead."""

    def __init__(self, params: Iterable, lr: Any = 2e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False,
                 **options: Any) -> None:  # fmt: skip
        _check(lr=lr, eps=eps, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": False, "foreach": None, "capturable": False,
            "differentiable": False, **options,
        })  # fmt: skip

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        state.setdefault("mu_product", FUNCTIONS["ones"](()))
        t, lr = _count(state), float(group["lr"])
        g = _decayed(p, g, group)
        b1, b2 = group["betas"]
        mu, ahead = (b1 * (1 - 0.5 * 0.96 ** (k * group["momentum_decay"])) for k in (t, t + 1))
        state["mu_product"] *= mu
        product = state["mu_product"].item()
        mean, square = _moments(p, g, state, group)
        root = square.div(1 - b2**t).sqrt().add(group["eps"])
        p.addcdiv_(g, root, value=-lr * (1 - mu) / (1 - product))
        p.addcdiv_(mean, root, value=-lr * ahead / (1 - product * ahead))


class RAdam(Optimizer):
    """Adam that trusts the mean square only once enough gradients were seen."""

    def __init__(self, params: Iterable, lr: Any = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, decoupled_weight_decay: bool = False, **options: Any) -> None:  # fmt: skip
        _check(lr=lr, eps=eps, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": False, "foreach": None,
            "capturable": False, "differentiable": False, "decoupled_weight_decay": decoupled_weight_decay, **options,
        })  # fmt: skip

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        t = _count(state)
        g = _decayed(p, g, group)
        b1, b2 = group["betas"]
        mean, square = _moments(p, g, state, group)
        most = 2 / (1 - b2) - 1
        length = most - 2 * t * b2**t / (1 - b2**t)
        step = mean / (1 - b1**t) * float(group["lr"])
        if length > 5:
            trust = math.sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
            step = step * (math.sqrt(1 - b2**t) / (square.sqrt() + group["eps"])) * trust
        p.add_(step, alpha=-1.0)


class ASGD(Optimizer):
    """SGD that keeps the average of the parameters in its state."""

    def __init__(self, params: Iterable, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
                 weight_decay: float = 0, **options: Any) -> None:  # fmt: skip
        _check(lr=lr, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": None,
            "maximize": False, "differentiable": False, "capturable": False, **options,
        })  # fmt: skip

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        lr, lambd = float(group["lr"]), group["lambd"]
        state.setdefault("eta", FUNCTIONS["tensor"](lr))
        state.setdefault("mu", FUNCTIONS["ones"](()))
        t = _count(state)
        (average,) = _zeros(state, p, "ax")
        g = _decayed(p, g, group)
        eta, mu = state["eta"].item(), state["mu"].item()
        p.mul_(1 - lambd * eta)
        p.add_(g, alpha=-eta)
        if mu == 1:
            average.copy_(p)
        else:
            average.add_(p.sub(average).mul_(mu))
        state["eta"] = FUNCTIONS["tensor"](lr / ((1 + lambd * lr * t) ** group["alpha"]))
        state["mu"] = FUNCTIONS["tensor"](1 / max(1, t - group["t0"]))


class Rprop(Optimizer):
    """Steps whose size depends on the signs of the gradients alone."""

    def __init__(self, params: Iterable, lr: Any = 1e-2, etas: tuple = (0.5, 1.2), step_sizes: tuple = (1e-6, 50),
                 **options: Any) -> None:  # fmt: skip
        _check(lr=lr)
        super().__init__(params, {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": None, "maximize": False, "differentiable": False,
            "capturable": False, **options,
        })  # fmt: skip

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        _count(state)
        (before,) = _zeros(state, p, "prev")
        if "step_size" not in state:
            state["step_size"] = FUNCTIONS["full_like"](g, float(group["lr"]))
        less, more = group["etas"]
        sign = g.mul(before).sign()
        factor = FUNCTIONS["where"](sign > 0, more, FUNCTIONS["where"](sign < 0, less, 1.0)).to(g.dtype)
        size = state["step_size"].mul_(factor).clamp_(*group["step_sizes"])
        g = g.masked_fill(sign < 0, 0.0)
        p.addcmul_(g.sign(), size, value=-1)
        before.copy_(g)
