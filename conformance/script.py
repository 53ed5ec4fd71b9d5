"""A program as plain code that a person can paste into an issue: torch's, or an engine's, importing nothing of ours.

`Script` writes torch. An adapter whose engine spells things otherwise subclasses it and names the subclass in `Engine.script`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.catalog import CATALOG
from conformance.catalog.code import render_code
from conformance.compare import Difference
from conformance.program import (
    AnyStep,
    Apply,
    Backward,
    Detach,
    Drop,
    Enter,
    Exit,
    Grad,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    RetainGrad,
    SetRequiresGrad,
    ZeroGrad,
)
from conformance.scope import Scope

LETTERS = "abcdefghijkmnpqrstuvwxyz"


def variable(slot: int) -> str:
    """The variable of a slot: a, b, c ... then a1, b1 ..."""
    letter, round_ = LETTERS[slot % len(LETTERS)], slot // len(LETTERS)
    return f"{letter}{round_ or ''}"


def nested(values: Sequence[float], shape: Sequence[int]) -> Any:
    """Row-major values as nested lists of that shape."""
    if not shape:
        return values[0]
    inner = len(values) // shape[0] if shape[0] else 0
    return [nested(values[i * inner : (i + 1) * inner], shape[1:]) for i in range(shape[0])]


class Script:
    """Writes programs as code. Every method gives the lines of one kind of step."""

    imports: tuple[str, ...] = ("import torch",)
    codes: Mapping[str, str] = {name: op.torch for name, op in CATALOG.items()}

    def __init__(self, program: Program) -> None:
        self.program = program
        slots = Scope.of(program).slots
        self.shapes = {name: slot.shape for name, slot in slots.items()}
        self.dtypes = {name: slot.dtype for name, slot in slots.items()}

    def text(self, difference: Difference | None = None) -> str:
        """The whole script; with a difference, what is right and what comes, in its last lines."""
        lines = [*self.imports, ""]
        depth = 0
        for place, step in enumerate(self.program.steps):
            if isinstance(step, Exit):
                if isinstance(self.program.steps[place - 1], Enter):
                    lines.append("    " * depth + "pass")
                depth -= 1
                continue
            note = ""
            if difference is not None and difference.facet == "error" and difference.step == place:
                note = "  # must raise" if difference.kind == "missed error" else "  # must not raise"
            for line in self.step(step):
                lines.append("    " * depth + line + note)
            depth += isinstance(step, Enter)
        if difference is not None and difference.facet != "error":
            lines += self.check(difference)
        return "\n".join(lines) + "\n"

    def step(self, step: AnyStep) -> list[str]:
        """The lines of one step."""
        return _WRITERS[type(step)](self, step)  # type: ignore[no-any-return]

    def check(self, difference: Difference) -> list[str]:
        """Print what differs, with the right answer beside it."""
        return [f"print({self.show(difference)})  # right: {_short(difference.expected)}; wrong: {_short(difference.observed)}"]

    def show(self, difference: Difference) -> str:
        """The expression that shows the facet."""
        name = variable(difference.slot)
        shown = {
            "value": f"{name}.tolist()", "grad": f"{name}.grad", "requires_grad": f"{name}.requires_grad",
            "is_leaf": f"{name}.is_leaf", "grad_fn": f"{name}.grad_fn", "version": f"{name}._version",
            "shape": f"{name}.shape", "dtype": f"{name}.dtype",
        }  # fmt: skip
        return shown.get(difference.facet, name)

    # -- steps -----------------------------------------------------------------------------------------------------------

    def tensor(self, values: Sequence[float], shape: Sequence[int], dtype: str, requires_grad: bool = False) -> str:
        """An expression that makes a tensor."""
        plain = dtype in ("int64", "bool")
        data = nested([int(v) for v in values] if plain else values, shape)
        options = f", dtype=torch.{dtype}" + (", requires_grad=True" if requires_grad else "")
        if 0 in shape and len(shape) > 1:
            return f"torch.zeros({tuple(shape)}{options})"
        return f"torch.tensor({data}{options})"

    def leaf(self, step: Leaf) -> list[str]:
        return [f"{variable(step.out)} = {self.tensor(step.values, step.shape, step.dtype, step.requires_grad)}"]

    def apply(self, step: Apply) -> list[str]:
        code = render_code(self.codes[step.op], [variable(i) for i in step.inputs], step.params)
        outs = ", ".join(variable(o) for o in step.outs) + ("," if len(step.outs) == 1 and _is_multiple(step.op) else "")
        return [f"{outs} = {code}"]

    def mutate(self, step: Mutate) -> list[str]:
        return [render_code(self.codes[step.op], [variable(i) for i in (step.target, *step.inputs)], step.params)]

    def detach(self, step: Detach) -> list[str]:
        return [f"{variable(step.out)} = {variable(step.source)}.detach()"]

    def set_requires_grad(self, step: SetRequiresGrad) -> list[str]:
        return [f"{variable(step.target)}.requires_grad_({'' if step.value else 'False'})"]

    def enter(self, step: Enter) -> list[str]:
        return [f"with torch.{step.mode}():"]

    def retain_grad(self, step: RetainGrad) -> list[str]:
        return [f"{variable(step.target)}.retain_grad()"]

    def gradient(self, gradient: Any, root: int, shape: Sequence[int] | None) -> str:
        """An expression for a gradient argument."""
        if gradient is None:
            return "None"
        if isinstance(gradient, int):
            return f"{variable(gradient)}.clone()"
        known = shape if shape is not None else self.shapes[root]
        return self.tensor(gradient, known, self.dtypes[root])

    def backward(self, step: Backward) -> list[str]:
        options = _options(step)
        if step.inputs is not None:
            options.append(f"inputs=[{', '.join(map(variable, step.inputs))}]")
        gradients = [self.gradient(g, r, step.shape) for g, r in zip(step.gradients, step.roots, strict=False)]
        if len(step.roots) == 1:
            return [f"{variable(step.roots[0])}.backward({', '.join([*gradients, *options])})"]
        arguments = [f"[{', '.join(map(variable, step.roots))}]", *([f"[{', '.join(gradients)}]"] if gradients else []), *options]
        return [f"torch.autograd.backward({', '.join(arguments)})"]

    def grad(self, step: Grad) -> list[str]:
        options = _options(step) + (["allow_unused=True"] if step.allow_unused else [])
        gradients = [self.gradient(g, r, None) for g, r in zip(step.gradients, step.roots, strict=False)]
        arguments = [f"[{', '.join(map(variable, step.roots))}]", f"[{', '.join(map(variable, step.inputs))}]"]
        arguments += [f"[{', '.join(gradients)}]"] if gradients else []
        return [f"{', '.join(map(variable, step.outs))}, = torch.autograd.grad({', '.join(arguments + options)})"]

    def read_grad(self, step: ReadGrad) -> list[str]:
        return [f"{variable(step.out)} = {variable(step.source)}.grad"]

    def zero_grad(self, step: ZeroGrad) -> list[str]:
        name = variable(step.target)
        return [f"{name}.grad = None"] if step.set_to_none else [f"{name}.grad.zero_()"]

    def drop(self, step: Drop) -> list[str]:
        return [f"del {variable(step.target)}"]


def _options(step: Backward | Grad) -> list[str]:
    """retain_graph and create_graph where they are not the defaults."""
    options = [] if step.retain_graph is None else [f"retain_graph={step.retain_graph}"]
    return options + (["create_graph=True"] if step.create_graph else [])


def _is_multiple(op: str) -> bool:
    """Whether the op's code gives a sequence even for one result."""
    return op in ("split", "unbind")


def _short(content: Any) -> str:
    """Contents on one line, cut where they are long."""
    text = " ".join(str(content).split())
    return text if len(text) <= 120 else text[:117] + "..."


_WRITERS: dict[type, Any] = {
    Leaf: lambda s, step: s.leaf(step),
    Apply: lambda s, step: s.apply(step),
    Mutate: lambda s, step: s.mutate(step),
    Detach: lambda s, step: s.detach(step),
    SetRequiresGrad: lambda s, step: s.set_requires_grad(step),
    Enter: lambda s, step: s.enter(step),
    RetainGrad: lambda s, step: s.retain_grad(step),
    Backward: lambda s, step: s.backward(step),
    Grad: lambda s, step: s.grad(step),
    ReadGrad: lambda s, step: s.read_grad(step),
    ZeroGrad: lambda s, step: s.zero_grad(step),
    Drop: lambda s, step: s.drop(step),
}
