"""`conformance smoke`: whether an adapter talks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from conformance.cli.isolation import isolated

if TYPE_CHECKING:
    from conformance.remote.limits import Isolation

MARKS = {"works": "✓", "not declared": "-", "fails": "✗"}


@click.command()
@click.argument("engine", required=False)
@click.option("--ops", "list_ops", is_flag=True, help="List the catalogue of ops, with torch's code for each, instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
@isolated
def smoke(engine: str | None, list_ops: bool, as_json: bool, isolation: Isolation | None) -> int:
    """Tell in a moment whether ENGINE, named as for `run`, talks: each step and facet once, with answers from mathematics.

    Exit status: 0 all that is declared works, 1 something fails, 2 bad use, 3 the engine could not start.
    """
    from conformance.errors import UsageError

    if list_ops:
        from conformance.catalog import CATALOG

        for op in CATALOG.values():
            click.echo(f"{op.name:32} {op.torch}")
        return 0
    if engine is None:
        raise UsageError("name the engine: conformance smoke ENGINE")
    from conformance.remote.loading import load
    from conformance.report.text import versioned
    from conformance.smoke import lines, talking

    adapter = talking(load(engine, isolation))
    seen = list(lines(adapter))
    failing = sum(line.verdict == "fails" for line in seen)
    if as_json:
        document = {
            "engine": engine,
            "version": adapter.version(),
            "found": dict(adapter.found()),
            "checks": [x._asdict() for x in seen],
        }
        sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
        return 1 if failing else 0
    click.echo(one_line(versioned(engine, adapter.version())))
    show_found(adapter)
    for line in seen:
        detail = line.detail if line.verdict == "works" else f"{line.verdict}{': ' + line.detail if line.detail else ''}"
        click.echo(f"  {MARKS[line.verdict]} {line.what:26} {one_line(detail)}".rstrip())
    works = sum(line.verdict == "works" for line in seen)
    click.echo(f"{works} work, {failing} fail, {len(seen) - works - failing} not declared")
    return 1 if failing else 0


def show_found(adapter: object) -> None:
    """What an adapter that probes found, and what not."""
    found = adapter.found()  # type: ignore[attr-defined]
    absent = [name for name, code in found if not code]
    for name, code in found:
        if code:
            click.echo(f"    {name:26} {one_line(code)}")
    if absent:
        click.echo(f"    not found: {', '.join(absent)}")


def found_in_brief(adapter: object) -> list[str]:
    """The same in two lines, for the head of a run; nothing where nothing was probed."""
    found = adapter.found()  # type: ignore[attr-defined]
    if not found:
        return []
    absent = ", ".join(name for name, code in found if not code)
    doubtful = ", ".join(name.partition(",")[0] for name, _ in found if name.endswith(", in doubt"))
    return [
        f"found by trying: {sum(bool(code) for _, code in found)} capabilities and {len(adapter.ops)} ops"  # type: ignore[attr-defined]
        + (f"; in doubt: {doubtful}" if doubtful else ""),
        *([f"not found: {absent}"] if absent else []),
    ]


def one_line(text: str) -> str:
    """Text of an engine without what would move the cursor."""
    from conformance.report.text import one_line as plain

    return plain(text)
