"""Runs mutants in child processes, a few at once. What all of them need is loaded once, before the children are forked off."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec

from conformance.run import Options
from mutants.catalogue import BY_ID
from mutants.measure import Bench, Result, measure

GRACE = 60  # CPU seconds beyond the budget after which a child hangs: what was found last is reduced by then
PATIENCE = 20  # how much longer than its CPU time a child may take by the clock, on a machine that others use
LOOK = 1.0  # seconds between two looks for children that are overdue

FORK: Any = multiprocessing.get_context("fork")


def results(names: Sequence[str], options: Options, *, jobs: int, every_rule: bool) -> Iterator[Result]:
    """What became of each mutant, in the order in which they end."""
    bench = Bench.made()
    left = list(reversed(names))
    running: dict[Connection, _Child] = {}
    try:
        while left or running:
            while left and len(running) < jobs:
                child = _Child(left.pop(), options, every_rule, bench)
                running[child.reader] = child
            for reader in wait(list(running), LOOK):
                yield running.pop(reader).result()  # type: ignore[arg-type]
            for reader in [r for r, child in running.items() if child.overdue()]:
                yield running.pop(reader).hang()
    finally:
        for child in running.values():
            child.process.kill()


class _Child:
    """A mutant in a process of its own. A child that gives no answer, or that a signal ends, tells on its mutant as well."""

    def __init__(self, name: str, options: Options, every_rule: bool, bench: Bench) -> None:
        self.name = name
        self.limit = int(options.seconds or 0) + GRACE
        self.reader, writer = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=_work, args=(writer, name, options, every_rule, bench, self.limit))
        self.started = time.monotonic()
        self.process.start()
        writer.close()

    def result(self) -> Result:
        """What the child says, or what its silent end means."""
        try:
            answer = self.reader.recv_bytes()
        except EOFError:
            return self.silent()
        self.process.join()
        return msgspec.json.decode(answer, type=Result)

    def silent(self) -> Result:
        """What the end of a child without an answer means."""
        self.process.join()
        status = self.process.exitcode
        if status == -signal.SIGXCPU:
            return self.hang()
        if status < 0:
            return Result(id=self.name, outcome="crash", detail=signal.Signals(-status).name)
        return Result(id=self.name, outcome="error", detail=f"exit status {status}")

    def overdue(self) -> bool:
        """Whether it waits for something that does not come: a child that is busy is ended by the limit of its CPU time."""
        return time.monotonic() - self.started > self.limit * PATIENCE

    def hang(self) -> Result:
        """The result of a child without an end."""
        self.process.kill()
        return Result(id=self.name, outcome="hang", detail=f"no answer within {self.limit} s of CPU")


def _work(writer: Connection, name: str, options: Options, every_rule: bool, bench: Bench, limit: int) -> None:
    """What a child does: measure, and say what came of it."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + GRACE))
    try:
        result = measure(BY_ID[name], options, bench, every_rule=every_rule)
    except Exception as error:
        result = Result(id=name, outcome="error", detail=f"{type(error).__name__}: {error}".splitlines()[0])
    writer.send_bytes(msgspec.json.encode(result))
