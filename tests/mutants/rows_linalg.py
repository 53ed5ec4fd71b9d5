"""Defects of products of matrices."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="LIN02",
        defect="A matrix that meets a stack of matrices gets the gradient of the first of them alone, not the sum.",
        source="flashlight PR #760, Oneflow 332c05c54b",
        file="ops/linalg.py",
        before="""        return _folded(small, large, swapped)
    if m == n == 3:""",
        after="""        stack = range(len(large))
        parts = [_folded(small.detach() if i else small, large.narrow(0, i, 1), swapped) for i in stack]
        return ROWS["cat"].general((parts,), (0,)) if parts else _folded(small, large, swapped)
    if m == n == 3:""",
        areas=("gradients", "broadcasting"),
        steps=4,
    ),
    Mutant(
        id="LIN03",
        defect="mm: the right factor's gradient is made of the transposed product.",
        source="Oneflow 332c05c54b",
        file="ops/linalg.py",
        before="mat2=lambda F, ct, self: F.mm(_conj_t(F, self), ct))",
        after="mat2=lambda F, ct, self: F.mm(_conj_t(F, ct), self))",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="LIN04",
        defect="einsum: the gradient of an index that is summed out of one operand alone is not expanded again.",
        source="HIPS/autograd #376, #242, MyGrad b32452be, AutoHOOT #69",
        file="ops/linalg2.py",
        before="    return _contract([_aligned(t, ls, [*result, *summed]) for t, ls in zip(ts, labels)], len(result))\n",
        after="""    flat = [x for ls in labels for x in ls]
    drop = [[k for k, x in enumerate(ls) if x in summed and flat.count(x) == 1] for ls in labels]
    ts = [ROWS["einsum_sum"].call(t, tuple(dims)) if dims else t for t, dims in zip(ts, drop)]
    labels = [[x for k, x in enumerate(ls) if k not in dims] for ls, dims in zip(labels, drop)]
    return _contract([_aligned(t, ls, [*result, *summed]) for t, ls in zip(ts, labels)], len(result))


op("einsum_sum", lambda x, dims: x.sum(dims), params="dims", face=False, jvp="linear", self=lambda F, ct: ct)
""",
        areas=("gradients", "broadcasting"),
        steps=4,
    ),
    Mutant(
        id="LIN06",
        defect="einsum: an operand that occurs several times gets the gradient of its first place alone.",
        source="pytorch #181146, MyGrad 5b8448cf",
        file="ops/linalg2.py",
        before="    return _contract([_aligned(t, ls, [*result, *summed]) for t, ls in zip(ts, labels)], len(result))\n",
        after="""    once = [t.detach() if any(t is u for u in ts[:k]) else t for k, t in enumerate(ts)]
    return _contract([_aligned(t, ls, [*result, *summed]) for t, ls in zip(once, labels)], len(result))
""",
        areas=("gradients", "accumulation"),
        steps=3,
    ),
    Mutant(
        id="LIN08",
        defect="addmm and baddbmm: beta and alpha are missing from the gradients.",
        source="pytorch PR #1826",
        file="ops/linalg.py",
        before="return x if by == 1 else F.mul(x, by)",
        after="return x",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="LIN09",
        defect="mm gives no gradient where a factor is empty.",
        source="huggingface/candle PR #3756",
        file="ops/linalg.py",
        before="""self=lambda F, ct, mat2: F.mm(ct, _conj_t(F, mat2)),
   mat2=lambda F, ct, self: F.mm(_conj_t(F, self), ct))""",
        after="""self=lambda F, ct, mat2: None if 0 in mat2.shape else F.mm(ct, _conj_t(F, mat2)),
   mat2=lambda F, ct, self: None if 0 in self.shape else F.mm(_conj_t(F, self), ct))""",
        areas=("empty", "gradients", "accumulation"),
        steps=3,
    ),
)
