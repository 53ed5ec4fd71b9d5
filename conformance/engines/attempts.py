"""Trying code on a foreign module: whatever it does is a result, and nothing that it prints or warns of is seen."""

from __future__ import annotations

import contextlib
import io
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

SECONDS = 2.0  # what one attempt may take


class Failed:
    """What an attempt gives that raised; false, with the error as one line."""

    def __init__(self, error: BaseException) -> None:
        self.line = " ".join(f"{type(error).__name__}: {error}".split())[:200]

    def __bool__(self) -> bool:
        return False


class TooSlow(Exception):
    """An attempt took longer than it may."""


def attempt(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What the call gives, or Failed. Errors of every kind are caught, exits and endless loops too."""
    try:
        with _limited(SECONDS):
            return call(*arguments, **named)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a foreign module may raise anything
        return Failed(error)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """A region in which what is printed and warned of is dropped."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """A region that is left by TooSlow after so many seconds, where the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def late(signum: int, frame: Any) -> None:
        raise TooSlow(f"no answer after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
