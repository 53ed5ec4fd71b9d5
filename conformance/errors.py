"""Errors and their owners.

    ConformanceError
    |-- UsageError          the user's: one line that says what to type; exit 2
    |-- EngineUnavailable   the engine or the oracle could not start; exit 3
    |-- EngineLost          the engine died too often in a process of its own; the run ends there; exit 3
    |-- RecordLost          the record could not be written to its end; exit 3
    `-- Defect              ours: a report with the program is asked for; exit 4

What an engine does wrong is no exception but a verdict.
"""

from __future__ import annotations


class ConformanceError(Exception):
    """Base of the errors that the suite raises to its user."""

    exit_code = 4


class UsageError(ConformanceError):
    """The call cannot be carried out as it was written."""

    exit_code = 2


class EngineUnavailable(ConformanceError):
    """An engine could not be imported or started."""

    exit_code = 3


class EngineLost(ConformanceError):
    """An engine in a process of its own died, and is not started again."""

    exit_code = 3


class RecordLost(ConformanceError):
    """The record of a run could not be written to its end, as on a full disk."""

    exit_code = 3


class Defect(ConformanceError):
    """The suite contradicts itself."""

    exit_code = 4
