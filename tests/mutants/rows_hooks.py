"""Defects of hooks and of retain_grad()."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="HOK01",
        defect="what a tensor hook returns is ignored",
        source="candle-org/candle #75, #363 (class)",
        file="hook_calls.py",
        before="                value = got\n                cts[nr] = got if create else got._array\n",
        after="",
        areas=("hooks",),
        steps=3,
    ),
    Mutant(
        id="HOK02",
        defect="a tensor hook that returns None takes the gradient away",
        source="pytorch #1269, #1727",
        file="hook_calls.py",
        before="                cts[nr] = got if create else got._array\n",
        after=(
            "                cts[nr] = got if create else got._array\n            else:\n                value = cts[nr] = None\n"
        ),
        areas=("hooks",),
        steps=3,
    ),
    Mutant(
        id="HOK03",
        defect="hooks of a tensor run last registered first",
        source="pytorch #85849",
        file="hook_calls.py",
        before="        for hook in list(dictionary.values()):",
        after="        for hook in reversed(list(dictionary.values())):",
        areas=("hooks", "order"),
        steps=4,
    ),
    Mutant(
        id="HOK10",
        defect="retain_grad() stays with the old node when its tensor is written in place",
        source="pytorch #79996, #117552, #92604",
        file="views.py",
        before="    if meta is not None and meta.retains and t._edge is not None:",
        after="    return\n    if meta is not None and meta.retains and t._edge is not None:",
        areas=("hooks", "accumulation", "views"),
        steps=5,
    ),
    Mutant(
        id="HOK11",
        defect="retain_grad() on a leaf adds its gradient a second time",
        source="Oneflow cbea1ad3d8",
        file="tensor.py",
        before="        if self._edge is None or (self._meta is not None and self._meta.retains):\n            return\n",
        after=(
            "        if self._meta is not None and self._meta.retains:\n"
            "            return\n"
            "        if self._edge is None:\n"
            "            itself = weakref.ref(self)\n"
            "\n"
            "            def add(g: Tensor) -> None:\n"
            "                leaf = itself()\n"
            "                leaf.grad = g.clone() if leaf.grad is None else leaf.grad + g\n"
            "\n"
            "            self.register_hook(add)\n"
            "            if self._meta is not None:\n"
            "                self._meta.retains = True\n"
            "            return\n"
        ),
        areas=("accumulation", "hooks"),
        steps=3,
    ),
    Mutant(
        id="HOK12",
        defect="retain_grad() on a tensor that is no leaf does not fill its .grad",
        source="candle-org/candle #291 (e523175)",
        file="hook_calls.py",
        before="        if variable is None or cts[nr] is None:",
        after="        if variable is None or cts[nr] is None or variable._edge is not None:",
        areas=("accumulation", "hooks"),
        steps=4,
    ),
    Mutant(
        id="HOK15",
        defect="the live table of hooks is walked, so that a hook may not remove itself",
        source="pytorch #58354, #61250",
        file="hook_calls.py",
        before="        for hook in list(dictionary.values()):",
        after="        for hook in dictionary.values():",
        areas=("hooks",),
        steps=3,
    ),
    Mutant(
        id="HOK17",
        defect="a hook may be registered on a tensor that requires no grad",
        source="Oneflow 765cd91c35; pytorch #107063",
        file="tensor.py",
        before=(
            'returns replaces the gradient."""\n'
            "        if not self.requires_grad:\n"
            '            raise errors.HookError("cannot register a hook on a tensor that doesn\'t require gradient")\n'
        ),
        after='returns replaces the gradient."""\n',
        areas=("hooks", "errors"),
        steps=2,
    ),
    Mutant(
        id="HOK19",
        defect="a hook may return a gradient of another shape",
        source="pytorch #61250",
        file="hook_calls.py",
        before="    if before._array.shape != after._array.shape:",
        after="    return\n    if before._array.shape != after._array.shape:",
        areas=("hooks", "errors"),
        steps=3,
    ),
    Mutant(
        id="HOK20",
        defect="the pre-hooks of a node run before the hooks of the tensor it made",
        source="pytorch #85849",
        file="engine.py",
        before=(
            "    if hooks is not None:\n"
            "        hook_calls.tensor_hooks(task, hooks, cts)\n"
            "    if node.__class__ is AccumulateGrad:\n"
            "        return hook_calls.sink(task, node, hooks, cts)\n"
            "    if hooks is not None and hooks.pre:\n"
            "        hook_calls.pre_hooks(task, hooks, cts)\n"
        ),
        after=(
            "    if hooks is not None and hooks.pre and node.__class__ is not AccumulateGrad:\n"
            "        hook_calls.pre_hooks(task, hooks, cts)\n"
            "    if hooks is not None:\n"
            "        hook_calls.tensor_hooks(task, hooks, cts)\n"
            "    if node.__class__ is AccumulateGrad:\n"
            "        return hook_calls.sink(task, node, hooks, cts)\n"
        ),
        areas=("hooks", "order"),
        steps=5,
    ),
)
