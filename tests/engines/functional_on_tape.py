"""A functional engine that is right: the reference engine's arrays, and its tape behind a vjp that nobody sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import reference_engine as torch
from conformance.catalog import CATALOG
from conformance.engines.functional import FunctionalEngine

LEFT_OUT = ("inplace", "checkpoint", "function")


class FunctionalOnTape(FunctionalEngine):
    """Everything that is a function."""

    name: ClassVar[str] = "functional-on-tape"
    ops: Mapping[str, str] = {
        name: op.torch for name, op in CATALOG.items() if not (op.inplace or op.new_leaf or op.setup or op.chapter in LEFT_OUT)
    }
    promotes: ClassVar[frozenset[str]] = frozenset({"floats", "numbers"})
    namespace: ClassVar[Mapping[str, Any]] = {"torch": torch}

    stop_gradient: Any = staticmethod(lambda array: array.detach())

    def asarray(self, array: np.ndarray[Any, Any]) -> Any:
        return torch.from_numpy(array.copy())

    def numpy(self, array: Any) -> np.ndarray[Any, Any]:
        return array.detach().numpy()  # type: ignore[no-any-return]

    def dtype(self, tensor: Any) -> str:
        return str(tensor.array.dtype).removeprefix("torch.")

    def vjp(self, function: Callable[..., list[Any]], primals: list[Any], cotangents: list[Any]) -> Sequence[Any]:
        inputs = [p.clone() if p.requires_grad else p.detach().requires_grad_() for p in primals]
        results = function(*inputs)
        recorded = [(r, c) for r, c in zip(results, cotangents, strict=True) if r.requires_grad]
        if not recorded:
            return [torch.zeros_like(p) for p in primals]
        roots, seeds = zip(*recorded, strict=True)
        found = torch.autograd.grad(roots, inputs, seeds, create_graph=True, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for g, p in zip(found, inputs, strict=True)]
