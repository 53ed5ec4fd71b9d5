"""When two floats agree, and why.

Numbers are compared in three steps, each only where the one before found a difference:

1. to the bit, which nine in ten programs pass;
2. within a few units in the last place of the largest number of the tensor: what reordering a handful of sums may cost;
3. by an arbiter, for programs that amplify rounding: float32 is judged by the distance of both sides from the oracle's own
   float64 result, and both by how far the oracle's result in float64 moves when the leaves move by a known amount. Either is
   allowed the rounding of the numbers that it can have come from, and of the terms of which a gradient is the sum, however small
   the sum.

Exact programs stop after step 1 unless the oracle itself rounds on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
UNITS_AT_TIES = 4  # the same, where an otherwise exact program divides by how many tie
UNITS = 32  # units in the last place that reordered sums of a small program may differ by, relative to the tensor's largest
ARBITER_FACTOR = 8  # how much farther from the truth than the oracle's own rounding an engine may be


def flatten(content: Any) -> Iterator[float]:
    """The numbers of nested lists in row-major order."""
    if isinstance(content, (list, tuple)):
        for item in content:
            yield from flatten(item)
    else:
        yield content


def structure(content: Any) -> Any:
    """The nesting alone: what must be equal before numbers are compared."""
    return [structure(item) for item in content] if isinstance(content, (list, tuple)) else None


def zeros_like(content: Any) -> Any:
    """Zeros in the same nesting."""
    return [zeros_like(item) for item in content] if isinstance(content, (list, tuple)) else 0.0


def identical(expected: Any, observed: Any) -> bool:
    """Equal to the bit but for the sign of zero; NaN equals NaN."""
    if structure(expected) != structure(observed):
        return False
    return all(a == b or (a != a and b != b) for a, b in zip(flatten(expected), flatten(observed), strict=True))


def largest(content: Any) -> float:
    """The largest finite magnitude."""
    return max((abs(x) for x in flatten(content) if isinstance(x, (int, float)) and math.isfinite(x)), default=0.0)


def is_finite(content: Any) -> bool:
    """Whether no number is infinite or NaN."""
    return all(math.isfinite(x) for x in flatten(content) if isinstance(x, (int, float)))


def close(expected: Any, observed: Any, bound: float) -> bool:
    """Every pair of numbers is within the bound, an absolute one; infinities and NaN must be the same."""
    if structure(expected) != structure(observed):
        return False
    for a, b in zip(flatten(expected), flatten(observed), strict=True):
        if a == b or (a != a and b != b):
            continue
        if not (_counts(a) and _counts(b) and abs(a - b) <= bound):
            return False
    return True


def _counts(item: Any) -> bool:
    """Whether it is a finite number: a gradient may be None, on either side."""
    return isinstance(item, (int, float)) and math.isfinite(item)


def within_units(expected: Any, observed: Any, epsilon: float, units: float = UNITS) -> bool:
    """Close within that many units in the last place of the largest number."""
    return close(expected, observed, units * epsilon * max(largest(expected), largest(observed)))


def distance(expected: Any, observed: Any) -> float:
    """The largest absolute difference; infinite where structures or non-finite numbers differ."""
    if structure(expected) != structure(observed):
        return math.inf
    worst = 0.0
    for a, b in zip(flatten(expected), flatten(observed), strict=True):
        if a == b or (a != a and b != b):
            continue
        if not (_counts(a) and _counts(b)):
            return math.inf
        worst = max(worst, abs(a - b))
    return worst
