"""A record as one HTML file: self-contained, offline, readable without JavaScript, safe whatever an engine says.

Safety has three layers: every value that a template prints is made visible and escaped (`finalize` and autoescape, so that no
template can forget it); the Content-Security-Policy allows the one style sheet and the one script by their hashes, and nothing
else; and the script builds no markup of its own: it only unfolds what was escaped here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.changes import Changes, changes
from conformance.record import Record
from conformance.report.saved import BY_VERDICT, SavedSummary, SavedTable, differs, saved_sentence, summarize_saved, tables
from conformance.report.summary import MARKS, RuleText, Summary, about, applied, headline, sentences, summarize, words
from conformance.report.text import clip, count, one_line, slug, versioned, visible
from conformance.report.trend import Trend, TrendRow, trend_of
from conformance.report.views import FEW, PILE, sections

TEMPLATES = Path(__file__).parent / "templates"
_URL = re.compile(r"(https?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]])")


class SavedView(NamedTuple):
    """The saved-tensor matrix as shown: the ops that save otherwise than the oracle's apart from the rest."""

    summary: SavedSummary
    sentence: str
    otherwise: tuple[SavedTable, ...]
    alike: tuple[SavedTable, ...]


def render_html(
    record: Record,
    rules: Mapping[str, RuleText],
    *,
    earlier: Record | None = None,
    trend: Sequence[TrendRow] = (),
    files: Sequence[str] = (),
) -> str:
    """The report as one HTML document.

    Args:
        record: what was recorded, with or without a footer.
        rules: the texts to quote, by rule id; a rule that is not there is shown without them.
        earlier: a record to compare with.
        trend: how earlier runs and this one went, the oldest first.
        files: names of files in the folder of the page, to link.
    """
    summary = summarize(record)
    changed = changes(record, earlier) if earlier is not None else None
    style, script = (_source(name) for name in ("report.css", "report.js"))
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:"
    shown = tuple(sections(summary, rules, changed))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            style=Markup(style),  # Our own files, printed to the letter: the policy holds their hashes.
            script=Markup(script),
            policy=f"{policy}; base-uri 'none'; form-action 'none'",
            record=record,
            header=record.header,
            summary=summary,
            sections=shown,
            folded_cards=len(record.failures) > FEW,
            pile_size=PILE,
            verdicts=words(summary),
            saved=_saved(record),
            changed=changed,
            since=_since(changed),
            trends=_trends(shown, trend),
            headline=headline(summary),
            sentences=sentences(summary),
            applied=applied(summary),
            facts=tuple(_facts(summary)),
            files=[name for name in files if name != "index.html"],
        )
    )


def page(template: str, more: str, **values: Any) -> str:
    """Another page in the style of the report and a style of its own; it has no script and loads nothing."""
    style = _source("report.css") + _source(more)
    policy = f"default-src 'none'; style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    return _environment().get_template(template).render(style=Markup(style), policy=policy, **values)


@cache
def _source(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def _hash(source: str) -> str:
    """What a policy calls a source by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


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
    environment.filters.update(count=count, slug=slug, linked=_linked, plain=_plain, short=_short)
    environment.filters.update(grouped=lambda number: f"{number:,}")
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


def _plain(text: str) -> Markup:
    """The text of an element: escaped but for quotes, which mean nothing there and are half of what code is made of."""
    return Markup(escape(visible(clip(text))).replace("&#34;", '"').replace("&#39;", "'"))


def _short(number: float) -> str:
    """A coordinate."""
    return f"{number:.1f}".removesuffix(".0")


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    """What identifies the run, as (name, value)."""
    record, header = summary.record, summary.record.header
    yield "Engine", versioned(header.engine, header.engine_version)
    yield from ((name, text) for name, text in about(header) if text)
    yield "Oracle", f"{header.oracle} {header.oracle_version}"
    yield "Suite", header.suite_version
    if header.versions:
        yield "Versions", ", ".join(f"{name} {version}" for name, version in sorted(header.versions.items()))
    if record.footer and record.footer.machine:
        yield "Machine", record.footer.machine
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


def _saved(record: Record) -> SavedView | None:
    """The saved-tensor matrix; None where the run did not measure it."""
    if not record.saved:
        return None
    summary = summarize_saved(record)
    sentence = saved_sentence(summary, record.header.oracle)
    return SavedView(summary, sentence, tuple(tables(summary.otherwise)), tuple(tables(summary.alike)))


def _since(changed: Changes | None) -> str:
    """What the record is compared with."""
    if changed is None:
        return ""
    header, footer = changed.earlier.header, changed.earlier.footer
    ran = f", {count(footer.programs, 'program')}" if footer else ", incomplete"
    return one_line(f"{versioned(header.engine, header.engine_version)}, suite {header.suite_version}, seed {header.seed}{ran}")


def _trends(shown: Sequence[Any], rows: Sequence[TrendRow]) -> dict[str, Trend]:
    """The trend of each area by its name, and of all together; empty before the second run, as one tells no trend."""
    if len(rows) < 2:
        return {}
    return {section.row.name: trend_of(section.row.name, rows) for section in shown} | {"all": trend_of(None, rows)}
