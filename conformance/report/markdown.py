"""A record as Markdown for the summary of a CI job: the verdict, the matrix, the failures folded.

What comes from an engine stands in code, or has every mark of Markdown and HTML escaped; no fence can be closed from within.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.record import Failure, Record
from conformance.report.summary import (
    MARKS,
    AreaRow,
    Summary,
    about,
    applied,
    excused,
    headline,
    machine_sentence,
    most_telling,
    notes,
    sentences,
    summarize,
    words,
)
from conformance.report.text import clip, count, one_line, visible

MOST = 20  # failures shown: a job's summary may have 1 MiB
FIELD = 4_000  # characters of a field
LINE = 400  # characters of a line
# What is a mark anywhere; the colon of an address or an emoji; the dot of www.; what begins a list or a rule at a start.
_MARKS = re.compile(r"[\\`*_\[\]#|<>~&$@]|:(?=\S)|(?<=www)\.|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)]", re.IGNORECASE)
_SIGNS = {"conforms": "✅", "diverges": "❌", "incomplete": "⚠️"}


def render_markdown(record: Record) -> str:
    """The record as GitHub's Markdown, of a size that a job's summary takes."""
    summary = summarize(record)
    lines = [f"## {_SIGNS[record.verdict]} {escaped(headline(summary))}", "", escaped(sentences(summary)), ""]
    lines += [*_matrix(summary), "", escaped(f"{applied(summary)}."), ""]
    telling = most_telling(summary.broken)
    for failure in telling[:MOST]:
        lines += _failure(failure)
    if len(telling) > MOST:
        lines += [f"… and {count(len(telling) - MOST, 'more cause')} in the report.", ""]
    for word, results in excused(summary).items():
        named = [f"{MARKS[r.verdict]} {code(r.id)}" for r in results[:MOST]]
        more = f" … and {len(results) - MOST} more" if len(results) > MOST else ""
        lines += [f"{word.capitalize()}: {', '.join(named)}{more}.", ""]
    lines += [line for note in notes(summary)[:MOST] for line in (f"Note: {escaped(note)}", "")]
    told = [f"{name.lower()}: {escaped(text)}" for name, text in about(record.header) if text]
    if told:
        lines += [f"The engine: {', '.join(told)}.", ""]
    if record.header.command:
        lines += ["Run again:", "", *fenced(clip(record.header.command, FIELD), "sh"), ""]
    return "\n".join([*lines, code(machine_sentence(summary)), ""])


def escaped(text: str) -> str:
    r"""A text on one line of Markdown, in which nothing is a mark.

    >>> escaped("<b>a_b</b>")
    '\\<b\\>a\\_b\\</b\\>'
    """
    return _MARKS.sub(r"\\\g<0>", one_line(clip(text, FIELD)))


def code(text: str) -> str:
    """A text as code within a line, a cell of a table included."""
    line = one_line(clip(text, LINE)).replace("|", "\\|") or " "
    fence = "`" * (_longest(line) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def fenced(text: str, language: str) -> list[str]:
    """A text as lines of code behind a fence that is longer than any within."""
    fence = "`" * max(_longest(text) + 1, 3)
    return [f"{fence}{language}", *visible(text).rstrip("\n").split("\n"), fence]


def _longest(text: str) -> int:
    """The longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def _matrix(summary: Summary) -> Iterator[str]:
    """Area x verdict."""
    yield "| area | rules | " + " | ".join(f"{word.mark} {word.name}" for word in words(summary)) + " | checks |"
    yield "|:--|--:|" + "--:|" * (len(words(summary)) + 1)
    for row in summary.rows:
        yield _row(escaped(clip(row.title, LINE)), row, summary)
    if len(summary.rows) > 1:
        yield _row("**all**", summary.total, summary)


def _row(name: str, row: AreaRow, summary: Summary) -> str:
    counts = " | ".join(str(row.counts[word.name] or "") for word in words(summary))
    return f"| {name} | {row.rules} | {counts} | {row.checks:,} |"


def _failure(failure: Failure) -> Iterator[str]:
    """One failure: law and proof to be read, the scripts folded."""
    yield from (f"### {MARKS['failed']} {code(failure.rule)}", "", escaped(failure.statement), "", escaped(failure.proof), "")
    script = failure.engine_script or failure.torch_script
    yield from ("<details><summary>Script</summary>", "", *fenced(clip(script, FIELD), "python"), "", "</details>", "")
    yield from (code(failure.replay), "")
