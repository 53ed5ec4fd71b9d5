"""Defects of ops with several outputs, and of custom Functions."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="CUS01",
        defect="an unused part of unbind or split has no gradient, and nothing stands in for it",
        source="pytorch #9995; chainer #308, #7836; lightning-thunder #1211; dfdx #303; mxnet #2257",
        file="ops/parts.py",
        before="[F.new_zeros(like, piece(i)) if c is None else c for i, c in enumerate(cts)]",
        after="[c.reshape(piece(i)) for i, c in enumerate(cts)]",
        areas=("gradients", "views"),
        steps=3,
    ),
    Mutant(
        id="CUS02",
        defect="only the gradient of a node's first output comes to its formula",
        source="Oneflow c2f98c0df7; MyGrad and dfdx (class)",
        file="engine.py",
        before="buffers.pop((node, nr) if nr else node, None) for nr in",
        after="None if nr else buffers.pop(node, None) for nr in",
        areas=("gradients", "functions", "views"),
        steps=3,
    ),
    Mutant(
        id="CUS03",
        defect="the gradients of a node's outputs come in the order in which they were pushed, not in that of the outputs",
        source="pytorch: Edge.input_nr; candle-org/candle #198 (class)",
        file="engine.py",
        before="    cts = [buffers.pop((node, nr) if nr else node, None) for nr in range(1 + max(node.more))]",
        after=(
            "    pushed = [k for k in reversed(buffers) if (k[0] if k.__class__ is tuple else k) is node] if several else ()\n"
            "    cts = [buffers.pop(k) for k in pushed] + [None] * (1 + max(node.more) - len(pushed))"
        ),
        areas=("gradients", "functions", "views"),
        steps=3,
    ),
    Mutant(
        id="CUS08",
        defect="a Function that returns its input gives the very input back, without its node",
        source="pytorch #39784",
        file="outputs.py",
        before="        out = _same_memory(out)\n",
        after="        return out\n",
        areas=("functions", "views", "identity"),
        steps=2,
    ),
    Mutant(
        id="CUS09",
        defect="an output marked as not differentiable requires grad all the same",
        source="pytorch #12631, #104291",
        file="outputs.py",
        before="any(out is t for t in ctx.non_differentiable or ())",
        after="False",
        areas=("functions", "requires_grad"),
        steps=2,
    ),
    Mutant(
        id="CUS10",
        defect="a gradient of a wrong shape from a Function is neither refused nor summed to the shape of the input",
        source="pytorch's checks of gradients; tinygrad 5ea3d76dfb (class)",
        file="function.py",
        before="else self._fit(g, target, nr, i))",
        after="else g)",
        areas=("functions", "errors", "broadcasting"),
        steps=3,
    ),
    Mutant(
        id="CUS11",
        defect="a wrong number of gradients from a Function is accepted, up to the shorter length",
        source="jax #34394; HIPS/autograd 5cc08c4 (class)",
        file="function.py",
        before="        if len(grads) != expected:",
        after="        if expected and not grads:",
        areas=("functions", "errors"),
        steps=3,
    ),
    Mutant(
        id="CUS13",
        defect="an output that a Function saved is held weakly: once the caller drops it, backward finds nothing",
        source="chainer/xchainer a5eb906929, 2fdbda7074",
        file="function.py",
        before="            entry = SavedResult(outs[nr]._array, outs[nr]._storage, nr)\n",
        after=(
            "            import weakref\n"
            "\n"
            "            entry = SavedResult(outs[nr]._array, outs[nr]._storage, nr)\n"
            "            weakref.finalize(outs[nr], lambda node=weakref.ref(ctx): node() and node().release())\n"
        ),
        areas=("functions", "lifetime"),
        steps=4,
    ),
)
