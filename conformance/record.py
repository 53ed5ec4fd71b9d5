"""The record of a run: append-only JSON lines, a schema, and a closing footer.

Line 1 is the header. Then come the phases: each writes a line for every failure as it is found, and ends with a line of its own,
which holds all that the end of the run needs of it. One line a rule and the footer close the record. A record without its footer
is incomplete: the run was stopped or killed, and can go on after the last phase that ended. Everything but the `timing` field of
the footer depends on seed and versions alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union

import msgspec

FORMAT = 2
NAME = "record.jsonl"
"""The file of a record in the folder of its run."""

RuleVerdict = Literal["passed", "failed", "known", "safe", "differs", "unsupported", "incomplete"]
RunVerdict = Literal["conforms", "diverges", "incomplete"]
Part = Literal["kept", "exemplar", "search", "matrix"]
KnownState = Literal["known", "stale", "expired", "untried", "fails", "passes"]


class RecordError(ValueError):
    """A record that cannot be read; the message names the line and the place in it."""


class Line(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """One line of a record."""


class Header(Line, frozen=True, tag="header", kw_only=True):
    """What was run against what, and how to run it again. `home` and `issues` are web addresses of the engine's."""

    format: int = FORMAT
    suite_version: str
    engine: str
    engine_version: str
    home: str = ""
    issues: str = ""
    language: str = ""
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
    shard: str = ""
    kept: str = ""


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a reduced program: its torch code, what was expected after it and what came."""

    code: str
    expected: str
    observed: str
    differs: bool = False


class GraphSave(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor that a node keeps for backward: its variable, whether input or output, its version then and in the end."""

    name: str
    role: str
    version: int
    now: int
    wrong: bool = False


class GraphNode(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of a reduced program adds to the drawing; `step` is its place, and names the node.

    leaf, constant: made from values. op, view, write: applied, and recorded or not. detach: an alias without history.
    walk: backward() or grad(). gradient: a gradient read.
    """

    step: int
    kind: str
    label: str
    variables: list[str] = []
    recorded: bool = False
    saves: list[GraphSave] = []
    notes: list[str] = []
    wrong: bool = False


class GraphEdge(msgspec.Struct, frozen=True, kw_only=True):
    """From the node of an earlier step to that of a later one.

    gradient: gradients go back along it. value: only values go along it. walk: what a walk starts from. write: an in-place op
    changed what the other node had saved, whichever came first.
    """

    source: int
    target: int
    kind: str
    label: str = ""
    wrong: bool = False


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """The autograd graph of a reduced program, with what went wrong marked in it."""

    nodes: list[GraphNode] = []
    edges: list[GraphEdge] = []


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
    graph: Graph | None = None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What a reduced program broke, as far as it tells one cause from another: `id` is that of its failure."""

    id: str
    rule: str
    symptom: tuple[str, str, str, bool]
    ops: list[str]

    @property
    def safe(self) -> bool:
        """Whether the engine's answer is right where the oracle refuses."""
        return self.symptom[-1]


class Phase(Line, frozen=True, tag="phase", kw_only=True, omit_defaults=True):
    """One phase of an area, which has ended: `programs` of the `generated` ones could be run on both sides.

    `exercised` has how many of them tried each rule, in the order of the header's rules; `failing` how many broke it. `causes`
    are those that the area had not met before, `known` those that the baseline has. Rules that do not apply are `unsupported` by
    what the engine promises, or `lacking` by their own programs. An incomplete phase was interrupted. `seconds` since the run
    began are noted where a budget of seconds decides how long it is.
    """

    part: Part
    area: str
    round: int
    generated: int = 0
    programs: int = 0
    exercised: list[int] = []
    failing: dict[str, int] = {}
    causes: list[Cause] = []
    known: list[Cause] = []
    reductions: int = 0
    unsupported: dict[str, str] = {}
    lacking: dict[str, str] = {}
    complete: bool = True
    seconds: float | None = None


class Known(Line, frozen=True, tag="known", kw_only=True):
    """What has become of a program that the project keeps, at this `place` of its files.

    Of the baseline: known (it still fails so), expired (so it does, and may no longer), stale (it does not). Of the corpus:
    passes, fails, or known to the baseline. untried: the rule was not asked for, or the engine lacks what it needs.
    """

    id: str
    origin: Literal["baseline", "corpus"]
    rule: str
    place: str
    state: KnownState
    reason: str = ""
    link: str = ""
    expires: str = ""


class RuleResult(Line, frozen=True, tag="rule", kw_only=True):
    """What became of one rule: `programs` exercised it, `failing` of them differed, from the causes in `failures`.

    passed: exercised and never broken. failed: broken. known: broken as the baseline says, and not otherwise. safe: the engine
    answers rightly where the oracle refuses. differs: a MAY rule that the engine decides otherwise. unsupported: the engine lacks
    what the rule needs (`reason`). incomplete: never exercised.
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
    """How the run ended; `stopped` says why, where that was before its time. `notes`: what works and is not declared.

    `timing` alone differs between two runs of one seed on one machine.
    """

    programs: int
    verdict: RunVerdict
    reason: str = ""
    notes: list[str] = []
    stopped: str = ""
    machine: str = ""
    timing: dict[str, float] = {}


AnyLine = Union[Header, Known, Failure, SavedRow, Phase, RuleResult, Footer]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record read back. `footer` is None where the run did not end by itself."""

    header: Header
    known: list[Known] = []
    failures: list[Failure] = []
    phases: list[Phase] = []
    rules: list[RuleResult] = []
    saved: list[SavedRow] = []
    footer: Footer | None = None

    @property
    def verdict(self) -> RunVerdict:
        """The run's verdict; incomplete without a footer."""
        return self.footer.verdict if self.footer else "incomplete"


_decoder = msgspec.json.Decoder(AnyLine)


class _First(msgspec.Struct):
    """What is read of a first line before its format is known."""

    format: int = FORMAT


_first = msgspec.json.Decoder(_First)


def parse(lines: Iterable[bytes]) -> Iterator[AnyLine]:
    """The lines of a record. A torn last line, as kill -9 may leave it, ends the record.

    Raises:
        RecordError: where a whole line is not of the schema.
    """
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            return
        try:
            if number == 1:
                _check_format(_first.decode(line).format)
            yield _decoder.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            what = "this is not a record: " if number == 1 else ""
            raise RecordError(f"{what}line {number}: {error}") from None


def read(path: Path) -> Record:
    """Read a record.

    Raises:
        RecordError: no header, another format, or a line that is not of the schema.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return assemble(parse(file))


class Resumable(NamedTuple):
    """What a run can go on from: the phases that ended, and where in the file the last of them ends."""

    header: Header
    phases: list[Phase]
    end: int
    finished: bool


def resumable(path: Path) -> Resumable | None:
    """What a record leaves to go on from; None where not even its header was written. `finished`: nothing is left to do.

    Raises:
        RecordError, OSError: as `read`.
    """
    header: Header | None = None
    phases: list[Phase] = []
    end = place = 0
    footer: Footer | None = None
    with path.open("rb") as file:
        raw: list[int] = []
        for line in parse(_measured(file, raw)):
            place += raw[-1]
            if isinstance(line, Header):
                header, end = line, place
            elif isinstance(line, Phase) and line.complete:
                phases.append(line)
                end = place
            elif isinstance(line, Footer):
                footer = line
    if header is None:
        return None
    return Resumable(header, phases, end, footer is not None and not footer.stopped)


def _measured(lines: Iterable[bytes], sizes: list[int]) -> Iterator[bytes]:
    """The lines, noting the size of each."""
    for line in lines:
        sizes.append(len(line))
        yield line


def assemble(lines: Iterable[AnyLine]) -> Record:
    """A record from its lines.

    Raises:
        RecordError: the first line is not a header of this format.
    """
    kinds: dict[type, list[Any]] = {Known: [], Failure: [], Phase: [], RuleResult: [], SavedRow: []}
    header: Header | None = None
    footer: Footer | None = None
    for line in lines:
        if isinstance(line, Header):
            header = line
        elif isinstance(line, Footer):
            footer = line
        else:
            kinds[type(line)].append(line)
    if header is None:
        raise RecordError("this is not a record: its first line is not a header")
    _check_format(header.format)
    return Record(
        header=header, known=kinds[Known], failures=kinds[Failure], phases=kinds[Phase], rules=kinds[RuleResult],
        saved=kinds[SavedRow], footer=footer,
    )  # fmt: skip


def _check_format(found: int) -> None:
    """A record of another format says what to do, before anything else is read from it."""
    if found != FORMAT:
        what = "upgrade autograd-conformance" if found > FORMAT else "run again, or read it with the version that wrote it"
        raise RecordError(f"the record has format {found}; this version reads format {FORMAT}: {what}")
