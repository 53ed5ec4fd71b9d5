"""The base for engines that differentiate functions, and its adapters."""

from __future__ import annotations

import pytest
from engines.functional_on_tape import FunctionalOnTape

from conformance.catalog import CATALOG
from conformance.engines import autograd_engine, jax_engine, load, mindspore_engine, mlx_engine, tensorflow_engine
from conformance.engines.functional import ACCUMULATES, FREED, IMPLICIT, INTERIOR, ROOT, UNUSED, ZERO, FunctionalEngine
from conformance.execute import Executor
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.program import Program
from conformance.rules import RULES
from conformance.run import Options, Run
from conformance.sketch import Sketch

ADAPTERS = (autograd_engine, jax_engine, mindspore_engine, mlx_engine, tensorflow_engine)
APPLYING = (
    "gradients.pointwise", "gradients.broadcast", "gradients.several-roots", "gradients.repeated-operand", "roots.repeated",
    "grad.returns", "grad.second-order", "grad.unused", "detach.cuts", "empty.reduction", "broadcasting.unit-axes",
)  # fmt: skip


def twice() -> Program:
    """A second backward adds to a gradient."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward(s.op("neg", x), [1.0, 3.0])
    s.backward(s.op("square", x), [1.0, 3.0])
    return s.program()


def walked_again() -> Program:
    """Two gradients by one graph."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    y = s.op("square", x)
    s.grad(y, [x], [1.0, 3.0])
    s.grad(y, [x], [1.0, 3.0])
    return s.program()


def without_grad() -> Program:
    """The gradient of a constant."""
    s = Sketch()
    s.backward(s.op("neg", s.constant([1.0])))
    return s.program()


def of_several() -> Program:
    """No cotangent for two elements."""
    s = Sketch()
    s.backward(s.op("neg", s.leaf([1.0, 2.0])))
    return s.program()


def unused() -> Program:
    """An input that the root does not use."""
    s = Sketch()
    s.grad(s.op("neg", s.leaf([1.0, 2.0])), [s.leaf([3.0])], [1.0, 2.0])
    return s.program()


def of_linear() -> Program:
    """The second derivative of what has none."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    (g,) = s.grad(s.op("neg", x), [x], [1.0, 3.0], create_graph=True)
    s.grad(g, [x], [1.0, 3.0], allow_unused=True)
    return s.program()


def by_interior() -> Program:
    """The derivative of a gradient in what lies inside of its graph."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    h = s.op("exp", x)
    (g,) = s.grad(s.op("square", h), [x], [1.0, 3.0], create_graph=True)
    s.grad(g, [h], [1.0, 3.0])
    return s.program()


REFUSED = {
    ACCUMULATES: twice, FREED: walked_again, ROOT: without_grad, IMPLICIT: of_several, UNUSED: unused, ZERO: of_linear,
    INTERIOR: by_interior,
}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> FunctionalOnTape:
    """A right engine."""
    return FunctionalOnTape()


def judge(engine: FunctionalEngine) -> Judge:
    """A judge that compares it with the reference engine."""
    oracle = load("reference")
    facets = facets_of(engine) & facets_of(oracle)
    return Judge(Executor(oracle, facets), Executor(engine, facets))


def test_a_right_functional_engine_breaks_no_rule(engine: FunctionalOnTape) -> None:
    """Random programs of every area find nothing on it, and it answers for at least 50 rules."""
    lines = list(Run(engine, load("reference"), Options(programs=1500)))
    results = [line for line in lines if type(line).__name__ == "RuleResult"]
    passed = [r.id for r in results if r.verdict == "passed"]
    broken = [r.id for r in results if r.verdict in ("failed", "differs", "safe")]

    assert (broken, len(passed) > 50) == ([], True)


@pytest.mark.parametrize("rule", APPLYING)
def test_rules_apply(engine: FunctionalOnTape, rule: str) -> None:
    """What a function can show is judged, and right."""
    program = RULES[rule].exemplar()
    unsupported = Executor(engine).run(program).unsupported

    assert (unsupported, judge(engine).first_difference(program)) == (None, None)


@pytest.mark.parametrize("reason", REFUSED)
def test_what_the_adapter_would_answer_is_not_judged(engine: FunctionalOnTape, reason: str) -> None:
    """Where the record of the adapter, not the engine, would be judged, the program is unsupported."""
    observed = Executor(engine).run(REFUSED[reason]())

    assert observed.unsupported == reason


def test_an_input_made_of_another_has_its_own_gradient(engine: FunctionalOnTape) -> None:
    """grad() of a leaf and of what was made of it gives the leaf the whole gradient, and the other its own."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    h = s.op("square", x)
    s.grad(s.op("mul", h, x), [x, h], [1.0, 3.0])

    assert judge(engine).first_difference(s.program()) is None


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.__name__.rpartition(".")[2])
def test_tables_name_ops_of_the_catalogue(adapter: object) -> None:
    """The table of an adapter is readable without its engine, names ops of the catalogue alone, and at least 80."""
    ops = adapter.OPS  # type: ignore[attr-defined]

    assert (ops.keys() - CATALOG.keys(), len(ops) >= 80) == (set(), True)


@pytest.fixture(scope="module")
def hips() -> FunctionalEngine:
    """HIPS autograd, where it is installed."""
    pytest.importorskip("autograd")
    pytest.importorskip("scipy")
    return load("autograd")  # type: ignore[return-value]


@pytest.mark.parametrize("rule", APPLYING)
def test_rules_apply_to_autograd(hips: FunctionalEngine, rule: str) -> None:
    """HIPS autograd keeps the rules on plain functions."""
    program = RULES[rule].exemplar()

    assert (Executor(hips).run(program).unsupported, judge(hips).first_difference(program)) == (None, None)


@pytest.mark.parametrize("rule", APPLYING)
def test_scripts_of_autograd_run_alone(hips: FunctionalEngine, rule: str) -> None:
    """A program's script is code of autograd that runs without us."""
    assert hips.script is not None
    text = hips.script(RULES[rule].exemplar()).text()
    exec(text, {})

    assert "conformance" not in text


def test_autograd_repeats_along_a_negative_axis_wrongly(hips: FunctionalEngine) -> None:
    """The suite sees that autograd 1.9 gives the gradients of repeat to the wrong entries."""
    s = Sketch()
    s.backward(s.op("repeat_interleave", s.leaf([1.0, 2.0]), count=2, dim=-1), [1.0, 2.0, 3.0, 4.0])
    found = judge(hips).first_difference(s.program())

    assert found is not None
    assert (found[0].expected, found[0].observed) == ([3.0, 7.0], [4.0, 6.0])
