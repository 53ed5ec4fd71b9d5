"""Planted defects of the reference engine in options, modes and kinds of operands of its ops: one piece of one formula replaced.

Each stands for a class that only shows where the catalogue asks for the option: `op` is the row that asks.
"""

from __future__ import annotations

from typing import NamedTuple

from mutants.mutant import Mutant

INVENTED = "no engine known"


class OpMutant(NamedTuple):
    """A planted defect, and the op of the catalogue that shows it."""

    op: str
    mutant: Mutant


def row(op: str, defect: str, file: str, before: str, after: str) -> OpMutant:
    """A row of the table; `before` occurs once in the file."""
    return OpMutant(op, Mutant(op, defect, INVENTED, f"ops/{file}.py", before, after, ("gradients", "conventions", "grad")))


ROWS = (
    # numbers and modes as parameters
    row("lerp_value", "the end's gradient has the start's weight", "binary",
        "end=lambda F, ct, weight: F.mul(ct, weight.conjugate())",
        "end=lambda F, ct, weight: F.mul(ct, (1 - weight).conjugate())"),
    row("norm_of_order", "an order below 2 raises to the order itself", "norms",
        "scaled = F.mul(F.sgn(self), F.pow_scalar(F.abs(self), ord - 1))\n    else:",
        "scaled = F.mul(F.sgn(self), F.pow_scalar(F.abs(self), ord))\n    else:"),
    row("dist_of_order", "the second operand's gradient has the first's sign at order 1", "norms",
        "return None if got is None else F.neg(got)", "return got if got is None or p == 1 else F.neg(got)"),
    row("topk", "the gradient goes along the last axis, whichever was asked for", "scan",
        'namedtuple=pair("topk"),\n   self=lambda F, ct, result1, self_shape, dim: '
        "value_selecting(F, ct, result1, self_shape, dim, True)",
        'namedtuple=pair("topk"),\n   self=lambda F, ct, result1, self_shape: '
        "value_selecting(F, ct, result1, self_shape, -1, True)"),
    row("embedding_bag", "means are taken for sums", "embedding", "if mode == MEAN else by).astype",
        "if mode == MAX else by).astype"),
    row("put_accumulate", "what is added to loses its gradient", "scatter", "ct if accumulate else F.put_zero(ct, index)",
        "F.put_zero(ct, index)"),
    row("scatter_mean_alone", "the operand counts although it is left out", "scatter",
        "n = add(F, F.ones_like(ct) if include_self else F.zeros_like(ct),", "n = add(F, F.ones_like(ct),"),
    row("diag_embed_first", "the axes of the diagonal are forgotten", "join",
        "F.diagonal(ct, offset, dim1, dim2))", "F.diagonal(ct, offset, -2, -1))"),
    row("pad_two", "paddings of two axes are exchanged", "pad", "tuple(-p for p in pad), 0)",
        "tuple(-p for p in (pad[2:] + pad[:2] if len(pad) == 4 else pad)), 0)"),
    row("roll_two", "all axes but the first are rolled on", "join", "tuple(-s for s in shifts)",
        "tuple(s if i else -s for i, s in enumerate(shifts))"),
    # NaN and infinities on the way
    row("nan_to_num_beyond", "infinities let their gradient through", "pointwise", "F.mul(ct, F.mask_like(F.isfinite(self), ct))",
        "F.where(F.isnan(self), 0.0, ct)"),
    row("fmax_beside_nan", "a number beside a NaN gets no gradient", "binary",
        "F.logical_not(F.logical_or(F.ge(self, other), F.isnan(other)))", "F.logical_not(F.ge(self, other))"),
    # weights of layers and losses
    row("layer_norm_weighted", "the weight is missing from the input's gradient", "norm",
        "ct = cts[0] if weight is None else F.mul(cts[0], weight)\n", "ct = cts[0]\n"),
    row("prelu", "the slope's gradient has the wrong sign", "nn_activation", "ct.dtype.type(0), ct * x)",
        "ct.dtype.type(0), -ct * x)"),
    row("nll_loss_weighted", "the mean is over the rows, not over their weights", "loss", "F.div(ct, result1) if reduction",
        "F.div(ct, math.prod(target.shape)) if reduction"),
    row("nll_loss_ignoring", "rows to be ignored get a gradient", "loss", "F.masked_fill(F.mul(F.neg(ct), w), F.eq(w, 0), 0.0)",
        "F.neg(ct) if weight is None else F.mul(F.neg(ct), w)"),
    # decompositions and windows
    row("solve_vector", "the matrix's gradient has the wrong sign where a vector is solved for", "decompositions",
        "return F.neg(F.mul(F.unsqueeze(gB, -1),", "return F.clone(F.mul(F.unsqueeze(gB, -1),"),
    row("slogdet", "the inverse is not transposed", "decompositions", "F.unsqueeze(g, -1), -1), _conj_t(F, F.linalg_inv_ex(A)))",
        "F.unsqueeze(g, -1), -1), F.linalg_inv_ex(A))"),
    row("svd_left", "what lies outside of the space of singular vectors is left out", "spectral", "gU is not None and m > k",
        "gU is not None and m < k"),
    row("conv1d_in_groups", "the groups of the weight's gradient come in reverse", "conv", '->goi{k}", win,',
        '->goi{k}", win[::-1],'),
    row("conv_transpose1d", "the kernel is turned", "conv", "+= spread[at]",
        "+= spread[tuple(m - 1 - i for i, m in zip(at, w.shape[2:]))]"),
    row("grid_sample", "the size of the image is missing from the grid's gradient", "sample", "part[d][1] * (1.0 if corner",
        "np.sign(part[d][1]) * (1.0 if corner"),
    # complex numbers
    row("complex_product", "the second factor's gradient lacks its conjugate", "binary",
        "other=lambda F, ct, self: F.mul(ct, F.conj(self)))  # fmt: skip\nop(\"div\"",
        "other=lambda F, ct, self: F.mul(ct, self))  # fmt: skip\nop(\"div\""),
    row("irfft", "frequencies that stand for two count once", "fourier", "F.mul(F.slice(out, d, 1, 1 + doubled, 1), 2)",
        "F.slice(out, d, 1, 1 + doubled, 1)"),
)  # fmt: skip
