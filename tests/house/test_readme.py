"""What the README promises is run."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


def test_adapter_of_the_readme_judges_a_course_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter printed in the README runs the suite on a small engine; what the engine lacks is unsupported, not passed."""
    pytest.importorskip("torch")
    import conformance

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "engines"))
    monkeypatch.setitem(sys.modules, "my_engine", importlib.import_module("tiny"))
    scope: dict[str, object] = {}
    exec(next(b for b in blocks("python") if "class MyEngine" in b), scope)
    engine = scope["MyEngine"]()  # type: ignore[operator]
    areas = ("gradients", "accumulation", "versions", "grad")
    try:
        record = conformance.check(engine, programs=400, areas=areas)
    except conformance.NonConforming as error:
        record = error.record
    verdicts = {r.id: r.verdict for r in record.rules}

    assert verdicts["gradients.binary"] == "passed"
    assert verdicts["accumulation.several-backwards"] == "passed"
    assert verdicts["versions.saved-input"] == "unsupported"
    assert verdicts["grad.second-order"] == "unsupported"
    assert [r for r, v in verdicts.items() if v == "failed"] == []


def test_sample_failure_is_true() -> None:
    """The sample failure's script, run by itself, prints the wrong answer that the README shows."""
    pytest.importorskip("mygrad")
    sample = re.search(r"<!-- sample failure.*?```text\n(.*?)```", README.read_text(), re.DOTALL)
    assert sample is not None
    script = sample[1][sample[1].index("import ") :]
    shown = re.search(r"# right: (.*); wrong: (.*)", script)
    assert shown is not None
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()

    assert printed.replace("array", "").strip("()").replace(" ", "") == shown[2].replace(" ", "")
    assert shown[1] != shown[2]
