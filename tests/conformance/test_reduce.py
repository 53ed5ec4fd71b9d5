"""Planted defects are reduced to the smallest programs that show them, whatever program found them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

pytest.importorskip("torch")

from mutants_of_torch import MUTANTS

from conformance.areas import BY_NAME
from conformance.catalog import CATALOG
from conformance.chooser import SeededChooser
from conformance.engines.torch_engine import TorchEngine
from conformance.execute import Executor
from conformance.generate import generate
from conformance.judge import Case, Judge
from conformance.observe import facets_of
from conformance.passes import in_order_of_use, stretches, without_constants
from conformance.program import Apply, Leaf, Mutate, Program, check_structure, renumber, to_json
from conformance.reduce import reduce, symptom
from conformance.rules import RULES
from conformance.scope import Scope
from conformance.sketch import Sketch


def judge_of(name: str, oracle: Any) -> Judge:
    """A judge of the mutant of that name."""
    engine = next(m for m in MUTANTS if m.name == name).make()
    facets = facets_of(engine) & oracle.facets
    return Judge(Executor(oracle.engine, facets), Executor(engine, facets))


def cases(judge: Judge, area: str, count: int, most: int = 6000) -> list[Case]:
    """The first programs of an area on which the engine differs."""
    found: list[Case] = []
    chooser = SeededChooser(21)
    for _ in range(most):
        program, _ = generate(chooser, BY_NAME[area])
        if judge.agree_quickly(program, judge.oracle.run(program), judge.engine.run(program)):
            continue
        case = judge.examine(program)
        if case is not None:
            found.append(case)
        if len(found) == count:
            break
    return found


# Defect, area that meets it, steps of the smallest program.
SMALLEST = (
    ("cos has the derivative 1/2", "gradients", 3),  # leaf, cos, backward
    ("x * x has the derivative x", "gradients", 3),  # leaf, mul, backward
    ("mul forgets its second gradient", "gradients", 4),  # two leaves, mul, backward
    ("sub adds", "gradients", 3),  # two leaves, sub
    ("backward overwrites", "accumulation", 3),  # leaf, two backwards
    ("retain_grad is ignored", "accumulation", 4),  # leaf, op, retain_grad, backward
    ("inputs= is ignored", "accumulation", 3),  # two leaves, backward
    ("detach keeps the history", "detach", 2),  # leaf, detach
    ("detach copies", "detach", 3),  # leaf, detach, write
    ("saved tensors are not checked", "versions", 6),  # leaf, op that saves, write in a region, backward
    ("graphs are never freed", "lifetime", 4),  # leaf, op, two backwards
    ("no_grad is ignored", "requires_grad", 5),  # leaf, region, op, and at times a view of it
    ("several elements are seeded with ones", "errors", 2),  # leaf, backward
)


@pytest.mark.parametrize(("name", "area", "steps"), SMALLEST)
def test_a_defect_is_reduced_to_its_smallest_program(name: str, area: str, steps: int, oracle: Any) -> None:
    """Programs found by chance shrink to the size that a person would write."""
    judge = judge_of(name, oracle)
    found = cases(judge, area, 3)
    sizes = [len(reduce(case, judge).program) for case in found]

    assert found != []
    assert max(sizes) <= steps, sizes


@pytest.mark.parametrize("name", ["cos has the derivative 1/2", "x * x has the derivative x", "sub adds", "backward overwrites"])
def test_reduction_is_canonical(name: str, oracle: Any) -> None:
    """Programs of other seeds with one cause reduce to one program, so that they are one row."""
    judge = judge_of(name, oracle)
    area = next(m.area for m in MUTANTS if m.name == name)
    reduced = {to_json(Program(reduce(case, judge).program.steps)) for case in cases(judge, area, 4)}

    assert len(reduced) == 1


@pytest.mark.parametrize("name", ["mul forgets its second gradient", "saved tensors are copies", "create_graph is ignored"])
def test_a_reduced_program_shows_the_same_symptom(name: str, oracle: Any) -> None:
    """It is no larger, well formed, numbered in order, and wrong in the same way."""
    judge = judge_of(name, oracle)
    area = next(m.area for m in MUTANTS if m.name == name)
    for case in cases(judge, area, 3):
        reduced = reduce(case, judge)
        check_structure(reduced.program)
        Scope.of(reduced.program)

        assert symptom(reduced) == symptom(case)
        assert len(reduced.program) <= len(case.program)
        assert renumber(reduced.program) == reduced.program
        assert judge.examine(reduced.program) is not None


def test_reduction_is_repeatable(oracle: Any) -> None:
    """The same case gives the same program."""
    judge = judge_of("backward overwrites", oracle)
    (case,) = cases(judge, "accumulation", 1)

    assert to_json(reduce(case, judge).program) == to_json(reduce(case, judge).program)


def test_a_rule_to_keep_is_kept(oracle: Any) -> None:
    """With `keep`, the program stays one that this rule claims."""
    judge = judge_of("saved tensors are not checked", oracle)
    rule = RULES["pipeline.naive-update"]
    case = judge.examine(rule.exemplar())
    assert case is not None
    kept = reduce(case, judge, keep=rule)

    assert kept.rule == rule
    assert rule.claims(kept.difference, kept.features)
    assert len(kept.program) <= 8


def test_a_budget_of_executions_is_kept(oracle: Any) -> None:
    """However little may be spent, the result shows the symptom."""
    judge = judge_of("backward overwrites", oracle)
    (case,) = cases(judge, "accumulation", 1)
    before = judge.executions
    reduced = reduce(case, judge, executions=5)

    assert judge.executions - before <= 5 + 4
    assert symptom(reduced) == symptom(case)


def test_constants_stay_only_where_they_matter(oracle: Any) -> None:
    """A leaf that reduction made a constant requires grad again, unless the difference needs the constant."""
    s = Sketch()
    s.backward(s.op("mul", s.constant([1.0, 2.0]), s.leaf([3.0, 5.0])), [1.0, 2.0])
    whole = without_constants(s.program().steps)
    assert whole is not None
    leaves = [step for step in whole if isinstance(step, Leaf)]

    assert all(leaf.requires_grad for leaf in leaves)
    assert without_constants(whole) is None


def test_leaves_come_in_the_order_of_their_use() -> None:
    """Two programs that differ in which leaf was made first are one."""
    s = Sketch()
    a, b = s.leaf([1.0]), s.leaf([2.0])
    s.op("sub", b, a)
    ordered = in_order_of_use(s.program().steps)

    assert [step.makes() for step in ordered] == [(b,), (a,), (2,)]
    assert in_order_of_use(ordered) == ordered


def test_stretches_are_long_first() -> None:
    """Half of a long program is tried before single steps, with all that depends on it."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    for _ in range(15):
        s.op("neg", x)
    lengths = [len(steps) for steps in stretches(s.program())]

    assert lengths[:2] == [8, 0]
    assert max(lengths) == 12


class OneOp(TorchEngine):
    """Torch with one op's values wrong."""

    broken = ""

    def calls(self) -> Any:
        calls = dict(super().calls())
        original = calls[self.broken]

        def wrong(*operands: Any, **params: Any) -> Any:
            result = original(*operands, **params)
            if CATALOG[self.broken].inplace:
                return operands[0].mul_(1.5)
            return tuple(r * 1.5 if r.is_floating_point() else r for r in result) if isinstance(result, tuple) else result * 1.5

        return {**calls, self.broken: wrong}


@pytest.mark.parametrize("op", ["addcmul", "scatter_add", "cat", "var_dim", "masked_fill", "max_dim", "index_add_", "setitem"])
def test_the_op_to_blame_stays(op: str, oracle: Any) -> None:
    """A program reduced for one op's defect holds that op, and few others."""
    engine = type("Wrong", (OneOp,), {"broken": op})()
    judge = Judge(oracle, Executor(engine, oracle.facets))
    area = "views" if CATALOG[op].inplace else "gradients"
    (case,) = itertools.islice(cases(judge, area, 1, 4000), 1)
    reduced = reduce(case, judge)
    ops = [step.op for step in reduced.program.steps if isinstance(step, (Apply, Mutate))]

    assert op in ops
    assert len(ops) <= 2
