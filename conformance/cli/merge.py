"""`conformance merge`: the shards of a run as one record."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.output import print_summary, tell_ci
from conformance.cli.recording import opened, reported, written
from conformance.cli.run import EXIT
from conformance.report import DEFAULT, FORMATS


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("paths", metavar="RECORD...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "formats", multiple=True, type=click.Choice(tuple(FORMATS)),
              help=f"Only these reports (repeatable): {', '.join(DEFAULT)} by default.")  # fmt: skip
def merge(out: Path, paths: tuple[Path, ...], formats: tuple[str, ...]) -> int:
    """Put the RECORDs of `conformance run --shard K/N` together, and report the whole in the folder OUT.

    A RECORD is a record.jsonl or the folder of a shard. Exit status as of `conformance run`.
    """
    from conformance.merge import merge as merged

    lines = list(merged([opened(path) for path in paths]))
    record = reported(written(lines, out), out, formats or DEFAULT)
    print_summary(record, out)
    tell_ci(record, out, sys.stdout)
    return EXIT[record.verdict]
