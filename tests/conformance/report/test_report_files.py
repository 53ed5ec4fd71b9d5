"""Writing the reports of a record into its folder; and the sentences that all reports share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import report_samples as samples

from conformance.record import NAME, Record, read
from conformance.report import write_reports
from conformance.report.summary import headline, sentences, summarize
from conformance.report.text import clip, count, slug, token, versioned, visible
from conformance.writer import RecordWriter


def test_the_reports_stand_beside_the_record(tmp_path: Path) -> None:
    """A record read back from its file gives the page and the JUnit file, and no draft is left."""
    record = samples.diverging()
    writer = RecordWriter(tmp_path / "record.jsonl")
    for line in (record.header, *record.failures, *record.rules, record.footer):
        assert line is not None
        writer.write(line)
    writer.close()
    written = write_reports(read(tmp_path / "record.jsonl"), tmp_path, samples.RULES)

    assert written == {"index.html": tmp_path / "index.html", "junit.xml": tmp_path / "junit.xml"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "junit.xml", "record.jsonl"]


@pytest.mark.parametrize(
    ("formats", "record", "linked"),
    [
        (["html"], False, []),
        (["html", "sarif"], False, ["results.sarif"]),
        (["html", "junit"], True, [NAME, "junit.xml"]),
    ],
)
def test_the_page_links_the_files_that_lie_beside_it(formats: list[str], record: bool, linked: list[str], tmp_path: Path) -> None:
    """Those written with it and the record; none that was not asked for."""
    if record:
        (tmp_path / NAME).write_bytes(b"")
    page = write_reports(samples.conforming(), tmp_path, samples.RULES, formats=formats)["index.html"]

    assert re.findall(r'href="([^"#:]+)"', page.read_text("utf-8")) == linked


def test_the_reports_of_a_torn_record(tmp_path: Path) -> None:
    """Hostile and incomplete records are written as any other."""
    for record in (samples.hostile(), samples.killed()):
        write_reports(record, tmp_path / "new", samples.RULES)

    assert (tmp_path / "new" / "junit.xml").read_bytes().startswith(b"<?xml")


def test_the_texts_of_the_suites_own_rules_are_the_default(tmp_path: Path) -> None:
    """Without texts of the caller's, those of the suite are quoted."""
    from conformance.rules import RULES

    rule = next(iter(RULES.values()))
    record = Record(header=samples.HEADER, rules=[samples.result(rule.id, "passed")])
    page = write_reports(record, tmp_path)["index.html"].read_text("utf-8")

    assert f"<code>{rule.id}</code>" in page
    assert 'class="law"' in page


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    """The caller hears of it; what to say to the user is the caller's."""
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="file"):
        write_reports(samples.conforming(), tmp_path / "file", samples.RULES)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            samples.diverging(),
            "mygrad 2.3.0 diverges from torch 2.13.0. Of 5 applicable rules, 1 is broken in 41,234 programs, by 2 causes.",
        ),
        (samples.conforming(), "mygrad 2.3.0 conforms to torch 2.13.0. Of 2 applicable rules, none is broken in 2,000 programs."),
        (
            samples.unsupported(),
            "mygrad 2.3.0 against torch 2.13.0: the run is incomplete. Incomplete: no program exercised a rule. "
            "Nothing was exercised, so nothing is shown.",
        ),
    ],
)
def test_the_verdict_in_sentences(record: Record, said: str) -> None:
    """Who against whom, the verdict, and on how much evidence it rests."""
    summary = summarize(record)

    assert f"{headline(summary)}. {sentences(summary)}" == said


def test_areas_stand_in_the_order_of_the_suite() -> None:
    """The matrix has the order of the areas, whatever the order of the record; unknown areas come last."""
    rules = [samples.result(f"{area}.x", "passed") for area in ("zeta", "pipeline", "alpha", "detach", "gradients")]
    names = [row.name for row in summarize(Record(header=samples.HEADER, rules=rules)).rows]

    assert names == ["gradients", "detach", "pipeline", "alpha", "zeta"]


def test_text_is_made_visible() -> None:
    """Escapes, NUL, overrides of direction and surrogates are spelled out; letters, line feeds and tabs stay."""
    assert visible("a\tb\nü∂\x1b\x00\u202e\ud800\r") == "a\tb\nü∂\\x1b\\x00\\u202e\\ud800\\r"


def test_a_version_that_is_not_known_is_not_named() -> None:
    """An adapter that says none reads as its name."""
    named = [versioned("mygrad", version) for version in ("2.3.0", "unknown", "")]

    assert named == ["mygrad 2.3.0", "mygrad", "mygrad"]


def test_small_words() -> None:
    """Cutting, counting and naming."""
    actual = clip("abcdef", 3), count(1, "rule"), count(0, "rule"), slug("a b/c"), token("a b=c\n"), token("")

    assert actual == ("abc … (3 more characters in record.jsonl)", "1 rule", "0 rules", "a-b-c", "a_b_c_", "unknown")
