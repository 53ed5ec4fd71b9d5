"""What a run says while it goes on: one live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from conformance.report.text import count, one_line


class Progress:
    """Where a run stands: the area, how many areas were met, programs, their rate, failures, the time.

    A terminal gets one line that is drawn over; anything else, such as the log of a CI job, gets a line every `EVERY` seconds,
    so that nobody takes a long run for a dead one. There is no colour in it.

    >>> import io
    >>> with Progress(io.StringIO(), areas=21) as progress:
    ...     progress.update(programs=128, area="versions", failures=0)
    """

    PERIOD = 0.2  # seconds between two drawings
    EVERY = 5.0  # seconds between two plain lines

    def __init__(
        self, stream: TextIO, *, areas: int = 0, seconds: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._areas = areas
        self._seconds = seconds
        self._live = stream.isatty()
        self._met: set[str] = set()
        self._start: tuple[float, int] | None = None
        self._told = float("-inf")
        self._length = 0

    def update(self, *, programs: int, area: str, failures: int) -> None:
        """Say how far the run is, however often it is called."""
        now = self._clock()
        self._met.add(area)
        if self._start is None:
            self._start = (now, programs)
            self._told = self._told if self._live else now
        if now - self._told < (self.PERIOD if self._live else self.EVERY):
            return
        self._told = now
        parts = self._parts(now - self._start[0], programs - self._start[1], programs, failures)
        if self._live:
            self._draw(f"{one_line(area):<14} {'  '.join(parts)}")
        else:
            self._write(f"conformance: {one_line(area)}: {', '.join(parts)}\n")

    def close(self) -> None:
        """Take the live line away."""
        if self._length:
            self._draw("")
            self._write("\r")
            self._length = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _parts(self, elapsed: float, done: int, programs: int, failures: int) -> list[str]:
        """What is told, the most wanted first: a narrow terminal cuts the end."""
        parts = [count(failures, "failure"), count(programs, "program")]
        parts += [f"{done / elapsed:,.0f}/s"] if elapsed > 0 else []
        parts += [f"{len(self._met)} of {self._areas} areas"] if self._areas else []
        parts.append(f"{elapsed:.0f} s" + (f" of {self._seconds:g} s" if self._seconds is not None else ""))
        return parts

    def _draw(self, line: str) -> None:
        """Write over the line before, with spaces: this works on the dumbest of terminals."""
        line = line[: shutil.get_terminal_size().columns - 1]
        self._write("\r" + line.ljust(self._length))
        self._length = len(line)

    def _write(self, text: str) -> None:
        """A stream that is gone ends the telling, never the run."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._told = float("inf")
