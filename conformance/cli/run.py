"""`conformance run`: the suite on one engine, recorded and reported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from conformance.cli.baseline import PROGRAMS, kept_options, tell
from conformance.cli.isolation import isolated
from conformance.cli.names import LEVELS, check_names, folder_name
from conformance.cli.output import print_summary, progress, tell_ci
from conformance.cli.recording import Shard, recorded, reported
from conformance.cli.smoke import found_in_brief, one_line
from conformance.errors import UsageError
from conformance.report import DEFAULT, FORMATS

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
@click.option("--format", "formats", multiple=True, type=click.Choice(tuple(FORMATS)),
              help=f"Only these reports (repeatable): {', '.join(DEFAULT)} by default.")  # fmt: skip
@isolated
@click.option("--baseline", type=click.Path(path_type=Path), help="Known failures: only others fail the run. Without a budget, "
              f"{PROGRAMS} programs are run, so that the answer is always the same.")  # fmt: skip
@click.option("--strict-baseline", is_flag=True, help="Known failures that fail no more fail the run.")
@click.option("--corpus", type=click.Path(path_type=Path), help="Programs to replay first (tests/autograd_corpus, where it is).")
@click.option("--resume", is_flag=True, help="Go on from the record that a killed run of the same command left in the folder.")
@click.option("--shard", type=Shard(), help="Only part K of N of the run; `conformance merge` puts the parts together.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
def run(engine: str, budget: float | None, programs: int | None, seed: int, out: Path | None, as_json: bool, **more: Any) -> int:
    """Run the suite on ENGINE: one in the box, torch-like:MODULE, MODULE:ATTRIBUTE of an adapter of yours, or "exec:COMMAND ...".

    Exit status: 0 conforms, 1 diverges, 2 bad use, 3 could not start or incomplete, 4 a defect of the suite.
    """
    from conformance.api import start
    from conformance.run import Options

    if budget is not None and programs is not None:
        raise UsageError("--budget and --programs exclude each other: give one of them")
    if more["strict_baseline"] and more["baseline"] is None:
        raise UsageError("--strict-baseline is about entries of a baseline: name it with --baseline FILE")
    if more["baseline"] is not None and budget is None and programs is None:
        programs = PROGRAMS
    seconds = (60.0 if budget is None else budget) if programs is None else None
    check_names(more["areas"], more["rules"])
    named = {name: more[name] for name in ("areas", "rules", "level", "shard")} | kept_options(more["baseline"], more["corpus"])
    options = Options(seconds=seconds, programs=programs, seed=seed, matrix=True, **named)
    if not options.chosen:
        raise UsageError(f"nothing of what is named is of level {options.level} or below: `conformance rules` lists the levels")
    areas = {rule.area for rule in options.chosen}
    if options.shard is not None and options.shard[1] > len(areas):
        raise UsageError(f"the run has {len(areas)} areas, and each is run by one shard: --shard K/{len(areas)} is the most")
    folder = out if out is not None else Path("reports") / folder_name(engine)
    with progress(len(areas), seconds) as progressing:
        session = start(engine, options, oracle=more["oracle"], isolation=more["isolation"], progress=progressing)
        record = recorded(session, folder, resume=more["resume"])
    record = reported(record, folder, more["formats"] or DEFAULT)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(_document(record)) + b"\n")
    else:
        for line in found_in_brief(session.engine.engine):
            click.echo(one_line(line))
        print_summary(record, folder)
    tell_ci(record, folder, sys.stderr if as_json else sys.stdout)
    stale = tell(record, more["strict_baseline"])
    return EXIT[record.verdict] or int(stale)


def _document(record: Any) -> dict[str, Any]:
    """The JSON document of --json."""
    h, footer = record.header, record.footer
    failures = {f.id: f for f in record.failures}
    return {
        "engine": h.engine,
        "home": h.home,
        "issues": h.issues,
        "language": h.language,
        "versions": {"engine": h.engine_version, "oracle": h.oracle_version, "conformance": h.suite_version, **h.versions},
        "oracle": h.oracle,
        "seed": h.seed,
        "verdict": record.verdict,
        "programs": footer.programs if footer else 0,
        "seconds": footer.timing.get("seconds", 0.0) if footer else 0.0,
        "notes": footer.notes if footer else [],
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
