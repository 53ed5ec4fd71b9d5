"""The summary on a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import report_samples as samples
from syrupy.assertion import SnapshotAssertion

from conformance.areas import AREA_NAMES
from conformance.record import Footer, Record
from conformance.report.terminal import render_summary

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


def test_what_the_baseline_knows_is_not_called_allowed() -> None:
    """A rule that is broken as the baseline says stands by itself."""
    rules = [samples.result("views.tie", "known"), samples.result("detach.memory", "safe")]
    record = Record(header=samples.HEADER, rules=rules, footer=Footer(programs=9, verdict="conforms"))
    text = render_summary(record, color=False, width=80)

    assert "known: ≈ views.tie; allowed: ◇ detach.memory" in text.replace("\n", "; ")


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


def test_a_small_screen_lists_the_areas_with_failures_alone(snapshot: SnapshotAssertion) -> None:
    """24 lines hold them, three failures and the sentence for machines; the other areas are counted."""
    rules = [samples.result(f"{area}.law", "passed") for area in AREA_NAMES]
    names = [f"{area}.broken" for area in AREA_NAMES[::4]]
    rules += [samples.result(name, "failed", causes=(name,)) for name in names]
    failures = [samples.failure(name, name) for name in names]
    record = Record(header=samples.HEADER, failures=failures, rules=rules, footer=Footer(programs=41234, verdict="diverges"))
    text = render_summary(record, color=False, width=80, height=24, folder=FOLDER)

    assert sum(-(-len(line) // 80) or 1 for line in text.splitlines()) < 24
    assert text.count("conformance replay") >= 3
    assert text == snapshot


def test_megabytes_of_message_are_one_screen() -> None:
    """Whatever an engine says, the summary keeps to its screen."""
    failure = samples.failure()
    values = {name: getattr(failure, name) for name in failure.__struct_fields__}
    long = type(failure)(**values | {"proof": "spam " * 1_000_000, "rule": "views." + "x" * 100_000, "replay": "y" * 500})
    text = render_summary(Record(header=samples.HEADER, failures=[long]), color=False, width=80, folder=FOLDER)

    assert sum(-(-len(line) // 80) or 1 for line in text.splitlines()) <= 60
