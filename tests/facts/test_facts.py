"""416 facts of torch's autograd and 148 historical defects, on torch and on the reference engine, from the same files."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
ENGINES = ("torch", "reference")

# Facts that do not hold on the reference engine; docs/deviations.md gives the reason for each.
DEVIATIONS = frozenset(
    re.findall(r"^\| `([a-z]+\.\w+|[a-z]+\d+)` \|", (HERE.parents[1] / "docs/deviations.md").read_text(), re.M)
)


@contextlib.contextmanager
def running_on(engine: str) -> Iterator[None]:
    """Within the context `import torch` means this engine, and torch's warnings are not shown."""
    with contextlib.ExitStack() as stack:
        if engine == "reference":
            import reference_engine

            stack.enter_context(reference_engine.installed_as_torch())
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setenv("PYTHONPATH", str(HERE / "as_torch"))  # for the facts that look into a child process
        else:
            torch = pytest.importorskip("torch")
            torch.set_warn_always(True)  # facts about warnings hold whatever warned before
            stack.callback(torch.set_warn_always, False)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


@cache
def loaded(file: str, engine: str) -> ModuleType:
    """The file, executed with this engine under torch's name."""
    with running_on(engine):
        spec = importlib.util.spec_from_file_location(f"{file}_on_{engine}", HERE / f"{file}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def rule_ids() -> list[str]:
    """The ids of the facts, read from the text so that collection needs no engine."""
    text = (HERE / "torch_rules.py").read_text()
    return [f"{area}.{slug}" for area, slug in re.findall(r"^def test_([a-z]+)__(\w+)\(", text, re.M)]


def bug_ids() -> list[str]:
    """The ids of the defects."""
    text = (HERE / "bug_programs.py").read_text()
    return re.findall(r"^    '([a-z]+\d+)':", text[text.index("\nRIGHT") : text.index("\nWRONG")], re.M)


def expect(engine: str, name: str, request: pytest.FixtureRequest) -> None:
    """A listed deviation must fail: when it holds at last, its line in the list is stale."""
    if engine == "reference" and name in DEVIATIONS:
        request.applymarker(pytest.mark.xfail(strict=True, reason="docs/deviations.md"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", rule_ids())
def test_fact_holds(name: str, engine: str, request: pytest.FixtureRequest) -> None:
    """The fact holds."""
    expect(engine, name, request)
    rules = loaded("torch_rules", engine).RULES
    function = next(rule[4] for rule in rules if rule[0] == name)
    with running_on(engine):
        function()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", bug_ids())
def test_program_shows_the_right_answer(name: str, engine: str, request: pytest.FixtureRequest) -> None:
    """The program shows what is right, which differs from what the defect would show."""
    expect(engine, name, request)
    module = loaded("bug_programs", engine)
    with running_on(engine):
        seen = module.observe(name)

    assert seen == module.RIGHT[name]
    assert seen != module.WRONG[name]


def test_at_most_three_in_a_hundred_deviate() -> None:
    """The list of deviations stays short."""
    assert len(DEVIATIONS) <= 0.03 * (len(rule_ids()) + len(bug_ids()))
