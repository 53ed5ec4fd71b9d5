"""How areas fared over the last runs, as bars to be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from conformance.report.summary import APPLIED
from conformance.report.text import one_line

LAST = 20  # runs shown
WIDE, HIGH, STEP = 4.0, 18.0, 6.0  # of a bar, of the tallest one, and from one bar to the next


class TrendRow(NamedTuple):
    """One earlier run: its id, its date, and for each area how many rules got which verdict. The oldest run comes first."""

    run: str
    date: str
    counts: Mapping[str, Mapping[str, int]]


class Bar(NamedTuple):
    """One run's bar: as tall as the share of rules that failed; a low mark where none did, lower where none applied."""

    x: float
    y: float
    height: float
    style: str
    title: str


class Trend(NamedTuple):
    """The bars of one area, and the same in words."""

    width: float
    bars: tuple[Bar, ...]
    words: str


def trend_of(area: str | None, rows: Sequence[TrendRow]) -> Trend:
    """The trend of an area; of all areas together where it is None."""
    bars = []
    for place, row in enumerate(rows[-LAST:]):
        chosen = row.counts.values() if area is None else [row.counts.get(area, {})]
        applied = sum(counts.get(name, 0) for counts in chosen for name in APPLIED)
        failed = sum(counts.get("failed", 0) for counts in chosen)
        height = 3 + (HIGH - 3) * failed / applied if failed else 3.0 if applied else 1.0
        style = "failed" if failed else "passed" if applied else "unsupported"
        title = one_line(f"{row.date}: {failed} of {applied} failed" if applied else f"{row.date}: none applied")
        bars.append(Bar(place * STEP, HIGH - height, round(height, 2), style, title))
    return Trend(max(len(bars), 1) * STEP - STEP + WIDE, tuple(bars), "; ".join(bar.title for bar in bars))
