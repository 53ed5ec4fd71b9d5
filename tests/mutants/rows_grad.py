"""Defects of grad() and backward() as they are called: roots, inputs, gradient arguments."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="API01",
        defect="grad() is a full backward: it also writes the .grad of leaves",
        source="pytorch #47061; Oneflow #9390",
        file="engine.py",
        before="    task.execute = execute\n",
        after="    task.execute = execute if into_leaves else None\n",
        areas=("grad", "accumulation"),
        steps=2,
    ),
    Mutant(
        id="API04",
        defect="grad() gives zeros, not None, for an input that was not used",
        source="tensorflow #783, #26808; pytorch #97015",
        file="autograd/__init__.py",
        before="        if materialize_grads:\n            found[i]",
        after="        if allow_unused:\n            found[i]",
        areas=("grad",),
        steps=3,
    ),
    Mutant(
        id="API06",
        defect="backward(inputs=[t]) fills the .grad of leaves only",
        source="pytorch #60268, #60521, #79708",
        file="autograd/__init__.py",
        before="                x.retain_grad()\n",
        after="                pass\n",
        areas=("accumulation", "roots"),
        steps=3,
    ),
    Mutant(
        id="API07",
        defect="the gradient argument is ignored: ones are used",
        source="pytorch: contract of the vjp; chainer 4dd002f14b (class)",
        file="autograd/__init__.py",
        before="    return seeds\n",
        after="    return [seed if given is None else seed.new_ones(seed.shape) for seed, given in zip(seeds, gradients)]\n",
        areas=("roots", "gradients", "grad"),
        steps=2,
    ),
    Mutant(
        id="API09",
        defect="a gradient argument of a wrong shape is broadcast, not refused",
        source="jax #7238; pytorch's checks of gradients",
        file="autograd/__init__.py",
        before="    if given._array.shape != shape:",
        after=(
            "    if given.dim() <= len(shape) and all(a in (1, b) for a, b in zip(given.shape[::-1], shape[::-1])):\n"
            "        given = given.expand(shape)\n"
            "    if given._array.shape != shape:"
        ),
        areas=("roots", "errors"),
        steps=2,
    ),
    Mutant(
        id="API11",
        defect="grad() by an intermediate and by a leaf below it stops at the intermediate",
        source="pytorch #51940; AutoGrad.jl #75 (class)",
        file="engine.py",
        before="    task.execute = execute\n",
        after="    task.execute = execute if into_leaves else execute.difference(node for node, _ in inputs)\n",
        areas=("grad",),
        steps=3,
    ),
    Mutant(
        id="API12",
        defect="of an input given twice to grad() the second gets no gradient",
        source="jax 28672970bb; pytorch #181146 (class)",
        file="engine.py",
        before="            task.captures.setdefault(node, []).append((nr, i))",
        after=(
            "            places = task.captures.setdefault(node, [])\n"
            "            if all(nr != other for other, _ in places):\n"
            "                places.append((nr, i))"
        ),
        areas=("grad",),
        steps=2,
    ),
    Mutant(
        id="API13",
        defect="of several roots only the first is differentiated",
        source="pytorch: contract of backward(tensors, grad_tensors); mlx f27ec5e09 (class)",
        file="autograd/__init__.py",
        before="    return edges\n",
        after="    return edges[:1]\n",
        areas=("roots", "gradients", "grad"),
        steps=3,
    ),
    Mutant(
        id="API17",
        defect="a leaf that is reached by no gradient gets zeros in .grad",
        source="pytorch #41821 (class)",
        file="engine.py",
        before=(
            "            if holder[0] is None:\n"
            "                node.taken()\n"
            "            else:\n"
            "                node.take(holder, create)\n"
        ),
        after=(
            "            if holder[0] is None:\n"
            "                zeros = node.variable.new_zeros(node.shape)\n"
            "                holder[0] = zeros if create else zeros._array\n"
            "            node.take(holder, create)\n"
        ),
        areas=("functions", "accumulation", "gradients"),
        steps=3,
    ),
)
