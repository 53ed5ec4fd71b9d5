"""torch-like:MODULE: what is found by trying, how reproducers read, and that nothing a module does ends the probing."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conformance
from conformance import smoke
from conformance.catalog import CATALOG
from conformance.engines import attempts, expected, load
from conformance.engines.op_spellings import candidates
from conformance.errors import EngineUnavailable, UsageError
from conformance.program import Apply, Leaf

ENGINES = Path(__file__).parents[2] / "engines"

# Probing compares the few numbers that it knows of each op; of these the reference engine's are not told to be the same.
NOT_FOUND = {"eigenvectors", "eigenvectors_of_half", "setitem_slice", "svd_left", "svd_right"}


@pytest.fixture(scope="module")
def reference() -> Any:
    """The reference engine, found by probing."""
    return load("torch-like:reference_engine")


@pytest.fixture
def imitation(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An engine that misbehaves."""
    monkeypatch.syspath_prepend(str(ENGINES))
    monkeypatch.setattr(attempts, "SECONDS", 0.05)
    return load("torch-like:imitation")


def test_reference_engine_is_found_whole(reference: Any) -> None:
    """Torch's names all lead to what they name, every op is found but one that has no example, and nothing is in doubt."""
    absent = [capability for capability, code in reference.found() if not code]

    assert absent == []
    without_example = {name for name, rows in expected.examples().items() if not rows}
    assert set(CATALOG) - set(reference.ops) == without_example | NOT_FOUND
    assert (reference.doubtful, reference.ranks) == ({}, None)


def test_reference_engine_found_by_probing_conforms(reference: Any) -> None:
    """What was found runs the programs of the suite."""
    areas = ("gradients", "hooks", "versions", "grad", "functions")
    record = conformance.check(reference, programs=200, areas=areas, oracle=load("reference"))

    assert record.verdict == "conforms"
    assert all(line.verdict == "works" for line in smoke.lines(reference))


def test_wrong_gradient_hides_no_op(imitation: Any) -> None:
    """The op is found by its forward pass, and its gradient then fails; the reproducer is the engine's own code."""
    with pytest.raises(conformance.NonConforming) as caught:
        conformance.check(imitation, programs=100, rules=("gradients.pointwise",), oracle=load("reference"))
    (failure, *_) = caught.value.record.failures

    assert imitation.ops["exp"] == "a.exp()"
    assert failure.engine_script.startswith("import imitation\n")
    assert "imitation.Tensor(" in failure.engine_script
    assert ".exp()" in failure.engine_script


def test_reproducer_runs_alone(imitation: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the wrong answer that it promises."""
    with pytest.raises(conformance.NonConforming) as caught:
        conformance.check(imitation, programs=100, rules=("gradients.pointwise",), oracle=load("reference"))
    script = caught.value.record.failures[0].engine_script
    exec(script, {})
    texts = (capsys.readouterr().out.splitlines()[-1], script.rpartition("wrong: ")[2])
    printed, promised = ([round(float(number), 6) for number in re.findall(r"[\d.]+", text)] for text in texts)

    assert printed == promised


def test_probing_survives_what_a_module_does(imitation: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Ops that loop, exit or recurse are not there; what the module prints is not seen."""
    assert {"relu", "log", "tan"}.isdisjoint(imitation.ops)
    assert capsys.readouterr().out == ""


def test_other_spellings_are_found(imitation: Any) -> None:
    """Operators, NumPy's names of arguments, backward of a weighted sum where backward takes no gradient, regions, detach."""
    found = dict(imitation.found())

    assert imitation.ops["mul"] == "a * b"
    assert imitation.ops["sum_dim"] == "a.sum(axis=dim, keepdims=keepdim)"
    assert found["backward with"] == "(a * b).sum().backward()"
    assert found["no_grad"] == "imitation.no_grad()"
    assert found["detach"] == "a.detach()"
    assert found["version_of"] == ""
    assert imitation.traits == {"accumulation", "absent-gradients", "leaf-gradients", "liveness", "unsaved-graphs"}


FREEING = """
from imitation import *
import imitation

class Tensor(imitation.Tensor):
    def _made(self, data, *pairs):
        return Tensor(data, parents=pairs)

    def backward(self):
        super().backward()
        self._forget()

    def _forget(self):
        if self.parents is FREED:
            raise RuntimeError("the graph was freed")
        for parent, _ in self.parents:
            parent._forget()
        self.parents = FREED if self.parents else ()

class Freed(tuple):
    def __iter__(self):
        raise RuntimeError("the graph was freed")

FREED = Freed()
"""


def test_graphs_that_are_always_freed_promise_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose backward frees a graph that saved nothing is not asked to walk it again; the rest is found as before."""
    (tmp_path / "freeing.py").write_text(FREEING)
    monkeypatch.syspath_prepend(str(ENGINES))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(attempts, "SECONDS", 0.05)
    engine = load("torch-like:freeing")

    assert {"accumulation", "absent-gradients", "leaf-gradients"} <= engine.traits
    assert "unsaved-graphs" not in engine.traits


def test_doubtful_ops_are_taken_and_named(imitation: Any) -> None:
    """Torch's own spelling that computes otherwise, or raises for some operands, is to fail and not to be passed over."""
    assert imitation.doubtful["sigmoid"] == "gives other numbers than torch"
    assert imitation.doubtful["add"] == "raises for some operands"


def test_numbers_of_numpy_become_plain_ones(imitation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tolist() of an engine's own may list them, and no message can hold them."""
    monkeypatch.setattr(imitation, "_read", lambda tensor: list(np.array([1.0, 2.0])))

    assert [type(number) for number in imitation.value(imitation.leaf((1.0, 2.0), (2,), "float64", True))] == [float, float]


def test_gradients_that_are_arrays_are_tensors_to_a_program(imitation: Any) -> None:
    """So that a program can go on with them."""
    leaf = imitation.leaf((1.0, 2.0), (2,), "float64", True)
    imitation.backward([leaf], [imitation.leaf((3.0, 4.0), (2,), "float64", False)], None, False, None)

    assert imitation.value(imitation.gradient(leaf)) == [3.0, 4.0]
    assert imitation.value(imitation.calls()["mul"](imitation.gradient(leaf), leaf)) == [3.0, 8.0]


def test_engine_of_scalars_is_found_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that would store an array and knows nothing of shapes is one of scalars."""
    monkeypatch.syspath_prepend(str(ENGINES))
    engine = load("torch-like:scalar")

    assert engine.ranks == (0,)
    assert "absent-gradients" not in engine.traits
    assert (
        conformance.check(engine, programs=150, areas=("gradients", "accumulation"), oracle=load("reference")).verdict
        == "conforms"
    )


@pytest.mark.parametrize(
    ("name", "error", "part"),
    [
        ("torch-like:no_such_module", UsageError, "there is no module 'no_such_module' on the path"),
        ("torch-like:math", EngineUnavailable, "math has nothing that makes a tensor from numbers"),
        ("torch-like:fails", EngineUnavailable, "importing fails failed: ValueError: no luck"),
    ],
)
def test_modules_that_cannot_be_had(name: str, error: type[Exception], part: str, tmp_path: Path, monkeypatch: Any) -> None:
    """One clear line."""
    (tmp_path / "fails.py").write_text("raise ValueError('no\\nluck')")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(error, match=part):
        load(name)


def test_attempts_end_in_time() -> None:
    """An endless call gives a failure, whatever it catches by Exception would have hidden; so does an exit."""
    begin = time.monotonic()
    assert not attempts.attempt(lambda: [None for _ in iter(int, 1)])
    assert time.monotonic() - begin < 10 * attempts.SECONDS
    assert not attempts.attempt(exit)
    assert attempts.attempt(lambda: 3) == 3


def test_candidates_put_torch_first() -> None:
    """Its own spelling comes first and is marked; names and arguments of others follow."""
    homes = [("torch", {"sum"}), ("torch.functional", {"reduce_sum"})]
    spelled = list(candidates("sum_dim", CATALOG["sum_dim"].torch, homes, {"sum"}.__contains__))

    assert spelled[:2] == [("torch.sum(a, dim=dim, keepdim=keepdim)", True), ("a.sum(dim=dim, keepdim=keepdim)", True)]
    assert ("torch.functional.reduce_sum(a, axis=dim, keepdims=keepdim)", False) in spelled


def test_expected_numbers_are_fresh() -> None:
    """The table is what the reference engine computes today."""
    assert expected.text() == expected.PATH.read_bytes(), "python -m conformance.engines.expected writes it anew"


def test_scripts_have_empty_leaves(imitation: Any) -> None:
    """Their shape is not lost."""
    from conformance.program import Program

    program = Program((Leaf(0, (0, 3), (), "float64", True), Apply("exp", (0,), (1,), {})))

    assert "np.zeros((0, 3))" in imitation.script(program).text()
