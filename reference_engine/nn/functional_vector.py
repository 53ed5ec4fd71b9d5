"""torch.nn.functional: linear maps, embeddings, distances, attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import promote_types
from ..ops import embedding as _embedding
from ..ops.table import FUNCTIONS, ROWS
from ..tensor import Tensor, wrap


def linear(input: Tensor, weight: Tensor, bias: Any = None) -> Tensor:
    """input @ weight.T + bias"""
    n = input._array.ndim
    if bias is None:
        return input.matmul(weight.t())
    if n == 2:
        return ROWS["addmm"].call(bias, input, weight.t(), 1, 1)
    if n and weight._array.ndim == 2 and bias._array.ndim == 1 and input.is_contiguous():
        # Many rows, or one, as a matrix, as torch does it.
        shape = input._array.shape
        flat = input.view(math.prod(shape[:-1]), shape[-1])
        return ROWS["addmm"].call(bias, flat, weight.t(), 1, 1).view(*shape[:-1], weight._array.shape[0])
    return input.matmul(weight.t()) + bias


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Any = None) -> Tensor:
    """sum over i, j of input1[i] * weight[k, i, j] * input2[j]"""
    a, b, w = input1._array.shape, input2._array.shape, weight._array.shape
    if a[:-1] != b[:-1]:
        raise RuntimeError("bilinear(): input batch dimensions do not match")
    if a[-1] != w[1] or b[-1] != w[2]:
        raise RuntimeError(f"bilinear(): input sizes do not match weight size: got {a[-1]}, {b[-1]} and {list(w)}")
    one, two = input1.reshape(-1, a[-1]), input2.reshape(-1, b[-1])
    out = ROWS["bilinear_form"].call(one, weight, two).view(*a[:-1], w[0])
    return out if bias is None else out + bias


def embedding(input: Tensor, weight: Tensor, padding_idx: Any = None, max_norm: Any = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:  # fmt: skip
    """The rows of `weight` that `input` names."""
    rows = weight._array.shape[0]
    if padding_idx is None:
        padding_idx = -1
    elif not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    elif padding_idx < 0:
        padding_idx += rows
    if max_norm is not None:
        _embedding.renorm_rows(weight, input, max_norm, norm_type)
    return _embedding.embedding(weight, input, padding_idx, scale_grad_by_freq, sparse)


def embedding_bag(input: Tensor, weight: Tensor, offsets: Any = None, max_norm: Any = None, norm_type: float = 2,
                  scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, per_sample_weights: Any = None,
                  include_last_offset: bool = False, padding_idx: Any = None) -> Tensor:  # fmt: skip
    """Sums, means or maxima of bags of rows."""
    if input._array.ndim == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                             f"sequences. However, found offsets of type {type(offsets)}")  # fmt: skip
        offsets = _embedding.offsets_of(input._array.shape)
        input = input.reshape(-1)
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    elif offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    kind = {"sum": _embedding.SUM, "mean": _embedding.MEAN, "max": _embedding.MAX}.get(mode)
    if kind is None:
        raise ValueError("mode has to be one of sum or mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError("embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for "
                                  f"mode='sum' (got mode='{mode}').")  # fmt: skip
    if max_norm is not None:
        _embedding.renorm_rows(weight, input, max_norm, norm_type)
    return _embedding.embedding_bag(
        weight, input, offsets, scale_grad_by_freq, kind, sparse, per_sample_weights, include_last_offset, padding_idx
    )[0]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at the class of each entry, 0 elsewhere."""
    x = tensor._array
    if x.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if x.size and x.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    n = int(x.max()) + 1 if num_classes == -1 else num_classes
    if x.size and x.max() >= n:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return wrap((x[..., None] == np.arange(n)).astype(np.int64))


# ---- distances --------------------------------------------------------------------------------------------------------


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors; short ones are taken to be of length eps."""
    from .. import no_grad

    common = promote_types(x1.dtype, x2.dtype)
    if not common.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {common.long_name}")
    x1, x2 = FUNCTIONS["broadcast_tensors"](x1, x2)
    norms = [x.norm(2, dim, keepdim=True).clone() for x in (x1, x2)]
    with no_grad():
        for n in norms:
            n.clamp_min_(eps)
    return ((x1 / norms[0]) * (x2 / norms[1])).sum(dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of the difference; eps keeps it off zero."""
    return (x1 - x2 + eps).norm(p, -1, keepdim)


# ---- attention --------------------------------------------------------------------------------------------------------


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Any = None, dropout_p: float = 0.0,
                                 is_causal: bool = False, scale: Any = None, enable_gqa: bool = False) -> Tensor:  # fmt: skip
    """softmax(query @ key.T * scale + mask) @ value"""
    from .functional_norm import dropout

    if is_causal and attn_mask is not None:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if query.is_complex():
        raise NotImplementedError(f"\"softmax_lastdim_kernel_impl\" not implemented for '{query.dtype.long_name}'")
    length, source = query._array.shape[-2], key._array.shape[-2]
    factor = 1 / math.sqrt(query._array.shape[-1] or math.nan) if scale is None else scale
    if enable_gqa:
        times = query._array.shape[-3] // key._array.shape[-3]
        key, value = (x.repeat_interleave(times, -3) for x in (key, value))
    if is_causal:
        attn_mask = wrap(np.tril(np.ones((length, source), bool)))
    root = math.sqrt(abs(factor))  # each side takes its half, which overflows later
    times_number = ROWS["mul_number"].call
    scores = times_number(query, math.copysign(root, factor)).matmul(times_number(key.transpose(-2, -1), root))
    if attn_mask is not None:
        if attn_mask._array.dtype == np.bool_:
            low = wrap(np.where(attn_mask._array, 0, -np.inf).astype(query._array.dtype))
            scores = scores + low
        else:
            scores = scores + attn_mask
    weights = ROWS["safe_softmax"].call(scores, -1)
    return (dropout(weights, dropout_p) if dropout_p else weights).matmul(value)
