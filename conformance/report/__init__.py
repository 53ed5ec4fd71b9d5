"""Reports: readers of records. They never run an engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from conformance.record import Record
from conformance.report.summary import RuleText

__all__ = ["RuleText", "write_reports"]


def write_reports(record: Record, folder: Path, rules: Mapping[str, RuleText] | None = None) -> dict[str, Path]:
    """Write `index.html` and `junit.xml` into the folder, beside `record.jsonl`; returns file name -> path.

    Each file is put in place whole: a reader, or another run in the same folder, never meets half of one.

    Raises:
        OSError: the folder cannot be written.
    """
    # Loaded here: what only reads `conformance.report` pays neither for the rules nor for jinja2.
    from conformance.report.html import render_html
    from conformance.report.junit import render_junit

    if rules is None:
        from conformance.rules import RULES

        rules = RULES
    texts = {"index.html": render_html(record, rules), "junit.xml": render_junit(record)}
    return {name: _put(folder / name, text) for name, text in texts.items()}


def _put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(text.encode())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
