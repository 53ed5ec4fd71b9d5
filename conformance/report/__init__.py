"""Reports: readers of records. They never run an engine.

`FORMATS` is the table of all that can be written: a row each, by the name that `--format` takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from conformance.record import NAME, Record
from conformance.report.places import Place, place_of
from conformance.report.summary import RuleText
from conformance.report.trend import TrendRow

__all__ = ["DEFAULT", "FORMATS", "Format", "Material", "RuleText", "TrendRow", "render", "write_reports"]


class Material(NamedTuple):
    """What a format is made of: the record, the texts to quote, where the record and the adapter lie, a record to compare with,
    how the last runs went, the oldest first, and the names of the files in the folder it is written to."""

    record: Record
    rules: Mapping[str, RuleText]
    place: Place
    earlier: Record | None = None
    trend: Sequence[TrendRow] = ()
    files: Sequence[str] = ()


class Format(NamedTuple):
    """One format: its file in the folder of a run, what it is for, and its renderer."""

    file: str
    title: str
    render: Callable[[Material], str]


# A renderer is imported when it is used: what only reads `conformance.report` pays for none.
def _html(material: Material) -> str:
    from conformance.report.html import render_html

    return render_html(material.record, material.rules, earlier=material.earlier, trend=material.trend, files=material.files)


def _junit(material: Material) -> str:
    from conformance.report.junit import render_junit

    return render_junit(material.record)


def _markdown(material: Material) -> str:
    from conformance.report.markdown import render_markdown

    return render_markdown(material.record)


def _sarif(material: Material) -> str:
    from conformance.report.sarif import render_sarif

    return render_sarif(material.record, material.rules, material.place)


def _badge(material: Material) -> str:
    from conformance.report.badge import render_endpoint

    return render_endpoint(material.record)


def _badge_svg(material: Material) -> str:
    from conformance.report.badge import render_svg

    return render_svg(material.record)


def _github(material: Material) -> str:
    from conformance.report.github import render_annotations

    return render_annotations(material.record, material.place)


FORMATS: dict[str, Format] = {
    "html": Format("index.html", "the report, one offline page", _html),
    "junit": Format("junit.xml", "JUnit XML, a test case a rule", _junit),
    "markdown": Format("summary.md", "Markdown for the summary of a CI job", _markdown),
    "sarif": Format("results.sarif", "SARIF 2.1.0 for code scanning", _sarif),
    "badge": Format("badge.json", "the endpoint of a shields.io badge", _badge),
    "badge-svg": Format("badge.svg", "the badge itself", _badge_svg),
    "github": Format("annotations.txt", "workflow commands that annotate a GitHub run", _github),
}
DEFAULT: tuple[str, ...] = ("html", "junit")


def render(
    name: str,
    record: Record,
    folder: Path,
    rules: Mapping[str, RuleText] | None = None,
    *,
    earlier: Record | None = None,
    trend: Sequence[TrendRow] = (),
    files: Sequence[str] = (),
) -> str:
    """A record in one format. `folder` is where the record lies, `files` the names of what will lie beside the text."""
    if rules is None:
        from conformance.rules import RULES

        rules = RULES
    return FORMATS[name].render(Material(record, rules, place_of(record, folder), earlier, trend, files))


def write_reports(
    record: Record,
    folder: Path,
    rules: Mapping[str, RuleText] | None = None,
    *,
    formats: Iterable[str] = DEFAULT,
    home: Path | None = None,
    earlier: Record | None = None,
    trend: Sequence[TrendRow] | None = None,
) -> dict[str, Path]:
    """Write the formats into the folder; returns file name -> path.

    Each file is put in place whole: a reader, or another run in the same folder, never meets half of one.

    Args:
        home: where the record lies; in the folder itself if not said.
        earlier: a record to compare with.
        trend: how the last runs went, this one included, the oldest first.

    Raises:
        OSError: the folder cannot be written.
    """
    names = tuple(dict.fromkeys(formats))
    files = [NAME] * (folder / NAME).is_file() + [FORMATS[name].file for name in names]
    texts = {
        FORMATS[name].file: render(name, record, home or folder, rules, earlier=earlier, trend=trend or (), files=files)
        for name in names
    }
    return {name: put(folder / name, text) for name, text in texts.items()}


def put(path: Path, text: str | bytes) -> Path:
    """Put a text or bytes in place whole, in a folder that is made where it is missing.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(text if isinstance(text, bytes) else text.encode())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
