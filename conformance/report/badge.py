"""The verdict as a badge: the JSON that a shields.io endpoint answers with, and a picture that needs nobody."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from markupsafe import escape

from conformance.record import Record, RunVerdict
from conformance.report.summary import summarize

LABEL = "autograd"
# Colours by verdict: the name that shields.io knows, and what is drawn; white text has a contrast of at least 4.5 on each.
COLORS: dict[RunVerdict, tuple[str, str]] = {
    "conforms": ("brightgreen", "#287a3e"),
    "diverges": ("red", "#b3261e"),
    "incomplete": ("lightgrey", "#5f6368"),
}
LABEL_COLOR = "#3c4043"
HEIGHT = 20
PADDING = 6
NARROW, WIDE = frozenset(" .,:;'!|fijlrtI()"), frozenset("mwMW%@")


class Badge(NamedTuple):
    """What the badge says."""

    message: str
    color: str
    drawn: str


def badge(record: Record) -> Badge:
    """The verdict in a few words, with how many rules it rests on. Nothing in it comes from the engine."""
    total = summarize(record).total
    failed = total.counts["failed"]
    words: dict[RunVerdict, str] = {
        "conforms": f"{total.applied - total.counts['known']} of {total.rules} rules kept",
        "diverges": f"{failed} of {total.applied} rules broken",
        "incomplete": "incomplete",
    }
    return Badge(words[record.verdict], *COLORS[record.verdict])


def render_endpoint(record: Record) -> str:
    """The badge as the answer of a shields.io endpoint."""
    shown = badge(record)
    answer = {"schemaVersion": 1, "label": LABEL, "message": shown.message, "color": shown.color}
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"


def render_svg(record: Record) -> str:
    """The badge as a picture that loads nothing: system fonts, each text fitted to its width."""
    shown = badge(record)
    left, right = _width(LABEL), _width(shown.message)
    label, message = escape(LABEL), escape(shown.message)
    text = '<text x="{x}" y="14" textLength="{length}" lengthAdjust="spacingAndGlyphs">{words}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" role="img"'
        f' aria-label="{label}: {message}">'
        f"<title>{label}: {message}</title>"
        f'<clipPath id="r"><rect width="{left + right}" height="{HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{HEIGHT}" fill="{LABEL_COLOR}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{shown.drawn}"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">'
        + text.format(x=PADDING, length=left - 2 * PADDING, words=label)
        + text.format(x=left + PADDING, length=right - 2 * PADDING, words=message)
        + "</g></svg>\n"
    )


def _width(text: str) -> int:
    """Pixels of a text at 11 px with its padding, from three widths of letters; the text is then fitted to it."""
    return round(sum(4 if c in NARROW else 10 if c in WIDE else 7 for c in text)) + 2 * PADDING
