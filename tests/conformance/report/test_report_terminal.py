"""The summary on a terminal, and the live line."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import report_samples as samples
from syrupy.assertion import SnapshotAssertion

from conformance.areas import AREA_NAMES
from conformance.record import Footer, Record
from conformance.report.terminal import Progress, render_summary

FOLDER = Path("reports/mygrad")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def many() -> Record:
    """A bad day: three broken rules in each of the areas, with a proof of ordinary length, and a saved-tensor matrix."""
    names = [f"{area}.law-{letter}" for area in AREA_NAMES for letter in "abc"]
    return Record(
        header=samples.HEADER,
        failures=[samples.failure(f"{place:06x}", name) for place, name in enumerate(names)],
        rules=[samples.result(name, "failed", causes=(f"{place:06x}",)) for place, name in enumerate(names)],
        saved=samples.saved_rows(),
        footer=Footer(programs=41234, verdict="diverges"),
    )


@pytest.mark.parametrize("name", ["diverging", "conforming", "unsupported", "killed"])
@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_summary(name: str, width: int, snapshot: SnapshotAssertion) -> None:
    """What is printed is as it was reviewed."""
    actual = render_summary(getattr(samples, name)(), color=False, width=width, folder=FOLDER)

    assert actual == snapshot


def test_colour_changes_no_word() -> None:
    """With the colours taken away, the summary is the one without colour."""
    plain, colored = (render_summary(samples.diverging(), color=color, width=80, folder=FOLDER) for color in (False, True))

    assert ESCAPE.search(colored) is not None
    assert [line.rstrip() for line in ESCAPE.sub("", colored).splitlines()] == plain.splitlines()


def test_a_bad_day_fits_a_screen() -> None:
    """Three broken rules in each of the areas take at most 40 lines of 80 columns, folded lines counted."""
    text = render_summary(many(), color=False, width=80, folder=FOLDER)

    assert sum(-(-len(line) // 80) or 1 for line in text.splitlines()) <= 40
    assert text.count("conformance replay") >= 6
    assert [area for area in AREA_NAMES if area not in text] == []


def mixed() -> Record:
    """Every verdict in some area, and failures in all."""
    others = ("passed", "safe", "differs", "unsupported", "incomplete")
    rules = [samples.result(f"{area}.law-a", "failed", causes=(area,)) for area in AREA_NAMES]
    rules += [samples.result(f"{area}.law-b", others[k % 5]) for k, area in enumerate(AREA_NAMES)]
    failures = [samples.failure(area, f"{area}.law-a") for area in AREA_NAMES]
    return Record(header=samples.HEADER, failures=failures, rules=rules, footer=Footer(programs=41234, verdict="diverges"))


def test_areas_stand_side_by_side_where_failures_need_the_room(snapshot: SnapshotAssertion) -> None:
    """With every verdict in use, 80 columns hold two panels, whose marks a line above explains."""
    text = render_summary(mixed(), color=False, width=80, folder=FOLDER)

    assert sum(-(-len(line) // 80) or 1 for line in text.splitlines()) <= 40
    assert text == snapshot


def test_a_good_day_keeps_the_words() -> None:
    """Without failures all areas fit below each other, under whole words."""
    rules = [samples.result(f"{area}.law", "passed") for area in AREA_NAMES]
    record = Record(header=samples.HEADER, rules=rules, footer=Footer(programs=41234, verdict="conforms"))
    text = render_summary(record, color=False, width=80, folder=FOLDER)

    assert text.splitlines()[3].split()[:4] == ["area", "rules", "passed", "failed"]
    assert len(text.splitlines()) <= 40


def test_allowed_differences_are_named_where_nothing_is_broken() -> None:
    """A run that breaks no rule still says which MAY rules the engine decides otherwise, and how to see it."""
    record = samples.diverging()
    kept = [result for result in record.rules if result.verdict != "failed"]
    failures = [failure for failure in record.failures if failure.rule == "views.tie"]
    text = render_summary(
        Record(header=record.header, failures=failures, rules=kept, footer=Footer(programs=9, verdict="conforms")),
        color=False, width=80,
    )  # fmt: skip

    assert re.search(r"^≠ views.tie +conformance replay 91d2e0$", text, re.MULTILINE)
    assert "allowed: ◇ detach.memory, ≠ views.tie" in text


def test_saved_tensors_take_one_line() -> None:
    """Where the matrix was measured, its counts are told."""
    text = render_summary(samples.diverging(), color=False, width=80)

    assert "saved tensors: 6 ops asked, 3 save otherwise than torch, 2 silently wrong\n" in text
    assert "saved tensors" not in render_summary(samples.conforming(), color=False, width=80)


def test_every_line_but_the_last_keeps_to_the_width() -> None:
    """Only the sentence for machines may be longer than the terminal is wide."""
    lines = render_summary(many(), color=False, width=80, folder=FOLDER).splitlines()

    assert [line for line in lines[:-1] if len(line) > 80] == []


def test_the_causes_shown_are_of_different_rules_first() -> None:
    """Two causes of one rule do not hide another rule."""
    record = samples.killed()
    failures = [*(samples.failure(f"a{n}") for n in range(20)), samples.failure("last", "pipeline.stash")]
    text = render_summary(Record(header=record.header, failures=failures), color=False, width=80)

    assert text.index("conformance replay last") < text.index("conformance replay a1")


def test_hostile_text_can_neither_style_nor_forge() -> None:
    """No control character passes, and the sentence for machines keeps to one line of key=value."""
    text = render_summary(samples.hostile(), color=False, width=80, folder=FOLDER)
    last = text.splitlines()[-1]

    assert [char for char in text if not char.isprintable() and char != "\n"] == []
    assert re.fullmatch(r"conformance:( [a-z]+=[\w.:+@/-]+)+", last) is not None
    assert [pair.split("=")[0] for pair in last.split()[1:]] == [
        *("engine", "oracle", "verdict", "rules", "passed", "failed", "safe", "differs", "unsupported", "incomplete"),
        *("programs", "seed"),
    ]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that is told the time."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_silent_on_what_is_no_terminal() -> None:
    """A log file gets no live line."""
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.update(programs=1, area="versions", failures=0)

    assert stream.getvalue() == ""


def test_progress_draws_five_times_a_second() -> None:
    """A thousand updates in a second are at most six drawings, with the rate since the first."""
    stream, clock = Terminal(), Clock()
    progress = Progress(stream, clock)
    for number in range(1001):
        clock.now = number / 1000
        progress.update(programs=number * 2, area="versions", failures=1)
    drawings = stream.getvalue().split("\r")[1:]

    assert len(drawings) in (5, 6)
    assert drawings[2].rstrip() == "versions       800 programs  2,000/s  1 failure"


def test_progress_leaves_nothing_behind() -> None:
    """Closing blanks the line and goes back to its start."""
    stream, clock = Terminal(), Clock()
    progress = Progress(stream, clock)
    progress.update(programs=5, area="\x1b[2Jversions", failures=0)
    drawn = stream.getvalue()
    progress.close()
    progress.close()

    assert "\x1b" not in drawn
    assert stream.getvalue()[len(drawn) :] == "\r" + " " * (len(drawn) - 1) + "\r"
