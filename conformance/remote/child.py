"""The Python child: `python -m conformance.remote.child ENGINE` runs programs on an engine and tells what was seen.

It talks over its first standard output; what the engine prints goes to standard error, and what it reads is empty.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

from conformance import engines
from conformance.compare import Difference
from conformance.engine import Engine, language_of
from conformance.errors import ConformanceError, UsageError
from conformance.execute import Executor
from conformance.observe import facets_of
from conformance.program import Program, with_tuples
from conformance.remote import messages
from conformance.remote.contents import told
from conformance.remote.steps import steps_of

END = b""  # comes after the last line
PATIENCE = 60.0  # seconds that a child may go on with after the suite has gone


class Child:
    """The answers of one engine. `say` writes a line, without its end."""

    def __init__(self, name: str, say: Callable[[bytes], None]) -> None:
        self.name = name
        self.say = say
        self.engine: Engine | None = None
        self.executors: dict[tuple[str, ...], Executor] = {}

    def obey(self, line: bytes) -> bool:
        """Carry out one command; False after the last."""
        command = messages.command(line)
        match command:
            case messages.Hello():
                self.say(messages.encode(self.hello(command)))
            case messages.Run():
                executor = self.executor(tuple(command.facets))
                for index, program in enumerate(command.programs):
                    self.say(messages.encode(observe(executor, command, index, with_tuples(program))))
            case messages.Write():
                self.say(messages.encode(messages.Written(seq=command.seq, text=self.written(command))))
        return not isinstance(command, messages.Stop)

    def hello(self, command: messages.Hello) -> messages.Ready | messages.Unready:
        """Who the engine is, or why it cannot start."""
        try:
            engine = self.engine = engines.load(self.name)
        except ConformanceError as error:
            return messages.Unready(seq=command.seq, error=str(error), usage=isinstance(error, UsageError))
        capabilities = messages.Capabilities(
            ops=sorted(engine.ops), dtypes=list(engine.dtypes), steps=steps_of(engine), facets=sorted(facets_of(engine)),
            traits=sorted(engine.traits), ranks=engine.ranks, schedules=engine.schedules, slow=engine.slow,
            scripts=engine.script is not None,
        )  # fmt: skip
        return messages.Ready(
            seq=command.seq, protocol=messages.PROTOCOL, name=engine.name[:200], version=engine.version()[:200],
            home=engine.home[:200], issues=engine.issues[:200], language=language_of(engine)[:200], capabilities=capabilities,
        )  # fmt: skip

    def executor(self, facets: tuple[str, ...]) -> Executor:
        """The executor that looks at these facets."""
        assert self.engine is not None, "hello comes first"
        if facets not in self.executors:
            self.executors[facets] = Executor(self.engine, frozenset(facets))
        return self.executors[facets]

    def written(self, command: messages.Write) -> str:
        """The program as the engine's own code."""
        if self.engine is None or self.engine.script is None:
            return ""
        wrong = command.difference
        difference = wrong and Difference(
            wrong.kind, wrong.step, wrong.slot, wrong.facet, "@expected@", "@observed@", wrong.category  # type: ignore[arg-type]
        )  # fmt: skip
        return str(self.engine.script(with_tuples(command.program)).text(difference))


def observe(executor: Executor, command: messages.Run, index: int, program: Program) -> messages.Observed:
    """Run one program and say what was seen."""
    seen = executor.run(program, command.schedule)  # type: ignore[arg-type]
    refusal = seen.refusal and messages.Refused(
        step=max(seen.refusal.step, 0), category=seen.refusal.category, message=seen.refusal.message
    )
    sights = [(step, slot, facet, told(content)) for step, slot, facet, content in seen.sights]
    return messages.Observed(seq=command.seq, index=index, sights=sights, refusal=refusal, unsupported=seen.unsupported)


def private_streams() -> tuple[int, int]:
    """Descriptors of our own for what were standard input and output, which are from now on empty and standard error."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return source, sink


def listen(source: int, lines: SimpleQueue[bytes]) -> None:
    """Hand on the lines of a descriptor. When it ends the suite is gone, and soon this process, whatever it is doing."""
    with open(source, "rb") as stream:
        for line in stream:
            lines.put(line)
    lines.put(END)
    time.sleep(PATIENCE)
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    source, sink = private_streams()
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=listen, args=(source, lines), daemon=True).start()

    def say(line: bytes) -> None:
        rest: Any = memoryview(line + b"\n")
        while rest:
            rest = rest[os.write(sink, rest) :]

    child = Child(arguments[0], say)
    warnings.simplefilter("ignore")  # programs do on purpose what engines warn of
    going = child.obey(lines.get())
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 10, 10)
    while going and (line := lines.get()) != END:
        going = child.obey(line)
    sys.stdout.flush()
    os._exit(0)  # what an engine does while Python ends is no part of any program


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except msgspec.MsgspecError as error:
        sys.exit(f"not a message of the protocol: {error}")
