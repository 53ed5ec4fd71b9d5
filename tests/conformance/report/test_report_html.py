"""The HTML report: structure, safety, and that it can be read by everyone."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise

import msgspec
import pytest
import report_samples as samples
from page import Page
from syrupy.assertion import SnapshotAssertion

from conformance.record import Record, StepRow
from conformance.report.html import TEMPLATES, parted, render_html

RECORDS = {
    "diverging": samples.diverging(),
    "conforming": samples.conforming(),
    "unsupported": samples.unsupported(),
    "killed": samples.killed(),
    "hostile": samples.hostile(),
    "empty": Record(header=samples.HEADER),
}
every_record = pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)


def page(record: Record) -> Page:
    """The report of a record, read back."""
    return Page(render_html(record, samples.RULES))


def words(record: Record) -> str:
    """The text of a report, its white space folded."""
    return " ".join("".join(page(record).text).split())


def test_the_structure_of_the_page(snapshot: SnapshotAssertion) -> None:
    """The skeleton of a report with every verdict is as it was reviewed."""
    actual = page(samples.diverging()).skeleton()

    assert actual == snapshot


def test_the_words_of_the_page(snapshot: SnapshotAssertion) -> None:
    """The text of a report with every verdict is as it was reviewed."""
    lines = [" ".join(line.split()) for line in "".join(page(samples.diverging()).text).splitlines()]

    assert "\n".join(filter(None, lines)) == snapshot


@every_record
def test_nothing_is_loaded_or_run(record: Record) -> None:
    """No script, no handler, no inline style, no element that loads something."""
    read = page(record)
    tags = {tag for _, tag, _ in read.elements}
    attributes = {name for _, _, found in read.elements for name in found}

    assert (
        tags & {"script", "img", "link", "iframe", "object", "embed", "base", "form", "audio", "video", "use", "image"} == set()
    )
    assert {name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "srcdoc")} == set()
    assert [
        value for value in read.values("href") if not value.startswith(("#", "https://example.org/", "record.", "junit."))
    ] == []


@every_record
def test_the_policy_allows_the_one_style_sheet_by_its_hash(record: Record) -> None:
    """Everything is forbidden but the style sheet, whose hash is true."""
    html = render_html(record, samples.RULES)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policies = [found["content"] for found in Page(html).all("meta") if found.get("http-equiv") == "Content-Security-Policy"]

    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert re.findall(r"url\(|@import", style) == []


@every_record
def test_control_characters_are_made_visible(record: Record) -> None:
    """No terminal escape, NUL, override of direction or lone surrogate reaches the page."""
    html = render_html(record, samples.RULES)

    assert [char for char in html if not char.isprintable() and char != "\n"] == []


def test_hostile_text_is_shown_as_text() -> None:
    """What an engine says is there to be read, to the letter."""
    shown = samples.HOSTILE.encode("unicode_escape").decode()

    assert words(samples.hostile()).count(shown) > 20


@every_record
def test_anchors_are_unique_and_links_lead_somewhere(record: Record) -> None:
    """Each id stands once, and every link within the page has its target."""
    read = page(record)
    anchors = read.values("id")
    targets = {value[1:] for value in read.values("href") if value.startswith("#")}

    assert len(anchors) == len(set(anchors))
    assert targets - set(anchors) == set()
    assert [anchor for anchor in anchors if not re.fullmatch(r"[\w.-]+", anchor)] == []
    assert set(" ".join(read.values("aria-labelledby")).split()) - set(anchors) == set()


@every_record
def test_headings_descend_one_level_at_a_time(record: Record) -> None:
    """There is one h1, and no heading skips a level."""
    levels = [int(tag[1]) for _, tag, _ in page(record).elements if re.fullmatch(r"h\d", tag)]

    assert levels.count(1) == 1
    assert [(a, b) for a, b in pairwise(levels) if b > a + 1] == []


@every_record
def test_every_table_header_has_a_scope(record: Record) -> None:
    """A reader who hears the table is told what a header is the header of."""
    assert [found for found in page(record).all("th") if found.get("scope") not in ("col", "row")] == []


def test_only_the_first_difference_is_flagged_as_first() -> None:
    """Of several steps that differ, the first is marked in words, the others otherwise."""
    record = samples.diverging()
    steps = [StepRow(code=f"s{n}", expected="1", observed="2", differs=n > 0) for n in range(4)]
    failure = msgspec.structs.replace(record.failures[0], steps=steps)
    text = words(Record(header=record.header, failures=[failure]))

    assert (text.count("first difference"), len(re.findall(r"\d\s*differs", text))) == (1, 2)


def test_ops_that_save_otherwise_stand_open_and_the_others_folded() -> None:
    """Differences are seen at once, with what the oracle answers beside them; the rest opens without a script."""
    html = render_html(samples.diverging(), samples.RULES)
    section = html[html.index('<section id="saved"') : html.index('<section id="rules"')]
    opened, folded = section.split("<details>")

    assert [re.findall(r"<th scope=\"row\".*?<code>(\w+)", part) for part in (opened, folded)] == [
        ["exp", "mul", "add"], ["neg", "cummax", "gather"],
    ]  # fmt: skip
    assert (opened.count('class="instead"'), folded.count('class="instead"')) == (5, 0)


def test_every_answer_has_mark_and_word() -> None:
    """Colour is never alone: each cell says its answer, and what the oracle answers where that is another."""
    text = words(samples.diverging())

    assert "6 ops asked, 3 save otherwise than torch, 2 silently wrong" in text
    assert text.count("✗ silently wrong torch: ● saved") == 3
    assert "● saved torch: ○ not saved" in text
    assert "! refused torch: ○ not saved" in text


def test_a_run_without_the_matrix_shows_none() -> None:
    """A record that holds no saved tensors has no section for them."""
    assert "saved" not in page(samples.conforming()).values("id")


def test_no_failures() -> None:
    """A run that broke nothing says so where the failures would stand."""
    assert "No rule was broken." in words(samples.conforming())


def test_everything_unsupported_is_not_green() -> None:
    """A run on which nothing applied says that nothing is shown."""
    assert "Nothing was exercised, so nothing is shown." in words(samples.unsupported())


def test_a_record_without_footer_is_incomplete() -> None:
    """The failure found before the kill is shown, and the rules not reached are named."""
    text = words(samples.killed())

    assert "the run is incomplete" in text
    assert "the run ended before this rule was judged" in text
    assert "conformance replay f3a91c" in text


def test_an_endless_field_is_cut() -> None:
    """A megabyte of output does not become a megabyte of page."""
    failure = msgspec.structs.replace(samples.failure(), proof="x" * 1_000_000)
    html = render_html(Record(header=samples.HEADER, failures=[failure]), {})

    assert len(html) < 100_000
    assert "980,000 more characters in record.jsonl" in html


@pytest.mark.parametrize(
    ("expected", "observed", "marks"),
    [
        ("[1.0, 2.0]", "[1.0, 4.0]", ("2.0", "4.0")),
        ("[1.0, 2.0]", "[1.0]", (", 2.0", "")),
        ("None", "[1.0]", ("", "")),
        ("a.grad = [1.0]", "a.grad = None", ("[1.0]", "None")),
        ("a a", "a a a", ("", " a")),
        ("", "", ("", "")),
    ],
)
def test_texts_are_marked_where_they_part(expected: str, observed: str, marks: tuple[str, str]) -> None:
    """The mark covers what is not common to both, and the parts are the whole."""
    left, right = parted(expected, observed)

    assert (left[1], right[1]) == marks
    assert ("".join(left), "".join(right)) == (expected, observed)


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG defines it."""

    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_text_is_legible_on_every_ground(theme: int) -> None:
    """In either theme, text keeps a contrast of 4.5 (AA) on whatever it may stand on."""
    style = (TEMPLATES / "report.css").read_text("utf-8")
    colors = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style.split(":root {")[theme + 1]))
    inks = ["ink", "soft", "link", "passed", "failed", "safe", "differs", "unsupported", "incomplete"]
    pairs = [(ink, ground) for ink in inks for ground in ("ground", "panel", "sunk")]
    pairs += [("ink", "mark"), *((ink, "hit") for ink in inks if ink != "link")]

    assert [pair for pair in pairs if _contrast(colors[pair[0]], colors[pair[1]]) < 4.5] == []
