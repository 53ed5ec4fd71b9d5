"""Backward hooks of modules: an identity function is put behind the inputs and behind the outputs, and its node is hooked."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..function import Function
from ..modes import state
from ..tensor import Tensor


class BackwardHookFunction(Function):
    """The identity, as a node of its own."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        ctx.mark_non_differentiable(*[a for a in args if not a.requires_grad])
        return args

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        return cotangents


def hook_last_node(module: Any, hooks: Sequence[Callable], out: Any) -> None:
    """The older kind of backward hooks: they see the last op of forward only."""
    first = next((t for t in (out if isinstance(out, (tuple, list)) else (out,)) if isinstance(t, Tensor)), None)
    node = None if first is None else first.grad_fn
    for hook in hooks if node is not None else ():
        node.register_hook(functools.partial(hook, module))


class BackwardHook:
    """The hooks of one call of a module."""

    def __init__(self, module: Any, hooks: Sequence[Callable], pre_hooks: Sequence[Callable]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.cotangents: Any = None
        self.inputs = self.outputs = -1
        self.input_places: Any = None
        self.output_places: list[int] = []

    def _through(self, install: Callable, args: tuple) -> tuple[tuple, Any]:
        """The arguments with those tensors led through the identity, and where tensors are."""
        places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        if not (state.grad and any(args[i].requires_grad for i in places)):
            return args, None
        passed = BackwardHookFunction.apply(*(args[i] for i in places))
        passed = passed if isinstance(passed, tuple) else (passed,)
        nodes = [t.grad_fn for t in passed if t.grad_fn is not None]
        if nodes:
            install(nodes[0])
        out = list(args)
        for i, t in zip(places, passed):
            out[i] = t
        return tuple(out), places

    @staticmethod
    def _spread(places: Any, values: Sequence, n: int) -> tuple:
        out: list[Any] = [None] * n
        for i, v in zip(places, values):
            out[i] = v
        return tuple(out)

    def setup_input_hook(self, args: tuple) -> tuple:
        """Hook the gradients of the inputs: this is when the user's hooks run."""

        def hook(found: tuple, _: tuple) -> Any:
            if self.cotangents is None:
                return None
            grads: Any = self._spread(self.input_places, found, self.inputs)
            for user in self.hooks:
                result = user(self.module, grads, self.cotangents)
                if result is None:
                    continue
                result = result if isinstance(result, tuple) else (result,)
                if len(result) != len(grads):
                    raise RuntimeError(
                        f"Backward hook returned an invalid number of grad_input, got {len(result)}, but expected {len(grads)}"
                    )
                grads = result
            self.cotangents = None
            return tuple(grads[i] for i in self.input_places)

        self.inputs = len(args)
        out, self.input_places = self._through(lambda node: node.register_hook(hook), args)
        return out

    def setup_output_hook(self, out: Any) -> Any:
        """Hook the gradients of the outputs: they are kept for the hooks, after the pre-hooks have seen them."""
        if not isinstance(out, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(out)}",
                stacklevel=4,
            )
            return out
        single = not isinstance(out, tuple)
        args = (out,) if single else out

        def hook(_: tuple, found: tuple) -> Any:
            cotangents: Any = self._spread(self.output_places, found, self.outputs)
            for user in self.pre_hooks:
                result = user(self.module, cotangents)
                if result is None:
                    continue
                cotangents = result if isinstance(result, tuple) else (result,)
            self.cotangents = cotangents
            if self.input_places is None:
                # No input requires a gradient: there will be no other moment.
                for user in self.hooks:
                    result = user(self.module, (None,) * self.inputs, cotangents)
                    if result is not None and not (isinstance(result, tuple) and all(r is None for r in result)):
                        raise RuntimeError(
                            "Backward hook for Modules where no input requires gradient should always return None or None "
                            "for all gradients."
                        )
                self.cotangents = None
            return tuple(cotangents[i] for i in self.output_places)

        self.outputs = len(args)
        passed, places = self._through(lambda node: node.register_hook(hook), args)
        self.output_places = places or []
        return passed[0] if single else passed
