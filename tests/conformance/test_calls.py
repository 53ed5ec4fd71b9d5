"""The sweep: every op at once, in each of its roles."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.areas import BY_NAME
from conformance.calls import ROLES, Role, drawn, sweep
from conformance.catalog import CATALOG, MISBEHAVING
from conformance.program import Apply, Mutate, Program, check_structure, from_json, to_json
from conformance.scope import Scope
from conformance.vocabulary import EVERYTHING

DIFFERENTIABLE = {op.name for op in CATALOG.values() if op.name not in MISBEHAVING and not op.constant and op.kinds[0] == "float"}
roles = pytest.mark.parametrize("role", ROLES, ids=lambda role: f"{role.area}-{role.program.__name__.strip('_')}")


def ops_of(program: Program) -> set[str]:
    """The ops that a program uses."""
    return {step.op for step in program if isinstance(step, (Apply, Mutate))}


@roles
def test_a_role_meets_every_differentiable_op(role: Role) -> None:
    """Each op has a program, but those whose operands are never drawn in the role's area."""
    met = set().union(*map(ops_of, sweep(role, EVERYTHING)))
    undrawn = {name for name in DIFFERENTIABLE if drawn(CATALOG[name], EVERYTHING, BY_NAME[role.area]) is None}

    assert DIFFERENTIABLE - met == undrawn
    assert len(undrawn) <= 2


def test_the_roles_together_meet_every_differentiable_op() -> None:
    """What one role cannot draw, another can."""
    met = {name for role in ROLES for program in sweep(role, EVERYTHING) for name in ops_of(program)}

    assert met >= DIFFERENTIABLE


@roles
def test_programs_of_the_sweep_are_well_typed(role: Role) -> None:
    """Their structure holds, their shapes fit, and they survive JSON."""
    for program in sweep(role, EVERYTHING):
        check_structure(program)
        Scope.of(program)

        assert from_json(to_json(program)) == program


# What torch refuses of a second derivative, and of which ops: by kind of refusal, the chapters; all others have no history left.
TWICE = {"checkpoint": {"checkpoint"}, "function": {"function"}, "other": {"function", "index", "matmul", "reduce"}}


@roles
def test_torch_runs_every_program_of_the_sweep(role: Role, oracle: Any) -> None:
    """Torch refuses none, but second derivatives of what is linear by pieces or is marked to have none."""
    refused = 0
    for program in sweep(role, EVERYTHING):
        seen = oracle.run(program)
        assert seen.unsupported is None
        if seen.refusal is not None:
            refused += 1
            chapters = {CATALOG[name].chapter for name in ops_of(program)}
            assert seen.refusal.category == "root-without-grad" or chapters & TWICE[seen.refusal.category]

    assert refused == 0 or "higher" in role.moves
    assert refused < len(list(sweep(role, EVERYTHING))) / 10


@roles
def test_a_sweep_is_the_same_each_time(role: Role) -> None:
    """Operands are drawn by a chooser of the op's own."""
    assert list(sweep(role, EVERYTHING)) == list(sweep(role, EVERYTHING))


@roles
def test_a_vocabulary_without_the_roles_moves_has_no_sweep(role: Role) -> None:
    """What an engine cannot be asked is not asked."""
    without_move = EVERYTHING._replace(moves=EVERYTHING.moves - {role.moves[0]})
    without_op = EVERYTHING._replace(ops=EVERYTHING.ops - {role.ops[0]})

    assert list(sweep(role, without_move)) == list(sweep(role, without_op)) == []


@roles
def test_a_sweep_uses_the_ops_of_the_vocabulary_alone(role: Role) -> None:
    """An engine of few ops is asked about these."""
    few = frozenset({"exp", "mul", "clone", "square"})
    met = set().union(*map(ops_of, sweep(role, EVERYTHING._replace(ops=few))))

    assert met == few
