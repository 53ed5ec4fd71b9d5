"""Every format against its schema, of every kind of record, and with hostile text in every field."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
import report_samples as samples
import xmlschema
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion

from conformance.record import Failure, Footer, Record, RuleResult
from conformance.report import DEFAULT, FORMATS, Material, render, write_reports
from conformance.report import github as annotations
from conformance.report.badge import COLORS
from conformance.report.markdown import code, escaped, fenced
from conformance.report.places import Place, place_of

SCHEMAS = Path(__file__).parents[2] / "schemas"
RECORD = Place("reports/mygrad/record.jsonl")
ADAPTER = Place("my_package/adapter.py", 12, adapter=True)
NAMES = ("diverging", "conforming", "unsupported", "killed", "hostile")


def huge() -> Record:
    """A record with megabytes of message and a program as deep as JSON may be read."""
    deep: Any = "bottom"
    for _ in range(400):
        deep = {"in": [deep]}
    long = "`|<x>" * 400_000
    failures = [
        Failure(id=f"{n:04}", rule=f"views.r{n}", area="views", kind=long, facet="x", statement=long, difference=deep, proof=long,
                steps=[], program=deep, reduced=deep, torch_script=long, engine_script=long, replay="conformance replay x")
        for n in range(3)
    ]  # fmt: skip
    rules = [RuleResult(id=f.rule, area="views", obligation="MUST", verdict="failed", failures=[f.id]) for f in failures]
    return Record(header=samples.HEADER, failures=failures, rules=rules, footer=Footer(programs=3, verdict="diverges"))


def text_of(name: str, record: Record, place: Place = RECORD) -> str:
    """A record in a format."""
    return FORMATS[name].render(Material(record, samples.RULES, place))


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"html", "junit"}))
def test_a_format_is_as_it_was_reviewed(name: str, snapshot: SnapshotAssertion) -> None:
    """A run with every verdict, in each format."""
    assert text_of(name, samples.diverging(), ADAPTER) == snapshot


@pytest.mark.parametrize("sample", NAMES)
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_text_that_prints_and_is_the_same_again(name: str, sample: str) -> None:
    """No control character is left, everything encodes, and the same record gives the same bytes."""
    text = text_of(name, getattr(samples, sample)())

    assert [char for char in text if not char.isprintable() and char not in "\n\t"] == []
    assert text.encode() == text_of(name, getattr(samples, sample)()).encode()


@pytest.mark.parametrize("sample", [*NAMES, "huge"])
def test_junit_keeps_to_its_schema(sample: str) -> None:
    """The XML schema that Jenkins reads JUnit by."""
    record = huge() if sample == "huge" else getattr(samples, sample)()
    schema = xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))

    schema.validate(ElementTree.ElementTree(ElementTree.fromstring(text_of("junit", record).encode())))


@pytest.mark.parametrize("place", [RECORD, ADAPTER, Place("/elsewhere/a b#c.jsonl"), Place("a:b/<x>?.jsonl")], ids=str)
@pytest.mark.parametrize("sample", [*NAMES, "huge"])
def test_sarif_keeps_to_its_schema(sample: str, place: Place) -> None:
    """SARIF 2.1.0; each result names its rule by id and by index, and the file by a reference that reads back."""
    record = huge() if sample == "huge" else getattr(samples, sample)()
    log = json.loads(text_of("sarif", record, place))
    schema = json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text())
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER).validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    where = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in run["results"]]

    assert [rules[r["ruleIndex"]]["id"] for r in run["results"]] == [r["ruleId"] for r in run["results"]]
    assert {unquote(entry["uri"].removeprefix("file://")) for entry in where} <= {place.file}
    assert all(("uriBaseId" in entry) is not place.file.startswith("/") for entry in where)


def test_sarif_has_a_result_for_each_cause_with_its_reproducer() -> None:
    """What is broken is an error at the adapter, with script and replay; what is allowed is no result; the rule is explained."""
    (run,) = json.loads(text_of("sarif", samples.diverging(), ADAPTER))["runs"]
    results = run["results"]
    rule = run["tool"]["driver"]["rules"][results[0]["ruleIndex"]]

    assert [(r["ruleId"], r["level"]) for r in results] == [("versions.saved-result", "error")] * 2
    assert "import mygrad as mg" in results[0]["message"]["text"]
    assert results[0]["properties"]["replay"] == "conformance replay f3a91c"
    assert results[0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 12}
    assert "Why: The gradient would be computed" in rule["help"]["text"]
    assert rule["helpUri"].startswith("https://example.org/")
    assert results[0]["partialFingerprints"]["symptom/v1"] == results[1]["partialFingerprints"]["symptom/v1"]


def test_sarif_says_that_a_run_was_no_success() -> None:
    """A run without an end is no clean bill of health."""
    (invocation,) = json.loads(text_of("sarif", samples.killed()))["runs"][0]["invocations"]

    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    assert "no footer" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_sarif_leaves_no_link_or_placeholder_to_an_engine() -> None:
    """Braces and links have a meaning in SARIF's messages."""
    failure = samples.failure()
    record = Record(header=samples.HEADER, failures=[Failure(**{f: getattr(failure, f) for f in failure.__struct_fields__}
                    | {"proof": "see [here](http://evil) {0}"})])  # fmt: skip
    (run,) = json.loads(text_of("sarif", record))["runs"]

    assert run["results"][0]["message"]["text"].startswith("see [here] (http://evil) {{0}}")


@pytest.mark.parametrize(("sample", "message", "color"), [
    ("diverging", "1 of 5 rules broken", "red"),
    ("conforming", "2 of 2 rules kept", "brightgreen"),
    ("unsupported", "incomplete", "lightgrey"),
    ("killed", "incomplete", "lightgrey"),
    ("hostile", "incomplete", "lightgrey"),
])  # fmt: skip
def test_the_badge(sample: str, message: str, color: str) -> None:
    """The endpoint keeps to its schema; both badges say the verdict and nothing of the engine's."""
    record = getattr(samples, sample)()
    answer = json.loads(text_of("badge", record))
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / "shields-endpoint.schema.json").read_text())).validate(answer)
    picture = ElementTree.fromstring(text_of("badge-svg", record))

    assert (answer["message"], answer["color"]) == (message, color)
    assert picture.attrib["aria-label"] == f"autograd: {message}"


def test_the_picture_needs_nobody() -> None:
    """No script, no style, no reference out of it: only shapes and text, all within the picture."""
    text = text_of("badge-svg", samples.diverging())
    picture = ElementTree.fromstring(text)
    width = int(picture.attrib["width"])
    tags = {element.tag.rpartition("}")[2] for element in picture.iter()}
    texts = [(int(e.attrib["x"]), int(e.attrib["textLength"])) for e in picture.iter("{http://www.w3.org/2000/svg}text")]

    assert tags == {"svg", "title", "clipPath", "rect", "g", "text"}
    assert re.findall(r"href|<script|<style|@import", text) == []
    assert all(x > 0 and x + length < width for x, length in texts)


def luminance(color: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_picture_can_be_read() -> None:
    """White on each colour has a contrast of 4.5 at least."""
    assert [drawn for _, drawn in COLORS.values() if 1.05 / (luminance(drawn) + 0.05) < 4.5] == []


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]


@pytest.mark.parametrize("sample", [*NAMES, "huge"])
def test_markdown_renders_to_what_it_meant(sample: str) -> None:
    """As GitHub's Markdown, HTML let through: nothing of an engine's becomes a tag or a link, and tables are tables."""
    record = huge() if sample == "huge" else getattr(samples, sample)()
    text = text_of("markdown", record)
    page = Tags(MarkdownIt("gfm-like", {"html": True}).render(text))

    assert page.tags <= {
        "h2",
        "h3",
        "p",
        "code",
        "pre",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "details",
        "summary",
    }
    assert "table" in page.tags or not record.rules
    assert page.links == []
    assert len(text.encode()) < 1_000_000


def test_markdown_has_notes_and_what_the_engine_tells_of_itself() -> None:
    """All as text."""
    text = text_of("markdown", samples.keeping()).replace("\\", "")

    assert "\nNote: works undeclared: views\n" in text
    assert "home: https://example.org/mygrad, issues: https://example.org/mygrad/issues, language: Python 3.11.2." in text


def test_markdown_of_a_hostile_text_reads_as_that_text() -> None:
    """Marks are escaped, and code closes where we close it."""
    render_ = MarkdownIt("gfm-like", {"html": True}).render
    text = "`` ``` <b>x</b> [a](b) | **c** http://e.org @me :tada: 1. - # \\"
    plain = re.sub(r"<[^>]*>", "", render_(escaped(text))).replace("&lt;", "<").replace("&gt;", ">").strip()

    assert plain == text
    assert render_(code(text)).count("<code>") == 1
    assert render_("\n".join(fenced("```\n</details>\n````", "python"))).count("<pre>") == 1


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it: its name, properties and message."""
    match = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
    assert match is not None, line
    escapes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
    read = lambda text: re.sub("%0D|%0A|%3A|%2C|%25", lambda m: escapes[m[0]], text)
    properties = dict(pair.split("=", 1) for pair in match[2].split(","))
    return match[1], {name: read(value) for name, value in properties.items()}, read(match[3])


def test_an_annotation_points_at_the_adapter() -> None:
    """Proof and replay of the first cause, at the definition of the adapter."""
    (line,) = text_of("github", samples.diverging(), ADAPTER).splitlines()

    assert parsed(line) == (
        "error",
        {"file": "my_package/adapter.py", "line": "12", "title": "versions.saved-result (level 1)"},
        "b was saved by exp at version 0; add_ made it 1; backward used it without an error.\nconformance replay f3a91c",
    )


@pytest.mark.parametrize(("rules", "lines"), [(1, 1), (10, 10), (11, 10), (200, 10)])
def test_annotations_are_ten_at_most_and_begin_with_the_weakest_rule(rules: int, lines: int) -> None:
    """GitHub drops what is more, so the last one counts the rest."""
    results = [
        RuleResult(id=f"views.r{n}", area="views", obligation="MUST", level=4 - n % 4, verdict="failed") for n in range(rules)
    ]
    record = Record(header=samples.HEADER, rules=results, footer=Footer(programs=1, verdict="diverges"))
    commands = [parsed(line) for line in text_of("github", record).splitlines()]
    levels = [int(found[1]) for _, p, _ in commands if (found := re.search(r"level (\d)", p["title"]))]

    assert len(commands) == lines
    assert levels == sorted(levels)
    assert rules <= 10 or commands[-1][2] == f"{rules - 9} more rules are broken: see the report"


def test_an_incomplete_run_is_annotated_and_a_good_one_is_not() -> None:
    """A red job says why."""
    assert "no program exercised a rule" in text_of("github", samples.unsupported())
    assert text_of("github", samples.conforming()) == ""


@pytest.mark.parametrize("sample", ["hostile", "huge"])
def test_an_engine_cannot_command_the_runner(sample: str) -> None:
    """Each line is one command of ours with the properties that we named, and of bounded length."""
    record = huge() if sample == "huge" else samples.hostile()
    lines = text_of("github", record, Place(f"x,y:{samples.HOSTILE}.py", adapter=True)).splitlines()

    assert {name for name, _, _ in map(parsed, lines)} == {"error"}
    assert {frozenset(properties) for _, properties, _ in map(parsed, lines)} == {frozenset({"file", "line", "title"})}
    assert max(map(len, lines)) < 30_000


def test_text_for_people_stands_where_the_runner_looks_for_no_command() -> None:
    """Its end is a token that is another each time."""
    one, other = annotations.between_commands("  ::error::x\n"), annotations.between_commands("")
    token = re.match(r"::stop-commands::(\w{32})\n", one)

    assert token is not None
    assert one.endswith(f"::error::x\n::{token[1]}::\n")
    assert token[1] not in other


def test_the_adapter_is_found_where_it_is_defined(tmp_path: Path) -> None:
    """Below the working folder or in src, by the line of its class; else the record stands for it. Nothing is imported."""
    (tmp_path / "src/pkg").mkdir(parents=True)
    (tmp_path / "src/pkg/adapter.py").write_text("raise SystemExit\n\n\nclass MyEngine:\n    pass\n")
    (tmp_path / "flat.py").write_text("engine = 3\n")
    folder = Path("reports/mine")

    def place(engine: str) -> Place:
        header = samples.HEADER
        changed = {name: getattr(header, name) for name in header.__struct_fields__} | {"engine": engine}
        return place_of(Record(header=type(header)(**changed)), folder, tmp_path)

    assert place("pkg.adapter:MyEngine") == Place("src/pkg/adapter.py", 4, adapter=True)
    assert place("flat:engine") == Place("flat.py", 1, adapter=True)
    assert place("flat:absent") == Place("flat.py", 1, adapter=True)
    for name in ("mygrad", "absent:Engine", "../flat:engine", "exec:node a.js", "x\0y:z", f"{'a.' * 5000}b:c"):
        assert place(name) == Place("reports/mine/record.jsonl")


def test_every_format_is_a_row(tmp_path: Path) -> None:
    """Its name writes its file and no other; without names the two of old are written."""
    record = samples.diverging()
    written = write_reports(record, tmp_path / "all", samples.RULES, formats=FORMATS)

    assert sorted(written) == sorted(entry.file for entry in FORMATS.values())
    assert sorted(p.name for p in (tmp_path / "all").iterdir()) == sorted(written)
    assert sorted(write_reports(record, tmp_path / "few", samples.RULES)) == sorted(FORMATS[name].file for name in DEFAULT)
    assert render("badge", record, tmp_path) == written["badge.json"].read_text()
