"""A program as plain code that a person can paste into an issue: torch's, or an engine's, importing nothing of ours.

`Script` writes torch. An adapter whose engine spells things otherwise subclasses it and names the subclass in `Engine.script`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.catalog import CATALOG
from conformance.catalog.code import render_code
from conformance.compare import Difference
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
    Hook,
    Leaf,
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
    regions: Mapping[str, str] = {
        "no_grad": "torch.no_grad()",
        "enable_grad": "torch.enable_grad()",
        "inference_mode": "torch.inference_mode()",
        "pack_same": "torch.autograd.graph.saved_tensors_hooks(lambda t: print('saved', t) or t, lambda t: t)",
        "pack_copy": "torch.autograd.graph.saved_tensors_hooks(lambda t: print('saved', t) or t.clone(), lambda t: t)",
        "pack_write": "torch.autograd.graph.saved_tensors_hooks("
        "torch.no_grad()(lambda t: t.mul_(2.0) if t.is_floating_point() else t), lambda t: t)",
        "pack_double": "torch.autograd.graph.saved_tensors_hooks("
        "lambda t: print('saved', t) or t, lambda t: t * 2.0 if t.is_floating_point() else t)",
    }
    hooks: Mapping[str, str] = {
        "tensor": "{0}.register_hook(lambda gradient: {1})",
        "accumulated": "{0}.register_post_accumulate_grad_hook(lambda leaf: {1})",
        "node_before": "{0}.grad_fn.register_prehook(lambda gradients: {1})",
        "node_after": "{0}.grad_fn.register_hook(lambda gradients, _: {1})",
    }
    codes: Mapping[str, str] = {name: op.torch for name, op in CATALOG.items()}

    def __init__(self, program: Program) -> None:
        self.program = program
        slots = Scope.of(program).slots
        self.shapes = {name: slot.shape for name, slot in slots.items()}
        self.dtypes = {name: slot.dtype for name, slot in slots.items()}

    def text(self, difference: Difference | None = None) -> str:
        """The whole script; with a difference, what is right and what comes, in its last lines."""
        steps = self.program.steps
        threads = any(isinstance(s, Enter) and s.mode == "thread" for s in steps)
        lines = [*self.imports, *(["from concurrent.futures import ThreadPoolExecutor"] if threads else []), ""]
        lines += [line for setup in self.setups() for line in (*setup.splitlines(), "")]
        open_: list[str] = []  # what to add where each of the open regions ends
        for place, step in enumerate(steps):
            if isinstance(step, Exit):
                if isinstance(steps[place - 1], Enter):
                    lines.append("    " * len(open_) + "pass")
                after = open_.pop()
                lines += ["    " * len(open_) + after] if after else []
                continue
            note = ""
            if difference is not None and difference.facet == "error" and difference.step == place:
                note = "  # must raise" if difference.kind == "missed error" else "  # must not raise"
            written = ["    " * len(open_) + line for line in self.step(step)]
            lines += written[:-1] + [line + note for line in written[-1:]]
            if isinstance(step, Enter):
                name = f"in_a_thread_{place}"
                open_.append(f"ThreadPoolExecutor(1).submit({name}).result()" if step.mode == "thread" else "")
                if step.mode == "thread":
                    lines[-1] = "    " * (len(open_) - 1) + f"def {name}():"
                    lines.append("    " * len(open_) + f"global {', '.join(self.made_in(place)) or '_'}")
        if difference is not None and difference.kind == "death":
            lines.append(f"# Right: it comes to this line. Wrong: {shortened(difference.observed)}")
        elif difference is not None and difference.facet != "error":
            lines += self.check(difference)
        return "\n".join(lines) + "\n"

    def setups(self) -> Iterator[str]:
        """What the code of the program's ops needs beforehand, each once."""
        used = dict.fromkeys(s.op for s in self.program.steps if isinstance(s, (Apply, Mutate)))
        return iter(dict.fromkeys(CATALOG[op].setup for op in used if CATALOG[op].setup))

    def made_in(self, opening: int) -> list[str]:
        """The variables that a region fills."""
        depth, made = 0, []
        for step in self.program.steps[opening:]:
            depth += isinstance(step, Enter) - isinstance(step, Exit)
            if depth == 0:
                break
            made += [variable(slot) for slot in step.makes()]
        return made

    def step(self, step: AnyStep) -> list[str]:
        """The lines of one step."""
        return _WRITERS[type(step)](self, step)  # type: ignore[no-any-return]

    def check(self, difference: Difference) -> list[str]:
        """Print what differs, with the right answer beside it."""
        answers = f"right: {shortened(difference.expected)}; wrong: {shortened(difference.observed)}"
        if difference.facet in ("called", "order", "sequence", "packed"):  # the callbacks print what they see
            return [f"# What is printed above must show, as {difference.facet}, {answers}"]
        return [f"print({self.show(difference)})  # {answers}"]

    def show(self, difference: Difference) -> str:
        """The expression that shows the facet."""
        name = variable(difference.slot)
        shown = {
            "value": f"{name}.tolist()", "grad": f"{name}.grad", "requires_grad": f"{name}.requires_grad",
            "is_leaf": f"{name}.is_leaf", "grad_fn": f"{name}.grad_fn", "version": f"{name}._version",
            "shape": f"{name}.shape", "dtype": f"{name}.dtype", "exported": f"{name}.numpy()", "base": f"{name}._base",
            "memory": f"{name}.untyped_storage().data_ptr()", "grad_memory": f"{name}.grad.untyped_storage().data_ptr()",
            "grad_is": f"id({name}.grad)",
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
        return [f"with {self.regions.get(step.mode, 'torch.enable_grad()')}:"]

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
        gradients = [
            variable(g) if step.handed and isinstance(g, int) else self.gradient(g, r, step.shape)
            for g, r in zip(step.gradients, step.roots, strict=False)
        ]
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

    def assign_grad(self, step: AssignGrad) -> list[str]:
        return [f"{variable(step.target)}.grad = {variable(step.source)}"]

    def set_grad_mode(self, step: SetGradMode) -> list[str]:
        return [f"torch.set_grad_enabled({step.value})"]

    def export(self, step: Export) -> list[str]:
        return [f"{variable(step.target)}.numpy()"]

    def hook(self, step: Hook) -> list[str]:
        handle = variable(step.out)
        return [f"{handle} = {self.hooks[step.kind].format(variable(step.target), _action(step, handle))}"]

    def unhook(self, step: Unhook) -> list[str]:
        return [f"{variable(step.handle)}.remove()"]

    def drop(self, step: Drop) -> list[str]:
        return [f"del {variable(step.target)}"]


def _options(step: Backward | Grad) -> list[str]:
    """retain_graph and create_graph where they are not the defaults."""
    options = [] if step.retain_graph is None else [f"retain_graph={step.retain_graph}"]
    return options + (["create_graph=True"] if step.create_graph else [])


def _action(step: Hook, handle: str) -> str:
    """What a hook does, as an expression that gives what it returns."""
    argument = {"tensor": "gradient", "accumulated": "leaf"}.get(step.kind, "gradients")
    one = step.kind == "tensor"
    name = variable(step.target)
    seen = "leaf.grad" if argument == "leaf" else argument
    action = {
        "see": "",
        "double": "gradient * 2.0" if one else "tuple(g if g is None else g * 2.0 for g in gradients)",
        "misshape": "torch.stack([gradient, gradient])" if one else "tuple(torch.stack([g, g]) for g in gradients)",
        "remove": f"{handle}.remove()",
        "forget": "setattr(leaf, 'grad', None)",
    }[step.action]
    note = f"print('hook on {name}', {seen})"
    return f"{note} or {action}" if action else note


class IndexingScript(Script):
    """Of an engine whose views are made by indexing alone."""

    def apply(self, step: Apply) -> list[str]:
        p = step.params
        if step.op == "select":
            picked = f"{p['index']}, ..."
        elif step.op == "narrow":
            picked = f"{p['start']}:{p['start'] + p['length']}"
        else:
            return super().apply(step)
        return [f"{variable(step.outs[0])} = {variable(step.inputs[0])}[{':, ' * p['dim']}{picked}]"]


def _is_multiple(op: str) -> bool:
    """Whether the op's code gives a sequence even for one result."""
    return op in ("split", "unbind")


def shortened(content: Any) -> str:
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
    AssignGrad: lambda s, step: s.assign_grad(step),
    SetGradMode: lambda s, step: s.set_grad_mode(step),
    Export: lambda s, step: s.export(step),
    Hook: lambda s, step: s.hook(step),
    Unhook: lambda s, step: s.unhook(step),
    Drop: lambda s, step: s.drop(step),
}
