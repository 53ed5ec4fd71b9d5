"""The command `conformance` as it is typed, in the test's own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from conformance import cli


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """A function that runs the command with these words."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["conformance", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return Ended(int(caught.value.code or 0), captured.out, captured.err)

    return run
