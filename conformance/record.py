"""The record of a run: append-only JSON lines, a schema, and a closing footer.

Line 1 is the header, then one line a failure as it is found, one line a rule, and the footer. A record without its footer is
incomplete: the run was stopped or killed. Everything but the `timing` field of the footer depends on seed and versions alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Union

import msgspec

FORMAT = 1
RuleVerdict = Literal["passed", "failed", "safe", "differs", "unsupported", "incomplete"]
RunVerdict = Literal["conforms", "diverges", "incomplete"]


class RecordError(ValueError):
    """A record that cannot be read; the message names the line and the place in it."""


class Line(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """One line of a record."""


class Header(Line, frozen=True, tag="header", kw_only=True):
    """What was run against what, and how to run it again."""

    format: int = FORMAT
    suite_version: str
    engine: str
    engine_version: str
    oracle: str
    oracle_version: str
    seed: int
    budget_seconds: float | None = None
    budget_programs: int | None = None
    areas: list[str] = []
    rules: list[str] = []
    versions: dict[str, str] = {}
    limits: dict[str, float] = {}
    command: str = ""


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a reduced program: its torch code, what was expected after it and what came."""

    code: str
    expected: str
    observed: str
    differs: bool = False


class Failure(Line, frozen=True, tag="failure", kw_only=True):
    """One cause of failure, by its first program."""

    id: str
    rule: str
    area: str
    kind: str
    facet: str
    statement: str
    difference: dict[str, Any]
    proof: str
    steps: list[StepRow]
    program: dict[str, Any]
    reduced: dict[str, Any]
    torch_script: str
    engine_script: str
    replay: str


class RuleResult(Line, frozen=True, tag="rule", kw_only=True):
    """What became of one rule: `programs` exercised it, `failing` of them differed, from the causes in `failures`.

    passed: exercised and never broken. failed: broken. safe: the engine answers rightly where the oracle refuses.
    differs: a MAY rule that the engine decides otherwise. unsupported: the engine lacks what the rule needs (`reason`).
    incomplete: never exercised.
    """

    id: str
    area: str
    obligation: str
    verdict: RuleVerdict
    level: int = 1
    programs: int = 0
    failing: int = 0
    failures: list[str] = []
    reason: str = ""


# saved: a write is refused at backward. free: it changes no gradient. wrong: it changes gradients without a word. refused: the
# write itself is refused, or backward for another reason.
SavedVerdict = Literal["saved", "free", "wrong", "refused", "unsupported"]


class SavedCell(msgspec.Struct, frozen=True, kw_only=True):
    """Whether `target` (operand a, b, c or the result out) is saved where the operands with a 1 require grad."""

    requires_grad: str
    target: str
    expected: SavedVerdict
    observed: SavedVerdict


class SavedRow(Line, frozen=True, tag="saved", kw_only=True):
    """What one op saves, by the oracle and by the engine."""

    op: str
    code: str
    cells: list[SavedCell]


class Footer(Line, frozen=True, tag="footer", kw_only=True):
    """How the run ended. `timing` alone differs between two runs of one seed."""

    programs: int
    verdict: RunVerdict
    reason: str = ""
    timing: dict[str, float] = {}


AnyLine = Union[Header, Failure, SavedRow, RuleResult, Footer]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record read back. `footer` is None where the run did not end by itself."""

    header: Header
    failures: list[Failure] = []
    rules: list[RuleResult] = []
    saved: list[SavedRow] = []
    footer: Footer | None = None

    @property
    def verdict(self) -> RunVerdict:
        """The run's verdict; incomplete without a footer."""
        return self.footer.verdict if self.footer else "incomplete"


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(AnyLine)


class RecordWriter:
    """Appends lines to a file; each line is handed to the operating system before the run goes on, so kill -9 loses none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb", buffering=0)

    def write(self, line: AnyLine) -> None:
        """Append one line."""
        self._file.write(_encoder.encode(line) + b"\n")

    def close(self) -> None:
        """Make the record durable and close it."""
        os.fsync(self._file.fileno())
        self._file.close()


def parse(lines: Iterable[bytes]) -> Iterator[AnyLine]:
    """The lines of a record. A torn last line, as kill -9 may leave it, ends the record.

    Raises:
        RecordError: where a whole line is not of the schema.
    """
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            return
        try:
            yield _decoder.decode(line)
        except msgspec.DecodeError as error:
            raise RecordError(f"line {number}: {error}") from None


def read(path: Path) -> Record:
    """Read a record.

    Raises:
        RecordError: no header, another format, or a line that is not of the schema.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return assemble(parse(file))


def assemble(lines: Iterable[AnyLine]) -> Record:
    """A record from its lines.

    Raises:
        RecordError: the first line is not a header of this format.
    """
    header: Header | None = None
    failures: list[Failure] = []
    rules: list[RuleResult] = []
    saved: list[SavedRow] = []
    footer: Footer | None = None
    for line in lines:
        if isinstance(line, Header):
            header = line
        elif isinstance(line, Failure):
            failures.append(line)
        elif isinstance(line, RuleResult):
            rules.append(line)
        elif isinstance(line, SavedRow):
            saved.append(line)
        else:
            footer = line
    if header is None:
        raise RecordError("this is not a record: its first line is not a header")
    if header.format != FORMAT:
        raise RecordError(
            f"the record has format {header.format}; this version reads format {FORMAT}: upgrade autograd-conformance"
        )
    return Record(header=header, failures=failures, rules=rules, saved=saved, footer=footer)
