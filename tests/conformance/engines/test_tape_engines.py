"""The adapters of PaddlePaddle, tinygrad, micrograd and Chainer: their tables and scripts, without and with the engines."""

from __future__ import annotations

import ast
from importlib import import_module, util

import pytest

from conformance.catalog import CATALOG
from conformance.catalog.code import operands_of
from conformance.engines import load
from conformance.engines.paddle_ops import in_paddle
from conformance.execute import Executor
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.program import Apply, Mutate
from conformance.rules import RULES

ADAPTERS = ("paddle", "tinygrad", "micrograd", "chainer")
CONFORMING = ("gradients.scalar", "accumulation.leaf-reused", "gradients.kink")


def adapter(name: str) -> type:
    """The class, without starting its engine."""
    module = import_module(f"conformance.engines.{name}_engine")
    return next(c for c in vars(module).values() if isinstance(c, type) and vars(c).get("name") == name)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_op_is_one_of_the_catalogue_with_its_operands(name: str) -> None:
    """A row names an op of the catalogue, and its code asks for no operand that the op has not."""
    ops = adapter(name).ops

    assert [op for op in ops if op not in CATALOG] == []
    assert [op for op, code in ops.items() if not set(operands_of(code)) <= set("abc"[: len(CATALOG[op].kinds)])] == []


@pytest.mark.parametrize("name", ADAPTERS)
def test_scripts_are_code(name: str) -> None:
    """The own program of every rule that the engine has the ops for can be written as code of the engine, without torch."""
    cls = adapter(name)
    texts = []
    for rule in RULES.values():
        program = rule.exemplar()
        if all(step.op in cls.ops for step in program.steps if isinstance(step, (Apply, Mutate))):
            texts.append(cls.script(program).text())

    assert [ast.parse(text) for text in texts]
    assert not any("torch.tensor" in text or "torch.grad" in text for text in texts)


def test_torchs_code_in_paddles_names() -> None:
    """Names of torch become Paddle's, in ops and in custom functions."""
    assert in_paddle("torch.nn.functional.silu(a).clone(memory_format=torch.contiguous_format)") == (
        "paddle.nn.functional.silu(a).clone()"
    )
    assert in_paddle("x, = ctx.saved_tensors") == "x, = ctx.saved_tensor()"


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_engine_conforms_where_it_should(name: str) -> None:
    """On the plainest programs the engine, where it is installed, agrees with the reference engine."""
    if util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    engine, oracle = load(name), load("reference")
    facets = facets_of(engine) & facets_of(oracle)
    judge = Judge(Executor(oracle, facets), Executor(engine, facets))

    assert {rule: judge.examine(RULES[rule].exemplar()) for rule in CONFORMING} == dict.fromkeys(CONFORMING)
