"""What a step exercises beyond what is plain from its kind: functions from what is known of slots to features, as bits."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from conformance.catalog import Op, Shape
from conformance.features import BITS as _F
from conformance.program import Backward, Grad
from conformance.slots import FLOATS, Slot, Storage

_CONSTANT_OPERAND: int = _F.CONSTANT_OPERAND
_REPEATED_OPERAND: int = _F.REPEATED_OPERAND
_SKIP: int = _F.SKIP
_BROADCASTING = frozenset(("binary", "matmul", "inplace"))  # chapters


def by_operands(op: Op, inputs: list[Slot], interior: int) -> int:
    """Several operands of one recorded op; `interior` are the slots that are not leaves, as bits."""
    features: int = 0
    first = inputs[0]
    shape, depth = first.shape, first.depth
    for number, s in enumerate(inputs):
        if not s.requires_grad and s.dtype in FLOATS:
            features |= _CONSTANT_OPERAND
        if number and s in inputs[:number]:
            features |= _REPEATED_OPERAND
        if s.shape != shape and op.chapter in _BROADCASTING:
            features |= by_stretching(shape, s.shape) if op.chapter != "matmul" else by_batches(shape, s.shape)
        if s.depth != depth and s.graph & first.graph & interior:
            features |= _SKIP
    return features


def by_batches(a: Shape, b: Shape) -> int:
    """Two different factors of a product of matrices: what stands before the last two axes is broadcast."""
    return by_stretching(a[:-2], b[:-2]) if a[:-2] != b[:-2] else 0


@lru_cache(maxsize=1024)
def by_stretching(a: Shape, b: Shape) -> int:
    """Two different shapes that are broadcast to each other."""
    features: int = _F.BROADCAST
    rank = max(len(a), len(b))
    if len(a) != len(b):
        features |= _F.BROADCAST_LEADING
    pairs = list(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))
    if any(n != m for n, m in pairs[abs(len(a) - len(b)) :]):
        features |= _F.BROADCAST_UNIT
    if any(n < m for n, m in pairs) and any(n > m for n, m in pairs):
        features |= _F.BROADCAST_BOTH
    return features


def by_write(target: Slot, slots: Iterable[Slot], *, recording: bool, inference: bool, walked: bool) -> int:
    """A write into this slot's memory; `walked`: there was a differentiation before."""
    features: int = 0
    storage = target.storage
    version = storage.version
    saved_input, saved_output = storage.saved_input_at == version, storage.saved_output_at == version
    if saved_input or saved_output:
        features |= _F.SAVED_INPUT_WRITTEN if saved_input else _F.SAVED_OUTPUT_WRITTEN
        if target.view:
            features |= _F.SAVED_WRITTEN_THROUGH_VIEW
        if target.detached:
            features |= _F.SAVED_WRITTEN_THROUGH_DETACHED
        elif not recording:
            features |= _F.SAVED_WRITTEN_UNDER_NO_GRAD
        if walked:
            features |= _F.WRITTEN_BETWEEN_BACKWARDS
        if storage.of_leaf and not recording:
            features |= _F.WEIGHT_UPDATED_IN_FLIGHT
    elif storage.read_at >= 0:
        features |= _F.UNSAVED_WRITTEN
    if storage.of_leaf and not recording and _is_stashed(storage, slots):
        features |= _F.STASHED_WEIGHT_UPDATED
    if recording and not target.detached:
        if target.is_leaf and target.requires_grad:
            features |= _F.LEAF_WRITTEN
        elif target.of_leaf:
            features |= _F.VIEW_OF_LEAF_WRITTEN
    if storage.inference and not inference:
        features |= _F.INFERENCE_USED
    if storage.of_gradient:
        features |= _F.GRADIENT_WRITTEN
    if target.hooked or target.retained:
        features |= _F.HOOKED_WRITTEN
    if target.view:
        features |= _F.VIEW_WRITTEN
    elif any(s.view and s.storage is storage for s in slots):
        features |= _F.BASE_WRITTEN
    if storage.detached:
        features |= _F.DETACHED_WRITTEN if target.detached else _F.SOURCE_WRITTEN
    return features


def _is_stashed(storage: Storage, slots: Iterable[Slot]) -> bool:
    """Whether a node saved a clone of this memory."""
    return any(s.storage.clone_of is storage and s.storage.saved_input_at >= 0 for s in slots)


def by_roots(step: Backward | Grad, roots: list[Slot]) -> int:
    """Several roots."""
    features: int = _F.SEVERAL_ROOTS
    if len(set(step.roots)) < len(roots):
        features |= _F.REPEATED_ROOT
    if any(a.above >> b.name & 1 for a in roots for b in roots):
        features |= _F.ROOT_ABOVE_ROOT
    if step.gradients and None in step.gradients and any(g is not None for g in step.gradients):
        features |= _F.SOME_IMPLICIT
    return features
