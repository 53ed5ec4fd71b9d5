"""What was seen, in words; two contents so that what differs in them can be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.observe import UNTOLD
from conformance.tolerance import flatten

DIGITS = (6, 9, 12, 17)  # 17 tell any two doubles apart
WIDTH = 200
LARGEST = 1e300  # numbers above it are not divided by each other


def words(content: Any, digits: int = DIGITS[1]) -> str:
    """Data on one line, cut where it is long."""
    return _cut(in_words(content, digits))


def contrast(expected: Any, observed: Any, text: Callable[[Any, int], str] | None = None) -> tuple[str, str]:
    """Both in words: with as many digits as tell them apart, with their shapes where these differ, and cut around the first
    number that differs where they are long. `text` writes contents of other kinds with so many digits.
    """
    for digits in DIGITS:
        pair = (text or in_words)(expected, digits), (text or in_words)(observed, digits)
        if pair[0] != pair[1]:
            break
    else:  # there is nothing to tell apart
        return _cut((text or in_words)(expected, DIGITS[1])), _cut((text or in_words)(observed, DIGITS[1]))
    a, b = (shape_of(expected), shape_of(observed)) if text is None else (None, None)
    if a is not None and b is not None and a != b:
        return f"{_cut(pair[0])} of shape {a}", f"{_cut(pair[1])} of shape {b}"
    if max(map(len, pair)) > WIDTH and a == b and a:
        place = _first_unlike(expected, observed, digits)
        where = ", ".join(map(str, place))
        return tuple(f"{in_words(_at(c, place), digits)} at [{where}]" for c in (expected, observed))  # type: ignore[return-value]
    return _cut(pair[0]), _cut(pair[1])


def shape_of(content: Any) -> tuple[int, ...] | None:
    """The shape of nested lists of numbers; None of anything else."""
    if isinstance(content, (int, float)):
        return ()
    if not isinstance(content, (list, tuple)):
        return None
    shapes = {shape_of(item) for item in content} or {()}
    inner = shapes.pop()
    return None if shapes or inner is None else (len(content), *inner)


def factor(expected: Any, observed: Any) -> float | None:
    """What every number was multiplied by; None where there is no such factor, or it is 1."""
    if shape_of(expected) != shape_of(observed) or shape_of(expected) is None:
        return None
    pairs = [(a, b) for a, b in zip(flatten(expected), flatten(observed), strict=True) if a or b]
    if not all(abs(x) < LARGEST for pair in pairs for x in pair):
        return None
    factors = {round(b / a, 9) if a else None for a, b in pairs}
    found = factors.pop() if len(factors) == 1 else None
    return None if found in (None, 1.0) or found != found else found


def minus(a: Any, b: Any) -> Any:
    """Nested lists of the same shape, number by number."""
    return [minus(x, y) for x, y in zip(a, b, strict=True)] if isinstance(a, (list, tuple)) else a - b


def in_words(content: Any, digits: int) -> str:
    """Data on one line, however long."""
    if isinstance(content, float):
        return f"{content:.{digits}g}"
    if isinstance(content, (list, tuple)):
        return "[" + ", ".join(in_words(c, digits) for c in content) + "]"
    if isinstance(content, str) and content.startswith(UNTOLD):
        return f"refused to tell ({content[len(UNTOLD) :]})"
    return str(content)


def _cut(text: str) -> str:
    """Not more than a reader takes in."""
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _first_unlike(a: Any, b: Any, digits: int) -> tuple[int, ...]:
    """Where two contents of one shape first differ in words."""
    if not isinstance(a, (list, tuple)):
        return ()
    number = next(k for k, (x, y) in enumerate(zip(a, b, strict=True)) if in_words(x, digits) != in_words(y, digits))
    return (number, *_first_unlike(a[number], b[number], digits))


def _at(content: Any, place: tuple[int, ...]) -> Any:
    """The number at a place."""
    for number in place:
        content = content[number]
    return content
