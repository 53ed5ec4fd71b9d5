"""torch.optim: optimizers that step in place, with the same number of counted writes as torch's.

An algorithm is one function of a parameter, its gradient, its state and its group. Everything runs under no_grad, so that
parameters stay leaves; the writes are counted in the version counter, because graphs may have saved the parameters.
"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from ..hooks import RemovableHandle
from ..modes import enable_grad, set_grad_enabled
from ..ops.queries import typename
from ..ops.table import FUNCTIONS
from ..tensor import Tensor


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


class Optimizer:
    """Parameters in groups, each with its options; the state of each parameter; the step."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: dict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._pre: OrderedDict = OrderedDict()
        self._post: OrderedDict = OrderedDict()
        if isinstance(params, Tensor):
            raise TypeError(f"params argument given to the optimizer should be an iterable of Tensors or dicts, but got {typename(params)}")  # noqa: E501 # fmt: skip
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Parameters with options of their own; what is not said is taken from the defaults."""
        group = dict(param_group)
        params = group["params"]
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        if group["params"] and isinstance(group["params"][0], tuple):
            group["param_names"] = [n for n, _ in group["params"]]
            group["params"] = [p for _, p in group["params"]]
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not (self.defaults.get("differentiable") or p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
            if id(p) in known:
                raise ValueError("some parameters appear in more than one parameter group")
        for key, value in self.defaults.items():
            group.setdefault(key, value)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zero in place."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if set_to_none:
                    p.grad = None
                elif p.grad.grad_fn is not None:
                    p.grad.detach_()
                    p.grad.zero_()
                else:
                    p.grad.requires_grad_(False)
                    p.grad.zero_()

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """The algorithm: one parameter's step. To be said by each optimizer."""
        raise NotImplementedError

    def step(self, closure: Callable | None = None) -> Any:
        """Move every parameter that has a gradient. `closure` evaluates the loss again, with gradients on."""
        for hook in list(self._pre.values()):
            hook(self, (), {})
        with set_grad_enabled(bool(self.defaults.get("differentiable"))):
            loss = None
            if closure is not None:
                with enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._one(p, group)
        for hook in list(self._post.values()):
            hook(self, (), {})
        return loss

    def _one(self, p: Tensor, group: dict) -> None:
        before = p._version if not p.is_inference() else None
        g = -p.grad if group.get("maximize") else p.grad
        self.update(p, g, self.state[p], group)
        if group.get("fused") and before is not None:
            # Torch's fused kernels write without counting.
            p._storage.version = before

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) before each step."""
        return RemovableHandle.add(self._pre, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) after each step."""
        return RemovableHandle.add(self._post, hook)

    def state_dict(self) -> dict[str, Any]:
        """State and groups, with the parameters named by number."""
        number: dict[int, int] = {}
        for group in self.param_groups:
            for p in group["params"]:
                number.setdefault(id(p), len(number))
        groups = [{**g, "params": [number[id(p)] for p in g["params"]]} for g in self.param_groups]
        state = {number[id(p)] if isinstance(p, Tensor) else p: v for p, v in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict gave, in the order of the parameters."""
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(groups, self.param_groups)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group")
        found = {}
        for saved, mine in zip(groups, self.param_groups):
            found.update(zip(saved["params"], mine["params"]))
            mine.update({k: v for k, v in saved.items() if k != "params"})
        self.state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            self.state[found.get(key, key)] = {k: v.clone() if isinstance(v, Tensor) else v for k, v in value.items()}

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}\n", *(f"    {k}: {v}\n" for k, v in sorted(group.items()) if k != "params")]
        return f"{type(self).__name__} (\n{''.join(lines)})"


def _check(**values: Any) -> None:
    """Options that must not be negative."""
    names = {"lr": "learning rate", "eps": "epsilon value", "momentum": "momentum value", "weight_decay": "weight_decay value",
             "alpha": "alpha value", "rho": "rho value", "lr_decay": "lr_decay value"}  # fmt: skip
    for key, value in values.items():
        if not isinstance(value, Tensor) and value < 0.0:
            raise ValueError(f"Invalid {names.get(key, key)}: {value}")


def _count(state: dict) -> int:
    """One more step of this parameter."""
    state.setdefault("step", FUNCTIONS["tensor"](0.0))
    state["step"] += 1
    return int(state["step"].item())


def _zeros(state: dict, p: Tensor, *names: str) -> list[Tensor]:
    for name in names:
        if name not in state:
            state[name] = FUNCTIONS["zeros_like"](p.detach())
    return [state[name] for name in names]


class SGD(Optimizer):
    """p -= lr * gradient, with momentum."""

    def __init__(self, params: Iterable, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: Any = 0,
                 nesterov: bool = False, *, maximize: bool = False, foreach: Any = None, differentiable: bool = False,
                 fused: Any = None) -> None:  # fmt: skip
        _check(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        })  # fmt: skip

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        momentum = group["momentum"]
        if momentum != 0:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = g.clone().detach()
            else:
                buffer.mul_(momentum).add_(g, alpha=1 - group["dampening"])
            g = g.add(buffer, alpha=momentum) if group["nesterov"] else buffer
        p.add_(g, alpha=-float(group["lr"]))


class Adam(Optimizer):
    """Steps of about lr, by running means of the gradient and of its square."""

    decoupled = False

    def __init__(self, params: Iterable, lr: Any = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, foreach: Any = None, maximize: bool = False,
                 capturable: bool = False, differentiable: bool = False, fused: Any = None,
                 decoupled_weight_decay: bool = False) -> None:  # fmt: skip
        _check(lr=lr, eps=eps, weight_decay=weight_decay)
        for i, b in enumerate(betas):
            if not 0.0 <= b < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {b}")
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay or self.decoupled,
        })  # fmt: skip

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        t, lr = _count(state), float(group["lr"])
        mean, square = _zeros(state, p, "exp_avg", "exp_avg_sq")
        if group["weight_decay"] != 0:
            if group["decoupled_weight_decay"]:
                p.mul_(1 - lr * group["weight_decay"])
            else:
                g = g.add(p, alpha=group["weight_decay"])
        b1, b2 = group["betas"]
        mean.lerp_(g, 1 - b1)
        square.mul_(b2).addcmul_(g, g, value=1 - b2)
        root = math.sqrt(1 - b2**t)
        if group["amsgrad"]:
            (largest,) = _zeros(state, p, "max_exp_avg_sq")
            largest.copy_(FUNCTIONS["maximum"](largest, square))
            square = largest
        p.addcdiv_(mean, (square.sqrt() / root).add_(group["eps"]), value=-lr / (1 - b1**t))


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter itself."""

    decoupled = True

    def __init__(self, params: Iterable, lr: Any = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, **options: Any) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **options)


class RMSprop(Optimizer):
    """Gradients over the root of their running mean square."""

    def __init__(self, params: Iterable, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
                 momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: Any = None,
                 maximize: bool = False, differentiable: bool = False) -> None:  # fmt: skip
        _check(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered, "weight_decay": weight_decay,
            "capturable": capturable, "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
        })  # fmt: skip

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        _count(state)
        (square,) = _zeros(state, p, "square_avg")
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        alpha, lr = group["alpha"], float(group["lr"])
        square.mul_(alpha).addcmul_(g, g, value=1 - alpha)
        if group["centered"]:
            (mean,) = _zeros(state, p, "grad_avg")
            mean.lerp_(g, 1 - alpha)
            root = square.addcmul(mean, mean, value=-1).sqrt_()
        else:
            root = square.sqrt()
        root = root.add_(group["eps"])
        if group["momentum"] > 0:
            (buffer,) = _zeros(state, p, "momentum_buffer")
            buffer.mul_(group["momentum"]).addcdiv_(g, root)
            p.add_(buffer, alpha=-lr)
        else:
            p.addcdiv_(g, root, value=-lr)


class Adagrad(Optimizer):
    """Gradients over the root of the sum of their squares."""

    def __init__(self, params: Iterable, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
                 initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: Any = None, *, maximize: bool = False,
                 differentiable: bool = False, fused: Any = None) -> None:  # fmt: skip
        _check(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps)
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "initial_accumulator_value": initial_accumulator_value, "maximize": maximize, "differentiable": differentiable,
            "fused": fused,
        })  # fmt: skip
        for group in self.param_groups:
            for p in group["params"]:
                start = FUNCTIONS["full_like"](p.detach(), initial_accumulator_value)
                self.state[p] = {"step": FUNCTIONS["tensor"](0.0), "sum": start}

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        t = _count(state)
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        state["sum"].addcmul_(g, g, value=1)
        rate = float(group["lr"]) / (1 + (t - 1) * group["lr_decay"])
        p.addcdiv_(g, state["sum"].sqrt().add_(group["eps"]), value=-rate)


class Adadelta(Optimizer):
    """Steps in the units of the parameter, by running means of squares."""

    def __init__(self, params: Iterable, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
                 **options: Any) -> None:  # fmt: skip
        _check(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": False, **options})

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        _count(state)
        square, moved = _zeros(state, p, "square_avg", "acc_delta")
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        rho, eps = group["rho"], group["eps"]
        square.mul_(rho).addcmul_(g, g, value=1 - rho)
        delta = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(g)
        moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        p.add_(delta, alpha=-float(group["lr"]))


class Adamax(Optimizer):
    """Adam with the greatest gradient in place of the mean square."""

    def __init__(self, params: Iterable, lr: Any = 2e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, **options: Any) -> None:  # fmt: skip
        _check(lr=lr, eps=eps, weight_decay=weight_decay)
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": False, **options}
        )

    def update(self, p: Tensor, g: Tensor, state: dict, group: dict) -> None:
        """One parameter's step."""
        t = _count(state)
        mean, largest = _zeros(state, p, "exp_avg", "exp_inf")
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        b1, b2 = group["betas"]
        mean.lerp_(g, 1 - b1)
        largest.copy_(FUNCTIONS["maximum"](largest.mul_(b2), g.abs().add_(group["eps"])))
        p.addcdiv_(mean, largest, value=-float(group["lr"]) / (1 - b1**t))
