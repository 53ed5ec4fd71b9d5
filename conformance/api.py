"""The suite as a library: run an engine and get the record; check it in one line of a user's own test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conformance.engine import Engine
from conformance.errors import UsageError
from conformance.record import AnyLine, Record, assemble
from conformance.remote.limits import Isolation
from conformance.remote.loading import load
from conformance.run import Options, Run, Tick


class NonConforming(AssertionError):
    """The engine breaks rules, or nothing could be judged. `record` holds everything that was found."""

    def __init__(self, message: str, record: Record) -> None:
        super().__init__(message)
        self.record = record


def start(
    engine: Engine | str,
    options: Options,
    *,
    oracle: Engine | str = "torch",
    isolation: Isolation | None = None,
    progress: Callable[[Tick], None] | None = None,
) -> Run:
    """A run that is ready to be iterated over, on an engine in a process of its own where `isolation` says so.

    Raises:
        UsageError, EngineUnavailable: the engine or the oracle cannot be had.
    """
    name = engine if isinstance(engine, str) else ""
    if isolation is not None and not name:
        raise UsageError("an engine in a process of its own is given by its name: 'module:attribute'")
    under_test = load(engine, isolation) if isinstance(engine, str) else engine
    truth = load(oracle) if isinstance(oracle, str) else oracle
    return Run(under_test, truth, options, name=name, progress=progress)


def check(
    engine: Engine | str,
    *,
    budget: float | None = 10.0,
    programs: int | None = None,
    seed: int = 0,
    areas: Sequence[str] = (),
    rules: Sequence[str] = (),
    level: int | None = None,
    oracle: Engine | str = "torch",
    isolation: Isolation | None = None,
) -> Record:
    """Run the suite on an engine and return the record; for one line in a test.

    Args:
        engine: an adapter, its registered name, `module:attribute`, or `exec:COMMAND` that speaks the protocol.
        budget: seconds; ignored where `programs` is given.
        programs: how many random programs to run; the same seed and number give the same record.
        level: only rules up to this level, 1 to 4, for an engine that is growing.
        isolation: run the engine in a process of its own, within these limits; it may then crash or hang.

    Raises:
        NonConforming: the engine breaks a rule, or nothing could be judged; the message holds proof and reproducer.
        UsageError, EngineUnavailable: the engine or the oracle cannot be had.
    """
    seconds = budget if programs is None else None
    options = Options(
        seconds=seconds, programs=programs, seed=seed, areas=tuple(areas), rules=tuple(rules), level=level, matrix=True
    )
    lines: list[AnyLine] = list(start(engine, options, oracle=oracle, isolation=isolation))
    record = assemble(lines)
    if record.verdict != "conforms":
        raise NonConforming(describe(record), record)
    return record


def describe(record: Record) -> str:
    """The failures of a record as text: rule, proof and reproducer of each."""
    failed = {r.id for r in record.rules if r.verdict == "failed"}
    parts = [
        f"{f.rule}: {f.statement}\n{f.proof}\n\n{f.engine_script or f.torch_script}" for f in record.failures if f.rule in failed
    ]
    if not parts:
        reason = record.footer.reason if record.footer else "the run did not end"
        return f"{record.header.engine}: {record.verdict}: {reason}"
    return f"{record.header.engine} breaks {len(failed)} rules of autograd\n\n" + "\n\n".join(parts)
