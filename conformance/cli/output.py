"""What a command says when a run is over: to people, and to the CI that it runs in."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from conformance.report import ci


@contextmanager
def progress(areas: int, seconds: float | None) -> Iterator[Any]:
    """How far the run is, on standard error."""
    from conformance.report.progress import Progress

    with Progress(sys.stderr, areas=areas, seconds=seconds) as line:
        yield lambda tick: line.update(programs=tick.programs, area=tick.area, failures=tick.failures)


def print_summary(record: Any, folder: Path) -> None:
    """The screen at the end of a run, whose last line is for machines. On a GitHub runner its lines are no commands."""
    from conformance.report.github import between_commands
    from conformance.report.terminal import render_summary

    color = wants_color(sys.stdout, os.environ)
    size = shutil.get_terminal_size((100, 40))
    height = size.lines if sys.stdout.isatty() else 40
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks our marks shows ? instead
    text = render_summary(record, color=color, width=size.columns, height=height, folder=folder)
    if not ci.on_github(os.environ):
        click.echo(text, nl=False, color=color)
        return
    screen, _, last = text.rstrip("\n").rpartition("\n")
    click.echo(between_commands(screen + "\n") + last, color=color)


def tell_ci(record: Any, folder: Path, stream: TextIO) -> None:
    """Annotations and the summary of the job, where there is one."""
    trouble = ci.tell_ci(record, folder, stream.write)
    if trouble:
        click.echo(f"conformance: {trouble}", err=True)


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to style: on a terminal that can, unless NO_COLOR is set to anything (https://no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
