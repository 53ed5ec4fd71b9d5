"""The command that renders a record again, and what CI is told; nothing here runs an engine."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import typed

from conformance.cli.output import wants_color
from conformance.history import History
from conformance.record import Record
from conformance.report import FORMATS
from conformance.writer import RecordWriter

sys.path.append(str(Path(__file__).parent / "report"))
import report_samples as samples


def written(record: Record, folder: Path) -> Path:
    """The record in its file in a folder."""
    folder.mkdir(parents=True)
    writer = RecordWriter(folder / "record.jsonl")
    for line in (record.header, *record.failures, *record.saved, *record.rules, *([record.footer] if record.footer else [])):
        writer.write(line)
    writer.close()
    return folder


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in a folder that holds the record of a diverging run, away from any CI."""
    written(samples.diverging(), tmp_path / "reports/mygrad")
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)

    return typed(monkeypatch, capsys)


@pytest.mark.parametrize("record", ["reports/mygrad", "reports/mygrad/record.jsonl"])
def test_a_record_is_rendered_beside_itself(command: Any, tmp_path: Path, record: str) -> None:
    """By its file or its folder; the summary ends with the sentence for machines, and the verdict does not fail the command."""
    ended = command("report", record, "--format", "junit", "--format", "sarif")

    assert (ended.status, ended.err) == (0, "")
    assert sorted(p.name for p in (tmp_path / "reports/mygrad").iterdir()) == ["junit.xml", "record.jsonl", "results.sarif"]
    assert ended.out.splitlines()[-1].startswith("conformance: engine=mygrad oracle=torch verdict=diverges ")


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"html"}))
def test_a_format_goes_to_another_folder_or_to_standard_output(command: Any, tmp_path: Path, name: str) -> None:
    """The same text, and nothing beside it."""
    command("report", "reports/mygrad", "--format", name, "--out", "elsewhere")
    printed = command("report", "reports/mygrad", "--format", name, "--out", "-")

    assert [p.name for p in (tmp_path / "elsewhere").iterdir()] == [FORMATS[name].file]
    assert printed.out == (tmp_path / "elsewhere" / FORMATS[name].file).read_text()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("report", "nothing"), ("cannot read nothing: No such file", "name a record.jsonl")),
        (("report", "torn"), ("this is not a record",)),
        (("report", "words.jsonl"), ("words.jsonl: this is not a record",)),
        (("report", "reports/mygrad", "--out", "-"), ("--out - prints one format", "--format")),
        (("report", "reports/mygrad", "--format", "pdf"), ("'pdf' is not one of", "sarif")),
        (
            ("report", "reports/mygrad", "--format", "junit", "--out", "torn/record.jsonl/x"),
            ("cannot write the reports to", "--out"),
        ),
    ],
)
def test_bad_use_is_one_line(command: Any, tmp_path: Path, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """The line says what is wrong and what to type."""
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn/record.jsonl").write_text("")
    (tmp_path / "words.jsonl").write_text("no record\n")
    ended = command(*arguments)

    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert [part for part in parts if part not in ended.err] == []


def test_a_github_job_is_told(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is for people holds no command for the runner; then the sentence, then annotations; the job has its summary."""
    (tmp_path / "summary").write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    lines = command("report", "reports/mygrad", "--format", "junit").out.splitlines()

    assert lines[0].startswith("::stop-commands::")
    assert lines[-3] == f"::{lines[0].rpartition('::')[2]}::"
    assert lines[-2].startswith("conformance: engine=mygrad ")
    assert lines[-1].startswith("::error title=versions.saved-result (level 1)::")
    assert (tmp_path / "summary").read_text().startswith("before\n## ❌ mygrad 2.3.0 diverges from torch 2.13.0\n")


def test_a_summary_that_cannot_be_written_fails_nothing(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    ended = command("report", "reports/mygrad", "--format", "junit")

    assert (ended.status, ended.err) == (0, "conformance: the summary of the job could not be written: Is a directory\n")


def test_elsewhere_no_command_is_printed(command: Any) -> None:
    """A terminal shows the summary alone."""
    assert "::" not in command("report", "reports/mygrad", "--format", "junit").out


def test_a_record_is_compared_with_the_run_before_it(command: Any, tmp_path: Path) -> None:
    """By the history of the folder above, as `run` does, and not with what was run since; a damaged one is told of."""
    history = History(tmp_path / "reports")
    for name, record in (("earlier", samples.before()), ("mygrad", None), ("later", samples.conforming())):
        if record is not None:
            written(record, tmp_path / "reports" / name)
        history.add(tmp_path / "reports" / name / "record.jsonl")
    ended = command("report", "reports/mygrad")
    page = (tmp_path / "reports/mygrad/index.html").read_text()
    printed = command("report", "reports/mygrad", "--format", "html", "--out", "-").out
    history.path.write_text("no database" * 100)
    damaged = command("report", "reports/mygrad", "--format", "junit")

    assert (ended.status, ended.err) == (0, "")
    assert 'id="changes"' in page
    assert 'class="spark"' in page
    assert printed == re.sub(r".*<dt>Files</dt>.*\n", "", page)  # Nothing lies beside what is printed.
    assert (damaged.status, damaged.err.count("\n")) == (0, 1)
    assert "nothing is compared with the history" in damaged.err


def test_replay_commands_find_the_record(command: Any, tmp_path: Path) -> None:
    """Where it does not lie below reports/, they say where, as those of the run did."""
    written(samples.diverging(), tmp_path / "elsewhere")

    assert "conformance replay f3a91c --reports elsewhere" in command("report", "elsewhere", "--format", "junit").out


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "colored"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(stream: io.StringIO, environ: dict[str, str], colored: bool) -> None:
    """NO_COLOR counts where it is not empty."""
    assert wants_color(stream, environ) is colored


def test_hostile_records_are_rendered_in_every_format(command: Any, tmp_path: Path) -> None:
    """Nothing that an engine says reaches the terminal but as visible text."""
    written(samples.hostile(), tmp_path / "hostile")
    words = [word for name in FORMATS if name != "html" for word in ("--format", name)]
    ended = command("report", "hostile", *words)

    assert ended.status == 0
    assert [char for char in ended.out + ended.err if not char.isprintable() and char != "\n"] == []
