"""The file of what each rule alone catches."""

from __future__ import annotations

import msgspec

from conformance.rules import RULES, caught


def test_the_file_names_rules_and_mutants_in_order() -> None:
    """It is as it would be written, and names no rule that is not."""
    alone = caught.caught_alone()

    assert caught.PATH.read_bytes() == caught.as_json(alone)
    assert set(alone) <= set(RULES)


def test_what_is_written_is_read_back() -> None:
    """A rule a line; a rule that catches nothing alone is left out."""
    text = caught.as_json({"b.y": ("M3", "M1"), "a.x": ["M2"], "c.z": []})

    assert text == b'{\n  "a.x": ["M2"],\n  "b.y": ["M1", "M3"]\n}\n'
    assert msgspec.json.decode(text) == {"a.x": ["M2"], "b.y": ["M1", "M3"]}
    assert caught.as_json({}) == b"{}\n"
