"""Writing a record: line by line, by one process at a time, so that neither kill -9 nor a full disk spoils what is there."""

from __future__ import annotations

import os
from pathlib import Path

from conformance.encoding import encoded
from conformance.record import AnyLine


class RecordBusy(Exception):
    """Another process is writing the record."""


class RecordWriter:
    """Appends lines to a file; each line is handed to the operating system before the run goes on, so kill -9 loses none.

    The file is locked while it is written: two runs cannot share a record. The lock ends with the process, however that ends.
    `at` is where writing goes on; what lies behind it is cut off.

    Raises:
        RecordBusy: another run is writing the file.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, at: int = 0) -> None:
        self.path = path
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b", buffering=0)
        try:
            _lock(self._file.fileno())
            self._file.truncate(at)
            self._file.seek(at)
        except BaseException:
            self._file.close()
            raise

    def write(self, line: AnyLine) -> None:
        """Append one line."""
        left = memoryview(encoded(line) + b"\n")
        while left:  # a disk that is nearly full takes a part, and refuses the next
            left = left[self._file.write(left) :]

    def close(self) -> None:
        """Make the record durable and close it."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def _lock(descriptor: int) -> None:
    """Lock a file for this process, where the operating system can."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RecordBusy("another run is writing it") from None
