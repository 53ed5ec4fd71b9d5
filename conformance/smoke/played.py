"""An engine in a process of its own for the checks: every step is added to a program, which is played from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from conformance.catalog import CATALOG
from conformance.engine import Engine, Unsupported
from conformance.observe import facets_of
from conformance.program import (
    AnyStep,
    Apply,
    Backward,
    Detach,
    Enter,
    Exit,
    Export,
    Grad,
    Hook,
    Leaf,
    Mutate,
    Program,
    RetainGrad,
    SetRequiresGrad,
    ZeroGrad,
)
from conformance.remote.engine import RemoteEngine
from conformance.remote.executor import RemoteExecutor
from conformance.smoke.bench import Wrong


class Handle(NamedTuple):
    """A tensor of the child: its slot, and of a leaf the values."""

    slot: int
    values: tuple[float, ...] = ()


class Shown(NamedTuple):
    """A gradient, of which the child tells the numbers alone."""

    content: Any


class Played(Engine):
    """What a child can do, step by step. A step that it refuses or dies of raises Wrong; what it lacks, Unsupported."""

    def __init__(self, engine: RemoteEngine) -> None:
        self.engine = engine
        self.executor = RemoteExecutor(engine, facets_of(engine))
        names = ("name", "ops", "dtypes", "ranks", "traits")
        vars(self).update({name: getattr(engine, name) for name in names})
        self.begin()

    def begin(self) -> None:
        self.steps: list[AnyStep] = []
        self.slots = self.depth = 0
        self.sights: dict[tuple[int, str], list[Any]] = {}
        self.hooks: dict[int, Callable[[Any], Any]] = {}

    def version(self) -> str:
        return self.engine.version()

    def has(self, method: str) -> bool:
        return self.engine.has(method)

    # -- playing ---------------------------------------------------------------------------------------------------------

    def new(self, values: tuple[float, ...] = ()) -> Handle:
        """A slot to fill."""
        self.slots += 1
        return Handle(self.slots - 1, values)

    def play(self, step: AnyStep) -> None:
        """Add a step and play the program; a step that does not come off is taken away."""
        seen = self.executor.run(Program((*self.steps, step, *[Exit()] * self.depth)), "thorough")
        if seen.unsupported is not None:
            raise Unsupported(seen.unsupported)
        if seen.death is not None:
            raise Wrong(f"{seen.death.what}: {seen.death.message}")
        if seen.refusal is not None:
            raise Wrong(seen.refusal.message)
        self.steps.append(step)
        heard = {handle: self.calls_of(handle) for handle in self.hooks}
        self.sights = {}
        for _, slot, facet, content in seen.sights:
            self.sights.setdefault((slot, facet), []).append(content)
        for handle, function in self.hooks.items():
            for gradients in self.calls_of(handle)[len(heard[handle]) :]:
                function(*map(Shown, gradients))

    def calls_of(self, handle: int) -> list[Any]:
        """The gradients of each call of a hook."""
        return [call for calls in self.sights.get((handle, "called"), ()) for call in calls]

    def look(self, tensor: Handle, facet: str) -> Any:
        """The last that was seen of a facet."""
        if facet not in self.executor.facets:
            raise Unsupported(f"{self.name} does not show {facet}")
        if not self.sights.get((tensor.slot, facet)):
            raise Wrong(f"{facet} of slot {tensor.slot} was not told")
        return self.sights[tensor.slot, facet][-1]

    # -- steps -----------------------------------------------------------------------------------------------------------

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {op: partial(self.call, op) for op in self.ops if op in CATALOG}

    def call(self, op: str, *operands: Handle, **params: Any) -> Handle:
        """An op of one result, or one in place."""
        slots = tuple(operand.slot for operand in operands)
        if CATALOG[op].inplace:
            self.play(Mutate(op, slots[0], slots[1:], params))
            return operands[0]
        out = self.new()
        self.play(Apply(op, slots, (out.slot,), params))
        return out

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Handle:
        out = self.new(tuple(map(float, values)))
        self.play(Leaf(out.slot, tuple(shape), out.values, dtype, requires_grad))  # type: ignore[arg-type]
        return out

    def detach(self, tensor: Handle) -> Handle:
        out = self.new()
        self.play(Detach(out.slot, tensor.slot))
        return out

    def set_requires_grad(self, tensor: Handle, value: bool) -> None:
        self.play(SetRequiresGrad(tensor.slot, value))

    @contextmanager
    def grad_mode(self, enabled: bool) -> Iterator[None]:
        self.depth += 1
        self.play(Enter("enable_grad" if enabled else "no_grad"))
        yield
        self.depth -= 1
        self.play(Exit())

    def retain_grad(self, tensor: Handle) -> None:
        self.play(RetainGrad(tensor.slot))

    def backward(
        self, roots: Sequence[Handle], gradients: Sequence[Handle] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Handle] | None,
    ) -> None:  # fmt: skip
        only = None if inputs is None else _slots(inputs)
        self.play(Backward(_slots(roots), _literal(gradients), retain_graph, create_graph, only))

    def grad(
        self, roots: Sequence[Handle], inputs: Sequence[Handle], gradients: Sequence[Handle] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> list[Handle]:  # fmt: skip
        outs = [self.new() for _ in inputs]
        given = _slots(roots), _slots(inputs), _literal(gradients)
        self.play(Grad(_slots(outs), *given, retain_graph, create_graph, allow_unused))
        return outs

    def zero_grad(self, tensor: Handle, set_to_none: bool) -> None:
        self.play(ZeroGrad(tensor.slot, set_to_none))

    def hook(self, tensor: Handle, kind: str, function: Callable[..., Any]) -> int:
        out = self.new().slot
        self.play(Hook(out, tensor.slot, kind))  # type: ignore[arg-type]
        self.hooks[out] = function
        return out

    # -- observables -----------------------------------------------------------------------------------------------------

    def value(self, tensor: Handle | Shown) -> Any:
        return tensor.content if isinstance(tensor, Shown) else self.look(tensor, "value")

    def shape(self, tensor: Handle) -> tuple[int, ...]:
        return tuple(self.look(tensor, "shape"))

    def dtype(self, tensor: Handle) -> str:
        return self.dtypes[0] if len(self.dtypes) == 1 else str(self.look(tensor, "dtype"))

    def gradient(self, tensor: Handle) -> Shown | None:
        told = self.sights.get((tensor.slot, "grad"), [None])[-1]  # of a tensor that can have none, nothing is told
        return None if told is None else Shown(told)

    def requires_grad(self, tensor: Handle) -> bool:
        return bool(self.look(tensor, "requires_grad"))

    def is_leaf(self, tensor: Handle) -> bool:
        return bool(self.look(tensor, "is_leaf"))

    def has_grad_fn(self, tensor: Handle) -> bool:
        return bool(self.look(tensor, "grad_fn"))

    def version_of(self, tensor: Handle) -> int:
        """How often it was seen to have changed."""
        self.look(tensor, "version")
        return sum(self.sights[tensor.slot, "version"])

    def base(self, tensor: Handle) -> Any:
        return self.look(tensor, "base")

    def address(self, tensor: Handle) -> int:
        return int(self.look(tensor, "memory"))

    def export(self, tensor: Handle) -> Any:
        self.play(Export(tensor.slot))
        return self.sights[tensor.slot, "exported"][-1]


def _slots(tensors: Sequence[Handle]) -> tuple[int, ...]:
    return tuple(tensor.slot for tensor in tensors)


def _literal(gradients: Sequence[Handle] | None) -> tuple[tuple[float, ...], ...]:
    """Gradients by their values: the child makes fresh tensors of them."""
    return tuple(gradient.values for gradient in gradients or ())
