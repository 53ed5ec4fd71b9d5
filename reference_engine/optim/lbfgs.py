"""L-BFGS: steps along an approximate inverse Hessian, which is kept as the last few steps and changes of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..modes import enable_grad, no_grad
from ..ops.table import FUNCTIONS
from ..tensor import Tensor
from .optimizer import Optimizer, _check


class LBFGS(Optimizer):
    """All parameters as one vector; step(closure) makes up to max_iter steps. Without a line search."""

    def __init__(self, params: Iterable, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: Any = None) -> None:  # fmt: skip
        _check(lr=lr)
        if line_search_fn is not None:
            raise RuntimeError("only steps of a fixed length are available: line_search_fn=None")
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        })  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def _gradient(self) -> Tensor:
        parts = [FUNCTIONS["zeros_like"](p).view(-1) if p.grad is None else p.grad.view(-1) for p in self._params]
        return FUNCTIONS["cat"](parts)

    def _move(self, direction: Tensor, length: float) -> None:
        start = 0
        for p in self._params:
            p.add_(direction[start : start + p.numel()].view_as(p), alpha=length)
            start += p.numel()

    @staticmethod
    def _direction(gradient: Tensor, pairs: list, scale: Any) -> Tensor:
        """The two-loop recursion over the pairs (step, change of the gradient, 1 / their product)."""
        q, weights = gradient.neg(), []
        for s, y, rho in reversed(pairs):
            weights.append(s.dot(q) * rho)
            q = q.add(y, alpha=-weights[-1].item())
        q = q.mul(scale)
        for (s, y, rho), weight in zip(pairs, reversed(weights)):
            q = q.add(s, alpha=(weight - y.dot(q) * rho).item())
        return q

    def step(self, closure: Callable | None = None) -> Any:
        """Minimise; `closure` evaluates loss and gradients again. Returns the first loss."""
        if closure is None:
            raise TypeError("LBFGS.step() missing 1 required positional argument: 'closure'")
        with no_grad():
            return self._minimise(closure, self.param_groups[0], self.state[self._params[0]])

    def _minimise(self, closure: Callable, group: dict, state: dict) -> Any:
        with enable_grad():
            first = closure()
        loss, evaluations = float(first.item()), 1
        gradient = self._gradient()
        state.setdefault("n_iter", 0)
        pairs, scale = state.setdefault("pairs", []), state.get("scale", 1.0)
        direction, before = state.get("d"), state.get("prev_flat_grad")
        length, done = state.get("t", group["lr"]), 0
        while done < group["max_iter"] and gradient.abs().max().item() > group["tolerance_grad"]:
            done += 1
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                direction = gradient.neg()
                length = min(1.0, 1.0 / gradient.abs().sum().item()) * group["lr"]
            else:
                y, s = gradient.sub(before), direction.mul(length)  # type: ignore[union-attr]
                if (product := y.dot(s).item()) > 1e-10:
                    del pairs[: max(0, len(pairs) + 1 - group["history_size"])]
                    pairs.append((s, y, 1.0 / product))
                    scale = product / y.dot(y).item()
                direction, length = self._direction(gradient, pairs, scale), group["lr"]
            before, previous = gradient.clone(), loss
            slope = gradient.dot(direction).item()
            if slope > -group["tolerance_change"]:
                break
            self._move(direction, length)
            if done != group["max_iter"]:
                with enable_grad():
                    loss = float(closure().item())
                gradient = self._gradient()
                evaluations += 1
            if evaluations >= group["max_eval"] or direction.mul(length).abs().max().item() <= group["tolerance_change"]:
                break
            if abs(loss - previous) < group["tolerance_change"]:
                break
        state.update(d=direction, t=length, prev_flat_grad=before, scale=scale)
        return first
