"""`conformance scoreboard`: records of many engines side by side."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.names import folder_name
from conformance.cli.recording import opened
from conformance.errors import UsageError
from conformance.record import NAME


@click.command()
@click.argument("paths", metavar="[RECORD]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/scoreboard"), show_default=True,
              help="The folder of the scoreboard.")  # fmt: skip
def scoreboard(paths: tuple[Path, ...], out: Path) -> int:
    """Enter RECORDs in the scoreboard, and write its pages anew.

    A RECORD is a record.jsonl, the folder of a run, or a folder of such folders; without one, those are taken that runs of the
    scoreboard's engines left in reports/. What is in the scoreboard and not among the RECORDs stays as it is. No engine is run.
    """
    import msgspec

    from conformance.scoreboard import read_triage, untold, write

    records = [opened(path) for path in ([found for given in paths for found in _records(given)] if paths else _usual())]
    try:
        standings = write(records, out)
        left = untold(standings, read_triage(out))
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}: name another folder with --out") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"a file of {out} is not of the scoreboard: {error}") from None
    for engine, rule in left:
        click.echo(f"not triaged: {engine} {rule}")
    entered = "1 record" if len(records) == 1 else f"{len(records)} records"
    click.echo(f"{entered} entered, {len(standings)} engines: {out / 'README.md'}, {out / 'index.html'}")
    return 0


def _records(path: Path) -> list[Path]:
    """The record that a path names, or those of the folders in it."""
    if path.is_dir() and not (path / NAME).exists():
        return sorted(path.glob(f"*/{NAME}")) or [path]
    return [path]


def _usual() -> list[Path]:
    """The records that runs of the scoreboard's engines left where runs leave them."""
    from conformance.scoreboard.entries import ENTRIES

    folders = (Path("reports") / folder_name(entry.name) for entry in ENTRIES)
    return [folder for folder in folders if (folder / NAME).exists()]
