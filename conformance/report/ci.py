"""What a CI job is told of a record besides its reports: annotations, and the summary of the job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from conformance.record import Record


def on_github(environ: Mapping[str, str]) -> bool:
    """Whether a GitHub runner reads what is printed."""
    return environ.get("GITHUB_ACTIONS") == "true"


def tell_ci(record: Record, folder: Path, write: Callable[[str], object]) -> str:
    """Annotate the run on GitHub, by writing, and append to the summary of the job where there is one.

    Neither can fail the run: what went wrong is returned, in one line or none.
    """
    from conformance.report import render

    if on_github(os.environ):
        write(render("github", record, folder))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with open(summary, "ab") as file:
                file.write(render("markdown", record, folder).encode() + b"\n")
        except OSError as error:
            return f"the summary of the job could not be written: {error.strerror}"
    return ""
