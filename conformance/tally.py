"""How many programs exercised each rule, counted at the end of a phase from what each program exercised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from conformance.engine import Category
from conformance.features import Feature
from conformance.rules import Rule

_WORD = (1 << 64) - 1
_OUTCOMES: dict[str | None, int] = {None: 0} | {c.value: k for k, c in enumerate(Category, 1)}


class Tally:
    """Counts programs by features and outcome.

    Every rule asks for its own combination: `count` asks for all of them at once, as arrays of words of 64 bits.
    It agrees with `Rule.exercised`, which says what is meant.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.met: Counter[tuple[int, str | None]] = Counter()
        self._needs = _words([rule.needed for rule in rules])
        self._any_of = _words([rule.any_of for rule in rules])
        self._unbound = np.array([not rule.any_of for rule in rules], dtype=bool)
        self._refusal = np.array([_OUTCOMES[rule.refusal.value if rule.refusal else None] for rule in rules], dtype=np.int64)
        self._any_refusal = np.array([rule.refusal is Category.OTHER for rule in rules], dtype=bool)

    def add(self, features: int, outcome: str | None) -> None:
        """One more program, on which the oracle's refusal was of this category (None: it ran through)."""
        self.met[features, outcome] += 1

    def count(self) -> list[int]:
        """How many programs exercised each rule, in the order of the rules."""
        met, numbers = _words([f for f, _ in self.met])[:, None], np.array(list(self.met.values()), dtype=np.int64)
        outcomes = np.array([_OUTCOMES[outcome] for _, outcome in self.met], dtype=np.int64)[:, None]
        tried = ((met & self._needs) == self._needs).all(-1)
        tried &= ((met & self._any_of) != 0).any(-1) | self._unbound
        tried &= np.where(self._any_refusal, outcomes != 0, outcomes == self._refusal)
        return [int(n) for n in numbers @ tried]


def _words(features: Sequence[int]) -> np.ndarray:
    """The bits of each as a row of words of 64 bits, the lowest first."""
    shifts = range(0, len(Feature), 64)
    return np.array([[f >> shift & _WORD for shift in shifts] for f in features], dtype=np.uint64).reshape(-1, len(shifts))
