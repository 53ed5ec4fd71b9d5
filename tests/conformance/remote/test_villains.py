"""Engines that die, hang, eat memory or talk nonsense: each costs one verdict that names the program, and the run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import villainy
from villainy import FINE, HARMFUL, program

from conformance.api import start
from conformance.errors import EngineUnavailable
from conformance.observe import Observation
from conformance.record import Record, assemble
from conformance.remote.executor import RemoteExecutor
from conformance.remote.limits import Isolation
from conformance.remote.worker import Worker, family
from conformance.run import Options

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory and processes are looked up where Linux tells"
)


@pytest.fixture(autouse=True)
def villains_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapters of the villains can be imported, here and in children."""
    monkeypatch.syspath_prepend(villainy.ENGINES)


def run_in(name: str, programs: list[Any], **limits: Any) -> list[Observation]:
    """What is seen of programs in one batch."""
    executor = villainy.executor(name, **limits)
    try:
        return executor.run_all(programs, ["quick"] * len(programs))
    finally:
        executor.session.kill()


def running(group: int) -> list[str]:
    """The processes of a group that have not ended, waited for a little: the system buries them when it likes."""
    end = time.monotonic() + 5
    while True:
        states = [Path(f"/proc/{name}/stat") for name in os.listdir("/proc") if name.isdigit()]
        fields = [words for words in map(_words, states) if words and words[2] == str(group) and words[0] != "Z"]
        if not fields or time.monotonic() > end:
            return [" ".join(words) for words in fields]
        time.sleep(0.05)


def _words(stat: Path) -> list[str]:
    """State, parent, group ... of a process that may be gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []


VILLAINS = {
    "Segfault": ("crash", "killed by SIGSEGV"),
    "NullPointer": ("crash", "killed by SIGSEGV"),
    "Abort": ("crash", "killed by SIGABRT; its last words: terminate called after throwing"),
    "Exit": ("crash", "ended with exit status 3"),
    "Recursion": ("crash", "killed by SIGSEGV"),
    "Glutton": ("memory", "MemoryError"),
}


@pytest.mark.parametrize("name", VILLAINS)
def test_a_crash_in_a_batch_is_pinned_to_its_program(name: str) -> None:
    """The programs around the one that kills are seen as ever; it alone is told dead, and of what."""
    what, message = VILLAINS[name]
    before, dead, after = run_in(name, [FINE, HARMFUL, FINE])

    assert dead.death is not None
    assert (dead.death.what, dead.death.step) == (what, len(HARMFUL.steps) - 1)
    assert message in dead.death.message
    assert "0x7f3a" not in dead.death.message, "what differs from run to run is no part of a record"
    assert before == after
    assert before.death is None
    assert before.sights


@pytest.mark.parametrize("name", ["Hang", "Busy"])
def test_what_hangs_is_killed_with_all_that_it_started(name: str) -> None:
    """A program that takes longer than its deadline is told dead by timeout, and no process of its group is left."""
    executor = villainy.executor(name, deadline=1.0)
    executor.run(FINE)
    group = executor.session.worker.process.pid  # type: ignore[union-attr]
    dead, after = executor.run_all([HARMFUL, FINE], ["quick", "quick"])
    executor.session.kill()

    assert dead.death == ("timeout", "no answer within 1 s", len(HARMFUL.steps) - 1)
    assert after.death is None
    assert running(group) == []


def test_what_eats_memory_is_stopped() -> None:
    """A process that holds more than it may is told dead by memory; the next program runs in a new one."""
    dead, after = run_in("Eater", [HARMFUL, FINE], memory=300)

    assert dead.death == ("memory", "more than 300 MiB", len(HARMFUL.steps) - 1)
    assert after.death is None


def test_prints_of_an_engine_do_no_harm() -> None:
    """What an engine writes to standard output and error, and reads from standard input, is none of the protocol's."""
    noisy, after = run_in("Noise", [HARMFUL, FINE])

    assert noisy.death is None
    assert noisy.refusal is None
    assert after.death is None


def test_what_dies_of_several_programs_together_is_not_lost() -> None:
    """Where no program kills alone, the first that was not answered is named, and that it did not die alone is said."""
    seen = run_in("SecondTime", [HARMFUL, HARMFUL, FINE])

    assert seen[0].death is None
    assert seen[1].death is not None
    assert "after other programs; alone it did not" in seen[1].death.message
    assert seen[2].death is None


TALKERS = {
    "noise": "loading weights",
    "garbage": "",
    "deep": "[[[[",
    "twice": "twice",
    "closed": "closed its standard output",
    "wrong-seq": "answered message 77",
    "wrong-index": "answered with index 99",
    "huge": "a line of more than 64 MiB",
    "object": "got `object`",
    "text": "the value of slot 0 after step 0 is no value: 'much'",
    "number-too-large": "10000000",
    "flag": "requires_grad of slot 0 after step 0",
    "step": "more were told of",
    "facet": "there is no facet 'colour'",
    "list": "Expected `array`, got `object`",
}


@pytest.mark.parametrize("kind", TALKERS)
def test_nonsense_is_a_breach_of_the_protocol(kind: str) -> None:
    """An answer that is none is pinned to the program that it should have answered, and the next is asked a new process."""
    before, dead, after = run_in(villainy.talker(kind), [FINE, HARMFUL, FINE])

    assert dead.death is not None
    assert dead.death.what == "protocol"
    assert TALKERS[kind] in dead.death.message
    assert dead.death.message.isprintable()
    assert before == after
    assert before.death is None


@pytest.mark.parametrize("kind", ["late", "silent"])
def test_an_answer_that_comes_too_late_is_none(kind: str) -> None:
    """A late answer and a missing one are timeouts, and a late one is never taken for the next."""
    executor = villainy.executor(villainy.talker(kind), deadline=1.0)
    dead, after = executor.run(HARMFUL), executor.run(FINE)
    executor.session.kill()

    assert dead.death is not None
    assert dead.death.what == "timeout"
    assert after.death is None


def test_strict_protocol_minds_what_is_otherwise_ignored() -> None:
    """A field that the schema does not know is a breach under --strict-protocol alone."""
    pytest.importorskip("jsonschema")
    (lenient,), (strict,) = (run_in(villainy.talker("unknown-field"), [HARMFUL], strict=s) for s in (False, True))

    assert lenient.death is None
    assert strict.death is not None
    assert "'mood' was unexpected" in strict.death.message


# -- whole runs -------------------------------------------------------------------------------------------------------------


def record_of(name: str, **limits: Any) -> Record:
    """A short run on a villain: its process, and gradients."""
    options = Options(programs=40, areas=("process", "gradients"))
    return assemble(list(start(name, options, oracle="reference", isolation=Isolation(**{"deadline": 30.0, **limits}))))


@pytest.mark.parametrize(
    ("name", "rule", "limits", "told"),
    [
        ("villains:Segfault", "process.crash", {}, "crashed: killed by SIGSEGV"),
        ("villains:Hang", "process.deadline", {"deadline": 2.0}, "did not come to an end: no answer within 2 s"),
        ("villains:Eater", "process.memory", {"memory": 300}, "took too much memory: more than 300 MiB"),
        (villainy.talker("object"), "process.protocol", {}, "answered what cannot be understood: "),
    ],
)
def test_a_death_costs_one_verdict_that_names_the_program(name: str, rule: str, limits: dict[str, Any], told: str) -> None:
    """The record has one failure, of the rule that fits, with the program reduced to exp; all else is judged as ever."""
    record = record_of(name, **limits)
    failed = [result.id for result in record.rules if result.verdict == "failed"]
    passed = {result.area for result in record.rules if result.verdict == "passed"}
    [failure] = record.failures

    assert failed == [rule]
    assert [step.get("op", step["step"]) for step in failure.reduced["steps"]] == ["leaf", "exp"]
    assert failure.proof.startswith(f"The program must come to an end, but the engine's process {told}")
    assert failure.proof.endswith(" In which step, nobody saw; the last is b = torch.exp(a).")
    assert passed == {"process", "gradients"}
    assert record.verdict == "diverges"
    assert record.footer is not None
    assert record.footer.programs > 12


def test_beyond_the_restart_limit_the_run_ends_with_the_reason() -> None:
    """An engine that dies of everything ends the run before its time, and the record says so."""
    record = record_of("villains:DiesAlways", restarts=3)

    assert record.footer is not None
    assert record.footer.stopped == "villains:DiesAlways died 4 times: --restarts N allows more"
    assert "passed" not in {result.verdict for result in record.rules}


def test_an_engine_that_dies_at_its_start_is_unavailable() -> None:
    """One line says how it ended and what it said last."""
    with pytest.raises(EngineUnavailable, match="did not start: killed by SIGABRT: no licence was found"):
        villainy.executor("DiesAtStart")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("start-garbage", "did not start: .*Welcome to the engine!"),
        ("start-protocol", "speaks protocol 2; this version speaks 1"),
        ("start-nothing", "did not start: ended with exit status 4"),
    ],
)
def test_a_child_that_does_not_say_who_it_is_is_unavailable(kind: str, message: str) -> None:
    """One line says what came instead."""
    with pytest.raises(EngineUnavailable, match=message):
        villainy.executor(villainy.talker(kind))


def test_programs_that_hold_a_known_killer_are_left_out() -> None:
    """After a few deaths nothing more is risked on what holds the same op; all else still runs."""
    executor = villainy.executor("Segfault")
    executor.run(HARMFUL)
    executor.avoid(HARMFUL)
    executor.killers = [killer._replace(times=3) for killer in executor.killers]
    deaths = executor.session.deaths
    left_out, fine = executor.run_all([program("mul", "exp"), FINE], ["quick", "quick"])
    executor.session.kill()

    assert left_out.unsupported == "left out: it may hold what kills the engine"
    assert fine.unsupported is None
    assert executor.session.deaths == deaths


def test_a_batch_of_killers_is_not_run_to_its_end() -> None:
    """Of many programs that kill in one batch a few are run, whatever the restart limit."""
    seen = run_in("Segfault", [HARMFUL, FINE] * 20)

    assert sum(o.death is not None for o in seen) < 10
    assert all(o.death is None and o.unsupported is None for o in seen[1::2])
    assert all(o.death is not None or o.unsupported is not None for o in seen[::2])


def test_ctrl_c_ends_a_run_whose_engine_hangs(tmp_path: Path) -> None:
    """The second Ctrl-C does not wait for the engine: the run is recorded as interrupted, and no process is left."""
    words = ["run", "villains:Hang", "--isolate", "--deadline", "100", "--oracle", "reference", "--area", "process", "--out", "."]
    suite = subprocess.Popen(
        [sys.executable, "-m", "conformance", *words], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(villainy.ENGINES)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    record = tmp_path / "record.jsonl"
    end = time.monotonic() + 60
    while not (record.exists() and record.read_text().count('"type":"phase"') >= 4) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    group = list(family(suite.pid))[1]
    for _ in range(2):
        suite.send_signal(signal.SIGINT)
        time.sleep(0.3)

    assert suite.wait(30) == 3
    assert running(group) == []
    assert json.loads(record.read_text().splitlines()[-1])["reason"] == "interrupted"


def test_a_forgotten_engine_leaves_no_process() -> None:
    """When nothing refers to the engine any more its process is gone."""
    executor = villainy.executor("Villain")
    executor.run(FINE)
    group = executor.session.worker.process.pid  # type: ignore[union-attr]
    assert list(family(group)) == [group]
    del executor

    assert running(group) == []


@pytest.mark.parametrize("name", ["Villain", "Hang", "Busy"])
def test_a_child_ends_when_the_suite_is_gone(name: str, tmp_path: Path) -> None:
    """kill -9 of the suite leaves no child behind, nor what that has started: not even one that hangs in native code."""
    code = (
        "import sys, os, threading, time; sys.path[:0] = sys.argv[1:]\n"
        "import villainy; e = villainy.executor(sys.argv.pop())\n"
        "threading.Thread(target=e.run, args=(villainy.HARMFUL,), daemon=True).start(); time.sleep(1)\n"
        "from conformance.remote.worker import family; print(*family(e.session.worker.process.pid), flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(villainy.ENGINES), name],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    started = [int(pid) for pid in ended.stdout.split()]
    left = running(started[0])
    if left:
        os.killpg(started[0], signal.SIGKILL)

    assert len(started) == (2 if name == "Busy" else 1)
    assert left == []


def test_a_child_outlives_the_thread_that_started_it() -> None:
    """An engine may be loaded in one thread and used in another."""
    executors: list[RemoteExecutor] = []
    thread = threading.Thread(target=lambda: executors.append(villainy.executor("Villain")))
    thread.start()
    thread.join()
    time.sleep(0.2)

    assert executors[0].run(FINE).death is None


def test_a_dead_child_leaves_no_descriptor_open() -> None:
    """Nor one that could not be started."""
    executor = villainy.executor("Villain")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        executor.session.kill()
        executor.run(FINE)
    with pytest.raises(OSError, match="No such file"):
        Worker(["/no/such/command"], 100)

    assert len(os.listdir("/proc/self/fd")) == before
