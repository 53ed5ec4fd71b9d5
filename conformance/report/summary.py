"""What a record says in all, as data: the matrix area x verdict, the verdict in a sentence, the failures in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec

from conformance.areas import AREA_NAMES, BY_NAME, foundation
from conformance.record import Failure, Header, Record, RuleResult, RuleVerdict
from conformance.report.text import count, one_line, token, versioned


class RuleText(Protocol):
    """The part of a rule that a report quotes."""

    @property
    def statement(self) -> str: ...

    @property
    def why(self) -> str: ...

    @property
    def source(self) -> str: ...


class VerdictWord(NamedTuple):
    """A verdict as reports show it: the mark stands beside the word, so that colour is never alone."""

    name: RuleVerdict
    mark: str
    meaning: str


VERDICTS: tuple[VerdictWord, ...] = (
    VerdictWord("passed", "✓", "exercised, and never broken"),
    VerdictWord("failed", "✗", "broken by at least one program"),
    VerdictWord("known", "≈", "broken as the baseline says, and not otherwise"),
    VerdictWord("safe", "◇", "the engine answers rightly where the oracle refuses"),
    VerdictWord("differs", "≠", "a MAY rule that the engine decides otherwise"),
    VerdictWord("unsupported", "-", "the engine lacks what the rule needs"),
    VerdictWord("incomplete", "…", "no program exercised it"),
)
MARKS: dict[RuleVerdict, str] = {word.name: word.mark for word in VERDICTS}
APPLIED: frozenset[RuleVerdict] = frozenset({"passed", "failed", "known", "safe", "differs"})
ALLOWED: frozenset[RuleVerdict] = frozenset({"known", "safe", "differs"})


class AreaRow(NamedTuple):
    """One row of the matrix. `checks` counts a program once for each rule that it exercised."""

    name: str
    title: str
    counts: dict[RuleVerdict, int]
    checks: int

    @property
    def rules(self) -> int:
        """How many rules the area has in this run."""
        return sum(self.counts.values())

    @property
    def applied(self) -> int:
        """How many of them were exercised."""
        return sum(self.counts[name] for name in APPLIED)


class Summary(NamedTuple):
    """A record seen as a whole."""

    record: Record
    results: tuple[RuleResult, ...]
    rows: tuple[AreaRow, ...]
    total: AreaRow
    broken: tuple[Failure, ...]
    allowed: tuple[Failure, ...]

    @property
    def programs(self) -> int | None:
        """How many programs ran; None where the run left no footer."""
        return self.record.footer.programs if self.record.footer else None

    @property
    def reason(self) -> str:
        """Why the run is incomplete."""
        if self.record.footer is None:
            return "it was stopped before its end, and the record has no footer"
        return one_line(self.record.footer.reason).rstrip(".") or "no reason was recorded"


def summarize(record: Record) -> Summary:
    """The record's rules by area, and its failures: `broken` break a rule; `allowed` belong to a safe or differing one."""
    results = tuple(sorted(_results(record), key=lambda result: _place(result.area)))
    rows = tuple(
        _row(area, BY_NAME[area].title if area in BY_NAME else area, [r for r in results if r.area == area])
        for area in dict.fromkeys(result.area for result in results)
    )
    verdicts = {result.id: result.verdict for result in results}
    failures = sorted(record.failures, key=lambda failure: _place(failure.area))
    broken = tuple(f for f in failures if verdicts[f.rule] not in ALLOWED)
    allowed = tuple(f for f in failures if verdicts[f.rule] in ALLOWED)
    return Summary(record, results, rows, _row("all", "All areas", results), broken, allowed)


def _results(record: Record) -> Iterable[RuleResult]:
    """The results recorded; then the rules that the run was to judge and did not, as after kill -9."""
    recorded = {result.id: result for result in record.rules}
    yield from recorded.values()
    failing: dict[str, list[Failure]] = {}
    for failure in record.failures:
        failing.setdefault(failure.rule, []).append(failure)
    left_to_others = record.header.shard and record.footer is not None
    for rule in dict.fromkeys((*(() if left_to_others else record.header.rules), *failing)):
        if rule not in recorded:
            causes = failing.get(rule, [])
            yield RuleResult(
                id=rule,
                area=causes[0].area if causes else rule.partition(".")[0],
                obligation="MUST",
                verdict="failed" if causes else "incomplete",
                programs=len(causes),
                failing=len(causes),
                failures=[failure.id for failure in causes],
                reason="" if causes else "the run ended before this rule was judged",
            )


def _row(name: str, title: str, results: Iterable[RuleResult]) -> AreaRow:
    counts: dict[RuleVerdict, int] = {word.name: 0 for word in VERDICTS}
    checks = 0
    for result in results:
        counts[result.verdict] += 1
        checks += result.programs
    return AreaRow(name, title, counts, checks)


def _place(area: str) -> tuple[int, str]:
    """Areas in the order of the suite; those of another version after them, by name."""
    return (AREA_NAMES.index(area), "") if area in BY_NAME else (len(AREA_NAMES), area)


def words(summary: Summary) -> tuple[VerdictWord, ...]:
    """The verdicts that the run can give: none is known without a baseline."""
    return tuple(word for word in VERDICTS if word.name != "known" or summary.record.header.kept or summary.total.counts["known"])


def causes(summary: Summary, rule: RuleResult) -> tuple[Failure, ...]:
    """The failures of one rule."""
    return tuple(f for f in (*summary.broken, *summary.allowed) if f.rule == rule.id)


def excused(summary: Summary) -> dict[str, list[RuleResult]]:
    """The rules that differ and do not fail the run, by why: `known` to the baseline, or `allowed`."""
    why: dict[str, list[RuleResult]] = {"known": [], "allowed": []}
    for result in summary.results:
        if result.verdict in ALLOWED:
            why["known" if result.verdict == "known" else "allowed"].append(result)
    return {word: results for word, results in why.items() if results}


def simplest_first(failures: Iterable[Failure]) -> list[Failure]:
    """What to look at first: where an area that others build on is broken, theirs come after it; short programs before long."""
    failures = list(failures)
    broken = {failure.area for failure in failures}
    return sorted(failures, key=lambda f: (bool(foundation(f.area) & broken), len(f.steps), _place(f.area), f.rule))


def most_telling(failures: Iterable[Failure]) -> list[Failure]:
    """The simplest cause of each rule first, then the second causes, and so on: what to show where room is short."""
    seen: dict[str, int] = {}
    ranked: list[tuple[int, Failure]] = []
    for failure in simplest_first(failures):
        seen[failure.rule] = seen.get(failure.rule, 0) + 1
        ranked.append((seen[failure.rule], failure))
    return [failure for _, failure in sorted(ranked, key=lambda pair: pair[0])]


def headline(summary: Summary) -> str:
    """Who was held against whom, and the verdict, in a few words."""
    verdict = summary.record.verdict
    engine, oracle = (one_line(versioned(name, version)) for name, version in _parties(summary.record))
    if verdict == "incomplete":
        return f"{engine} against {oracle}: the run is incomplete"
    if verdict == "conforms" and summary.total.counts["known"]:
        return f"{engine} diverges from {oracle} as the baseline says"
    return f"{engine} {'conforms to' if verdict == 'conforms' else 'diverges from'} {oracle}"


def _parties(record: Record) -> tuple[tuple[str, str], tuple[str, str]]:
    header = record.header
    return (header.engine, header.engine_version), (header.oracle, header.oracle_version)


def about(header: Header) -> tuple[tuple[str, str], ...]:
    """What the engine tells of itself, as (name, text), empty where it tells nothing."""
    return ("Home", header.home), ("Issues", header.issues), ("Language", header.language)


def notes(summary: Summary) -> list[str]:
    """What was seen besides the verdicts, a line each."""
    return [one_line(note) for note in (summary.record.footer.notes if summary.record.footer else ())]


def sentences(summary: Summary) -> str:
    """The verdict in plain sentences: what was found, and on how much evidence."""
    total, failed = summary.total, summary.total.counts["failed"]
    evidence = "" if summary.programs is None else f" in {count(summary.programs, 'program')}"
    found = f"Of {count(total.applied, 'applicable rule')}, "
    if failed:
        found += f"{failed} {'is' if failed == 1 else 'are'} broken{evidence}, by {count(len(summary.broken), 'cause')}."
        if failed > 1 and summary.broken:
            found += f" Start with {one_line(simplest_first(summary.broken)[0].rule)}."
    else:
        found += f"none is broken{evidence}."
    if total.counts["known"]:
        found = found.removesuffix(".") + f", but for {total.counts['known']} that the baseline knows of."
    if summary.record.verdict != "incomplete":
        return found
    return f"Incomplete: {summary.reason}. " + (found if total.applied else "Nothing was exercised, so nothing is shown.")


def applied(summary: Summary) -> str:
    """How much of the suite applied.

    Rules that an engine cannot support, or that no program reached, say nothing about it; a reader must see how many these are.
    """
    return f"{summary.total.applied} of {count(summary.total.rules, 'rule')} applied"


def machine_sentence(summary: Summary) -> str:
    """The whole in one line of key=value, for scripts: the last line on a terminal."""
    header = summary.record.header
    pairs: dict[str, object] = {
        "engine": token(header.engine),
        "oracle": token(header.oracle),
        "verdict": summary.record.verdict,
        "rules": summary.total.rules,
        **{word.name: summary.total.counts[word.name] for word in words(summary)},
        "programs": "unknown" if summary.programs is None else summary.programs,
        "seed": header.seed,
    }
    return "conformance: " + " ".join(f"{key}={value}" for key, value in pairs.items())


def canonical(document: object) -> str:
    """A program of the record as the JSON that `conformance replay` reads."""
    return msgspec.json.encode(document, order="deterministic").decode()
