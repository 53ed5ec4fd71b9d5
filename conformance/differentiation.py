"""What the steps that differentiate do to a scope: which part of the graph they walk, and which slots get a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.catalog import size
from conformance.exercised import by_roots
from conformance.features import BITS as _F
from conformance.program import Backward, Grad, Gradient, ReadGrad
from conformance.slots import UNKNOWN, Slot, Storage, misfit

if TYPE_CHECKING:
    from conformance.scope import Scope

# Those that nearly every step asks for, as names of the module: reading an attribute of BITS costs more than the arithmetic.
_CONSTANT_IN_BACKWARD: int = _F.CONSTANT_IN_BACKWARD
_NON_LEAF_IN_BACKWARD: int = _F.NON_LEAF_IN_BACKWARD
_LEAF_REUSED: int = _F.LEAF_REUSED
_BACKWARD: int = _F.BACKWARD
_EXPLICIT_GRADIENT: int = _F.EXPLICIT_GRADIENT


def backward(scope: Scope, step: Backward) -> None:
    """backward(): accumulates."""
    features = _BACKWARD
    graph = _traverse(scope, step)
    walked = graph & scope.requiring
    leaves = walked & ~scope.interior
    if scope.filled != scope.requiring:
        features |= _CONSTANT_IN_BACKWARD
    if walked != leaves:
        features |= _NON_LEAF_IN_BACKWARD
    if leaves & scope.reused:
        features |= _LEAF_REUSED
    if step.handed:
        features |= _F.HANDED_GRADIENT
    if step.inputs is not None:
        features |= _F.INPUTS
        leaves = walked & sum(1 << i for i in set(step.inputs))  # a non-leaf too, if it is named
    if scope.accumulated & leaves:
        features |= _F.ACCUMULATED_AGAIN
    scope.accumulated |= leaves
    if step.create_graph and any(scope.slots[r].curved for r in step.roots):
        _note_higher(scope, graph, leaves)
    scope.features |= features


def grad(scope: Scope, step: Grad) -> None:
    """grad(): returns gradients."""
    graph = _traverse(scope, step)
    scope.features |= _F.GRAD_CALL
    differentiable = step.create_graph and any(scope.slots[r].curved for r in step.roots)
    for out, name in zip(step.outs, step.inputs, strict=True):
        source = scope.slots[name]
        if not graph >> name & 1:
            scope.features |= _F.UNUSED_INPUT
            if step.allow_unused:
                continue  # there is no gradient to hold
        slot = Slot(out, source.shape, source.dtype, Storage(UNKNOWN), differentiable)
        slot.is_leaf = not differentiable
        slot.order_open = len(source.shape) > 1  # only what accumulates into a leaf has the leaf's order
        slot.contiguous = not slot.order_open
        _note_gradient(scope, slot)
        slot.curved = differentiable
        slot.above = graph
        slot.graph = graph | 1 << out if differentiable else 0
        scope.slots[out] = slot
    if differentiable:
        _note_higher(scope, graph, sum(1 << out for out in set(step.outs)))


def read_grad(scope: Scope, step: ReadGrad) -> None:
    """The `.grad` of a leaf as a tensor."""
    source = scope.slots[step.source]
    slot = Slot(step.out, source.shape, source.dtype, Storage(UNKNOWN), bool(scope.higher >> source.name & 1))
    slot.storage.of_gradient = True
    slot.is_leaf = not slot.requires_grad
    _note_gradient(scope, slot)
    slot.above = source.graph
    slot.graph = (source.graph | 1 << step.out) if slot.requires_grad else 0
    scope.slots[step.out] = slot
    scope.features |= _F.READ_GRAD


def _note_higher(scope: Scope, graph: int, gradients: int) -> None:
    """These gradients, as bits, can be differentiated: they came over this graph."""
    if graph & scope.higher:
        scope.highest |= gradients
    scope.higher |= gradients


def _note_gradient(scope: Scope, slot: Slot) -> None:
    """A gradient has become a slot."""
    bit = 1 << slot.name
    scope.filled |= bit
    if slot.requires_grad:
        scope.requiring |= bit
        scope.interior |= bit


def _traverse(scope: Scope, step: Backward | Grad) -> int:
    """What every differentiation exercises; returns the graph it walks."""
    features = graph = 0
    slots, gradients = scope.slots, step.gradients
    if gradients and len(gradients) != len(step.roots):
        misfit(f"{len(gradients)} gradients for {len(step.roots)} roots")
    roots = []
    for number, name in enumerate(step.roots):
        root = slots[name]
        roots.append(root)
        graph |= root.graph
        if not root.requires_grad:
            features |= _F.ROOT_WITHOUT_GRAD
        gradient: Gradient = gradients[number] if gradients else None
        if gradient is None:
            if size(root.shape) != 1:
                features |= _F.NON_SCALAR_ROOT
            continue
        features |= _EXPLICIT_GRADIENT
        if type(gradient) is tuple:
            shape = (step.shape if type(step) is Backward else None) or root.shape
            if size(shape) != len(gradient):
                misfit(f"{len(gradient)} gradient values for shape {shape}")
        else:
            shape = slots[gradient].shape  # type: ignore[index]
            if slots[gradient].dtype != root.dtype:  # type: ignore[index]
                features |= _F.GRADIENT_OF_OTHER_DTYPE
        if shape is not root.shape and shape != root.shape:
            features |= _F.GRADIENT_OF_OTHER_SHAPE
    if len(roots) > 1:
        features |= by_roots(step, roots)
    if roots[0].is_leaf and roots[0].requires_grad:
        features |= _F.LEAF_ROOT
    if step.create_graph:
        features |= _F.CREATE_GRAPH
    if graph & scope.higher:
        features |= _F.HIGHER_ORDER
    if graph & scope.highest:
        features |= _F.THIRD_ORDER
    if graph & scope.consumed:
        features |= _F.WALKED_AGAIN
    if graph & scope.retained:
        features |= _F.RETAINED_AGAIN
    nodes = graph & scope.interior
    keep = step.create_graph if step.retain_graph is None else step.retain_graph
    if keep:
        scope.retained |= nodes
    else:
        scope.consumed |= nodes
    scope.backwards += 1
    scope.features |= features
    return graph
