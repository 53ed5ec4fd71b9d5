"""The first hour, the how-tos and the gate: their files are made, their commands run, and what they show is what comes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from conformance.record import read

ROOT = Path(__file__).parents[2]
HOUR = (ROOT / "docs" / "first_hour.md").read_text()
HOWTO = (ROOT / "docs" / "howto.md").read_text()
GATE = (ROOT / "docs" / "gate.md").read_text()
PROGRAMS = {"conformance": "from conformance.cli import main; main()", "pytest": "import sys, pytest; sys.exit(pytest.main())"}


def commands(page: str) -> list[str]:
    """The lines of a page that are typed."""
    return re.findall(r"^    ((?:conformance|pytest) .*)$", page, re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


ENGINE, ADAPTER, REPAIR, TEST = blocks(HOUR, "python")
SMOKED, FAILS, ENDS = blocks(HOUR, "text")
SMOKE, RUN, EXPLAIN, ITEMS = commands(HOUR)
DEFECT = "                node.grad = Tensor(ct.copy())\n"


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command as it would be typed in the folder."""
    name, *words = shlex.split(command)
    code = f"import sys; sys.path[:0] = ['', {str(ROOT)!r}]; {PROGRAMS[name]}"
    return subprocess.run([sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the engine as repaired, its adapter and its test."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("hour")
    (folder / "my_engine.py").write_text(ENGINE.replace(DEFECT, REPAIR))
    (folder / "my_adapter.py").write_text(ADAPTER)
    (folder / "test_mine.py").write_text(TEST)
    return folder


def test_the_defect_is_found_as_told(tmp_path: Path) -> None:
    """The engine as printed breaks the rule that is named, and no other."""
    pytest.importorskip("torch")
    (tmp_path / "my_engine.py").write_text(ENGINE)
    (tmp_path / "my_adapter.py").write_text(ADAPTER)
    smoke, ended = run(tmp_path, SMOKE), run(tmp_path, RUN)

    assert smoke.returncode == 1, smoke.stdout + smoke.stderr
    assert SMOKED in smoke.stdout
    assert ended.returncode == 1, ended.stderr
    assert [line for line in FAILS.splitlines() if line not in ended.stdout] == []
    assert " failed=1 " in ended.stdout.splitlines()[-1]
    assert run(tmp_path, EXPLAIN).stdout.startswith(FAILS.split()[1])


def test_the_repair_ends_it(folder: Path) -> None:
    """One line is replaced, and the level is green."""
    ended = run(folder, RUN)

    assert DEFECT in ENGINE
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ENDS.strip() in ended.stdout.splitlines()[-1]


def test_the_tests_stay_green(folder: Path) -> None:
    """The items of the rules, and the one line in a test of one's own."""
    ended = run(folder, f"{ITEMS} -q -p no:cacheprovider test_mine.py")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "verdict=conforms" in ended.stdout


def test_the_commands_of_the_howtos_succeed(folder: Path) -> None:
    """In the order of the page, since some go on from what others left."""
    for command in commands(HOWTO):
        ended = run(folder, command)

        assert ended.returncode == 0, command + ended.stdout + ended.stderr


def test_the_commands_of_the_gate_end_as_told(tmp_path: Path) -> None:
    """In the order of the page: the engine is broken on Monday and mended on Tuesday; a stale entry is told of in its words."""
    pytest.importorskip("torch")
    (tmp_path / "my_adapter.py").write_text(ADAPTER)
    days = GATE.split("## Tuesday")
    assert len(days) == 2
    for day, engine in zip(days, (ENGINE, ENGINE.replace(DEFECT, REPAIR)), strict=True):
        (tmp_path / "my_engine.py").write_text(engine)
        for line in commands(day):
            command, _, told = line.partition("    # exit ")
            if command.endswith(" ID"):
                command = command.replace("ID", read(tmp_path / "reports/monday/record.jsonl").failures[0].id)
            ended = run(tmp_path, command)

            assert ended.returncode == int(told or 0), command + ended.stdout + ended.stderr
            if "--strict-baseline" in command:
                assert [words for words in blocks(GATE, "text")[0].splitlines() if words not in ended.stderr] == []


@pytest.mark.parametrize("code", blocks(HOWTO, "python"), ids=["record", "property"])
def test_a_snippet_of_the_howtos_runs(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A property is called as pytest would."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    scope: dict[str, object] = {}
    settings.register_profile("any machine", deadline=None, suppress_health_check=list(HealthCheck))
    settings.load_profile("any machine")
    try:
        exec(code, scope)
        for name, value in list(scope.items()):
            if name.startswith("test_"):
                value()  # type: ignore[operator]
    finally:
        settings.load_profile("default")

    assert scope.get("broken", []) == []
