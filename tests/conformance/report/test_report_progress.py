"""What a run says while it goes on."""

from __future__ import annotations

import io
import re

from conformance.report.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that is told the time."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def told(stream: io.StringIO, seconds: float | None = None) -> str:
    """What is written in 12 seconds of a run that ticks a hundred times a second, 2,000 programs a second, in three areas."""
    clock = Clock()
    with Progress(stream, areas=21, seconds=seconds, clock=clock) as progress:
        for number in range(1201):
            clock.now = number / 100
            progress.update(programs=number * 20, area=("views", "order", "hooks")[number % 3], failures=1)
    return stream.getvalue()


def test_a_log_gets_a_plain_line_every_few_seconds() -> None:
    """No line is drawn over another; a run shorter than the first line says nothing."""
    assert told(io.StringIO(), 60) == (
        "conformance: hooks: 1 failure, 10,000 programs, 2,000/s, 3 of 21 areas, 5 s of 60 s\n"
        "conformance: order: 1 failure, 20,000 programs, 2,000/s, 3 of 21 areas, 10 s of 60 s\n"
    )


def test_a_terminal_is_drawn_five_times_a_second() -> None:
    """However often it is told, with the rate since the first."""
    drawings = told(Terminal()).split("\r")[1:]

    assert len(drawings) - 2 in range(56, 62)
    assert re.fullmatch(r"(views|order|hooks) {10}1 failure  4,\d20 programs  2,000/s  3 of 21 areas  2 s", drawings[10].rstrip())


def test_nothing_is_left_behind() -> None:
    """Closing blanks the line and goes back to its start, once; no escape passes."""
    stream = Terminal()
    progress = Progress(stream, clock=Clock())
    progress.update(programs=5, area="\x1b[2Jversions", failures=0)
    drawn = stream.getvalue()
    progress.close()
    progress.close()

    assert "\x1b" not in drawn
    assert stream.getvalue()[len(drawn) :] == "\r" + " " * (len(drawn) - 1) + "\r"


def test_a_stream_that_is_gone_ends_no_run() -> None:
    """A closed pipe is no reason to lose what was found."""

    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    closed = io.StringIO()
    closed.isatty = lambda: False  # type: ignore[method-assign]
    clock = Clock()
    progress = Progress(closed, clock=clock)
    closed.close()
    for clock.now in (0.0, 6.0, 12.0):
        progress.update(programs=1, area="views", failures=0)

    assert told(Gone()) == ""
