"""Programs written as functions for HIPS autograd in benchmarks/engines.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from conformance.program import Apply, Backward, Leaf, Mutate, Program

pytest.importorskip("autograd")
PLACE = Path(__file__).parents[2] / "benchmarks" / "functions.py"
SPEC = importlib.util.spec_from_file_location("functions", PLACE)
functions = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(functions)

LEAVES = (
    Leaf(out=0, shape=(2,), dtype="float64", requires_grad=True, values=(1.0, 2.0)),
    Leaf(out=1, shape=(2,), dtype="float64", requires_grad=False, values=(3.0, 4.0)),
)
PRODUCT = Apply(op="mul", inputs=(0, 1), outs=(2,))
END = Backward(roots=(2,), gradients=((1.0, 10.0),))


def test_a_function_gives_the_gradients_of_its_leaves():
    """What the script computes is the vector-Jacobian product of the program."""
    program = Program((*LEAVES, PRODUCT, END))
    scope: dict = {}
    exec(functions.FunctionScript(program).text(), scope)

    assert functions.is_function(program)
    assert [g.tolist() for g in scope["gradients"]] == [[3.0, 40.0]]


@pytest.mark.parametrize(
    "steps",
    [
        (*LEAVES, PRODUCT),
        (*LEAVES, PRODUCT, END, END),
        (*LEAVES, PRODUCT, Mutate(op="zero_", target=2), END),
        (LEAVES[1], Apply(op="exp", inputs=(1,), outs=(2,)), END),
    ],
    ids=["no backward", "two backwards", "a write", "no leaf that requires grad"],
)
def test_what_is_no_function_is_left_out(steps):
    """Only programs that write nothing and end in their one backward are compared."""
    assert not functions.is_function(Program(steps))
