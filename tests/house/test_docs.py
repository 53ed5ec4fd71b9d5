"""The examples of the reading guide run, on torch and on the reference engine."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

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
