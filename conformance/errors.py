"""Errors and their owners.

    ConformanceError
    |-- UsageError          the user's: one line that says what to type; exit 2
    |-- EngineUnavailable   the engine or the oracle could not start; exit 3
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


class Defect(ConformanceError):
    """The suite contradicts itself."""

    exit_code = 4
