"""Defects of second and higher derivatives."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="DBL02",
        defect="backward(create_graph=True) stores the gradient in .grad without its graph",
        source="Oneflow #8248",
        file="graph.py",
        before="            if recording:\n",
        after="            if recording:\n                cotangent = cotangent.detach()\n",
        areas=("grad", "accumulation"),
        steps=3,
    ),
    Mutant(
        id="DBL04",
        defect="the formula of a power reads the raw data of the input it saved, which cuts the graph",
        source="pytorch #76185, #104040; minpy #155",
        file="ops/binary.py",
        before="F.mul(ct, F.conj(F.mul(F.pow_scalar(self, exponent - 1), exponent)))",
        after='F.mul(ct, F.conj(F.mul(F.pow_scalar(getattr(self, "detach", lambda: self)(), exponent - 1), exponent)))',
        areas=("grad",),
        steps=3,
    ),
    Mutant(
        id="DBL05",
        defect="under create_graph the gradient argument is a constant",
        source="chainer 4dd002f14b",
        file="engine.py",
        before="seeds if task.create else map(_array_of, seeds)",
        after="map(Tensor.detach, seeds) if task.create else map(_array_of, seeds)",
        areas=("grad", "roots"),
        steps=4,
    ),
    Mutant(
        id="DBL08",
        defect="backward of sort works the permutation out again on tracked data, by a step that has no derivative",
        source="ml-explore/mlx #4117 (323647680)",
        file="ops/scan.py",
        before=(
            '   namedtuple=pair("sort"),\n'
            "   self=lambda F, ct, result1, self_shape, dim: value_selecting(F, ct, result1, self_shape, dim, True))"
        ),
        after=(
            '   namedtuple=pair("sort"),\n'
            "   self=lambda F, ct, self, self_shape, dim, descending: F.copy(self, value_selecting(\n"
            "       F, ct, F.sort_row(self, dim, descending)[1], self_shape, dim, True)))"
        ),
        areas=("grad",),
        steps=4,
    ),
    Mutant(
        id="DBL10",
        defect="the second derivative of softmax lacks the term that comes from the sum",
        source="chainer d6394316e2, 35afd6f872; pytorch #65242, #17261",
        file="ops/norms.py",
        before="    return F.sub(weighted, F.mul(result, F.sum_dims(weighted, (dim,), True)))",
        after=(
            "    total = F.sum_dims(weighted, (dim,), True)\n"
            '    return F.sub(weighted, F.mul(result, getattr(total, "detach", lambda: total)()))'
        ),
        areas=("grad",),
        steps=5,
    ),
    Mutant(
        id="DBL11",
        defect="under create_graph a gradient is summed over broadcast dimensions on raw arrays",
        source="pytorch #104040 (class)",
        file="ops/table.py",
        before="        ct = tensors.sum_to(ct, shape)",
        after="        ct = wrap(arrays.sum_to(ct._array, shape))",
        areas=("grad", "broadcasting"),
        steps=4,
    ),
    Mutant(
        id="DBL13",
        defect="the second derivative of tanh is an op that is itself not differentiable",
        source="Oneflow d1a7d24e3d, ff4abbece0; pytorch #175754",
        file="ops/pointwise.py",
        before='_unary("tanh", np.tanh, lambda F, ct, result: F.mul(ct, F.conj(F.rsub(F.mul(result, result), 1))))',
        after=(
            '_unary("tanh_slope", lambda y: 1 - y * y, face=False, inplace=False,\n'
            '       vjp=lambda F, ct, self: F.mul(ct, F.conj(F.mul(getattr(self, "detach", lambda: self)(), -2))))\n'
            '_unary("tanh", np.tanh, lambda F, ct, result: F.mul(ct, F.conj(F.tanh_slope(result))))'
        ),
        areas=("grad",),
        steps=5,
    ),
    Mutant(
        id="DBL14",
        defect="leaves are told apart by their memory, so that two on the same storage count as one variable",
        source="AutoGrad.jl #75; ForwardDiff.jl #83; minpy #155",
        file="graph.py",
        before="    sink = new(AccumulateGrad)\n    sink.variable = t\n",
        after=(
            '    known = globals().setdefault("known", weakref.WeakValueDictionary())\n'
            "    same = known.get(id(t._storage))\n"
            "    if same is not None and same.variable.is_set_to(t):\n"
            "        return (same, 0)\n"
            "    sink = known[id(t._storage)] = new(AccumulateGrad)\n"
            "    sink.variable = t\n"
        ),
        areas=("grad", "detach", "accumulation"),
        steps=5,
    ),
    Mutant(
        id="DBL18",
        defect="the second derivative of binary_cross_entropy is divided by the number of elements whatever the reduction",
        source="pytorch #59477",
        file="ops/loss.py",
        before="    return _weighted(F, F.binary_cross_entropy_slope(ct, input, target), weight)",
        after=(
            "    slope = F.binary_cross_entropy_slope(ct, input, target)\n"
            '    if reduction != "mean":\n'
            '        held = getattr(input, "detach", lambda: input)()\n'
            "        value = F.binary_cross_entropy_slope(ct, held, target)\n"
            "        slope = F.add(value, F.div(F.sub(slope, value), max(1, math.prod(input.shape))))\n"
            "    return _weighted(F, slope, weight)"
        ),
        areas=("grad",),
        steps=5,
    ),
)
