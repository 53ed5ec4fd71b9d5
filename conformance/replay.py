"""One program again, on an engine and the oracle, with everything that was seen."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from conformance import program
from conformance.errors import UsageError
from conformance.explain import explain, rows
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.program import InvalidProgram, Program
from conformance.record import Failure, RecordError, assemble, parse
from conformance.remote.executor import executor
from conformance.remote.limits import Isolation
from conformance.remote.loading import load
from conformance.scope import Scope
from conformance.script import Script


def find(what: str, reports: Path) -> tuple[Program, str | None]:
    """The program of a JSON file, or of a recorded failure by its id (or the id's beginning), with the engine it was recorded on.

    Raises:
        UsageError: no such file or id, an id that means several failures, or a malformed program.
    """
    path = Path(what)
    if path.suffix == ".json" or path.is_file():
        try:
            found = program.from_json(_program_of(path.read_bytes()))
            Scope.of(found)
        except OSError as error:
            raise UsageError(f"cannot read {what}: {error.strerror}") from None
        except InvalidProgram as error:
            raise UsageError(f"{what} is not a program: {error}") from None
        return found, None
    matches = {failure.id: (failure.reduced, engine) for failure, engine in failures(reports) if failure.id.startswith(what)}
    if len(matches) > 1:
        raise UsageError(
            f"{what!r} is the beginning of {len(matches)} ids, such as {' and '.join(sorted(matches)[:2])}: type more"
        )
    if not matches:
        raise UsageError(
            f"no file and no failure {what!r} in the records below {reports}/: name a program's JSON file, or run first"
        )
    ((reduced, engine),) = matches.values()
    try:
        found = program.from_builtins(reduced)
        Scope.of(found)
    except InvalidProgram as error:
        raise UsageError(
            f"the failure {what} was recorded by another version, and its program is none of this one: {error}"
        ) from None
    return found, engine


def failures(reports: Path) -> Iterator[tuple[Failure, str]]:
    """The failures of all records below a folder, those of the history too, each with the engine it was recorded on.

    The records that lie open come last, since a failure may be in several.
    """
    for file in (*sorted(reports.glob("**/*.jsonl.gz")), *sorted(reports.glob("**/record.jsonl"))):
        try:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
                record = assemble(parse(lines))
        except (RecordError, OSError, EOFError, zlib.error):
            continue
        yield from ((failure, record.header.engine) for failure in record.failures)


def _program_of(text: bytes) -> bytes:
    """The program of a file of the corpus; any other file is one."""
    try:
        return bytes(msgspec.json.decode(text, type=_Specimen).program)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text


class _Specimen(msgspec.Struct):
    """What is read of a file of the corpus."""

    program: msgspec.Raw


def replay_text(subject: Program, engine_name: str, oracle_name: str, isolation: Isolation | None = None) -> tuple[str, bool]:
    """What happens step by step, as text, and whether the engine differs."""
    engine, oracle = load(engine_name, isolation), load(oracle_name)
    facets = facets_of(engine) & facets_of(oracle)
    judge = Judge(executor(oracle, facets), executor(engine, facets))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # programs do on purpose what engines warn of
        case = judge.examine(subject)
    if case is None:
        observed = judge.engine.run(subject)
        if observed.unsupported is not None:
            raise UsageError(f"{engine_name} cannot run this program: {observed.unsupported}")
        return f"{Script(subject).text()}\n{engine_name} agrees with {oracle_name} on this program.", False
    lines = [f"{case.rule.id}: {case.rule.statement}", "", explain(case), ""]
    for row in rows(case, Script(subject)):
        mark = ">" if row.differs else " "
        lines.append(f"{mark} {row.code}")
        if row.differs:
            lines += [f"      expected  {row.expected}", f"      observed  {row.observed}"]
    script = engine.script(subject).text(case.difference) if engine.script is not None else Script(subject).text(case.difference)
    return "\n".join([*lines, "", script]), True
