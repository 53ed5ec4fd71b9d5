"""The same program at other values: in float64, with its leaves moved a little, with every graph retained; and with its uses told
apart."""

from __future__ import annotations

import msgspec

from conformance.catalog import CATALOG
from conformance.program import AnyStep, Apply, Backward, Grad, Hook, Leaf, Program
from conformance.scope import Scope

_replace = msgspec.structs.replace


def in_float64(program: Program) -> Program:
    """Every float32 leaf and cast becomes float64."""

    def step64(step: AnyStep) -> AnyStep:
        if isinstance(step, Leaf) and step.dtype == "float32":
            return _replace(step, dtype="float64")
        if isinstance(step, Apply) and step.op == "float":
            return _replace(step, op="double")
        return step

    return Program(tuple(map(step64, program.steps)), program.exact)


def moved(program: Program, relative: float, absolute: float = 0.0) -> Program:
    """Every floating leaf's values moved by alternating small amounts, different for each value."""
    count = 0

    def move(step: AnyStep) -> AnyStep:
        nonlocal count
        if not isinstance(step, Leaf) or not step.dtype.startswith("float"):
            return step
        values = []
        for value in step.values:
            count += 1
            direction = (1 if count % 2 else -1) * (0.5 + (count * 7 % 11) / 11)
            values.append(value + direction * (relative * abs(value) + absolute))
        return _replace(step, values=tuple(values))

    return Program(tuple(map(move, program.steps)), False)


def retained(program: Program) -> Program:
    """Every differentiation keeps its graph."""
    return Program(
        tuple(_replace(s, retain_graph=True) if isinstance(s, (Backward, Grad)) else s for s in program.steps), program.exact
    )


def with_uses_apart(program: Program) -> tuple[Program, dict[int, int]]:
    """Every use of a tensor by an op gets a copy of it, with a hook that sees what comes back through this use alone.

    So the terms are seen of which a gradient is the sum. Gives the tensor of each hook. What views are taken of stays as it is,
    and so does what functions of the user's are given.
    """
    scope = Scope()
    steps: list[AnyStep] = []
    fresh = max((name for step in program.steps for name in (*step.makes(), *step.reads())), default=0)
    used: dict[int, int] = {}
    for step in program.steps:
        if isinstance(step, Apply) and scope.recording and not _needs_itself(step.op):
            copies = []
            for name in step.inputs:
                if scope.slots[name].requires_grad:
                    copy, hook = fresh + 1, fresh + 2
                    fresh = hook
                    steps += [Apply("clone", (name,), (copy,)), Hook(hook, copy)]
                    used[hook] = name
                    name = copy
                copies.append(name)
            steps.append(_replace(step, inputs=tuple(copies)))
        else:
            steps.append(step)
        scope.apply(step)
    return Program(tuple(steps), program.exact), used


def _needs_itself(op: str) -> bool:
    """Whether an op does something else with a copy of its operand than with the operand."""
    return CATALOG[op].view or CATALOG[op].chapter in ("function", "checkpoint")
