"""Counting what programs exercised."""

from __future__ import annotations

from conformance.areas import AREAS
from conformance.chooser import SeededChooser
from conformance.engine import Category
from conformance.generate import generate
from conformance.rules import RULES
from conformance.tally import Tally


def test_counts_are_those_of_the_rules_themselves() -> None:
    """The counts over arrays of bits agree with what each rule says of each program, for every outcome."""
    rules = tuple(RULES.values())
    tally = Tally(rules)
    seen = []
    chooser = SeededChooser(1)
    for number in range(400):
        features = generate(chooser, AREAS[number % len(AREAS)])[1].features
        outcome = (None, None, *(c.value for c in Category))[number % (2 + len(Category))]
        tally.add(features, outcome)
        seen.append((features, outcome))

    assert tally.count() == [sum(r.exercised(f, o) for f, o in seen) for r in rules]


def test_nothing_exercised_counts_nothing() -> None:
    """A phase without programs gives 0 for every rule."""
    assert set(Tally(tuple(RULES.values())).count()) == {0}
