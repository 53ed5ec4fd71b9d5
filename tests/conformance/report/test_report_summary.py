"""What a reader is told to look at first."""

from __future__ import annotations

import msgspec
import pytest
from report_samples import HEADER, failure, result

from conformance.areas import AREAS, foundation
from conformance.record import Failure, Record
from conformance.report.summary import most_telling, sentences, simplest_first, summarize


def of(rule: str, steps: int = 4, name: str = "") -> Failure:
    """A failure of a rule whose reduced program has so many steps."""
    sample = failure(name or rule, rule)
    return msgspec.structs.replace(sample, steps=(sample.steps * 3)[:steps])


@pytest.mark.parametrize(
    ("failures", "first"),
    [
        ([of("versions.a", 5), of("views.a", 3)], "views.a"),
        ([of("grad.a", 3), of("gradients.a", 4)], "gradients.a"),
        ([of("checkpoint.a", 2), of("gradients.a", 6)], "gradients.a"),
        ([of("identity.a", 3), of("accumulation.a", 6)], "identity.a"),
        ([of("newer.a", 5), of("empty.a", 5)], "empty.a"),
    ],
    ids=["short", "foundation", "foundation of a foundation", "unrelated", "area of another version"],
)
def test_what_others_build_on_comes_first_and_then_what_is_short(failures: list[Failure], first: str) -> None:
    """A broken gradient breaks the gradient that grad() returns too; of unrelated areas the shorter program tells more."""
    assert simplest_first(failures)[0].rule == first
    assert simplest_first(reversed(failures)) == simplest_first(failures)


def test_each_rule_has_its_turn() -> None:
    """Where room is short, a second cause of the same rule comes after the first of every other."""
    failures = [of("views.a", 3, "one"), of("views.a", 3, "two"), of("views.b", 9)]

    assert [f.rule for f in most_telling(failures)] == ["views.a", "views.b", "views.a"]


def test_a_reader_is_told_where_to_start() -> None:
    """The verdict names the rule; a single broken rule needs no such advice."""
    rules = ["grad.returns", "gradients.view"]
    broken = [failure(rule, rule) for rule in rules]
    results = [result(rule, "failed", causes=(rule,)) for rule in rules]

    assert sentences(summarize(Record(header=HEADER, rules=results, failures=broken))).endswith(
        "by 2 causes. Start with gradients.view."
    )
    assert "Start" not in sentences(summarize(Record(header=HEADER, rules=results[:1], failures=broken[:1])))


def test_no_area_builds_on_itself() -> None:
    """The relation has no circle, which would excuse each of its areas by another."""
    assert [area.name for area in AREAS if area.name in foundation(area.name)] == []
