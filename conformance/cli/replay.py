"""`conformance replay`: one program again."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.isolation import isolated
from conformance.errors import UsageError
from conformance.remote.limits import Isolation


@click.command()
@click.argument("what", metavar="FILE-OR-ID")
@click.option("--engine", help="Engine to replay on (the recorded one for an id, else required).")
@click.option("--oracle", type=click.Choice(["torch", "reference"]), default="torch", show_default=True)
@click.option("--reports", type=click.Path(path_type=Path), default=Path("reports"), help="Where to look for an id.")
@isolated
def replay(what: str, engine: str | None, oracle: str, reports: Path, isolation: Isolation | None) -> int:
    """Run one program again: a JSON file, or the id of a failure in a record below reports/. Exit 1 if it still differs."""
    from conformance.replay import find, replay_text

    program, recorded = find(what, reports)
    name = engine or recorded
    if name is None:
        raise UsageError(f"say which engine to replay {what} on: conformance replay {what} --engine NAME")
    text, differs = replay_text(program, name, oracle, isolation)
    click.echo(text)
    return 1 if differs else 0
