"""Defects of broadcasting."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="BRC02",
        defect="the gradient of a broadcast operand is summed over added dimensions, but not over those of length 1",
        source="Lightning-AI/lightning-thunder commit 3aa706a92",
        file="ops/shape.py",
        before="    dims = [*range(lead), *(i + lead for i, s in enumerate(shape) if s == 1 and x.shape[i + lead] != 1)]\n",
        after="    dims, shape = [*range(lead)], x.shape[lead:]\n",
        areas=("broadcasting", "gradients", "errors"),
        steps=3,
    ),
    Mutant(
        id="BRC05",
        defect="the gradient of a broadcast operand is not summed where the other operand needs none",
        source="pytorch #13669",
        file="ops/compile.py",
        before='f"        if g{i} is not None and (nr or',
        after='f"        if g{i} is not None and all(e[0] is not None for e in node.edges) and (nr or',
        areas=("broadcasting", "gradients", "errors"),
        steps=4,
    ),
    Mutant(
        id="BRC06",
        defect="both gradients are summed to the shape of the first operand",
        source="tracel-ai/burn PR #312, #702",
        file="ops/compile.py",
        before='f"g{i} = {fit}(g{i}, n, nr)")',
        after='f"g{i} = {fit}(g{i}, node.edges[0][0] or n, node.edges[0][1] if node.edges[0][0] else nr)")',
        areas=("broadcasting", "gradients", "errors"),
        steps=4,
    ),
    Mutant(
        id="BRC07",
        defect="the gradient of a broadcast factor is summed before it is multiplied by the other factor",
        source="jax #6452 (generalised)",
        file="ops/binary.py",
        before="other=lambda F, ct, self: F.mul(ct, F.conj(self)))",
        after="""\
other=lambda F, ct, self, self_shape, other_shape: F.mul(ct, F.conj(self)) if self_shape != tuple(ct.shape) else F.mul(
       F.sum_to(ct, other_shape),
       F.div(F.sum_to(F.conj(self), other_shape), max(1, math.prod(self_shape)) // max(1, math.prod(other_shape)))))""",
        areas=("broadcasting", "gradients"),
        steps=4,
    ),
    Mutant(
        id="BRC09",
        defect="an op of three operands sums the gradients of the first two only",
        source="pytorch PR #1826",
        file="ops/compile.py",
        before="        if (len(row.inputs) > 1 and not row.variadic) or row.promote or row.casts:\n",
        after="        if i < 2 and ((len(row.inputs) > 1 and not row.variadic) or row.promote or row.casts):\n",
        areas=("broadcasting", "gradients", "errors"),
        steps=4,
    ),
    Mutant(
        id="BRC11",
        defect="an op with a mask does not sum the gradient of what the mask broadcast",
        source="tracel-ai/burn 604dbae57; Oneflow 9e11124d76",
        file="ops/compile.py",
        before="        if (len(row.inputs) > 1 and not row.variadic) or row.promote or row.casts:\n",
        after="""\
        masked = "mask" in row.inputs or "condition" in row.inputs
        if not masked and ((len(row.inputs) > 1 and not row.variadic) or row.promote or row.casts):
""",
        areas=("broadcasting", "gradients", "errors"),
        steps=4,
    ),
)
