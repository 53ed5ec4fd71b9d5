"""The files of a project that keep failures: the baseline, of those that are known, and the corpus, of those not to come back.

Both are for version control. The baseline has one line for each failure, so that a line can be removed when it is mended; the
corpus has a file for each program.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any, Literal

import msgspec

from conformance import program as programs
from conformance.catalog import ShapeError
from conformance.changes import Symptom
from conformance.errors import UsageError
from conformance.kept import Keepsake
from conformance.program import InvalidProgram, Program
from conformance.record import Failure
from conformance.rules import RULES
from conformance.scope import Scope

BASELINE = Path("conformance-baseline.json")
CORPUS = Path("tests/autograd_corpus")
FORMAT = 1


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One known failure: the rule, how it shows (not by which random program), and the reduced program that shows it.

    `expires` is the last day, as YYYY-MM-DD, on which it is accepted.
    """

    rule: str
    kind: str
    facet: str = ""
    category: str = ""
    ops: list[str] = []
    id: str
    reason: str = ""
    link: str = ""
    expires: str = ""
    program: dict[str, Any]

    @property
    def symptom(self) -> Symptom:
        """How it shows."""
        return Symptom(self.rule, self.kind, self.facet, self.category, frozenset(self.ops))

    @classmethod
    def of(cls, failure: Failure, reason: str = "", link: str = "", expires: str = "") -> Entry:
        """The entry of a recorded failure."""
        s = Symptom.of(failure)
        return cls(
            rule=s.rule, kind=s.kind, facet=s.facet, category=s.category, ops=sorted(s.ops), id=failure.id, reason=reason,
            link=link, expires=expires, program=failure.reduced,
        )  # fmt: skip


class _Format(msgspec.Struct):
    """What is read of a file before its format is known."""

    format: int = FORMAT


class _Baseline(msgspec.Struct, kw_only=True):
    format: Literal[1] = 1
    known: list[Entry] = []


class Specimen(msgspec.Struct, frozen=True, kw_only=True):
    """One program of the corpus: the rule that it once broke, on which engine, and what it is."""

    format: Literal[1] = 1
    id: str
    rule: str
    statement: str = ""
    engine: str = ""
    code: list[str] = []
    program: dict[str, Any]


def read_baseline(path: Path) -> list[Entry]:
    """The entries of a baseline.

    Raises:
        UsageError: it cannot be read; one line says where and why.
    """
    if not path.exists():
        raise UsageError(f"there is no baseline {path}: `conformance baseline update ENGINE` makes one")
    return _decoded(path, _Baseline, "a baseline").known  # type: ignore[no-any-return]


def write_baseline(path: Path, entries: Iterable[Entry]) -> None:
    """Write a baseline, a line for each entry, ordered by rule.

    Raises:
        OSError: it cannot be written.
    """
    order = list(RULES)
    ranked = sorted(entries, key=lambda e: (order.index(e.rule) if e.rule in RULES else len(order), e.kind, e.facet, e.ops, e.id))
    lines = b",\n".join(b"  " + msgspec.json.encode(entry) for entry in ranked)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'{"format": 1, "known": [\n' + lines + b"\n]}\n" if ranked else b'{"format": 1, "known": []}\n')


def known(path: Path, today: date | None = None) -> list[Keepsake]:
    """What a run replays of a baseline; `place` is the line of each entry, where it has one.

    Raises:
        UsageError: it cannot be read, or an entry is malformed.
    """
    entries = read_baseline(path)
    lines = _read(path).split(b"\n")
    day = today or datetime.now(timezone.utc).date()
    kept = []
    for entry in entries:
        quoted = msgspec.json.encode(entry.id), msgspec.json.encode(entry.rule)
        line = next((k for k, text in enumerate(lines, 1) if all(word in text for word in quoted)), 0)
        place = f"{path}:{line}" if line else str(path)
        _check_rule(entry.rule, place)
        kept.append(
            Keepsake(
                id=entry.id, rule=entry.rule, program=_program(entry.program, place), place=place, origin="baseline",
                kind=entry.kind, facet=entry.facet, category=entry.category, reason=entry.reason, link=entry.link,
                expires=entry.expires, expired=bool(entry.expires) and day_of(entry.expires, place) < day,
            )
        )  # fmt: skip
    return kept


def corpus(folder: Path) -> list[Keepsake]:
    """What a run replays of a corpus, in the order of the files' names.

    Raises:
        UsageError: a file cannot be read, or is malformed.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no corpus {folder}: `conformance corpus add` makes one")
    return [
        Keepsake(id=s.id, rule=s.rule, program=_program(s.program, str(path)), place=str(path), origin="corpus")
        for path, s in specimens(folder)
    ]


def specimens(folder: Path) -> list[tuple[Path, Specimen]]:
    """The files of a corpus."""
    found = [(path, _decoded(path, Specimen, "a file of a corpus")) for path in sorted(folder.glob("*.json"))]
    for path, specimen in found:
        _check_rule(specimen.rule, str(path))
    return found


def add_specimen(folder: Path, failure: Failure, engine: str) -> Path:
    """Keep a recorded failure in the corpus; returns its file."""
    name = failure.id if failure.id.isalnum() else programs.fingerprint(_program(failure.reduced, "the record"))
    path = folder / f"{name}.json"
    code = [row.code for row in failure.steps]
    specimen = Specimen(
        id=name, rule=failure.rule, statement=failure.statement, engine=engine, code=code, program=failure.reduced
    )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(specimen), indent=1) + b"\n")
    return path


def updated(before: Sequence[Entry], failures: Iterable[Failure], stale: set[tuple[str, str]], **said: str) -> list[Entry]:
    """The entries but for stale ones (id and rule), and one for each failure that is new, with what is said of it."""
    left = [entry for entry in before if (entry.id, entry.rule) not in stale]
    held = {(entry.id, entry.rule) for entry in left}
    return left + [Entry.of(failure, **said) for failure in failures if (failure.id, failure.rule) not in held]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _decoded(path: Path, kind: type[Any], what: str) -> Any:
    """A file of ours, by its schema, if this version can read it."""
    text = _read(path)
    try:
        format_ = msgspec.json.decode(text, type=_Format).format
        if format_ > FORMAT:
            raise UsageError(f"{path} has format {format_}; this version reads format {FORMAT}: upgrade autograd-conformance")
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not {what}: {error}") from None


def _program(document: dict[str, Any], place: str) -> Program:
    try:
        found = programs.from_builtins(document)
        Scope.of(found)
    except (InvalidProgram, ShapeError, LookupError) as error:
        raise UsageError(f"{place}: not a program: {error}") from None
    return found


def _check_rule(rule: str, place: str) -> None:
    if rule not in RULES:
        raise UsageError(f"{place}: there is no rule {rule!r} in this version: `conformance rules` lists them")


def day_of(text: str, place: str) -> date:
    """A day as it is written in a baseline.

    Raises:
        UsageError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{place}: expires {text!r} is no day: write YYYY-MM-DD") from None
