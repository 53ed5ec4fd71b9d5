"""The suite finds planted defects, names each by its rule, and finds nothing wrong with torch."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from mutants_of_torch import MUTANTS, Mutant

from conformance.areas import AREA_NAMES
from conformance.program import Apply, Mutate
from conformance.record import Failure
from conformance.rules import RULES
from conformance.run import Options, Run

PROGRAMS = 600

# Ops that the exemplars of rules use, and those that mutants bend: random programs over the whole catalogue meet each too seldom.
COMMON = {step.op for rule in RULES.values() for step in rule.exemplar().steps if isinstance(step, (Apply, Mutate))}
COMMON |= {"cos", "exp", "index_select", "matmul", "sum_dim", "transpose", "repeat", "sub", "maximum", "add", "square_"}


def named(mutant: Mutant) -> str:
    """The id of a mutant's test."""
    return mutant.name.replace(" ", "-")


@pytest.mark.parametrize("mutant", MUTANTS, ids=named)
def test_a_planted_defect_is_found_by_random_programs(mutant: Mutant, torch_engine: Any) -> None:
    """Random programs of the rule's area find the defect and name the rule, without the help of its exemplar."""
    engine = mutant.make()
    engine.ops = {name: code for name, code in engine.ops.items() if name in COMMON}
    run = Run(engine, torch_engine, Options(programs=PROGRAMS, areas=(mutant.area,)))
    found = (line.rule for line in run.search() if isinstance(line, Failure))

    assert mutant.rule in found


@pytest.mark.parametrize("mutant", MUTANTS, ids=named)
def test_a_planted_defect_is_found_by_the_exemplar_of_its_rule(mutant: Mutant, torch_engine: Any) -> None:
    """Where the rule's own program runs into the defect, the rule is broken; elsewhere it is not blamed."""
    run = Run(mutant.make(), torch_engine, Options(programs=0, rules=(mutant.rule,)))
    blamed = {line.rule for line in run if isinstance(line, Failure)}

    assert blamed <= {mutant.rule}


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.verdict != "failed"], ids=named)
def test_a_defect_that_is_no_failure_gets_its_own_verdict(mutant: Mutant, torch_engine: Any) -> None:
    """Right answers to refused questions are safe, and another choice at a kink differs: neither fails the engine."""
    run = Run(mutant.make(), torch_engine, Options(programs=1500, rules=(mutant.rule,)))
    verdicts = {line.verdict for line in run if getattr(line, "id", "") == mutant.rule}

    assert verdicts == {mutant.verdict}


@pytest.mark.parametrize("area", AREA_NAMES)
def test_torch_conforms_to_itself(area: str, torch_engine: Any) -> None:
    """A thousand programs of each area find no difference between torch and torch."""
    run = Run(type(torch_engine)(), torch_engine, Options(programs=1000, seed=1, areas=(area,)))
    lines = list(run)

    assert [line for line in lines if isinstance(line, Failure)] == []
