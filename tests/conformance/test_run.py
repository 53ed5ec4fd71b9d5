"""The loop: the same seed gives the same record, and nothing is green that was not tried."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from mutants_of_torch import MUTANTS, UncheckedSaves, bent, with_call

from conformance.api import NonConforming, check
from conformance.areas import AREA_NAMES
from conformance.engine import Engine
from conformance.engines.torch_engine import TorchEngine
from conformance.record import Failure, Footer, Header, Record, RuleResult, assemble
from conformance.rules import RULES
from conformance.run import Options, Run


def ran(engine: Any, oracle: Any, **options: Any) -> Record:
    """A run's record."""
    return assemble(list(Run(engine, oracle.engine, Options(**options))))


def verdicts(record: Record) -> dict[str, str]:
    """Verdict by rule."""
    return {r.id: r.verdict for r in record.rules}


def test_torch_conforms(oracle: Any) -> None:
    """Every rule is exercised and passed, and so is the run."""
    record = ran(TorchEngine(), oracle, programs=2000)

    assert record.verdict == "conforms"
    assert set(verdicts(record)) == set(RULES)
    others = {r.area for r in record.rules if r.verdict != "passed"}
    assert others == {"process"}  # torch runs in this process
    assert record.failures == []


def test_lines_come_in_order(oracle: Any) -> None:
    """Header, failures, one line a rule, footer."""
    kinds = [type(line) for line in Run(bent("exp", 2.0)(), oracle.engine, Options(programs=20, areas=("gradients",)))]

    assert (kinds[0], kinds[-1], kinds.count(Footer)) == (Header, Footer, 1)
    assert kinds.index(RuleResult) > max(i for i, k in enumerate(kinds) if k is Failure)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from mutants_of_torch import MUTANTS
from conformance.api import start
from conformance.writer import RecordWriter
from conformance.run import Options
names = sys.argv[3].split(",")
for number, mutant in enumerate(m for m in MUTANTS if m.name in names):
    writer = RecordWriter(Path(sys.argv[2]) / str(number))
    for line in start(mutant.make(), Options(programs=60, seed=5)):
        writer.write(line)
"""


def without_timing(folder: Path) -> list[list[dict[str, Any]]]:
    """The records of a folder, without the one field that may differ."""
    records = []
    for path in sorted(folder.iterdir()):
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert lines[-1].pop("timing")
        records.append([json.dumps(line) for line in lines])
    return records  # type: ignore[return-value]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two processes with other hash seeds write the same records, but for the timing."""
    names = "cos has the derivative 1/2,saved tensors are copies,backward overwrites"
    started = []
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[1]), str(tmp_path / seed), names]
        started.append(subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": seed}))

    assert [process.wait() for process in started] == [0, 0]
    assert without_timing(tmp_path / "1") == without_timing(tmp_path / "2")
    assert len(without_timing(tmp_path / "1")) == 3


def test_another_seed_runs_other_programs(oracle: Any) -> None:
    """How often rules were exercised differs."""
    counts = [[r.programs for r in ran(TorchEngine(), oracle, programs=200, seed=s).rules] for s in (1, 2)]

    assert counts[0] != counts[1]


def test_areas_and_rules_select(oracle: Any) -> None:
    """Only what was asked for is run and reported: the rules of the areas and those named."""
    record = ran(TorchEngine(), oracle, programs=50, areas=("lifetime",), rules=("gradients.binary",))
    expected = {r.id for r in RULES.values() if r.area == "lifetime"} | {"gradients.binary"}

    assert set(verdicts(record)) == expected
    assert (record.header.areas, set(record.header.rules)) == (["lifetime"], expected)


def test_exactly_so_many_programs_are_generated(oracle: Any) -> None:
    """Besides the exemplars, which are counted too."""
    record = ran(TorchEngine(), oracle, programs=77, areas=("views",))
    exemplars = sum(r.area == "views" for r in RULES.values())

    assert record.footer is not None
    assert record.footer.programs == 77 + exemplars


class Empty(Engine):
    """An engine that can do nothing."""

    name = "empty"


def test_a_run_that_exercised_nothing_is_incomplete(oracle: Any) -> None:
    """Never green: all rules are unsupported."""
    record = ran(Empty(), oracle, programs=50)

    assert record.verdict == "incomplete"
    assert set(verdicts(record).values()) == {"unsupported"}
    assert record.footer is not None
    assert record.footer.reason == "no program could be run on the engine"


def test_a_defect_diverges(oracle: Any) -> None:
    """The rule failed, with its cause; others passed."""
    record = ran(bent("exp", 1.01)(), oracle, programs=200, areas=("gradients",))

    assert record.verdict == "diverges"
    assert verdicts(record)["gradients.pointwise"] == "failed"
    assert {f.rule for f in record.failures} == {"gradients.pointwise"}


def test_failures_of_one_cause_are_one_row(oracle: Any) -> None:
    """However many programs meet a defect, its reduced program is reported once."""
    record = ran(bent("exp", 1.01)(), oracle, programs=1500, areas=("gradients",))
    result = next(r for r in record.rules if r.id == "gradients.pointwise")

    assert len(record.failures) == 1
    assert result.failing > 1


def test_a_rule_asked_for_alone_is_still_found_broken(oracle: Any) -> None:
    """Where the defect would have another rule's name, the rule asked for is the one that is reported: not green by selection."""
    record = ran(UncheckedSaves(), oracle, programs=0, rules=("pipeline.naive-update",))

    assert verdicts(record) == {"pipeline.naive-update": "failed"}
    assert [f.rule for f in record.failures] == ["pipeline.naive-update"]
    assert record.verdict == "diverges"


def test_what_was_not_asked_for_is_not_reported(oracle: Any) -> None:
    """A defect that breaks none of the rules asked for is left to the run that asks for them."""
    record = ran(with_call("sub", lambda a, b: a + b)(), oracle, programs=200, rules=("errors.non-scalar-root",))

    assert record.verdict == "conforms"
    assert record.failures == []


@pytest.mark.parametrize("name", ["graphs are never freed", "ties go to the first operand"])
def test_safe_answers_and_other_choices_fail_nothing(name: str, oracle: Any) -> None:
    """What is safe, or a MAY, is reported and does not make the run diverge."""
    mutant = next(m for m in MUTANTS if m.name == name)
    record = ran(mutant.make(), oracle, programs=1500, rules=(mutant.rule,))

    assert (verdicts(record)[mutant.rule], record.verdict) == (mutant.verdict, "conforms")
    assert record.failures != []


def test_a_failure_holds_all_that_a_person_needs(oracle: Any) -> None:
    """Rule, statement, proof, steps, scripts and replay."""
    record = ran(bent("exp", 1.01)(), oracle, programs=200, areas=("gradients",))
    failure = record.failures[0]

    assert failure.statement == RULES[failure.rule].statement
    assert failure.proof.startswith("After b.backward(...), a.grad must be")
    assert failure.torch_script.startswith("import torch\n")
    assert failure.engine_script == failure.torch_script
    assert failure.replay == f"conformance replay {failure.id}"
    assert [row.differs for row in failure.steps].count(True) == 1
    assert len(failure.reduced["steps"]) == 3


def test_the_command_repeats_the_run(oracle: Any) -> None:
    """It names everything that the programs depend on."""
    run = Run(TorchEngine(), oracle.engine, Options(programs=5, seed=3, areas=("views",), rules=("grad.unused",)), name="m:E")

    assert run.command() == "conformance run m:E --seed 3 --oracle torch --programs 5 --area views --rule grad.unused"
    timed = Run(TorchEngine(), oracle.engine, Options(seconds=2.5))

    assert timed.command() == "conformance run torch --seed 0 --oracle torch --budget 2.5"


def test_a_budget_of_seconds_is_kept(oracle: Any) -> None:
    """The search ends soon after its time, having met every area."""
    ticks = []
    started = time.monotonic()
    run = Run(TorchEngine(), oracle.engine, Options(seconds=1.0), progress=ticks.append)
    record = assemble(list(run))

    assert time.monotonic() - started < 4
    assert {tick.area for tick in ticks} == set(AREA_NAMES)
    assert record.footer is not None
    assert record.footer.programs > 200


def test_a_stopped_run_reports_what_it_found(oracle: Any) -> None:
    """After stop() the rules and the footer still come; the run is incomplete, or diverges where something was found."""
    run = Run(TorchEngine(), oracle.engine, Options(seconds=60), progress=lambda tick: run.stop())
    record = assemble(list(run))

    assert record.footer is not None
    assert (record.verdict, record.footer.reason) == ("incomplete", "interrupted")
    assert len(record.rules) == len(RULES)


def test_check_is_one_line_in_a_test() -> None:
    """It returns the record of a conforming engine and raises with proof and reproducer for another."""
    assert check("torch", programs=60, areas=["lifetime"]).verdict == "conforms"
    with pytest.raises(NonConforming) as caught:
        check(bent("exp", 1.01)(), programs=60, rules=["gradients.pointwise"])

    assert "breaks 1 rules of autograd" in str(caught.value)
    assert "import torch" in str(caught.value)
    assert caught.value.record.verdict == "diverges"
