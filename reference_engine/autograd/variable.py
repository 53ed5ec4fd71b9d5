"""torch.autograd.Variable: the old name of Tensor, and the door to the engine."""

from __future__ import annotations

from typing import Any

from .. import engine
from ..modes import state
from ..tensor import Tensor


class _ExecutionEngine:
    """What `Variable._execution_engine` offers."""

    queue_callback = staticmethod(engine.queue_callback)

    @staticmethod
    def is_checkpoint_valid() -> bool:
        """Whether a reentrant checkpoint may run its backward: not within grad() or backward(inputs=...)."""
        return not state.tasks or state.tasks[-1].execute is None

    @staticmethod
    def run_backward(
        tensors: Any, grad_tensors: Any, keep_graph: bool, create_graph: bool, inputs: Any = (),
        allow_unreachable: bool = False, accumulate_grad: bool = True,
    ) -> Any:  # fmt: skip
        """backward() or grad(), by the name that torch's own Python calls."""
        from . import backward, grad

        if accumulate_grad:
            return backward(tensors, grad_tensors, keep_graph, create_graph, inputs=inputs or None)
        return grad(tensors, inputs, grad_tensors, keep_graph, create_graph, allow_unused=allow_unreachable)


class _VariableMeta(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=_VariableMeta):
    """Tensor under its old name."""

    _execution_engine = _ExecutionEngine()

    def __new__(cls, data: Tensor, requires_grad: bool = False) -> Any:
        out = data.detach()
        out.requires_grad = requires_grad
        return out
