"""An adapter for modules that carry torch's names: torch itself and the reference engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from operator import attrgetter, methodcaller
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from conformance.catalog import CATALOG
from conformance.catalog.code import compile_code
from conformance.engine import Category, Engine
from conformance.script import Script

# Torch's messages, in the suite's words. The first that matches decides.
MESSAGES: tuple[tuple[str, Category], ...] = (
    (r"has been modified by an inplace operation|detached in-place", Category.VERSION),
    (r"backward through the graph a second time", Category.FREED),
    (r"leaf Variable that requires grad is being used in an in-place|leaf variable has been moved", Category.LEAF_WRITTEN),
    (r"is a view and is being modified inplace|A view was created in no_grad mode", Category.VIEW_WRITTEN),
    (r"is a view and its base|more than one element of the written-to tensor", Category.VIEW_WRITTEN),
    (r"grad can be implicitly created only for (scalar|real scalar) outputs", Category.NON_SCALAR_ROOT),
    (r"does not require grad and does not have a grad_fn", Category.ROOT_WITHOUT_GRAD),
    (r"Mismatch in shape|has to be of the same shape|invalid gradient", Category.GRADIENT_SHAPE),
    (r"appears to not have been used in the graph", Category.UNUSED_INPUT),
    (r"One of the differentiated Tensors does not require grad", Category.UNUSED_INPUT),
    (r"only change requires_grad flags of leaf", Category.FLAG),
    (r"pack hook is modifying its input", Category.HOOK),
    (r"cannot register a hook|hooks cannot be registered|has changed the (size|type) of value", Category.HOOK),
    (r"returned (an incorrect number of gradients|an invalid gradient|a gradient different than)", Category.FUNCTION),
    (r"marked with @once_differentiable|no gradient today", Category.FUNCTION),
    (r"torch.utils.checkpoint is incompatible", Category.CHECKPOINT),
    (r"attempting to assign a gradient|assigned grad has data", Category.ASSIGNED_GRADIENT),
    (r"Can't call numpy\(\) on Tensor that requires grad", Category.EXPORT),
    (r"[Ii]nference [Tt]ensor|created in inference mode", Category.INFERENCE),
)  # fmt: skip
_MESSAGES = [(re.compile(pattern), category) for pattern, category in MESSAGES]


@lru_cache(maxsize=4096)
def categorize_message(message: str) -> Category:
    """Torch's error text as a category."""
    return next((category for pattern, category in _MESSAGES if pattern.search(message)), Category.OTHER)


@lru_cache(maxsize=8192)
def array(values: tuple[float, ...], shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    """Row-major values as an array, to be copied: making one from numbers costs more than a tensor."""
    return np.array(values, dtype=dtype).reshape(shape)


HOOKS: dict[str, Callable[[Any, Any], Any]] = {
    "tensor": lambda tensor, function: tensor.register_hook(function),
    "accumulated": lambda tensor, function: tensor.register_post_accumulate_grad_hook(function),
    "node_before": lambda tensor, function: tensor.grad_fn.register_prehook(function),
    "node_after": lambda tensor, function: tensor.grad_fn.register_hook(lambda into, out: function(into)),
}


class TorchLike(Engine):
    """Everything through torch's public names. Subclasses say which module."""

    script: ClassVar[type | None] = Script
    ops: Mapping[str, str] = {name: op.torch for name, op in CATALOG.items()}
    traits: ClassVar[frozenset[str]] = frozenset(
        {
            "versions",
            "aliases",
            "detached-aliases",
            "liveness",
            "higher-order",
            "flags",
            "accumulation",
            "leaf-gradients",
            "absent-gradients",
            "unsaved-graphs",
        }
    )

    def __init__(self, module: ModuleType) -> None:
        self.torch: Any = module
        self.namespace = {"torch": module}
        self._dtypes = {name: getattr(module, name) for name in self.dtypes}
        self._dtype_names = {dtype: name for name, dtype in self._dtypes.items()}
        self._from_numpy = module.from_numpy
        self._named = False

    def version(self) -> str:
        return str(getattr(self.torch, "__version__", "unknown"))

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        namespace = dict(self.namespace)
        for setup in dict.fromkeys(CATALOG[name].setup for name in self.ops if name in CATALOG):
            exec(setup, namespace)
        return {name: compile_code(code, namespace) for name, code in self.ops.items()}

    def begin(self) -> None:
        self._named = False

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        if values:
            tensor = self._from_numpy(array(values, shape, dtype).copy())
        else:  # NumPy gives empty arrays strides that torch would not
            tensor = self.torch.zeros(shape, dtype=self._dtypes[dtype])
        return tensor.requires_grad_() if requires_grad else tensor

    def detach(self, tensor: Any) -> Any:
        return tensor.detach()

    def set_requires_grad(self, tensor: Any, value: bool) -> None:
        tensor.requires_grad_(value)

    def grad_mode(self, enabled: bool) -> AbstractContextManager[Any]:
        return self.torch.enable_grad() if enabled else self.torch.no_grad()  # type: ignore[no-any-return]

    def retain_grad(self, tensor: Any) -> None:
        tensor.retain_grad()

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        self._named = self._named or inputs is not None
        self.torch.autograd.backward(roots, gradients, retain_graph=retain_graph, create_graph=create_graph, inputs=inputs)

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        return self.torch.autograd.grad(  # type: ignore[no-any-return]
            roots, inputs, gradients, retain_graph=retain_graph, create_graph=create_graph, allow_unused=allow_unused
        )

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        if set_to_none:
            tensor.grad = None
        elif tensor.grad is not None:
            tensor.grad.zero_()

    def stashing(self) -> AbstractContextManager[Any]:
        hooks = self.torch.autograd.graph.saved_tensors_hooks
        return hooks(lambda tensor: tensor.clone(), lambda tensor: tensor)  # type: ignore[no-any-return]

    def copy(self, tensor: Any) -> Any:
        return tensor.clone()

    def inference_mode(self) -> AbstractContextManager[Any]:
        return self.torch.inference_mode()  # type: ignore[no-any-return]

    def set_grad_enabled(self, value: bool) -> None:
        self.torch.set_grad_enabled(value)

    def recording(self) -> bool:
        return self.torch.is_grad_enabled()  # type: ignore[no-any-return]

    def saved_tensors_hooks(self, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> AbstractContextManager[Any]:
        return self.torch.autograd.graph.saved_tensors_hooks(pack, unpack)  # type: ignore[no-any-return]

    def hook(self, tensor: Any, kind: str, function: Callable[..., Any]) -> Any:
        return HOOKS[kind](tensor, function)

    def unhook(self, handle: Any) -> None:
        handle.remove()

    def set_gradient(self, tensor: Any, gradient: Any) -> None:
        tensor.grad = gradient
        self._named = True

    def export(self, tensor: Any) -> Any:
        return tensor.numpy().tolist()

    value: Any = staticmethod(methodcaller("tolist"))

    def shape(self, tensor: Any) -> tuple[int, ...]:
        return tuple(tensor.shape)

    def dtype(self, tensor: Any) -> str:
        dtype = tensor.dtype
        return self._dtype_names.get(dtype) or str(dtype)

    def gradient(self, tensor: Any) -> Any:
        # Reading .grad of a non-leaf makes torch warn, which costs 1.5 us: look only where there can be one.
        return tensor.grad if tensor.is_leaf or self._named or tensor.retains_grad else None

    def requires_grad(self, tensor: Any) -> bool:
        return tensor.requires_grad  # type: ignore[no-any-return]

    def is_leaf(self, tensor: Any) -> bool:
        return tensor.is_leaf  # type: ignore[no-any-return]

    flags: Any = staticmethod(attrgetter("requires_grad", "is_leaf"))

    def has_grad_fn(self, tensor: Any) -> bool:
        return tensor.grad_fn is not None

    def version_of(self, tensor: Any) -> int:
        return tensor._version  # type: ignore[no-any-return]

    def base(self, tensor: Any) -> Any:
        return tensor._base

    def address(self, tensor: Any) -> int:
        return tensor.untyped_storage().data_ptr()  # type: ignore[no-any-return]

    def categorize(self, error: BaseException) -> Category:
        return categorize_message(str(error))
