"""tinygrad (https://github.com/tinygrad/tinygrad): a lazy graph; nothing is computed until a value is read.

Reading a value replaces the graph under a tensor by its buffer, so a program is looked at when it has ended and not before. Where
its documented ways are not torch's:

* A tensor has no flags: every floating-point tensor in scope gets a gradient, results and constants too. Shown are the gradients
  of the leaves that a program marks, and of results after retain_grad(). There is no no_grad() either.
* A graph is never freed, and a write makes a new node of it: there is nothing to retain, no version, and no view shares memory
  with its base as torch's do.
* `backward()` takes one root; `gradient()` gives zeros where there is no path.
* Where other tensors use what is to be written by an index, it refuses.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from conformance.catalog.code import compile_code
from conformance.engine import Category, Engine, Unsupported
from conformance.engines.tinygrad_ops import OPS
from conformance.program import Apply, Backward, Grad, RetainGrad, ZeroGrad
from conformance.script import Script, nested, variable

UNUSED = "tinygrad gives zeros for an input that the root does not depend on"
WRITTEN = "tinygrad does not write into a tensor that others use"


class TinygradScript(Script):
    """Programs as plain tinygrad code."""

    imports: tuple[str, ...] = ("from tinygrad import Tensor, dtypes",)
    codes: Mapping[str, str] = OPS

    def show(self, difference: Any) -> str:
        name = variable(difference.slot)
        return f"{name}.grad.tolist()" if difference.facet == "grad" else super().show(difference)

    def tensor(self, values: Sequence[float], shape: Sequence[int], dtype: str, requires_grad: bool = False) -> str:
        if 0 in shape:
            return f"Tensor.zeros{tuple(shape)}.cast(dtypes.{dtype})"
        plain = dtype in ("int64", "bool")
        if not shape:
            return f"{self.tensor(values, (1,), dtype)}.reshape(())"
        return f"Tensor({nested([int(v) for v in values] if plain else values, shape)}, dtype=dtypes.{dtype})"

    def apply(self, step: Apply) -> list[str]:
        p = step.params
        picked = {
            "select": lambda: f"{p['index']}", "narrow": lambda: f"{p['start']}:{p['start'] + p['length']}",
            "index_select": lambda: variable(step.inputs[1]),
        }.get(step.op)  # fmt: skip
        if picked is None or p["dim"] < 0:
            return super().apply(step)
        return [f"{variable(step.outs[0])} = {variable(step.inputs[0])}[{':, ' * p['dim']}{picked()}]"]

    def retain_grad(self, step: RetainGrad) -> list[str]:
        return [f"pass  # every tensor retains its gradient, {variable(step.target)} too"]

    def backward(self, step: Backward) -> list[str]:
        gradients = [self.gradient(g, r, step.shape) for g, r in zip(step.gradients, step.roots, strict=False)]
        return [f"{variable(step.roots[0])}.backward({', '.join(gradients)})"]

    def grad(self, step: Grad) -> list[str]:
        arguments = [variable(i) for i in step.inputs]
        arguments += [f"gradient={self.gradient(g, r, None)}" for g, r in zip(step.gradients, step.roots, strict=False)]
        return [f"{', '.join(map(variable, step.outs))}, = {variable(step.roots[0])}.gradient({', '.join(arguments)})"]

    def zero_grad(self, step: ZeroGrad) -> list[str]:
        name = variable(step.target)
        return [f"{name}.grad = None"] if step.set_to_none else [f"{name}.grad.assign({name}.grad.zeros_like())"]


class TinygradEngine(Engine):
    """The released tinygrad, on the CPU where clang is there, else interpreted in Python."""

    name: ClassVar[str] = "tinygrad"
    home: ClassVar[str] = "https://github.com/tinygrad/tinygrad"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = TinygradScript
    ops: Mapping[str, str] = OPS
    schedules: ClassVar[tuple[str, ...]] = ("quick",)
    slow: ClassVar[bool] = True
    traits: ClassVar[frozenset[str]] = frozenset({"higher-order", "accumulation", "unsaved-graphs"})

    def __init__(self) -> None:
        if shutil.which(os.environ.get("CC", "clang")) is None:
            os.environ.setdefault("DEV", "PYTHON")
        import tinygrad

        self.tinygrad: Any = tinygrad
        self.tensor: Any = tinygrad.Tensor
        self._dtypes = {name: getattr(tinygrad.dtypes, name) for name in self.dtypes}
        self._dtype_names = {dtype: name for name, dtype in self._dtypes.items()}
        self.namespace = {"Tensor": tinygrad.Tensor, "dtypes": tinygrad.dtypes, "slice": slice}
        self.begin()

    def version(self) -> str:
        from importlib.metadata import version

        return f"{version('tinygrad')} on {self.tinygrad.Device.DEFAULT}"

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {name: self._refusing(compile_code(code, self.namespace)) for name, code in self.ops.items()}

    def _refusing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call; what tinygrad refuses since it is lazy is no verdict."""

        def run(*operands: Any, **params: Any) -> Any:
            try:
                return call(*operands, **params)
            except RuntimeError as error:
                if "can't setitem on a tensor with other uses" in str(error):
                    raise Unsupported(WRITTEN) from None
                raise

        return run

    # -- steps ----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self._shown: list[Any] = []  # tensors whose gradients are shown: leaves, and what was told to retain_grad

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        tensor = self.tensor(np.array(values, dtype=dtype).reshape(shape or (1,)))
        if not shape:  # made of a number it would be a constant on no device, which gets no gradient
            tensor = tensor.reshape(())
        if requires_grad:
            self._shown.append(tensor)
        return tensor

    def detach(self, tensor: Any) -> Any:
        return tensor.detach()

    def retain_grad(self, tensor: Any) -> None:
        if tensor.grad is not None:
            raise Unsupported("tinygrad retains every gradient: also one that came before retain_grad()")
        self._shown.append(tensor)

    def copy(self, tensor: Any) -> Any:
        return tensor.clone()

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        if len(roots) > 1 or inputs is not None:
            raise Unsupported("tinygrad has no backward of several roots, or to some inputs alone")
        roots[0].backward(None if gradients is None else gradients[0])

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        if len(roots) > 1:
            raise Unsupported("tinygrad has no gradient() of several roots")
        reached = roots[0].uop.toposort()
        if any(tensor.uop not in reached for tensor in inputs):
            raise Unsupported(UNUSED)
        return roots[0].gradient(*inputs, gradient=None if gradients is None else gradients[0])  # type: ignore[no-any-return]

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        if set_to_none:
            tensor.grad = None
        elif tensor.grad is not None:
            tensor.grad.assign(tensor.grad.zeros_like())

    # -- observables ----------------------------------------------------------------------------------------------------

    def value(self, tensor: Any) -> Any:
        # A constant is on no device, and would be read by the compiler of the CPU's.
        return tensor.tolist() if tensor.device is not None else tensor.clone(device=self.tinygrad.Device.DEFAULT).tolist()

    def shape(self, tensor: Any) -> tuple[int, ...]:
        return tuple(tensor.shape)

    def dtype(self, tensor: Any) -> str:
        return self._dtype_names.get(tensor.dtype) or str(tensor.dtype)

    def gradient(self, tensor: Any) -> Any:
        return tensor.grad if any(tensor is shown for shown in self._shown) else None

    def categorize(self, error: BaseException) -> Category:
        message = str(error)
        if "backward must be called on a scalar tensor" in message:
            return Category.NON_SCALAR_ROOT
        if "grad shape must match tensor shape" in message:
            return Category.GRADIENT_SHAPE
        return Category.OTHER
