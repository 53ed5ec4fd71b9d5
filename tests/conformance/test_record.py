"""The record of a run: what is written is read back, and what is incomplete says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.record import FORMAT, Failure, Footer, Header, Record, RecordError, RuleResult, StepRow, read
from conformance.writer import RecordWriter

HEADER = Header(
    suite_version="1", engine="e", engine_version="2", oracle="torch", oracle_version="3", seed=4, areas=["views"],
    versions={"python": "3.11"}, limits={"steps": 10.0},
)  # fmt: skip
FAILURE = Failure(
    id="0123456789abcdef", rule="gradients.binary", area="gradients", kind="wrong value", facet="grad", statement="A law.",
    difference={"expected": [1.0, None], "observed": "nothing"}, proof="Because.", program={"steps": []}, reduced={"steps": []},
    steps=[StepRow(code="a = 1", expected="1", observed="2", differs=True)], torch_script="", engine_script="", replay="",
)  # fmt: skip
RESULT = RuleResult(
    id="gradients.binary", area="gradients", obligation="MUST", verdict="failed", programs=3, failing=1, failures=["0"],
)  # fmt: skip
FOOTER = Footer(programs=3, verdict="diverges", timing={"seconds": 1.5})


def written(path: Path) -> Path:
    """A whole record."""
    writer = RecordWriter(path)
    for line in (HEADER, FAILURE, RESULT, FOOTER):
        writer.write(line)
    writer.close()
    return path


def test_a_record_is_read_back(tmp_path: Path) -> None:
    """Header, failures, rules and footer come back as they were."""
    record = read(written(tmp_path / "r.jsonl"))

    assert record == Record(header=HEADER, failures=[FAILURE], rules=[RESULT], footer=FOOTER)
    assert record.verdict == "diverges"


def test_lines_are_there_before_the_record_is_closed(tmp_path: Path) -> None:
    """Each line is handed to the operating system at once."""
    writer = RecordWriter(tmp_path / "r.jsonl")
    writer.write(HEADER)

    assert read(tmp_path / "r.jsonl").header == HEADER
    writer.close()


@pytest.mark.parametrize("torn", [1, 20, 50])
def test_a_torn_last_line_ends_the_record(torn: int, tmp_path: Path) -> None:
    """What kill -9 leaves in mid-line is readable up to that line, and incomplete."""
    path = written(tmp_path / "r.jsonl")
    path.write_bytes(path.read_bytes()[:-torn])
    record = read(path)

    assert (record.footer, record.verdict, len(record.rules)) == (None, "incomplete", 1)


def test_a_record_without_its_footer_is_incomplete(tmp_path: Path) -> None:
    """Even where every line is whole."""
    path = written(tmp_path / "r.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))

    assert read(path).verdict == "incomplete"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its first line is not a header"),
        (b"nonsense\n", "line 1:"),
        (b'{"type":"footer","programs":1,"verdict":"conforms"}\n', "its first line is not a header"),
        (b'{"type":"footer","programs":1,"verdict":"perfect"}\n', r"line 1: Invalid enum value 'perfect' - at `\$.verdict`"),
        (b'{"type":"elephant"}\n', "line 1: Invalid value 'elephant'"),
    ],
)
def test_what_is_no_record_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    """The message names the line and the place."""
    (tmp_path / "r.jsonl").write_bytes(content)
    with pytest.raises(RecordError, match=reason):
        read(tmp_path / "r.jsonl")


def test_another_format_is_refused(tmp_path: Path) -> None:
    """A record of a later version says what to do."""
    path = written(tmp_path / "r.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"format":%d' % FORMAT, b'"format":99', 1))
    with pytest.raises(RecordError, match="has format 99; this version reads format 2: upgrade"):
        read(path)


ENDLESS = """
import sys
from pathlib import Path
from conformance.writer import RecordWriter
sys.path.insert(0, {tests!r})
from test_record import FAILURE, HEADER
writer = RecordWriter(Path({path!r}))
writer.write(HEADER)
while True:
    writer.write(FAILURE)
    print(flush=True)
"""


def test_a_killed_run_leaves_a_readable_record(tmp_path: Path) -> None:
    """kill -9 in mid-run loses no line that was written."""
    path = tmp_path / "r.jsonl"
    script = ENDLESS.format(tests=str(Path(__file__).parent), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    record = read(path)

    assert record.verdict == "incomplete"
    assert len(record.failures) >= 20
    assert set(map(repr, record.failures)) == {repr(FAILURE)}
