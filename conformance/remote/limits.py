"""What an engine in a process of its own may spend, with the defaults."""

from __future__ import annotations

import msgspec

START = 120.0  # seconds until a child says hello: it may import a large package
FAREWELL = 0.5  # seconds for a child to end by itself
LOOK = 0.05  # seconds between two looks at a child's memory
TAIL = 8192  # bytes kept of what a child writes to its standard error
SHORTEST = 1.0  # seconds: the least deadline of a program that is being reduced


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine is run in a process of its own.

    `python`: the interpreter of the child, by default this one. `deadline`: seconds a program may take. `memory`: MiB the child
    may hold. `restarts`: how often a child that died is replaced. `strict`: whether messages are checked against the JSON Schema.
    """

    python: str | None = None
    deadline: float = 10.0
    memory: int = 4096
    restarts: int = 100
    strict: bool = False
