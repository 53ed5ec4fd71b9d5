"""The scoreboard: what it keeps of a record, its pages, and what is committed of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import msgspec
import pytest

from conformance import cli
from conformance.scoreboard import read, read_triage, standing, untold, write
from conformance.scoreboard.entries import ENTRIES, KINDS, entry_of
from conformance.scoreboard.pages import cell, groups, render_html, render_readme
from conformance.scoreboard.standing import Verdict, anywhere, written
from conformance.writer import RecordWriter

sys.path.append(str(Path(__file__).parent / "report"))
import report_samples as samples

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "reports" / "scoreboard"


def test_a_standing_counts_rules_and_keeps_the_shortest_script() -> None:
    """A rule with two causes is one broken rule."""
    brief = standing(samples.diverging())

    assert brief.areas["versions"] == {"failed": 1, "passed": 1}
    assert [(b.rule, b.causes) for b in brief.broken] == [("versions.saved-result", 2)]
    assert (brief.kept("versions"), brief.kept("grad"), brief.applied) == ((1, 2), (0, 0), (5, 7))
    assert (cell(brief, "versions"), cell(brief, "grad"), cell(brief, "nowhere")) == ("1/2", "-", "-")
    assert (brief.kind, brief.command, brief.title) == ("tape", "tox run -e engine-mygrad", "mygrad")


def test_a_standing_is_free_of_the_machine() -> None:
    """Neither folders nor addresses in memory; an address of the web and a division stay."""
    texts = ["File '/usr/lib/x/y.py'", "<A at 0x7f00aa11bb22>", "https://example.org/a/b", "a / b and 1/2/3", "/a/b/c.py"]

    assert [anywhere(text) for text in texts] == ["File '.../y.py'", "<A at 0x...>", *texts[2:4], ".../c.py"]
    assert entry_of("mine:Engine", "conformance run mine:Engine --python /usr/x/python --seed 1").command == (
        "conformance run mine:Engine --python PYTHON --seed 1"
    )


@pytest.mark.parametrize("sample", ["diverging", "conforming", "unsupported", "killed", "hostile"])
def test_any_record_has_its_place_and_its_pages(sample: str, tmp_path: Path) -> None:
    """What an engine says is shown, and is markup nowhere."""
    record = getattr(samples, sample)()
    standings = write([record], tmp_path)
    html, markdown = ((tmp_path / name).read_text() for name in ("index.html", "README.md"))

    assert standings == [standing(record)]
    assert read(tmp_path) == standings
    assert "<script" not in html
    assert "<img" not in html.partition("<body>")[2]
    assert "<script>" not in re.sub(r"`[^`]*`", "", markdown).replace("\\<script\\>", "")
    assert (html, markdown) == (render_html(standings, {}), render_readme(standings, {}))


def test_engines_stand_beside_their_kind_alone() -> None:
    """Each kind has a table of its own, with the areas that its engines have; who was not run says why."""
    mine = standing(msgspec.structs.replace(samples.diverging(), header=msgspec.structs.replace(samples.HEADER, engine="jax")))
    shown = {group.kind: group for group in groups([standing(samples.diverging()), mine])}

    assert [s.engine for s in shown["tape"].standings] == ["mygrad"]
    assert [s.engine for s in shown["functional"].standings] == ["jax"]
    assert [name for name, _ in shown["tape"].areas] == ["gradients", "detach", "versions", "views"]
    assert {entry.name for entry in shown["tape"].absent} >= {"reference", "numpygrad"}
    assert set(shown) <= set(KINDS)


def test_what_nobody_triaged_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command, and on the page; a verdict takes its place."""
    folder = tmp_path / "run"
    folder.mkdir()
    writer = RecordWriter(folder / "record.jsonl")
    record = samples.diverging()
    for line in (record.header, *record.failures, *record.rules, record.footer):
        if line is not None:
            writer.write(line)
    writer.close()
    board = tmp_path / "board"
    command = ["scoreboard", str(tmp_path), "--out", str(board)]
    cli.cli.main(command, standalone_mode=False)
    first, page = capsys.readouterr().out, (board / "README.md").read_text()
    triage = {"mygrad": {"versions.saved-result": Verdict(kind="policy", why="it has no versions")}}
    (board / "triage.json").write_bytes(msgspec.json.encode(triage))
    cli.cli.main(command, standalone_mode=False)
    second, triaged = capsys.readouterr().out, (board / "README.md").read_text()

    assert first.startswith("not triaged: mygrad versions.saved-result\n1 record entered, 1 engines: ")
    assert "not triaged" not in second
    assert "| not triaged |" in page
    assert "| policy |" in triaged
    assert "it has no versions" in triaged


def test_every_engine_of_the_table_has_its_environment() -> None:
    """And the environment of the whole runs each of them."""
    tox = (ROOT / "tox.ini").read_text()
    heads = re.findall(r"^\[testenv:(engine-[^\]]+)\]", tox, re.MULTILINE)
    known = set()
    for head in heads:
        start, brace, names = head.partition("{")
        known |= {start + name for name in names.rstrip("}").split(",")} if brace else {head}
    wanted = {entry.environment for entry in ENTRIES if entry.environment}
    everything = tox.partition("[testenv:scoreboard]")[2].partition("[testenv:")[0]

    assert wanted <= known
    assert wanted == set(re.findall(r"engine-[\w-]+", everything))


def test_the_committed_scoreboard_is_that_of_its_records() -> None:
    """Its pages are made of its files, every broken rule is triaged, and nothing names a machine."""
    standings, triage = read(BOARD), read_triage(BOARD)
    texts = {path.name: path.read_text() for path in BOARD.iterdir()}
    folders = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|usr|opt|var|mnt|work)/")

    assert texts["README.md"] == render_readme(standings, triage)
    assert texts["index.html"] == render_html(standings, triage)
    assert {f"{s.title}.json": written(s) for s in standings}.items() <= texts.items()
    assert untold(standings, triage) == []
    assert {name: found[0] for name, text in texts.items() if (found := folders.findall(text))} == {}
