"""One program again, on an engine and the oracle, with everything that was seen."""

from __future__ import annotations

import warnings
from pathlib import Path

from conformance import engines, program
from conformance.errors import UsageError
from conformance.execute import Executor
from conformance.explain import explain, rows
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.program import InvalidProgram, Program
from conformance.record import RecordError, read
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
            found = program.from_json(path.read_bytes())
            Scope.of(found)
        except OSError as error:
            raise UsageError(f"cannot read {what}: {error.strerror}") from None
        except InvalidProgram as error:
            raise UsageError(f"{what} is not a program: {error}") from None
        return found, None
    matches = []
    for file in sorted(reports.glob("**/record.jsonl")):
        try:
            record = read(file)
        except (RecordError, OSError):
            continue
        matches += [(f.reduced, record.header.engine) for f in record.failures if f.id.startswith(what)]
    if not matches:
        raise UsageError(
            f"no file and no failure {what!r} in the records below {reports}/: name a program's JSON file, or run first"
        )
    reduced, engine = matches[-1]
    return program.from_builtins(reduced), engine


def replay_text(subject: Program, engine_name: str, oracle_name: str) -> tuple[str, bool]:
    """What happens step by step, as text, and whether the engine differs."""
    engine, oracle = engines.load(engine_name), engines.load(oracle_name)
    facets = facets_of(engine) & facets_of(oracle)
    judge = Judge(Executor(oracle, facets), Executor(engine, facets))
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
