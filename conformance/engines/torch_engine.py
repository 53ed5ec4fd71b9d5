"""PyTorch itself: the oracle, and an engine like any other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from conformance.engines.torch_like import TorchLike
from conformance.errors import EngineUnavailable

OLDEST = (2, 4)


class TorchEngine(TorchLike):
    """Eager PyTorch on the CPU, one thread."""

    name: ClassVar[str] = "torch"
    home: ClassVar[str] = "https://github.com/pytorch/pytorch"
    issues: ClassVar[str] = f"{home}/issues"

    def __init__(self) -> None:
        import torch

        found = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))
        if found < OLDEST:
            raise EngineUnavailable(
                f"torch {torch.__version__} is too old: torch {OLDEST[0]}.{OLDEST[1]} or newer is needed: "
                "python3 -m pip install -U torch"
            )
        torch.set_num_threads(1)
        super().__init__(torch)
        self._circular = False  # whether a gradient may have a history
        self._run_backward = torch.autograd.Variable._execution_engine.run_backward
        with warnings.catch_warnings():  # torch warns once of the cycle that create_graph makes between a leaf and its gradient
            warnings.simplefilter("ignore")
            torch.ones((), requires_grad=True).square().backward(create_graph=True)

    def begin(self) -> None:
        super().begin()
        self._circular = False

    # Both differentiations do what torch.autograd's functions do, without the 13 us that these spend in Python on the cases that
    # no program makes. Gradients that they would refuse are left to them.

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        seeds = self.seeds(roots, gradients)
        self._circular = self._circular or create_graph
        if seeds is None or inputs == []:
            return super().backward(roots, gradients, retain_graph, create_graph, inputs)
        keep = create_graph if retain_graph is None else retain_graph
        if inputs is None:
            named = ()
        else:
            named, self._named = tuple(inputs), True
        self._run_backward(tuple(roots), seeds, keep, create_graph, named, allow_unreachable=True, accumulate_grad=True)

    def end(self, tensors: Iterable[Any]) -> None:
        """A gradient with a history holds the leaf that holds it; torch does not see such a cycle, so it is cut here."""
        if self._circular:
            for tensor in tensors:
                tensor.grad = None

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        seeds = self.seeds(roots, gradients)
        if seeds is None or not inputs:
            return super().grad(roots, inputs, gradients, retain_graph, create_graph, allow_unused)
        keep = create_graph if retain_graph is None else retain_graph
        return self._run_backward(  # type: ignore[no-any-return]
            tuple(roots), seeds, keep, create_graph, tuple(inputs), allow_unused, accumulate_grad=False
        )

    def value(self, tensor: Any) -> Any:
        try:
            return tensor.tolist()
        except RuntimeError:  # zeros without memory, such as the derivative of a sign
            return tensor.clone().tolist()

    def address(self, tensor: Any) -> int:
        try:
            return super().address(tensor)
        except RuntimeError:  # zeros without memory share it with nobody
            return id(tensor)

    def seeds(self, roots: Sequence[Any], gradients: Sequence[Any] | None) -> tuple[Any, ...] | None:
        """The gradients that torch.autograd would hand to its engine; None where it would refuse or has to think."""
        seeds = []
        for number, root in enumerate(roots):
            gradient = None if gradients is None else gradients[number]
            if gradient is None:
                if not root.requires_grad or root.numel() != 1:
                    return None
                gradient = self.torch.ones_like(root)
            elif gradient.shape != root.shape:
                return None
            seeds.append(gradient)
        return tuple(seeds)
