"""Defects of ops that move values: indexing, slicing, joining, padding, permuting."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="IDX02",
        defect="An element gathered several times gets the last of its gradients instead of their sum.",
        source="pytorch #1631",
        file="ops/index.py",
        before="F.scatter_add_row(F.new_zeros(ct, self_shape), index, ct, dim)",
        after="F.scatter_row(F.new_zeros(ct, self_shape), index, ct, dim)",
        areas=("gradients",),
        steps=4,
    ),
    Mutant(
        id="IDX05",
        defect="A slice with a step that takes a single entry spreads its gradient over all entries from start to end.",
        source="ml-explore/mlx #4444",
        file="ops/parts.py",
        before="F.slice_backward(ct, self_shape, dim, start, end, step)",
        after="F.slice_backward(ct, self_shape, dim, start, end, step if ct.shape[dim] > 1 else 1)",
        areas=("gradients", "views"),
        steps=3,
    ),
    Mutant(
        id="IDX07",
        defect="The gradient of an empty part is handed on with the part's shape instead of the whole's.",
        source="HIPS/autograd #78",
        file="ops/parts.py",
        before="""    out = np.zeros(shape, ct.dtype)
    out[key] = ct""",
        after="""    out = np.zeros(shape if ct.size else ct.shape, ct.dtype)
    out[key] = ct""",
        areas=("empty", "gradients", "errors"),
        steps=3,
    ),
    Mutant(
        id="IDX08",
        defect="pad cuts its gradient with the negated right padding as the end: a right padding of 0 leaves nothing.",
        source="HIPS/autograd 7b61be3",
        file="ops/pad.py",
        before="F.constant_pad_nd(ct, tuple(-p for p in pad), 0)",
        after="""F.constant_pad_nd(
       ct, tuple(-p if p or i % 2 == 0 else pad[i - 1] - ct.shape[-1 - i // 2] for i, p in enumerate(pad)), 0)""",
        areas=("gradients", "errors"),
        steps=3,
    ),
    Mutant(
        id="IDX09",
        defect="cat cuts its gradient at the operands' numbers instead of where the operands began.",
        source="tracel-ai/burn #402",
        file="ops/join.py",
        before="start += shape[d]",
        after="start += 1",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="IDX10",
        defect="cat does not step over operands that need no gradient: the others get the wrong part.",
        source="tracel-ai/burn #4069",
        file="ops/join.py",
        before="""def _cat_vjp(F: Any, ct: Any, tensors_shape: list, dim: int) -> list:
    d = axis(dim, len(ct.shape))
    out, start = [], 0
    for shape in tensors_shape:
        if _skip(shape):""",
        after="""def _cat_vjp(F: Any, ct: Any, tensors_shape: list, dim: int, needs: tuple) -> list:
    d = axis(dim, len(ct.shape))
    out, start = [], 0
    for shape, need in zip(tensors_shape, needs):
        if not need or _skip(shape):""",
        areas=("gradients", "requires_grad"),
        steps=4,
    ),
    Mutant(
        id="IDX14",
        defect="permute sends its gradient through the same permutation instead of the inverse.",
        source="mlx d96b202ed (generalised)",
        file="ops/shape.py",
        before="F.permute(ct, _inverse(dims))",
        after="F.permute(ct, dims)",
        areas=("gradients", "views", "errors"),
        steps=3,
    ),
    Mutant(
        id="IDX16",
        defect="roll rolls its gradient on instead of back.",
        source="Oneflow 601043cd94 (generalised)",
        file="ops/join.py",
        before="F.roll(ct, tuple(-s for s in shifts), dims)",
        after="F.roll(ct, shifts, dims)",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="IDX20",
        defect="as_strided gives each element of an expanded tensor the gradient of the whole place they share.",
        source="pytorch #8626",
        file="ops/strided.py",
        before="(whole / shares).astype(ct.dtype)",
        after="whole",
        areas=("gradients", "views"),
        steps=4,
    ),
    Mutant(
        id="IDX21",
        defect="The gradient of a reshape is read in memory order, which is wrong if it is not contiguous.",
        source="torch/nn PR #345, FBGEMM #3006, flash-attention #355, candle #3735",
        file="ops/shape.py",
        before="arrays.reshape = lambda x, shape: x.reshape(shape)",
        after='arrays.reshape = lambda x, shape: x.ravel(order="K").reshape(shape)',
        areas=("gradients", "views", "broadcasting"),
        steps=4,
    ),
    Mutant(
        id="IDX22",
        defect="masked_fill: the value's gradient sums over all places, masked or not.",
        source="PaddlePaddle PR #75988",
        file="ops/binary.py",
        before="value=lambda F, ct, mask: F.where(mask, ct, 0.0))",
        after="value=lambda F, ct, mask: ct)",
        areas=("gradients", "broadcasting"),
        steps=5,
    ),
    Mutant(
        id="IDX24",
        defect="The padding row of an embedding gets a gradient.",
        source="candle-org/candle abfa5e4",
        file="ops/embedding.py",
        before="_scaled(ct, indices, padding_idx, by_count)",
        after="_scaled(ct, indices, -1, by_count)",
        areas=("gradients", "conventions"),
        steps=4,
    ),
    Mutant(
        id="IDX26",
        defect="The gradient of an entry is put into index:index+1, which is empty for the index -1.",
        source="jax 28672970bb, HIPS/autograd 211ab6c (generalised)",
        file="ops/parts.py",
        before="_place(shape, _select_key(shape, dim, index), ct)",
        after="""_place(
       shape, _slice_key(shape, dim, index, index + 1, 1), np.expand_dims(ct, axis(dim, len(shape))))""",
        areas=("gradients", "views"),
        steps=3,
    ),
)
