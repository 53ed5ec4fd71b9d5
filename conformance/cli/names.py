"""What commands share: levels, and names that must exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click

from conformance.areas import AREA_NAMES, AREAS
from conformance.errors import UsageError

LEVELS = click.IntRange(1, max(area.level for area in AREAS))


def check_names(areas: Iterable[str], ids: Iterable[str]) -> None:
    """Areas and rules that exist, or one line that says which do."""
    from conformance.rules import RULES

    for kind, given, known in (("area", areas, AREA_NAMES), ("rule", ids, tuple(RULES))):
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else "`conformance rules` lists them"
                raise UsageError(f"there is no {kind} {name!r}: {hint}")


def folder_name(engine: str) -> str:
    """A folder name for an engine: `my.module:Engine` becomes my.module-Engine."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in engine)
