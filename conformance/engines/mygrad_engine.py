"""MyGrad (https://github.com/rsokl/MyGrad): NumPy arrays with a tape.

Four of its documented ways are not torch's, and each is met in one place here:

* It frees the graph at every backward and cannot retain it. `retain_graph=True` matters only where something walks the graph
  again, so that walk is Unsupported, not the first backward.
* It nulls a tensor's gradient where the tensor enters a new graph: gradients do not accumulate over backwards. "accumulation" is
  not promised, and a program in which a gradient vanished this way is Unsupported.
* It stores gradients in every tensor, as if all had been told to retain_grad(). "leaf-gradients" is not promised, and a
  non-leaf's gradient is shown only after retain_grad().
* It has no detach(). `mg.tensor(x.data, constant=True)` is what its users write; it copies: "detached-aliases" is not promised.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar
from weakref import ref

import numpy as np

from conformance.catalog.code import compile_code
from conformance.engine import Category, Engine, Unsupported
from conformance.program import Backward, Detach, Enter, RetainGrad, ZeroGrad
from conformance.script import IndexingScript, nested, variable

FREED = "mygrad frees the graph at every backward: it cannot retain it"
NULLED = "mygrad nulls a tensor's gradient where the tensor enters a new graph: it does not accumulate over backwards"

# An int index alone gives a copy in NumPy where the result is 0-dim; with an ellipsis it is a view, as torch's is. An array as
# index of another axis than the first gives a result that is not contiguous, so there is no index_select: torch's is.
OPS: dict[str, str] = {
    # pointwise
    "neg": "mg.negative(a)", "clone": "mg.positive(a)", "square": "mg.square(a)", "exp": "mg.exp(a)", "expm1": "mg.expm1(a)",
    "log": "mg.log(a)", "log1p": "mg.log1p(a)", "sqrt": "mg.sqrt(a)", "reciprocal": "mg.reciprocal(a)", "sin": "mg.sin(a)",
    "cos": "mg.cos(a)", "tanh": "mg.tanh(a)", "sinh": "mg.sinh(a)", "cosh": "mg.cosh(a)", "atan": "mg.arctan(a)",
    "asinh": "mg.arcsinh(a)", "abs": "mg.abs(a)", "sigmoid": "mg.nnet.activations.sigmoid(a)",
    "relu": "mg.nnet.activations.relu(a)", "elu": "mg.nnet.activations.elu(a, 1.0)", "add_scalar": "a + value",
    "mul_scalar": "a * value", "rsub_scalar": "value - a", "div_scalar": "a / value", "rdiv_scalar": "value / a",
    "pow_scalar": "a ** exponent", "clamp": "mg.clip(a, min, max)",
    "leaky_relu": "mg.nnet.activations.leaky_relu(a, negative_slope)",
    # broadcasting
    "add": "mg.add(a, b)", "mul": "mg.multiply(a, b)", "sub": "mg.subtract(a, b)", "div": "mg.divide(a, b)",
    "pow": "mg.power(a, b)", "maximum": "mg.maximum(a, b)", "minimum": "mg.minimum(a, b)", "atan2": "mg.arctan2(a, b)",
    "logaddexp": "mg.logaddexp(a, b)", "where": "mg.where(b, a, c)", "masked_fill": "mg.where(b.data, value, a)",
    # reductions
    "sum": "mg.sum(a)", "sum_dim": "mg.sum(a, axis=dim, keepdims=keepdim)", "mean": "mg.mean(a)",
    "mean_dim": "mg.mean(a, axis=dim, keepdims=keepdim)", "prod": "mg.prod(a)",
    "prod_dim": "mg.prod(a, axis=dim, keepdims=keepdim)", "var": "mg.var(a, ddof=1)",
    "var_dim": "mg.var(a, axis=dim, ddof=1, keepdims=keepdim)", "amax": "mg.max(a, axis=dim, keepdims=keepdim)",
    "amin": "mg.min(a, axis=dim, keepdims=keepdim)", "max": "mg.max(a)", "cumsum": "mg.cumsum(a, axis=dim)",
    "softmax": "mg.nnet.activations.softmax(a, axis=dim)", "log_softmax": "mg.nnet.activations.logsoftmax(a, axis=dim)",
    # matrix products
    "matmul": "mg.matmul(a, b)", "mm": "mg.matmul(a, b)", "bmm": "mg.matmul(a, b)", "mv": "mg.matmul(a, b)",
    "dot": "mg.matmul(a, b)", "outer": "mg.einsum('i,j', a, b)",
    # views
    "view": "mg.reshape(a, shape)", "reshape": "mg.reshape(a, shape)", "t": "a.T", "transpose": "mg.swapaxes(a, dim0, dim1)",
    "permute": "mg.transpose(a, dims)", "unsqueeze": "mg.expand_dims(a, dim)", "squeeze": "mg.squeeze(a, axis=dim)",
    "select": "a[(slice(None),) * dim + (index, ...)]", "slice": "a[start:stop:step]",
    "narrow": "a[(slice(None),) * dim + (slice(start, start + length),)]", "expand": "mg.broadcast_to(a, shape)",
    # moves and indexing
    "cat": "mg.concatenate([a, b], axis=dim)", "stack": "mg.stack([a, b], axis=dim)", "roll": "mg.roll(a, shifts, axis=dims)",
    "index": "a[b.data]",
    # in place
    "mul_": "a *= b", "add_": "a += b", "sub_": "a -= b", "div_": "a /= b", "add_scalar_": "a += value",
    "mul_scalar_": "a *= value", "neg_": "mg.negative(a, out=a)", "zero_": "a[...] = 0", "fill_": "a[...] = value",
    "copy_": "a[...] = b", "square_": "mg.square(a, out=a)", "pow_": "a **= exponent", "exp_": "mg.exp(a, out=a)",
    "sin_": "mg.sin(a, out=a)", "cos_": "mg.cos(a, out=a)", "tanh_": "mg.tanh(a, out=a)", "sqrt_": "mg.sqrt(a, out=a)",
    "abs_": "mg.abs(a, out=a)", "clamp_": "mg.clip(a, min, max, out=a)", "masked_fill_": "a[b.data] = value",
    "setitem": "a[index] = b", "setitem_scalar": "a[index] = value",
}  # fmt: skip


class MyGradScript(IndexingScript):
    """Programs as plain MyGrad code."""

    imports: tuple[str, ...] = ("import mygrad as mg",)
    codes: Mapping[str, str] = OPS

    def show(self, difference: Any) -> str:
        name = variable(difference.slot)
        shown = {
            "value": f"{name}.data.tolist()", "grad": f"{name}.grad", "requires_grad": f"not {name}.constant",
            "is_leaf": f"{name}.creator is None", "grad_fn": f"{name}.creator is not None", "shape": f"{name}.shape",
            "dtype": f"{name}.dtype",
        }  # fmt: skip
        return shown.get(difference.facet, name)

    def tensor(self, values: Sequence[float], shape: Sequence[int], dtype: str, requires_grad: bool = False) -> str:
        plain = dtype in ("int64", "bool")
        data = nested([int(v) for v in values] if plain else values, shape)
        options = "" if dtype in ("int64", "float64") else f", dtype={dtype!r}"
        options += "" if plain or requires_grad else ", constant=True"
        if 0 in shape:
            return f"mg.zeros({tuple(shape)}{options})"
        return f"mg.tensor({data}{options})"

    def detach(self, step: Detach) -> list[str]:
        return [f"{variable(step.out)} = mg.tensor({variable(step.source)}.data, constant=True)"]

    def enter(self, step: Enter) -> list[str]:
        return ["with mg.no_autodiff:"]

    def retain_grad(self, step: RetainGrad) -> list[str]:
        return [f"pass  # every tensor retains its gradient, {variable(step.target)} too"]

    def gradient(self, gradient: Any, root: int, shape: Sequence[int] | None) -> str:
        if gradient is None or isinstance(gradient, int):
            return super().gradient(gradient, root, shape)
        known = shape if shape is not None else self.shapes[root]
        return str(nested(gradient, known)) if 0 not in known else f"np.zeros({tuple(known)})"

    def backward(self, step: Backward) -> list[str]:
        gradients = [self.gradient(g, r, step.shape) for g, r in zip(step.gradients, step.roots, strict=False)]
        return [f"{variable(step.roots[0])}.backward({', '.join(gradients)})"]

    def zero_grad(self, step: ZeroGrad) -> list[str]:
        name = variable(step.target)
        return [f"{name}.null_grad()"] if step.set_to_none else [f"{name}.grad[...] = 0"]

    def text(self, difference: Any = None) -> str:
        text = super().text(difference)
        return "import numpy as np\n" + text if "np." in text else text


class MyGradEngine(Engine):
    """The released MyGrad."""

    name: ClassVar[str] = "mygrad"
    home: ClassVar[str] = "https://github.com/rsokl/MyGrad"
    issues: ClassVar[str] = f"{home}/issues"
    script: ClassVar[type | None] = MyGradScript
    ops: Mapping[str, str] = OPS
    traits: ClassVar[frozenset[str]] = frozenset({"aliases", "absent-gradients"})

    def __init__(self) -> None:
        import mygrad
        import mygrad.nnet  # so that mg.nnet.activations is there
        from mygrad.errors import InvalidBackprop

        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"mygrad\b")
        self.mg: Any = mygrad
        self.tensor_type: type = mygrad.Tensor
        self.invalid_backprop: type[Exception] = InvalidBackprop
        self.namespace = {"mg": mygrad, "slice": slice}
        self.begin()

    def version(self) -> str:
        return str(self.mg.__version__)

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {name: self._noting(compile_code(code, self.namespace)) for name, code in self.ops.items()}

    def _noting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with a note of the tensor that it gave a history: backward will take the history away."""

        def run(*operands: Any, **params: Any) -> Any:
            result = call(*operands, **params)
            made = operands[0] if result is None else result
            if isinstance(made, self.tensor_type) and made.creator is not None:  # type: ignore[attr-defined]
                self._results[id(made)] = ref(made)
            return result

        return run

    # -- steps ----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.mg.turn_memory_guarding_on()
        self._leaves: list[Any] = []  # tensors whose gradients are shown: leaves, and what was told to retain_grad
        self._results: dict[int, ref[Any]] = {}
        self._gradients: list[tuple[Any, Any]] = []  # tensors with the gradients that they were last given
        self._retaining = False

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        tensor = self.mg.tensor(np.array(values, dtype=dtype).reshape(shape), constant=not requires_grad)
        if requires_grad:
            self._leaves.append(tensor)
        return tensor

    def detach(self, tensor: Any) -> Any:
        return self.mg.tensor(self._array(tensor), constant=True)

    def grad_mode(self, enabled: bool) -> AbstractContextManager[Any]:
        if enabled:
            raise Unsupported("mygrad has no enable_grad")
        return self.mg.no_autodiff  # type: ignore[no-any-return]

    def retain_grad(self, tensor: Any) -> None:
        if tensor.grad is not None and self._is_result(tensor):
            raise Unsupported("mygrad retains every gradient: also one that came before retain_grad()")
        self._leaves.append(tensor)

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        if len(roots) > 1:
            raise Unsupported("mygrad has no backward of several roots")
        if create_graph:
            raise Unsupported("mygrad has no create_graph")
        if inputs is not None:
            raise Unsupported("mygrad has no backward(inputs=...)")
        if self._retaining and any(self._is_freed(tensor) for tensor in self._history(roots[0])):
            raise Unsupported(FREED)
        self._look_for_nulled()
        try:
            roots[0].backward(None if gradients is None else gradients[0])
        except self.invalid_backprop:
            if self._retaining:
                raise Unsupported(FREED) from None
            raise
        self._look_for_nulled()
        self._retaining = self._retaining or bool(retain_graph)
        self._gradients = [(t, t.grad) for t in self._leaves if t.grad is not None]

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        if set_to_none:
            tensor.null_grad()
            self._gradients = [(t, g) for t, g in self._gradients if t is not tensor]
        elif tensor.grad is not None:
            tensor.grad[...] = 0

    # -- observables ----------------------------------------------------------------------------------------------------

    def value(self, tensor: Any) -> Any:
        return self._array(tensor).tolist()

    def shape(self, tensor: Any) -> tuple[int, ...]:
        return tensor.shape  # type: ignore[no-any-return]

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype)

    def gradient(self, tensor: Any) -> Any:
        """An ndarray, which is what a slot filled from `.grad` then holds."""
        if not any(tensor is leaf for leaf in self._leaves):
            return None
        self._look_for_nulled()
        return tensor.grad

    def requires_grad(self, tensor: Any) -> bool:
        return isinstance(tensor, self.tensor_type) and not tensor.constant  # type: ignore[attr-defined]

    def is_leaf(self, tensor: Any) -> bool:
        # Constants have creators too, but these pass no gradient on; and a backward takes away the creators of results.
        return not (self.requires_grad(tensor) and self._is_result(tensor))

    def has_grad_fn(self, tensor: Any) -> bool:
        return not self.is_leaf(tensor)

    def categorize(self, error: BaseException) -> Category:
        message = str(error)
        if isinstance(error, self.invalid_backprop):
            return Category.FREED
        if "gradient with an incompatible shape" in message:
            return Category.GRADIENT_SHAPE
        if "is read-only" in message:  # the memory guard: arrays that a graph needs are locked until it is freed
            return Category.VERSION
        return Category.OTHER

    # -- what mygrad forgets --------------------------------------------------------------------------------------------

    def _array(self, tensor: Any) -> Any:
        return tensor.data if isinstance(tensor, self.tensor_type) else tensor  # type: ignore[attr-defined]

    def _is_result(self, tensor: Any) -> bool:
        """Whether an op made the tensor, even if its creator is gone."""
        known = self._results.get(id(tensor))
        return known is not None and known() is tensor

    def _is_freed(self, tensor: Any) -> bool:
        """Whether a backward took the tensor's history away."""
        return tensor.creator is None and self._is_result(tensor)

    def _history(self, root: Any) -> Iterator[Any]:
        """The tensors that backward from the root would reach."""
        seen: set[int] = set()
        stack = [root]
        while stack:
            tensor = stack.pop()
            if id(tensor) not in seen and not tensor.constant:
                seen.add(id(tensor))
                yield tensor
                stack += tensor.creator.variables if tensor.creator is not None else ()

    def _look_for_nulled(self) -> None:
        """Refuse to judge a program that relies on a gradient that is gone or was overwritten."""
        if any(tensor.grad is not gradient for tensor, gradient in self._gradients):
            raise Unsupported(NULLED)
