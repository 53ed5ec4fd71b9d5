"""The MyGrad adapter."""

from __future__ import annotations

import pytest

pytest.importorskip("mygrad")
pytest.importorskip("torch")

from conformance.catalog import CATALOG
from conformance.engines import load
from conformance.engines.mygrad_engine import OPS, MyGradEngine, MyGradScript
from conformance.execute import Executor
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.program import Program
from conformance.rules import RULES
from conformance.sketch import Sketch
from conformance.vocabulary import Vocabulary

CONFORMING = (
    "gradients.binary", "gradients.pointwise", "gradients.matmul", "gradients.reduce", "gradients.view", "gradients.broadcast",
    "gradients.fan-out", "gradients.repeated-operand", "gradients.empty", "gradients.scalar", "accumulation.none",
    "accumulation.leaf-reused", "accumulation.retain-grad", "requires_grad.any-input", "requires_grad.no-input", "detach.cuts",
    "detach.no-history", "versions.unsaved", "views.written-view", "views.written-base", "views.in-place",
)  # fmt: skip
LACKING = (
    "accumulation.several-backwards", "accumulation.inputs", "accumulation.non-leaf-none", "detach.writes-back",
    "grad.second-order", "grad.returns", "gradients.several-roots", "lifetime.retained", "requires_grad.set",
    "requires_grad.enable-grad", "versions.saved-input", "pipeline.flush",
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> MyGradEngine:
    """The engine."""
    return MyGradEngine()


@pytest.fixture(scope="module")
def judge(engine: MyGradEngine) -> Judge:
    """A judge that compares it with torch."""
    torch = load("torch")
    facets = facets_of(engine) & facets_of(torch)
    return Judge(Executor(torch, facets), Executor(engine, facets))


def refuses_to_judge(engine: MyGradEngine, rule: str) -> bool:
    """Whether the rule does not apply to the engine."""
    return bool(RULES[rule].traits - engine.traits) or Executor(engine).run(RULES[rule].exemplar()).unsupported is not None


def nulled() -> Program:
    """Two graphs on one leaf, the second not yet differentiated."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward(s.op("neg", x), [1.0, 3.0])
    s.op("square", x)
    return s.program()


def test_every_op_is_of_the_catalogue() -> None:
    """The table names ops of the catalogue alone, and at least 60 of them."""
    unknown = OPS.keys() - CATALOG.keys()

    assert (unknown, len(OPS) >= 60) == (set(), True)


@pytest.mark.parametrize("rule", CONFORMING)
def test_exemplars_agree_with_torch(engine: MyGradEngine, judge: Judge, rule: str) -> None:
    """The programs of rules that MyGrad keeps run on it, and give what torch gives."""
    found = refuses_to_judge(engine, rule), judge.first_difference(RULES[rule].exemplar())

    assert found == (False, None)


@pytest.mark.parametrize("rule", LACKING)
def test_what_mygrad_lacks_is_not_judged(engine: MyGradEngine, rule: str) -> None:
    """Rules on what MyGrad does not have are unsupported, not failed."""
    unsupported = refuses_to_judge(engine, rule)

    assert unsupported


def test_moves_that_mygrad_lacks_are_not_generated(engine: MyGradEngine) -> None:
    """No program asks MyGrad for grad() or requires_grad_()."""
    moves = Vocabulary.of(engine).moves

    assert moves.isdisjoint({"grad", "higher", "set_flag"})


def test_a_gradient_that_was_nulled_is_not_judged(engine: MyGradEngine) -> None:
    """Where a tensor with a gradient entered a new graph, MyGrad's documented policy is neither right nor wrong."""
    observed = Executor(engine).run(nulled(), "thorough")

    assert "does not accumulate" in (observed.unsupported or "")


def test_looking_disturbs_nothing(engine: MyGradEngine) -> None:
    """A program gives the same at its end, however often it is looked at."""
    program = RULES["views.written-view"].exemplar()
    quick, thorough = (Executor(engine).run(program, schedule).sights for schedule in ("quick", "thorough"))
    last = {slot: content for _, slot, facet, content in quick if facet == "grad"}
    seen = {slot: content for _, slot, facet, content in thorough if facet == "grad"}

    assert last == seen


@pytest.mark.parametrize("rule", ["gradients.matmul", "views.written-view", "detach.cuts", "requires_grad.no-grad"])
def test_scripts_run_alone(rule: str) -> None:
    """A program's script is MyGrad code that runs without us."""
    namespace: dict[str, object] = {}
    text = MyGradScript(RULES[rule].exemplar()).text()
    exec(text, namespace)

    assert "conformance" not in text
