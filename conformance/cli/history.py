"""`conformance history` and `conformance compare`: what earlier runs found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from conformance.errors import UsageError

if TYPE_CHECKING:
    from conformance.record import Record

_FOLDER = click.option(
    "--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="The folder of the history."
)


@click.group(invoke_without_command=True)
@_FOLDER
@click.option("--engine", help="Only runs of this engine.")
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="So many runs.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def history(context: click.Context, reports: Path, engine: str | None, last: int, as_json: bool) -> int:
    """List the runs that were made, the last one last."""
    from conformance.history import History
    from conformance.report.text import one_line, versioned

    context.obj = reports
    if context.invoked_subcommand is not None:
        return 0
    runs = History(reports).runs(engine, last)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode([run._asdict() for run in runs]) + b"\n")
        return 0
    for run in runs:
        failed = "1 failure" if run.failures == 1 else f"{run.failures} failures"
        what = f"{run.verdict:10}  {failed}, {run.programs} programs, {run.seconds:.1f} s"
        click.echo(f"{run.id}  {run.date}  {one_line(versioned(run.engine, run.engine_version))}  {what}")
    if not runs:
        click.echo(f"no runs in {reports}: `conformance run` enters each, `conformance history rebuild` those of its records")
    return 0


@history.command()
@click.pass_obj
def rebuild(reports: Path) -> int:
    """Make the database anew, from the records below the folder."""
    from conformance.history import History

    try:
        number = History(reports).rebuild(reports)
    except OSError as error:
        raise UsageError(f"cannot write to {reports}: {error.strerror}") from None
    click.echo(f"{number} runs in {History(reports).path}")
    return 0


@click.command()
@click.argument("earlier")
@click.argument("later")
@_FOLDER
def compare(earlier: str, later: str, reports: Path) -> int:
    """What became in LATER of what failed in EARLIER: records, folders, or ids of the history. Exit 1 if a failure is new."""
    from conformance.changes import changes
    from conformance.report.text import one_line

    before, after = (_record(name, reports) for name in (earlier, later))
    changed = changes(after, before)
    groups = {
        "new": [failure for failure in after.failures if failure.id in changed.new],
        "fixed": changed.fixed,
        "not tried again": changed.untried,
        "still failing": [failure for failure in after.failures if failure.id in changed.still],
    }
    for title, failures in groups.items():
        for failure in failures:
            what = one_line(f"{failure.rule}: {failure.kind} of {failure.facet or 'the program'} ({failure.id})")
            click.echo(f"{title:15}  {what}")
    click.echo("conformance: " + " ".join(f"{title.replace(' ', '_')}={len(found)}" for title, found in groups.items()))
    return 1 if groups["new"] else 0


def _record(name: str, reports: Path) -> Record:
    """A record by its path, or by its id in the history."""
    from conformance.cli.recording import opened
    from conformance.history import History

    return opened(Path(name)) if Path(name).exists() else History(reports).record(name)
