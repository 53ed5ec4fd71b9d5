"""torch.nn.utils.parametrize: a parameter or buffer computed from others each time it is read.

The module gets a class of its own, in which the tensor's name is a property; what it is computed from lies in
`module.parametrizations.<name>`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ...modes import no_grad
from ...tensor import Tensor
from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

_cache: dict[Any, Tensor] = {}
_caching = 0


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Within the context each parametrized tensor is computed once."""
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


def _like(value: Tensor, original: Tensor) -> Tensor:
    return Parameter(value.detach(), original.requires_grad) if isinstance(original, Parameter) else value.detach()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, first to last, and the original or originals that they start from."""

    def __init__(self, modules: Any, original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        value: Any = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    value = module.right_inverse(value)
        self.is_tensor = isinstance(value, Tensor)
        self.ntensors = 1 if self.is_tensor else len(value)
        if self.is_tensor:
            self._keep("original", original if value is original else _like(value, original), original)
        else:
            for i, part in enumerate(value):
                self._keep(f"original{i}", _like(part, original), original)

    def _keep(self, name: str, value: Tensor, original: Tensor) -> None:
        if isinstance(original, Parameter):
            self.register_parameter(name, value)
        else:
            self.register_buffer(name, value)

    def _originals(self) -> list[Tensor]:
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the tensor becomes `value`. Raises RuntimeError without a right inverse."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                value = module.right_inverse(value)
            for original, part in zip(self._originals(), [value] if self.is_tensor else value):
                if original.shape != part.shape or original.dtype is not part.dtype:
                    raise ValueError(
                        f"The tensor assigned has shape {part.shape} and dtype {part.dtype}, while the original has "
                        f"{original.shape} and {original.dtype}"
                    )
                original.copy_(part)

    def forward(self) -> Tensor:
        """The tensor."""
        found = self[0](*self._originals())
        for module in list(self)[1:]:
            found = module(found)
        return found


def _read(name: str) -> property:
    def get(self: Any) -> Tensor:
        if not _caching:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    return property(get, lambda self, value: self.parametrizations[name].right_inverse(value))


def _own_class(module: Module) -> None:
    """Give the module a class of its own, named Parametrized<Class>."""
    cls = type(module)

    def set_attribute(self: Any, name: str, value: Any) -> None:
        found = getattr(type(self), name, None)
        if isinstance(found, property):
            found.fset(self, value)  # type: ignore[misc]
        else:
            cls.__setattr__(self, name, value)

    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), {"__setattr__": set_attribute, "__module__": cls.__module__})
    module.parametrizations = ModuleDict()


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:  # fmt: skip
    """Let `module.<tensor_name>` be parametrization(original). Raises ValueError for an unknown name or another shape."""
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        with no_grad():
            before = getattr(module, tensor_name)
        chain = module.parametrizations[tensor_name]
        after = parametrization(before)
        _check(before, after, unsafe)
        if hasattr(parametrization, "right_inverse"):
            with no_grad():
                original = parametrization.right_inverse(before)
            chain.right_inverse(original)
        chain.append(parametrization)
        return module
    if tensor_name not in module._buffers and tensor_name not in module._parameters:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    chain = ParametrizationList([parametrization], original, unsafe)
    with no_grad():
        _check(original, chain(), unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _own_class(module)
    setattr(type(module), tensor_name, _read(tensor_name))
    module.parametrizations[tensor_name] = chain
    return module


def _check(before: Tensor, after: Any, unsafe: bool) -> None:
    if unsafe:
        return
    if not isinstance(after, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(after).__name__}.")
    for what in ("dtype", "shape"):
        if getattr(before, what) != getattr(after, what):
            raise ValueError(
                f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is enabled.\n"
                f"original.{what}: {getattr(before, what)}\nparametrized.{what}: {getattr(after, what)}"
            )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module, or that tensor of it, has parametrizations."""
    chains = module._modules.get("parametrizations")
    if chains is None or not isinstance(chains, ModuleDict):
        return False
    return len(chains) > 0 if tensor_name is None else tensor_name in chains


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Put a plain tensor in the place: what the parametrizations give, or the original."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    chain = module.parametrizations[tensor_name]
    originals = chain._originals()
    if not leave_parametrized and not chain.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence "
            "of tensors."
        )
    original = originals[0]
    if leave_parametrized:
        with no_grad():
            value = chain()
            if chain.is_tensor:
                original.set_(value) if type(original) is not Parameter else setattr(original, "data", value)
            else:
                original = _like(value, originals[0])
    delattr(type(module), tensor_name)
    del module.parametrizations._modules[tensor_name]
    if not len(module.parametrizations):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    if isinstance(original, Parameter):
        module.register_parameter(tensor_name, original)
    else:
        module.register_buffer(tensor_name, original)
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that the module had without parametrizations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "type_before_parametrizations",
]  # fmt: skip
