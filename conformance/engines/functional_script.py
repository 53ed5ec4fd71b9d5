"""Programs as plain code of an engine that differentiates functions: for each backward a function, and the engine's vjp of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conformance.catalog.code import render_code
from conformance.program import AnyStep, Apply, Backward, Detach, Grad, Leaf, ReadGrad
from conformance.script import Script, nested, variable


class FunctionalScript(Script):
    """Writes programs for a functional engine. Subclasses say how it makes arrays, and how it differentiates.

    `array` is an expression over {data} and {dtype}, `zeros` one over {shape} and {dtype}; `cut` over {0}. `differentiate` holds
    lines over {f}, the function that gives a list, {primals} and {cotangents}; they leave gradients in {found}.
    """

    array = "np.array({data}, '{dtype}')"
    zeros = "np.zeros({shape}, '{dtype}')"
    cut = "cut({0})"
    boolean = "bool"  # how the engine calls that dtype
    names: Mapping[str, str] = {}  # what the code of some ops uses -> the line that brings it in
    differentiate: tuple[str, ...] = ("{found} = vjp({f}, {primals}, {cotangents})",)

    def setups(self) -> Any:
        """Nothing: the code of the ops is the engine's own."""
        return iter(())

    def text(self, difference: Any = None) -> str:
        text = re.sub(r"  # must (not )?raise(?=\n(.*\n)*?.*  # must )", "", super().text(difference))
        used = [line for name, line in self.names.items() if re.search(rf"\b{name}\b", text)]
        head = len("\n".join(self.imports))
        return text[:head] + "".join("\n" + line for line in used) + text[head:]

    def tensor(self, values: Sequence[float], shape: Sequence[int], dtype: str, requires_grad: bool = False) -> str:
        spelled = self.boolean if dtype == "bool" else dtype
        if 0 in shape:
            return self.zeros.format(shape=tuple(shape), dtype=spelled)
        plain = dtype in ("int64", "bool")
        data = nested([int(v) for v in values] if plain else list(values), shape)
        return self.array.format(data=data, dtype=spelled)

    def apply(self, step: Apply) -> list[str]:
        code = render_code(self.codes[step.op], [variable(i) for i in step.inputs], step.params)
        return [f"{', '.join(map(variable, step.outs))}{',' if _is_one_of_several(step) else ''} = {code}"]

    def detach(self, step: Detach) -> list[str]:
        return [f"{variable(step.out)} = {self.cut.format(variable(step.source))}"]

    def retain_grad(self, step: Any) -> list[str]:
        return []

    def read_grad(self, step: ReadGrad) -> list[str]:
        return [f"{variable(step.out)} = {variable(step.source)}_grad"]

    def show(self, difference: Any) -> str:
        name = variable(difference.slot)
        return {"grad": f"{name}_grad", "shape": f"{name}.shape", "dtype": f"{name}.dtype"}.get(difference.facet, name)

    def backward(self, step: Backward) -> list[str]:
        steps = self.program.steps[: self.program.steps.index(step)]
        reached = {*step.roots, *(slot for earlier in _needed(steps, step.roots) for slot in earlier.reads())}
        leaves = [s.out for s in steps if isinstance(s, Leaf) and s.requires_grad and s.out in reached]
        inputs = list(step.inputs) if step.inputs is not None else leaves
        return self.derivative(step, inputs, [f"{variable(slot)}_grad" for slot in inputs])

    def grad(self, step: Grad) -> list[str]:
        return self.derivative(step, step.inputs, [variable(slot) for slot in step.outs])

    def derivative(self, step: Backward | Grad, inputs: Sequence[int], names: Sequence[str]) -> list[str]:
        """A function of the inputs, and its vjp."""
        place = self.program.steps.index(step)
        function = f"f{place}"
        primals = ", ".join(map(variable, inputs))
        shape = getattr(step, "shape", None)
        given = step.gradients or (None,) * len(step.roots)
        cotangents = [
            variable(g) if isinstance(g, int) else self.tensor((1.0,), self.shapes[r], self.dtypes[r]) if g is None
            else self.tensor(g, self.shapes[r] if shape is None else shape, self.dtypes[r])
            for g, r in zip(given, step.roots, strict=True)
        ]  # fmt: skip
        lines = [f"def {function}({primals}):"]
        for earlier in _needed(self.program.steps[:place], step.roots, inputs):
            lines += ["    " + line if line else "" for line in self.step(earlier)]
        lines.append(f"    return [{', '.join(map(variable, step.roots))}]")
        words = {
            "f": function, "primals": f"[{primals}]", "cotangents": f"[{', '.join(cotangents)}]", "found": ", ".join(names) + ",",
        }  # fmt: skip
        return ["", *lines, "", *(line.format(**words) for line in self.differentiate)]


def _needed(steps: Sequence[AnyStep], roots: Iterable[int], given: Iterable[int] = ()) -> list[AnyStep]:
    """The steps that make the roots, but for leaves, as far as the slots that are given."""
    known = set(given)
    found: list[AnyStep] = []
    wanted = set(roots) - known
    reading = False  # whether a gradient is read that a backward must have left
    for step in reversed(steps):
        if isinstance(step, Backward):
            if not (reading and step.create_graph):
                continue
            reading = False
        elif isinstance(step, Leaf) or not wanted.intersection(step.makes()):
            continue
        reading = reading or isinstance(step, ReadGrad)
        found.append(step)
        wanted |= set(step.reads()) - known
    return found[::-1]


def _is_one_of_several(step: Apply) -> bool:
    """Whether the op gives a sequence of one."""
    return len(step.outs) == 1 and step.op in ("split", "unbind", "chunk", "tensor_split", "split_with_sizes")
