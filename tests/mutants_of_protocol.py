"""Planted defects of torch in modes, identity, roots, functions and checkpoints; `mutants_of_torch.py` says what a row is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from mutants_of_torch import AveragedExpansion, Bend, ExitEnables, Mutant, Overwrites, with_call, with_calls

from conformance.engines.torch_engine import TorchEngine

BINARY = ("add", "sub", "mul", "maximum")


class InferenceIsNoGrad(TorchEngine):
    def inference_mode(self) -> Any:
        return torch.no_grad()


class InferenceIgnored(TorchEngine):
    def inference_mode(self) -> Any:
        return contextlib.nullcontext()


class ExportPasses(TorchEngine):
    def export(self, tensor: Any) -> Any:
        return super().export(tensor.detach())


class SwitchIgnored(TorchEngine):
    def set_grad_enabled(self, value: bool) -> None:
        """Nothing."""


class OneModeForAll(TorchEngine):
    """no_grad holds in all threads."""

    def begin(self) -> None:
        super().begin()
        self.enabled = True

    @contextlib.contextmanager
    def grad_mode(self, enabled: bool) -> Iterator[None]:
        before, self.enabled = self.enabled, enabled
        try:
            with super().grad_mode(enabled):
                yield
        finally:
            self.enabled = before

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        def under(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(*operands: Any, **params: Any) -> Any:
                with contextlib.nullcontext() if self.enabled else torch.no_grad():
                    return call(*operands, **params)

            return run

        return {name: under(call) for name, call in super().calls().items()}


class NoBases(TorchEngine):
    def base(self, tensor: Any) -> Any:
        return None


class WritesIntoSeeds(TorchEngine):
    def backward(self, roots: Any, gradients: Any, *more: Any) -> None:
        super().backward(roots, gradients, *more)
        for gradient in gradients or ():
            if gradient is not None:
                gradient.detach().mul_(2.0)


class AssignmentIgnored(TorchEngine):
    def set_gradient(self, tensor: Any, gradient: Any) -> None:
        if gradient.shape != tensor.shape or gradient.dtype != tensor.dtype:
            super().set_gradient(tensor, gradient)


class MisfitsPass(TorchEngine):
    def set_gradient(self, tensor: Any, gradient: Any) -> None:
        if gradient.shape == tensor.shape and gradient.dtype == tensor.dtype:
            super().set_gradient(tensor, gradient)


class GradientsAreCopied(TorchEngine):
    def gradient(self, tensor: Any) -> Any:
        found = super().gradient(tensor)
        return None if found is None else found.clone()


class Alias(torch.autograd.Function):
    """The identity in the memory of its operand."""

    @staticmethod
    def forward(ctx: Any, tensor: Any) -> Any:
        return tensor.detach()

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        return cotangent


class NoneIsNothing(TorchEngine):
    """A root without a gradient among others with one counts nothing."""

    def backward(self, roots: Any, gradients: Any, *more: Any) -> None:
        if gradients and any(g is not None for g in gradients):
            gradients = [
                torch.zeros_like(r) if g is None and r.numel() == 1 else g for r, g in zip(roots, gradients, strict=True)
            ]
        super().backward(roots, gradients, *more)


class OneDtypeOnly(TorchEngine):
    """A gradient of another dtype than its root is refused."""

    def backward(self, roots: Any, gradients: Any, *more: Any) -> None:
        if any(g is not None and g.dtype != r.dtype for r, g in zip(roots, gradients or (), strict=False)):
            raise RuntimeError("the dtypes of roots and gradients differ")
        super().backward(roots, gradients, *more)


def below(node: Any) -> set[Any]:
    """The nodes that a node leads to."""
    found: set[Any] = set()
    todo = [node]
    while todo:
        for following, _ in todo.pop().next_functions if todo[-1] is not None else ():
            if following is not None and following not in found:
                found.add(following)
                todo.append(following)
    return found


class OuterRootsOnly(TorchEngine):
    """A root that another root depends on is left out."""

    def backward(self, roots: Any, gradients: Any, *more: Any) -> None:
        inner = set().union(*(below(r.grad_fn) for r in roots if r.grad_fn is not None))
        kept = [k for k, r in enumerate(roots) if r.grad_fn is None or r.grad_fn not in inner]
        super().backward([roots[k] for k in kept], [gradients[k] for k in kept] if gradients else gradients, *more)


def averaged(applies: Callable[[Any, Any, Any], bool]) -> Callable[[], TorchEngine]:
    """Torch whose binary ops average the gradients of what was broadcast, for such shapes."""

    def change(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(a: Any, b: Any, **params: Any) -> Any:
            shape = torch.broadcast_shapes(a.shape, b.shape)
            if applies(a.shape, b.shape, shape):
                a, b = (t if t.shape == shape else AveragedExpansion.apply(t, shape) for t in (a, b))
            return call(a, b, **params)

        return run if name in BINARY else call

    return with_calls(change)


def promoting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Binary ops compute in the wider dtype, whatever the ranks."""

    def run(a: Any, b: Any, **params: Any) -> Any:
        dtype = torch.promote_types(a.dtype, b.dtype)
        return call(a.to(dtype), b.to(dtype), **params)

    return run if name in BINARY else call


class ScalarsOverwritten(Overwrites):
    """Gradients of 0-dim leaves are not added to."""

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        return super().leaf(values, shape, dtype, requires_grad) if shape == () else TorchEngine.leaf(
            self, values, shape, dtype, requires_grad
        )  # fmt: skip


class NowAndThen(TorchEngine):
    """Every fiftieth program has another neg."""

    def __init__(self) -> None:
        super().__init__()
        self.programs = 0

    def begin(self) -> None:
        super().begin()
        self.programs += 1

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {**super().calls(), "neg": lambda a: a * (-1.0 if self.programs % 50 else -2.0)}


class Swapped(torch.autograd.Function):
    """2a and 3a, whose backward takes the gradients in the wrong order."""

    @staticmethod
    def forward(ctx: Any, a: Any) -> Any:
        return a * 2.0, a * 3.0

    @staticmethod
    def backward(ctx: Any, first: Any, second: Any) -> Any:
        return first * 3.0 + second * 2.0


class Exhausted(torch.autograd.Function):
    """The identity; its backward has a gradient once."""

    @staticmethod
    def forward(ctx: Any, tensor: Any) -> Any:
        ctx.left = 1.0
        return tensor.clone()

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        factor, ctx.left = ctx.left, 0.0
        return cotangent * factor


def same_saved(a: Any, b: Any) -> Any:
    """a * b with each operand's gradient given to the other."""
    x, y = a.detach(), b.detach()
    return x * y + (a - x) * x + (b - y) * y


def zero_write(a: Any, value: float) -> Any:
    """a.mul_(value) that leaves 0-dim tensors alone."""
    return a.mul_(value if a.dim() else 1.0)


PROTOCOL = (
    Mutant("inference mode is no_grad", InferenceIsNoGrad, "grad_modes.inference-refused"),
    Mutant("inference mode is ignored", InferenceIgnored, "grad_modes.inference"),
    Mutant("numpy() of anything passes", ExportPasses, "grad_modes.export-refused"),
    Mutant("set_grad_enabled is ignored", SwitchIgnored, "grad_modes.switch"),
    Mutant("one mode for all threads", OneModeForAll, "grad_modes.thread"),
    Mutant("the end of an inner region enables recording", ExitEnables, "grad_modes.restored"),
    Mutant("views have no base", NoBases, "identity.base"),
    Mutant("backward writes into its seeds", WritesIntoSeeds, "identity.handed-gradient"),
    Mutant("assignment of gradients is ignored", AssignmentIgnored, "identity.assigned"),
    Mutant("any gradient may be assigned", MisfitsPass, "identity.assigned-misfit"),
    Mutant("gradients are read as copies", GradientsAreCopied, "identity.gradient-object"),
    Mutant("clone shares memory", with_call("clone", Alias.apply), "identity.results"),
    Mutant("a decorator of no_grad does nothing", with_call("made_by_decorated", lambda a: a * 2.0), "grad_modes.within"),
    Mutant("gradients of another dtype are refused", OneDtypeOnly, "roots.other-dtype", "differs"),
    Mutant("implicit gradients count nothing", NoneIsNothing, "roots.some-implicit"),
    Mutant("inner roots are left out", OuterRootsOnly, "roots.nested"),
    Mutant("stretched axes get the mean", averaged(lambda a, b, both: len(a) == len(b)),
           "broadcasting.unit-axes"),
    Mutant("0-dim operands promote", with_calls(promoting), "broadcasting.promotion"),
    Mutant("the sum over nothing is NaN", with_call("sum", lambda a: a.sum() if a.numel() else a.sum() * float("nan")),
           "empty.reduction"),
    Mutant("products over nothing are one", with_call("matmul", lambda a, b: a @ b if a.shape[-1] else a @ b + 1.0),
           "empty.matmul"),
    Mutant("0-dim gradients are not added to", ScalarsOverwritten, "empty.zero-dim-accumulation"),
    Mutant("0-dim tensors are not written", with_call("mul_scalar_", zero_write), "empty.zero-dim-write"),
    Mutant("every fiftieth program differs", NowAndThen, "order.repeatable"),
    Mutant("sigmoid overflows", with_call("sigmoid", lambda a: 1.0 / (1.0 + torch.exp(-a))), "conventions.finite"),
    Mutant("outputs of functions are swapped", with_call("function_with_two_outputs", Swapped.apply), "functions.outputs"),
    Mutant("functions are not asked", with_call("function_asking", lambda a, b: Bend.apply(a * b, 3.0)), "functions.asks"),
    Mutant("saved tensors of functions are swapped", with_call("function_saving_both", same_saved), "functions.saves"),
    Mutant("functions that give back their input are skipped", with_call("function_returning_input", lambda a: a.view_as(a)),
           "functions.returned-input"),
    Mutant("marked outputs require grad", with_call("function_with_constant_output", lambda a: (a * 2.0, a * 3.0)),
           "functions.constant-output"),
    Mutant("functions that write do not", with_call("function_writing", lambda a: a.mul_(1.0)), "functions.writes"),
    Mutant("once is twice", with_call("function_differentiable_once", lambda a: a * a), "functions.once"),
    Mutant("too many gradients pass", with_call("function_with_too_many_gradients", lambda a: a + a), "functions.misfit"),
    Mutant("wider gradients are not summed", with_call("function_with_wider_gradient", lambda a: a * 1.0),
           "functions.backward"),
    Mutant("checkpoints double", with_call("checkpoint", lambda a: Bend.apply(torch.sin(a * a), 2.0)), "checkpoint.gradients"),
    Mutant("checkpoints lose the flag", with_call("checkpoint_of_linear", lambda a: (a * 2.0).detach()), "checkpoint.flags"),
    Mutant("checkpoints run once", with_call("checkpoint", lambda a: Exhausted.apply(torch.sin(a * a))), "checkpoint.again"),
)  # fmt: skip
