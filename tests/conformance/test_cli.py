"""The command: exit codes, one clear line for bad use, and what it prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, typed

torch = pytest.importorskip("torch")

from conformance.areas import AREAS
from conformance.program import to_json
from conformance.record import read
from conformance.rules import RULES, caught
from conformance.sketch import Sketch

BROKEN = """
from conformance.engines.torch_engine import TorchEngine

class Broken(TorchEngine):
    def calls(self):
        return {**super().calls(), "mul": lambda a, b: a * b.detach() if a.requires_grad else a * b}

class Fails(TorchEngine):
    def __init__(self):
        raise ValueError("no\\nlicence")

class Needs(TorchEngine):
    def __init__(self):
        import a_module_that_is_not_there

number = 3
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in an empty folder that holds a module of adapters."""
    (tmp_path / "adapters_of_mine.py").write_text(BROKEN)
    (tmp_path / "fails_to_import.py").write_text("raise RuntimeError('bad\\nluck')")
    (tmp_path / "needs_more.py").write_text("import a_module_that_is_not_there")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    yield typed(monkeypatch, capsys)
    for name in ("adapters_of_mine", "fails_to_import", "needs_more"):
        sys.modules.pop(name, None)


def one_line(ended: Ended, status: int, *parts: str) -> None:
    """The command ended with this status and one line on standard error that says these things."""
    assert ended.status == status, ended
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("conformance: ")
    for part in parts:
        assert part in ended.err


QUICK = ("--programs", "20", "--area", "lifetime")


def test_a_conforming_engine_exits_0(command: Any, tmp_path: Path) -> None:
    """The summary goes to standard output, nothing to standard error, and the reports are written."""
    ended = command("run", "torch", *QUICK)

    assert (ended.status, ended.err) == (0, "")
    assert "lifetime" in ended.out
    assert sorted(p.name for p in (tmp_path / "reports/torch").iterdir()) == ["index.html", "junit.xml", "record.jsonl"]


def test_a_diverging_engine_exits_1(command: Any, tmp_path: Path) -> None:
    """An adapter of the user's own is named module:attribute, and so is the folder of its reports."""
    ended = command("run", "adapters_of_mine:Broken", "--programs", "50", "--area", "gradients")

    assert (ended.status, ended.err) == (1, "")
    assert "gradients.binary" in ended.out
    assert read(tmp_path / "reports/adapters_of_mine-Broken/record.jsonl").verdict == "diverges"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "troch"), ("unknown engine 'troch'", "did you mean 'torch'?", "module:attribute")),
        (("run", "nosuch:Engine"), ("there is no module 'nosuch' on the path", "install it")),
        (("run", "adapters_of_mine:Brokn"), ("module 'adapters_of_mine' has no 'Brokn'",)),
        (("run", "adapters_of_mine:number"), ("is an object of type int, not a conformance.Engine",)),
        (("run", "torch", "--area", "view"), ("there is no area 'view': did you mean views?",)),
        (("run", "torch", "--rule", "zzz"), ("there is no rule 'zzz': `conformance rules` lists them",)),
        (("run", "torch", "--budget", "5", "--programs", "5"), ("exclude each other",)),
        (("run", "torch", "--budget", "0"), ("--budget", "conformance --help")),
        (("run", "torch", "--budget", "nan"), ("a budget of nan seconds never ends",)),
        (("run", "torch", "--budget", "inf"), ("a budget of inf seconds never ends",)),
        (("run", "torch", "--strict-baseline"), ("--baseline FILE",)),
        (
            ("run", "torch", "--baseline", "none.json"),
            ("there is no baseline none.json", "`conformance baseline update ENGINE` makes one"),
        ),
        (("baseline", "show", "--file", "none.json"), ("there is no baseline none.json",)),
        (("baseline", "update", "torch", "--expires", "soon"), ("'soon' is no day: write YYYY-MM-DD",)),
        (("run", "torch", "--seed", "x"), ("--seed",)),
        (("run", "torch", "--oracle", "mygrad"), ("--oracle",)),
        (("run", "torch", "--level", "5"), ("--level", "1<=x<=4")),
        (("run", "torch", "--level", "2", "--area", "views"), ("level 2 or below", "conformance rules")),
        (("rules", "--area", "view"), ("there is no area 'view': did you mean views?",)),
        (("run",), ("Missing argument 'ENGINE'",)),
        (("fly",), ("No such command 'fly'",)),
        (("explain", "gradients.binry"), ("did you mean gradients.binary?",)),
        (("replay", "nothing.json", "--engine", "torch"), ("cannot read nothing.json", "No such file")),
        (("replay", "abc123"), ("no failure 'abc123'", "run first")),
    ],
)
def test_bad_use_exits_2_with_one_line(command: Any, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """The line says what is wrong and what to type."""
    one_line(command(*arguments), 2, *parts)


@pytest.mark.parametrize(
    ("engine", "parts"),
    [
        ("fails_to_import:Engine", ("importing fails_to_import failed: RuntimeError: bad luck",)),
        ("needs_more:Engine", ("needs a_module_that_is_not_there", "install it")),
        ("adapters_of_mine:Fails", ("could not start: ValueError: no licence",)),
        ("adapters_of_mine:Needs", ("needs a_module_that_is_not_there",)),
    ],
)
def test_an_engine_that_cannot_start_exits_3(command: Any, engine: str, parts: tuple[str, ...]) -> None:
    """One line with the reason, on one line even where the reason has several."""
    one_line(command("run", engine, *QUICK), 3, *parts)


def test_a_torch_too_old_exits_3(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says which version is needed and how to get it."""
    monkeypatch.setattr(torch, "__version__", "2.3.1+cpu")

    one_line(command("run", "torch", *QUICK), 3, "torch 2.3.1+cpu is too old: torch 2.4 or newer", "pip install -U torch")


def test_an_incomplete_run_exits_3(command: Any) -> None:
    """A run that tried nothing is never green."""
    (Path.cwd() / "empty_engine.py").write_text("from conformance import Engine\n\nclass Empty(Engine):\n    name = 'empty'\n")

    assert command("run", "empty_engine:Empty", *QUICK).status == 3


def test_a_folder_that_cannot_be_written_exits_2(command: Any) -> None:
    """The line names the option that helps."""
    (Path.cwd() / "file").write_text("")

    one_line(command("run", "torch", *QUICK, "--out", "file/reports"), 2, "cannot write to file/reports", "--out")


def test_a_defect_of_the_suite_exits_4(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback is shown, and the last line asks for a report."""
    from conformance import replay

    monkeypatch.setattr(replay, "find", lambda *arguments: 1 / 0)
    ended = command("replay", "x.json", "--engine", "torch")

    assert ended.status == 4
    assert ended.err.startswith("Traceback")
    assert ended.err.splitlines()[-1].startswith("conformance: a defect of the suite, please report it")


def test_json_is_one_document(command: Any) -> None:
    """Standard output holds the run as data, with program, reduced program, difference and proof of each failure."""
    ended = command("run", "adapters_of_mine:Broken", "--programs", "50", "--area", "gradients", "--seed", "3", "--json")
    document = json.loads(ended.out)
    broken = next(r for r in document["rules"] if r["id"] == "gradients.binary")

    assert (ended.status, ended.err) == (1, "")
    assert set(document) >= {"engine", "versions", "oracle", "seed", "programs", "seconds", "rules", "verdict"}
    assert (document["engine"], document["oracle"], document["seed"]) == ("adapters_of_mine:Broken", "torch", 3)
    assert set(document["versions"]) >= {"engine", "oracle", "conformance", "python", "numpy"}
    assert document["programs"] > 50
    assert set(broken) >= {"id", "area", "obligation", "level", "verdict", "programs", "failing", "failures"}
    assert (broken["obligation"], broken["level"], broken["verdict"]) == ("MUST", 1, "failed")
    assert set(broken["failures"][0]) >= {"program", "reduced", "difference", "proof"}
    assert {r["verdict"] for r in document["rules"]} <= {"passed", "failed", "safe", "differs", "unsupported", "incomplete"}


@pytest.fixture
def program_file(tmp_path: Path) -> Path:
    """A program in a file: the gradient of a product."""
    s = Sketch()
    s.backward(s.op("mul", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])), [1.0, 1.0])
    path = tmp_path / "product.json"
    path.write_text(to_json(s.program()))
    return path


def test_a_file_is_replayed(command: Any, program_file: Path) -> None:
    """Exit 0 where the engine agrees, 1 with rule, steps and script where it does not."""
    good = command("replay", str(program_file), "--engine", "torch")
    bad = command("replay", str(program_file), "--engine", "adapters_of_mine:Broken")

    assert (good.status, good.err) == (0, "")
    assert "torch agrees with torch on this program." in good.out
    assert (bad.status, bad.err) == (1, "")
    assert bad.out.startswith("gradients.binary: ")
    assert "> c.backward(" in bad.out
    assert "import torch" in bad.out


def test_a_failure_that_another_version_recorded_is_refused_in_one_line(command: Any, tmp_path: Path) -> None:
    """Its program may hold what this version does not have."""
    command("run", "adapters_of_mine:Broken", "--programs", "50", "--area", "gradients")
    path = tmp_path / "reports/adapters_of_mine-Broken/record.jsonl"
    failure = read(path).failures[0]
    path.write_text(path.read_text().replace('"op":"', '"op":"former_'))
    ended = command("replay", failure.id)

    assert ended.status == 2
    assert ended.err.startswith(f"conformance: the failure {failure.id} was recorded by another version")
    assert ended.err.count("\n") == 1


def test_a_recorded_failure_is_replayed_by_its_id(command: Any, tmp_path: Path) -> None:
    """On the engine that it was recorded on; the beginning of the id is enough."""
    command("run", "adapters_of_mine:Broken", "--programs", "50", "--area", "gradients")
    failure = read(tmp_path / "reports/adapters_of_mine-Broken/record.jsonl").failures[0]

    assert command("replay", failure.id).status == 1
    assert command("replay", failure.id[:6]).out.startswith(f"{failure.rule}: ")
    assert command("replay", failure.id, "--engine", "torch").status == 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("{", ("is not a program", "truncated")),
        ('{"steps":[{"step":"drop","target":3}]}', ("slot 3 is not filled", "$.steps[0]")),
        ('{"steps":[{"step":"leaf","out":0,"shape":[2],"values":[1]}]}', ("1 values for shape (2,)", "$.steps[0]")),
    ],
)
def test_a_malformed_program_exits_2(command: Any, text: str, parts: tuple[str, ...], tmp_path: Path) -> None:
    """The line names the place in the file."""
    (tmp_path / "p.json").write_text(text)

    one_line(command("replay", "p.json", "--engine", "torch"), 2, *parts)


def test_ids_of_earlier_runs_are_found_in_the_history(command: Any, tmp_path: Path) -> None:
    """A record that the next run replaced still gives programs to replay and to keep; where nothing is kept, the list says so."""
    command("run", "adapters_of_mine:Broken", "--oracle", "reference", "--programs", "40", "--area", "gradients")
    failure = read(tmp_path / "reports/adapters_of_mine-Broken/record.jsonl").failures[0].id
    command("run", "reference", "--oracle", "reference", "--programs", "0", "--out", "reports/adapters_of_mine-Broken")
    empty = command("corpus", "list")
    kept = command("corpus", "add", failure)

    assert (empty.status, empty.out) == (0, "")
    assert "nothing is kept in" in empty.err
    assert kept.status == 0, kept.err
    assert failure in command("corpus", "list").out
    assert command("replay", failure, "--engine", "reference").status == 0


def test_replay_asks_for_the_engine(command: Any, program_file: Path) -> None:
    """A file does not say on which engine to run."""
    one_line(command("replay", str(program_file)), 2, "--engine NAME")


def test_rules_are_listed(command: Any) -> None:
    """Every rule by its area, with obligation, level and statement, and as JSON."""
    listed, document = command("rules"), command("rules", "--json")
    rows = {row["id"]: row for row in json.loads(document.out)}

    assert [r.id for r in RULES.values() if f"{r.obligation:4} {r.level}  {r.statement}\n" not in listed.out] == []
    assert [a for a in AREAS if f"{a.name}: {a.title} (level {a.level})\n" not in listed.out] == []
    assert set(rows) == set(RULES)
    assert set(rows["gradients.binary"]) == {
        "id", "area", "obligation", "level", "statement", "why", "source", "caught_alone",
    }  # fmt: skip


def test_rules_of_an_area_or_of_a_level_are_listed(command: Any) -> None:
    """What is above the level, or of other areas, is left out with its heading."""
    area, level, both = (
        command("rules", "--area", "views"),
        command("rules", "--level", "1"),
        command("rules", "--level", "1", "--json"),
    )

    assert area.out.startswith("views: ")
    assert {line.split(".")[0].strip() for line in area.out.splitlines()[1:]} == {"views"}
    assert "views" not in level.out.split()
    assert {row["level"] for row in json.loads(both.out)} == {1}


def test_rules_tell_what_they_alone_catch(command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The number of planted defects is in the long list and the JSON, their names in the explanation."""
    (tmp_path / "alone.json").write_bytes(caught.as_json({"gradients.binary": {"M2", "M1"}, "gradients.view": ()}))
    monkeypatch.setattr(caught, "PATH", tmp_path / "alone.json")
    rows = {row["id"]: row["caught_alone"] for row in json.loads(command("rules", "--json").out)}

    long = command("rules", "--area", "gradients", "--long").out
    told = {lines.split()[0]: lines.splitlines()[-1].split()[-1] for lines in long.partition("\n")[2].strip().split("\n\n")}

    assert (rows["gradients.binary"], rows["gradients.view"]) == (2, 0)
    assert (told["gradients.binary"], told["gradients.view"]) == ("2", "0")
    assert long.count("Why: ") == long.count("Source: https://") == len(told)
    assert "alone catches: M1, M2" in command("explain", "gradients.binary").out


def test_a_level_is_run_alone_and_repeated_by_the_command(command: Any, tmp_path: Path) -> None:
    """No rule above the level is judged, and the record says how to run it again."""
    ended = command("run", "torch", "--level", "1", "--programs", "50")
    record = read(tmp_path / "reports/torch/record.jsonl")

    assert ended.status == 0
    assert {r.level for r in record.rules} == {1}
    assert "--level 1" in record.header.command


@pytest.mark.parametrize("rule", list(RULES))
def test_every_rule_is_explained(command: Any, rule: str) -> None:
    """Statement, reason, source and a script."""
    ended = command("explain", rule)

    assert ended.status == 0
    assert all(part in ended.out for part in (RULES[rule].statement, "Why: ", "Source: http", "import torch"))


def test_help_and_version_exit_0(command: Any) -> None:
    """The help names the exit codes."""
    assert command("--help").status == 0
    assert "Exit status: 0 conforms, 1 diverges, 2 bad use" in command("run", "--help").out
    assert command("--version").out.startswith("conformance, version ")


def test_ctrl_c_ends_recorded_and_incomplete(tmp_path: Path) -> None:
    """SIGINT ends the run with exit 3; the record is whole, holds what was found, and says that it is incomplete."""
    record = tmp_path / "out/record.jsonl"
    arguments = ["run", "torch", "--budget", "60", "--out", str(tmp_path / "out")]
    starter = [sys.executable, "-c", "from conformance.cli import main; main()", *arguments]
    process = subprocess.Popen(starter, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while not (record.exists() and record.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    found = read(record)

    assert (process.returncode, err) == (3, b"")
    assert found.footer is not None
    assert (found.verdict, found.footer.reason) == ("incomplete", "interrupted")
    assert {r.id for r in found.rules} == set(RULES)


def test_the_command_imports_neither_torch_nor_hypothesis() -> None:
    """Help, rules and the package itself cost no second of importing."""
    code = (
        "import sys, conformance; from conformance.cli import cli\n"
        "for a in (['--help'], ['rules'], ['run', '--help']): cli.main(a, standalone_mode=False)\n"
        "print([m for m in ('torch', 'hypothesis', 'reference_engine') if m in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stderr == "[]\n"
