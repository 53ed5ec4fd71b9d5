"""What is known of a tensor's values without computing them: an interval, and how finely they are spaced.

`grain = g` promises that every value is a multiple of 2**-g, so that sums and products of few of them are exact in floating
point; `grain = None` promises nothing. An op is admitted to a program only where its rule here gives bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

Shape = tuple[int, ...]


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """Every value lies in [lo, hi] and, unless grain is None, is a multiple of 2**-grain."""

    lo: float
    hi: float
    grain: int | None

    @property
    def magnitude(self) -> float:
        """The largest absolute value possible."""
        return max(-self.lo, self.hi)


# The operands' bounds, the parameters, the operands' shapes -> the result's bounds, or None where the op is not admitted.
BoundsRule = Callable[[Sequence[Bounds], dict[str, Any], Sequence[Shape]], "Bounds | None"]


# The number of elements of a shape.
size: Callable[[Shape], int] = math.prod


def finer(a: int | None, b: int | None) -> int | None:
    """The grain that holds values of both grains."""
    if a is None or b is None:
        return None
    return a if a > b else b


def union(a: Bounds, b: Bounds) -> Bounds:
    """Bounds of a tensor that holds values of both."""
    return Bounds(min(a.lo, b.lo), max(a.hi, b.hi), finer(a.grain, b.grain))


def product(a: Bounds, b: Bounds) -> Bounds:
    """Bounds of elementwise products."""
    corners = (a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi)
    return Bounds(min(corners), max(corners), None if a.grain is None or b.grain is None else a.grain + b.grain)


def total(a: Bounds, terms: int) -> Bounds:
    """Bounds of sums of that many values; the empty sum is 0."""
    return Bounds(min(a.lo * terms, 0.0), max(a.hi * terms, 0.0), a.grain)


def keep(operands: Sequence[Bounds], params: dict[str, Any], shapes: Sequence[Shape]) -> Bounds:
    """Values are moved, repeated or dropped, never changed."""
    return operands[0]


def mixed(operands: Sequence[Bounds], params: dict[str, Any], shapes: Sequence[Shape]) -> Bounds:
    """Every result value is one of the operands' values, or 0."""
    result = operands[0]
    for other in operands[1:]:
        result = union(result, other)
    return Bounds(min(result.lo, 0.0), max(result.hi, 0.0), result.grain)


def monotone(
    function: Callable[[float], float],
    domain: tuple[float, float] = (-50.0, 50.0),
    *,
    falling: bool = False,
) -> BoundsRule:
    """An inexact monotone function, admitted where its operand lies within the domain."""

    def rule(operands: Sequence[Bounds], params: dict[str, Any], shapes: Sequence[Shape]) -> Bounds | None:
        a = operands[0]
        if a.lo < domain[0] or a.hi > domain[1]:
            return None
        ends = function(a.lo), function(a.hi)
        return Bounds(*(ends[::-1] if falling else ends), None)

    return rule


def within(lo: float, hi: float, domain: tuple[float, float] = (-50.0, 50.0)) -> BoundsRule:
    """An inexact function whose values lie in [lo, hi] over the domain."""

    def rule(operands: Sequence[Bounds], params: dict[str, Any], shapes: Sequence[Shape]) -> Bounds | None:
        if any(b.lo < domain[0] or b.hi > domain[1] for b in operands):
            return None
        return Bounds(lo, hi, None)

    return rule


def growing(slope: float, domain: tuple[float, float] = (-50.0, 50.0)) -> BoundsRule:
    """An inexact function with |f(x)| <= slope * |x| + 1 over the domain."""

    def rule(operands: Sequence[Bounds], params: dict[str, Any], shapes: Sequence[Shape]) -> Bounds | None:
        a = operands[0]
        if a.lo < domain[0] or a.hi > domain[1]:
            return None
        reach = slope * a.magnitude + 1
        return Bounds(-reach, reach, None)

    return rule


def reaching(slope: float, start: float, *domains: tuple[float, float]) -> BoundsRule:
    """An inexact function with |f| <= slope * the largest magnitude + start, each operand within its domain."""

    def rule(operands: Sequence[Bounds], params: dict[str, Any], shapes: Sequence[Shape]) -> Bounds | None:
        for x, (low, high) in zip(operands, domains or ((-50.0, 50.0),) * len(operands), strict=False):
            if x.lo < low or x.hi > high:
                return None
        top = slope * max(x.magnitude for x in operands) + start
        return Bounds(-top, top, None)

    return rule


def away_from_zero(a: Bounds, distance: float = 0.2) -> bool:
    """True where no value is nearer to 0 than the distance, so that dividing by it is well conditioned."""
    return a.lo >= distance or a.hi <= -distance
