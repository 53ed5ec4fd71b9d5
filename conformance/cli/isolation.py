"""The options that put an engine in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from conformance.errors import UsageError
from conformance.remote.limits import Isolation

_USUAL = Isolation()
OPTIONS = (
    click.option("--isolate", is_flag=True, help="Run the engine in a process of its own, which may crash or hang."),
    click.option("--python", metavar="PATH", help="The same, by this interpreter and with its packages."),
    click.option("--deadline", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
                 help=f"What a program may take there ({_USUAL.deadline:g})."),
    click.option("--memory", type=click.IntRange(min=1), metavar="MIB",
                 help=f"What the engine may hold there ({_USUAL.memory})."),
    click.option("--restarts", type=click.IntRange(min=0), metavar="N",
                 help=f"How often it is started again after it died ({_USUAL.restarts})."),
    click.option("--strict-protocol", is_flag=True, help="Check every message against the protocol's JSON Schema."),
)  # fmt: skip


def isolated(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with these options, which it is given as `isolation`: None where the engine runs in this process."""

    @wraps(command)
    def run(**arguments: Any) -> Any:
        isolate = arguments.pop("isolate")
        given = {name: arguments.pop(name) for name in ("python", "deadline", "memory", "restarts")}
        set_ = {name: value for name, value in given.items() if value is not None}
        strict = arguments.pop("strict_protocol")
        apart = isolate or "python" in set_ or str(arguments.get("engine")).startswith("exec:")
        if (set_ or strict) and not apart and "what" not in arguments:
            option = "strict-protocol" if strict else next(iter(set_))
            raise UsageError(f"--{option} is for an engine in a process of its own: add --isolate, or name exec:COMMAND")
        isolation = Isolation(strict=strict, **set_) if apart or set_ or strict else None
        return command(isolation=isolation, **arguments)

    for option in reversed(OPTIONS):
        run = option(run)
    return run
