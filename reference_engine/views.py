"""Views: tensors that look into the memory of a base and take part in its history.

A view remembers its base (never itself a view) and the version at which its own grad_fn was right. When the base or a
sibling was written in place since, the view's grad_fn is made anew on the next access (torch: VariableHooks::grad_fn):
an AsStrided node from the base's present history.
"""

from __future__ import annotations

import weakref
from typing import Any

from . import errors
from .graph import hooks_of
from .modes import state
from .storage import address, offset, strides

new = object.__new__
DEFAULT, MULTI_OUTPUT, NO_GRAD, INFERENCE, IN_FUNCTION = range(5)


class ViewInfo:
    """What makes a tensor a view. `replay`: how to view the base anew, where a geometry cannot say it (else None)."""

    __slots__ = ("base", "creation", "place", "replay", "version")  # place: see start()

    def __init__(self, base: Any, version: int | None, creation: int = DEFAULT, replay: Any = None) -> None:
        self.base, self.version, self.creation, self.replay = base, version, creation, replay
        self.place: Any = None


def attach(out: Any, source: Any, several: bool = False) -> None:
    """Make `out`, which looks into `source`'s memory, a view of it (and of its base)."""
    storage = out._storage = source._storage
    info, made = source._view, new(ViewInfo)
    if state.grad:
        creation = MULTI_OUTPUT if several else DEFAULT
    elif state.inference:
        if storage.version is None:
            return  # an inference tensor has no views: nothing in it is tracked
        creation = INFERENCE
    else:
        creation = NO_GRAD
    if info is None:
        made.base = source
    else:
        made.base = info.base
        creation = info.creation or creation
    made.version, made.creation = storage.version, creation
    made.replay = made.place = None
    out._view = made


def requires_grad(t: Any) -> bool:
    """Whether a view requires grad: by itself, or because its base came to."""
    return t._rg or t._view.base._rg


def start(t: Any) -> int:
    """Where a view starts, counted in its elements from its base's first. Addresses are slow to ask for: it is kept."""
    info, view = t._view, t._array
    base = info.base._array
    if info.place is None or info.place[0] is not view or info.place[1] is not base:
        info.place = view, base, (address(view) - address(base)) // max(1, view.itemsize)
    return info.place[2]


def geometry(t: Any) -> tuple:
    """(shape, strides, offset) of the tensor in its buffer, in elements."""
    return t._array.shape, strides(t._array), offset(t._array)


def replay(t: Any) -> Any:
    """How to view the base anew where a geometry cannot say it, else None: as given, or across a change of dtype."""
    info = t._view
    if info is None or info.replay is not None or info.base._array.dtype == t._array.dtype:
        return None if info is None else info.replay
    from .ops.complex import across

    return across(info.base, t)


def regenerate(t: Any) -> None:
    """Bring a view's grad_fn up to date with its base, which was written since.

    Raises ViewInPlace if the view is of a kind whose history cannot be rewritten.
    """
    from .ops.strided import as_strided_edge

    info = t._view
    base = info.base
    if t._edge is None and not base._rg:
        return
    refuse(t)
    again = replay(t)
    edge = as_strided_edge(base, t) if again is None else again(base)._edge
    move_retained(t, edge[0])
    t._rg, t._edge = True, edge
    info.version = t._storage.version


def move_retained(t: Any, node: Any) -> None:
    """Before `t` gets `node` as its grad_fn: its tensor hooks stay with the old one, but retain_grad moves along."""
    meta = t._meta
    if meta is not None and meta.retains and t._edge is not None:
        old, nr = t._edge
        if old.hooks is not None:
            old.hooks.retains.pop(nr, None)
        hooks_of(node).retains[0] = weakref.ref(t)


_WHY = {
    MULTI_OUTPUT: " This view is the output of a function that returns multiple views. Such functions do not allow the "
    "output views to be modified inplace. You should replace the inplace operation by an out-of-place one.",
    IN_FUNCTION: " This view was created inside a custom Function (or because an input was returned as-is) and the "
    "autograd logic to handle view+inplace would override the custom backward associated with the custom Function, "
    "leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning the output of the custom "
    "Function.",
}


def refuse(t: Any, writer: str = "") -> None:
    """Raise if `t` is a view that may not be rebased onto a changed base (torch: handle_view_on_rebase).

    writer: the op that is to write `t`; without one, its base or another view was written.
    """
    info = t._view
    if info.creation == DEFAULT:
        return
    what = "is being" if writer else "its base or another view of its base has been"
    proof = f" [{writer or getattr(t._storage, 'writer', 'a write')} on {'it' if writer else 'its family'}; the view has shape "
    proof += f"{list(t.shape)}, its base {list(info.base.shape)}.]"
    if info.creation in (NO_GRAD, INFERENCE):
        mode = "no_grad mode" if info.creation == NO_GRAD else "inference mode"
        where = "with grad mode enabled" if info.creation == NO_GRAD else "in normal mode"
        view = "A view was" if t._edge is None else f"Output {t._edge[1]} of {t._edge[0].label()} is a view of a view which was"
        raise errors.ViewInPlace(
            f"{view} created in {mode} and {what} modified inplace {where}. Given that this use "
            "case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and "
            f"the inplace either both inside the {mode} block (if you don't want the inplace to be tracked) or both "
            "outside (if you want the inplace to be tracked)." + proof
        )
    name = "This tensor" if t._edge is None else f"Output {t._edge[1]} of {t._edge[0].label()}"
    raise errors.ViewInPlace(f"{name} is a view and {what} modified inplace.{_WHY[info.creation]}{proof}")
