"""Grad mode, inference mode, and the other switches that change what recording an op means. All are thread local."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np


class _State(threading.local):
    """The switches of one thread."""

    def __init__(self) -> None:
        self.grad = True
        self.inference = False
        self.nominal = False  # grad mode was asked for in inference mode, where nothing is recorded all the same
        self.pack_hooks: list[tuple[Callable, Callable]] = []  # innermost last
        self.hooks_disabled: str | None = None
        self.tasks: list[Any] = []  # the backwards now running, innermost last
        self.multithreading = True
        self.anomaly = False
        self.anomaly_nan = True
        self.parents: list[Any] = []
        self.dual_level = -1
        self.transforms: list[Any] = []
        self.transposing = False  # a vjp is being run backwards, to go forward (autograd/tangents.py)
        # NumPy keeps its error state per thread. Poles and overflows are ordinary values here, as in torch.
        np.seterr(all="ignore")


class _Alert:
    """Whether any thread is in a rare mode; one flag keeps the common path of an op free of checks.

    `on` counts the rare modes in force anywhere (inference mode, saved-tensor hooks, anomaly mode, dual levels, function
    transforms): ops then take the general path, which looks at the thread's own state. `detached` turns True for good
    at the first detach_() of a non-leaf: from then on unpacking checks for it.
    """

    __slots__ = ("detached", "lock", "on")

    def __init__(self) -> None:
        self.on = 0
        self.detached = False
        self.lock = threading.Lock()

    def enter(self) -> None:
        """A rare mode begins."""
        with self.lock:
            self.on += 1

    def leave(self) -> None:
        """A rare mode ends."""
        with self.lock:
            self.on -= 1


state = _State()
alert = _Alert()


class ContextDecorator:
    """A context manager that can also decorate a function, a generator function or a class's methods.

    A decorated generator runs its body inside the context and hands back the caller's mode at each yield.
    """

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exc: Any) -> None:
        raise NotImplementedError

    def clone(self) -> ContextDecorator:
        """A fresh instance for one call of the decorated function."""
        return self.__class__()

    def __call__(self, fn: Any) -> Any:
        if inspect.isgeneratorfunction(fn):
            return self._wrap_generator(fn)

        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return fn(*args, **kwargs)

        return wrapper

    def _wrap_generator(self, fn: Any) -> Any:
        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            generator = fn(*args, **kwargs)
            try:
                with self.clone():
                    response = generator.send(None)
                while True:
                    try:
                        request = yield response
                    except GeneratorExit:
                        with self.clone():
                            generator.close()
                        raise
                    except BaseException:
                        with self.clone():
                            response = generator.throw(*sys.exc_info())
                    else:
                        with self.clone():
                            response = generator.send(request)
            except StopIteration as stop:
                return stop.value

        return wrapper


class _BareDecorator(ContextDecorator):
    """Allows `@no_grad` without parentheses."""

    def __new__(cls, fn: Any = None) -> Any:
        self = object.__new__(cls)
        if fn is None:
            return self
        self.__init__()
        return self(fn)


class no_grad(_BareDecorator):
    """Ops inside are not recorded."""

    _mode = False

    def __init__(self, fn: Any = None) -> None:
        self._previous = True

    def __enter__(self) -> None:
        self._previous = state.grad
        state.grad = self._mode

    def __exit__(self, *exc: Any) -> None:
        state.grad = self._previous


class enable_grad(no_grad):
    """Ops inside are recorded, also within no_grad."""

    _mode = True

    def __enter__(self) -> None:
        self._previous = state.grad
        self._nominal = state.nominal
        _ask(True)

    def __exit__(self, *exc: Any) -> None:
        state.grad, state.nominal = self._previous, self._nominal


def _ask(mode: bool) -> None:
    state.grad, state.nominal = mode and not state.inference, mode and state.inference


class set_grad_enabled(ContextDecorator):
    """Set grad mode at construction; as a context manager, restore it at exit."""

    def __init__(self, mode: bool) -> None:
        self._previous = state.grad, state.nominal
        self.mode = bool(mode)
        _ask(self.mode)

    def __call__(self, fn: Any) -> Any:
        state.grad, state.nominal = self._previous  # the constructor's effect is meant for the call, not for now
        return super().__call__(fn)

    def __enter__(self) -> None:
        _ask(self.mode)

    def __exit__(self, *exc: Any) -> None:
        state.grad, state.nominal = self._previous

    def clone(self) -> set_grad_enabled:
        previous, new = (state.grad, state.nominal), self.__class__(self.mode)
        new._previous = previous
        return new


class inference_mode(ContextDecorator):
    """Like no_grad, and results have no version counter and may never enter a graph."""

    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if isinstance(mode, bool):
            return self
        self.__init__()
        return self(mode)

    def __init__(self, mode: Any = True) -> None:
        self.mode = mode if isinstance(mode, bool) else True

    def clone(self) -> inference_mode:
        return self.__class__(self.mode)

    def __enter__(self) -> None:
        self._previous = (state.inference, state.grad, state.nominal)
        state.inference, state.nominal = self.mode, False
        state.grad = not self.mode
        alert.enter()

    def __exit__(self, *exc: Any) -> None:
        state.inference, state.grad, state.nominal = self._previous
        alert.leave()


class set_multithreading_enabled(ContextDecorator):
    """A flag without effect: backward always runs in the calling thread here."""

    def __init__(self, mode: bool) -> None:
        self.mode, self._previous = mode, state.multithreading
        state.multithreading = mode

    def __enter__(self) -> None:
        state.multithreading = self.mode

    def __exit__(self, *exc: Any) -> None:
        state.multithreading = self._previous

    def clone(self) -> set_multithreading_enabled:
        return self.__class__(self.mode)


def is_grad_enabled() -> bool:
    """Whether ops of this thread are to be recorded (in inference mode they are not, even so)."""
    return state.grad or state.nominal


def is_multithreading_enabled() -> bool:
    """What set_multithreading_enabled said last."""
    return state.multithreading


def is_inference_mode_enabled() -> bool:
    """Whether this thread is in inference mode."""
    return state.inference
