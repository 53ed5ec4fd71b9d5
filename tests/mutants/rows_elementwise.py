"""Defects of elementwise ops."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="ELM01",
        defect="The subtrahend's gradient keeps the sign of the result's.",
        source="huggingface/candle c60831aad",
        file="ops/binary.py",
        before="other=lambda F, ct: F.neg(ct))",
        after="other=lambda F, ct: ct)",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="ELM03",
        defect="Where both operands of maximum are equal, the first takes the whole gradient.",
        source="HIPS/autograd 855fa5a, candle d70cffdab, Oneflow cac552ace5, MyGrad 78eafdb5, pytorch #56734",
        file="ops/binary.py",
        before='op("maximum", np.maximum, "self other", promote="arith", self=_maximum_self, other=_maximum_other)',
        after="""op("maximum", np.maximum, "self other", promote="arith",
   self=lambda F, ct, self, other: F.masked_fill(ct, F.lt(self, other), 0.0),
   other=lambda F, ct, self, other: F.masked_fill(ct, F.ge(self, other), 0.0))""",
        areas=("conventions", "gradients"),
        steps=4,
    ),
    Mutant(
        id="ELM06",
        defect="The slope of elu is made of both branches times masks, so that an overflow on the positive side gives NaN.",
        source="huggingface/candle #2328, jax b0805a8a31",
        file="ops/activation.py",
        before="""    falling = F.mul(F.exp(F.mul(below, input_scale)), input_scale * alpha * scale)
    return F.keeping(F.mul(ct, F.where(F.le(self, 0), falling, scale)), self)""",
        after="""    falling = F.mul(F.exp(F.mul(self, input_scale)), input_scale * alpha * scale)
    rising = F.where(F.gt(self, 0), scale, F.zeros_like(self))
    return F.mul(ct, F.add(F.mul(F.le(self, 0), falling), rising))""",
        areas=("conventions", "gradients"),
        steps=3,
    ),
    Mutant(
        id="ELM07",
        defect="The slope of sigmoid is computed from exp(-x) and becomes NaN where that overflows.",
        source="tracel-ai/burn #1140, candle 3bbb88fcb",
        file="ops/pointwise.py",
        before="lambda F, ct, result: F.mul(ct, F.conj(F.mul(F.rsub(result, 1), result)))",
        after="""lambda F, ct, result: (
    lambda e: F.mul(ct, F.conj(F.div(e, F.mul(F.add(e, 1), F.add(e, 1))))))(F.sub(F.reciprocal(result), 1))""",
        areas=("conventions", "gradients"),
        steps=3,
    ),
    Mutant(
        id="ELM13",
        defect="fmod's divisor gets the quotient rounded down instead of toward zero.",
        source="jax daf6e3b065",
        file="ops/binary.py",
        before="F.div_trunc(self, other)",
        after="F.div_floor(self, other)",
        areas=("gradients", "conventions"),
        steps=4,
    ),
    Mutant(
        id="ELM15",
        defect="A node whose gradient is all zeros does not run: zero times infinity is lost, and leaves behind it get nothing.",
        source="pytorch #36923, #52248, #187297",
        file="engine.py",
        before="elif (grad := buffers.pop(node, None) if held is None else held) is not None:",
        after="""\
elif (grad := buffers.pop(node, None) if held is None else held) is not None and (
            0 in grad.shape or bool((grad != 0).any())
        ):""",
        areas=("conventions", "gradients", "accumulation", "grad"),
        steps=4,
    ),
    Mutant(
        id="ELM16",
        defect="clamp stops the gradient of values that lie on a bound.",
        source="pytorch #184574, #120258",
        file="ops/activation.py",
        before="""    inside = None if min is None else F.ge(self, min)
    if max is not None:
        below = F.le(self, max)""",
        after="""    inside = None if min is None else F.gt(self, min)
    if max is not None:
        below = F.lt(self, max)""",
        areas=("conventions", "gradients"),
        steps=3,
    ),
    Mutant(
        id="ELM17",
        defect="hardtanh and leaky_relu count the kink as part of the steep side.",
        source="pytorch #120258, #184572",
        file="ops/pointwise.py",
        before="""np.where((x <= low) | (x >= high), ct.dtype.type(0), ct), "ct_ self",
   "low high", face=False, ct_=lambda F, ct, self, low, high: F.hardtanh_backward(ct, self, low, high),
   self=lambda F, ct, self: F.zeros_like(ct))  # fmt: skip
op("leaky_relu_backward", lambda ct, x, slope: np.where(x > 0,""",
        after="""np.where((x < low) | (x > high), ct.dtype.type(0), ct), "ct_ self",
   "low high", face=False, ct_=lambda F, ct, self, low, high: F.hardtanh_backward(ct, self, low, high),
   self=lambda F, ct, self: F.zeros_like(ct))  # fmt: skip
op("leaky_relu_backward", lambda ct, x, slope: np.where(x >= 0,""",
        areas=("conventions", "gradients"),
        steps=3,
    ),
    Mutant(
        id="ELM19",
        defect="xlogy cuts off the gradient of its first operand at zero, where only the value is cut off.",
        source="pytorch #80770, PR #82713, tensorflow #119476, jax dd023e266e",
        file="ops/special.py",
        before="F.xlogy(ct, other), F.logical_and(F.eq(self, 0), F.le(other, 0)), 0.0)",
        after="F.xlogy(ct, other), F.logical_and(F.eq(self, 0), F.eq(self, 0)), 0.0)",
        areas=("conventions", "gradients"),
        steps=4,
    ),
    Mutant(
        id="ELM21",
        defect="nan_to_num lets no gradient through, not even that of finite entries.",
        source="HIPS/autograd afea209",
        file="ops/pointwise.py",
        before="self=lambda F, ct, self: F.mul(ct, F.mask_like(F.isfinite(self), ct))",
        after="self=lambda F, ct, self: F.zeros_like(ct)",
        areas=("gradients", "conventions"),
        steps=3,
    ),
    Mutant(
        id="ELM25",
        defect="add with alpha: the factor is missing from the second operand's gradient.",
        source="pytorch PR #2805 (generalised)",
        file="ops/binary.py",
        before="other=lambda F, ct, alpha: F.mul(ct, alpha.conjugate()))",
        after="other=lambda F, ct, alpha: ct)",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="ELM26",
        defect="cross: the second operand's gradient is taken in the wrong order, and so has the wrong sign.",
        source="tracel-ai/burn 2227d8d21",
        file="ops/linalg2.py",
        before="F.linalg_cross(ct, F.expand_like(F.conj(self), ct), dim)",
        after="F.linalg_cross(F.expand_like(F.conj(self), ct), ct, dim)",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="ELM27",
        defect="softplus forgets beta in its slope.",
        source="tinygrad aa1a6f2132, Oneflow 24543a53c1",
        file="ops/activation.py",
        before="F.mul(ct, F.sigmoid(z))",
        after="F.mul(ct, F.sigmoid(self))",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="ELM28",
        defect="log1p has the derivative of log.",
        source="jax 893b483e3f (generalised)",
        file="ops/pointwise.py",
        before="F.div(ct, F.conj(F.add(self, 1)))",
        after="F.div(ct, F.conj(self))",
        areas=("gradients",),
        steps=3,
    ),
    Mutant(
        id="ELM29",
        defect="The slope of tanh is computed from exp(2x) and becomes NaN where tanh saturates.",
        source="jax 893b483e3f",
        file="ops/pointwise.py",
        before='_unary("tanh", np.tanh, lambda F, ct, result: F.mul(ct, F.conj(F.rsub(F.mul(result, result), 1))))',
        after="""_unary("tanh", np.tanh, lambda F, ct, result: (
    lambda e: F.mul(ct, F.conj(F.div(F.mul(e, 4), F.mul(F.add(e, 1), F.add(e, 1))))))(
        F.div(F.add(result, 1), F.rsub(result, 1))))""",
        areas=("conventions", "gradients"),
        steps=3,
    ),
)
