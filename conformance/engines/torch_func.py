"""`torch.func`: programs as functions of their leaves, differentiated by `torch.func.vjp`, nested for higher orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from conformance.catalog import CATALOG
from conformance.engine import Category
from conformance.engines.functional import FunctionalEngine, Tensor
from conformance.engines.functional_script import FunctionalScript
from conformance.engines.torch_engine import TorchEngine
from conformance.engines.torch_like import categorize_message

# What torch.func says that it does not do: custom functions of the old kind, and checkpoints, which save by hooks.
LIMITS = (r"must override the setup_context staticmethod", r"torch\.func.*saved tensor hooks|saved_tensors_hooks")


class TorchFuncScript(FunctionalScript):
    """Programs as code of torch.func."""


class TorchFuncEngine(FunctionalEngine):
    """The transforms of torch.func on eager PyTorch."""

    name: ClassVar[str] = "torch-func"
    script: ClassVar[type | None] = TorchFuncScript
    ops: Mapping[str, str] = {name: op.torch for name, op in CATALOG.items() if not op.inplace}
    promotes: ClassVar[frozenset[str]] = frozenset({"floats", "numbers"})
    limits: ClassVar[tuple[str, ...]] = LIMITS

    def __init__(self) -> None:
        self.eager = TorchEngine()
        self.torch = self.eager.torch
        self.stop_gradient = self.torch.Tensor.detach
        names = {"torch": self.torch}
        for setup in dict.fromkeys(op.setup for op in CATALOG.values()):
            exec(setup, names)
        self.namespace = names

    def version(self) -> str:
        return self.eager.version()

    def asarray(self, array: np.ndarray[Any, Any]) -> Any:
        return self.torch.from_numpy(array.copy()) if array.size else self.torch.zeros(array.shape, dtype=self.dtype_of(array))

    def dtype_of(self, array: np.ndarray[Any, Any]) -> Any:
        """Torch's dtype for an array's."""
        return getattr(self.torch, array.dtype.name)

    def numpy(self, array: Any) -> np.ndarray[Any, Any]:
        return array.detach().clone().numpy()  # type: ignore[no-any-return]

    def vjp(self, function: Callable[..., list[Any]], primals: list[Any], cotangents: list[Any]) -> Sequence[Any]:
        _, pull = self.torch.func.vjp(lambda *arrays: tuple(function(*arrays)), *primals)
        return pull(tuple(cotangents))  # type: ignore[no-any-return]

    def dtype(self, tensor: Any) -> str:
        return str(tensor.array.dtype).removeprefix("torch.")

    def categorize(self, error: BaseException) -> Category:
        return categorize_message(str(error))

    def _narrower_rules(self, tensors: Sequence[Tensor]) -> bool:
        return False  # 0-dim operands are promoted as torch does
