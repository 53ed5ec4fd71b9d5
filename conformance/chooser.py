"""Where the random decisions of generation come from: one primitive, several drivers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Chooser(Protocol):
    """The only source of chance that generation has. `below(n)` gives one of range(n); smaller ones mean simpler programs."""

    @property
    def below(self) -> Callable[[int], int]: ...


class SeededChooser:
    """Draws from a seeded PRNG: 0.1 us a choice, the same sequence on every platform and Python version."""

    def __init__(self, seed: int) -> None:
        bits = random.Random(seed).getrandbits
        # A closure, not a method: it is called thirty times a program. Nearly uniform for the small bounds of generation; with
        # 24 bits most products are numbers of one digit to Python.
        self.below: Callable[[int], int] = lambda bound: bits(24) * bound >> 24


def pick(chooser: Chooser, items: Sequence[T]) -> T:
    """One of the items; the first is the simplest."""
    return items[chooser.below(len(items))]
