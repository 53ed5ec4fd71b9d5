"""What a GitHub workflow is told by commands on standard output: annotations, and lines that are no commands.

The runner reads every line that is printed. What comes from an engine must not be able to speak to it: data and properties are
escaped as the runner asks, and what is printed for people stands between `stop-commands` and its token.
"""

from __future__ import annotations

import secrets

from conformance.record import Record, RuleResult
from conformance.report.places import Place
from conformance.report.summary import Summary, causes, summarize
from conformance.report.text import clip, count, one_line, visible

MOST = 10  # error annotations that GitHub keeps of one step
MESSAGE = 3_000  # characters of one message

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render_annotations(record: Record, place: Place) -> str:
    """One error for each broken rule, that of the lowest level first; an incomplete run has one of its own.

    Where more rules are broken than annotations are kept, the last one counts them.
    """
    summary = summarize(record)
    broken = sorted((r for r in summary.results if r.verdict == "failed"), key=lambda rule: rule.level)
    shown = broken if len(broken) <= MOST else broken[: MOST - 1]
    lines = [_error(place, f"{one_line(rule.id)} (level {rule.level})", _message(summary, rule)) for rule in shown]
    if len(broken) > len(shown):
        more = f"{count(len(broken) - len(shown), 'more rule')} are broken: see the report"
        lines.append(_error(place, "autograd conformance", more))
    if not broken and record.verdict == "incomplete":
        lines.append(_error(place, "autograd conformance", f"the run is incomplete: {summary.reason}"))
    return "".join(f"{line}\n" for line in lines)


def between_commands(text: str) -> str:
    """A text for people, in which the runner looks for no command; nobody can guess what ends it."""
    token = secrets.token_hex(16)
    return f"::stop-commands::{token}\n{text}::{token}::\n"


def _message(summary: Summary, rule: RuleResult) -> str:
    """The proof of the first cause, and how to see it again."""
    found = causes(summary, rule)
    if not found:
        return one_line(rule.reason) or "broken"
    return f"{visible(clip(found[0].proof or found[0].statement, MESSAGE))}\n{one_line(clip(found[0].replay, MESSAGE))}"


def _error(place: Place, title: str, message: str) -> str:
    """One command. Only code of the user's is pointed at: a record is no file of the pull request."""
    properties = {"file": place.file, "line": str(place.line)} if place.adapter else {}
    named = {**properties, "title": clip(title, 200)}
    words = ",".join(f"{name}={visible(value).translate(_PROPERTY)}" for name, value in named.items())
    return f"::error {words}::{message.translate(_DATA)}"
