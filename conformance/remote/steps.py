"""The names by which a child says what it can do, and the methods of an adapter that they stand for."""

from __future__ import annotations

from conformance.engine import Engine
from conformance.observe import FACETS, RELATIONS

# Name in `steps` of a child's capabilities -> the method of Engine that carries it out; None: every engine does.
STEPS: dict[str, str | None] = {
    "leaf": None,
    "apply": None,
    "mutate": None,
    "drop": None,
    "read_grad": None,
    "detach": "detach",
    "requires_grad_": "set_requires_grad",
    "enter": "grad_mode",  # regions no_grad and enable_grad, and thread, which is a region of another thread
    "inference_mode": "inference_mode",  # the region inference_mode
    "pack": "saved_tensors_hooks",  # the regions pack_same, pack_copy, pack_double and pack_write
    "set_grad_enabled": "set_grad_enabled",
    "retain_grad": "retain_grad",
    "backward": "backward",
    "grad": "grad",
    "copy": "copy",  # gradients that are tensors in slots
    "zero_grad": "zero_grad",
    "assign_grad": "set_gradient",
    "export": "export",
    "hook": "hook",
    "unhook": "unhook",
}
METHODS = {method: step for step, method in STEPS.items() if method is not None}
SHOWN = {method: facet for facet, method in (FACETS | RELATIONS | {"recording": "recording"}).items()}


def steps_of(engine: Engine) -> list[str]:
    """What an adapter can do, by these names."""
    return [step for step, method in STEPS.items() if method is None or engine.has(method)]


def has(steps: frozenset[str], facets: frozenset[str], method: str) -> bool:
    """Whether a child with these capabilities can do what this method of Engine does."""
    if method in SHOWN:
        return SHOWN[method] in facets
    return method == "leaf" or METHODS.get(method) in steps
