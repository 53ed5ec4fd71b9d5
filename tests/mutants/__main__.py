"""`python -m mutants`, from the folder of the tests: how many planted defects does the suite find, and how fast?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from conformance.rules import caught
from conformance.run import Options
from mutants.catalogue import BY_ID, MUTANTS
from mutants.measure import Result
from mutants.pool import results
from mutants.totals import ENOUGH, alone, kill_rate, line, totals

OUT = Path(__file__).parents[2] / "reports/mutants/results.jsonl"
BUDGET = 60.0  # CPU seconds, as many as `conformance run` has seconds
STYLES = {"failed": "green", "differs": "magenta", "safe": "blue", "hang": "yellow", "crash": "yellow"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("ids", nargs=-1)
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), default=BUDGET, help="CPU seconds a mutant (60).")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the random programs.")
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True, help="Mutants at once.")
@click.option("--every-rule", is_flag=True, help="Go on after the first failure, and tell which mutants one rule alone catches.")
@click.option("--write", is_flag=True, help="With --every-rule: keep in the package which rule alone catches which mutants.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, help="Where the results go, a JSON line each.")
def main(ids: tuple[str, ...], budget: float, seed: int, jobs: int, every_rule: bool, write: bool, out: Path) -> None:
    """Run the suite on the mutants with these IDS, or on all that some program can show.

    Exit status: 0 where at least 97 % are killed, 1 where fewer are.
    """
    unknown = [name for name in ids if name.upper() not in BY_ID]
    if unknown:
        raise click.UsageError(f"there is no mutant {unknown[0]!r}: the ids are those of tests/facts/bug_programs.py")
    names = [name.upper() for name in ids] or [mutant.id for mutant in MUTANTS if not mutant.equivalent]
    console = Console(highlight=False, emoji=False, markup=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    done: list[Result] = []
    with out.open("wb", buffering=0) as file:
        for result in results(names, Options(seconds=budget, seed=seed, matrix=True), jobs=jobs, every_rule=every_rule):
            done.append(result)
            file.write(msgspec.json.encode(result) + b"\n")
            console.print(Text(line(result), STYLES.get(result.outcome, "bold red")), soft_wrap=True)
    if write and every_rule:
        caught.PATH.write_bytes(caught.as_json(alone(done)))
    console.print()
    for row in totals(done, every_rule=every_rule):
        console.print(Text(row), soft_wrap=True)
    sys.exit(0 if kill_rate(done) >= ENOUGH else 1)


if __name__ == "__main__":
    main()
