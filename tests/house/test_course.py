"""The path for an engine that grows: its commands run, and its levels are those of the suite."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.areas import AREAS
from conformance.engine import Engine

ROOT = Path(__file__).parents[2]
COURSE = (ROOT / "docs" / "course.md").read_text()
LEVELS = re.findall(r"## Level (\d):.*?\n(.*?)(?=\n## )", COURSE, re.DOTALL)
COMMANDS = re.findall(r"^    ((?:conformance|pytest) .*)$", COURSE, re.MULTILINE)
PROGRAMS = {"conformance": "from conformance.cli import main; main()", "pytest": "import sys, pytest; sys.exit(pytest.main())"}


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A folder with the adapter of the README and a small engine."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "my_adapter.py").write_text(next(block for block in blocks if "class MyEngine" in block))
    shutil.copy(ROOT / "tests/engines/tiny.py", tmp_path / "my_engine.py")
    return tmp_path


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command as it would be typed in the folder."""
    name, *words = shlex.split(command)
    code = f"import sys; sys.path[:0] = ['', {str(ROOT)!r}]; {PROGRAMS[name]}"
    return subprocess.run([sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_course_succeeds(command: str, course: Path) -> None:
    """A small engine that does little and nothing wrong passes every level with what it has."""
    pytest.importorskip("torch")
    ended = run(course, command)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_level_in_the_ini_file_is_obeyed(course: Path) -> None:
    """The settings shown collect the rules of the level, and no others."""
    pytest.importorskip("torch")
    (course / "pytest.ini").write_text(re.findall(r"```ini\n(.*?)```", COURSE, re.DOTALL)[0])
    ended = run(course, "pytest --collect-only -q")
    collected = {line.rpartition("::")[2].partition(".")[0] for line in ended.stdout.splitlines() if "::" in line}

    assert collected == {area.name for area in AREAS if area.level == 1}


def test_levels_have_the_areas_that_are_told() -> None:
    """Each area stands at its level, in the order of the suite."""
    told = {int(level): re.findall(r"\w+", re.findall(r"^Areas: (.*)\.$", text, re.MULTILINE)[0]) for level, text in LEVELS}

    assert told == {level: [area.name for area in AREAS if area.level == level] for level in (1, 2, 3, 4)}


def test_methods_that_are_told_exist() -> None:
    """What the adapter is said to gain, it can define."""
    told = re.findall(r"The adapter (?:defines|gains): ([^\n]*?)(?:, and in |\.\n)", COURSE)
    names = [name for line in told for name in re.findall(r"`(\w+)`", line)]

    assert len(told) == 4
    assert [name for name in names if not hasattr(Engine, name)] == []
    assert len(names) == len(set(names))
