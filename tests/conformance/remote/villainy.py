"""What the tests of isolation share: programs of a few lines, and villains behind an executor of their own."""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.observe import facets_of
from conformance.program import Program
from conformance.remote.executor import RemoteExecutor
from conformance.remote.limits import Isolation
from conformance.remote.loading import load
from conformance.sketch import Sketch

ENGINES = Path(__file__).parents[2] / "engines"
TALKER = ENGINES / "bad_talker.py"


def program(*ops: str) -> Program:
    """A leaf, these ops one after the other, a sum and a backward."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    for op in ops:
        x = s.op(op, x, x) if op in ("add", "mul") else s.op(op, x)
    s.backward(s.op("sum", x))
    return s.program()


FINE = program("mul")
HARMFUL = program("exp")  # what every villain is villainous at


def talker(kind: str) -> str:
    """The name of an engine that breaks the protocol in this way."""
    return f"exec:{sys.executable} {TALKER} {kind}"


def executor(name: str, **limits: object) -> RemoteExecutor:
    """The executor of a villain, or of another engine by its full name, in a process of its own."""
    name = name if ":" in name or name == "reference" else f"villains:{name}"
    engine = load(name, Isolation(**{"deadline": 30.0, **limits}))  # type: ignore[arg-type]
    return RemoteExecutor(engine, facets_of(engine))  # type: ignore[arg-type]
