"""`conformance report`: the reports of a record again, in any format."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.output import print_summary, tell_ci
from conformance.cli.recording import opened, past, with_folder
from conformance.errors import UsageError
from conformance.record import NAME
from conformance.report import DEFAULT, FORMATS


@click.command()
@click.argument("record_path", metavar="RECORD", type=click.Path(path_type=Path))
@click.option("--format", "formats", multiple=True, type=click.Choice(tuple(FORMATS)),
              help=f"Only these (repeatable): {', '.join(DEFAULT)} by default.")  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, allow_dash=True), help="Another folder than the record's; - prints one format."
)
def report(record_path: Path, formats: tuple[str, ...], out: Path | None) -> int:
    """Render a RECORD again: a record.jsonl, or the folder that holds one. Exit 0 whatever the verdict.

    A history that lies there or above, as runs leave it in reports/, tells what is new and how the last runs went.
    """
    from conformance.report import render, write_reports

    path = record_path / NAME if record_path.is_dir() else record_path
    record = with_folder(opened(path), path.parent)
    earlier, trend = past(path)
    if str(out) == "-":
        if len(formats) != 1:
            raise UsageError("--out - prints one format: name it with --format")
        sys.stdout.buffer.write(render(formats[0], record, path.parent, earlier=earlier, trend=trend).encode())
        return 0
    folder = path.parent if out is None else out
    try:
        write_reports(record, folder, formats=formats or DEFAULT, home=path.parent, earlier=earlier, trend=trend)
    except OSError as error:
        raise UsageError(f"cannot write the reports to {folder}: {error.strerror}: name another folder with --out") from None
    print_summary(record, folder)
    tell_ci(record, path.parent, sys.stdout)
    return 0
