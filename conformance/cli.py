"""The command `conformance`."""

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

from conformance._version import __version__
from conformance.areas import AREA_NAMES, AREAS
from conformance.errors import ConformanceError, UsageError

LEVELS = click.IntRange(1, max(area.level for area in AREAS))
EXIT = {"conforms": 0, "diverges": 1, "incomplete": 3}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="conformance")
def cli() -> None:
    """Tells which rules of autograd an engine breaks, with a minimal reproducer and a proof in words."""


@cli.command()
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
    _check_names(more["areas"], more["rules"])
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


@cli.command()
@click.argument("what", metavar="FILE-OR-ID")
@click.option("--engine", help="Engine to replay on (the recorded one for an id, else required).")
@click.option("--oracle", type=click.Choice(["torch", "reference"]), default="torch", show_default=True)
@click.option("--reports", type=click.Path(path_type=Path), default=Path("reports"), help="Where to look for an id.")
def replay(what: str, engine: str | None, oracle: str, reports: Path) -> int:
    """Run one program again: a JSON file, or the id of a failure in a record below reports/. Exit 1 if it still differs."""
    from conformance.replay import find, replay_text

    program, recorded = find(what, reports)
    name = engine or recorded
    if name is None:
        raise UsageError(f"say which engine to replay {what} on: conformance replay {what} --engine NAME")
    text, differs = replay_text(program, name, oracle)
    click.echo(text)
    return 1 if differs else 0


@cli.command()
@click.option("--area", "areas", multiple=True, help="Only this area (repeatable).")
@click.option("--level", type=LEVELS, help="Only rules up to this level.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with reasons and sources.")
def rules(areas: tuple[str, ...], level: int | None, as_json: bool) -> int:
    """List the rules: id, obligation, level and statement of each."""
    from conformance.rules.caught import caught_alone
    from conformance.run import Options

    _check_names(areas, ())
    chosen = Options(areas=areas, level=level).chosen
    if as_json:
        alone = caught_alone()
        names = ("id", "area", "obligation", "level", "statement", "why", "source")
        rows = [{name: getattr(r, name) for name in names} | {"caught_alone": len(alone.get(r.id, ()))} for r in chosen]
        sys.stdout.buffer.write(msgspec.json.encode(rows) + b"\n")
        return 0
    for area in AREAS:
        mine = [r for r in chosen if r.area == area.name]
        if mine:
            click.echo(f"{area.name}: {area.title} (level {area.level})")
        for rule in mine:
            click.echo(f"  {rule.id:34} {rule.obligation:4} {rule.level}  {rule.statement}")
    return 0


@cli.command()
@click.argument("rule_id")
def explain(rule_id: str) -> int:
    """Explain one rule: statement, reason, source and a program that shows it."""
    from conformance.rules import RULES
    from conformance.rules.caught import caught_alone
    from conformance.script import Script

    _check_names((), (rule_id,))
    rule = RULES[rule_id]
    click.echo(
        f"{rule.id} ({rule.obligation}, level {rule.level})\n\n{rule.statement}\n\nWhy: {rule.why}\nSource: {rule.source}\n"
    )
    alone = caught_alone().get(rule_id)
    if alone:
        click.echo(f"Planted defects of the reference engine that it alone catches: {', '.join(alone)}\n")
    click.echo("A program that shows it:\n")
    click.echo(Script(rule.exemplar()).text())
    return 0


def _check_names(areas: Iterable[str], ids: Iterable[str]) -> None:
    """Areas and rules that exist, or one line that says which do."""
    import difflib

    from conformance.rules import RULES

    for kind, given, known in (("area", areas, AREA_NAMES), ("rule", ids, tuple(RULES))):
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else "`conformance rules` lists them"
                raise UsageError(f"there is no {kind} {name!r}: {hint}")


def _folder_name(engine: str) -> str:
    """A folder name for an engine: `my.module:Engine` becomes my.module-Engine."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in engine)


def main() -> None:
    """Run the command; every error is one line on standard error and its exit status."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        status = _say("interrupted", 3)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        status = 2
    except click.ClickException as error:
        status = _say(f"{error.format_message()} (type conformance --help)".replace("\n", " "), 2)
    except ConformanceError as error:
        status = _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        status = _say("interrupted", 3)
    except BrokenPipeError:
        status = 0
    except Exception as error:
        import traceback

        traceback.print_exc()
        status = _say(f"a defect of the suite, please report it with the lines above: {type(error).__name__}: {error}", 4)
    sys.exit(status)


def _say(message: str, status: int) -> int:
    """One line on standard error."""
    click.echo(f"conformance: {message}", err=True)
    return status
