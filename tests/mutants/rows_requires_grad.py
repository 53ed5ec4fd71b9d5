"""Defects of which tensors require grad, and of constants among the operands."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="REQ02",
        defect="gradients are matched to the operands left after dropping the constants, so that their places shift",
        source="chainer/xchainer f90e8f1d14; chainer e85a03863f; Oneflow 183bcfc527",
        file="engine.py",
        before="        edges = node.edges\n",
        after="        edges = [edge for edge in node.edges if edge[0] is not None]\n",
        areas=("requires_grad", "gradients", "accumulation"),
        steps=4,
    ),
    Mutant(
        id="REQ03",
        defect="a constant operand gets a .grad",
        source="Oneflow 183bcfc527; lightning-thunder 4fe82d22f",
        file="ops/compile.py",
        before='f"else: e{i} = NO_EDGE"]',
        after=(
            'f"elif isinstance({x}, Tensor) and {x}.is_floating_point() and {x}._edge is None: "\n'
            '                     f"twin = {x}.detach(); twin._rg = True; {x}.grad = {x}.grad; twin._meta = {x}._meta; "\n'
            '                     f"e{i} = edge_of(twin); n{i} = True",\n'
            '                     f"else: e{i} = NO_EDGE"]'
        ),
        areas=("requires_grad", "accumulation"),
        steps=4,
    ),
    Mutant(
        id="REQ04",
        defect="every output of an op whose operand requires grad is marked: comparisons, indices and integer casts too",
        source="chainer 80f9f34ff4; candle 635012d77; tinygrad 0dba34b81c",
        file="ops/compile.py",
        before='    text += ["    o._rg = False",',
        after='    text += [f"    o._rg = state.grad and {names[0]}.requires_grad",',
        areas=("requires_grad",),
        steps=2,
    ),
    Mutant(
        id="REQ07",
        defect="a cast to the tensor's own dtype gives a detached alias instead of the tensor itself",
        source="chainer 7484a0d60a",
        file="ops/cast.py",
        before="        return CLONE(self) if copy else self\n",
        after="        return CLONE(self) if copy else self.detach()\n",
        areas=("requires_grad", "gradients", "identity"),
        steps=2,
    ),
    Mutant(
        id="REQ08",
        defect="creation functions ignore requires_grad=True",
        source="tinygrad aa9462c29b, 09fd80fba6; candle-org/candle #286",
        file="ops/create.py",
        before="    t = wrap(array)\n",
        after="    t, requires_grad = wrap(array), False\n",
        areas=("requires_grad",),
        steps=1,
    ),
    Mutant(
        id="REQ09",
        defect="zeros_like, ones_like and empty_like inherit requires_grad from their prototype",
        source="candle-org/candle #286; tinygrad 09fd80fba6 (class)",
        file="ops/create.py",
        before="_on(device, _finish(fresh, requires_grad))",
        after='_on(device, _finish(fresh, requires_grad or (x.requires_grad and fresh.dtype.kind in "fc")))',
        areas=("requires_grad",),
        steps=2,
    ),
    Mutant(
        id="REQ14",
        defect="the array of a tensor that requires grad can be taken out without a refusal",
        source="pytorch's refusal of numpy(); MyGrad's memory guard (class)",
        file="ops/operators.py",
        before=(
            "        raise errors.AutogradError("
            '"Can\'t call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")\n'
        ),
        after="        pass\n",
        areas=("errors", "requires_grad", "grad_modes"),
        steps=2,
    ),
)
