"""PaddlePaddle (https://github.com/PaddlePaddle/Paddle): a tape in eager mode, whose flag is `stop_gradient`.

Where its documented ways are not torch's, a program that depends on them is Unsupported, in one place each:

* The implicit gradient of a root is ones, whatever the root's shape: nothing is refused there.
* `stop_gradient` may be set on any tensor: on a result it cuts the graph.
* Integer results beside values (the places that topk gives) carry `stop_gradient=False`, which means nothing for them: they are
  shown as what they are, constants.
* Where a second derivative was never written it says so: that is something that it lacks.
* Every graph is freed by backward, also one that saved nothing ("unsaved-graphs" is not promised), and tensors are wrappers whose
  lives mean nothing (neither is "liveness"). Hooks run with recording on: where it is on is not shown.
* Hooks are on tensors; nodes have none. `backward()` has neither `create_graph` nor `inputs`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np

from conformance.catalog import CATALOG
from conformance.catalog.code import compile_code
from conformance.engine import Category, Engine, Unsupported
from conformance.engines.paddle_ops import OPS, in_paddle
from conformance.program import Apply, Backward, Enter, Grad, Hook, RetainGrad, SetGradMode, SetRequiresGrad, ZeroGrad
from conformance.script import Script, nested, variable

IMPLICIT = "paddle takes ones for the gradient of a root of any shape"
LACKS = (
    "doesn't have any grad op", "double_grad only support", "grad grad only supports", "contains duplicate paddle.Tensor",
    "inputs contain duplicate tensor", "outputs contain duplicate tensor",
    "backward function should return None at",
)  # fmt: skip
NESTED = "paddle allows one pair of hooks on saved tensors at a time"
FLAG = "paddle cuts the graph where stop_gradient is set on a result"

MESSAGES: tuple[tuple[str, Category], ...] = (
    ("has been modified by an inplace operation", Category.VERSION),
    ("backward twice for the same subgraph", Category.FREED),
    ("that doesn't stop gradient can't use inplace strategy", Category.LEAF_WRITTEN),
    ("Tensor shape not match", Category.GRADIENT_SHAPE),
    ("does not appear in the backward graph", Category.UNUSED_INPUT),
    ("Cannot register hook on a tensor that stop gradient", Category.HOOK),
    ("GradNodePyLayer_", Category.FUNCTION),
)  # fmt: skip


class PaddleScript(Script):
    """Programs as plain Paddle code."""

    imports: tuple[str, ...] = ("import paddle",)
    regions: Mapping[str, str] = {
        mode: code.replace("torch.autograd.graph", "paddle.autograd").replace("torch.", "paddle.")
        for mode, code in Script.regions.items()
    }
    codes: Mapping[str, str] = OPS

    def setups(self) -> Iterator[str]:
        return map(in_paddle, super().setups())

    def show(self, difference: Any) -> str:
        name = variable(difference.slot)
        shown = {
            "value": f"{name}.tolist()", "requires_grad": f"not {name}.stop_gradient", "version": f"{name}.inplace_version",
            "memory": f"{name}.data_ptr()", "grad_memory": f"{name}.grad.data_ptr()",
        }  # fmt: skip
        return shown.get(difference.facet) or super().show(difference)

    def tensor(self, values: Sequence[float], shape: Sequence[int], dtype: str, requires_grad: bool = False) -> str:
        plain = dtype in ("int64", "bool")
        options = f", dtype={dtype!r}" + (", stop_gradient=False" if requires_grad else "")
        if 0 in shape:
            return f"paddle.to_tensor(np.zeros({tuple(shape)}){options})"
        return f"paddle.to_tensor({nested([int(v) for v in values] if plain else values, shape)}{options})"

    def apply(self, step: Apply) -> list[str]:
        if step.op != "select":
            return super().apply(step)
        p = step.params
        index = ":, " * p["dim"] + f"{p['index']}, ..."
        return [f"{variable(step.outs[0])} = {variable(step.inputs[0])}[{index}]"]

    def set_requires_grad(self, step: SetRequiresGrad) -> list[str]:
        return [f"{variable(step.target)}.stop_gradient = {not step.value}"]

    def enter(self, step: Enter) -> list[str]:
        return [f"with {self.regions.get(step.mode, 'paddle.enable_grad()')}:"]

    def set_grad_mode(self, step: SetGradMode) -> list[str]:
        return [f"paddle.set_grad_enabled({step.value})"]

    def hook(self, step: Hook) -> list[str]:
        return [line.replace("torch.", "paddle.") for line in super().hook(step)]

    def retain_grad(self, step: RetainGrad) -> list[str]:
        return [f"{variable(step.target)}.retain_grads()"]

    def backward(self, step: Backward) -> list[str]:
        return [line.replace("torch.", "paddle.") for line in super().backward(step)]

    def grad(self, step: Grad) -> list[str]:
        return [line.replace("torch.autograd.", "paddle.") for line in super().grad(step)]

    def zero_grad(self, step: ZeroGrad) -> list[str]:
        return [f"{variable(step.target)}.clear_gradient(set_to_zero={not step.set_to_none})"]

    def text(self, difference: Any = None) -> str:
        text = super().text(difference)
        return "import numpy as np\n" + text if "np." in text else text


class PaddleEngine(Engine):
    """The released PaddlePaddle, on the CPU, in eager mode."""

    name: ClassVar[str] = "paddle"
    home: ClassVar[str] = "https://github.com/PaddlePaddle/Paddle"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = PaddleScript
    ops: Mapping[str, str] = OPS
    traits: ClassVar[frozenset[str]] = frozenset(
        {
            "versions", "aliases", "detached-aliases", "higher-order", "accumulation", "leaf-gradients", "absent-gradients",
        }
    )  # fmt: skip

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")  # it logs every refusal on the terminal
        import paddle

        self.paddle: Any = paddle
        paddle.set_device("cpu")
        self._dtypes = {name: getattr(paddle, name) for name in self.dtypes}
        self._dtype_names = {dtype: name for name, dtype in self._dtypes.items()}
        self._floats = (paddle.float32, paddle.float64)
        self.namespace = {"paddle": paddle, "slice": slice}
        self.begin()

    def version(self) -> str:
        return str(self.paddle.__version__)

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        namespace = dict(self.namespace)
        for setup in dict.fromkeys(CATALOG[name].setup for name in self.ops):
            exec(in_paddle(setup), namespace)
        return {name: compile_code(code, namespace) for name, code in self.ops.items()}

    @contextmanager
    def _lacking(self) -> Iterator[None]:
        """Derivatives that were never written, and what it refuses in so many words, are something that the engine lacks."""
        try:
            yield
        except (RuntimeError, ValueError, AssertionError) as error:
            if any(text in str(error) for text in LACKS):
                raise Unsupported(" ".join(str(error).split())[:200]) from None
            raise

    # -- steps ----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.paddle.set_grad_enabled(True)
        self._packing = False

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        array = np.array(values, dtype=dtype).reshape(shape)
        return self.paddle.to_tensor(array, stop_gradient=not requires_grad)

    def detach(self, tensor: Any) -> Any:
        return tensor.detach()

    def set_requires_grad(self, tensor: Any, value: bool) -> None:
        if not tensor.is_leaf:
            raise Unsupported(FLAG)
        tensor.stop_gradient = not value

    def grad_mode(self, enabled: bool) -> AbstractContextManager[Any]:
        return self.paddle.enable_grad() if enabled else self.paddle.no_grad()  # type: ignore[no-any-return]

    def set_grad_enabled(self, value: bool) -> None:
        self.paddle.set_grad_enabled(value)

    def saved_tensors_hooks(self, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> AbstractContextManager[Any]:
        if self._packing:
            raise Unsupported(NESTED)
        return self._packed(pack, unpack)

    @contextmanager
    def _packed(self, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> Iterator[None]:
        """A region with hooks on saved tensors, noted as open."""
        self._packing = True
        try:
            with self.paddle.autograd.saved_tensors_hooks(pack, unpack):
                yield
        finally:
            self._packing = False

    def retain_grad(self, tensor: Any) -> None:
        tensor.retain_grads()

    def hook(self, tensor: Any, kind: str, function: Callable[..., Any]) -> Any:
        if kind != "tensor":
            raise Unsupported("paddle has no hooks on nodes, and none after accumulation")
        return tensor.register_hook(function)

    def unhook(self, handle: Any) -> None:
        handle.remove()

    def copy(self, tensor: Any) -> Any:
        return tensor.clone()

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        if create_graph:
            raise Unsupported("paddle has no backward(create_graph=True)")
        if inputs is not None:
            raise Unsupported("paddle has no backward(inputs=...)")
        self._refuse_implicit(roots, gradients)
        with self._lacking():
            if len(roots) == 1:
                roots[0].backward(None if gradients is None else gradients[0], bool(retain_graph))
            else:
                self.paddle.autograd.backward(list(roots), None if gradients is None else list(gradients), bool(retain_graph))

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        self._refuse_implicit(roots, gradients)
        with self._lacking():
            return self.paddle.grad(  # type: ignore[no-any-return]
                list(roots), list(inputs), None if gradients is None else list(gradients), retain_graph=retain_graph,
                create_graph=create_graph, allow_unused=allow_unused,
            )  # fmt: skip

    def _refuse_implicit(self, roots: Sequence[Any], gradients: Sequence[Any] | None) -> None:
        """Torch refuses roots of several elements here; that Paddle does not is documented."""
        if any((gradients is None or gradients[i] is None) and root.size != 1 for i, root in enumerate(roots)):
            raise Unsupported(IMPLICIT)

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        tensor.clear_gradient(set_to_zero=not set_to_none)

    # -- observables ----------------------------------------------------------------------------------------------------

    def value(self, tensor: Any) -> Any:
        return tensor.tolist()

    def shape(self, tensor: Any) -> tuple[int, ...]:
        return tuple(tensor.shape)

    def dtype(self, tensor: Any) -> str:
        return self._dtype_names.get(tensor.dtype) or str(tensor.dtype)

    def gradient(self, tensor: Any) -> Any:
        gradient = tensor.grad
        return None if gradient is None else gradient.detach()

    def requires_grad(self, tensor: Any) -> bool:
        return not tensor.stop_gradient and tensor.dtype in self._floats

    def is_leaf(self, tensor: Any) -> bool:
        return tensor.is_leaf or tensor.dtype not in self._floats

    def has_grad_fn(self, tensor: Any) -> bool:
        return tensor.grad_fn is not None and not self.is_leaf(tensor)  # a leaf's is the node that accumulates

    def version_of(self, tensor: Any) -> int:
        return tensor.inplace_version  # type: ignore[no-any-return]

    def categorize(self, error: BaseException) -> Category:
        message = str(error)
        return next((category for text, category in MESSAGES if text in message), Category.OTHER)
