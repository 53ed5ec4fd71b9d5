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
from conformance.report.html import TEMPLATES, render_html
from conformance.report.views import FEW, parted

RECORDS = {
    "diverging": samples.diverging(),
    "conforming": samples.conforming(),
    "unsupported": samples.unsupported(),
    "killed": samples.killed(),
    "hostile": samples.hostile(),
    "keeping": samples.keeping(),
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
def test_nothing_is_loaded(record: Record) -> None:
    """One script and one icon of our own in the page, no handler, no inline style, no element that loads something."""
    read = page(record)
    tags = {tag for _, tag, _ in read.elements}
    attributes = {name for _, _, found in read.elements for name in found}
    links = [value for value in read.values("href") if not value.startswith(("#", "https://example.org/", "record.", "junit."))]

    assert tags & {"img", "iframe", "object", "embed", "base", "form", "audio", "video", "use", "image"} == set()
    assert {name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "srcdoc")} == set()
    assert [found.get("rel") for found in read.all("link")] == ["icon"]
    assert [link.partition(",")[0] for link in links] == ["data:image/svg+xml"]
    assert read.all("script") == [{}]


@every_record
def test_the_policy_allows_one_style_sheet_and_one_script_by_their_hashes(record: Record) -> None:
    """Everything is forbidden but these, whose hashes are true, and images that stand in the page itself."""
    html = render_html(record, samples.RULES)
    hashes = {}
    for tag in ("style", "script"):
        (source,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        hashes[tag] = f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
        assert re.findall(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML|eval\(", source) == []
    policies = [found["content"] for found in Page(html).all("meta") if found.get("http-equiv") == "Content-Security-Policy"]

    assert policies == [
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    ]


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


def test_what_the_project_keeps_and_notes() -> None:
    """Programs of the baseline and the corpus stand with what became of them; notes stand in full; else neither has a section."""
    text = words(samples.keeping())

    assert "grad.double baseline, entry 2: c0ffee stale, until 2027-01-31 see https://example.org/17" in text
    assert "Notes works undeclared: views" in text
    assert {"kept", "notes"} & set(page(samples.diverging()).values("id")) == set()


def test_an_engine_that_tells_where_it_is_at_home_is_linked() -> None:
    """Among the facts, and where the text of an issue is; an address that is none stays text."""
    found = page(samples.keeping())
    tracker = "https://example.org/mygrad/issues"

    assert found.values("href").count(tracker) == 1 + len(samples.keeping().failures)
    assert "Homehttps://example.org/mygrad Issueshttps://example.org/mygrad/issues LanguagePython 3.11.2" in words(
        samples.keeping()
    )
    assert [link for link in page(samples.hostile()).values("href") if "javascript" in link] == []
    assert "Report it" not in words(samples.diverging())


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
    both = re.findall(r"--(\w+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", style)
    colors = {name: pair[theme] for name, *pair in both}
    inks = ["ink", "soft", "link", "passed", "failed", "safe", "differs", "unsupported", "incomplete"]
    pairs = [(ink, ground) for ink in inks for ground in ("ground", "panel", "sunk")]
    pairs += [("ink", "mark"), *((ink, "hit") for ink in inks if ink != "link")]

    assert [pair for pair in pairs if _contrast(colors[pair[0]], colors[pair[1]]) < 4.5] == []


def many(number: int) -> Record:
    """A record of so many failures."""
    causes = tuple(f"{n:06x}" for n in range(number))
    failures = [samples.failure(name) for name in causes]
    return Record(
        header=samples.HEADER, failures=failures, rules=[samples.result("versions.saved-result", "failed", causes=causes)]
    )


def test_few_failures_stand_open_and_many_folded() -> None:
    """A few are read at once. Of many, what is inside stands in noscript: whoever runs no script reads it all the same."""
    few, lots = (render_html(many(number), samples.RULES) for number in (FEW, FEW + 1))

    assert (few.count("<noscript>"), len(re.findall(r'<details class="card failed"[^>]* open ', few))) == (0, FEW)
    assert (lots.count("<noscript>"), len(re.findall(r'<details class="card failed"[^>]* open ', lots))) == (FEW + 1, 0)
    assert Page(few).text.count("Replay") == FEW
    assert Page(lots).text.count("Replay") == FEW + 1


def test_what_a_filter_asks_for_stands_at_each_item() -> None:
    """Failures, rules and ops carry the words that tokens are held against."""
    items = [attributes for _, _, attributes in page(samples.diverging()).elements if "data-item" in attributes]
    kinds = {item["data-item"] for item in items}
    cards = [item for item in items if item["data-item"] == "failure"]

    assert kinds == {"failure", "rule", "op"}
    assert {(card["data-rule"], card["data-area"], card["data-verdict"]) for card in cards} == {
        ("versions.saved-result", "versions", "failed"), ("views.tie", "views", "differs"),
    }  # fmt: skip


def test_the_graph_is_drawn() -> None:
    """Nodes and edges stand in the page, the wrong edge is marked, and words say the same."""
    html = render_html(samples.diverging(), samples.RULES)

    assert html.count('<path class="edge write wrong"') == 3
    assert html.count(">saved b v0, now 1</text>") == 3
    assert "step 3 changed what step 2 had saved: here it went wrong (b was version 0, is 1)." in html


def test_each_failure_gives_a_test_and_an_issue() -> None:
    """Scripts, test and issue stand folded under each failure, marked for copying."""
    copies = page(samples.diverging()).values("data-copy")

    assert {name: copies.count(name) for name in copies} == {
        "The command that repeats this run": 1, "Replay command": 3, "Script for torch": 3, "Script for mygrad": 3,
        "Test for pytest": 3, "Text of an issue": 3,
    }  # fmt: skip


def test_changes_since_an_earlier_record(snapshot: SnapshotAssertion) -> None:
    """New, still failing, fixed, and not tried again; and the rules whose verdict turned."""
    html = render_html(samples.diverging(), samples.RULES, earlier=samples.before())
    section = html[html.index('<section id="changes"') : html.index('<div class="tools"')]
    words = " ".join("".join(Page(section).text).split())

    assert words == snapshot
    assert re.findall(r'data-is="(\w+)"', html.split('id="rules"')[0]) == ["still", "still", "new"]


def test_the_trend_of_each_area() -> None:
    """A bar for each of the last runs, as tall as what failed, and the same in words."""
    html = render_html(samples.conforming(), samples.RULES, trend=samples.trend())
    words = "Earlier runs: 2026-11-01: none applied; 2026-11-02: 1 of 2 failed; 2026-11-03: 0 of 2 failed"

    assert html.count(f'aria-label="{words}"') == 2
    assert re.findall(r'<rect class="(\w+)" x="[\d.]+" y="[\d.]+" width="4" height="([\d.]+)">', html)[-3:] == [
        ("unsupported", "1"), ("failed", "10.5"), ("passed", "3"),
    ]  # fmt: skip
    assert "Trend" not in render_html(samples.conforming(), samples.RULES)
