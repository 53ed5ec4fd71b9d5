"""Chainer (https://github.com/chainer/chainer): a tape over NumPy arrays; its last release is 7.8.1.

Where its documented ways are not torch's, a program that depends on them is Unsupported:

* A graph is kept as long as something refers to it: nothing is freed, and nothing refused, by a second backward.
* In-place operators make a new Variable. Arrays may be edited, unchecked, behind the graph's back: there is no in-place op.
* A view is a Variable with a history over the same array; as none can be written, "aliases" is not promised.
* `requires_grad` says whether a Variable may get a gradient, not whether it has a history: results made in no_backprop_mode()
  and gradients have it too, and get gradients. Flags are not shown, "leaf-gradients" is not promised, and reshaping to the same
  shape gives the Variable itself. Backward of what has no history does nothing.
* Operands of two dtypes are refused. Hooks are on functions: there are none here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np

from conformance.engine import Category, Engine, Unsupported
from conformance.engines.chainer_ops import OPS
from conformance.program import Backward, Detach, Enter, Grad, ZeroGrad
from conformance.script import IndexingScript, nested, variable

NO_HISTORY = "chainer's backward of what has no history does nothing"
MIXED = "chainer's operands are of one dtype"


class ChainerScript(IndexingScript):
    """Programs as plain Chainer code."""

    imports: tuple[str, ...] = ("import numpy as np", "import chainer", "import chainer.functions as F")
    codes: Mapping[str, str] = OPS

    def show(self, difference: Any) -> str:
        name = variable(difference.slot)
        return f"{name}.array" if difference.facet == "value" else super().show(difference)

    def array(self, values: Sequence[float], shape: Sequence[int], dtype: str) -> str:
        """An expression that makes an array."""
        plain = dtype in ("int64", "bool")
        data = nested([int(v) for v in values] if plain else values, shape)
        return f"np.zeros({tuple(shape)}, {dtype!r})" if 0 in shape else f"np.array({data}, {dtype!r})"

    def tensor(self, values: Sequence[float], shape: Sequence[int], dtype: str, requires_grad: bool = False) -> str:
        plain = dtype in ("int64", "bool")
        flag = "" if requires_grad or plain else ", requires_grad=False"
        return f"chainer.Variable({self.array(values, shape, dtype)}{flag})"

    def detach(self, step: Detach) -> list[str]:
        return [f"{variable(step.out)} = chainer.Variable({variable(step.source)}.array, requires_grad=False)"]

    def enter(self, step: Enter) -> list[str]:
        return ["with chainer.no_backprop_mode():" if step.mode == "no_grad" else "with chainer.force_backprop_mode():"]

    def backward(self, step: Backward) -> list[str]:
        root = variable(step.roots[0])
        given = [self.gradient(g, r, step.shape) for g, r in zip(step.gradients, step.roots, strict=False)]
        return [*(f"{root}.grad_var = {gradient}" for gradient in given), f"{root}.backward()"]

    def grad(self, step: Grad) -> list[str]:
        names = [", ".join(map(variable, slots)) for slots in (step.outs, step.roots, step.inputs)]
        gradients = [self.gradient(g, r, None) for g, r in zip(step.gradients, step.roots, strict=False)]
        more = f", [{', '.join(gradients)}]" if gradients else ""
        return [f"{names[0]}, = chainer.grad([{names[1]}], [{names[2]}]{more}, enable_double_backprop={step.create_graph})"]

    def zero_grad(self, step: ZeroGrad) -> list[str]:
        return [f"{variable(step.target)}.{'cleargrad' if step.set_to_none else 'zerograd'}()"]


class ChainerEngine(Engine):
    """The last released Chainer, on NumPy."""

    name: ClassVar[str] = "chainer"
    home: ClassVar[str] = "https://github.com/chainer/chainer"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = ChainerScript
    ops: Mapping[str, str] = OPS
    traits: ClassVar[frozenset[str]] = frozenset({"higher-order", "accumulation", "absent-gradients", "unsaved-graphs"})

    def __init__(self) -> None:
        import chainer
        import chainer.functions

        self.chainer: Any = chainer
        self.variable: Any = chainer.Variable
        self.namespace = {"chainer": chainer, "F": chainer.functions, "np": np, "slice": slice}

    def version(self) -> str:
        return str(self.chainer.__version__)

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {name: self._refusing(call) for name, call in super().calls().items()}

    def _refusing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call; that it wants operands of one dtype is documented."""

        def run(*operands: Any, **params: Any) -> Any:
            if len({x.dtype for x in operands if x.dtype.kind == "f"}) > 1:
                raise Unsupported(MIXED)
            return call(*operands, **params)

        return run

    # -- steps ----------------------------------------------------------------------------------------------------------

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        array = np.array(values, dtype=dtype).reshape(shape)
        return self.variable(array, requires_grad=requires_grad)

    def detach(self, tensor: Any) -> Any:
        return self.variable(tensor.array, requires_grad=False)

    def grad_mode(self, enabled: bool) -> AbstractContextManager[Any]:
        chainer = self.chainer
        return chainer.force_backprop_mode() if enabled else chainer.no_backprop_mode()  # type: ignore[no-any-return]

    def copy(self, tensor: Any) -> Any:
        return self.chainer.functions.copy(tensor, -1)

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        if len(roots) > 1 or inputs is not None:
            raise Unsupported("chainer has no backward of several roots, or to some inputs alone")
        self._refuse_without_history(roots)
        (root,) = roots
        if gradients is not None and gradients[0] is not None:
            root.grad_var = gradients[0]
        with self._lacking():
            root.backward(enable_double_backprop=create_graph)

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        given = None if gradients is None else list(gradients)
        self._refuse_without_history(roots)
        with self._lacking():
            found = self.chainer.grad(list(roots), list(inputs), given, enable_double_backprop=create_graph)
        if not allow_unused and any(gradient is None for gradient in found):
            raise Unsupported("chainer gives None for an input that the roots do not depend on")
        return found  # type: ignore[no-any-return]

    def _refuse_without_history(self, roots: Sequence[Any]) -> None:
        if any(root.creator is None for root in roots):
            raise Unsupported(NO_HISTORY)

    @contextmanager
    def _lacking(self) -> Iterator[None]:
        """Derivatives that were never written are something that the engine lacks."""
        try:
            yield
        except NotImplementedError as error:
            raise Unsupported(f"chainer has not implemented this derivative: {error}"[:200]) from None

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        if set_to_none:
            tensor.cleargrad()
        elif tensor.grad is not None:
            tensor.zerograd()

    # -- observables ----------------------------------------------------------------------------------------------------

    def value(self, tensor: Any) -> Any:
        return tensor.array.tolist()

    def shape(self, tensor: Any) -> tuple[int, ...]:
        return tensor.shape  # type: ignore[no-any-return]

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype)

    def gradient(self, tensor: Any) -> Any:
        return tensor.grad_var

    def categorize(self, error: BaseException) -> Category:
        message = str(error)
        if "grad is not given" in message or "gradient is not set" in message:
            return Category.NON_SCALAR_ROOT
        if "shape of data and grad mismatch" in message:
            return Category.GRADIENT_SHAPE
        return Category.OTHER
