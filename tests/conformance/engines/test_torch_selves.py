"""PyTorch's other selves: what holds on them, and what is found."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, ClassVar

import pytest

pytest.importorskip("torch")

from conformance.engine import promised
from conformance.engines import load
from conformance.engines.torch_cuda import TorchCudaEngine
from conformance.errors import EngineUnavailable
from conformance.execute import Executor
from conformance.judge import Case, Judge
from conformance.observe import facets_of
from conformance.rules import RULES
from conformance.run import Options, Run

HOLDS = (
    "gradients.pointwise", "gradients.matmul", "accumulation.none", "broadcasting.leading-axes", "requires_grad.any-input",
    "detach.cuts", "grad_modes.restored", "versions.saved-output", "views.written-base", "hooks.sees",
)  # fmt: skip
FINDS = {
    "torch-compile-eager": ("checkpoint.reentrant",),
    "torch-aot-eager": ("lifetime.nothing-saved", "pipeline.stashing"),
    "torch-functionalize": ("views.memory", "detach.writes-back"),
    "torch-func": (),
    "torch-inductor": ("versions.factors", "versions.unsaved", "lifetime.nothing-saved"),
}


class OnTheProcessor(TorchCudaEngine):
    """The adapter of the GPU where there is none."""

    device: ClassVar[str] = "cpu"

    def is_there(self) -> bool:
        return True


@cache
def judge(name: str) -> Judge:
    """A judge between the oracle and an engine."""
    engine, oracle = load(name), load("torch")
    facets = facets_of(engine) & facets_of(oracle)
    return Judge(Executor(oracle, facets), Executor(engine, facets))


def case(name: str, rule: str) -> Case | None:
    """What the exemplar of a rule shows of an engine."""
    assert not RULES[rule].traits - promised(judge(name).engine.engine)
    return judge(name).examine(RULES[rule].exemplar())


def applies(name: str, rule: str) -> bool:
    """Whether the exemplar of a rule can be run on an engine."""
    engine = judge(name).engine
    lacks = RULES[rule].traits - promised(engine.engine)
    return not lacks and engine.run(RULES[rule].exemplar(), engine.nearest("quick")).unsupported is None


@pytest.mark.parametrize("name", ["torch-compile-eager", "torch-aot-eager", "torch-functionalize", "torch-func"])
def test_what_holds_of_torch_holds_of_its_other_selves(name: str) -> None:
    """Plain programs show no difference."""
    found = {rule: case(name, rule) for rule in HOLDS if applies(name, rule)}

    assert len(found) >= 5
    assert not {rule: c.difference for rule, c in found.items() if c is not None}


@pytest.mark.parametrize(("name", "rule"), [(n, r) for n in FINDS if n != "torch-inductor" for r in FINDS[n]])
def test_known_divergences_are_found(name: str, rule: str) -> None:
    """Each exemplar shows it by itself."""
    assert case(name, rule) is not None


@pytest.mark.skipif("CONFORMANCE_SLOW" not in os.environ, reason="a C++ compiler takes a minute: set CONFORMANCE_SLOW=1")
def test_inductor_misses_errors_and_makes_some_up() -> None:
    """A factor written before backward gives wrong gradients, and a divisor that nothing needs is refused."""
    found = {rule: case("torch-inductor", rule) for rule in FINDS["torch-inductor"]}
    kinds = {rule: c.difference.kind for rule, c in found.items() if c is not None and not c.safe}

    assert kinds == {
        "versions.factors": "missed error", "versions.unsaved": "spurious error", "lifetime.nothing-saved": "spurious error",
    }  # fmt: skip


def test_a_function_is_compiled_once_for_each_structure() -> None:
    """The same program again costs nothing."""
    engine: Any = judge("torch-aot-eager").engine
    program = RULES["gradients.pointwise"].exemplar()
    engine.run(program, "parted")
    before = len(engine.engine.functions)
    engine.run(program, "parted")

    assert len(engine.engine.functions) == before


def test_a_script_compiles_the_functions_it_writes() -> None:
    """It imports torch alone, and what it says is at the end of a function's lines."""
    program = RULES["versions.factors"].exemplar()
    found = case("torch-aot-eager", "lifetime.nothing-saved")
    script: Any = load("torch-aot-eager").script

    assert "torch.compile(function_b, backend='aot_eager', dynamic=False)(a" in script(program).text()
    assert found is not None
    text = script(found.program).text(found.difference)
    assert text.count("# must not raise") == 1
    with pytest.raises(RuntimeError, match="second time"):
        exec(text, {})


def test_a_gpu_is_asked_for_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is one line."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    with pytest.raises(EngineUnavailable, match=r"needs a GPU that torch .* can use"):
        load("torch-cuda")


def test_the_gpu_s_adapter_does_what_torch_does() -> None:
    """On the processor, in the GPU's place."""
    engine, oracle = OnTheProcessor(), load("torch")
    engine.version = lambda: "none"  # type: ignore[method-assign]
    run = Run(engine, oracle, Options(programs=150))
    results = [line for line in run if getattr(line, "verdict", "") in ("failed", "differs", "safe")]

    assert results == []


def test_a_slow_engine_meets_every_area_before_it_searches() -> None:
    """Its phases are small, and the rules that are likely to break come first."""
    run = Run(load("torch-aot-eager"), load("torch"), Options(seconds=1.0))

    assert run.lanes["versions"].rules[0].id == "versions.factors"
    assert run.lanes["lifetime"].rules[0].id == "lifetime.nothing-saved"
    assert [turn.size for turn, _ in zip((t for t in run.turns() if t.size), range(3), strict=False)] == [1, 1, 1]
