"""Defects of what nodes save, and of how long the graph lives."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="SAV02",
        defect="backward does not free what the nodes saved",
        source="tinygrad #5701 (class)",
        file="engine.py",
        before="            node.release()",
        after="            pass",
        areas=("lifetime",),
        steps=4,
    ),
    Mutant(
        id="SAV05",
        defect="grad() with inputs also frees the nodes that it did not run",
        source="pruning of grad(inputs) in pytorch; burn's cleanup (class)",
        file="engine.py",
        before="    return task.captured",
        after="    for node in () if keep else task.waiting:\n        node.release()\n    return task.captured",
        areas=("lifetime", "grad"),
        steps=5,
    ),
    Mutant(
        id="SAV06",
        defect="an operand gets a gradient only if what the unpack hook gave back for it requires grad, which it never does",
        source="candle-org/candle #130",
        file="ops/compile.py",
        before='        text += [f"    n, nr = node.edges[{i}]", f"    if n is None: g{i} = None"',
        after=(
            "        own = [k for k, entry in enumerate(row.plan) if entry[1] == i]\n"
            "        fresh = ''.join(f\" or hasattr(saved[{k}], 'unpack_hook')\" for k in own)\n"
            '        text += [f"    n, nr = node.edges[{i}]", f"    if n is None{fresh}: g{i} = None"'
        ),
        areas=("saved_hooks", "gradients"),
        steps=5,
    ),
    Mutant(
        id="SAV08",
        defect="a global tape holds every node, so that the graph outlives its outputs",
        source="tracel-ai/burn 07a61a1ce, 0592af0e8; HIPS/autograd 84b45a1",
        file="graph.py",
        before="    def meta(self, nr: int) -> tuple:",
        after=(
            "    tape: list = []\n"
            "\n"
            "    def __setattr__(self, name: str, value: Any) -> None:\n"
            "        object.__setattr__(self, name, value)\n"
            '        if name == "order" and not self.hidden:\n'
            "            self.tape.append(self)\n"
            "\n"
            "    def meta(self, nr: int) -> tuple:"
        ),
        areas=("lifetime", "saved_hooks"),
        steps=4,
    ),
    Mutant(
        id="SAV10",
        defect="whether an operand gets a gradient is asked at backward: one made differentiable after its use gets one",
        source="chainer cae67ea527 (class)",
        file="ops/compile.py",
        before='f"else: e{i} = NO_EDGE"]',
        after=(
            'f"elif {i} and isinstance({x}, Tensor) and {x}.is_floating_point() and {x}._edge is None: "\n'
            '                     f"{x}._rg = True; e{i} = edge_of({x}); {x}._rg = False; n{i} = True",\n'
            '                     f"else: e{i} = NO_EDGE"]'
        ),
        areas=("requires_grad", "accumulation", "lifetime"),
        steps=5,
    ),
    Mutant(
        id="SAV12",
        defect="of nested saved-tensor hooks all are applied, not the innermost pair only",
        source="pytorch #61834; candle-org/candle #75 (class)",
        file="saved.py",
        before="    return Packed(entry, *state.pack_hooks[-1]), None",
        after=(
            "    pairs = list(state.pack_hooks)\n"
            "\n"
            "    def pack_all(x: Any) -> Any:\n"
            "        for one, _ in reversed(pairs):\n"
            "            x = one(x)\n"
            "        return x\n"
            "\n"
            "    def unpack_all(x: Any) -> Any:\n"
            "        for _, one in pairs:\n"
            "            x = one(x)\n"
            "        return x\n"
            "\n"
            "    return Packed(entry, pack_all, unpack_all), None"
        ),
        areas=("saved_hooks",),
        steps=6,
    ),
)
