"""How many programs exercised each rule, counted at the end of a run from what each program exercised."""

from __future__ import annotations

from collections import Counter

import numpy as np

from conformance.engine import Category
from conformance.rules import Rule

_WORD = (1 << 64) - 1


class Tally:
    """Counts programs by features and outcome.

    A long run meets a hundred thousand combinations, and each rule asks for its own: `count` asks for all of them at once, as
    arrays of the lower and the upper 64 bits. It agrees with `Rule.exercised`, which says what is meant.
    """

    def __init__(self) -> None:
        self.met: Counter[tuple[int, str | None]] = Counter()

    def add(self, features: int, outcome: str | None) -> None:
        """One more program, on which the oracle's refusal was of this category (None: it ran through)."""
        self.met[features, outcome] += 1

    def count(self, rules: tuple[Rule, ...]) -> dict[str, int]:
        """Rule id -> number of programs that exercised it."""
        features = [f for f, _ in self.met]
        low, high = _words(features)
        outcomes = np.array([outcome or "" for _, outcome in self.met], dtype=object)
        numbers = np.array(list(self.met.values()), dtype=np.int64)
        by_outcome = {o: outcomes == o for o in ("", *(c.value for c in Category))}
        counts = {}
        for rule in rules:
            (need_low, need_high), (any_low, any_high) = _split(int(rule.needs)), _split(int(rule.any_of))
            tried = ((low & need_low) == need_low) & ((high & need_high) == need_high)
            if rule.any_of:
                tried &= ((low & any_low) | (high & any_high)) != 0
            wanted = by_outcome[rule.refusal.value if rule.refusal else ""]
            tried &= ~by_outcome[""] if rule.refusal is Category.OTHER else wanted
            counts[rule.id] = int(numbers[tried].sum())
        return counts


def _split(bits: int) -> tuple[np.uint64, np.uint64]:
    """The lower and the upper 64 bits."""
    return np.uint64(bits & _WORD), np.uint64(bits >> 64)


def _words(features: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The same of many, as arrays."""
    low = np.array([f & _WORD for f in features], dtype=np.uint64)
    return low, np.array([f >> 64 for f in features], dtype=np.uint64)
