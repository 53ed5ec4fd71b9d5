"""The examples of the reading guide run, on torch and on the reference engine; no page shows a command that is none."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest

from conformance.cli import cli
from conformance.pytest_settings import SETTINGS

GUIDE = Path(__file__).parents[2] / "docs" / "reading_guide.md"
EXAMPLES = re.findall(r"## (\d\. [^\n]+)\n.*?```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


@pytest.mark.parametrize("engine", ["torch", "reference_engine"])
@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_example_of_the_guide_holds(title: str, code: str, engine: str) -> None:
    """The rule shown holds on either engine."""
    if engine == "torch" and find_spec("torch") is None:
        pytest.skip("torch is not installed")
    module: Any = __import__(engine)
    exec(code, {"torch": module})


def test_every_rule_of_the_mission_is_shown() -> None:
    """The guide has one example for each of the seven rules."""
    assert [title[0] for title, _ in EXAMPLES] == list("1234567")


ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
TYPED = re.compile(r"^    (?:\$ )?((?:conformance|pytest) [^\n#|]*)", re.MULTILINE)


def typed() -> list[tuple[str, str]]:
    """Every command that a page shows, with the page's name."""
    return [(page.name, command.strip()) for page in PAGES for command in TYPED.findall(page.read_text())]


@pytest.mark.parametrize(("page", "command"), typed())
def test_a_command_that_is_shown_is_understood(page: str, command: str) -> None:
    """Its words, options and values are those of the command line; that it does what is told, the page's own test says."""
    program, *words = shlex.split(command)
    if program == "pytest":
        options = [word for word in words if word.startswith("--autograd-")]
        assert [option for option in options if option.partition("=")[0] not in {setting.option for setting in SETTINGS}] == []
        return
    group: Any = cli
    while isinstance(group, click.Group) and words and words[0] in group.commands:
        group = group.commands[words.pop(0)]

    assert group is not cli
    group.make_context("conformance", words)


def test_pages_with_commands_or_snippets_have_a_test_that_runs_them() -> None:
    """A page that says what to type, or shows code of Python, is named in some test."""
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    showing = [page for page in PAGES if TYPED.search(page.read_text()) or "```python" in page.read_text()]

    assert [page.name for page in showing if page.name not in tests and page != GUIDE] == []
