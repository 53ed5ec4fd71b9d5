"""What an adapter needs at least: the example of the docs, engines of scalars, and what is noted though it is not declared."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conformance
from conformance import capabilities, smoke
from conformance.engine import Engine
from conformance.engines import load
from conformance.execute import Executor
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.rules import RULES
from conformance.sketch import Sketch

DOCS = Path(__file__).parents[2] / "docs/adapters.md"
MOST_LINES = 40


@pytest.fixture
def scalar(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The adapter printed in the docs."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "engines"))
    monkeypatch.setitem(sys.modules, "scalar", importlib.import_module("scalar"))
    code = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)[0]
    assert len(code.splitlines()) <= MOST_LINES
    scope: dict[str, Any] = {}
    exec(code, scope)
    return scope["ScalarEngine"]()


def test_adapter_of_the_docs_judges_an_engine_of_scalars(scalar: Engine) -> None:
    """Generation keeps to tensors without dimensions, and the rules on what the engine has are exercised and hold."""
    record = conformance.check(scalar, programs=300, areas=("gradients", "accumulation", "order"), oracle=load("reference"))
    verdicts = {r.id: r.verdict for r in record.rules}

    assert verdicts["gradients.binary"] == "passed"
    assert verdicts["accumulation.several-backwards"] == "passed"
    assert verdicts["gradients.matmul"] == "unsupported"
    assert [rule for rule, verdict in verdicts.items() if verdict == "failed"] == []


def test_adapter_of_the_docs_talks(scalar: Engine) -> None:
    """Smoke finds nothing that fails, and what was left out by name."""
    lines = {line.what: line.verdict for line in smoke.lines(scalar)}

    assert "fails" not in lines.values()
    assert lines["backward"] == "works"
    assert lines["versions"] == "not declared"


def test_leaf_of_other_dimensions_is_unsupported(scalar: Engine) -> None:
    """A program with a vector says nothing about an engine of scalars."""
    s = Sketch()
    s.leaf([1.0, 2.0])
    seen = Executor(scalar).run(s.program())

    assert seen.unsupported == "scalar has no tensors of 1 dimensions"


@pytest.mark.parametrize("schedule", ["quick", "wide", "thorough"])
def test_zeros_are_no_gradient_where_none_is_not_promised(scalar: Engine, schedule: Any) -> None:
    """Neither a gradient that begins as zero nor that of an inner tensor is looked at."""
    s = Sketch()
    a, b = s.leaf(2.0), s.leaf(3.0)
    s.backward(s.op("mul", s.op("neg", a), a))
    oracle = load("reference")
    facets = facets_of(scalar) & facets_of(oracle)
    program = s.program()
    sights = [Executor(engine, facets).run(program, schedule).sights for engine in (oracle, scalar)]
    gradients = [{(slot, content) for _, slot, facet, content in seen if facet == "grad"} for seen in sights]

    assert gradients[0] == gradients[1]
    assert (a, -4.0) in gradients[1]
    assert {content for slot, content in gradients[1] if slot == b} == {None}


class Modest(type(load("reference"))):  # type: ignore[misc]
    """The reference engine, by an adapter that promises less than it could."""

    traits = frozenset({"accumulation", "leaf-gradients", "absent-gradients", "unsaved-graphs", "detached-aliases", "liveness"})


class Arrays(Engine):
    """Nothing but arrays of any dtype, by an adapter that declares one."""

    dtypes = ("float64",)

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        return np.array(values, dtype=dtype).reshape(shape)

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype)


def test_what_works_and_is_not_declared_is_noted() -> None:
    """Traits that hold on the exemplars that ask for them."""
    engine, oracle = Modest(), load("reference")
    facets = facets_of(engine) & facets_of(oracle)
    judge = Judge(Executor(oracle, facets), Executor(engine, facets))
    notes = capabilities.undeclared(judge, list(RULES.values()))
    names = {note.removeprefix("works, though the adapter does not declare it: ") for note in notes}

    assert {"aliases", "versions", "higher-order"} <= names
    assert conformance.check(engine, programs=0, areas=("versions",), oracle=oracle).footer.notes  # type: ignore[union-attr]


def test_dtypes_that_work_and_are_not_declared_are_noted() -> None:
    """Those that leaves can have and that the engine tells."""
    oracle, engine = load("reference"), Arrays()
    facets = facets_of(engine) & facets_of(oracle)
    notes = capabilities.undeclared(Judge(Executor(oracle, facets), Executor(engine, facets)), [])

    assert [note.split()[-1] for note in notes] == ["float32", "int64", "bool"]


def test_what_does_not_work_is_not_noted(scalar: Engine) -> None:
    """An engine that lacks a trait gets no note of it."""
    oracle = load("reference")
    facets = facets_of(scalar) & facets_of(oracle)

    assert capabilities.undeclared(Judge(Executor(oracle, facets), Executor(scalar, facets)), list(RULES.values())) == []
