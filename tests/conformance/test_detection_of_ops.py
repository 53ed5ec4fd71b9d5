"""The sweep alone finds planted defects in the options of ops, each by the op that asks for the option."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from mutants.mutant import planted
from mutants_of_ops import ROWS, OpMutant

from conformance import engines
from conformance.calls import ROLES, sweep
from conformance.execute import Executor
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.vocabulary import EVERYTHING


def judging(engine: Any, oracle: Any) -> Judge:
    """A judge between the two."""
    facets = facets_of(engine) & facets_of(oracle)
    return Judge(Executor(oracle, facets), Executor(engine, facets))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.op)
def test_a_planted_defect_of_an_option_is_found_by_the_sweep(row: OpMutant, torch_engine: Any) -> None:
    """Some program of the op's sweep, in which the engine as it is agrees with torch, shows the defect."""
    vocabulary = EVERYTHING._replace(ops=frozenset({row.op, "clone", "square"}))
    right = judging(engines.load("reference"), torch_engine)
    programs = [p for role in ROLES for p in sweep(role, vocabulary) if right.examine(p) is None]
    with planted(row.mutant):
        wrong = judging(engines.load("reference"), torch_engine)

        assert any(wrong.examine(program) is not None for program in programs)
