"""What becomes of the tensors that a custom Function returns: fresh ones, inputs, views of inputs, inputs written in place."""

from __future__ import annotations

from typing import Any

from . import errors, views
from .inplace import rebase
from .modes import no_grad
from .tensor import Tensor, alias


def check_dirty(ctx: Any, outs: list) -> None:
    """Count the writes that forward said it made. Raises FunctionError for one that it did not return."""
    for t in ctx.dirty_tensors or ():
        if not isinstance(t, Tensor):
            raise errors.FunctionError(f"mark_dirty can only accept variables, but argument is of type {type(t).__name__}")
        if not any(t is o for o in outs):
            raise errors.FunctionError(
                "Some elements marked as dirty during the forward method were not returned as output. The inputs that "
                "are modified inplace must all be outputs of the Function."
            )
        t._storage.version = t._version + 1
        t._storage.writer = ctx.name()


def attach_output(ctx: Any, out: Tensor, nr: int, tensors: list, recorded: bool, count: int) -> Tensor:
    """Give an output its place behind the node; inputs returned as they are come back as new objects."""
    is_input = any(out is t for t in tensors)
    dirty = any(out is t for t in ctx.dirty_tensors or ())
    constant = any(out is t for t in ctx.non_differentiable or ())
    differentiable = recorded and not constant and out._array.dtype.kind in "fc"
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
        out._view.creation = views.MULTI_OUTPUT if count > 1 else views.IN_FUNCTION
    elif out._view is not None:
        out._view.creation = views.MULTI_OUTPUT if count > 1 else views.IN_FUNCTION
        out._view.version = out._storage.version
    out._rg, out._edge = True, (ctx, nr)
    return out


def _attach_dirty(ctx: Any, out: Tensor, nr: int, is_input: bool, count: int) -> Tensor:
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
        _forget_gradient(out)
        return out
    if out._rg and out._edge is None:
        raise errors.LeafInPlace("a leaf Variable that requires grad has been used in an in-place operation.")
    if nr == 0:
        ctx.shape, ctx.dtype = out._array.shape, out._array.dtype
        rebase(out, ctx)
    else:
        out._rg, out._edge = True, (ctx, nr)
    _forget_gradient(out)
    return out


def _forget_gradient(t: Tensor) -> None:
    """A gradient kept so far was that of the values before the write."""
    if t._meta is not None:
        t._meta.grad = None


def _same_memory(t: Tensor) -> Tensor:
    """A view of the whole tensor."""
    out = alias(t._array[...], t._storage)
    with no_grad():
        views.attach(out, t)
    return out
