"""The scoreboard as a page for GitHub and as a page for a browser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from conformance.areas import AREAS
from conformance.report.html import page
from conformance.report.markdown import code, escaped
from conformance.report.text import count
from conformance.scoreboard.entries import ENTRIES, KINDS, Entry, Kind
from conformance.scoreboard.standing import Broken, Standing, Triage, Verdict

PROOF = 220  # characters of a proof in a table of Markdown
INTRODUCTION = (
    "Each cell: how many of the area's rules that applied were kept. A rule applies where the engine has what it needs; - is"
    " where none did. Engines of different kinds answer for different rules, so no number stands for an engine, and none is"
    " compared with one of another kind."
)


class Found(NamedTuple):
    """A broken rule with what is known of it."""

    broken: Broken
    verdict: Verdict | None


class Group(NamedTuple):
    """The engines of a kind, with the areas in which a rule applied to one of them; and those that could not be run."""

    kind: Kind
    title: str
    areas: tuple[tuple[str, str], ...]
    standings: tuple[Standing, ...]
    absent: tuple[Entry, ...]


def groups(standings: Sequence[Standing]) -> tuple[Group, ...]:
    """The engines by kind, in the order of the table."""
    order = {entry.name: place for place, entry in enumerate(ENTRIES)}
    there = sorted(standings, key=lambda s: (order.get(s.engine, len(order)), s.engine))
    names = {s.engine for s in there}
    made = []
    for kind, title in KINDS.items():
        chosen = tuple(s for s in there if s.kind == kind)
        areas = tuple((a.name, a.title) for a in AREAS if any(s.kept(a.name)[1] for s in chosen))
        absent = tuple(entry for entry in ENTRIES if entry.kind == kind and entry.name not in names)
        made.append(Group(kind, title, areas, chosen, absent))
    return tuple(group for group in made if group.standings or group.absent)


def why_absent(entry: Entry) -> str:
    """Why an engine has no figures."""
    return entry.absent or f"it was not run: `{entry.command}`"


def cell(standing: Standing, area: str) -> str:
    """The figures of one area."""
    kept, applied = standing.kept(area)
    return f"{kept}/{applied}" if applied else "-"


def found(standing: Standing, triage: Triage) -> list[Found]:
    """What an engine breaks, with what is known of it."""
    known = triage.get(standing.title, {})
    return [Found(broken, known.get(broken.rule)) for broken in standing.broken]


def budget(standing: Standing) -> str:
    """How long the run was allowed to be."""
    seconds = standing.budget_seconds
    return f"{seconds:g} s" if seconds is not None else count(standing.budget_programs or 0, "program")


def render_readme(standings: Sequence[Standing], triage: Triage) -> str:
    """The scoreboard as Markdown."""
    lines = ["# Scoreboard", "", *_wrapped(INTRODUCTION), ""]
    lines += ["`tox run -e scoreboard` makes it anew; the command of a row repeats that row. The same with the scripts:"]
    lines += ["[index.html](index.html); what is wrong and why: [Findings](../../docs/findings.md).", ""]
    for group in groups(standings):
        lines += [f"## {group.title}", ""]
        if group.standings:
            lines += _table(group)
        lines += [f"* {code(entry.title)}: {why_absent(entry)}." for entry in group.absent]
        lines += [""] if group.absent else []
    lines += ["## What is broken", ""]
    lines += [
        "*mathematics*: finite differences disagree, or a call that is right is refused. *semantics*: the engine has PyTorch's"
    ]
    lines += [
        "notion and does not keep to it. *policy*: it documents another way, or the point is a kink. *unsupported*: it lacks"
    ]
    lines += ["what the program needs, and does not say so in a way that could be told apart.", ""]
    for group in groups(standings):
        for standing in group.standings:
            lines += _section(standing, triage)
    return "\n".join(lines).rstrip("\n") + "\n"


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 130, break_on_hyphens=False)


def _table(group: Group) -> Iterator[str]:
    """A row for each engine of a kind."""
    yield "| engine | version | rules applied | " + " | ".join(name for name, _ in group.areas) + " | command |"
    yield "|:--|:--|:--|" + "--:|" * len(group.areas) + ":--|"
    for s in group.standings:
        cells = " | ".join(cell(s, area) for area, _ in group.areas)
        applied, rules = s.applied
        yield f"| {escaped(s.title)} | {escaped(s.engine_version)} | {applied} of {rules} | {cells} | {code(s.command)} |"
    yield ""


def _section(standing: Standing, triage: Triage) -> Iterator[str]:
    """What one engine breaks."""
    s = standing
    ran = f"{count(s.programs, 'program')} in {s.seconds} s (budget {budget(s)}), seed {s.seed}"
    against = f"{s.oracle} {s.oracle_version}"
    versions = ", ".join(f"{name} {version}" for name, version in s.versions.items())
    yield from (f"### {escaped(s.title)} {escaped(s.engine_version)}", "")
    yield from (escaped(f"{ran}, against {against}, suite {s.suite_version}, {versions}."), "")
    if s.verdict == "incomplete":
        yield from (escaped(f"Incomplete: {s.reason}."), "")
    if not s.broken:
        yield from ("No rule is broken.", "")
        return
    yield "| rule | causes | kind | what comes | |"
    yield "|:--|--:|:--|:--|:--|"
    for broken, verdict in found(s, triage):
        proof = broken.proof if len(broken.proof) <= PROOF else broken.proof[:PROOF] + " …"
        kind, why = (verdict.kind, verdict.why) if verdict else ("not triaged", "")
        yield f"| {code(broken.rule)} | {broken.causes} | {kind} | {escaped(proof)} | {why} |"
    yield ""


def render_html(standings: Sequence[Standing], triage: Triage) -> str:
    """The scoreboard as one HTML file that loads nothing."""
    return page(
        "scoreboard.html.j2", "scoreboard.css", introduction=INTRODUCTION, groups=groups(standings), triage=triage, cell=cell,
        found=found, budget=budget, why_absent=why_absent,
    )  # fmt: skip
