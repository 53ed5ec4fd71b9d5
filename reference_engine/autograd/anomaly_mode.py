"""torch.autograd.anomaly_mode: nodes remember where they were made, and a backward that fails or makes a NaN says so."""

from __future__ import annotations

import traceback
import warnings
from typing import Any

import numpy as np

from .. import errors
from ..modes import alert, state
from ..tensor import Tensor


class set_detect_anomaly:
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


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Turn anomaly mode on or off."""
    set_detect_anomaly._switch(mode, check_nan)


class detect_anomaly(set_detect_anomaly):
    """Anomaly mode within a context."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging.",
            UserWarning,
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self._previous = (state.anomaly, state.anomaly_nan)
        self._switch(True, self.check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on in this thread."""
    return state.anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode looks for NaN."""
    return state.anomaly_nan


# ---- what the mode does -----------------------------------------------------------------------------------------------


def trace(node: Any) -> None:
    """Let a new node remember the call that made it, and the node in whose backward it was made."""
    lines = traceback.format_stack()
    while lines and __name__.partition(".")[0] in lines[-1].partition(", line")[0]:
        lines.pop()
    node._metadata = {**node.metadata, "traceback_": lines}
    if state.parents:
        node._metadata["parent_"] = state.parents[-1]


def run(node: Any, formula: Any, *arguments: Any) -> Any:
    """Run the formula of a node: warn with its forward call if it raises, and raise if it makes a NaN."""
    state.parents.append(node)
    try:
        got = formula(*arguments)
        _refuse_nan(node, got)
        return got
    except Exception:
        report(node)
        raise
    finally:
        state.parents.pop()


def _refuse_nan(node: Any, gradients: Any) -> None:
    if not state.anomaly_nan:
        return
    for i, g in enumerate(gradients):
        if g is None:
            continue
        array = g._array if isinstance(g, Tensor) else g
        if array.dtype.kind in "fc" and np.isnan(array).any():
            raise errors.AutogradError(f"Function '{node.name()}' returned nan values in its {i}th output.")


def report(node: Any) -> None:
    """Warn with the forward call of a node whose backward failed, and with those that led to it."""
    name, first = node.name(), True
    while node is not None:
        lines = node.metadata.get("traceback_")
        if first:
            text = f"Error detected in {name}. "
            text += (
                f"Traceback of forward call that caused the error:\n{''.join(lines)}" if lines else
                "No forward pass information available. Enable detect anomaly during forward pass for more information."
            )  # fmt: skip
        else:
            text = f"\n\nPrevious calculation was induced by {node.name()}. "
            text += (
                f"Traceback of forward call that induced the previous calculation:\n{''.join(lines)}" if lines else
                "No forward pass information available."
            )  # fmt: skip
        warnings.warn(text, UserWarning, stacklevel=2)
        node, first = node.metadata.get("parent_"), False


__all__ = ["detect_anomaly", "set_detect_anomaly"]
