"""micrograd (https://github.com/karpathy/micrograd): scalars with a tape, in 94 lines.

Its gradients start at 0 and its graphs are never freed; every Value gets a gradient, and `backward()` takes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from conformance.engine import Engine
from conformance.program import Backward, ZeroGrad
from conformance.script import Script, variable

OPS: dict[str, str] = {
    "neg": "-a", "add_scalar": "a + value", "mul_scalar": "a * value", "rsub_scalar": "value - a", "div_scalar": "a / value",
    "rdiv_scalar": "value / a", "pow_scalar": "a ** exponent", "pow_fractional": "a ** exponent", "pow_one": "a ** 1.0",
    "pow_zero": "a ** 0.0", "square": "a ** 2", "sqrt": "a ** 0.5", "rsqrt": "a ** -0.5", "reciprocal": "a ** -1",
    "clone": "a * 1.0", "relu": "a.relu()", "add": "a + b", "mul": "a * b", "sub": "a - b", "div": "a / b", "rsub": "b - a",
    "add_alpha": "a + b * alpha", "sub_alpha": "a - b * alpha", "addcmul": "a + b * c * value", "addcdiv": "a + b / c",
    "addcdiv_value": "a + b / c * value", "lerp": "a + c * (b - a)", "mul_with_itself": "a * a - b * b",
}  # fmt: skip


class MicrogradScript(Script):
    """Programs as plain micrograd code."""

    imports: tuple[str, ...] = ("from micrograd.engine import Value",)
    codes: Mapping[str, str] = OPS

    def show(self, difference: Any) -> str:
        name = variable(difference.slot)
        return f"{name}.data" if difference.facet == "value" else super().show(difference)

    def tensor(self, values: Sequence[float], shape: Sequence[int], dtype: str, requires_grad: bool = False) -> str:
        return f"Value({values[0]})"

    def backward(self, step: Backward) -> list[str]:
        return [f"{variable(step.roots[0])}.backward()"]

    def zero_grad(self, step: ZeroGrad) -> list[str]:
        return [f"{variable(step.target)}.grad = 0"]


class MicrogradEngine(Engine):
    """The released micrograd."""

    name: ClassVar[str] = "micrograd"
    home: ClassVar[str] = "https://github.com/karpathy/micrograd"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = MicrogradScript
    ops: Mapping[str, str] = OPS
    dtypes: ClassVar[tuple[str, ...]] = ("float64",)
    ranks: ClassVar[tuple[int, ...] | None] = (0,)
    traits: ClassVar[frozenset[str]] = frozenset({"accumulation", "unsaved-graphs"})

    def __init__(self) -> None:
        from micrograd.engine import Value

        self.Value: Any = Value

    def version(self) -> str:
        from importlib.metadata import version

        return version("micrograd")

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        return self.Value(values[0])

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        self.only_plain(roots, gradients, retain_graph, create_graph, inputs)
        roots[0].backward()

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        tensor.grad = 0

    def value(self, tensor: Any) -> Any:
        return float(getattr(tensor, "data", tensor))  # a gradient is a number

    def shape(self, tensor: Any) -> tuple[int, ...]:
        return ()

    def gradient(self, tensor: Any) -> Any:
        return tensor.grad
