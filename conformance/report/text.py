"""Text from elsewhere, made fit to be shown: no control character reaches a reader, no field is endless."""

from __future__ import annotations

import re

FIELD = 20_000  # characters shown of one field
CELL = 2_000  # characters shown of one cell of a table


def visible(text: str) -> str:
    r"""The text with everything that does not print (terminal escapes, NUL, overrides of direction) spelled out.

    Line feeds and tabs stay. What is left is also valid in XML and encodes to UTF-8.

    >>> visible("\x1b[31mred\x00")
    '\\x1b[31mred\\x00'
    """
    if text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode() for char in text)


def one_line(text: str) -> str:
    """The text, visible and with its white space folded, for places that have one line."""
    return visible(" ".join(text.split()))


def versioned(name: str, version: str) -> str:
    """A name with its version, where one is known.

    >>> versioned("mygrad", "2.3.0"), versioned("my_adapter:MyEngine", "unknown")
    ('mygrad 2.3.0', 'my_adapter:MyEngine')
    """
    return name if version in ("", "unknown") else f"{name} {version}"


def clip(text: str, limit: int = FIELD) -> str:
    """The text, cut at `limit` characters with a note of how many are left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … ({len(text) - limit:,} more characters in record.jsonl)"


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "rule"), count(41234, "program")
    ('1 rule', '41,234 programs')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def slug(name: str) -> str:
    """A name as part of an anchor."""
    return re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)


def token(value: str) -> str:
    """A value of the machine-readable sentence: nothing in it can end it or start another."""
    return re.sub(r"[^\w.:+@/-]", "_", value, flags=re.ASCII) or "unknown"
