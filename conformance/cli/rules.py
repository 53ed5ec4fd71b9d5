"""`conformance rules` and `conformance explain`: what is claimed, and why."""

from __future__ import annotations

import sys

import click
import msgspec

from conformance.areas import AREAS
from conformance.cli.names import LEVELS, check_names


@click.command()
@click.option("--area", "areas", multiple=True, help="Only this area (repeatable).")
@click.option("--level", type=LEVELS, help="Only rules up to this level.")
@click.option("--long", is_flag=True, help="With reason, source, and how many planted defects each alone catches.")
@click.option("--json", "as_json", is_flag=True, help="All of that as JSON.")
def rules(areas: tuple[str, ...], level: int | None, long: bool, as_json: bool) -> int:
    """List the rules: id, obligation, level and statement of each."""
    from conformance.rules.caught import caught_alone
    from conformance.run import Options

    check_names(areas, ())
    chosen, alone = Options(areas=areas, level=level).chosen, caught_alone()
    if as_json:
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
            if long:
                click.echo(f"    Why: {rule.why}\n    Source: {rule.source}")
                click.echo(f"    Planted defects that it alone catches: {len(alone.get(rule.id, ()))}\n")
    return 0


@click.command()
@click.argument("rule_id")
def explain(rule_id: str) -> int:
    """Explain one rule: statement, reason, source and a program that shows it."""
    from conformance.rules import RULES
    from conformance.rules.caught import caught_alone
    from conformance.script import Script

    check_names((), (rule_id,))
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
