"""The scoreboard: records of many engines, in brief, side by side. It reads records and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.record import Record
from conformance.report import put
from conformance.scoreboard.pages import render_html, render_readme
from conformance.scoreboard.standing import Standing, read, read_triage, standing, untold, written

__all__ = ["Standing", "read", "read_triage", "standing", "untold", "write"]


def write(records: Sequence[Record], folder: Path) -> list[Standing]:
    """Enter the records in the scoreboard of a folder, beside those that are in it, and write its pages anew; returns all that is
    in it now.

    Raises:
        OSError, msgspec.DecodeError: the folder cannot be written, or a file in it cannot be read.
    """
    for one in map(standing, records):
        put(folder / f"{one.title}.json", written(one))
    standings, triage = read(folder), read_triage(folder)
    put(folder / "README.md", render_readme(standings, triage))
    put(folder / "index.html", render_html(standings, triage))
    return standings
