"""Bad weather: full disks, kill -9, no network, locked folders, and records that are not what they should be."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.record import FORMAT, RecordError, read, resumable
from conformance.report import FORMATS

RUN = ("run", "reference", "--oracle", "reference", "--programs", "500", "--area", "gradients", "--area", "views")


def command(*words: str, folder: Path, **more: Any) -> subprocess.Popen[str]:
    """The command, started in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "conformance", *words], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}, **more,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and the last line on standard error that is the command's own."""
    _, err = process.communicate()
    return process.returncode, next((line for line in reversed(err.splitlines()) if line.startswith("conformance: ")), "")


def content(path: Path) -> bytes:
    """A record without its timing."""
    lines = path.read_bytes().splitlines()
    footer = json.loads(lines[-1])
    footer["timing"] = {}
    return b"\n".join([*lines[:-1], json.dumps(footer).encode()])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The record of the run that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert ended(command(*RUN, folder=folder))[0] == 0
    return content(folder / "reports/reference/record.jsonl")


def test_a_run_killed_again_and_again_comes_to_its_end(undisturbed: bytes, tmp_path: Path) -> None:
    """kill -9 at random moments: the record is readable and incomplete each time, and ends as if nothing had been."""
    moments = random.Random(5)
    path = tmp_path / "reports/reference/record.jsonl"
    for _ in range(3):
        process = command(*RUN, "--resume", folder=tmp_path)
        until = time.monotonic() + 60
        before = path.stat().st_size if path.exists() else 0
        while time.monotonic() < until and process.poll() is None:
            if path.exists() and path.stat().st_size > before + 3000:
                break
            time.sleep(0.01)
        time.sleep(moments.random() / 5)
        process.kill()
        process.communicate()
        record = read(path)
        if process.returncode == -signal.SIGKILL and record.footer is None:
            assert record.verdict == "incomplete"
    status, _ = ended(command(*RUN, "--resume", folder=tmp_path))

    assert status == 0
    assert content(path) == undisturbed


def test_what_is_finished_is_not_run_again(undisturbed: bytes, tmp_path: Path) -> None:
    """--resume on a whole record only shows it."""
    path = tmp_path / "reports/reference/record.jsonl"
    path.parent.mkdir(parents=True)
    assert ended(command(*RUN, folder=tmp_path))[0] == 0
    before = path.read_bytes()

    assert ended(command(*RUN, "--resume", folder=tmp_path))[0] == 0
    assert path.read_bytes() == before


def test_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    """One line says what differs."""
    short = ("run", "reference", "--oracle", "reference", "--programs", "5", "--area", "views")
    assert ended(command(*short, folder=tmp_path))[0] == 0
    path = tmp_path / "reports/reference/record.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    status, line = ended(command(*short, "--seed", "1", "--resume", folder=tmp_path))

    assert status == 2
    assert "cannot go on from reports/reference/record.jsonl: its command is 'conformance run reference --seed 0" in line


def test_a_full_disk_ends_the_run_in_one_line(undisturbed: bytes, tmp_path: Path) -> None:
    """What was found is in the record; with room again, the run goes on to the record of the undisturbed one."""

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_432, 5_432))

    status, line = ended(command(*RUN, folder=tmp_path, preexec_fn=small_disk))
    path = tmp_path / "reports/reference/record.jsonl"

    assert status == 3
    assert "cannot go on recording in reports/reference/record.jsonl: File too large" in line
    assert (path.stat().st_size, read(path).verdict) == (5_432, "incomplete")
    assert ended(command(*RUN, "--resume", folder=tmp_path))[0] == 0
    assert content(path) == undisturbed


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second says so and leaves the first alone; after kill -9 no lock is left."""
    first = command(*RUN[:5], "1000000", folder=tmp_path)
    path = tmp_path / "reports/reference/record.jsonl"
    while not path.exists() or not path.stat().st_size:
        assert first.poll() is None
        time.sleep(0.02)
    status, line = ended(command(*RUN[:5], "1", folder=tmp_path))
    still = first.poll()
    first.kill()
    first.communicate()

    assert (status, still) == (2, None)
    assert line == "conformance: another run is writing to reports/reference: wait for it, or name another folder with --out"
    assert ended(command(*RUN[:5], "1", "--area", "views", folder=tmp_path))[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="folders have no mode")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    """It names the folder and the way out."""
    (tmp_path / "reports").write_text("a file in the place of the folder: root may write anywhere else")
    status, line = ended(command(*RUN[:5], "1", folder=tmp_path))

    assert status == 2
    assert line == "conformance: cannot write to reports/reference: Not a directory: name another folder with --out"


OFFLINE = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise SystemExit(f"a network is asked for: {event} {arguments}")

sys.addaudithook(refuse)
from conformance.cli import main
main()
"""


def test_no_network_is_asked_for(tmp_path: Path) -> None:
    """Neither by a run with every report, nor by an engine in a process of its own: not even a name is looked up."""
    (tmp_path / "offline.py").write_text(OFFLINE)
    formats = [word for name in FORMATS for word in ("--format", name)]
    for words in (formats, ["--isolate"]):
        run = [sys.executable, str(tmp_path / "offline.py"), *RUN[:5], "20", "--area", "views", *words]
        process = subprocess.run(run, cwd=tmp_path, text=True, capture_output=True, check=False)

        assert (process.returncode, "network" in process.stderr) == (0, False), process.stderr
    assert {f.file for f in FORMATS.values()} <= {path.name for path in (tmp_path / "reports/reference").iterdir()}


def test_a_history_that_cannot_be_written_fails_no_run(tmp_path: Path) -> None:
    """The run is reported all the same."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/history.sqlite").write_text("no database" * 100)
    status, line = ended(command(*RUN[:5], "1", "--area", "views", folder=tmp_path))

    assert status == 0
    assert "the run was not entered in the history reports/history.sqlite" in line
    assert (tmp_path / "reports/reference/index.html").exists()


HOSTILE = [
    (b'{"type":"header","format":%d,"new":{"a":[1]},"engine":7}\n' % (FORMAT + 1), f"has format {FORMAT + 1}.*upgrade"),
    (b'{"type":"header","format":1}\n', "has format 1.*run again"),
    (b'{"type":"header","format":"2"}\n', "line 1: Expected `int`"),
    (b"[" * 200_000 + b"\n", "line 1: "),
    (b'{"type":"header"}\n{"type":"phase"}\n', "line 1: Object missing required field"),
    (b"\xff\xfe\x00\n", "line 1: "),
]


@pytest.mark.parametrize(("text", "why"), HOSTILE, ids=["newer", "older", "format", "deep", "bare", "binary"])
@pytest.mark.parametrize("reader", [read, resumable])
def test_a_record_that_is_none_says_where(reader: Any, text: bytes, why: str, tmp_path: Path) -> None:
    """Also to what would go on from it."""
    (tmp_path / "record.jsonl").write_bytes(text)
    with pytest.raises(RecordError, match=why):
        reader(tmp_path / "record.jsonl")


@pytest.mark.parametrize("words", [("merge", "out", "r"), ("report", "r"), ("compare", "r", "r")])
def test_commands_say_it_in_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    """The record of a newer version names the way out."""
    (tmp_path / "r").mkdir()
    (tmp_path / "r/record.jsonl").write_bytes(HOSTILE[0][0])
    status, line = ended(command(*words, folder=tmp_path))

    assert (status, line.endswith("upgrade autograd-conformance")) == (2, True)
