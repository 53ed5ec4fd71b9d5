"""Programs written by hand: the exemplars of rules, and a user's own.

For example:

    s = Sketch()
    x = s.leaf([1.0, 2.0])
    y = s.op("exp", x)
    s.backward(y, [1.0, 1.0])
    program = s.program()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from conformance.catalog import CATALOG
from conformance.program import (
    AnyStep,
    Apply,
    AssignGrad,
    Backward,
    Detach,
    Drop,
    Enter,
    Exit,
    Export,
    Grad,
    Gradient,
    Hook,
    HookAction,
    HookKind,
    Leaf,
    Mode,
    Mutate,
    Program,
    ReadGrad,
    RetainGrad,
    SetGradMode,
    SetRequiresGrad,
    Unhook,
    ZeroGrad,
)
from conformance.scope import Scope
from conformance.tolerance import flatten

Nested = Any  # a number, or nested sequences of numbers


class Sketch:
    """Collects steps; each method that makes a tensor returns its slot."""

    def __init__(self, *, exact: bool = True, dtype: str = "float64") -> None:
        self.steps: list[AnyStep] = []
        self.scope = Scope()
        self.exact = exact
        self.dtype = dtype
        self.next = 0

    def program(self) -> Program:
        """The program so far."""
        return Program(tuple(self.steps), self.exact)

    def add(self, step: AnyStep) -> None:
        """Take a step.

        Raises:
            ShapeError: the step is not well typed here.
        """
        self.scope.apply(step)
        self.steps.append(step)

    def slot(self) -> int:
        """A new slot number."""
        self.next += 1
        return self.next - 1

    def leaf(self, values: Nested, *, requires_grad: bool = True, dtype: str | None = None) -> int:
        """A leaf from nested lists of numbers."""
        out = self.slot()
        self.add(Leaf(out, _shape(values), _numbers(values), dtype or self.dtype, requires_grad))  # type: ignore[arg-type]
        return out

    def constant(self, values: Nested, *, dtype: str | None = None) -> int:
        """A leaf that does not require grad."""
        return self.leaf(values, requires_grad=False, dtype=dtype)

    def op(self, name: str, *inputs: int, **params: Any) -> int:
        """A pure op or a view with one result."""
        return self.ops(name, *inputs, **params)[0]

    def ops(self, name: str, *inputs: int, **params: Any) -> tuple[int, ...]:
        """A pure op or a view with several results."""
        shapes = CATALOG[name].shape([self.scope.slots[i].shape for i in inputs], params)
        outs = tuple(self.slot() for _ in shapes)
        self.add(Apply(name, inputs, outs, _tuples(params)))
        return outs

    def write(self, name: str, target: int, *inputs: int, **params: Any) -> None:
        """An in-place op."""
        self.add(Mutate(name, target, inputs, _tuples(params)))

    def detach(self, source: int) -> int:
        """A detached alias."""
        out = self.slot()
        self.add(Detach(out, source))
        return out

    def requires_grad_(self, target: int, value: bool = True) -> None:
        """Set the flag."""
        self.add(SetRequiresGrad(target, value))

    def retain_grad(self, target: int) -> None:
        """Keep a non-leaf's gradient."""
        self.add(RetainGrad(target))

    @contextmanager
    def region(self, mode: Mode = "no_grad") -> Iterator[None]:
        """A region in a mode."""
        self.add(Enter(mode))
        yield
        self.add(Exit())

    def backward(
        self, roots: int | Sequence[int], gradient: Nested = None, *, retain_graph: bool | None = None,
        create_graph: bool = False, inputs: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        """backward() of one root with a gradient, or of several with a gradient each."""
        names, gradients, shape = self._seeds(roots, gradient)
        self.add(Backward(names, gradients, retain_graph, create_graph, None if inputs is None else tuple(inputs), shape))

    def backward_with(self, root: int, gradient: int, *, retain_graph: bool | None = None) -> None:
        """backward() of a root with a tensor of the program as its gradient, handed over itself."""
        self.add(Backward((root,), (gradient,), retain_graph, handed=True))

    def grad(
        self, roots: int | Sequence[int], inputs: Sequence[int], gradient: Nested = None, *, retain_graph: bool | None = None,
        create_graph: bool = False, allow_unused: bool = False,
    ) -> tuple[int, ...]:  # fmt: skip
        """grad() of one root with a gradient, or of several with a gradient each."""
        outs = tuple(self.slot() for _ in inputs)
        names, gradients, _ = self._seeds(roots, gradient)
        self.add(Grad(outs, names, tuple(inputs), gradients, retain_graph, create_graph, allow_unused))
        return outs

    def _seeds(
        self, roots: int | Sequence[int], gradient: Nested
    ) -> tuple[tuple[int, ...], tuple[Gradient, ...], tuple[int, ...] | None]:
        """Roots and gradients as a step holds them, and the gradient's shape where it is not the root's."""
        names = (roots,) if isinstance(roots, int) else tuple(roots)
        if gradient is None:
            return names, (), None
        if isinstance(roots, int):
            shape = _shape(gradient)
            return names, (_numbers(gradient),), shape if shape != self.scope.slots[roots].shape else None
        return names, tuple(None if g is None else _numbers(g) for g in gradient), None

    def read_grad(self, source: int) -> int:
        """`.grad` as a tensor."""
        out = self.slot()
        self.add(ReadGrad(out, source))
        return out

    def zero_grad(self, target: int, *, set_to_none: bool = True) -> None:
        """Forget or zero a gradient."""
        self.add(ZeroGrad(target, set_to_none))

    def assign_grad(self, target: int, source: int) -> None:
        """Assign a tensor to `.grad`."""
        self.add(AssignGrad(target, source))

    def set_grad_mode(self, value: bool) -> None:
        """set_grad_enabled() as a call."""
        self.add(SetGradMode(value))

    def export(self, target: int) -> None:
        """numpy()."""
        self.add(Export(target))

    def hook(self, target: int, kind: HookKind = "tensor", action: HookAction = "see") -> int:
        """Register a hook; returns its handle."""
        out = self.slot()
        self.add(Hook(out, target, kind, action))
        return out

    def unhook(self, handle: int) -> None:
        """Take a hook away."""
        self.add(Unhook(handle))

    def drop(self, target: int) -> None:
        """Delete a variable."""
        self.add(Drop(target))


def _tuples(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as a program holds them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in params.items()}


def _numbers(values: Nested) -> tuple[float, ...]:
    """The numbers in row-major order, as floats: a program's JSON tells 1 from 1.0."""
    return tuple(map(float, flatten(values)))


def _shape(values: Nested) -> tuple[int, ...]:
    """The shape of nested lists."""
    if isinstance(values, (list, tuple)):
        return (len(values), *(_shape(values[0]) if values else ()))
    return ()
