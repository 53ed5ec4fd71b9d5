"""The same program at other values: in float64, with its leaves moved a little, with every graph retained."""

from __future__ import annotations

import msgspec

from conformance.program import AnyStep, Apply, Backward, Grad, Leaf, Program

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
