"""Programs as plain code of a module that was probed, in the spellings that were found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.catalog.code import render_code
from conformance.engines.probing import Probe
from conformance.program import (
    AssignGrad,
    Backward,
    Detach,
    Enter,
    Export,
    Grad,
    Leaf,
    RetainGrad,
    SetGradMode,
    SetRequiresGrad,
    ZeroGrad,
)
from conformance.script import Script, nested, variable

REGIONS = {"no_grad": "no_grad", "enable_grad": "enable_grad", "inference_mode": "inference_mode"}
FACETS = {
    "value": "value", "grad": "gradient", "requires_grad": "requires_grad", "is_leaf": "is_leaf", "grad_fn": "has_grad_fn",
    "version": "version_of", "shape": "shape", "dtype": "dtype", "base": "base", "exported": "export",
}  # fmt: skip


class ProbedScript(Script):
    """Writes what `spelled` says."""

    module: str = "torch"
    maker: str = ""
    has_flag: bool = True
    spelled: Mapping[str, str] = {}

    def text(self, difference: Any = None) -> str:
        alias = self.module.rpartition(".")[2]
        text = re.sub(r"\btorch\b", alias, super().text(difference)) if alias != "torch" else super().text(difference)
        head = f"import {self.module} as {alias}" if "." in self.module else f"import {self.module}"
        numpy = "\nimport numpy as np" if "np." in text else ""
        return f"{head}{numpy}\n{text.removeprefix(chr(10))}"

    def code(self, capability: str, *operands: str, **params: Any) -> str:
        """The code of a capability with these operands."""
        return render_code(self.spelled[capability], list(operands), params)

    def show(self, difference: Any) -> str:
        capability = FACETS.get(difference.facet, "")
        name = variable(difference.slot)
        return self.code(capability, name) if capability in self.spelled else name

    def tensor(self, values: Sequence[float], shape: Sequence[int], dtype: str, requires_grad: bool = False) -> str:
        kind = {"int64": int, "bool": bool}.get(dtype, float)
        options = {"requires_grad": requires_grad} if self.has_flag else {}
        code = self.maker.format(dtype=dtype)
        if 0 in shape:
            code = re.sub(r"\bdata\b(?!=)", f"np.zeros({tuple(shape)})", code)
            return render_code(code, [], options)
        return render_code(code, [], {"data": nested(list(map(kind, values)), shape)} | options)

    def leaf(self, step: Leaf) -> list[str]:
        lines = super().leaf(step)
        if step.requires_grad and not self.has_flag and "set_requires_grad" in self.spelled:
            lines.append(self.code("set_requires_grad", variable(step.out), value=True))
        return lines

    def detach(self, step: Detach) -> list[str]:
        return [f"{variable(step.out)} = {self.code('detach', variable(step.source))}"]

    def set_requires_grad(self, step: SetRequiresGrad) -> list[str]:
        return [self.code("set_requires_grad", variable(step.target), value=step.value)]

    def enter(self, step: Enter) -> list[str]:
        return [f"with {self.spelled[REGIONS[step.mode]]}:"] if REGIONS.get(step.mode) in self.spelled else super().enter(step)

    def retain_grad(self, step: RetainGrad) -> list[str]:
        return [self.code("retain_grad", variable(step.target))]

    def gradient(self, gradient: Any, root: int, shape: Sequence[int] | None) -> str:
        if isinstance(gradient, int):
            return self.code("copy", variable(gradient))
        return super().gradient(gradient, root, shape)

    def options(self, step: Backward | Grad, inputs: Sequence[int] | None) -> dict[str, Any]:
        """What a call of backward or grad() is given by name."""
        named = None if inputs is None else _list(map(variable, inputs))
        keep = step.create_graph if step.retain_graph is None else step.retain_graph
        return {"retain_graph": keep, "create_graph": step.create_graph, "inputs": named}

    def backward(self, step: Backward) -> list[str]:
        options = self.options(step, step.inputs)
        roots = list(map(variable, step.roots))
        gradients = [
            variable(g) if step.handed and isinstance(g, int) else self.gradient(g, r, step.shape)
            for g, r in zip(step.gradients, step.roots, strict=False)
        ]
        if len(roots) > 1:
            return [self.call("backward of roots", [], options | {"roots": _list(roots), "gradients": _list(gradients) or None})]
        return [self.call("backward with" if gradients else "backward", [*roots, *gradients], options)]

    def grad(self, step: Grad) -> list[str]:
        gradients = [self.gradient(g, r, None) for g, r in zip(step.gradients, step.roots, strict=False)]
        options = self.options(step, step.inputs) | {
            "roots": _list(map(variable, step.roots)),
            "gradients": _list(gradients) or None,
        }
        outs = ", ".join(map(variable, step.outs))
        return [f"{outs}, = {self.call('grad', [], options | {'allow_unused': step.allow_unused})}"]

    def call(self, capability: str, operands: Sequence[str], options: Mapping[str, Any]) -> str:
        """The code of a differentiation; code among the options stands as it is."""
        code = self.spelled[capability]
        for name, value in options.items():
            text = str(value) if isinstance(value, _Code) else repr(value)
            code = re.sub(rf"(\b{name}=)?\b{name}\b(?!=)", rf"\g<1>{text}", code)
            code = re.sub(rf",? ?\b{name}=(None|False)(?=[,)])", "", code)
        return render_code(code, operands, {})

    def zero_grad(self, step: ZeroGrad) -> list[str]:
        return [self.code("forget" if step.set_to_none else "zero", variable(step.target))]

    def assign_grad(self, step: AssignGrad) -> list[str]:
        return [self.code("set_gradient", variable(step.target), variable(step.source))]

    def set_grad_mode(self, step: SetGradMode) -> list[str]:
        return [self.code("set_grad_enabled", value=step.value)]

    def export(self, step: Export) -> list[str]:
        return [self.code("export", variable(step.target))]


class _Code(str):
    """Text that is code already."""


def _list(items: Any) -> _Code:
    """A list of names; empty where there are none."""
    names = list(items)
    return _Code(f"[{', '.join(names)}]" if names else "")


def script_for(module: str, probe: Probe, ops: Mapping[str, str]) -> type[Script]:
    """The class that writes programs for one module."""
    spelled = probe.spelled | {"value": probe.maker.value}
    hooks = {kind: spelled[f"hook: {kind}"] for kind in Script.hooks if f"hook: {kind}" in spelled}
    written = {kind: re.sub(r"\ba\b", "{0}", code).replace("function(into)", "{1}") for kind, code in hooks.items()}
    given = {"tensor": "gradient", "accumulated": "leaf", "node_before": "gradients", "node_after": "gradients"}
    written = {kind: re.sub(r"\bfunction\b", f"lambda {given[kind]}: {{1}}", code) for kind, code in written.items()}
    fields = {
        "__doc__": f"Programs as plain code of {module}.", "imports": (), "codes": ops, "spelled": spelled, "module": module,
        "maker": probe.maker.code, "has_flag": probe.maker.has_flag, "hooks": {**Script.hooks, **written},
    }  # fmt: skip
    return type("FoundScript", (ProbedScript,), fields)
