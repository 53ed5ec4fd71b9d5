"""`conformance run`: the suite on one engine, recorded and reported."""

from __future__ import annotations

import io
import shlex
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from conformance.cli.names import LEVELS, check_names
from conformance.errors import UsageError

EXIT = {"conforms": 0, "diverges": 1, "incomplete": 3}


@click.command()
@click.argument("engine")
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), help="Seconds to search (60 unless --programs is given).")
@click.option("--programs", type=click.IntRange(min=0), help="Random programs to run, instead of a time budget.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the random programs.")
@click.option("--area", "areas", multiple=True, help="Only this area (repeatable).")
@click.option("--rule", "rules", multiple=True, help="Only this rule (repeatable).")
@click.option("--level", type=LEVELS, help="Only rules up to this level, for an engine that is growing.")
@click.option("--oracle", type=click.Choice(["torch", "reference"]), default="torch", show_default=True, help="What is right.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the reports (reports/ENGINE by default).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
def run(engine: str, budget: float | None, programs: int | None, seed: int, out: Path | None, as_json: bool, **more: Any) -> int:
    """Run the suite on ENGINE: reference, torch, mygrad, or MODULE:ATTRIBUTE of an adapter of yours.

    Exit status: 0 conforms, 1 diverges, 2 bad use, 3 could not start or incomplete, 4 a defect of the suite.
    """
    from conformance.api import start
    from conformance.run import Options

    if budget is not None and programs is not None:
        raise UsageError("--budget and --programs exclude each other: give one of them")
    seconds = (60.0 if budget is None else budget) if programs is None else None
    check_names(more["areas"], more["rules"])
    named = {name: more[name] for name in ("areas", "rules", "level")}
    options = Options(seconds=seconds, programs=programs, seed=seed, matrix=True, **named)
    if not options.chosen:
        raise UsageError(f"nothing of what is named is of level {options.level} or below: `conformance rules` lists the levels")
    folder = out if out is not None else Path("reports") / _folder_name(engine)
    with _progress() as progress:
        session = start(engine, options, oracle=more["oracle"], progress=progress)
        with _stopping(session):
            record = _write(session, folder)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(_document(record)) + b"\n")
    else:
        _print_summary(record, folder)
    return EXIT[record.verdict]


def _write(session: Iterable[Any], folder: Path) -> Any:
    """Record a run as it goes, then report it."""
    from conformance.record import RecordWriter, read
    from conformance.report import write_reports

    path = folder / "record.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writer = RecordWriter(path)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}: name another folder with --out") from None
    try:
        for line in session:
            writer.write(line)
    finally:
        writer.close()
    record = _with_folder(read(path), folder)
    try:
        write_reports(record, folder)
    except OSError as error:
        raise UsageError(f"cannot write the reports to {folder}: {error.strerror}; the record is {path}") from None
    return record


def _with_folder(record: Any, folder: Path) -> Any:
    """The record with replay commands that find it where it lies: the record itself does not depend on the folder."""
    if folder.parts[:1] == ("reports",):
        return record
    where = shlex.join(["--reports", str(folder)])
    failures = [msgspec.structs.replace(f, replay=f"{f.replay} {where}") for f in record.failures]
    return msgspec.structs.replace(record, failures=failures)


@contextmanager
def _stopping(session: Any) -> Iterator[None]:
    """The first Ctrl-C ends the run in order, the second at once."""

    def stop(signum: int, frame: Any) -> None:
        session.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread: the caller owns the signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress() -> Iterator[Any]:
    """A live line on standard error, on a terminal only."""
    from conformance.report.terminal import Progress

    line = Progress(sys.stderr)
    try:
        yield lambda tick: line.update(programs=tick.programs, area=tick.area, failures=tick.failures)
    finally:
        line.close()


def _print_summary(record: Any, folder: Path) -> None:
    """The matrix, the failures, and the last machine-readable line."""
    import os
    import shutil

    from conformance.report.terminal import render_summary

    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 40)).columns
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks our marks shows ? instead
    click.echo(render_summary(record, color=color, width=width, folder=folder), color=color)


def _document(record: Any) -> dict[str, Any]:
    """The JSON document of --json."""
    h, footer = record.header, record.footer
    failures = {f.id: f for f in record.failures}
    return {
        "engine": h.engine,
        "versions": {"engine": h.engine_version, "oracle": h.oracle_version, "conformance": h.suite_version, **h.versions},
        "oracle": h.oracle,
        "seed": h.seed,
        "verdict": record.verdict,
        "programs": footer.programs if footer else 0,
        "seconds": footer.timing.get("seconds", 0.0) if footer else 0.0,
        "rules": [
            {
                "id": r.id, "area": r.area, "obligation": r.obligation, "level": r.level, "verdict": r.verdict,
                "programs": r.programs, "failing": r.failing,
                "reason": r.reason,
                "failures": [
                    {"id": f.id, "program": f.program, "reduced": f.reduced, "difference": f.difference, "proof": f.proof}
                    for f in map(failures.__getitem__, r.failures)
                ],
            }
            for r in record.rules
        ],
        "saved": [{"op": s.op, "code": s.code, "cells": msgspec.to_builtins(s.cells)} for s in record.saved],
    }  # fmt: skip


def _folder_name(engine: str) -> str:
    """A folder name for an engine: `my.module:Engine` becomes my.module-Engine."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in engine)
