"""The engine in a child as the suite sees it: what it is and what it has. Programs are run by its executor alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.compare import Difference
from conformance.engine import Engine
from conformance.execute import SCHEDULES
from conformance.program import Program
from conformance.remote import messages
from conformance.remote.session import Session, printable
from conformance.remote.steps import has
from conformance.script import shortened

TRAIT = "process"  # what an engine promises by running in a process of its own: if it dies, the suite does not


class RemoteEngine(Engine):
    """An engine in a process of its own, as its child describes it. `launch` holds the options that start it so again."""

    def __init__(self, session: Session, launch: tuple[str, ...]) -> None:
        self.session = session
        self.launch = launch
        self.ready = session.start()
        given = self.ready.capabilities
        self.steps, self.facets = frozenset(given.steps), frozenset(given.facets)
        self.ops: Mapping[str, str] = {op: "" for op in given.ops}
        described: dict[str, Any] = {
            "name": printable(self.ready.name) or "engine", "home": printable(self.ready.home),
            "issues": printable(self.ready.issues), "language": printable(self.ready.language) or "unknown",
            "dtypes": tuple(given.dtypes), "ranks": given.ranks,
            "schedules": tuple(s for s in given.schedules if s in SCHEDULES) or ("thorough",),
            "traits": frozenset(given.traits) | {TRAIT}, "script": self.write if given.scripts else None,
            "slow": given.slow,
        }  # fmt: skip
        vars(self).update(described)

    def version(self) -> str:
        return printable(self.ready.version)

    def has(self, method: str) -> bool:
        return has(self.steps, self.facets, method)

    def write(self, program: Program) -> RemoteScript:
        """The program, to be written as the engine's own code by its child."""
        return RemoteScript(self.session, program)


class RemoteScript:
    """A program that the child writes as code; empty where it cannot."""

    def __init__(self, session: Session, program: Program) -> None:
        self.session = session
        self.program = program

    def text(self, difference: Difference | None = None) -> str:
        """The whole script. What was expected is filled in here: no child is ever told."""
        if difference is None:
            return self.session.write(self.program, None)
        d = difference
        wrong = messages.Wrong(kind=d.kind, step=d.step, slot=d.slot, facet=d.facet, category=d.category)
        text = self.session.write(self.program, wrong)
        return text.replace("@expected@", shortened(d.expected)).replace("@observed@", shortened(d.observed))
