"""The page docs/findings.md: its table, its scripts, and those of engines that are installed beside the tests.

`tox run -e findings` runs all of them, each in an environment of its engine alone.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))
import findings
import referee

from conformance.rules import RULES

TEXT = findings.PAGE.read_text()
SECTIONS = findings.sections()
ALL = [finding for section in SECTIONS for finding in section.findings]
# What the scripts of an engine are imported by, where the tests may have it beside them.
BESIDE = {"mygrad": "mygrad", "pytorch": "torch", "autograd": "autograd", "micrograd": "micrograd"}
SLOW = re.compile(r"^(inductor|aot_eager|eager backend)\b")  # they load PyTorch's compiler
KINDS = ("Mathematics", "Precision", "Crash", "Refusal", "Defect", "Semantics", "Policy")


def name_of(finding: findings.Finding) -> str:
    """A short name of a finding."""
    return f"{finding.engine}: {finding.title}"[:80]


def test_every_section_has_its_scripts() -> None:
    """No finding goes without its proof, and no engine without what its environment needs."""
    listed = TEXT.partition("\n## Policy")[0]
    heads = re.findall(r"^## ([^\n]+)", listed, re.MULTILINE)

    assert [section.engine for section in SECTIONS] == heads
    assert len(ALL) == len(re.findall(r"^### ", listed, re.MULTILINE))
    assert all(section.findings for section in SECTIONS)


def test_the_table_is_that_of_the_sections() -> None:
    """Engine, finding and kind in one line each, in the order of the page."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (\w+) \|$", TEXT, re.MULTILINE)
    kinds = [(f.engine, f.title, kind[1]) for f in ALL if (kind := re.match(r"\s*\*(\w+)\.", f.about))]
    bugs = [row for row in kinds if row[2] != "Policy"]

    assert [row for row in rows if row[1] != "finding"] == kinds
    assert {kind for _, _, kind in kinds} <= set(KINDS)
    assert f"{len(bugs)} bugs in {len({engine for engine, _, _ in bugs})} engines" in TEXT


@pytest.mark.parametrize("finding", ALL, ids=name_of)
def test_a_script_is_short_and_imports_its_engine_alone(finding: findings.Finding) -> None:
    """With NumPy and what Python brings; the rules that it names exist."""
    imports = set(re.findall(r"^(?:import|from) (\w+)|^import \w+, (\w+)", finding.script, re.MULTILINE))
    names = {name for pair in imports for name in pair if name}
    engines = {"PyTorch": "torch", "PaddlePaddle": "paddle", "minitorch": "torch"}
    own = engines.get(finding.engine.split()[0], finding.engine.split()[0].lower())

    assert len(finding.script.splitlines()) <= 12
    assert finding.language == "js" or names <= {own, "numpy", "math"}
    named = re.match(r"\s*\*\w+\. Rule: ([^*]+)\*", finding.about)
    assert set(re.findall(r"`([^`]+)`", named[1] if named else "")) <= RULES.keys()


def here(section: findings.Section) -> str:
    """Why the scripts of an engine cannot be run in this environment; empty where they can."""
    module = BESIDE.get(section.name)
    if module is None:
        return "`tox run -e findings` runs it"
    if find_spec(module) is None:
        return f"{module} is not installed"
    version = importlib.metadata.version(module).partition("+")[0]
    return "" if section.engine.endswith(f" {version}") else f"{module} {version} is another version"


RUN = [(section, finding) for section in SECTIONS if section.name in BESIDE for finding in section.findings]


@pytest.mark.parametrize(("section", "finding"), RUN, ids=[name_of(finding) for _, finding in RUN])
def test_a_script_prints_what_the_page_says(section: findings.Section, finding: findings.Finding) -> None:
    """Where its engine is, in that version."""
    if reason := here(section):
        pytest.skip(reason)
    if SLOW.match(finding.title) and not os.environ.get("CONFORMANCE_SLOW"):
        pytest.skip("it loads PyTorch's compiler: set CONFORMANCE_SLOW, or `tox run -e findings`")
    found = findings.run(finding, sys.executable, section.settings)

    assert findings.same(finding.printed, found), found


MATHEMATICS = [finding for finding in ALL if finding.about.strip().startswith("*Mathematics.")]


@pytest.mark.parametrize("finding", MATHEMATICS, ids=name_of)
def test_finite_differences_refute_what_is_wrong_by_mathematics(finding: findings.Finding) -> None:
    """What the page shows is not the gradient (or the value) of what the script computes; or it is said what refutes it."""
    engine = finding.engine.split()[0].lower()
    rows = referee.rows_of(engine, finding.title)
    told = [title for name, title in referee.OTHERWISE if name == engine and finding.title.startswith(title)]

    assert [referee.is_wrong(row, finding.printed) for row in rows] == [True] * len(rows)
    assert bool(rows) != bool(told)


def test_the_referee_refutes_nothing_that_is_right() -> None:
    """Each row agrees with its own gradient, printed; none is of no finding."""
    titles = [(finding.engine.split()[0].lower(), finding.title) for finding in MATHEMATICS]
    for row in referee.ROWS:
        expected, _ = referee.right(row)
        told = row._replace(shown=slice(None))

        assert any(engine == row.engine and title.startswith(row.title) for engine, title in titles), row.title
        assert not referee.is_wrong(told, " ".join(f"{number:.17g}" for number in expected)), row.title
