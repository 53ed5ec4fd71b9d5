"""A record in brief: what the scoreboard keeps of a run, free of the machine that it ran on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from conformance.record import Failure, Record, RunVerdict
from conformance.report.summary import APPLIED, summarize
from conformance.report.text import clip, visible
from conformance.scoreboard.entries import Kind, entry_of

LINE, SCRIPT = 600, 4_000  # characters kept of a proof and of a script
TRIAGE = "triage.json"
# A folder of some machine within a message; not the path of an address, nor a division.
_FOLDER = re.compile(r"(?<![\w:/.])/(?:[\w.+-]+/)+(?=[\w.+-])")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")

# mathematics: finite differences disagree, or a call that is right is refused. semantics: the engine has PyTorch's notion and
# does not keep to it. policy: it documents another way, or the point is a kink. unsupported: it lacks what the program needs.
# oracle: the engine is right, and the oracle is not.
Why = Literal["mathematics", "semantics", "policy", "unsupported", "oracle"]


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that an engine breaks, by so many causes; proof and script are of the first, whose script is the shortest."""

    rule: str
    causes: int
    proof: str
    script: str
    torch_script: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine fared: `areas` has for each area how many rules got which verdict."""

    engine: str
    title: str
    kind: Kind
    engine_version: str
    command: str
    oracle: str
    oracle_version: str
    suite_version: str
    versions: dict[str, str]
    seed: int
    budget_seconds: float | None
    budget_programs: int | None
    verdict: RunVerdict
    reason: str
    programs: int
    seconds: int
    areas: dict[str, dict[str, int]]
    broken: list[Broken]

    def kept(self, area: str) -> tuple[int, int]:
        """How many rules of the area applied and were not broken, and how many applied."""
        counts = self.areas.get(area, {})
        applied = sum(number for verdict, number in counts.items() if verdict in APPLIED)
        return applied - counts.get("failed", 0), applied

    @property
    def applied(self) -> tuple[int, int]:
        """How many rules applied, of how many."""
        return sum(self.kept(area)[1] for area in self.areas), sum(sum(counts.values()) for counts in self.areas.values())


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody found out about a broken rule: which kind of wrong it is, and why."""

    kind: Why
    why: str


Triage = dict[str, dict[str, Verdict]]  # engine -> rule -> verdict


def standing(record: Record) -> Standing:
    """A record in brief."""
    summary, header, footer = summarize(record), record.header, record.footer
    entry = entry_of(header.engine, header.command)
    broken: dict[str, list[Failure]] = {}
    for failure in summary.broken:
        broken.setdefault(failure.rule, []).append(failure)
    brief = Standing(
        engine=header.engine, title=entry.title, kind=entry.kind, engine_version=header.engine_version, command=entry.command,
        oracle=header.oracle, oracle_version=header.oracle_version, suite_version=header.suite_version,
        versions=dict(sorted(header.versions.items())), seed=header.seed, budget_seconds=header.budget_seconds,
        budget_programs=header.budget_programs, verdict=record.verdict,
        reason=summary.reason if record.verdict == "incomplete" else "", programs=summary.programs or 0,
        seconds=round(footer.timing.get("seconds", 0.0)) if footer else 0,
        areas={row.name: {verdict: n for verdict, n in row.counts.items() if n} for row in summary.rows},
        broken=[_broken(rule, causes) for rule, causes in broken.items()],
    )  # fmt: skip
    shown: Standing = msgspec.convert(_printable(msgspec.to_builtins(brief)), Standing)
    return shown


def _printable(value: Any) -> Any:
    """What an engine says, without what does not print, which no file could hold."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def _broken(rule: str, causes: list[Failure]) -> Broken:
    first = min(causes, key=lambda failure: len(failure.engine_script or failure.torch_script))
    own = first.engine_script
    return Broken(
        rule=rule, causes=len(causes), proof=clip(anywhere(first.proof), LINE), script=clip(anywhere(own), SCRIPT),
        torch_script="" if own else clip(anywhere(first.torch_script), SCRIPT),
    )  # fmt: skip


def anywhere(text: str) -> str:
    r"""The text without what is of one machine and one run: folders, addresses in memory.

    >>> anywhere("File /opt/lib/python3/numpy/x.py, <object at 0x7f3a5c1d2e80>")
    'File .../x.py, <object at 0x...>'
    """
    return _ADDRESS.sub("0x...", _FOLDER.sub(".../", text))


def read(folder: Path) -> list[Standing]:
    """The standings that lie in a folder, by their engines' names.

    Raises:
        OSError, msgspec.DecodeError: one cannot be read.
    """
    files = sorted(path for path in folder.glob("*.json") if path.name != TRIAGE)
    return [msgspec.json.decode(path.read_bytes(), type=Standing) for path in files]


def read_triage(folder: Path) -> Triage:
    """What was found out about broken rules; empty where nobody wrote it down."""
    path = folder / TRIAGE
    return msgspec.json.decode(path.read_bytes(), type=Triage) if path.exists() else {}


def written(standing: Standing) -> str:
    """A standing as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(standing), indent=1).decode() + "\n"


def untold(standings: Iterable[Standing], triage: Triage) -> list[tuple[str, str]]:
    """Engine and rule of what is broken and was not triaged."""
    return [(s.title, b.rule) for s in standings for b in s.broken if b.rule not in triage.get(s.title, {})]
