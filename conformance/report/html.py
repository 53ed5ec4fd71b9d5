"""A record as one HTML file: self-contained, offline, readable without JavaScript, safe whatever an engine says.

Safety has three layers: every value that a template prints is made visible and escaped (`finalize` and autoescape, so that no
template can forget it), the Content-Security-Policy allows one style sheet by its hash and nothing else, and there is no script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.record import Failure, Record, RuleResult, RuleVerdict, StepRow
from conformance.report.saved import BY_VERDICT, SavedSummary, SavedTable, differs, saved_sentence, summarize_saved, tables
from conformance.report.summary import (
    ALLOWED,
    MARKS,
    VERDICTS,
    AreaRow,
    RuleText,
    Summary,
    applied,
    canonical,
    headline,
    sentences,
    summarize,
)
from conformance.report.text import CELL, clip, count, slug, visible

TEMPLATES = Path(__file__).parent / "templates"
_URL = re.compile(r"(https?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]])")
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
    """One failure as shown."""

    anchor: str
    failure: Failure
    verdict: RuleVerdict
    text: RuleText | None
    steps: tuple[StepView, ...]
    program: str


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


class SavedView(NamedTuple):
    """The saved-tensor matrix as shown: the ops that save otherwise than the oracle's apart from the rest."""

    summary: SavedSummary
    sentence: str
    otherwise: tuple[SavedTable, ...]
    alike: tuple[SavedTable, ...]


def render_html(record: Record, rules: Mapping[str, RuleText]) -> str:
    """The report as one HTML document.

    Args:
        record: what was recorded, with or without a footer.
        rules: the texts to quote, by rule id; a rule that is not there is shown without them.
    """
    summary = summarize(record)
    style = (TEMPLATES / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            style=Markup(style),  # Our own file, printed to the letter: the policy holds its hash.
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            record=record,
            header=record.header,
            summary=summary,
            sections=tuple(_sections(summary, rules)),
            verdicts=VERDICTS,
            saved=_saved(record),
            headline=headline(summary),
            sentences=sentences(summary),
            applied=applied(summary),
            facts=tuple(_facts(summary)),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(count=count, slug=slug, grouped=lambda number: f"{number:,}", linked=_linked)
    environment.tests.update(otherwise=differs)
    environment.globals.update(marks=MARKS, saved_words=BY_VERDICT)
    return environment


def _finalize(value: Any) -> Any:
    """What every printed value goes through, before it is escaped."""
    return visible(clip(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


def _linked(text: str) -> Markup:
    """The text, escaped, with its web addresses as links; nothing is loaded from them."""
    parts = _URL.split(visible(clip(text)))
    link = Markup('<a href="{0}" rel="noreferrer noopener">{0}</a>')
    return Markup("").join(link.format(part) if index % 2 else escape(part) for index, part in enumerate(parts))


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    """What identifies the run, as (name, value)."""
    record, header = summary.record, summary.record.header
    yield "Engine", f"{header.engine} {header.engine_version}"
    yield "Oracle", f"{header.oracle} {header.oracle_version}"
    yield "Suite", header.suite_version
    if header.versions:
        yield "Versions", ", ".join(f"{name} {version}" for name, version in sorted(header.versions.items()))
    yield "Seed", str(header.seed)
    yield "Programs", "unknown" if summary.programs is None else f"{summary.programs:,}"
    seconds = record.footer.timing.get("seconds") if record.footer else None
    if seconds:
        yield "Time", f"{seconds:,.1f} s" + (f", {summary.programs / seconds:,.0f} programs/s" if summary.programs else "")
    budgets = [f"{header.budget_seconds:g} s"] if header.budget_seconds is not None else []
    budgets += [count(header.budget_programs, "program")] if header.budget_programs is not None else []
    if budgets:
        yield "Budget", ", ".join(budgets)
    if header.areas:
        yield "Areas", ", ".join(header.areas)
    if header.limits:
        yield "Limits", ", ".join(f"{name} {value:g}" for name, value in sorted(header.limits.items()))


def _sections(summary: Summary, rules: Mapping[str, RuleText]) -> Iterator[Section]:
    """The areas in order, each with its own failures and rules. A failure stands in the area of its rule."""
    results = {result.id: result for result in summary.results}
    cards: dict[str, list[Card]] = {}
    anchors: set[str] = set()
    for failure in (*summary.broken, *summary.allowed):
        card = _card(failure, results[failure.rule].verdict, rules.get(failure.rule), anchors)
        anchors.add(card.anchor)
        cards.setdefault(failure.rule, []).append(card)
    for row in summary.rows:
        views = tuple(
            RuleView(f"rule-{slug(result.id)}", result, rules.get(result.id), tuple(cards.get(result.id, ())))
            for result in summary.results
            if result.area == row.name
        )
        mine = [card for view in views for card in view.cards]
        broken = tuple(card for card in mine if card.verdict not in ALLOWED)
        yield Section(row, broken, tuple(card for card in mine if card.verdict in ALLOWED), views)


def _saved(record: Record) -> SavedView | None:
    """The saved-tensor matrix; None where the run did not measure it."""
    if not record.saved:
        return None
    summary = summarize_saved(record)
    sentence = saved_sentence(summary, record.header.oracle)
    return SavedView(summary, sentence, tuple(tables(summary.otherwise)), tuple(tables(summary.alike)))


def _card(failure: Failure, verdict: RuleVerdict, text: RuleText | None, taken: set[str]) -> Card:
    """A failure as shown, under an anchor that is not taken yet."""
    anchor = name = f"failure-{slug(failure.id)}"
    suffix = 2
    while anchor in taken:
        anchor, suffix = f"{name}-{suffix}", suffix + 1
    first = next((place for place, step in enumerate(failure.steps) if step.differs), None)
    steps = tuple(_step(place, step, first=place == first) for place, step in enumerate(failure.steps))
    return Card(anchor, failure, verdict, text, steps, canonical(failure.reduced))


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
