"""PyTorch on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar

from conformance.engines.torch_engine import TorchEngine
from conformance.errors import EngineUnavailable
from conformance.script import Script, variable


class CudaScript(Script):
    """Torch's code with tensors on the GPU."""

    imports = ("import torch", "torch.set_default_device('cuda')")

    def export(self, step: Any) -> list[str]:
        return [f"{variable(step.target)}.cpu().numpy()"]


class TorchCudaEngine(TorchEngine):
    """Eager PyTorch with every tensor on the GPU."""

    name: ClassVar[str] = "torch-cuda"
    script: ClassVar[type | None] = CudaScript
    device: ClassVar[str] = "cuda"

    def __init__(self) -> None:
        super().__init__()
        if not self.is_there():
            raise EngineUnavailable(f"{self.name} needs a GPU that torch {self.torch.__version__} can use: it finds none")

    def is_there(self) -> bool:
        """Whether torch finds the device."""
        return bool(self.torch.cuda.is_available())

    def version(self) -> str:
        return f"{super().version()} on {self.torch.cuda.get_device_name()}"

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {name: self._on_device(call) for name, call in super().calls().items()}

    def _on_device(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with what it creates on the device too. The default is not changed: the oracle shares this process."""

        @wraps(call)
        def on_device(*operands: Any, **params: Any) -> Any:
            with self.torch.device(self.device):
                return call(*operands, **params)

        return on_device

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        tensor = super().leaf(values, shape, dtype, requires_grad=False).to(self.device)
        return tensor.requires_grad_() if requires_grad else tensor

    def export(self, tensor: Any) -> Any:
        return tensor.cpu().numpy().tolist()
