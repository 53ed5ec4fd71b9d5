"""Defects of reductions and scans."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="RED03",
        defect="every one of several equal maxima gets the full gradient of amax",
        source="apache/mxnet #18563; Theano #4568; pytorch PR #43519; HIPS/autograd c48b874",
        file="ops/reduce.py",
        before="    return F.over_count(F.mul(ct, F.mask_like(hit, ct)), F.sum_dims(hit, dims_of(dim, len(self_shape)), True))\n",
        after="    return F.mul(ct, F.mask_like(hit, ct))\n",
        areas=("conventions", "gradients"),
        steps=3,
    ),
    Mutant(
        id="RED04",
        defect="max(dim) shares the gradient among equal maxima, whatever index it returned",
        source="pytorch #155048, #56734",
        file="ops/reduce.py",
        before="namedtuple=pair(_name), self=value_selecting)",
        after="namedtuple=pair(_name), self=_by_count)",
        areas=("conventions", "gradients", "saved_hooks"),
        steps=3,
    ),
    Mutant(
        id="RED05",
        defect="prod divides by its input: NaN where that is zero",
        source="tinygrad 0c96cdc300; pytorch PR #1727",
        file="ops/reduce.py",
        before="""\
    if not F.has_zero(self):
        return F.mul(ct, F.conj(F.div(result, self)))
    line = """,
        after="""\
    if not F.has_zero(self) or self.shape:
        return F.mul(ct, F.conj(F.div(result, self)))
    line = """,
        areas=("gradients", "conventions"),
        steps=3,
    ),
    Mutant(
        id="RED06",
        defect="prod's special case for a zero gives a gradient of a wrong shape along a dimension of length 1",
        source="pytorch #82644",
        file="ops/reduce.py",
        before="    if n == 1:\n        return ct\n",
        after="    if n == 1:\n        return F.slice(ct, dim, 0, 0, 1)\n",
        areas=("gradients", "conventions", "errors"),
        steps=3,
    ),
    Mutant(
        id="RED07",
        defect="cumprod divides by its input: NaN where that is zero",
        source="tracel-ai/burn PR #5141, commit c840472ac (#3864)",
        file="ops/scan.py",
        before="    if not F.has_zero(self):\n",
        after="    if self_shape:\n",
        areas=("gradients", "conventions"),
        steps=3,
    ),
    Mutant(
        id="RED09",
        defect="the gradient of cumsum is summed forwards, not backwards",
        source="family of HIPS/autograd 747b48b and Oneflow b79be4f369",
        file="ops/scan.py",
        before="self=lambda F, ct, dim: _reverse_cumsum(F, ct, dim))",
        after="self=lambda F, ct, dim: F.cumsum(ct, dim))",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="RED10",
        defect="the gradient of cumsum looks at the first place of a dimension of length 0",
        source="pytorch #31515, #31782; jax a9da06ce75",
        file="ops/scan.py",
        before="    return F.flip(F.cumsum(F.flip(ct, (d,)), d), (d,))\n",
        after="    F.select(ct, d, 0)\n    return F.flip(F.cumsum(F.flip(ct, (d,)), d), (d,))\n",
        areas=("empty", "gradients", "errors"),
        steps=3,
    ),
    Mutant(
        id="RED11",
        defect="the gradient of var divides by the number of elements, without the correction",
        source="near jax 9ea8ce9b58",
        file="ops/reduce.py",
        before="F.mul(ct, 2.0 / rest if",
        after="F.mul(ct, 2.0 / count(self_shape, dim) if",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="RED13",
        defect="the norm of a vector of zeros has the gradient NaN",
        source="pytorch #2421, #3264; MyGrad PR #379; HIPS/autograd a58150d",
        file="ops/norms.py",
        before="F.mul(ct, F.masked_fill(unit, F.expand_like(F.eq(norm, 0), unit), 0.0))",
        after="F.mul(ct, unit)",
        areas=("conventions", "gradients"),
        steps=3,
    ),
    Mutant(
        id="RED16",
        defect="the gradient of logsumexp is normalised over all elements, not along the dimension",
        source="ml-explore/mlx PR #3708, commit da38f3ea8",
        file="ops/norms.py",
        before="F.exp(F.sub(self, keep(F, result, self_shape, dim, keepdim)))",
        after="F.exp(F.sub(self, F.logsumexp(self, None, False)))",
        areas=("gradients",),
        steps=3,
    ),
)
