"""torch.autograd.anomaly_mode: the switch (the traces come with the engine's anomaly support)."""

from __future__ import annotations

from typing import Any

from ..modes import alert, state


class set_detect_anomaly:  # noqa: N801
    """Turn anomaly mode on or off, as a call or as a context."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._previous = (state.anomaly, state.anomaly_nan)
        self._switch(mode, check_nan)

    @staticmethod
    def _switch(mode: bool, check_nan: bool) -> None:
        if mode and not state.anomaly:
            alert.enter()
        elif state.anomaly and not mode:
            alert.leave()
        state.anomaly, state.anomaly_nan = mode, check_nan

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        self._switch(*self._previous)


class detect_anomaly(set_detect_anomaly):  # noqa: N801
    """Anomaly mode within a context."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self._previous = (state.anomaly, state.anomaly_nan)
        self._switch(True, self.check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on in this thread."""
    return state.anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode looks for NaN."""
    return state.anomaly_nan
