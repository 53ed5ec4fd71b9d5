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
        self._run_backward = torch.autograd.Variable._execution_engine.run_backward
        with warnings.catch_warnings():  # torch warns once of the cycle that create_graph makes between a leaf and its gradient
            warnings.simplefilter("ignore")
            torch.ones((), requires_grad=True).square().backward(create_graph=True)

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        if inputs is None and gradients is not None and all(map(_fits, gradients, roots)):
            # What torch.autograd.backward does with complete gradients, without 13 us of checks in Python.
            keep = create_graph if retain_graph is None else retain_graph
            self._run_backward(
                tuple(roots), tuple(gradients), keep, create_graph, (), allow_unreachable=True, accumulate_grad=True
            )
        else:
            super().backward(roots, gradients, retain_graph, create_graph, inputs)


def _fits(gradient: Any, root: Any) -> bool:
    """Whether a gradient is there and has its root's shape."""
    return gradient is not None and gradient.shape == root.shape
