"""The talk with one engine's child: numbered messages, answers checked, a new child where one died."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from conformance.errors import EngineLost, EngineUnavailable, UsageError
from conformance.program import Program
from conformance.remote import messages
from conformance.remote.limits import START, Isolation
from conformance.remote.worker import Died, Worker

Answer = TypeVar("Answer")


class Repeated(Died):
    """The last answer came twice, or with more."""


class Session:
    """Children of one command, one after the other. The first starts with `start`, the others when they are needed."""

    def __init__(
        self, name: str, command: Sequence[str], isolation: Isolation, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.command = command
        self.limits = isolation
        self.environment = environment
        self.worker: Worker | None = None
        self.seq = 0
        self.deaths = self.served = 0
        self.check: Any = None
        if isolation.strict:
            from conformance.remote.schema import Checker

            self.check = Checker()

    # -- beginning and ending --------------------------------------------------------------------------------------------

    def start(self) -> messages.Ready:
        """Start a child and ask who it is.

        Raises:
            UsageError: the command or what it was told to load is not there.
            EngineUnavailable: it cannot start, or speaks another protocol.
        """
        try:
            self.worker = Worker(self.command, self.limits.memory, self.environment)
        except OSError as error:
            raise UsageError(f"cannot start {self.command[0]}: {error.strerror}") from None
        self.seq = self.served = 0
        try:
            seq = self._send(messages.Hello(seq=self.seq + 1, protocol=messages.PROTOCOL))
            line = self.worker.line(START)
            failed = _decoded(messages.unready, line)
            if failed is None:
                ready = self._read(messages.ready, "ready", line, seq)
        except Died as died:
            words = self.kill()
            raise EngineUnavailable(_unstarted(self.name, self.command, died, words)) from None
        if failed is not None:
            self.kill()
            raise (UsageError if failed.usage else EngineUnavailable)(printable(failed.error, 500))
        if ready.protocol != messages.PROTOCOL:
            self.kill()
            raise EngineUnavailable(
                f"engine {self.name!r} speaks protocol {ready.protocol}; this version speaks {messages.PROTOCOL}"
            )
        return ready

    def kill(self) -> str:
        """End the child; returns the last line that it wrote to standard error."""
        if self.worker is None:
            return ""
        words = self.worker.last_words() if self.worker.alive else ""
        self.worker.kill()
        self.worker = None
        return last_line(words)

    @property
    def fresh(self) -> bool:
        """Whether the next program is the first of its process."""
        return self.worker is None or self.served == 0

    def living(self) -> Worker:
        """The child, or a new one in the place of one that died.

        Raises:
            EngineLost: too many have died, or no other can be started.
        """
        if self.worker is None:
            if self.deaths > self.limits.restarts:
                raise EngineLost(f"{self.name} died {self.deaths} times: --restarts N allows more")
            try:
                self.start()
            except (UsageError, EngineUnavailable) as error:
                raise EngineLost(f"{self.name} could not be started again: {error}") from None
        assert self.worker is not None
        return self.worker

    def died(self, died: Died) -> Died:
        """Count a death, with what the child said last."""
        self.deaths += 1
        words = self.kill()
        return type(died)(died.what, f"{died}; its last words: {words}" if words and died.what == "crash" else str(died))

    # -- asking ----------------------------------------------------------------------------------------------------------

    def run(self, programs: Sequence[Program], schedule: str, facets: list[str], deadline: float) -> Iterator[messages.Observed]:
        """Run programs; gives the answers as they come.

        Raises:
            Died: instead of the next answer; Repeated: after one that came twice.
            EngineLost: there is no child to ask.
        """
        worker = self.living()
        try:
            if worker.leftover():
                raise Died("protocol", f"wrote what nobody asked for: {_shown(worker.buffer)}")
            worker.tail.clear()
            seq = self._send(messages.Run(seq=self.seq + 1, schedule=schedule, facets=facets, programs=list(programs)))
            for index in range(len(programs)):
                answer = self._read(messages.observed, "observed", worker.line(deadline), seq)
                if index and answer.index == index - 1:
                    raise Repeated("protocol", "answered twice")
                if answer.index != index:
                    raise Died("protocol", f"answered with index {answer.index} in the place of {index}")
                self.served += 1
                yield answer
            if worker.leftover():
                raise Repeated("protocol", f"wrote more than an answer: {_shown(worker.buffer)}")
        except Died as died:
            raise self.died(died) from None
        except KeyboardInterrupt:  # what it is doing, nobody waits for any more
            self.kill()
            raise

    def write(self, program: Program, difference: messages.Wrong | None) -> str:
        """The program as code of the engine; empty where the child does not write it."""
        try:
            worker = self.living()
            seq = self._send(messages.Write(seq=self.seq + 1, program=program, difference=difference))
            return self._read(messages.written, "written", worker.line(self.limits.deadline), seq).text
        except Died as died:
            self.died(died)
        except EngineLost:
            pass
        return ""

    def _send(self, command: messages.AnyCommand) -> int:
        """Hand over a command; gives its number."""
        assert self.worker is not None
        line = messages.encode(command)
        if self.check is not None:
            self.check.command(line)
        self.worker.send(line)
        self.seq = command.seq
        return self.seq

    def _read(self, decode: Callable[[bytes], Answer], kind: str, line: bytes, seq: int) -> Answer:
        """An answer, if it is one to the message of this number."""
        try:
            answer = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Died("protocol", f"{printable(str(error), 300)}: {_shown(line)}") from None
        if answer.seq != seq:  # type: ignore[attr-defined]
            raise Died("protocol", f"answered message {answer.seq} when asked message {seq}")  # type: ignore[attr-defined]
        if self.check is not None:
            problem = self.check.answer(kind, line)
            if problem:
                raise Died("protocol", f"against the schema: {printable(problem, 300)}")
        return answer


def _decoded(decode: Callable[[bytes], Answer], line: bytes) -> Answer | None:
    """The line as a message of this kind, if it is one."""
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _unstarted(name: str, command: Sequence[str], died: Died, words: str) -> str:
    """Why a child did not start, and what to do."""
    missing = re.search(r"No module named '?(conformance|msgspec|numpy)\b", words)
    if missing:
        package = "autograd-conformance" if missing[1] == "conformance" else missing[1]
        return f"{command[0]} has no {missing[1]} package: {shlex.join([command[0], '-m', 'pip', 'install', package])}"
    return f"engine {name!r} did not start: {died}" + (f": {words}" if words else "")


def last_line(words: str) -> str:
    """The last line of these words, without what differs from run to run."""
    lines = [line for line in words.splitlines() if line.strip()]
    return re.sub(r"0x[0-9a-fA-F]+", "0x...", printable(lines[-1].strip(), 300)) if lines else ""


def printable(text: str, most: int = 200) -> str:
    """Text on one line that leaves a terminal alone."""
    return "".join(c if c.isprintable() else " " for c in text[:most])


def _shown(line: bytes | bytearray) -> str:
    """The beginning of a line in a message."""
    return repr(printable(bytes(line[:80]).decode(errors="replace")))
