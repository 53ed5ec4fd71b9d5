"""The reference engine of this repository."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from conformance._version import __version__
from conformance.engines.torch_like import TorchLike, array
from conformance.errors import EngineUnavailable
from conformance.script import Script


class ReferenceScript(Script):
    """Torch's code with the reference engine under torch's name."""

    imports = ("import reference_engine as torch",)


class ReferenceEngine(TorchLike):
    """Autograd in pure Python and NumPy."""

    name: ClassVar[str] = "reference"
    script: ClassVar[type | None] = ReferenceScript

    def __init__(self) -> None:
        if int(np.__version__.partition(".")[0]) < 2:
            raise EngineUnavailable(
                f"the reference engine needs NumPy 2, not {np.__version__}: python3 -m pip install 'numpy>=2'"
            )
        import reference_engine

        super().__init__(reference_engine)

    def version(self) -> str:
        return __version__  # the two packages are released together

    # What is looked at most, without the ways round that only torch needs.

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        tensor = self._from_numpy(array(values, shape, dtype).copy())
        return tensor.requires_grad_() if requires_grad else tensor

    def gradient(self, tensor: Any) -> Any:
        if tensor._view is None and (tensor._meta is None or tensor._meta.grad is None):
            return None  # a view is asked further: looking at it may bring its history up to date, or be refused
        return super().gradient(tensor)

    def shape(self, tensor: Any) -> tuple[int, ...]:
        return tensor._array.shape  # type: ignore[no-any-return]

    @staticmethod
    def flags(tensor: Any) -> tuple[bool, bool]:
        if tensor._view is not None:
            return tensor.requires_grad, tensor.is_leaf
        edge = tensor._edge
        return tensor._rg, edge is None or edge[0].hidden
