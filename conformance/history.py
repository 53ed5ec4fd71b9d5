"""The history of runs: an SQLite database for lists and trends, and beside it the records themselves, from which it is rebuilt.

One run writes at a time, each in a transaction of its own; others wait. A run that is killed leaves the database as it was.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from conformance.errors import UsageError
from conformance.record import Record, RecordError, assemble, parse, read
from conformance.report import put
from conformance.report.summary import summarize
from conformance.report.trend import TrendRow

NAME = "history.sqlite"
SCHEMA = 1
WAIT = 30.0  # seconds that a run waits for others that write
TABLES = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, date TEXT NOT NULL, engine TEXT NOT NULL, engine_version TEXT NOT NULL,
    oracle TEXT NOT NULL, verdict TEXT NOT NULL, programs INTEGER NOT NULL, seconds REAL NOT NULL, failures INTEGER NOT NULL,
    command TEXT NOT NULL, subject TEXT NOT NULL
);
CREATE TABLE counts (
    run INTEGER NOT NULL REFERENCES runs(number), area TEXT NOT NULL, verdict TEXT NOT NULL, rules INTEGER NOT NULL,
    PRIMARY KEY (run, area, verdict)
) WITHOUT ROWID;
CREATE INDEX runs_of_subject ON runs (subject, number);
"""


class Entry(NamedTuple):
    """One run of the history."""

    id: str
    date: str
    engine: str
    engine_version: str
    oracle: str
    verdict: str
    programs: int
    seconds: float
    failures: int
    command: str


class History:
    """The runs below a folder: `history.sqlite`, and `history/` with the records, compressed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self.records = folder / "history"

    def add(self, record_path: Path) -> Entry:
        """Keep the record of a run, and enter it. A record that is known already is entered no second time.

        Raises:
            UsageError: the database is damaged, or of a later version.
            RecordError, OSError: the record cannot be read, or nothing can be written here.
        """
        content = record_path.read_bytes()
        known = self._named(content)
        if known is None:
            date = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.keep(content, date)
        else:
            date = known.name.split("_")[0]
        with self.writing() as database:
            return self._enter(database, content, date)

    def keep(self, content: bytes, date: str) -> None:
        """Put a record beside the database."""
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
            file.write(content)
        put(self.records / f"{date.replace(':', '')}_{_id(content)}.jsonl.gz", packed.getvalue())

    def rebuild(self, reports: Path) -> int:
        """Make the database anew from the records kept and those below the folder; returns how many runs it has."""
        for path in sorted(reports.glob("**/record.jsonl")):
            with contextlib.suppress(OSError, RecordError):
                read(path)
                content = path.read_bytes()
                if self._named(content) is None:
                    written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
                    self.keep(content, written.strftime("%Y-%m-%dT%H:%M:%SZ"))
        for path in (self.path, self.path.with_name(f"{NAME}-journal")):
            path.unlink(missing_ok=True)
        with self.writing() as database:
            for path in sorted(self.records.glob("*_*.jsonl.gz")):
                with contextlib.suppress(OSError, EOFError, RecordError, gzip.BadGzipFile):
                    self._enter(database, gzip.decompress(path.read_bytes()), _date_of(path))
            return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])

    def runs(self, engine: str | None = None, last: int = 20) -> list[Entry]:
        """The last runs, the oldest first; of one engine or of all."""
        if not self.path.is_file():
            return []
        columns = ", ".join(Entry._fields)
        chosen = "WHERE engine = ?" if engine is not None else ""
        arguments = (engine, last) if engine is not None else (last,)
        with self.reading() as database:
            rows = database.execute(f"SELECT {columns} FROM runs {chosen} ORDER BY number DESC LIMIT ?", arguments).fetchall()
        return [Entry(*row) for row in reversed(rows)]

    def record(self, name: str) -> Record:
        """The record of a run, by the beginning of its id.

        Raises:
            UsageError: no run, or several, or one whose record cannot be read.
        """
        found = sorted(self.records.glob("*_*.jsonl.gz"))
        found = [path for path in found if path.name.split("_")[1].startswith(name)] if name.isalnum() else []
        if len(found) != 1:
            many = "no run" if not found else f"{len(found)} runs"
            raise UsageError(f"{many} {name!r} in {self.folder}: name a record, or an id of `conformance history`")
        try:
            return assemble(parse(io.BytesIO(gzip.decompress(found[0].read_bytes()))))
        except (OSError, EOFError, RecordError) as error:
            raise UsageError(f"{found[0]} cannot be read: {error}") from None

    def before(self, record_path: Path) -> Record | None:
        """The last run before this one, entered or not, that was asked the same of the same engine.

        Raises:
            RecordError, OSError: the record cannot be read.
        """
        last = [name for _, name, _ in self._until(record_path) if name != _id(record_path.read_bytes())][-1:]
        try:
            return self.record(last[0]) if last else None
        except UsageError:
            return None

    def trend(self, record_path: Path, last: int = 20) -> list[TrendRow]:
        """How the last runs went that were asked the same as this one, the oldest first, this one last if it was entered.

        Raises:
            RecordError, OSError: the record cannot be read.
        """
        rows = []
        for number, name, date in self._until(record_path)[-last:]:
            counts: dict[str, dict[str, int]] = {}
            with self.reading() as database:
                for area, verdict, rules in database.execute("SELECT area, verdict, rules FROM counts WHERE run = ?", (number,)):
                    counts.setdefault(area, {})[verdict] = rules
            rows.append(TrendRow(name, date, counts))
        return rows

    def _until(self, record_path: Path) -> list[tuple[int, str, str]]:
        """Number, id and date of the runs that were asked the same as this one, without those entered after it."""
        if not self.path.is_file():
            return []
        own = _id(record_path.read_bytes())
        with self.reading() as database:
            query = "SELECT number, id, date FROM runs WHERE subject = ? ORDER BY number"
            found = [(int(a), str(b), str(c)) for a, b, c in database.execute(query, (_subject(read(record_path)),))]
        names = [name for _, name, _ in found]
        return found[: names.index(own) + 1] if own in names else found

    def _named(self, content: bytes) -> Path | None:
        """Where this record is kept, if it is."""
        return next(iter(self.records.glob(f"*_{_id(content)}.jsonl.gz")), None)

    def _enter(self, database: sqlite3.Connection, content: bytes, date: str) -> Entry:
        """One run's rows, unless they are there."""
        record = assemble(parse(io.BytesIO(content)))
        summary, h, footer = summarize(record), record.header, record.footer
        seconds = footer.timing.get("seconds", 0.0) if footer else 0.0
        entry = Entry(
            _id(content), date, h.engine, h.engine_version, h.oracle, record.verdict, summary.programs or 0, seconds,
            len(summary.broken), h.command,
        )  # fmt: skip
        marks = ", ".join("?" * (len(entry) + 1))
        done = database.execute(
            f"INSERT OR IGNORE INTO runs ({', '.join(Entry._fields)}, subject) VALUES ({marks})", (*entry, _subject(record))
        )
        if done.rowcount:
            counts = [(done.lastrowid, row.name, name, n) for row in summary.rows for name, n in row.counts.items() if n]
            database.executemany("INSERT INTO counts VALUES (?, ?, ?, ?)", counts)
        return entry

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The database as it is."""
        with self._told(), contextlib.closing(sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)) as database:
            _check_schema(database)
            yield database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The database for one transaction, which is kept as a whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._told(), contextlib.closing(sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            if database.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in TABLES.split(";")[:-1]:
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {SCHEMA}")
            _check_schema(database)
            yield database
            database.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite raises, as one line."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UsageError(f"cannot use the history {self.path}: {error}") from None
        except sqlite3.DatabaseError as error:
            raise UsageError(
                f"the history {self.path} is damaged ({error}): `conformance history rebuild` makes it anew"
            ) from None


def _check_schema(database: sqlite3.Connection) -> None:
    """The database is of this version."""
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found != SCHEMA:
        what = "upgrade autograd-conformance" if found > SCHEMA else "`conformance history rebuild` makes it anew"
        raise UsageError(f"the history has format {found}; this version has format {SCHEMA}: {what}")


def _id(content: bytes) -> str:
    """Twelve hexadecimal digits that name a run."""
    return hashlib.sha256(content).hexdigest()[:12]


def _date_of(path: Path) -> str:
    """The date of a record that is kept, from its name."""
    day, _, time = path.name.split("_")[0].partition("T")
    return f"{day}T{time[:2]}:{time[2:4]}:{time[4:6]}Z"


def _subject(record: Record) -> str:
    """What was asked of whom, as far as runs can be compared: not the seed, nor how long."""
    h = record.header
    rules: Iterable[str] = sorted(h.rules)
    return f"{h.engine} {h.oracle} {h.shard} {hashlib.sha256(' '.join(rules).encode()).hexdigest()[:12]}"
