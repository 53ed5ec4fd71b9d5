"""torch.nn.Module: a tree of parameters, buffers and modules, with hooks around the call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from ..hooks import RemovableHandle
from ..modes import no_grad
from ..ops.queries import typename
from ..tensor import Tensor
from .backward_hooks import BackwardHook, hook_last_node
from .keys import IncompatibleKeys
from .parameter import Buffer, Parameter

_TABLES = ("_parameters", "_buffers", "_modules")
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks")
EVERYWHERE: dict[str, OrderedDict] = {name: OrderedDict() for name in _HOOKS}  # hooks on the calls of all modules


class Module:
    """Base of all modules. Assigning a Parameter or a Module to an attribute enters it in the tree."""

    training: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for name in (*_TABLES, *_HOOKS):
            object.__setattr__(self, name, OrderedDict())
        object.__setattr__(self, "_non_persistent_buffers_set", set())
        object.__setattr__(self, "_always_called", set())
        object.__setattr__(self, "_is_full_backward_hook", None)
        object.__setattr__(self, "training", True)

    def forward(self, *input: Any) -> Any:
        """What the module computes. To be said by each module."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # ---- the tree -------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        tables = self.__dict__
        if isinstance(value, (Parameter, Module)) and "_parameters" not in tables:
            kind = "parameters" if isinstance(value, Parameter) else "module"
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if isinstance(value, Parameter):
            self._forget(name)
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._forget(name)
            tables["_modules"][name] = value
        elif name in tables.get("_parameters", ()):
            if value is not None:
                raise TypeError(f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)")
            tables["_parameters"][name] = None
        elif name in tables.get("_modules", ()):
            if value is not None:
                raise TypeError(f"cannot assign '{type(value).__name__}' as child module '{name}' (torch.nn.Module or None expected)")  # noqa: E501 # fmt: skip
            tables["_modules"][name] = None
        elif name in tables.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"cannot assign '{type(value).__name__}' as buffer '{name}' (torch.Tensor or None expected)")
            tables["_buffers"][name] = value
        elif isinstance(value, Buffer):
            self._forget(name)
            self.register_buffer(name, value, value.persistent)
        else:
            object.__setattr__(self, name, value)

    def _forget(self, name: str) -> None:
        self.__dict__.pop(name, None)
        for table in _TABLES:
            self.__dict__[table].pop(name, None)

    def __getattr__(self, name: str) -> Any:
        for table in _TABLES:
            found = self.__dict__.get(table)
            if found is not None and name in found:
                return found[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        for table in _TABLES:
            if name in self.__dict__[table]:
                del self.__dict__[table][name]
                return
        object.__delattr__(self, name)

    def register_parameter(self, name: str, param: Any) -> None:
        """Enter a parameter (or None for one that is left out)."""
        if "." in name:
            raise KeyError('parameter name can\'t contain "."')
        if not name:
            raise KeyError('parameter name can\'t be empty string ""')
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)")  # noqa: E501 # fmt: skip
        if param is not None and param.grad_fn is not None:
            raise ValueError(f"Cannot assign non-leaf Tensor to parameter '{name}'.")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Enter a tensor that is state but no parameter."""
        if "." in name or not name:
            raise KeyError('buffer name can\'t contain "."' if name else 'buffer name can\'t be empty string ""')
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (torch Tensor or None required)")
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Any) -> None:
        """Enter a child."""
        self._modules[name] = module

    register_module = add_module

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted name."""
        found: Any = self
        for part in target.split(".") if target else ():
            found = getattr(found, part)
        return found

    def get_parameter(self, target: str) -> Any:
        """The parameter at a dotted name."""
        owner, _, name = target.rpartition(".")
        return getattr(self.get_submodule(owner), name)

    get_buffer = get_parameter

    def named_modules(self, memo: Any = None, prefix: str = "", remove_duplicate: bool = True) -> Iterator:
        """This module and all below it, each once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, prefix + ("." if prefix else "") + name, remove_duplicate)

    def _members(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator:
        seen = set()
        for where, module in self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]:
            for name, value in module.__dict__[table].items():
                if value is None or (remove_duplicate and id(value) in seen):
                    continue
                seen.add(id(value))
                yield where + ("." if where else "") + name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator:
        """All parameters with their dotted names."""
        return self._members("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator:
        """All buffers with their dotted names."""
        return self._members("_buffers", prefix, recurse, remove_duplicate)

    def named_children(self) -> Iterator:
        """The children, each once."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def parameters(self, recurse: bool = True) -> Iterator:
        """All parameters."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def buffers(self, recurse: bool = True) -> Iterator:
        """All buffers."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def modules(self) -> Iterator:
        """This module and all below it."""
        return (m for _, m in self.named_modules())

    def children(self) -> Iterator:
        """The children."""
        return (m for _, m in self.named_children())

    # ---- modes and state ------------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Module:
        """Training mode for the whole tree."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Module:
        """Evaluation mode for the whole tree."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze or thaw all parameters."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zero in place."""
        for p in self.parameters():
            if p.grad is None:
                continue
            if set_to_none:
                p.grad = None
                continue
            if p.grad.grad_fn is not None:
                p.grad.detach_()
            else:
                p.grad.requires_grad_(False)
            p.grad.zero_()

    def apply(self, fn: Callable) -> Module:
        """fn(module) for the whole tree, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable, recurse: bool = True) -> Module:
        for module in self.modules():
            for p in module._parameters.values():
                if p is None:
                    continue
                with no_grad():
                    value = fn(p)
                p.data = value
                if p.grad is not None:
                    wanted = p.grad.requires_grad
                    p.grad = fn(p.grad.detach()).requires_grad_(wanted)
            for name, b in module._buffers.items():
                if b is not None:
                    module._buffers[name] = fn(b)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Convert all floating parameters and buffers; the parameters stay the same objects."""
        return self._apply(lambda t: t.to(*args, **kwargs) if t.is_floating_point() or t.is_complex() else t)

    def double(self) -> Module:
        """to(float64)"""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def float(self) -> Module:
        """to(float32)"""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def half(self) -> Module:
        """to(float16)"""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def cpu(self) -> Module:
        """Everything is on the CPU here."""
        return self

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """All parameters and persistent buffers by dotted names, detached but sharing memory."""
        out = OrderedDict() if destination is None else destination
        for where, module in self.named_modules(prefix=prefix.rstrip("."), remove_duplicate=False):
            lead = where + "." if where else ""
            for table in ("_parameters", "_buffers"):
                for name, value in module.__dict__[table].items():
                    if value is not None and name not in module._non_persistent_buffers_set:
                        out[lead + name] = value if keep_vars else value.detach()
        return out

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Copy values in (a counted write each), or with assign=True put the given tensors in place of the parameters."""
        mine = self.state_dict(keep_vars=True)
        missing = [k for k in mine if k not in state_dict]
        unexpected = [k for k in state_dict if k not in mine]
        problems = []
        if strict and unexpected:
            problems.append("Unexpected key(s) in state_dict: " + ", ".join(f'"{k}"' for k in unexpected) + ". ")
        if strict and missing:
            problems.append("Missing key(s) in state_dict: " + ", ".join(f'"{k}"' for k in missing) + ". ")
        for key, target in mine.items():
            if key not in state_dict:
                continue
            value = state_dict[key]
            if value.shape != target.shape:
                problems.append(
                    f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape in "
                    f"current model is {target.shape}."
                )
            elif assign:
                self._assign(key, value, target)
            else:
                with no_grad():
                    target.copy_(value)
        if problems:
            body = "\n\t".join(problems)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{body}")
        return IncompatibleKeys(missing, unexpected)

    def _assign(self, key: str, value: Tensor, target: Tensor) -> None:
        owner, _, name = key.rpartition(".")
        if isinstance(target, Parameter):
            if not isinstance(value, Parameter):
                value = Parameter(value, requires_grad=target.requires_grad)
            else:
                value.requires_grad_(target.requires_grad)
        setattr(self.get_submodule(owner), name, value)

    # ---- the call -------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tables = self.__dict__
        if not any(tables[name] or EVERYWHERE[name] for name in _HOOKS):
            return self.forward(*args, **kwargs)
        before, after, backward_hooks, backward_pre_hooks = [
            [*EVERYWHERE[name].values(), *tables[name].values()] for name in _HOOKS
        ]
        old = list(self._backward_hooks.values()) if self._is_full_backward_hook is False else []
        if old:
            backward_hooks = list(EVERYWHERE["_backward_hooks"].values())
        for hook, with_kwargs in before:
            result = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if result is not None and with_kwargs:
                args, kwargs = result
            elif result is not None:
                args = result if isinstance(result, tuple) else (result,)
        backward = None
        if backward_hooks or backward_pre_hooks:
            backward = BackwardHook(self, backward_hooks, backward_pre_hooks)
            args = backward.setup_input_hook(args)
        try:
            out = self.forward(*args, **kwargs)
        except Exception:
            for key, (hook, with_kwargs) in self._forward_hooks.items():
                if key in self._always_called:
                    hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
            raise
        for hook, with_kwargs in after:
            result = hook(self, args, kwargs, out) if with_kwargs else hook(self, args, out)
            out = out if result is None else result
        if old:
            hook_last_node(self, old, out)
        return out if backward is None else backward.setup_output_hook(out)

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> RemovableHandle:
        """Call hook(module, args) before forward; what it returns takes the place of the arguments."""
        return _added(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:  # fmt: skip
        """Call hook(module, args, output) after forward; what it returns takes the place of the output."""
        handle = _added(self._forward_hooks, (hook, with_kwargs), prepend)
        if always_call:
            self._always_called.add(handle.id)
        return handle

    def _use_backward_hooks(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one of them."
            )
        self._is_full_backward_hook = full

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_input, grad_output) when the gradients of the inputs are known."""
        self._use_backward_hooks(full=True)
        return _added(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """The older way: hook(module, grad_input, grad_output) of the last op of forward alone."""
        self._use_backward_hooks(full=False)
        return _added(self._backward_hooks, hook, False)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_output) when the gradients of the outputs are known."""
        return _added(self._backward_pre_hooks, hook, prepend)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed module."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._modules.items()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        body = "\n  ".join(([extra] if extra else []) + lines)
        return f"{type(self).__name__}(\n  {body}\n)"


def _added(hooks: OrderedDict, entry: Any, prepend: bool) -> RemovableHandle:
    handle = RemovableHandle.add(hooks, entry)
    if prepend:
        hooks.move_to_end(next(reversed(hooks)), last=False)
    return handle
