"""What an engine says, or a record holds, reaches people and machines as harmless text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from commands import typed

from conformance.record import FORMAT, read
from conformance.report import FORMATS

ROOT = Path(__file__).parents[2]
MOST = 30_000_000  # bytes of one report


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in an empty folder, as a GitHub job does; gives status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "tests/engines")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

    return typed(monkeypatch, capsys)


def control(text: str) -> list[str]:
    """What does not print."""
    return sorted({char for char in text if not char.isprintable() and char not in "\n\t"})


def test_a_hostile_engine_is_judged_and_reported(command: Any, tmp_path: Path) -> None:
    """The run ends with its verdict; no report, nor the terminal, nor the job's summary holds control characters or megabytes."""
    words = [word for name in FORMATS for word in ("--format", name)]
    status, out, err = command("run", "hostile:Hostile", "--oracle", "reference", "--programs", "40", "--area", "gradients",
                               "--out", "out", *words)  # fmt: skip
    record = read(tmp_path / "out/record.jsonl")
    reports = {entry.file: (tmp_path / "out" / entry.file).read_text("utf-8") for entry in FORMATS.values()}

    assert (status, record.verdict) == (1, "diverges"), err[-2000:]
    assert control(out + err) == []
    assert {name: control(text) for name, text in reports.items() if control(text)} == {}
    assert {name: len(text) for name, text in reports.items() if len(text) > MOST} == {}
    assert control((tmp_path / "summary.md").read_text("utf-8")) == []
    assert len(out.splitlines()) < 60


def test_a_hostile_engine_commands_no_runner(command: Any) -> None:
    """Outside of the part that the runner skips, each line that begins as a command is an annotation of ours."""
    _, out, _ = command(
        "run", "hostile:Hostile", "--oracle", "reference", "--programs", "40", "--area", "gradients", "--out", "out"
    )
    token = re.match(r"::stop-commands::(\w+)\n", out)
    assert token is not None
    after = out.partition(f"\n::{token[1]}::\n")[2].splitlines()
    commands = [line for line in after if line.lstrip().startswith("::") or "##[" in line]

    assert after[0].startswith("conformance: engine=hostile:Hostile ")
    assert [line for line in commands if not line.startswith("::error title=gradients.")] == []


def deep(levels: int) -> str:
    """JSON as deep as that."""
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("levels", [200, 100_000])
def test_a_deep_record_is_one_line_of_trouble_at_most(command: Any, tmp_path: Path, levels: int) -> None:
    """No traceback and no crash, however deep the JSON is."""
    header = {"type": "header", "format": FORMAT, "suite_version": "0", "engine": "x", "engine_version": "0", "oracle": "torch",
              "oracle_version": "0", "seed": 0}  # fmt: skip
    failure = {name: "x" for name in ("id", "rule", "area", "kind", "facet", "statement", "proof", "torch_script",
                                      "engine_script", "replay")}  # fmt: skip
    failure |= {"type": "failure", "difference": {}, "steps": [], "program": {}}
    line = json.dumps(failure)[:-1] + f', "reduced": {{"steps": {deep(levels)}}}}}'
    (tmp_path / "record.jsonl").write_text(json.dumps(header) + "\n" + line + "\n")
    words = [word for name in FORMATS for word in ("--format", name)]
    status, out, err = command("report", "record.jsonl", *words)

    assert "Traceback" not in out + err
    assert (status, err.count("\n")) in ((0, 0), (2, 1)), err


@pytest.mark.parametrize(
    "content", [b"\x00" * 1000, b"\xff\xfe{}\n", b"{}\n", b'{"type":"header"}\n', b"[" * 100_000 + b"\n", b"\n\n"]
)
def test_what_is_no_record_is_one_line_of_trouble(command: Any, tmp_path: Path, content: bytes) -> None:
    """Exit 2, and one line that can be printed."""
    (tmp_path / "record.jsonl").write_bytes(content)
    status, _, err = command("report", "record.jsonl")

    assert (status, err.count("\n"), control(err)) == (2, 1, [])
