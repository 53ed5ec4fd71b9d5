"""What the steps of autograd's protocol do to a scope: flags, modes, gradients that are kept or assigned, hooks.

Each is a function of the scope and the step. `scope.py` has those of the steps that make and change tensors, and
`differentiation.py` those of the steps that differentiate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.features import BITS as _F
from conformance.program import (
    AssignGrad,
    Drop,
    Enter,
    Exit,
    Export,
    Hook,
    RetainGrad,
    SetGradMode,
    SetRequiresGrad,
    Unhook,
    ZeroGrad,
)
from conformance.slots import FLOATS, misfit

if TYPE_CHECKING:
    from conformance.scope import Scope

_KINDS: dict[str, int] = {
    "tensor": 0, "accumulated": _F.HOOK_AFTER_ACCUMULATION, "node_before": _F.HOOK_ON_NODE, "node_after": _F.HOOK_ON_NODE,
}  # fmt: skip
_ACTIONS: dict[str, int] = {
    "see": 0, "double": _F.HOOK_DOUBLES, "misshape": _F.HOOK_MISSHAPES, "remove": _F.HOOK_REMOVES_ITSELF,
    "forget": _F.HOOK_FORGETS,
}  # fmt: skip
PACKS: dict[str, int] = {
    "pack_same": _F.PACKED, "pack_copy": _F.PACKED_AS_COPY, "pack_double": _F.PACKED_DOUBLED, "pack_write": _F.PACKED_WRITTEN,
}  # fmt: skip


def set_requires_grad(scope: Scope, step: SetRequiresGrad) -> None:
    """requires_grad_(): only leaves may lose the flag. Views without a history answer with the flag of their base."""
    slot = scope.slots[step.target]
    if slot.dtype not in FLOATS:
        misfit(f"requires_grad_ on a tensor of dtype {slot.dtype}")
    if slot.storage.inference and step.value and not scope.inference:
        scope.features |= _F.INFERENCE_USED
    if not slot.is_leaf:
        scope.features |= 0 if step.value else _F.NON_LEAF_FLAG
        return
    scope.features |= _F.STAGE_BOUNDARY if slot.detached else _F.FLAG_SET
    for member in list(scope.sharing(slot.storage)):
        if member is slot or (member.view and member.is_leaf and member.base is slot):
            scope.flag(member, step.value)
    if step.value and not slot.detached:
        slot.storage.of_leaf = True


def retain_grad(scope: Scope, step: RetainGrad) -> None:
    """retain_grad() keeps a non-leaf's gradient."""
    slot = scope.slots[step.target]
    slot.retained = True
    if not slot.is_leaf:
        scope.features |= _F.RETAIN_GRAD


def zero_grad(scope: Scope, step: ZeroGrad) -> None:
    """`.grad` to None or to zeros."""
    bit = 1 << scope.slots[step.target].name
    if scope.accumulated & bit:
        scope.features |= _F.SET_TO_NONE if step.set_to_none else _F.ZEROED
    if step.set_to_none:
        scope.accumulated &= ~bit


def drop(scope: Scope, step: Drop) -> None:
    """A variable goes."""
    slot = scope.slots[step.target]
    slot.alive = False
    scope.gone |= 1 << slot.name
    scope.features |= _F.DROPPED
    if slot.storage.detached and not slot.detached:
        scope.features |= _F.DROPPED_SOURCE


def enter(scope: Scope, step: Enter) -> None:
    """A region begins."""
    mode = step.mode
    scope.modes.append((mode, scope.recording, scope.inference))
    if mode in PACKS:
        scope.features |= PACKS[mode] | (_F.PACKS_NESTED if any(m in PACKS for m, _, _ in scope.modes[:-1]) else 0)
        return
    if len(scope.modes) > 1:
        scope.features |= _F.REGION_NESTED
    if mode == "thread":
        scope.features |= _F.THREAD
        scope.inference = False
    elif mode == "inference_mode":
        scope.features |= _F.INFERENCE
        scope.inference = True
    scope.recording = mode in ("enable_grad", "thread") and not scope.inference


def exit_(scope: Scope, step: Exit) -> None:
    """A region ends: the mode before it comes back."""
    _, scope.recording, scope.inference = scope.modes.pop()


def assign_grad(scope: Scope, step: AssignGrad) -> None:
    """`.grad = tensor`."""
    target, source = scope.slots[step.target], scope.slots[step.source]
    scope.features |= _F.ASSIGNED_GRADIENT
    if target.shape != source.shape or target.dtype != source.dtype:
        scope.features |= _F.ASSIGNED_MISFIT
    scope.accumulated |= 1 << target.name
    source.storage.of_gradient = True
    if source.requires_grad:
        scope.higher |= 1 << target.name


def set_grad_mode(scope: Scope, step: SetGradMode) -> None:
    """The mode changes until the region around ends."""
    scope.recording = step.value and not scope.inference
    scope.features |= _F.MODE_SWITCHED


def export(scope: Scope, step: Export) -> None:
    """numpy() is refused where the graph would be left behind."""
    slot = scope.slots[step.target]
    scope.features |= _F.EXPORT_REFUSED if slot.requires_grad and scope.recording else _F.EXPORTED


def hook(scope: Scope, step: Hook) -> None:
    """A hook hangs on a tensor, a leaf or a node."""
    slot = scope.slots[step.target]
    features = _F.HOOK | _KINDS[step.kind] | _ACTIONS[step.action]
    if slot.is_leaf and slot.requires_grad:
        features |= _F.HOOK_ON_LEAF
    if not slot.requires_grad or (step.kind == "accumulated" and not slot.is_leaf) or (step.kind[:4] == "node" and slot.is_leaf):
        features |= _F.HOOK_WITHOUT_GRADIENT
    if slot.hooked:
        features |= _F.SEVERAL_HOOKS
    slot.hooked = True
    scope.handles.add(step.out)
    scope.features |= features


def unhook(scope: Scope, step: Unhook) -> None:
    """A hook goes."""
    scope.handles.remove(step.handle)
    scope.features |= _F.HOOK_REMOVED
