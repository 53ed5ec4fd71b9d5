"""What was seen, as JSON can say it, and back: NaN and infinities as words, tuples where the suite has tuples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from conformance.observe import UNTOLD, Sight

WORDS: dict[str, float] = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
LARGEST = 1 << 64  # integers beyond this are no tensor's


class Misfit(ValueError):
    """A content that its facet cannot have; the message says where it stands and what it is."""


def told(content: Any) -> Any:
    """A content with words for the numbers that JSON lacks. Other contents are given back as they are."""
    if type(content) is float:
        return content if math.isfinite(content) else _word(content)
    if type(content) is list or type(content) is tuple:
        try:
            if math.isfinite(math.fsum(content)):
                return content
        except (TypeError, ValueError, OverflowError):  # lists in it, or infinities of both signs, or too large a sum
            pass
        return [told(item) for item in content]
    return content


def _word(number: float) -> str:
    """The word for a number that is not finite."""
    return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"


def read(sights: Sequence[Sight]) -> list[Sight]:
    """What a child says it saw, as the suite sees it in its own process.

    Raises:
        Misfit: a content that its facet cannot have.
    """
    result = []
    for step, slot, facet, content in sights:
        kind = READERS.get(facet)
        if kind is None:
            raise Misfit(f"there is no facet {facet!r}")
        if content is not None and not (type(content) is str and content.startswith(UNTOLD)):
            try:
                content = kind(content)
            except (TypeError, ValueError) as error:
                raise Misfit(f"the {facet} of slot {slot} after step {step} is no {facet}: {error}") from None
        result.append((step, slot, facet, content))
    return result


def numbers(content: Any) -> Any:
    """Numbers in nested lists."""
    if type(content) is list:
        return [numbers(item) for item in content]
    if type(content) is str:
        if content not in WORDS:
            raise ValueError(_shown(content))
        return WORDS[content]
    if content is None:
        raise ValueError(_shown(content))
    if type(content) is int and abs(content) > LARGEST:  # a language with one kind of number writes large ones without a point
        return _large(content)
    return content


def _large(content: int) -> float:
    """A whole number that only a float can be."""
    try:
        return float(content)
    except OverflowError:
        raise ValueError(_shown(content)) from None


def shape(content: Any) -> tuple[int, ...]:
    """Lengths of axes."""
    return tuple([whole(n) for n in _list(content)])


def flags(content: Any) -> tuple[bool, bool]:
    """requires_grad and is_leaf."""
    first, second = _list(content)
    return flag(first), flag(second)


def flag(content: Any) -> bool:
    """True or false."""
    if type(content) is not bool:
        raise ValueError(_shown(content))
    return content


def whole(content: Any) -> int:
    """A whole number of no great size."""
    if type(content) is not int or abs(content) > LARGEST:
        raise ValueError(_shown(content))
    return content


def text(content: Any) -> str:
    """A word, such as a dtype."""
    if type(content) is not str or len(content) > 200:
        raise ValueError(_shown(content))
    return content


def owner(content: Any) -> int | str:
    """A slot, or the gradient of one."""
    return text(content) if type(content) is str else whole(content)


def calls(content: Any) -> list[tuple[int, bool | None]]:
    """Handles of hooks in the order of their calls, each with whether operations were recorded."""
    return [(whole(handle), mode if mode is None else flag(mode)) for handle, mode in map(_list, _list(content))]


def _list(content: Any) -> list[Any]:
    if type(content) is not list:
        raise ValueError(_shown(content))
    return content


def _shown(content: Any) -> str:
    """A content in a message."""
    return repr(content)[:80]


# Facet -> how its content is read. docs/protocol/README.md says what each means.
READERS: dict[str, Callable[[Any], Any]] = {
    "value": numbers,
    "grad": numbers,
    "shape": shape,
    "dtype": text,
    "requires_grad": flag,
    "is_leaf": flag,
    "flags": flags,
    "grad_fn": flag,
    "version": flag,
    "alive": flag,
    "exported": numbers,
    "memory": owner,
    "grad_memory": owner,
    "grad_is": whole,
    "base": whole,
    "order": calls,
    "sequence": lambda content: [whole(handle) for handle in _list(content)],
    "called": lambda content: [numbers(call) for call in _list(content)],
    "packed": lambda content: [numbers(value) for value in _list(content)],
}
