"""What the HTML report shows, as data for its templates: areas, rules, and a card for every failure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from conformance.changes import Changes
from conformance.record import Failure, Header, RuleResult, RuleVerdict, StepRow
from conformance.report.drawing import Drawing, draw
from conformance.report.handout import issue_text, pytest_text
from conformance.report.summary import ALLOWED, AreaRow, RuleText, Summary
from conformance.report.text import CELL, clip, slug

FEW = 12  # so many failures stand open; more of them stand folded, and are built when they are opened
PILE = 50  # folded cards that a browser lays out together
_WORDS = re.compile(r"\s+|[,;()\[\]{}=]|[^\s,;()\[\]{}=]+")


class StepView(NamedTuple):
    """One row of a failure's table. `expected` and `observed` are (before, mark, after): `mark` is where they part."""

    number: int
    code: str
    expected: tuple[str, str, str]
    observed: tuple[str, str, str]
    differs: bool
    first: bool


class Card(NamedTuple):
    """One failure as shown. `ops` are those of the reduced program; `state` is new or still where there is an earlier record."""

    anchor: str
    failure: Failure
    verdict: RuleVerdict
    level: int
    text: RuleText | None
    steps: tuple[StepView, ...]
    drawing: Drawing | None
    ops: tuple[str, ...]
    state: str
    pytest: str
    issue: str


class RuleView(NamedTuple):
    """One rule as shown; `text` is None where this version of the suite does not know the rule."""

    anchor: str
    result: RuleResult
    text: RuleText | None
    cards: tuple[Card, ...]


class Section(NamedTuple):
    """One area: its row of the matrix, its failures, its rules."""

    row: AreaRow
    broken: tuple[Card, ...]
    allowed: tuple[Card, ...]
    rules: tuple[RuleView, ...]


def sections(summary: Summary, rules: Mapping[str, RuleText], changed: Changes | None) -> Iterator[Section]:
    """The areas in order, each with its own failures and rules. A failure stands in the area of its rule."""
    results = {result.id: result for result in summary.results}
    cards: dict[str, list[Card]] = {}
    anchors: set[str] = set()
    for failure in (*summary.broken, *summary.allowed):
        anchor = _anchor(failure, anchors)
        text = rules.get(failure.rule)
        cards.setdefault(failure.rule, []).append(
            _card(anchor, failure, results[failure.rule], text, summary.record.header, changed)
        )
    for row in summary.rows:
        views = tuple(
            RuleView(f"rule-{slug(result.id)}", result, rules.get(result.id), tuple(cards.get(result.id, ())))
            for result in summary.results
            if result.area == row.name
        )
        mine = [card for view in views for card in view.cards]
        broken = tuple(card for card in mine if card.verdict not in ALLOWED)
        yield Section(row, broken, tuple(card for card in mine if card.verdict in ALLOWED), views)


def _anchor(failure: Failure, taken: set[str]) -> str:
    """A name for the card that is not taken yet."""
    anchor = name = f"failure-{slug(failure.id)}"
    suffix = 2
    while anchor in taken:
        anchor, suffix = f"{name}-{suffix}", suffix + 1
    taken.add(anchor)
    return anchor


def _card(
    anchor: str, failure: Failure, result: RuleResult, text: RuleText | None, header: Header, changed: Changes | None
) -> Card:
    """A failure as shown."""
    first = next((place for place, step in enumerate(failure.steps) if step.differs), None)
    steps = failure.reduced.get("steps")
    ops = [step.get("op") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    return Card(
        anchor=anchor,
        failure=failure,
        verdict=result.verdict,
        level=result.level,
        text=text,
        steps=tuple(_step(place, step, first=place == first) for place, step in enumerate(failure.steps)),
        drawing=draw(failure.graph),
        ops=tuple(dict.fromkeys(op for op in ops if isinstance(op, str))),
        state="" if changed is None else "new" if failure.id in changed.new else "still",
        pytest=pytest_text(failure, header),
        issue=issue_text(failure, header, text),
    )


def _step(place: int, step: StepRow, *, first: bool) -> StepView:
    if not step.differs:
        return StepView(place + 1, step.code, (step.expected, "", ""), (step.observed, "", ""), differs=False, first=False)
    return StepView(place + 1, step.code, *parted(step.expected, step.observed), differs=True, first=first)


def parted(expected: str, observed: str) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """Both texts as (before, mark, after), where `before` and `after`, in whole words, are common to the two.

    Texts with nothing in common are not marked: a mark on everything marks nothing.

    >>> parted("b.grad = [1.0, 2.0]", "b.grad = [1.0, 4.0]")
    (('b.grad = [1.0, ', '2.0', ']'), ('b.grad = [1.0, ', '4.0', ']'))
    """
    left, right = _WORDS.findall(clip(expected, CELL)), _WORDS.findall(clip(observed, CELL))
    most = min(len(left), len(right))
    head = next((i for i in range(most) if left[i] != right[i]), most)
    tail = next((i for i in range(most - head) if left[-1 - i] != right[-1 - i]), most - head)
    if not head and not tail:
        return ("".join(left), "", ""), ("".join(right), "", "")
    return _around(left, head, tail), _around(right, head, tail)


def _around(words: list[str], head: int, tail: int) -> tuple[str, str, str]:
    end = len(words) - tail
    return "".join(words[:head]), "".join(words[head:end]), "".join(words[end:])
