"""Every planted defect can be planted and does harm; the runner kills one."""

from __future__ import annotations

import ast
import builtins
import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from conformance.areas import AREA_NAMES
from conformance.run import Options
from mutants import mutant as planting
from mutants import pool
from mutants.catalogue import BY_ID, MUTANTS
from mutants.measure import Bench, Result, measure
from mutants.mutant import Mutant, facts_of
from mutants.totals import kill_rate, rightly_attributed, totals

compiled = functools.lru_cache(maxsize=None)(builtins.compile)


@pytest.fixture(autouse=True)
def compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code that the engine makes of its rows is the same in most mutants; compiling it is most of an import."""
    monkeypatch.setattr(builtins, "compile", compiled)


def named(mutant: Mutant) -> str:
    """The id of a mutant's test."""
    return mutant.id


def programs() -> list[str]:
    """The names of the programs of historical defects, read without running them."""
    tree = ast.parse(planting.PROGRAMS.read_text())
    right = next(n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "RIGHT")
    return [name.upper() for name in ast.literal_eval(right.value)]


def test_every_historical_defect_is_planted_once() -> None:
    """The table has one mutant for each program of a historical defect."""
    assert sorted(mutant.id for mutant in MUTANTS) == sorted(programs())


def test_mutants_name_areas_of_rules() -> None:
    """What may rightly be blamed are areas that exist."""
    unknown = {mutant.id: set(mutant.areas) - set(AREA_NAMES) for mutant in MUTANTS}

    assert {name for name, areas in unknown.items() if areas} == set()


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if not m.equivalent], ids=named)
def test_a_mutant_does_harm(mutant: Mutant) -> None:
    """The changed engine can be imported, and the defect's program shows something else than what is right."""
    observed, right = facts_of(mutant)

    assert observed != right


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.equivalent], ids=named)
def test_a_mutant_that_no_program_shows_can_be_planted(mutant: Mutant) -> None:
    """Its piece of text is there, and the changed engine still shows what is right."""
    observed, right = facts_of(mutant)

    assert observed == right


def test_the_right_engine_comes_back() -> None:
    """After a planting, the engine of before is imported again."""
    import reference_engine

    with planting.planted(BY_ID["RED09"]) as changed:
        assert changed is not reference_engine

    import reference_engine as again

    assert again is reference_engine


def test_a_mutant_is_killed() -> None:
    """The suite finds a planted defect, blames a rule of a fitting area, and reduces the program."""
    pytest.importorskip("torch")
    mutant = BY_ID["RED11"]
    result = measure(mutant, Options(programs=2000), Bench.made())

    assert result.outcome == "failed"
    assert rightly_attributed(result)
    assert result.steps <= mutant.steps + 1
    assert 0 < result.found_at <= result.reduced_at
    assert result.executions > 0


def test_the_command_runs_a_mutant_in_a_process_of_its_own(tmp_path: Path) -> None:
    """`python -m mutants ID` writes the result as a line of JSON, prints the totals, and ends with status 0."""
    pytest.importorskip("torch")
    from mutants.__main__ import main

    out = tmp_path / "results.jsonl"
    ended = CliRunner().invoke(main, ["red11", "--budget", "20", "--out", str(out)])

    assert ended.exit_code == 0, ended.output
    assert "killed            1 of 1 (100.0 %): 1 failed" in ended.output
    assert msgspec.json.decode(out.read_bytes())["outcome"] == "failed"


def test_totals_say_where_the_suite_falls_short() -> None:
    """Shares, times, what is too large or wrongly blamed, who survived, and what one rule alone catches."""
    results = [
        Result(id="RED11", outcome="survived"),
        Result(id="RED03", outcome="differs", rule="views.memory", found_at=3.0, executions=30, reduction_ms=60.0, steps=9),
        Result(id="RED09", outcome="failed", rule="gradients.reduce", found_at=1.0, executions=10, reduction_ms=20.0, steps=4,
               rules=["gradients.reduce"]),
        Result(id="RED10", outcome="hang", detail="no answer within 1 s"),
    ]  # fmt: skip
    lines = totals(results, every_rule=True)

    assert kill_rate(results) == 0.75
    assert lines[:9] == [
        "killed            3 of 4 (75.0 %): 1 failed, 1 differs, 1 hang",
        "first failure     median 2.00 s, 95th percentile 3.00 s of CPU",
        "reduced           1 of 2 (50.0 %) to at most 1 step above the fewest",
        "attributed        1 of 2 (50.0 %) to an area that fits",
        "reduction         median 20 runs, 40 ms of CPU",
        "too large         RED03 (9 for 3)",
        "wrongly blamed    RED03 (views.memory)",
        "survivors         RED11",
        "caught by one rule alone:",
    ]
    assert lines[9].split() == ["gradients.reduce", "RED09"]


def raises() -> None:
    """A defect of the suite."""
    raise ValueError("no")


def ends() -> None:
    """A crash."""
    os.kill(os.getpid(), signal.SIGKILL)


def spins() -> None:
    """A loop without an end."""
    while True:
        pass


@pytest.mark.parametrize(("does", "outcome"), [(raises, "error"), (ends, "crash"), (spins, "hang")])
def test_a_child_without_an_answer_tells_on_its_mutant(
    does: Callable[[], None], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hang and a crash kill; an error of the suite does not."""
    monkeypatch.setattr(pool, "GRACE", 1)
    monkeypatch.setattr(pool.Bench, "made", lambda: None)
    monkeypatch.setattr(pool, "measure", lambda *args, **more: does())
    (result,) = pool.results(["RED09"], Options(), jobs=1, every_rule=False)

    assert result.outcome == outcome
    assert result.killed == (outcome != "error")
