"""Custom autograd.Function: forward and backward written by the user, and the ctx between them.

The ctx is the node itself (as in torch): what forward hangs on it is there in backward.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import errors
from .graph import NO_EDGE, Node, edge_of
from .hook_calls import shown
from .modes import no_grad, state
from .outputs import attach_output, check_dirty
from .saved import SavedResult, SavedTensor, pack, unpack_tensor
from .tensor import Tensor, wrap


class FunctionCtx:
    """What a Function's static methods may ask of ctx."""

    to_save: Any = None
    dirty_tensors: Any = None
    non_differentiable: Any = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for backward, version-checked; only the last call counts."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for jvp."""
        self._for_forward = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which inputs forward wrote in place; they must be returned."""
        self.dirty_tensors = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        for t in tensors:
            if not isinstance(t, Tensor):
                raise errors.FunctionError(f"mark_non_differentiable only accepts variable arguments, but got {type(t).__name__}")
        self.non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients come to backward as zeros (the default) or as None."""
        self._materialize = value

    def mark_shared_storage(self, *pairs: Any) -> None:
        """Kept for torch's sake."""

    @property
    def saved_tensors(self) -> tuple:
        if self._in_jvp:  # type: ignore[attr-defined]
            return self._for_forward
        if self.saved is None or self._released:  # type: ignore[has-type]
            raise errors.freed(self.name())  # type: ignore[attr-defined]
        return tuple(unpack_tensor(self, i) for i in range(len(self.saved)))  # type: ignore[arg-type,has-type]

    saved_variables = saved_tensors

    @property
    def _raw_saved_tensors(self) -> tuple:
        if self.saved is None:  # type: ignore[has-type]
            raise errors.freed(self.name())  # type: ignore[attr-defined]
        return tuple(SavedTensor(self, i) for i in range(len(self.saved)))  # type: ignore[arg-type,has-type]


class FunctionNode(Node, FunctionCtx):
    """The node of one call of a Function."""

    custom = True
    _function: Any = None

    def __init__(self) -> None:
        super().__init__()
        self._for_forward: tuple = ()
        self._materialize = True
        self._in_jvp = False
        self._released = False  # even where nothing was saved, it is not to be asked for any more
        self.needs_input_grad: tuple = ()
        self._is_tensor: tuple = ()

    def release(self) -> None:
        super().release()
        self._released = True

    def backward(self, ct: Any) -> tuple:
        cts = ct if self.more is not None else [ct]
        task = state.tasks[-1]
        task.node = self
        grads = self._run([shown(task, c) for c in cts])
        return tuple(None if g is None else g._array for g in grads)

    def differentiate(self, ct: Any) -> tuple:
        return tuple(self._run(list(ct) if self.more is not None else [ct]))

    def undefined(self, create: bool) -> tuple:
        """Run although no gradient arrived: the user's backward is called with zeros (or None)."""
        ct = None if self.more is None else [None] * (1 + max(self.more))
        return self.differentiate(ct) if create else self.backward(ct)

    def _run(self, cts: list) -> list:
        if self._materialize:
            for nr, ct in enumerate(cts):
                if ct is None and self.meta(nr)[1] is not None:
                    cts[nr] = wrap(np.zeros(*self.meta(nr)))
        grads = self._formula()(self, *cts)
        return self._checked(grads if isinstance(grads, (tuple, list)) else (grads,))

    def _formula(self) -> Callable:
        cls = self._function
        if cls.backward is not Function.backward and cls.vjp is not Function.vjp:
            raise errors.FunctionError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement "
                "one of them."
            )
        return cls.vjp if cls.vjp is not Function.vjp else cls.backward

    def _checked(self, grads: Any) -> list:
        """One gradient for each tensor input, of its shape and dtype."""
        expected, grads = len(self._is_tensor), list(grads)
        while len(grads) > expected and grads[-1] is None:
            grads.pop()
        if len(grads) != expected:
            raise errors.FunctionError(
                f"function {self.name()} returned an incorrect number of gradients (expected {expected}, got {len(grads)})"
            )
        found = []
        for i, (g, is_tensor) in enumerate(zip(grads, self._is_tensor)):
            if not is_tensor:
                if g is not None:
                    raise errors.FunctionError(
                        f"function {self.name()} returned a gradient different than None at position {i + 1}, but the "
                        "corresponding forward input was not a Variable"
                    )
                continue
            target, nr = self.edges[len(found)]
            if g is not None and not isinstance(g, Tensor):
                raise errors.FunctionError(f"expected Variable or None (got {type(g).__name__})")
            found.append(g if g is None or target is None else self._fit(g, target, nr, i))
        return found

    def _fit(self, g: Tensor, target: Node, nr: int, i: int) -> Tensor:
        from .ops.table import fit_tensor

        shape, kind = target.meta(nr)
        if g._array.dtype.kind == "c" and kind.kind != "c":
            raise errors.FunctionError(
                "Expected isFloatingType(grad.scalar_type()) || (input_is_complex == grad_is_complex) to be true, but got "
                f"false: {self.name()} returned a complex gradient for a real input"
            )
        have = g._array.shape
        if have != shape:
            lead = len(have) - len(shape)
            if lead < 0 or any(s not in (1, h) for s, h in zip(shape, have[lead:])):
                raise errors.ShapeMismatch(
                    f"Function {self.name()} returned an invalid gradient at index {i} - got {list(have)} but expected "
                    f"shape compatible with {list(shape)}"
                )
        return fit_tensor(g, target, nr)


class FunctionMeta(type):
    """Gives each Function class its node class, <Name>Backward."""

    def __init__(cls, name: str, bases: tuple, attrs: dict) -> None:
        super().__init__(name, bases, attrs)
        cls._node = type(name + "Backward", (FunctionNode,), {"_function": cls})


class Function(metaclass=FunctionMeta):
    """Subclass with static methods forward(ctx, *args) and backward(ctx, *grads); call through .apply."""

    generate_vmap_rule = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The value. With setup_context overridden it gets no ctx."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> Any:
        """Fill ctx after forward."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """The gradients of the inputs from those of the outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    @staticmethod
    def vjp(ctx: Any, *grads: Any) -> Any:
        """Another name for backward."""
        raise NotImplementedError("see backward")

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """The tangents of the outputs from those of the inputs."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """The rule for torch.func.vmap, which is never asked for here: vmap is a loop."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set generate_vmap_rule=True."
        )

    def __init__(self) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should invoke "
            "them on the class itself. Instantiating an autograd function will raise an error in a future version of "
            "PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise errors.FunctionError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function "
            "with static forward method."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward and record the call as one node."""
        separate = cls.setup_context is not Function.setup_context
        if state.transforms and not separate:
            raise errors.FunctionError(
                "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must "
                "override the setup_context staticmethod. For more details, please see "
                "https://pytorch.org/docs/main/notes/extending.func.html"
            )
        if separate:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            if bound.kwargs:
                raise TypeError(f"forward() got an unexpected keyword argument {next(iter(bound.kwargs))!r}")
            args, kwargs = bound.args, {}
        return _apply(cls, args, kwargs, separate)


class InplaceFunction(Function):
    """Torch's old base for functions that may work in place."""


def _apply(cls: Any, args: tuple, kwargs: dict, separate: bool) -> Any:
    operands = (*args, *kwargs.values())
    tensors = [a for a in operands if isinstance(a, Tensor)]
    recorded = state.grad and any(t.requires_grad for t in tensors)
    # The edges come first: a view whose history is brought up to date gets a node, which must be older than this one.
    edges = tuple(edge_of(t) if t.requires_grad else NO_EDGE for t in tensors) if recorded else ()
    ctx = cls._node()
    ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in operands)
    ctx._is_tensor = tuple(isinstance(a, Tensor) for a in operands)
    if recorded:
        ctx.edges = edges
    tangents = _tangents() if state.dual_level >= 0 else None
    with no_grad(), tangents.only_levels([]) if tangents else no_grad():
        if separate:
            output = cls.forward(*args)
            cls.setup_context(ctx, args, output)
        else:
            output = cls.forward(ctx, *args, **kwargs)
    several = isinstance(output, (tuple, list))
    outs = list(output) if several else [output]
    check_dirty(ctx, outs)
    raw = list(outs)
    for nr, out in enumerate(outs):
        if isinstance(out, Tensor):
            outs[nr] = attach_output(ctx, out, nr, tensors, recorded, len(outs))
    if recorded:
        _describe(ctx, outs, several)
        _save(ctx, raw, outs)
    if tangents:
        tangents.through_function(ctx, cls, operands, outs)
    ctx.to_save = ctx.dirty_tensors = ctx.non_differentiable = None
    return type(output)(outs) if type(output) in (tuple, list) else tuple(outs) if several else outs[0]


def _tangents() -> Any:
    from .autograd import tangents

    return tangents


def _describe(ctx: FunctionNode, outs: list, several: bool) -> None:
    """Shapes and dtypes of the outputs, for the engine."""
    metas = [(o._array.shape, o._array.dtype) if isinstance(o, Tensor) else ((), None) for o in outs]
    if metas:
        ctx.shape, ctx.dtype = metas[0]
    if several:
        ctx.more = {i: m for i, m in enumerate(metas) if i} or {0: metas[0] if metas else ((), None)}


def _save(ctx: FunctionNode, raw: list, outs: list) -> None:
    saved, versions = [], []
    for i, t in enumerate(ctx.to_save or ()):
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}")
        pairs = enumerate(zip(raw, outs)) if t is not None else ()
        nr = next((k for k, (r, o) in pairs if (t is r or t is o) and _is_own(ctx, o)), None)
        entry: Any = t
        if nr is not None:
            entry = SavedResult(outs[nr]._array, outs[nr]._storage, nr)
        entry, version = (None, None) if entry is None else pack(entry, entry._storage.version)
        saved.append(entry)
        versions.append(version)
    ctx.saved, ctx.versions = tuple(saved), tuple(versions)


def _is_own(ctx: FunctionNode, out: Any) -> bool:
    return isinstance(out, Tensor) and ((out._edge is not None and out._edge[0] is ctx) or not out._rg)


def once_differentiable(fn: Callable) -> Callable:
    """Decorates a backward that must not be differentiated: doing so raises."""

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any) -> Any:
        with no_grad():
            outputs = fn(ctx, *args)
        if not state.grad or not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            return outputs
        several = isinstance(outputs, tuple)
        found = []
        for o in outputs if several else (outputs,):
            if isinstance(o, Tensor):
                o = o.detach()
                node = _Refuses((), o._array.shape, o._array.dtype)  # it leads nowhere: what asks for inputs alone goes past it
                o._rg, o._edge = True, (node, 0)
            found.append(o)
        return tuple(found) if several else found[0]

    return wrapper


class _Refuses(Node):
    """The node behind a gradient that may not be differentiated."""

    __slots__ = ()
    title = "torch::autograd::Error"

    def backward(self, ct: Any) -> tuple:
        raise errors.NotDifferentiable("trying to differentiate twice a function that was marked with @once_differentiable")

    differentiate = backward
