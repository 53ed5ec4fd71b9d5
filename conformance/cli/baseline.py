"""`conformance baseline` and `conformance corpus`: the failures that a project keeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.cli.isolation import isolated
from conformance.cli.names import LEVELS, check_names
from conformance.errors import UsageError

if TYPE_CHECKING:
    from conformance.record import Record
    from conformance.run import Options

PROGRAMS = 2000  # random programs of a gate that says no number: the same commit gives the same answer on every machine
_FILE = click.option(
    "--file", "path", type=click.Path(path_type=Path), default=Path("conformance-baseline.json"), show_default=True,
    help="The baseline.",
)  # fmt: skip
_CORPUS = click.option(
    "--corpus", "folder", type=click.Path(path_type=Path), default=Path("tests/autograd_corpus"), show_default=True,
    help="The folder of the corpus.",
)  # fmt: skip
_REPORTS = click.option("--reports", type=click.Path(path_type=Path), default=Path("reports"), help="Where records are.")


@click.group()
def baseline() -> None:
    """Known failures, one a line of a file: a run with --baseline fails only on others."""


def asked(command: Any) -> Any:
    """The options that say what is run, and where."""
    command = isolated(command)
    for option in (
        click.option("--oracle", type=click.Choice(["torch", "reference"]), default="torch", show_default=True),
        click.option("--level", type=LEVELS, help="Only rules up to this level."),
        click.option("--rule", "rules", multiple=True, help="Only this rule (repeatable)."),
        click.option("--area", "areas", multiple=True, help="Only this area (repeatable)."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the random programs."),
    ):
        command = option(command)
    return command


@baseline.command()
@click.argument("engine")
@_FILE
@click.option("--programs", type=click.IntRange(min=0), default=PROGRAMS, show_default=True, help="Random programs to run.")
@click.option("--reason", default="", help="Why the failures that are new in it are accepted.")
@click.option("--link", default="", help="Where they are followed up.")
@click.option("--expires", default="", help="The last day, YYYY-MM-DD, on which they are accepted.")
@asked
def update(engine: str, path: Path, programs: int, reason: str, link: str, expires: str, oracle: str, **more: Any) -> int:
    """Run ENGINE and bring the baseline up to date: new failures are entered, and entries that fail no more are taken out."""
    from conformance.baseline import day_of, read_baseline, updated, write_baseline

    if expires:
        day_of(expires, "--expires")
    before = read_baseline(path) if path.exists() else []
    record = _run(engine, oracle, path if before else None, programs=programs, every_cause=True, **more)
    failed = {rule.id for rule in record.rules if rule.verdict == "failed"}
    held = {(entry.id, entry.rule) for entry in before}
    new = [failure for failure in record.failures if failure.rule in failed and (failure.id, failure.rule) not in held]
    stale = {(known.id, known.rule) for known in record.known if known.state == "stale"}
    entries = updated(before, new, stale, reason=reason, link=link, expires=expires)
    try:
        write_baseline(path, entries)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}: name another file with --file") from None
    click.echo(f"{path}: {len(entries)} known failures, {len(new)} of them new, {len(stale)} taken out")
    return 0


@baseline.command()
@click.argument("engine")
@_FILE
@click.option("--strict", is_flag=True, help="Fail on entries that fail no more, too.")
@asked
def check(engine: str, path: Path, strict: bool, oracle: str, **more: Any) -> int:
    """Replay the baseline on ENGINE without searching for more. Exit 1 if an entry expired or fails in another way."""
    record = _run(engine, oracle, path, programs=0, **more)
    failed = tell(record, strict)
    click.echo(f"conformance: {' '.join(f'{state}={number}' for state, number in _states(record).items())}")
    return 1 if failed or any(known.state in ("expired", "fails") for known in record.known) else 0


@baseline.command()
@_FILE
def show(path: Path) -> int:
    """List the known failures: rule, how each shows, and why it is accepted."""
    from conformance.baseline import known
    from conformance.report.text import one_line

    for item in known(path):
        until = f" (expired {item.expires})" if item.expired else f" (accepted until {item.expires})" if item.expires else ""
        how = f"{item.kind} of {item.facet}" if item.facet else item.kind
        said = " ".join(filter(None, (item.reason, item.link))) or "no reason is given"
        click.echo(one_line(f"{item.id} {item.rule}: {how}; {said}{until}"))
    return 0


def tell(record: Record, strict: bool) -> bool:
    """Say on standard error what has become of kept programs, as far as something is to be done; whether that fails the run."""
    from conformance.report.text import one_line

    said = {
        "stale": "no longer fails so: remove the line (`conformance baseline update` does it)",
        "expired": "still fails, and was accepted until {expires} only",
    }
    for known in record.known:
        if known.state in said:
            what = said[known.state].format(expires=known.expires)
            click.echo(one_line(f"conformance: {known.place}: {known.rule} ({known.id}) {what}"), err=True)
    return strict and any(known.state == "stale" for known in record.known)


def kept_options(baseline: Path | None, folder: Path | None) -> dict[str, Any]:
    """What a run replays first, as its options."""
    from conformance.baseline import CORPUS, corpus, known

    folder = folder if folder is not None else CORPUS if CORPUS.is_dir() else None
    kept = [*(known(baseline) if baseline is not None else ()), *(corpus(folder) if folder is not None else ())]
    return {"kept": tuple(kept), "baseline": str(baseline or ""), "corpus": str(folder or "")}


def _run(engine: str, oracle: str, path: Path | None, **named: Any) -> Record:
    """A run in memory, with the baseline and the corpus."""
    from conformance.api import start
    from conformance.record import assemble
    from conformance.run import Options

    check_names(named["areas"], named["rules"])
    isolation = named.pop("isolation")
    options: Options = Options(matrix=True, **named, **kept_options(path, None))
    return assemble(list(start(engine, options, oracle=oracle, isolation=isolation)))


def _states(record: Record) -> dict[str, int]:
    """How many kept programs are in each state."""
    states = ("known", "stale", "expired", "untried", "passes", "fails")
    return {state: sum(known.state == state for known in record.known) for state in states}


@click.group()
def corpus() -> None:
    """Reduced failures kept as files: every run replays them first."""


@corpus.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@_CORPUS
@_REPORTS
def add(ids: tuple[str, ...], folder: Path, reports: Path) -> int:
    """Keep failures of the records below reports/, each by its ID or the beginning of it."""
    from conformance.baseline import add_specimen
    from conformance.replay import failures

    found = list(failures(reports))
    for name in ids:
        matches = {failure.id: (failure, engine) for failure, engine in found if failure.id.startswith(name)}
        if len(matches) != 1:
            many = "no failure" if not matches else f"{len(matches)} failures"
            raise UsageError(f"{many} {name!r} in the records below {reports}/: a report names the id of each")
        for failure, engine in matches.values():
            try:
                click.echo(str(add_specimen(folder, failure, engine)))
            except OSError as error:
                raise UsageError(f"cannot write to {folder}: {error.strerror}: name another folder with --corpus") from None
    return 0


@corpus.command(name="list")
@_CORPUS
def list_(folder: Path) -> int:
    """List what is kept: id, rule and statement."""
    from conformance.baseline import specimens
    from conformance.report.text import one_line

    found = specimens(folder)
    for _, specimen in found:
        click.echo(one_line(f"{specimen.id} {specimen.rule}: {specimen.statement}"))
    if not found:
        click.echo(f"nothing is kept in {folder} yet: `conformance corpus add ID` keeps a failure that a report names", err=True)
    return 0
