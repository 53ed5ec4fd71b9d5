"""Two contents in words differ wherever they differ."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.contrast import WIDTH, contrast, factor, shape_of, words

NAN, INF = float("nan"), float("inf")

# Expected, observed, and what is said of them.
PAIRS: tuple[tuple[Any, Any, tuple[str, str]], ...] = (
    ([2.0, 4.0], [2.0, 5.0], ("[2, 4]", "[2, 5]")),
    (1.0, 1.0000001, ("1", "1.0000001")),
    ([2.0, 4.0], [2.0, 4.0 + 2**-50], ("[2, 4]", "[2, 4.0000000000000009]")),
    (1e30, INF, ("1e+30", "inf")),
    (NAN, 0.0, ("nan", "0")),
    (None, [0.0], ("None", "[0]")),
    ([1.0, 2.0], [[1.0, 2.0]], ("[1, 2] of shape (2,)", "[[1, 2]] of shape (1, 2)")),
    (3.0, [3.0], ("3 of shape ()", "[3] of shape (1,)")),
    ([], [[], []], ("[] of shape (0,)", "[[], []] of shape (2, 0)")),
    ("float32", "float64", ("float32", "float64")),
    (1.0, "refused: version", ("1", "refused to tell (version)")),
    ([0.1] * 100, [0.1] * 99 + [0.2], ("0.1 at [99]", "0.2 at [99]")),
    ([[1000.5] * 40] * 2, [[1000.5] * 40, [1000.5] * 39 + [7.0]], ("1000.5 at [1, 39]", "7 at [1, 39]")),
)


@pytest.mark.parametrize(("expected", "observed", "said"), PAIRS, ids=[str(k) for k in range(len(PAIRS))])
def test_what_differs_is_said_to_differ(expected: Any, observed: Any, said: tuple[str, str]) -> None:
    """As many digits as it takes, shapes where they differ, and the place where there are many numbers."""
    assert contrast(expected, observed) == said


@pytest.mark.parametrize("digits", range(1, 17))
def test_numbers_that_differ_never_print_alike(digits: int) -> None:
    """However small the difference."""
    a, b = contrast([1.0, 3.0], [1.0, 3.0 + 3.0 * 10.0**-digits])

    assert (a == b) == (3.0 + 3.0 * 10.0**-digits == 3.0)


@pytest.mark.parametrize(
    ("expected", "observed", "times"),
    [
        ([1.0, 2.0], [2.0, 4.0], 2.0), ([1.0, 0.0], [3.0, 0.0], 3.0), ([1.0, 2.0], [1.0, 4.0], None), ([1.0], [1.0], None),
        ([0.0, 1.0], [1.0, 1.0], None), ([1.0, 2.0], [[1.0, 2.0]], None), ([1.0], None, None), (1.0, NAN, None), (NAN, 1.0, None),
        (2.0, 0.0, 0.0), ([1.0, INF], [2.0, INF], None), ([10**400], [1.0], None), ([], [], None),
    ],
)  # fmt: skip
def test_a_factor_is_told_where_all_numbers_have_it(expected: Any, observed: Any, times: float | None) -> None:
    """Nothing is said where there is none, or it is 1."""
    assert factor(expected, observed) == times


def test_what_is_no_number_has_no_shape() -> None:
    """Nor have ragged lists."""
    assert [shape_of(content) for content in ("nan", None, [1.0, [2.0]], [[1.0], [2.0, 3.0]], ["x"])] == [None] * 5


def test_long_words_are_cut() -> None:
    """A line holds so much."""
    assert len(words([0.123456789] * 1000)) == WIDTH


def test_long_contents_that_are_alike_read_alike() -> None:
    """There is no place to show."""
    many = [1.0 / 3.0 + k for k in range(100)]
    a, b = contrast(many, list(many))

    assert a == b
    assert len(a) == WIDTH
