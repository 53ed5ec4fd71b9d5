"""The proof in words, one for each kind of difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("syrupy")

from mutants_of_torch import MUTANTS

from conformance.execute import Executor
from conformance.explain import explain, rows
from conformance.graph import history
from conformance.judge import Case, Judge
from conformance.observe import facets_of
from conformance.program import Program
from conformance.reduce import reduce
from conformance.rules import RULES
from conformance.script import Script
from conformance.sketch import Sketch


def product() -> Program:
    """A product with a kinkless gradient."""
    s = Sketch()
    s.backward(s.op("mul", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])), [1.0, 10.0])
    return s.program()


def forward_alone() -> Program:
    """A difference without any backward."""
    s = Sketch()
    s.op("sub", s.constant([1.0, 2.0]), s.constant([3.0, 5.0]))
    return s.program()


def through_alias() -> Program:
    """Saved, and changed through a view of a detached alias."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    y = s.op("square", h)
    s.write("mul_scalar_", s.op("select", s.detach(h), dim=0, index=1), value=3.0)
    s.backward(y, [1.0, 1.0])
    return s.program()


# Mutant, program: what is explained, by kind of difference and facet.
PROOFS: tuple[tuple[str, str, Callable[[], Program]], ...] = (
    ("wrong gradient", "mul forgets its second gradient", product),
    ("wrong value", "sub adds", forward_alone),
    ("missed version error", "saved tensors are not checked", RULES["versions.saved-input"].exemplar),
    ("missed version error of an output", "saved tensors are not checked", RULES["versions.saved-output"].exemplar),
    ("missed version error through an alias", "saved tensors are not checked", through_alias),
    ("safe version error", "saved tensors are copies", RULES["versions.saved-input"].exemplar),
    ("safe freed graph", "graphs are never freed", RULES["lifetime.freed"].exemplar),
    ("spurious error", "graphs are always freed", RULES["lifetime.retained"].exemplar),
    ("missed leaf error", "leaves may be written", RULES["errors.leaf-written"].exemplar),
    ("missed non-scalar error", "several elements are seeded with ones", RULES["errors.non-scalar-root"].exemplar),
    ("missing gradient", "retain_grad is ignored", RULES["accumulation.retain-grad"].exemplar),
    ("gradient too many", "gradients begin as zeros", RULES["accumulation.none-before-first"].exemplar),
    ("flag", "no_grad is ignored", RULES["requires_grad.no-grad"].exemplar),
    ("history", "detach keeps the history", RULES["detach.no-history"].exemplar),
    ("shared memory", "detach copies", RULES["detach.writes-back"].exemplar),
    ("lifetime", "detach holds its source", RULES["detach.frees-graph"].exemplar),
    ("version", "the counter misses writes", RULES["views.memory"].exemplar),
    ("unused", "unused inputs get zeros", RULES["grad.unused"].exemplar),
)


def case_of(mutant: str, build: Callable[[], Program], oracle: Any) -> Case:
    """The case that a program makes against a mutant."""
    engine = next(m for m in MUTANTS if m.name == mutant).make()
    facets = facets_of(engine) & oracle.facets
    case = Judge(Executor(oracle.engine, facets), Executor(engine, facets)).examine(build())
    assert case is not None
    return case


def reduced_case(mutant: str, build: Callable[[], Program], oracle: Any) -> Case:
    """The same case as a person meets it: reduced."""
    engine = next(m for m in MUTANTS if m.name == mutant).make()
    facets = facets_of(engine) & oracle.facets
    return reduce(case_of(mutant, build, oracle), Judge(Executor(oracle.engine, facets), Executor(engine, facets)))


@pytest.mark.parametrize(("name", "mutant", "build"), PROOFS, ids=[p[0].replace(" ", "-") for p in PROOFS])
def test_the_proof_reads_well(name: str, mutant: str, build: Any, oracle: Any, snapshot: Any) -> None:
    """Rule, proof and table of steps, as a person reads them."""
    case = reduced_case(mutant, build, oracle)
    table = [f"{'>' if r.differs else ' '} {r.code}  | {r.expected} | {r.observed}" for r in rows(case, Script(case.program))]

    assert "\n".join([case.rule.id, explain(case), *table]) == snapshot


def test_the_history_tells_who_saved_and_who_wrote() -> None:
    """Saves and writes with names and versions, up to the step asked for."""
    program = through_alias()
    saves, writes = history(program, len(program))

    assert [(s.name, s.op, s.role, s.version) for s in saves] == [("b", "square", "input", 0)]
    assert [(w.name, w.op, w.version) for w in writes] == [("e", "mul_scalar_", 0)]
    assert saves[0].storage is writes[0].storage
    assert history(program, 3)[1] == []


def test_what_a_constant_made_saves_nothing() -> None:
    """A node is made only where something requires grad."""
    s = Sketch()
    s.op("square", s.constant([1.0]))

    assert history(s.program(), 2) == ([], [])


def test_exactly_one_row_differs(oracle: Any) -> None:
    """The row of the first difference, with both sides."""
    case = case_of("mul forgets its second gradient", product, oracle)
    marked = [row for row in rows(case, Script(case.program)) if row.differs]

    assert [(row.expected, row.observed) for row in marked] == [("b.grad = [1, 20]", "b.grad = None")]
