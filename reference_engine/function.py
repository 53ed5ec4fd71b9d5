"""Custom autograd.Function: forward and backward written by the user, and the ctx between them.

The ctx is the node itself (as in torch): what forward hangs on it is there in backward.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from . import errors, views
from .graph import NO_EDGE, Node, edge_of
from .inplace import rebase
from .modes import no_grad, state
from .saved import SavedResult, pack, unpack_tensor
from .tensor import Tensor, alias, wrap


class FunctionCtx:
    """What a Function's static methods may ask of ctx."""

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for backward, version-checked; only the last call counts."""
        self._to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for jvp."""
        self._for_forward = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which inputs forward wrote in place; they must be returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients come to backward as zeros (the default) or as None."""
        self._materialize = value

    def mark_shared_storage(self, *pairs: Any) -> None:
        """Kept for torch's sake."""

    @property
    def saved_tensors(self) -> tuple:
        if self._in_jvp:  # type: ignore[attr-defined]
            return self._for_forward
        if self.saved is None:  # type: ignore[has-type]
            raise errors.freed(self.name())  # type: ignore[attr-defined]
        return tuple(unpack_tensor(self, i) for i in range(len(self.saved)))  # type: ignore[arg-type,has-type]

    saved_variables = saved_tensors


class FunctionNode(Node, FunctionCtx):
    """The node of one call of a Function."""

    runs_undefined = True
    _function: Any = None

    def __init__(self) -> None:
        super().__init__()
        self._to_save: tuple = ()
        self._for_forward: tuple = ()
        self._dirty: tuple = ()
        self._non_differentiable: tuple = ()
        self._materialize = True
        self._in_jvp = False
        self.needs_input_grad: tuple = ()
        self._is_tensor: tuple = ()

    def backward(self, ct: Any) -> tuple:
        cts = ct if self.more is not None else [ct]
        grads = self._run([None if c is None else wrap(c) for c in cts])
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
                        f"function {self.name()} returned a gradient different from None at position {i + 1}, but the "
                        "corresponding forward input was not a Variable"
                    )
                continue
            target, nr = self.edges[len(found)]
            if g is not None and not isinstance(g, Tensor):
                raise errors.FunctionError(f"expected Variable or None (got {type(g).__name__})")
            found.append(None if g is None or target is None else self._fit(g, target, nr, i))
        return found

    def _fit(self, g: Tensor, target: Node, nr: int, i: int) -> Tensor:
        from .ops.table import fit_tensor

        shape = target.meta(nr)[0]
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
            args, kwargs = bound.args, {}
        return _apply(cls, args, kwargs, separate)


class InplaceFunction(Function):
    """Torch's old base for functions that may work in place."""


def _apply(cls: Any, args: tuple, kwargs: dict, separate: bool) -> Any:
    operands = (*args, *kwargs.values())
    tensors = [a for a in operands if isinstance(a, Tensor)]
    ctx = cls._node()
    ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in operands)
    ctx._is_tensor = tuple(isinstance(a, Tensor) for a in operands)
    recorded = state.grad and any(t.requires_grad for t in tensors)
    if recorded:
        ctx.edges = tuple(edge_of(t) if t.requires_grad else NO_EDGE for t in tensors)
    tangents = _tangents() if state.dual_level >= 0 else None
    with no_grad(), tangents.only_levels([]) if tangents else no_grad():
        if separate:
            output = cls.forward(*args)
            cls.setup_context(ctx, args, output)
        else:
            output = cls.forward(ctx, *args, **kwargs)
    several = isinstance(output, (tuple, list))
    outs = list(output) if several else [output]
    if not several and not isinstance(output, Tensor):
        raise TypeError(
            f"{cls.__name__}.forward: expected to return a Tensor or tuple of Tensors, but got {type(output).__name__}"
        )
    _check_dirty(ctx, outs, tensors)
    raw = list(outs)
    for nr, out in enumerate(outs):
        if isinstance(out, Tensor):
            outs[nr] = _attach(ctx, out, nr, tensors, recorded, len(outs))
    if recorded:
        _describe(ctx, outs, several)
        _save(ctx, raw, outs)
    if tangents:
        tangents.through_function(ctx, cls, operands, outs)
    ctx._to_save = ctx._dirty = ctx._non_differentiable = ()
    return tuple(outs) if several else outs[0]


def _tangents() -> Any:
    from .autograd import tangents

    return tangents


def _check_dirty(ctx: FunctionNode, outs: list, tensors: list) -> None:
    for t in ctx._dirty:
        if not any(t is o for o in outs):
            raise errors.FunctionError(
                "Some elements marked as dirty during the forward method were not returned as output. The inputs that "
                "are modified inplace must all be outputs of the Function."
            )
        t._storage.version = t._version + 1
        t._storage.writer = ctx.name()


def _attach(ctx: FunctionNode, out: Tensor, nr: int, tensors: list, recorded: bool, count: int) -> Tensor:
    """Give an output its place behind the node; inputs returned as they are come back as new objects."""
    is_input = any(out is t for t in tensors)
    dirty = any(out is t for t in ctx._dirty)
    differentiable = recorded and not any(out is t for t in ctx._non_differentiable) and out._array.dtype.kind in "fc"
    if not differentiable:
        if is_input and not dirty:
            return out.detach() if out.requires_grad else _same_memory(out)
        if out.requires_grad and not is_input and out._view is None:
            out._rg, out._edge = False, None
        return out
    if dirty:
        return _attach_dirty(ctx, out, nr, is_input, count)
    if is_input:
        out = _same_memory(out)
        out._view.creation = views.IN_FUNCTION
    elif out._view is not None:
        out._view.creation = views.MULTI_OUTPUT if count > 1 else views.IN_FUNCTION
        out._view.version = out._storage.version
    out._rg, out._edge = True, (ctx, nr)
    return out


def _attach_dirty(ctx: FunctionNode, out: Tensor, nr: int, is_input: bool, count: int) -> Tensor:
    if out._view is not None:
        if count > 1:
            raise errors.FunctionError(
                "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot "
                "return more than one Tensor. This is not supported by the current autograd engine. You should either "
                "make sure the input is not a view (using .clone() for example) or make your Function only return one "
                "Tensor (potentially splitting it into two Functions: one doing the inplace that returns a single "
                "Tensor and a second one that does the other operations). You can ask on the forum "
                "https://discuss.pytorch.org/ if you need help to do this change."
            )
        if out.requires_grad and out._view.base.is_leaf:
            raise errors.ViewOfLeafInPlace("a view of a leaf Variable that requires grad is being used in an in-place operation.")
        ctx.shape, ctx.dtype = out._array.shape, out._array.dtype
        rebase(out, ctx)
        return out
    if out._rg and out._edge is None:
        raise errors.LeafInPlace("a leaf Variable that requires grad is being used in an in-place operation.")
    if nr == 0:
        ctx.shape, ctx.dtype = out._array.shape, out._array.dtype
        rebase(out, ctx)
    else:
        out._rg, out._edge = True, (ctx, nr)
    return out


def _same_memory(t: Tensor) -> Tensor:
    """A view of the whole tensor."""
    out = alias(t._array[...], t._storage)
    with no_grad():
        views.attach(out, t)
    return out


def _describe(ctx: FunctionNode, outs: list, several: bool) -> None:
    """Shapes and dtypes of the outputs, for the engine."""
    metas = [(o._array.shape, o._array.dtype) if isinstance(o, Tensor) else ((), None) for o in outs]
    if metas:
        ctx.shape, ctx.dtype = metas[0]
    if several:
        ctx.more = {i: m for i, m in enumerate(metas) if i} or {0: metas[0] if metas else ((), None)}


def _save(ctx: FunctionNode, raw: list, outs: list) -> None:
    saved, versions = [], []
    for i, t in enumerate(ctx._to_save):
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
                node = _Refuses((), o._array.shape, o._array.dtype)
                node.edges = tuple(edge_of(a) for a in args if isinstance(a, Tensor) and a.requires_grad)
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
