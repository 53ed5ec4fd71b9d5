"""Defects of what is accumulated."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="ACC01",
        defect="a first gradient is kept without a copy: .grad is the very memory of the caller's gradient",
        source="candle-org/candle PR #363, commit 7c940ef",
        file="graph.py",
        before="getrefcount(cotangent) <= ALONE",
        after="True",
        areas=("identity", "accumulation"),
        steps=4,
    ),
    Mutant(
        id="ACC02",
        defect="two leaves whose op hands both the same array share one .grad",
        source="rsokl/MyGrad commit 407b2764",
        file="graph.py",
        before="getrefcount(cotangent) <= ALONE",
        after="getrefcount(cotangent) <= ALONE + 1",
        areas=("identity", "accumulation"),
        steps=4,
    ),
    Mutant(
        id="ACC03",
        defect="a gradient is added in place to an array that another edge still holds",
        source="Oneflow #8248 and PR #6146, commit 18baa096d7; candle-org 2a062e1",
        file="engine.py",
        before="    if key in own and ",
        after="    if seen.__class__ is ndarray and seen.flags.writeable and ",
        areas=("gradients", "identity", "accumulation"),
        steps=4,
    ),
    Mutant(
        id="ACC07",
        defect="backward does not add to a .grad that the user assigned",
        source="Oneflow PR #8575",
        file="leaves.py",
        before="Tensor.grad = Tensor._grad = property(_get_grad, _set_grad, _delete_grad, ",
        after="""\
def _get_either(self: Tensor) -> Any:
    assigned = self.__dict__.get("assigned")
    return _get_grad(self) if assigned is None or self._meta.grad is not None else assigned


def _set_apart(self: Tensor, value: Any) -> None:
    _set_grad(self, value)
    self.__dict__["assigned"], self._meta.grad = value, None


def _delete_both(self: Tensor) -> None:
    _delete_grad(self)
    self.__dict__.pop("assigned", None)


Tensor.grad = Tensor._grad = property(_get_either, _set_apart, _delete_both, """,
        areas=("accumulation", "identity"),
        steps=4,
    ),
    Mutant(
        id="ACC08",
        defect="assigning .grad adds to the old value",
        source="tracel-ai/burn commit a25f8b224",
        file="leaves.py",
        before="    self._meta.grad = value\n",
        after="    self._meta.grad = value if value is None or self._meta.grad is None else self._meta.grad + value\n",
        areas=("accumulation", "identity"),
        steps=4,
    ),
    Mutant(
        id="ACC11",
        defect="backward itself is recorded: .grad requires grad and holds the graph",
        source="huggingface/candle commit 60fdab4e1 (#1241, #1243)",
        file="engine.py",
        before="    task = GraphTask()\n",
        after="    create = True\n    task = GraphTask()\n",
        areas=("accumulation", "requires_grad", "grad", "lifetime", "hooks", "grad_modes"),
        steps=3,
    ),
    Mutant(
        id="ACC13",
        defect="a gradient of zeros is taken for none",
        source="tinygrad commit 4552248c84",
        file="engine.py",
        before="            if newest is None and not nr and ",
        after="""\
            if grad is not None and not getattr(grad, "_array", grad).any():
                grad = None
            if newest is None and not nr and """,
        areas=("accumulation", "gradients", "grad", "empty", "roots"),
        steps=2,
    ),
    Mutant(
        id="ACC15",
        defect="a gradient without dimensions becomes a bare number",
        source="chainer commit 67a3a2b77c; MyGrad 2.0.2",
        file="graph.py",
        before="            meta.grad = _t.wrap(_own(",
        after="            meta.grad = cotangent if isinstance(cotangent, np.generic) else _t.wrap(_own(",
        areas=("accumulation", "gradients", "errors"),
        steps=3,
    ),
)
