"""The proof in words, one for each kind of difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("syrupy")

from planted_proofs import PLANTED, PROOFS, forward_alone, product, through_alias

from conformance.compare import Difference
from conformance.engine import Category
from conformance.execute import Executor
from conformance.explain import explain, rows
from conformance.graph import history
from conformance.judge import Case, Judge
from conformance.observe import Observation, facets_of
from conformance.program import Program
from conformance.reduce import reduce
from conformance.rules import RULES, Rule
from conformance.script import Script
from conformance.sketch import Sketch


def case_of(mutant: str, build: Callable[[], Program], oracle: Any) -> Case:
    """The case that a program makes against a mutant."""
    engine = PLANTED[mutant].make()
    facets = facets_of(engine) & oracle.facets
    case = Judge(Executor(oracle.engine, facets), Executor(engine, facets)).examine(build())
    assert case is not None
    return case


def reduced_case(mutant: str, build: Callable[[], Program], oracle: Any) -> Case:
    """The same case as a person meets it: reduced."""
    engine = PLANTED[mutant].make()
    facets = facets_of(engine) & oracle.facets
    return reduce(case_of(mutant, build, oracle), Judge(Executor(oracle.engine, facets), Executor(engine, facets)))


@pytest.mark.parametrize(("name", "mutant", "build"), PROOFS, ids=[p[0].replace(" ", "-") for p in PROOFS])
def test_the_proof_reads_well(name: str, mutant: str, build: Any, oracle: Any, snapshot: Any) -> None:
    """Rule, proof and table of steps, as a person reads them."""
    case = reduced_case(mutant, build, oracle)
    table = [f"{'>' if r.differs else ' '} {r.code}  | {r.expected} | {r.observed}" for r in rows(case, Script(case.program))]

    assert "\n".join([case.rule.id, explain(case), *table]) == snapshot


def test_what_was_seen_once_says_so(oracle: Any) -> None:
    """A difference that does not come again is told as such, and not as a law of its op."""
    engine = PLANTED["sub adds"].make()
    judge = Judge(Executor(oracle.engine), Executor(engine))
    expected, observed = (side.run(forward_alone(), "thorough") for side in (judge.oracle, judge.engine))
    case = judge.unrepeated(forward_alone(), expected, observed, "thorough")

    assert case is not None
    assert case.rule.id == "order.repeatable"
    assert explain(case).endswith(
        "It was seen once: the same program, run again, gave what is right. Something that ran before has left a trace, "
        "or chance plays a part."
    )


def exemplars(oracle: Any) -> Iterator[tuple[Rule, Program, Observation]]:
    """What the oracle shows of the exemplars that are quickly told."""
    for rule in RULES.values():
        program = rule.exemplar()
        if len(program) <= 10:
            yield rule, program, oracle.run(program, "thorough")


def test_there_are_words_for_whatever_differs(oracle: Any) -> None:
    """Every facet after every kind of step, whatever each side showed: nothing is too odd to be told."""
    told: set[tuple[Any, ...]] = set()
    for rule, program, seen in exemplars(oracle):
        for step, slot, facet, content in seen.sights:
            met = (facet, type(program.steps[step]) if step < len(program) else None, content is None)
            if met in told:
                continue
            told.add(met)
            for expected, observed in ((content, "nothing"), (content, None), (None, content), (content, "refused: version")):
                for kind in ("wrong value", "wrong state"):
                    difference = Difference(kind, step, slot, facet, expected, observed)

                    assert explain(Case(program, difference, 0, rule, seen, seen, False)).endswith(".")
    assert len(told) > 150


def test_another_result_of_the_roots_op_is_told_apart(oracle: Any) -> None:
    """A hook on a result that the gradient does not come from: it is not the root itself."""
    s = Sketch()
    a = s.leaf([1.0, 2.0])
    b, c = s.ops("function_counting_gradients", a)
    handle = s.hook(c, action="double")
    s.backward(b, [1.0, 3.0])
    seen = oracle.run(s.program(), "thorough")
    difference = Difference("wrong value", 3, handle, "called", [[]], [[[0.0, 0.0]]])
    proof = explain(Case(s.program(), difference, 0, RULES["hooks.sees"], seen, seen, False))

    assert "c and the root of b.backward(...) are results of one op." in proof


@pytest.mark.parametrize("kind", ["missed error", "spurious error", "wrong error"])
def test_there_are_words_for_every_refusal(kind: Any, oracle: Any) -> None:
    """Of every category, in every kind of step, whether it can be or not."""
    told: set[tuple[Any, ...]] = set()
    for rule, program, seen in exemplars(oracle):
        for step, doing in enumerate(program.steps):
            for category in Category:
                if (category, type(doing)) not in told:
                    told.add((category, type(doing)))
                    difference = Difference(kind, step, -1, "error", "because", "therefore", category.value)

                    assert explain(Case(program, difference, 0, rule, seen, seen, False)).endswith(".")
    assert len(told) > 200


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
