"""What a rule is worth: the planted defects of the reference engine that it alone catches, measured and kept beside the rules."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

PATH = Path(__file__).with_name("caught_alone.json")


def caught_alone() -> dict[str, list[str]]:
    """Rule id -> ids of the mutants that no other rule catches. A rule that catches none alone is left out."""
    return msgspec.json.decode(PATH.read_bytes(), type=dict[str, list[str]])


def as_json(alone: Mapping[str, Collection[str]]) -> bytes:
    """What to write to `PATH`: a rule a line, rules and mutants in order, so that two measurements are easily compared."""
    document = {rule: sorted(mutants) for rule, mutants in sorted(alone.items()) if mutants}
    rows = [f"  {json.dumps(rule)}: {json.dumps(mutants)}" for rule, mutants in document.items()]
    return ("{\n" + ",\n".join(rows) + "\n}\n" if rows else "{}\n").encode()
