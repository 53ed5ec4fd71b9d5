"""PyTorch itself: the oracle, and an engine like any other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

from conformance.engines.torch_like import TorchLike
from conformance.errors import EngineUnavailable

OLDEST = (2, 4)


class TorchEngine(TorchLike):
    """Eager PyTorch on the CPU, one thread."""

    name: ClassVar[str] = "torch"

    def __init__(self) -> None:
        import torch

        found = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))
        if found < OLDEST:
            raise EngineUnavailable(
                f"torch {torch.__version__} is too old: torch {OLDEST[0]}.{OLDEST[1]} or newer is needed: python3 -m pip install -U torch"
            )
        torch.set_num_threads(1)
        warnings.filterwarnings("ignore", module=r"torch\b")
        warnings.filterwarnings("ignore", message=r".*(non-leaf|create_graph=True|gradient argument).*")
        super().__init__(torch)

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        if not create_graph:
            super().backward(roots, gradients, retain_graph, create_graph, inputs)
            return
        with warnings.catch_warnings():  # torch warns of the cycle that create_graph makes between a leaf and its gradient
            warnings.simplefilter("ignore")
            super().backward(roots, gradients, retain_graph, create_graph, inputs)
