"""The ways in which an op applies to a first operand of some shape: each is worked out once, and kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from conformance.areas import MOST_ELEMENTS
from conformance.catalog import Need, Op, Shape, ShapeError, size

MOST = 60_000  # ways that are kept, some 600 bytes each; then all are forgotten
_UNKNOWN: Any = object()


class Way(NamedTuple):
    """Parameters, what the further operands must be, shapes of all operands and of the results, whether the latter are small."""

    params: dict[str, Any]
    needs: tuple[Need, ...]
    shapes: tuple[Shape, ...]
    results: tuple[Shape, ...]
    small: bool


class _Recorder:
    """A chooser that notes what is chosen, after choices that were made before."""

    def __init__(self, below: Callable[[int], int], made: list[int]) -> None:
        self._below = below
        self._made = made
        self.noted: list[tuple[int, int]] = []

    def below(self, bound: int) -> int:
        """A number in range(bound); where there is but one, nothing is chosen."""
        if bound < 2:
            return 0
        number = len(self.noted)
        choice = self._made[number] if number < len(self._made) else self._below(bound)
        self.noted.append((bound, choice))
        return choice


class Ways:
    """A tree of choices for each op and shape, grown as it is met.

    The choices are those that the op's own rules make: a branch is a list with an entry for each, and where nothing is left to
    choose stands a way, or None where the op does not fit.
    """

    def __init__(self, ranks: tuple[int, ...]) -> None:
        self._ranks = ranks
        self._trees: defaultdict[tuple[str, Shape], Any] = defaultdict(lambda: _UNKNOWN)
        self._kept = 0

    def draw(self, below: Callable[[int], int], op: Op, shape: Shape) -> Way | None:
        """One of the ways, or None where the op does not fit so."""
        node = self._trees.get((op.name, shape), _UNKNOWN)
        made = []
        while type(node) is list:
            choice = below(len(node))
            made.append(choice)
            node = node[choice]
        return self._explore(below, op, shape, made) if node is _UNKNOWN else node

    def _explore(self, below: Callable[[int], int], op: Op, shape: Shape, made: list[int]) -> Way | None:
        """The way to which these choices lead, and further ones."""
        chooser = _Recorder(below, made)
        way = self._worked_out(chooser, op, shape)
        self._kept += 1
        if self._kept > MOST:
            self._trees.clear()
            self._kept = 0
        branch: Any = self._trees
        at: Any = (op.name, shape)
        for bound, choice in chooser.noted:
            if branch[at] is _UNKNOWN:
                branch[at] = [_UNKNOWN] * bound
            branch, at = branch[at], choice
        branch[at] = way
        return way

    def _worked_out(self, chooser: _Recorder, op: Op, shape: Shape) -> Way | None:
        """The way that this chooser chooses, by the op's own rules."""
        try:
            params = op.params(chooser, shape)
            if params is None:
                return None
            needs = tuple(op.partners(chooser, shape, params))
            if any(len(need.shape) not in self._ranks for need in needs):
                return None
            shapes = (shape, *(need.shape for need in needs))
            results = op.shape(shapes, params)
        except (ShapeError, IndexError):
            return None
        small = all(size(result) <= MOST_ELEMENTS and len(result) in self._ranks for result in results)
        return Way(params, needs, shapes, results, small)


@lru_cache(maxsize=16)
def ways(ranks: tuple[int, ...]) -> Ways:
    """The ways over tensors of so many dimensions: all areas share them."""
    return Ways(ranks)
