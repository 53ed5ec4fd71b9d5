"""Where the random decisions of generation come from: one primitive, several drivers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Chooser(Protocol):
    """The only source of chance that generation has. Smaller numbers must mean simpler programs."""

    def below(self, bound: int) -> int:
        """A number in range(bound)."""
        ...


class SeededChooser:
    """Draws from a seeded PRNG: 0.2 us a choice, the same sequence on every platform and Python version."""

    __slots__ = ("_random",)

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, bound: int) -> int:
        """A number in range(bound), nearly uniform for the small bounds of generation."""
        return int(self._random() * bound)


def pick(chooser: Chooser, items: Sequence[T]) -> T:
    """One of the items; the first is the simplest."""
    return items[chooser.below(len(items))]
