"""Programs as functions of their leaves, in the spelling of HIPS autograd: it differentiates functions and knows no tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.engines.mygrad_engine import OPS, MyGradScript
from conformance.program import Apply, Backward, Leaf, Program
from conformance.script import variable

# MyGrad's spelling is NumPy's, and so is HIPS autograd's; what either has beyond NumPy, the other has not.
CODES: Mapping[str, str] = {
    name: code.replace("mg.", "np.").replace(".data", "") for name, code in OPS.items() if "nnet" not in code and "_(" not in code
}


def is_function(program: Program) -> bool:
    """Whether the program makes leaves, applies ops that write nothing, and ends in its only backward, of one root."""
    *steps, last = program.steps
    if not isinstance(last, Backward) or len(last.roots) != 1 or last.inputs is not None or last.create_graph:
        return False
    applied = all(isinstance(s, Leaf) or (isinstance(s, Apply) and s.op in CODES) for s in steps)
    return applied and any(isinstance(s, Leaf) and s.requires_grad for s in steps)


class FunctionScript(MyGradScript):
    """A program for which `is_function` holds, as plain HIPS autograd code."""

    imports: tuple[str, ...] = ("from autograd import make_vjp", "import autograd.numpy as np")
    codes: Mapping[str, str] = CODES

    def tensor(self, values: Any, shape: Any, dtype: str, requires_grad: bool = False) -> str:
        return super().tensor(values, shape, dtype, True).replace("mg.tensor(", "np.array(").replace("mg.zeros(", "np.zeros(")

    def text(self, difference: Any = None) -> str:
        *steps, last = self.program.steps
        assert isinstance(last, Backward)
        leaves = [variable(s.out) for s in steps if isinstance(s, Leaf) and s.requires_grad]
        arguments, body = ", ".join(leaves), [line for s in steps if isinstance(s, Apply) for line in self.step(s)]
        root = last.roots[0]
        gradient = last.gradients[0] if last.gradients else None
        known = last.shape if last.shape is not None else self.shapes[root]
        if gradient is None:
            seed = f"np.ones({tuple(known)}, {self.dtypes[root]!r})"
        elif isinstance(gradient, int):
            seed = f"{variable(gradient)}.copy()"
        else:
            seed = self.tensor(gradient, known, self.dtypes[root])
        lines = [
            *self.imports, "", *(line for s in steps if isinstance(s, Leaf) for line in self.step(s)), "",
            f"def program({arguments}):", *("    " + line for line in [*body, f"return {variable(root)}"]), "",
            f"vjp, value = make_vjp(program, {tuple(range(len(leaves)))})({arguments})", f"gradients = vjp({seed})",
        ]  # fmt: skip
        return "\n".join(lines) + "\n"
