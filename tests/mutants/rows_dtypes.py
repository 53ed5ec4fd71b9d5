"""Defects of dtypes and of empty tensors."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="DTY02",
        defect="the gradient of a cast is not cast back",
        source="lightning-thunder 07399015e; pytorch #192719; candle (class)",
        file="ops/cast.py",
        before='for _name in ("half",',
        after=(
            'ROWS["to_copy"].node.backward = ROWS["to_copy"].node.differentiate = lambda node, ct: (ct,)\nfor _name in ("half",'
        ),
        areas=("broadcasting", "gradients"),
        steps=3,
    ),
    Mutant(
        id="DTY03",
        defect="the gradient of a product is cast to the dtype of the other operand: by an integer it loses its fractions",
        source="MyGrad 2.0's notes on integer tensors; NablaFuzz",
        file="ops/binary.py",
        before="   self=lambda F, ct, other: F.mul(ct, F.conj(other)), other=lambda F, ct, self: F.mul(ct, F.conj(self))",
        after=(
            "   self=lambda F, ct, other: F.mask_like(F.mul(ct, F.conj(other)), other if hasattr(other, 'dtype') else ct),\n"
            "   other=lambda F, ct, self: F.mul(ct, F.conj(self))"
        ),
        areas=("broadcasting", "gradients"),
        steps=4,
    ),
    Mutant(
        id="DTY04",
        defect="the ties of an extremum are counted in the dtype of the gradient, which overflows in half precision",
        source="tinygrad #12296",
        file="ops/reduce.py",
        before="arrays.over_count = lambda x, n: (x / n).astype(x.dtype)",
        after="arrays.over_count = lambda x, n: x / np.asarray(n).astype(x.dtype)",
        areas=("conventions", "gradients"),
        steps=3,
    ),
    Mutant(
        id="DTY06",
        defect="a gradient without elements is dropped on its way",
        source="candle ab9c3ab1b; chainer 2d86b79a29, bd798ff2d8",
        file="engine.py",
        before="        for (node, nr), grad in zip(edges, grads):\n",
        after=(
            "        for (node, nr), grad in zip(edges, grads):\n"
            "            if grad is not None and 0 in grad.shape:\n"
            "                grad = None\n"
        ),
        areas=("empty", "accumulation", "gradients"),
        steps=3,
    ),
)
