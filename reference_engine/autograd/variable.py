"""torch.autograd.Variable: the old name of Tensor, and the door to the engine."""

from __future__ import annotations

from typing import Any

from .. import engine
from ..tensor import Tensor


class _ExecutionEngine:
    """What `Variable._execution_engine` offers."""

    queue_callback = staticmethod(engine.queue_callback)


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
