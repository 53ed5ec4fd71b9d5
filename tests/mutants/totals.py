"""What the results say together: how many were killed, how fast, and where the suite fell short."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from conformance.rules import RULES
from mutants.catalogue import BY_ID
from mutants.measure import KILLED, Result

ENOUGH = 0.97  # share of the mutants that must be killed
SLACK = 1  # steps that a reduced program may have above the fewest


def line(result: Result) -> str:
    """One mutant on one line: what became of it, when, by which rule, and how small the program got."""
    if result.found_at is None:
        return f"{result.id:6} {result.outcome:8} {result.detail or f'{result.programs:,} programs'}"
    mutant = BY_ID[result.id]
    least = f"/{mutant.steps}" if mutant.steps else ""
    mark = "" if rightly_attributed(result) else f"  (not of {', '.join(mutant.areas)})"
    return (
        f"{result.id:6} {result.outcome:8} {result.found_at:7.2f} s  {f'{result.steps}{least}':>5} steps"
        f" {result.executions:4} runs {result.reduction_ms:6.0f} ms  {result.rule}{mark}"
    )


def rightly_attributed(result: Result) -> bool:
    """Whether the rule is of an area that fits the defect."""
    return result.rule.partition(".")[0] in BY_ID[result.id].areas


def kill_rate(results: Sequence[Result]) -> float:
    """The share of the mutants that was killed; those that no program can show are not counted."""
    counted = _counted(results)
    return sum(r.killed for r in counted) / len(counted) if counted else 1.0


def totals(results: Sequence[Result], *, every_rule: bool) -> list[str]:
    """The totals, a line each."""
    counted = _counted(results)
    killed = [r for r in counted if r.killed]
    found = [r for r in killed if r.found_at is not None]
    words = Counter(r.outcome for r in killed)
    kinds = ", ".join(f"{words[word]} {word}" for word in KILLED if words[word])
    rows = [f"killed            {_share(len(killed), len(counted))}{f': {kinds}' if kinds else ''}"]
    if found:
        seconds = sorted(r.found_at for r in found if r.found_at is not None)
        known = [r for r in found if BY_ID[r.id].steps]
        small = [r for r in known if r.steps <= BY_ID[r.id].steps + SLACK]
        right = [r for r in found if rightly_attributed(r)]
        executions, spent = (statistics.median(getattr(r, name) for r in found) for name in ("executions", "reduction_ms"))
        middle, late = statistics.median(seconds), _percentile(seconds, 0.95)
        rows += [
            f"first failure     median {middle:.2f} s, 95th percentile {late:.2f} s of CPU",
            f"reduced           {_share(len(small), len(known))} to at most {SLACK} step above the fewest",
            f"attributed        {_share(len(right), len(found))} to an area that fits",
            f"reduction         median {executions:.0f} runs, {spent:.0f} ms of CPU",
        ]
        rows += _list("too large", (f"{r.id} ({r.steps} for {BY_ID[r.id].steps})" for r in known if r not in small))
        rows += _list("wrongly blamed", (f"{r.id} ({r.rule})" for r in found if r not in right))
    rows += _list("survivors", (r.id for r in counted if r.outcome == "survived"))
    rows += _list("errors", (f"{r.id} ({r.detail})" for r in counted if r.outcome == "error"))
    return rows + (_by_rule(counted) if every_rule else [])


def alone(results: Iterable[Result]) -> dict[str, list[str]]:
    """Rule id -> ids of the mutants that no other rule catches."""
    caught: dict[str, list[str]] = {}
    for result in results:
        if len(result.rules) == 1:
            caught.setdefault(result.rules[0], []).append(result.id)
    return caught


def _by_rule(results: Sequence[Result]) -> list[str]:
    """For each rule, the mutants that it alone catches; then the rules that no mutant broke."""
    caught = alone(results)
    broken = {rule for result in results for rule in result.rules}
    rows = ["caught by one rule alone:", *(f"  {rule:34} {' '.join(caught[rule])}" for rule in RULES if rule in caught)]
    return rows + _list("never broken", (rule for rule in RULES if rule not in broken))


def _counted(results: Iterable[Result]) -> list[Result]:
    """Results of the mutants that some program can show, in the order of the table."""
    place = {name: number for number, name in enumerate(BY_ID)}
    return sorted((r for r in results if not BY_ID[r.id].equivalent), key=lambda r: place[r.id])


def _share(part: int, whole: int) -> str:
    """A count with its share."""
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "none"


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that this share does not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def _list(title: str, entries: Iterable[str]) -> list[str]:
    """A line of names, where there are any."""
    names = list(entries)
    return [f"{title:17} {', '.join(names)}"] if names else []
