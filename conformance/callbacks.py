"""What an engine calls back while a program runs: hooks on gradients and on saved tensors. Each call is noted where it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from math import prod
from typing import Any, NamedTuple

from conformance.engine import Engine, Unsupported
from conformance.observe import Sight
from conformance.program import Hook

NOWHERE = -1  # the slot of what was seen of no slot in particular


class Call(NamedTuple):
    """A hook was called in this step, while operations were recorded or not, with these gradients; undefined ones left out."""

    place: int
    hook: Hook
    recording: bool | None
    gradients: list[Any]


class Callbacks:
    """The callbacks of one run, and what they saw.

    `place` tells the step under way. A call of a hook is seen with its gradients and, where the engine tells,
    whether operations were recorded meanwhile (`modes`); a saved tensor with its values.
    """

    def __init__(self, engine: Engine, ops: Mapping[str, Callable[..., Any]], place: Callable[[], int], *, modes: bool) -> None:
        self.engine = engine
        self.ops = ops
        self.place = place
        self.sees_mode = modes
        self.handles: dict[int, Any] = {}
        self.leaves: set[int] = set()
        self.calls: list[Call] = []
        self.packed: list[tuple[int, Any]] = []

    def register(self, step: Hook, tensor: Any) -> None:
        """Hang a hook on a tensor."""
        act = getattr(self, f"_{step.action}")

        def on_tensor(gradient: Any) -> Any:
            self._note(step, [gradient])
            return None if gradient is None else act(step, gradient)

        def on_leaf(leaf: Any) -> None:
            self._note(step, [self.engine.gradient(leaf)])
            act(step, leaf)

        def on_node(gradients: Sequence[Any]) -> Any:
            self._note(step, gradients)
            if step.action not in ("double", "misshape"):
                return act(step, gradients)
            return tuple([None if g is None else act(step, g) for g in gradients])

        if self.engine.has("is_leaf") and self.engine.is_leaf(tensor):
            self.leaves.add(step.target)
        function = {"tensor": on_tensor, "accumulated": on_leaf}.get(step.kind, on_node)
        self.handles[step.out] = self.engine.hook(tensor, step.kind, function)

    def remove(self, handle: int) -> None:
        """Take a hook away."""
        self.engine.unhook(self.handles[handle])

    def _note(self, step: Hook, gradients: Sequence[Any]) -> None:
        """One call of a hook."""
        seen = [self.engine.value(g) for g in gradients if g is not None]
        self.calls.append(Call(self.place(), step, self.engine.recording() if self.sees_mode else None, seen))

    # -- what hooks do ---------------------------------------------------------------------------------------------------

    def _see(self, step: Hook, gradient: Any) -> None:
        """Nothing more."""

    def op(self, name: str) -> Callable[..., Any]:
        """An op that a callback uses."""
        if name not in self.ops:
            raise Unsupported(f"{self.engine.name} has no {name}")
        return self.ops[name]

    def _double(self, step: Hook, gradient: Any) -> Any:
        return self.op("mul_scalar")(gradient, value=2.0)

    def _misshape(self, step: Hook, gradient: Any) -> Any:
        shape = (*self.engine.shape(gradient), 2)
        return self.engine.leaf((1.0,) * 2 * prod(shape[:-1]), shape, self.engine.dtype(gradient), False)

    def _remove(self, step: Hook, gradient: Any) -> None:
        self.remove(step.out)

    def _forget(self, step: Hook, leaf: Any) -> None:
        self.engine.zero_grad(leaf, True)

    # -- saved tensors -------------------------------------------------------------------------------------------------

    def packing(self, mode: str) -> AbstractContextManager[Any]:
        """A region in which the tensors that nodes save are seen, and unpacked as the mode says."""

        def pack(tensor: Any) -> Any:
            self.packed.append((self.place(), self.engine.value(tensor)))
            if mode == "pack_write" and self.engine.dtype(tensor).startswith("float"):
                with self.engine.grad_mode(False):
                    self.op("mul_scalar_")(tensor, value=2.0)
            return self.engine.copy(tensor) if mode == "pack_copy" else tensor

        def unpack(tensor: Any) -> Any:
            if mode == "pack_double" and self.engine.dtype(tensor).startswith("float"):
                return self.op("mul_scalar")(tensor, value=2.0)
            return tensor

        return self.engine.saved_tensors_hooks(pack, unpack)

    # -- what was seen -------------------------------------------------------------------------------------------------

    def sights(self, end: int) -> list[Sight]:
        """What came in each step; in one that was refused it is unspecified.

        order: which hooks of a tensor were called, in which mode. sequence: which hooks of results were called; in which order
        leaves are served, torch leaves open. called: the gradients that a hook saw, call by call. packed: what was saved.
        """
        order: dict[tuple[int, int], list[Any]] = {}
        sequence: dict[int, list[int]] = {}
        called: dict[tuple[int, int], list[Any]] = {}
        packed: dict[int, list[Any]] = {}
        for call in self.calls:
            handle, target = call.hook.out, call.hook.target
            order.setdefault((call.place, target), []).append((handle, call.recording))
            called.setdefault((call.place, handle), []).append(call.gradients)
            if target not in self.leaves:
                sequence.setdefault(call.place, []).append(handle)
        for place, value in self.packed:
            packed.setdefault(place, []).append(value)
        result: list[Sight] = [(place, target, "order", seen) for (place, target), seen in order.items()]
        result += [(place, NOWHERE, "sequence", seen) for place, seen in sequence.items()]
        result += [(place, handle, "called", seen) for (place, handle), seen in called.items()]
        result += [(place, NOWHERE, "packed", sorted(seen, key=_coarse)) for place, seen in packed.items()]
        return [sight for sight in result if sight[0] < end]


def _coarse(value: Any) -> str:
    """An order for saved tensors, which a node saves in none: by value as far as rounding leaves it."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_coarse, value)) + "]"
    return f"{value:.6g}"
