"""Programs as a Hypothesis strategy: the same generator on Hypothesis's choices, so that its database and shrinker apply."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from conformance.areas import AREA_NAMES, BY_NAME
from conformance.engine import Engine
from conformance.errors import UsageError
from conformance.generate import generate
from conformance.program import Program
from conformance.vocabulary import EVERYTHING, Vocabulary


@lru_cache(maxsize=512)
def _below(bound: int) -> st.SearchStrategy[int]:
    """Numbers in range(bound), the smallest the simplest; strategies are kept, since making one costs more than drawing."""
    return st.integers(0, bound - 1)


class _DrawnChooser:
    """Every choice is drawn by Hypothesis."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def below(self, bound: int) -> int:
        """A number in range(bound)."""
        return self._draw(_below(bound)) if bound > 1 else 0


@st.composite
def _programs(draw: Any, areas: tuple[str, ...], vocabulary: Vocabulary) -> Program:
    area = BY_NAME[draw(st.sampled_from(areas))]
    program, _ = generate(_DrawnChooser(draw), area, vocabulary)
    return program


def programs(areas: Sequence[str] | str = AREA_NAMES, *, engine: Engine | None = None) -> st.SearchStrategy[Program]:
    """Valid programs of these areas, over what the engine has, or over the whole vocabulary.

    Raises:
        UsageError: there is no area of that name.
    """
    chosen = (areas,) if isinstance(areas, str) else tuple(areas)
    unknown = [a for a in chosen if a not in BY_NAME]
    if unknown or not chosen:
        raise UsageError(f"there is no area {', '.join(map(repr, unknown)) or 'given'}: choose among {', '.join(AREA_NAMES)}")
    return _programs(chosen, EVERYTHING if engine is None else Vocabulary.of(engine))
