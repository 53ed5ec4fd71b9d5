"""Engines by name, in this process or in one of their own."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

from conformance import engines
from conformance.engine import Engine
from conformance.errors import UsageError
from conformance.remote.engine import RemoteEngine
from conformance.remote.limits import Isolation
from conformance.remote.session import Session

COMMAND = "exec:"  # begins the name of an engine that is a command


def load(name: str, isolation: Isolation | None = None) -> Engine:
    """The engine of that name, started: in a process of its own where one is asked for, or where the name is `exec:COMMAND`.

    Raises:
        UsageError: no such name, module, attribute, command or interpreter.
        EngineUnavailable: the adapter or its engine cannot be imported or started.
    """
    if not name.startswith(COMMAND) and isolation is None:
        return engines.load(name)
    limits = isolation or Isolation()
    launch = options_of(limits, here=not name.startswith(COMMAND))
    if name.startswith(COMMAND):
        return RemoteEngine(Session(name, command_of(name), limits), launch)
    python, environment = sys.executable, dict(os.environ)
    if limits.python is None:
        environment["PYTHONPATH"] = os.pathsep.join(
            entry or os.getcwd() for entry in sys.path
        )  # what is found here is found there
    else:
        python = shutil.which(limits.python) or ""
        if not python:
            raise UsageError(f"there is no Python interpreter {limits.python!r}: give the path of one")
    command = [python, "-m", "conformance.remote.child", name]
    return RemoteEngine(Session(name, command, limits, environment), launch)


def command_of(name: str) -> list[str]:
    """The words of an engine that is a command.

    Raises:
        UsageError: there are none, or their quotes do not match.
    """
    try:
        words = shlex.split(name[len(COMMAND) :])
    except ValueError as error:
        raise UsageError(f"{name!r} is no command: {error}") from None
    if not words:
        raise UsageError(f"{COMMAND} wants a command, such as 'exec:node engine.js'")
    return words


def options_of(limits: Isolation, *, here: bool) -> tuple[str, ...]:
    """The options of the command line that say this, those that are not the defaults."""
    usual = Isolation()
    words = ["--python", limits.python] if limits.python is not None else ["--isolate"] if here else []
    for option in ("deadline", "memory", "restarts"):
        value = getattr(limits, option)
        words += [f"--{option}", f"{value:g}"] if value != getattr(usual, option) else []
    return (*words, *(["--strict-protocol"] if limits.strict else []))
