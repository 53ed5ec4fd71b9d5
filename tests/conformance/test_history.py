"""The history: every run is entered once, nothing corrupts it, and it can be made anew from the records."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from conformance.errors import UsageError
from conformance.history import NAME, History
from conformance.record import Footer, Header, RuleResult
from conformance.writer import RecordWriter

HEADER = Header(
    suite_version="1", engine="e", engine_version="2", oracle="torch", oracle_version="3", seed=0, rules=["gradients.binary"]
)  # fmt: skip


def recorded(path: Path, seed: int = 0, verdict: str = "passed", engine: str = "e") -> Path:
    """A small record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = RecordWriter(path)
    writer.write(msgspec.structs.replace(HEADER, seed=seed, engine=engine))
    writer.write(RuleResult(id="gradients.binary", area="gradients", obligation="MUST", verdict=verdict, programs=3))  # type: ignore[arg-type]
    ended = "conforms" if verdict == "passed" else "diverges"
    writer.write(Footer(programs=3, verdict=ended, timing={"seconds": 1.5}))  # type: ignore[arg-type]
    writer.close()
    return path


def test_runs_are_listed_in_their_order(tmp_path: Path) -> None:
    """With what each found; a record that is known is entered no second time."""
    history = History(tmp_path)
    for seed, verdict in enumerate(("passed", "failed", "failed")):
        history.add(recorded(tmp_path / "e/record.jsonl", seed, verdict))
    history.add(tmp_path / "e/record.jsonl")

    assert [run.verdict for run in history.runs()] == ["conforms", "diverges", "diverges"]
    assert [run.engine for run in history.runs("e", last=2)] == ["e", "e"]
    assert history.runs("other") == []


def test_earlier_runs_are_those_that_were_asked_the_same(tmp_path: Path) -> None:
    """Of another engine or other rules, nothing is compared."""
    history = History(tmp_path)
    path = recorded(tmp_path / "e/record.jsonl", 0)
    assert history.before(path) is None
    history.add(path)
    path = recorded(tmp_path / "e/record.jsonl", 1, "failed")
    before = history.before(path)
    history.add(path)

    assert before is not None
    assert before.header.seed == 0
    assert [row.counts for row in history.trend(path)] == [{"gradients": {"passed": 1}}, {"gradients": {"failed": 1}}]
    other = recorded(tmp_path / "f/record.jsonl", engine="f")
    assert (history.before(other), history.trend(other)) == (None, [])


def test_a_run_that_was_entered_is_compared_with_the_one_before_it(tmp_path: Path) -> None:
    """Whatever was entered since; so that its reports can be written again."""
    history = History(tmp_path)
    paths = [recorded(tmp_path / f"e{seed}/record.jsonl", seed) for seed in range(3)]
    for path in paths:
        history.add(path)

    before = [history.before(path) for path in paths]
    assert [record and record.header.seed for record in before] == [None, 0, 1]
    assert [len(history.trend(path)) for path in paths] == [1, 2, 3]


def test_a_run_is_named_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    """One line says where there is none, or several."""
    history = History(tmp_path)
    names = [history.add(recorded(tmp_path / "e/record.jsonl", seed)).id for seed in range(2)]

    assert history.record(names[0][:8]).header.seed == 0
    for name in ("", "zz", "../e", "*"):
        with pytest.raises(UsageError, match=r"runs? '"):
            history.record(name)


@pytest.mark.parametrize("damage", ["lost", "torn", "empty", "newer"])
def test_the_database_is_made_anew_from_the_records(damage: str, tmp_path: Path) -> None:
    """Runs, order and dates come back, and a record that was never entered comes in."""
    history = History(tmp_path)
    for seed in range(3):
        history.add(recorded(tmp_path / "e/record.jsonl", seed))
    runs = history.runs()
    recorded(tmp_path / "f/record.jsonl", 7)
    (tmp_path / "g").mkdir()
    (tmp_path / "g/record.jsonl").write_text("nonsense\n")
    database = tmp_path / NAME
    if damage == "lost":
        database.unlink()
    elif damage == "newer":
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA user_version = 99")
    else:
        database.write_bytes(b"" if damage == "empty" else b"y" * 5000)

    if damage in ("torn", "newer"):
        with pytest.raises(UsageError, match=r"rebuild|upgrade"):
            history.runs()
    assert history.rebuild(tmp_path) == 4
    assert set(history.runs()) > set(runs)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_history import History, recorded
folder, name = Path(sys.argv[1]), sys.argv[2]
for seed in range(int(sys.argv[4])):
    History(folder).add(recorded(folder / name / "record.jsonl", 1000 * int(name) + seed))
    print(seed, flush=True)
"""


def writing(folder: Path, name: str, runs: int) -> subprocess.Popen[str]:
    """A process that enters runs."""
    command = [sys.executable, "-c", WRITER, str(folder), name, str(Path(__file__).parent), str(runs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_many_write_at_once(tmp_path: Path) -> None:
    """Each in its turn: no run is lost, and none is entered twice."""
    started = [writing(tmp_path, str(k), 8) for k in range(1, 4)]
    ended = [process.communicate()[0] for process in started]

    assert [text.count("\n") for text in ended] == [8, 8, 8]
    assert len(History(tmp_path).runs(last=100)) == 24


def test_kill_9_leaves_the_database_whole(tmp_path: Path) -> None:
    """Whatever the moment; what was entered is still there."""
    moments = random.Random(2)
    entered = 0
    for name in ("1", "2", "3"):
        process = writing(tmp_path, name, 10_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.random() / 10)
        os.kill(process.pid, signal.SIGKILL)
        entered += 1 + process.communicate()[0].count("\n")
        with sqlite3.connect(tmp_path / NAME) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    assert entered <= len(History(tmp_path).runs(last=10**6)) <= entered + 3
