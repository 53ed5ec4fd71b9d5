"""Planted defects: torch with one thing wrong, and the rule that must say so.

Each row of MUTANTS is a small subclass of TorchEngine. `rule` is the rule that has to name the defect, `verdict` what becomes of
that rule: "safe" where the mutant answers rightly what torch refuses, "differs" where the rule is a MAY.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch

from conformance.catalog import CATALOG
from conformance.engine import Engine
from conformance.engines.torch_engine import TorchEngine


class Mutant(NamedTuple):
    """A planted defect and the rule that must find it."""

    name: str
    make: Callable[[], TorchEngine]
    rule: str
    verdict: str = "failed"

    @property
    def area(self) -> str:
        """The area of the rule."""
        return self.rule.partition(".")[0]


class Bend(torch.autograd.Function):
    """The identity, with its gradient multiplied by a factor."""

    @staticmethod
    def forward(ctx: Any, tensor: Any, factor: float) -> Any:
        ctx.factor = factor
        return tensor.clone()

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        return cotangent * ctx.factor, None


class AssignedIndex(torch.autograd.Function):
    """index_select whose backward assigns where it should add."""

    @staticmethod
    def forward(ctx: Any, source: Any, dim: int, index: Any) -> Any:
        ctx.shape, ctx.dim, ctx.index = source.shape, dim, index.clone()
        return source.index_select(dim, index)

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        return cotangent.new_zeros(ctx.shape).index_copy(ctx.dim, ctx.index, cotangent), None, None


class AveragedExpansion(torch.autograd.Function):
    """expand whose backward averages where it should add up."""

    @staticmethod
    def forward(ctx: Any, tensor: Any, shape: Any) -> Any:
        ctx.shape = tensor.shape
        ctx.count = max(torch.Size(shape).numel() // max(tensor.numel(), 1), 1)
        return tensor.expand(shape).clone()

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        return cotangent.sum_to_size(ctx.shape) / ctx.count, None


def with_call(name: str, call: Callable[..., Any]) -> Callable[[], TorchEngine]:
    """Torch with another function for one op."""

    class Changed(TorchEngine):
        def calls(self) -> Mapping[str, Callable[..., Any]]:
            return {**super().calls(), name: call}

    return Changed


def with_calls(change: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> Callable[[], TorchEngine]:
    """Torch with every op changed."""

    class Changed(TorchEngine):
        def calls(self) -> Mapping[str, Callable[..., Any]]:
            return {name: change(name, call) for name, call in super().calls().items()}

    return Changed


def bent(name: str, factor: float) -> Callable[[], TorchEngine]:
    """Torch with the gradient of one op multiplied by a factor."""
    code = TorchEngine().calls()[name]
    return with_call(name, lambda *operands, **params: Bend.apply(code(*operands, **params), factor))


def average_broadcast(a: Any, b: Any) -> Any:
    """a + b with averaged gradients of what was broadcast."""
    shape = torch.broadcast_shapes(a.shape, b.shape)
    return torch.add(*(t if t.shape == shape else AveragedExpansion.apply(t, shape) for t in (a, b)))


class DetachCopies(TorchEngine):
    def detach(self, tensor: Any) -> Any:
        return tensor.detach().clone()


class DetachKeepsHistory(TorchEngine):
    def detach(self, tensor: Any) -> Any:
        return tensor.view_as(tensor) if tensor.requires_grad else tensor.detach()


class Hooked(TorchEngine):
    """Torch whose nodes pack what they save by a function of ours, which takes their version check away."""

    @staticmethod
    def pack(tensor: Any) -> Any:
        raise NotImplementedError

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        def packed(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(*operands: Any, **params: Any) -> Any:
                with torch.autograd.graph.saved_tensors_hooks(self.pack, lambda tensor: tensor):
                    return call(*operands, **params)

            return run

        return {name: packed(call) for name, call in super().calls().items()}


class SavesCopies(Hooked):
    @staticmethod
    def pack(tensor: Any) -> Any:
        return tensor.detach().clone()


class UncheckedSaves(Hooked):
    @staticmethod
    def pack(tensor: Any) -> Any:
        return tensor.detach()


class Overwrites(TorchEngine):
    """Backward puts its gradients in the place of what was accumulated before."""

    def begin(self) -> None:
        super().begin()
        self.leaves: list[Any] = []

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        self.leaves.append(super().leaf(values, shape, dtype, requires_grad))
        return self.leaves[-1]

    def backward(self, roots: Any, *more: Any) -> None:
        before = [(leaf, leaf.grad) for leaf in self.leaves]
        for leaf in self.leaves:
            leaf.grad = None
        try:
            super().backward(roots, *more)
        finally:
            for leaf, gradient in before:
                if leaf.grad is None:
                    leaf.grad = gradient


class ZeroGradIgnored(TorchEngine):
    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        """Nothing."""


class NoneIsZero(TorchEngine):
    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        super().zero_grad(tensor, False)


class RetainGradIgnored(TorchEngine):
    def retain_grad(self, tensor: Any) -> None:
        """Nothing."""


class EveryGradRetained(TorchEngine):
    def calls(self) -> Mapping[str, Callable[..., Any]]:
        def kept(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(*operands: Any, **params: Any) -> Any:
                result = call(*operands, **params)
                for tensor in result if isinstance(result, tuple) else (result,):
                    if tensor is not None and tensor.requires_grad:
                        tensor.retain_grad()
                return result

            return run

        return {name: call if CATALOG[name].inplace else kept(call) for name, call in super().calls().items()}


class CreateGraphIgnored(TorchEngine):
    def backward(self, roots: Any, gradients: Any, retain_graph: Any, create_graph: bool, inputs: Any) -> None:
        super().backward(roots, gradients, retain_graph or create_graph, False, inputs)

    def grad(self, roots: Any, inputs: Any, gradients: Any, retain_graph: Any, create_graph: bool, unused: bool) -> Any:
        return super().grad(roots, inputs, gradients, retain_graph or create_graph, False, unused)


class GradientIgnored(TorchEngine):
    def backward(self, roots: Any, gradients: Any, *more: Any) -> None:
        ones = [None if g is None else torch.ones_like(g) for g in gradients] if gradients else gradients
        super().backward(roots, ones, *more)


class InputsIgnored(TorchEngine):
    def backward(self, roots: Any, gradients: Any, retain_graph: Any, create_graph: bool, inputs: Any) -> None:
        super().backward(roots, gradients, retain_graph, create_graph, None)


class FirstRootOnly(TorchEngine):
    def backward(self, roots: Any, gradients: Any, *more: Any) -> None:
        super().backward(roots[:1], gradients[:1] if gradients else gradients, *more)


class NeverFrees(TorchEngine):
    def backward(self, roots: Any, gradients: Any, retain_graph: Any, create_graph: bool, inputs: Any) -> None:
        super().backward(roots, gradients, True, create_graph, inputs)


class AlwaysFrees(TorchEngine):
    def backward(self, roots: Any, gradients: Any, retain_graph: Any, create_graph: bool, inputs: Any) -> None:
        super().backward(roots, gradients, create_graph, create_graph, inputs)


class ModesIgnored(TorchEngine):
    def grad_mode(self, enabled: bool) -> Any:
        return contextlib.nullcontext()


class ExitEnables(TorchEngine):
    """Leaving a region turns recording on, whatever was outside."""

    @contextlib.contextmanager
    def grad_mode(self, enabled: bool) -> Iterator[None]:
        torch.set_grad_enabled(enabled)
        try:
            yield
        finally:
            torch.set_grad_enabled(True)


class SeedsWithOnes(TorchEngine):
    def backward(self, roots: Any, gradients: Any, *more: Any) -> None:
        super().backward(roots, gradients or [torch.ones_like(r) for r in roots], *more)


class ConstantRootsPass(TorchEngine):
    def backward(self, roots: Any, *more: Any) -> None:
        if any(r.requires_grad for r in roots):
            super().backward(roots, *more)


class GradientBroadcasts(TorchEngine):
    def backward(self, roots: Any, gradients: Any, *more: Any) -> None:
        if gradients:
            gradients = [self.fitted(root, g) for root, g in zip(roots, gradients, strict=True)]
        super().backward(roots, gradients, *more)

    @staticmethod
    def fitted(root: Any, gradient: Any) -> Any:
        """The gradient in the root's shape, where it broadcasts."""
        try:
            return gradient if gradient is None else gradient.expand(root.shape).contiguous()
        except RuntimeError:
            return gradient


class ZerosForUnused(TorchEngine):
    def grad(self, roots: Any, inputs: Any, *more: Any) -> Any:
        found = super().grad(roots, inputs, *more)
        return [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, found, strict=True)]


class UnusedAllowed(TorchEngine):
    def grad(self, roots: Any, inputs: Any, gradients: Any, retain_graph: Any, create_graph: bool, unused: bool) -> Any:
        found = super().grad(roots, inputs, gradients, retain_graph, create_graph, True)
        return [torch.zeros_like(i) if g is None and not unused else g for i, g in zip(inputs, found, strict=True)]


class GradAccumulates(TorchEngine):
    def grad(self, roots: Any, inputs: Any, *more: Any) -> Any:
        found = super().grad(roots, inputs, *more)
        for tensor, gradient in zip(inputs, found, strict=True):
            if gradient is not None and tensor.is_leaf:
                tensor.grad = gradient.detach().clone()
        return found


class ZerosBeforeFirst(TorchEngine):
    def gradient(self, tensor: Any) -> Any:
        found = super().gradient(tensor)
        return torch.zeros_like(tensor) if found is None and tensor.is_leaf and tensor.requires_grad else found


class ConstantsGetGradients(TorchEngine):
    """After a backward, constants have a gradient of zeros."""

    def begin(self) -> None:
        super().begin()
        self.walked = False

    def backward(self, roots: Any, *more: Any) -> None:
        super().backward(roots, *more)
        self.walked = True

    def gradient(self, tensor: Any) -> Any:
        found = super().gradient(tensor)
        return torch.zeros_like(tensor) if found is None and self.walked and not tensor.requires_grad else found


class ClonesShareVersions(TorchEngine):
    """A clone has memory of its own but the version counter of its source, and no counter can be read."""

    version_of = Engine.version_of

    def begin(self) -> None:
        super().begin()
        self.clones: list[tuple[Any, Any]] = []

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        def clone(a: Any) -> Any:
            self.clones.append((a, a.clone()))
            return self.clones[-1][1]

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(a: Any, *more: Any, **params: Any) -> Any:
                call(a, *more, **params)
                for source, copy in self.clones:
                    if source is a:
                        copy.detach().add_(0)

            return run

        calls = {name: counted(call) if CATALOG[name].inplace else call for name, call in super().calls().items()}
        return {**calls, "clone": clone}


class EmptyHasNone(TorchEngine):
    def gradient(self, tensor: Any) -> Any:
        return super().gradient(tensor) if tensor.numel() else None


class FlagClears(TorchEngine):
    def set_requires_grad(self, tensor: Any, value: bool) -> None:
        tensor.detach_() if not tensor.is_leaf and not value else super().set_requires_grad(tensor, value)


class FlagIgnored(TorchEngine):
    def set_requires_grad(self, tensor: Any, value: bool) -> None:
        if not tensor.is_leaf:
            super().set_requires_grad(tensor, value)


class HoldsEverything(TorchEngine):
    def __init__(self) -> None:
        super().__init__()
        self.held: list[Any] = []

    def begin(self) -> None:
        super().begin()
        self.held.clear()

    def detach(self, tensor: Any) -> Any:
        self.held.append(tensor)
        return super().detach(tensor)


def lost_flag(a: Any, b: Any) -> Any:
    """a + b that looks at the first operand's flag alone."""
    return torch.add(a, b) if a.requires_grad else torch.add(a, b).detach()


def written_leaf(a: Any, value: float) -> Any:
    """a.mul_(value) that lets leaves be written."""
    with torch.no_grad() if a.is_leaf else contextlib.nullcontext():
        return a.mul_(value)


def unrecorded_write(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """In-place ops of constants that no version counter sees."""

    def run(a: Any, *more: Any, **params: Any) -> Any:
        return call(a if a.requires_grad else a.data, *more, **params)

    return run if CATALOG[name].inplace and len(CATALOG[name].kinds) == 1 else call


def stale_write(a: Any) -> Any:
    """a.square_() whose gradient is taken at the values after the write."""
    a.square_()
    return a.mul_(1.0) if not a.requires_grad else a.mul_(2.0).mul_(0.5).add_(a * 0.125 - a.detach() * 0.125)


def first_of_ties(a: Any, b: Any) -> Any:
    """maximum that gives the whole gradient of a tie to its first operand."""
    return torch.where(a.detach() >= b.detach(), a, b)


def squared(a: Any, b: Any) -> Any:
    """a * b that forgets one half where both are one tensor."""
    return a * b.detach() if a is b else a * b


def view_of_data(a: Any, dim0: int, dim1: int) -> Any:
    """transpose as a copy."""
    return a.transpose(dim0, dim1).clone()


def cosine(a: Any) -> Any:
    """cos with the derivative 1/2."""
    return a.detach().cos() + 0.5 * (a - a.detach())


def narrow_product(a: Any, b: Any) -> Any:
    """a * b in single precision."""
    return a.float() * b.float()


MUTANTS = (
    Mutant("cos has the derivative 1/2", with_call("cos", cosine), "gradients.pointwise"),
    Mutant("exp's gradient is 0.1 % too large", bent("exp", 1.001), "gradients.pointwise"),
    Mutant("mul forgets its second gradient", with_call("mul", lambda a, b: a * b.detach() if a.requires_grad else a * b),
           "gradients.binary"),
    Mutant("x * x has the derivative x", with_call("mul", squared), "gradients.repeated-operand"),
    Mutant("broadcast operands get the mean", with_call("add", average_broadcast), "broadcasting.leading-axes"),
    Mutant("index_select's backward assigns", with_call("index_select", lambda a, b, dim: AssignedIndex.apply(a, dim, b)),
           "gradients.index"),
    Mutant("matmul's gradient is doubled", bent("matmul", 2.0), "gradients.matmul"),
    Mutant("sum's gradient is averaged", bent("sum_dim", 0.5), "gradients.reduce"),
    Mutant("transpose negates the gradient", bent("transpose", -1.0), "gradients.view"),
    Mutant("repeat's gradient is halved", bent("repeat", 0.5), "gradients.shape"),
    Mutant("sub adds", with_call("sub", lambda a, b: a + b), "gradients.forward"),
    Mutant("products are of single precision", with_call("mul", narrow_product), "gradients.forward"),
    Mutant("ties go to the first operand", with_call("maximum", first_of_ties), "gradients.kink", "differs"),
    Mutant("the gradient argument is ignored", GradientIgnored, "roots.leaf"),
    Mutant("only the first root counts", FirstRootOnly, "roots.repeated"),
    Mutant("empty leaves have no gradient", EmptyHasNone, "gradients.empty"),
    Mutant("backward overwrites", Overwrites, "accumulation.several-backwards"),
    Mutant("zeroing is ignored", ZeroGradIgnored, "accumulation.none"),
    Mutant("None is zero", NoneIsZero, "accumulation.none"),
    Mutant("retain_grad is ignored", RetainGradIgnored, "accumulation.retain-grad"),
    Mutant("every gradient is retained", EveryGradRetained, "accumulation.non-leaf-none"),
    Mutant("inputs= is ignored", InputsIgnored, "accumulation.inputs"),
    Mutant("gradients begin as zeros", ZerosBeforeFirst, "accumulation.none-before-first"),
    Mutant("add looks at its first operand's flag", with_call("add", lost_flag), "requires_grad.any-input"),
    Mutant("constants get gradients", ConstantsGetGradients, "requires_grad.no-gradient"),
    Mutant("no_grad is ignored", ModesIgnored, "requires_grad.no-grad"),
    Mutant("leaving a region enables recording", ExitEnables, "requires_grad.enable-grad"),
    Mutant("requires_grad_() is ignored", FlagIgnored, "requires_grad.set"),
    Mutant("detach copies", DetachCopies, "detach.memory"),
    Mutant("detach keeps the history", DetachKeepsHistory, "detach.no-history"),
    Mutant("detach holds its source", HoldsEverything, "detach.frees-graph"),
    Mutant("saved tensors are not checked", UncheckedSaves, "versions.saved-input"),
    Mutant("saved outputs are not checked", UncheckedSaves, "versions.saved-output"),
    Mutant("saved tensors are copies", SavesCopies, "versions.saved-input", "safe"),
    Mutant("the counter misses writes", with_calls(unrecorded_write), "versions.counter"),
    Mutant("transpose copies", with_call("transpose", view_of_data), "views.memory"),
    Mutant("square_ differentiates after the write", with_call("square_", stale_write), "views.in-place"),
    Mutant("graphs are never freed", NeverFrees, "lifetime.freed", "safe"),
    Mutant("graphs are always freed", AlwaysFrees, "lifetime.retained"),
    Mutant("create_graph is ignored", CreateGraphIgnored, "grad.create-graph"),
    Mutant("unused inputs get zeros", ZerosForUnused, "grad.unused"),
    Mutant("grad() accumulates", GradAccumulates, "grad.accumulates-nothing"),
    Mutant("grad() of unused inputs passes", UnusedAllowed, "errors.unused-input"),
    Mutant("several elements are seeded with ones", SeedsWithOnes, "errors.non-scalar-root"),
    Mutant("constant roots pass", ConstantRootsPass, "errors.root-without-grad"),
    Mutant("gradients broadcast", GradientBroadcasts, "errors.gradient-shape"),
    Mutant("leaves may be written", with_call("mul_scalar_", written_leaf), "errors.leaf-written"),
    Mutant("flags of non-leaves may be cleared", FlagClears, "errors.flag-of-non-leaf"),
    Mutant("weights in flight are not checked", UncheckedSaves, "pipeline.naive-update"),
    Mutant("clones share versions", ClonesShareVersions, "pipeline.stashing"),
)  # fmt: skip
