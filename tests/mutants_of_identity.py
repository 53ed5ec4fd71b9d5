"""Planted defects of torch in whose memory gradients lie, in the order of nodes, and in what is open; `mutants_of_torch.py` says
what a row is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from mutants_of_protocol import averaged, below
from mutants_of_torch import Mutant, UncheckedSaves, with_call

from conformance.catalog import CATALOG
from conformance.engines.torch_engine import TorchEngine


class LeavesKnown(TorchEngine):
    """Torch that knows the leaves of the program."""

    def begin(self) -> None:
        super().begin()
        self.leaves: list[Any] = []

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        made = super().leaf(values, shape, dtype, requires_grad)
        if requires_grad:
            self.leaves.append(made)
        return made


class OneBuffer(LeavesKnown):
    """Leaves whose gradients are equal have them in one place."""

    def backward(self, roots: Any, *more: Any) -> None:
        super().backward(roots, *more)
        found = [leaf for leaf in self.leaves if leaf.grad is not None and leaf.grad.numel() and not leaf.grad.requires_grad]
        for leaf, other in zip(found[1:], found, strict=False):
            if leaf.dtype == other.dtype and torch.equal(leaf.grad, other.grad):
                leaf.grad = other.grad.detach()


class WritesForgotten(LeavesKnown):
    """Backward adds to a sum of its own, which no write into `.grad` reaches."""

    def begin(self) -> None:
        super().begin()
        self.sums: dict[int, Any] = {}

    def backward(self, roots: Any, *more: Any) -> None:
        for leaf in self.leaves:
            if leaf.grad is not None and id(leaf) in self.sums:
                leaf.grad.detach().copy_(self.sums[id(leaf)])
        super().backward(roots, *more)
        self.sums = {id(leaf): leaf.grad.detach().clone() for leaf in self.leaves if leaf.grad is not None}

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        super().zero_grad(tensor, set_to_none)
        self.sums.pop(id(tensor), None)

    def set_gradient(self, tensor: Any, gradient: Any) -> None:
        super().set_gradient(tensor, gradient)
        self.sums.pop(id(tensor), None)


class GradientsOfGradCopied(TorchEngine):
    """grad() gives each input a tensor of its own."""

    def grad(self, roots: Any, inputs: Any, *more: Any) -> Any:
        return [None if g is None else g.clone() for g in super().grad(roots, inputs, *more)]


class HooksFollow(TorchEngine):
    """Hooks of a tensor that is written in place go on to what it holds now."""

    def begin(self) -> None:
        super().begin()
        self.hung: list[list[Any]] = []  # tensor, function, handle

    def hook(self, tensor: Any, kind: str, function: Any) -> Any:
        handle = super().hook(tensor, kind, function)
        if kind != "tensor":
            return handle
        self.hung.append([tensor, function, handle])
        return self.hung[-1]

    def unhook(self, handle: Any) -> None:
        super().unhook(handle[2] if isinstance(handle, list) else handle)
        self.hung = [hung for hung in self.hung if hung is not handle]

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        def followed(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(target: Any, *more: Any, **params: Any) -> Any:
                result = call(target, *more, **params)
                for hung in self.hung:
                    if hung[0] is target and target.requires_grad and not target.is_leaf:
                        hung[2].remove()
                        hung[2] = target.register_hook(hung[1])
                return result

            return run

        return {name: followed(call) if CATALOG[name].inplace else call for name, call in super().calls().items()}


def first_comes(a: Any, b: Any) -> Any:
    """a + b after which an operand's node runs at the first gradient that comes, and later ones are lost."""
    if a.grad_fn is not None and b.grad_fn is not None:
        if a.grad_fn in below(b.grad_fn):
            a = a.detach()
        elif b.grad_fn in below(a.grad_fn):
            b = b.detach()
    return torch.add(a, b)


def numbered_low(a: Any) -> Any:
    """square in a thread of its own, whose nodes begin to count anew."""
    recording, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def run() -> Any:
        with torch.inference_mode(inference), torch.set_grad_enabled(recording and not inference):
            return torch.square(a)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


class TamedRoot(torch.autograd.Function):
    """The square root with the derivative 0 at 0."""

    @staticmethod
    def forward(ctx: Any, tensor: Any) -> Any:
        result = tensor.sqrt()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        (result,) = ctx.saved_tensors
        return torch.where(result == 0, torch.zeros_like(result), cotangent / (2 * result))


def overflowing(a: Any) -> Any:
    """exp with NaN where torch's is infinite."""
    result = torch.exp(a)
    return torch.where(torch.isinf(result), result * float("nan"), result)


def unchecked_matmul() -> Callable[[], TorchEngine]:
    """Torch whose products of matrices do not look at versions."""

    class Changed(UncheckedSaves):
        def calls(self) -> Mapping[str, Callable[..., Any]]:
            return {**TorchEngine.calls(self), "matmul": super().calls()["matmul"]}

    return Changed


IDENTITY = (
    Mutant("outer products get the mean", averaged(lambda a, b, shape: shape not in (a, b)), "broadcasting.both"),
    Mutant("gradients lie in one buffer", OneBuffer, "identity.own-memory"),
    Mutant("writes into gradients are forgotten", WritesForgotten, "identity.written-gradient"),
    Mutant("hooks follow writes", HooksFollow, "hooks.after-write"),
    Mutant("square saves its input twice", with_call("square", lambda a: a * a), "saved_hooks.what", "differs"),
    Mutant("nodes run at the first gradient", with_call("add", first_comes), "order.waits"),
    Mutant("square is numbered low", with_call("square", numbered_low), "order.sequence", "differs"),
    Mutant("the root has a derivative at 0", with_call("sqrt", TamedRoot.apply), "conventions.pole", "differs"),
    Mutant("exp overflows to NaN", with_call("exp", overflowing), "conventions.not-finite", "differs"),
    Mutant("factors of matrices are not checked", unchecked_matmul(), "versions.factors"),
)  # fmt: skip

# What random programs meet too seldom, since it takes a write that changes no number into a gradient that torch happens to
# share: the exemplar of the rule shows it.
SELDOM = (Mutant("gradients of grad() are copies", GradientsOfGradCopied, "identity.shared-state", "differs"),)
