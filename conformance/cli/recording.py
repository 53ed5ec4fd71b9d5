"""A run recorded as it goes, resumed where it was killed, and reported at its end."""

from __future__ import annotations

import contextlib
import shlex
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from conformance.errors import RecordLost, UsageError
from conformance.record import NAME

if TYPE_CHECKING:
    from conformance.record import AnyLine, Record, Resumable
    from conformance.report.trend import TrendRow
    from conformance.run import Run


class Shard(click.ParamType):  # type: ignore[type-arg]
    """K/N, the part of a run that this machine takes."""

    name = "K/N"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """(k, n)"""
        if isinstance(value, tuple):
            return value
        k, slash, n = str(value).partition("/")
        if not slash or not (k.isdecimal() and n.isdecimal()) or not 1 <= int(k) <= int(n):
            self.fail(f"{value!r} is no shard: write 2/5 for the second of five", param, ctx)
        return int(k), int(n)


def recorded(session: Run, folder: Path, *, resume: bool = False) -> Record:
    """The record of a run, written into the folder as it goes; with `resume`, after what a run that was killed left there.

    Raises:
        UsageError: the folder cannot be written, another run writes there, or its record is of another run.
        RecordLost: the record could not be written to its end.
    """
    from conformance.record import read

    left = _left(folder / NAME, session) if resume else None
    if left is not None and left.finished:
        return read(folder / NAME)
    if left is not None:
        session.resume(left.phases)
    with _stopping(session):
        return written(session, folder, at=left.end if left is not None else 0)


def written(lines: Iterable[AnyLine], folder: Path, *, at: int = 0) -> Record:
    """A record written into the folder, from this place of the file on, and read back."""
    from conformance.record import read
    from conformance.writer import RecordBusy, RecordWriter

    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writer = RecordWriter(path, at)
    except RecordBusy:
        raise UsageError(f"another run is writing to {folder}: wait for it, or name another folder with --out") from None
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}: name another folder with --out") from None
    try:
        for line in lines:
            _write(writer, line)
    except BaseException:
        with contextlib.suppress(OSError):
            writer.close()
        raise
    _write(writer, None)
    return read(path)


def _write(writer: Any, line: AnyLine | None) -> None:
    """Append a line, or close the record."""
    try:
        writer.close() if line is None else writer.write(line)
    except OSError as error:
        raise RecordLost(
            f"cannot go on recording in {writer.path}: {error.strerror}; what was found is in it: make room, then add --resume"
        ) from None


def _left(path: Path, session: Run) -> Resumable | None:
    """What an earlier run left to go on from; None where it left nothing."""
    from conformance.record import Header, RecordError, resumable

    try:
        left = resumable(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except RecordError as error:
        raise UsageError(f"cannot go on from {path}: {error}; run without --resume to begin anew") from None
    if left is None:
        return None
    now = session.header()
    for name in ("engine", "command", *Header.__struct_fields__):
        before, after = getattr(left.header, name), getattr(now, name)
        if before != after:
            raise UsageError(
                f"cannot go on from {path}: its {name.replace('_', ' ')} is {before!r}, and now it is {after!r}: "
                "repeat that run, or run without --resume to begin anew"
            )
    return left


def opened(path: Path) -> Record:
    """A record, by its file or the folder that holds it.

    Raises:
        UsageError: it cannot be read; one line says where and why.
    """
    from conformance.record import RecordError, read

    path = path / NAME if path.is_dir() else path
    try:
        return read(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}: name a record.jsonl, or the folder of a run") from None
    except RecordError as error:
        raise UsageError(f"{path}: {error}") from None


def with_folder(record: Record, folder: Path) -> Record:
    """The record with replay commands that find it where it lies: the record itself does not depend on the folder."""
    if folder.parts[:1] == ("reports",):
        return record
    where = shlex.join(["--reports", str(folder)])
    failures = [msgspec.structs.replace(f, replay=f"{f.replay} {where}") for f in record.failures]
    return msgspec.structs.replace(record, failures=failures)


def reported(record: Record, folder: Path, formats: Iterable[str]) -> Record:
    """Enter a run in the history and write its reports into its folder; returns the record as they show it."""
    from conformance.report import write_reports

    earlier, trend = past(folder / NAME) if _entered(folder) else (None, ())
    shown = with_folder(record, folder)
    try:
        write_reports(shown, folder, formats=formats, earlier=earlier, trend=trend)
    except OSError as error:
        raise UsageError(f"cannot write the reports to {folder}: {error.strerror}; the record is {folder / NAME}") from None
    return shown


def _entered(folder: Path) -> bool:
    """Enter the run whose record is in the folder. A history that cannot be written fails no run."""
    from conformance.history import History

    history = History(Path("reports") if folder.parts[:1] == ("reports",) else folder)
    try:
        history.add(folder / NAME)
    except (OSError, UsageError) as error:
        click.echo(f"conformance: the run was not entered in the history {history.path}: {_why(error)}", err=True)
        return False
    return True


def past(path: Path) -> tuple[Record | None, Sequence[TrendRow]]:
    """The run before this one, and how the last runs went, by the history that is in the record's folder or above it.

    A history that cannot be read fails no report.
    """
    from conformance.history import NAME as DATABASE
    from conformance.history import History

    near = next((folder for folder in path.resolve().parents[:3] if (folder / DATABASE).is_file()), None)
    if near is None:
        return None, ()
    history = History(near)
    try:
        return history.before(path), history.trend(path)
    except (OSError, UsageError) as error:
        click.echo(f"conformance: nothing is compared with the history {history.path}: {_why(error)}", err=True)
        return None, ()


def _why(error: Exception) -> str:
    """What went wrong, in a few words."""
    return (error.strerror or "") if isinstance(error, OSError) else str(error)


@contextmanager
def _stopping(session: Any) -> Iterator[None]:
    """The first Ctrl-C ends the run in order, the second at once."""

    def stop(signum: int, frame: Any) -> None:
        session.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread: the caller owns the signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
