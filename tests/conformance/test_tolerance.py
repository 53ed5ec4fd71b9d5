"""When two numbers agree."""

from __future__ import annotations

import math
from typing import Any

import pytest

from conformance.tolerance import EPSILON, close, distance, flatten, identical, largest, structure, within_units

NAN, INF = math.nan, math.inf


def test_nested_lists_are_flattened_in_order() -> None:
    """Row-major order; a lone number is one number."""
    assert list(flatten([[1.0, 2.0], [3.0]])) == [1.0, 2.0, 3.0]
    assert list(flatten(4.0)) == [4.0]


@pytest.mark.parametrize(
    ("expected", "observed", "verdict"),
    [
        (1.0, 1.0, True),
        (0.0, -0.0, True),
        (NAN, NAN, True),
        ([1.0, NAN], [1.0, NAN], True),
        (1.0, 1.0 + 2.0**-52, False),
        ([1.0], 1.0, False),
        ([1.0], [1.0, 1.0], False),
        ([[]], [], False),
        (INF, -INF, False),
        (NAN, 1.0, False),
    ],
)
def test_identical_is_to_the_bit(expected: Any, observed: Any, verdict: bool) -> None:
    """Equal but for the sign of zero and for NaN, in the same nesting."""
    assert identical(expected, observed) is verdict


@pytest.mark.parametrize(
    ("expected", "observed", "verdict"),
    [
        ([1.0, 100.0], [1.0 + 1e-14, 100.0], True),
        ([1.0, 1.0], [1.0 + 1e-13, 1.0], False),
        ([1.0, INF], [1.0, INF], True),
        ([1.0, INF], [1.0, 1.0], False),
        ([1.0, 2.0], [NAN, 2.0], False),
        ([1.0], [None], False),
        ([[1.0]], [1.0], False),
        ([], [], True),
    ],
)
def test_within_units_is_relative_to_the_largest(expected: Any, observed: Any, verdict: bool) -> None:
    """A tensor's largest number sets the scale for all of them; infinities and NaN must be the same."""
    assert within_units(expected, observed, EPSILON["float64"]) is verdict


def test_close_is_absolute() -> None:
    """The bound is a distance."""
    assert close([1.0], [1.25], 0.25)
    assert not close([1.0], [1.26], 0.25)


def test_distance_is_the_largest_difference() -> None:
    """Infinite where the nesting or what is not finite differs."""
    assert distance([1.0, 5.0], [1.5, 5.0]) == 0.5
    assert distance([NAN], [NAN]) == 0.0
    assert distance([1.0], [INF]) == INF
    assert distance([1.0], 1.0) == INF


@pytest.mark.parametrize(("expected", "observed"), [(None, 1.0), (1.0, None)])
def test_none_is_far_from_every_number(expected: Any, observed: Any) -> None:
    """A gradient that is not there, on either side."""
    assert not close(expected, observed, 10.0)
    assert not within_units(expected, observed, EPSILON["float64"])
    assert distance(expected, observed) == INF


def test_the_largest_is_finite() -> None:
    """Infinities, NaN and what is no number set no scale."""
    assert largest([1.0, -3.0, INF, NAN, None]) == 3.0
    assert largest([]) == 0.0


def test_structure_is_the_nesting() -> None:
    """Shapes without numbers."""
    assert structure([[1.0, 2.0], []]) == [[None, None], []]
