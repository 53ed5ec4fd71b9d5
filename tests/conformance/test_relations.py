"""Who shares memory with whom, who is whose base, and which tensor is a gradient; and a difference that is seen but once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

pytest.importorskip("torch")

from conformance.engines.torch_engine import TorchEngine
from conformance.execute import Executor
from conformance.judge import Judge
from conformance.record import Failure
from conformance.rules.identity import accumulated, assigned, handed, two_leaves, view_of_view
from conformance.run import Options, Run
from conformance.sketch import Sketch


def last(observation: Any, facet: str) -> dict[int, Any]:
    """The last content of a facet for each slot that showed it."""
    return {slot: content for _, slot, found, content in observation.sights if found == facet}


@pytest.fixture(params=["wide", "thorough"])
def schedule(request: pytest.FixtureRequest) -> Any:
    """The schedules that look at relations."""
    return request.param


def test_a_view_of_a_view_has_the_first_tensor_as_its_base(schedule: Any, oracle: Any) -> None:
    """All lie in the memory of the tensor that owns it."""
    seen = oracle.run(view_of_view(), schedule)

    assert last(seen, "base") == {0: None, 1: None, 2: 1, 3: 1}
    assert last(seen, "memory") == {0: 0, 1: 1, 2: 1, 3: 1}


def test_a_detached_tensor_shares_memory_and_has_no_base(schedule: Any, oracle: Any) -> None:
    """detach() gives an alias that is no differentiable view of its source."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.detach(x)
    s.op("clone", x)
    seen = oracle.run(s.program(), schedule)

    assert last(seen, "memory") == {0: 0, 1: 0, 2: 2}
    assert last(seen, "base")[2] is None


def test_a_handed_gradient_stays_the_callers(schedule: Any, oracle: Any) -> None:
    """Neither the very tensor nor its memory becomes the leaf's gradient."""
    seen = oracle.run(handed(), schedule)

    assert last(seen, "grad_is") == {0: None}
    assert last(seen, "grad_memory") == {0: "the gradient of 0"}
    assert last(seen, "value")[1] == [1.0, 3.0]


def test_an_assigned_gradient_is_the_very_tensor(schedule: Any, oracle: Any) -> None:
    """The next backward adds to it."""
    seen = oracle.run(assigned(), schedule)

    assert last(seen, "grad_is") == {0: 1}
    assert last(seen, "grad_memory") == {0: 1}
    assert last(seen, "value")[1] == [4.0, 4.0]


def test_a_gradient_that_was_read_stays_the_leafs(schedule: Any, oracle: Any) -> None:
    """Later backwards add to the very tensor."""
    seen = oracle.run(accumulated(), schedule)

    assert last(seen, "grad_is") == {0: 2}
    assert last(seen, "value")[2] == [4.0, 24.0]


def test_two_leaves_have_gradients_of_their_own(schedule: Any, oracle: Any) -> None:
    """A write into one gradient leaves the other alone."""
    seen = oracle.run(two_leaves(), schedule)

    assert last(seen, "grad_memory") == {0: 3, 1: "the gradient of 1", 3: 3}
    assert last(seen, "grad") | {2: 0, 3: 0} == {0: [2.0, 6.0], 1: [1.0, 3.0], 2: 0, 3: 0}


def test_a_quick_run_looks_at_no_relations(oracle: Any) -> None:
    """They cost more than the run."""
    assert not {facet for _, _, facet, _ in oracle.run(view_of_view()).sights} & {"base", "memory", "grad_is", "grad_memory"}


def test_an_engine_without_addresses_shows_no_memory(torch_engine: Any) -> None:
    """What one side does not show is not looked at on the other."""
    seen = Executor(torch_engine, frozenset({"value", "grad"})).run(two_leaves(), "wide")

    assert not {facet for _, _, facet, _ in seen.sights} & {"base", "memory"}


class WarmsUp(TorchEngine):
    """Torch whose first run of each program is of another mind: what neg gives is wrong until it was asked for once."""

    def __init__(self) -> None:
        super().__init__()
        self.cold = True

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        def neg(a: Any) -> Any:
            factor, self.cold = (-2.0 if self.cold else -1.0), False
            return a * factor

        return {**super().calls(), "neg": neg}


def test_a_difference_that_is_seen_once_is_a_case(oracle: Any) -> None:
    """What is not seen again when it is examined is kept as it was seen."""
    s = Sketch()
    s.backward(s.op("neg", s.leaf([1.0, 2.0])), [1.0, 3.0])
    program = s.program()
    engine = WarmsUp()
    judge = Judge(oracle, Executor(engine, oracle.facets))
    expected, observed = judge.oracle.run(program), judge.engine.run(program)
    case = judge.unrepeated(program, expected, observed, "quick")

    assert not judge.agree_quickly(program, expected, observed)
    assert judge.examine(program) is None
    assert case is not None
    assert case.rule.id == "order.repeatable"
    assert (case.expected, case.observed) == (expected, observed)


def test_what_does_not_differ_is_no_case(oracle: Any) -> None:
    """Two observations that agree give nothing to keep."""
    s = Sketch()
    s.op("neg", s.leaf([1.0, 2.0]))
    program = s.program()
    judge = Judge(oracle, oracle)

    assert judge.unrepeated(program, oracle.run(program), oracle.run(program), "quick") is None


def test_a_run_reports_what_is_not_repeated(torch_engine: Any) -> None:
    """An engine that is wrong once, in its first program, is reported under the rule that says so."""

    class FirstIsWrong(WarmsUp):
        ops = {name: code for name, code in TorchEngine.ops.items() if name in ("neg", "square", "add", "mul_scalar")}

    run = Run(FirstIsWrong(), torch_engine, Options(programs=100, areas=("order",), rules=("order.repeatable",)))
    lines = list(run.search())

    assert {line.rule for line in lines if isinstance(line, Failure)} == {"order.repeatable"}
