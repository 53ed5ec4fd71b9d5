"""Two observations and their differences."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.compare import Difference, compare, same
from conformance.observe import Observation, Refusal
from conformance.tolerance import identical

SIGHT = (0, 0, "value", [1.0])


def seen(*sights: Any, refusal: Refusal | None = None, unsupported: str | None = None) -> Observation:
    """An observation."""
    return Observation(list(sights), refusal, unsupported)


def test_equal_observations_have_no_difference() -> None:
    """The same sights and endings agree, quickly and thoroughly."""
    assert same(seen(SIGHT), seen(SIGHT))
    assert compare(seen(SIGHT), seen(SIGHT), identical) == ()


@pytest.mark.parametrize(
    ("facet", "expected", "observed", "kind"),
    [
        ("value", [1.0], [2.0], "wrong value"),
        ("grad", [1.0], [2.0], "wrong value"),
        ("grad", None, [0.0], "wrong state"),
        ("grad", [0.0], None, "wrong state"),
        ("requires_grad", True, False, "wrong state"),
        ("shape", (2,), (1, 2), "wrong state"),
        ("alive", False, True, "wrong state"),
    ],
)
def test_a_sight_that_differs_is_named(facet: str, expected: Any, observed: Any, kind: str) -> None:
    """Numbers are wrong values; flags, shapes and gradients that should not be there are wrong states."""
    actual = compare(seen((3, 1, facet, expected)), seen((3, 1, facet, observed)), identical)

    assert actual == (Difference(kind, 3, 1, facet, expected, observed),)  # type: ignore[arg-type]


def test_numbers_agree_as_they_are_told_to() -> None:
    """The agreement decides on numbers, and on nothing else."""
    loose = seen((0, 0, "value", [1.0]), (0, 0, "is_leaf", True)), seen((0, 0, "value", [1.1]), (0, 0, "is_leaf", False))
    actual = compare(*loose, lambda a, b: True)

    assert [d.facet for d in actual] == ["is_leaf"]


def test_what_one_side_alone_shows_is_a_difference() -> None:
    """A tensor that is missing, and one that should not be there, are wrong states; None for nothing is none."""
    assert compare(seen(SIGHT), seen(), identical) == (Difference("wrong state", 0, 0, "value", [1.0], "nothing"),)
    assert compare(seen(), seen(SIGHT), identical) == (Difference("wrong state", 0, 0, "value", None, [1.0]),)
    assert compare(seen((0, 0, "value", None)), seen(), identical) == ()


@pytest.mark.parametrize("sight", [(2, 4, "flags", (False, True)), (2, 4, "requires_grad", False), (2, 4, "is_leaf", True)])
def test_a_tensor_where_there_is_to_be_none_is_told_by_its_value(sight: Any) -> None:
    """What flags it has is no difference of its own, in whichever order both are looked at."""
    actual = compare(seen((2, 4, "value", None)), seen(sight, (3, 4, "value", [1.0])), identical)

    assert actual == (Difference("wrong state", 3, 4, "value", None, [1.0]),)


def test_zeros_where_grad_gives_none_are_a_difference() -> None:
    """An engine that returns zeros for an unused input shows flags of a tensor that torch does not make."""
    expected, observed = seen((2, 5, "value", None)), seen((2, 5, "requires_grad", False), (3, 5, "value", [0.0]))

    assert compare(expected, observed, identical) != ()


VERSION = Refusal(2, "version", "modified")


@pytest.mark.parametrize(
    ("expected", "observed", "kinds"),
    [
        (VERSION, VERSION._replace(message="other words"), []),
        (VERSION, None, ["missed error"]),
        (None, VERSION, ["spurious error"]),
        (VERSION, VERSION._replace(step=3), ["missed error"]),
        (VERSION, VERSION._replace(step=1), ["spurious error"]),
        (VERSION, VERSION._replace(category="freed"), ["wrong error"]),
        (VERSION, VERSION._replace(category="other"), []),
        (VERSION._replace(category="other"), VERSION, []),
    ],
)
def test_endings_are_compared_by_step_and_category(expected: Any, observed: Any, kinds: list[str]) -> None:
    """Messages are never compared, and categories only where both are known."""
    actual = compare(seen(refusal=expected), seen(refusal=observed), identical)

    assert [d.kind for d in actual] == kinds
    assert same(seen(refusal=expected), seen(refusal=observed)) is (not kinds)


def test_a_missed_error_ends_the_comparison() -> None:
    """What comes after a refusal that only one side gave is not compared; what came before is."""
    expected = seen((1, 0, "value", [1.0]), (2, 0, "value", [1.0]), refusal=VERSION)
    observed = seen((1, 0, "value", [2.0]), (2, 0, "value", [2.0]), (4, 0, "value", [3.0]))
    actual = compare(expected, observed, identical)

    assert {(d.step, d.kind) for d in actual} == {(1, "wrong value"), (2, "missed error")}


def test_gradients_after_a_common_refusal_are_unspecified() -> None:
    """After a backward that both refuse, values are compared and gradients are not."""
    expected = seen((2, 0, "grad", [1.0]), (2, 0, "value", [1.0]), refusal=VERSION)
    observed = seen((2, 0, "grad", [2.0]), (2, 0, "value", [2.0]), refusal=VERSION)

    assert [d.facet for d in compare(expected, observed, identical)] == ["value"]


def test_nothing_is_judged_where_a_side_lacks_something() -> None:
    """What one side cannot do is unsupported, not different."""
    assert compare(seen(SIGHT), seen(unsupported="no matmul"), identical) == ()
    assert compare(seen(unsupported="no matmul"), seen(SIGHT), identical) == ()


def test_differences_come_in_the_order_of_steps() -> None:
    """The first difference is the first step that went wrong."""
    expected = seen((5, 0, "value", [1.0]), (1, 1, "value", [1.0]))
    observed = seen((5, 0, "value", [2.0]), (1, 1, "value", [2.0]))

    assert [d.step for d in compare(expected, observed, identical)] == [1, 5]
