"""Planted defects in hooks, modes, roots, functions and checkpoints are found, and each is named by its rule."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from mutants_of_hooks import HOOKS
from mutants_of_identity import IDENTITY, SELDOM
from mutants_of_protocol import PROTOCOL
from mutants_of_torch import Mutant

from conformance.program import Apply, Mutate
from conformance.record import Failure
from conformance.rules import RULES
from conformance.run import Options, Run

PROGRAMS = 1500

# Ops that the exemplars of rules use: random programs over the whole catalogue meet each too seldom.
COMMON = {step.op for rule in RULES.values() for step in rule.exemplar().steps if isinstance(step, (Apply, Mutate))}

mutants = pytest.mark.parametrize("mutant", [*HOOKS, *PROTOCOL, *IDENTITY], ids=lambda mutant: mutant.name.replace(" ", "-"))


@mutants
def test_a_planted_defect_is_found_by_random_programs(mutant: Mutant, torch_engine: Any) -> None:
    """Random programs of the rule's area find the defect and name the rule, without the help of its exemplar."""
    engine = mutant.make()
    engine.ops = {name: code for name, code in engine.ops.items() if name in COMMON}
    run = Run(engine, torch_engine, Options(programs=PROGRAMS, areas=(mutant.area,)))

    assert mutant.rule in {line.rule for line in run.search() if isinstance(line, Failure)}


@mutants
def test_a_planted_defect_is_found_by_the_exemplar_of_its_rule(mutant: Mutant, torch_engine: Any) -> None:
    """Where the rule's own program runs into the defect, the rule is broken; elsewhere it is not blamed."""
    run = Run(mutant.make(), torch_engine, Options(programs=0, rules=(mutant.rule,)))

    assert {line.rule for line in run if isinstance(line, Failure)} <= {mutant.rule}


@pytest.mark.parametrize("mutant", SELDOM, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_defect_that_is_seldom_met_is_found_by_the_exemplar_of_its_rule(mutant: Mutant, torch_engine: Any) -> None:
    """The rule's own program runs into it, and blames this rule alone."""
    run = Run(mutant.make(), torch_engine, Options(programs=0, rules=(mutant.rule,)))
    lines = list(run)

    assert [line.rule for line in lines if isinstance(line, Failure)] == [mutant.rule]
    assert {line.verdict for line in lines if getattr(line, "id", "") == mutant.rule} == {mutant.verdict}


@pytest.mark.parametrize(
    "mutant",
    [m for m in IDENTITY if m.verdict != "failed"],
    ids=lambda mutant: mutant.name.replace(" ", "-"),
)
def test_a_defect_that_is_no_failure_gets_its_own_verdict(mutant: Mutant, torch_engine: Any) -> None:
    """Another choice where torch leaves one differs: it does not fail the engine."""
    engine = mutant.make()
    engine.ops = {name: code for name, code in engine.ops.items() if name in COMMON}
    run = Run(engine, torch_engine, Options(programs=PROGRAMS, rules=(mutant.rule,)))

    assert {line.verdict for line in run if getattr(line, "id", "") == mutant.rule} == {mutant.verdict}
