"""What became of the failures of an earlier record."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from conformance.changes import Symptom, changes
from conformance.record import Failure, Header, Known, Record, RuleResult

HEADER = Header(suite_version="1", engine="e", engine_version="1", oracle="torch", oracle_version="2", seed=0)


def failure(name: str, rule: str, *ops: str, **fields: Any) -> Failure:
    """A failure of a program of these ops."""
    made = Failure(
        id=name, rule=rule, area=rule.partition(".")[0], kind="wrong value", facet="grad", statement="", difference={}, proof="",
        steps=[], program={}, reduced={"steps": [{"step": "leaf"}, *({"step": "apply", "op": op} for op in ops)]},
        torch_script="", engine_script="", replay="",
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


def record(*failures: Failure, **verdicts: Any) -> Record:
    """A record of these failures and verdicts, `a_b="passed"` for the rule a.b."""
    rules = [
        RuleResult(id=rule.replace("_", "."), area=rule.partition("_")[0], obligation="MUST", verdict=verdict)
        for rule, verdict in verdicts.items()
    ]
    return Record(header=HEADER, failures=list(failures), rules=rules)


def test_new_still_fixed_and_untried() -> None:
    """A failure that is gone is fixed only where its rule was tried again."""
    earlier = record(
        failure("1", "a.x", "mul"),
        failure("2", "a.y", "exp"),
        failure("3", "a.z", "sub"),
        a_x="failed",
        a_y="failed",
        a_z="failed",
    )
    now = record(
        failure("4", "a.x", "mul"), failure("5", "b.x", "exp"), a_x="failed", a_y="passed", a_z="incomplete", b_x="failed"
    )
    found = changes(now, earlier)

    assert (found.new, found.still) == ({"5"}, {"4"})
    assert ([f.id for f in found.fixed], [f.id for f in found.untried]) == (["2"], ["3"])
    assert [tuple(turn) for turn in found.turns] == [
        ("a.y", "failed", "passed"), ("a.z", "failed", "incomplete"), ("b.x", None, "failed"),
    ]  # fmt: skip


def test_what_the_baseline_knows_is_not_fixed() -> None:
    """A failure that is replayed from the baseline and still fails is told there, and was not mended."""
    earlier = record(failure("1", "a.x", "mul"), a_x="failed")
    now = record(a_x="known")
    known = Known(id="1", origin="baseline", rule="a.x", place="baseline.json", state="known")

    assert [f.id for f in changes(now, earlier).fixed] == ["1"]
    assert changes(msgspec.structs.replace(now, known=[known]), earlier).fixed == ()


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (failure("2", "a.x", "mul"), True),
        (failure("2", "a.x", "mul", "exp"), True),
        (failure("2", "a.x", "exp"), False),
        (failure("2", "a.y", "mul"), False),
        (failure("2", "a.x", "mul", facet="value"), False),
        (failure("2", "a.x", "mul", difference={"category": "version"}), False),
    ],
)
def test_a_symptom_is_no_random_program(other: Failure, same: bool) -> None:
    """Two failures are one where rule, kind, facet and category agree, and the ops of one are among those of the other."""
    assert Symptom.of(failure("1", "a.x", "mul")).matches(Symptom.of(other)) is same


@pytest.mark.parametrize("steps", [None, 3, [None, 3], [{"op": ["x"]}]])
def test_a_hostile_program_has_a_symptom(steps: Any) -> None:
    """What is no program has no ops."""
    assert Symptom.of(failure("1", "a.x", reduced={"steps": steps})).ops == frozenset()
