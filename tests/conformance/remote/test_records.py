"""The same seed gives the same record, whether the engine runs in this process or in one of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, typed

from conformance.api import start
from conformance.encoding import encoded
from conformance.record import Footer
from conformance.remote.limits import Isolation
from conformance.rules import RULES
from conformance.run import Options

ENGINES = Path(__file__).parents[2] / "engines"


def lines_of(engine: str, isolation: Isolation | None, programs: int, rules: tuple[str, ...]) -> list[bytes]:
    """The lines of a record, without its timing and the options that put the engine where it ran."""
    run = start(engine, Options(programs=programs, seed=3, rules=rules), oracle="reference", isolation=isolation)
    lines = [encoded(line) for line in run if not isinstance(line, Footer)]
    return [line.replace(b" --isolate", b"") for line in lines]


@pytest.mark.parametrize(
    ("engine", "programs", "areas"),
    [("reference", 300, None), ("wrong:Wrong", 120, ("gradients", "detach", "accumulation", "versions"))],
)
def test_a_record_does_not_tell_where_the_engine_ran(
    engine: str, programs: int, areas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an engine that does not die, right or wrong, all that a run finds is the same to the byte in a process of its own."""
    monkeypatch.syspath_prepend(ENGINES)
    rules = tuple(id_ for id_, rule in RULES.items() if rule.area in (areas or {r.area for r in RULES.values()} - {"process"}))
    here, apart = (lines_of(engine, isolation, programs, rules) for isolation in (None, Isolation()))

    assert len(here) > len(rules)
    assert apart == here


def test_rules_of_the_process_do_not_apply_to_an_engine_in_this_one() -> None:
    """They are unsupported, and say how they can be judged."""
    run = start("reference", Options(programs=4, areas=("process",)), oracle="reference")
    results = {line.id: line.reason for line in run if getattr(line, "id", "") in RULES and hasattr(line, "reason")}

    assert set(results) == {id_ for id_, rule in RULES.items() if rule.area == "process"}
    assert set(results.values()) == {"reference runs in this process: --isolate gives it one of its own"}


def command(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ended:
    """Exit status, output and errors of the command."""
    return typed(monkeypatch, capsys)(*arguments)


def test_the_command_isolates_and_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run with --isolate names itself in the record, and the replay that it prints shows the death again."""
    monkeypatch.syspath_prepend(ENGINES)
    monkeypatch.chdir(tmp_path)
    common = ["--isolate", "--deadline", "20"]
    status, out, err = command(
        ["run", "villains:Abort", *common, "--oracle", "reference", "--programs", "12", "--area", "process", "--json"],
        monkeypatch, capsys,
    )  # fmt: skip
    document = json.loads(out)
    record = (tmp_path / "reports" / "villains-Abort" / "record.jsonl").read_text()
    replay = re.search(r'"replay":"conformance (replay \w+ --isolate --deadline 20)', record)

    assert status == 1, err
    assert document["verdict"] == "diverges"
    assert "--isolate --deadline 20" in json.loads(record.splitlines()[0])["command"]
    assert replay is not None
    status, out, err = command([*replay[1].split(), "--oracle", "reference"], monkeypatch, capsys)
    assert status == 1, err
    assert "process.crash: No program ends the engine's process." in out
    assert "killed by SIGABRT" in out


def test_a_record_holds_what_the_engine_tells_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its home, its tracker and its language, whether it tells of them in this process or in one of its own."""
    monkeypatch.syspath_prepend(ENGINES)
    headers = [
        start("wrong:Wrong", Options(programs=0), oracle="reference", isolation=isolation).header()
        for isolation in (None, Isolation())
    ]

    for header in headers:
        assert (header.home, header.issues) == ("https://example.org/wrong", "https://example.org/wrong/issues")
        assert header.language.startswith("Python 3.")


def test_a_baseline_holds_deaths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is made and checked with the engine in a process of its own, by the options of a run."""
    monkeypatch.syspath_prepend(ENGINES)
    monkeypatch.chdir(tmp_path)
    common = ["villains:Abort", "--isolate", "--deadline", "20", "--oracle", "reference", "--area", "process"]
    update = command(["baseline", "update", *common, "--programs", "12"], monkeypatch, capsys)
    check = command(["baseline", "check", *common], monkeypatch, capsys)
    known = (tmp_path / "conformance-baseline.json").read_text()

    assert (update[0], check[0]) == (0, 0), update[2] + check[2]
    assert '"rule":"process.crash"' in known
    assert check[1].startswith("conformance: known=")
    assert "known=0" not in check[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--deadline", "3"], "--deadline is for an engine in a process of its own: add --isolate, or name exec:COMMAND"),
        (["--strict-protocol"], "--strict-protocol is for an engine in a process of its own"),
        (["--python", "no-such-python"], "there is no Python interpreter 'no-such-python'"),
    ],
)
def test_bad_use_is_one_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What cannot be meant ends with status 2 and says what to type."""
    monkeypatch.chdir(tmp_path)
    status, _, err = command(["run", "reference", "--oracle", "reference", *arguments], monkeypatch, capsys)

    assert status == 2
    assert message in err
    assert err.count("\n") == 1
