"""How many programs exercised each rule, counted at the end of a phase from what each program exercised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from conformance.engine import Category
from conformance.rules import Rule

_WORD = (1 << 64) - 1
_OUTCOMES: dict[str | None, int] = {None: 0} | {c.value: k for k, c in enumerate(Category, 1)}


class Tally:
    """Counts programs by features and outcome.

    Every rule asks for its own combination: `count` asks for all of them at once, as arrays of the lower and the upper 64 bits.
    It agrees with `Rule.exercised`, which says what is meant.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.met: Counter[tuple[int, str | None]] = Counter()
        self._needs = _words([int(rule.needs) for rule in rules])
        self._any_of = _words([int(rule.any_of) for rule in rules])
        self._unbound = np.array([not rule.any_of for rule in rules], dtype=bool)
        self._refusal = np.array([_OUTCOMES[rule.refusal.value if rule.refusal else None] for rule in rules], dtype=np.int64)
        self._any_refusal = np.array([rule.refusal is Category.OTHER for rule in rules], dtype=bool)

    def add(self, features: int, outcome: str | None) -> None:
        """One more program, on which the oracle's refusal was of this category (None: it ran through)."""
        self.met[features, outcome] += 1

    def count(self) -> list[int]:
        """How many programs exercised each rule, in the order of the rules."""
        (low, high), numbers = _words([f for f, _ in self.met]), np.array(list(self.met.values()), dtype=np.int64)
        outcomes = np.array([_OUTCOMES[outcome] for _, outcome in self.met], dtype=np.int64)[:, None]
        (need_low, need_high), (any_low, any_high) = self._needs, self._any_of
        low, high = low[:, None], high[:, None]
        tried = ((low & need_low) == need_low) & ((high & need_high) == need_high)
        tried &= (((low & any_low) | (high & any_high)) != 0) | self._unbound
        tried &= np.where(self._any_refusal, outcomes != 0, outcomes == self._refusal)
        return [int(n) for n in numbers @ tried]


def _words(features: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper 64 bits of each."""
    low = np.array([f & _WORD for f in features], dtype=np.uint64)
    return low, np.array([f >> 64 for f in features], dtype=np.uint64)
