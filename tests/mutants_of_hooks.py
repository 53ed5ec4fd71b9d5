"""Planted defects of torch in hooks on gradients and on saved tensors; `mutants_of_torch.py` says what a row is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mutants_of_torch import Mutant

from conformance.engines.torch_engine import TorchEngine


def with_hook(kind: str, register: Callable[[Any, Any], Any]) -> Callable[[], TorchEngine]:
    """Torch with another registration for one kind of hook."""

    class Changed(TorchEngine):
        def hook(self, tensor: Any, kind_: str, function: Callable[..., Any]) -> Any:
            return register(tensor, function) if kind_ == kind else super().hook(tensor, kind_, function)

    return Changed


def with_packs(change: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[[], TorchEngine]:
    """Torch with other functions in the place of the hooks on saved tensors that it is given."""

    class Changed(TorchEngine):
        def saved_tensors_hooks(self, pack: Any, unpack: Any) -> Any:
            return super().saved_tensors_hooks(*change(pack, unpack))

    return Changed


class UnhookIgnored(TorchEngine):
    def unhook(self, handle: Any) -> None:
        """Nothing."""


class Handle:
    """Takes a function from a list."""

    def __init__(self, chain: list[Any], function: Any) -> None:
        self.chain, self.function = chain, function

    def remove(self) -> None:
        self.chain.remove(self.function)


class Chained(TorchEngine):
    """Hooks of a tensor in a list that is walked while they run: one that removes itself hides the next."""

    def begin(self) -> None:
        super().begin()
        self.chains: dict[int, tuple[Any, list[Any]]] = {}

    def hook(self, tensor: Any, kind: str, function: Any) -> Any:
        if kind != "tensor" or not tensor.requires_grad:
            return super().hook(tensor, kind, function)
        if id(tensor) not in self.chains:
            chain: list[Any] = []
            self.chains[id(tensor)] = tensor, chain
            super().hook(tensor, kind, lambda gradient: self.walk(chain, gradient))
        chain = self.chains[id(tensor)][1]
        chain.append(function)
        return Handle(chain, function)

    def walk(self, chain: list[Any], gradient: Any) -> Any:
        for function in chain:
            given = function(gradient)
            gradient = gradient if given is None else given
        return gradient


class NewestFirst(Chained):
    def walk(self, chain: list[Any], gradient: Any) -> Any:
        return super().walk(chain[::-1], gradient)


class HooksRecorded(TorchEngine):
    def hook(self, tensor: Any, kind: str, function: Any) -> Any:
        return super().hook(tensor, kind, torch.enable_grad()(function))


class HooksPass(TorchEngine):
    """Hooks on what has no such gradient are taken and never called."""

    def hook(self, tensor: Any, kind: str, function: Any) -> Any:
        try:
            return super().hook(tensor, kind, function)
        except (RuntimeError, AttributeError):
            return Handle([function], function)


def shown_double(tensor: Any, function: Any) -> Any:
    """register_hook of a hook that sees twice the gradient."""

    def run(gradient: Any) -> Any:
        given = function(gradient * 2.0)
        return None if given is None else given * 0.5

    return tensor.register_hook(run)


def unanswered(tensor: Any, function: Any) -> Any:
    """register_hook of a hook whose answer is dropped."""
    return tensor.register_hook(lambda gradient: _forget(function(gradient)))


def _forget(answer: Any) -> None:
    """Nothing."""


def any_shape(tensor: Any, function: Any) -> Any:
    """register_hook that passes over gradients of another shape."""

    def run(gradient: Any) -> Any:
        given = function(gradient)
        return None if given is None or given.shape != gradient.shape else given

    return tensor.register_hook(run)


def too_early(leaf: Any, function: Any) -> Any:
    """A hook after accumulation that is called before it."""
    if not leaf.is_leaf:
        return leaf.register_post_accumulate_grad_hook(function)
    return leaf.register_hook(lambda gradient: _forget(function(leaf)))


def too_late(tensor: Any, function: Any) -> Any:
    """A hook before a node that is called after it."""
    return tensor.grad_fn.register_hook(lambda into, out: _forget(function(into)))


class PacksNested(TorchEngine):
    """Nested hooks on saved tensors all apply."""

    def begin(self) -> None:
        super().begin()
        self.pairs: list[tuple[Any, Any]] = []

    @contextlib.contextmanager
    def saved_tensors_hooks(self, pack: Any, unpack: Any) -> Iterator[None]:
        outer = self.pairs[-1][1] if self.pairs else lambda tensor: tensor
        self.pairs.append((pack, lambda tensor: outer(unpack(tensor))))
        try:
            with super().saved_tensors_hooks(*self.pairs[-1]):
                yield
        finally:
            self.pairs.pop()


def negated(pack: Any, unpack: Any) -> tuple[Any, Any]:
    """Unpacking changes the sign."""
    return pack, lambda packed: -unpack(packed) if unpack(packed).is_floating_point() else unpack(packed)


HOOKS = (
    Mutant("hooks see twice the gradient", with_hook("tensor", shown_double), "hooks.sees"),
    Mutant("what hooks give back is dropped", with_hook("tensor", unanswered), "hooks.replaces"),
    Mutant("unhook is ignored", UnhookIgnored, "hooks.removed"),
    Mutant("the newest hook comes first", NewestFirst, "hooks.order"),
    Mutant("removal skips the next hook", Chained, "hooks.removes-itself"),
    Mutant("hooks after accumulation come before", with_hook("accumulated", too_early), "hooks.after-accumulation"),
    Mutant("hooks before a node come after", with_hook("node_before", too_late), "hooks.node"),
    Mutant("hooks are recorded", HooksRecorded, "hooks.mode"),
    Mutant("hooks on constants pass", HooksPass, "hooks.refused"),
    Mutant("hooks of any shape pass", with_hook("tensor", any_shape), "hooks.result-shape"),
    Mutant("unpacking is ignored", with_packs(lambda pack, unpack: (pack, lambda t: t)), "saved_hooks.unpacked"),
    Mutant("all nested packs apply", PacksNested, "saved_hooks.innermost"),
    Mutant("packed copies are dropped", with_packs(lambda pack, unpack: (lambda t: pack(t) is None or t, unpack)),
           "saved_hooks.copies"),
    Mutant("unpacking negates", with_packs(negated), "saved_hooks.same"),
    Mutant("packs may write", with_packs(lambda pack, unpack: (lambda t: pack(t.detach().clone()), unpack)),
           "saved_hooks.pack-writes"),
)  # fmt: skip
