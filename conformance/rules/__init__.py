"""The rules, one file an area. The order within `PRECEDENCE` decides which of several rules claims a difference."""

from __future__ import annotations

from conformance.areas import AREA_NAMES
from conformance.compare import Difference
from conformance.rules import (
    accumulation,
    broadcasting,
    checkpoint,
    conventions,
    detach,
    empty,
    errors,
    functions,
    grad,
    grad_modes,
    gradients,
    hooks,
    identity,
    lifetime,
    order,
    pipeline,
    process,
    requires_grad,
    roots,
    saved_hooks,
    versions,
    views,
)
from conformance.rules.rule import Rule

# What torch leaves open first, then the most specific: a reduced program keeps a feature only where the difference needs it.
PRECEDENCE: tuple[Rule, ...] = (
    *process.RULES,
    *order.RULES[:1],
    *identity.OPEN,
    *conventions.RULES,
    *gradients.OPEN,
    *grad.OPEN,
    *requires_grad.OPEN,
    *roots.OPEN,
    *lifetime.OPEN,
    *errors.REFUSALS,
    *hooks.REFUSALS,
    *functions.REFUSALS,
    *saved_hooks.REFUSALS,
    *grad_modes.RULES,
    *saved_hooks.RULES,
    *hooks.RULES,
    *checkpoint.RULES,
    *functions.RULES,
    *identity.RULES,
    *pipeline.RULES,
    *detach.RULES,
    *versions.REFUSALS,
    *versions.FREEDOMS,
    *grad.GRAPHS,
    *lifetime.RULES,
    *grad.RULES,
    *lifetime.AGAIN,
    *requires_grad.RULES,
    *accumulation.RULES,
    *views.RULES,
    *versions.COUNTER,
    *order.RULES[1:],
    *roots.RULES,
    *empty.RULES,
    *broadcasting.RULES,
    *gradients.RULES,
    *errors.OTHERS,
)

RULES: dict[str, Rule] = {rule.id: rule for rule in sorted(PRECEDENCE, key=lambda r: (AREA_NAMES.index(r.area), r.id))}


def attribute(difference: Difference, features: int) -> Rule:
    """The rule that a difference of a reduced program breaks.

    Raises:
        LookupError: no rule claims it, which is a defect of ours: the table must cover every difference.
    """
    for rule in PRECEDENCE:
        if rule.claims(difference, features):
            return rule
    raise LookupError(f"no rule claims {difference}")


__all__ = ["PRECEDENCE", "RULES", "Rule", "attribute"]
