"""In which order a run takes the phases of its areas, and how large each is.

The order is canonical: it depends on what was asked for alone. A run takes its turns one after the other; a shard takes those of
some areas; what is merged is put back in this order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from conformance.areas import AREA_NAMES, BY_NAME, Area
from conformance.record import Part

SIZES = (8, 32, 128)  # programs a phase: small at first, so that every area is met within the first second
SIZES_IF_SLOW = (1, 2, 4)  # where each may take seconds
ROUND_OF_MATRIX = 3  # the round of search over all areas after which the saved-tensor matrix is measured
AREA_OF_MATRIX = "versions"
KEPT = "kept"  # in the place of an area: programs that a project keeps are of any


class Turn(NamedTuple):
    """A phase that is to come: the part of its area's work, the round of it, and how many programs are to be generated."""

    part: Part
    area: str
    round: int
    size: int = 0


def turns(
    areas: Sequence[Area], exemplars: Mapping[str, int], *, programs: int | None, searches: bool, matrix: bool,
    sizes: Sequence[int] = SIZES, kept: bool = False,
) -> Iterator[Turn]:  # fmt: skip
    """All turns of a run, without an end where no number of programs is given.

    What is `kept` is replayed first. Then come the exemplars, one of each area and then the second of each, so that a slow engine
    meets every area; those of a `late` area, which is slow to start, come just before its first random programs.
    """
    if kept:
        yield Turn("kept", KEPT, 0)
    early = [area.name for area in areas if not area.late]
    for place in range(max((exemplars[name] for name in early), default=0)):
        yield from (Turn("exemplar", name, place) for name in early if place < exemplars[name])
    left = programs if searches else 0
    for round_ in count():
        for area in areas:
            if area.late and round_ == 0:
                yield from (Turn("exemplar", area.name, place) for place in range(exemplars[area.name]))
            size = sizes[min(round_, len(sizes) - 1)]
            size = size if left is None else min(size, left)
            if size:
                yield Turn("search", area.name, round_, size)
            left = None if left is None else left - size
        if not areas or left == 0:
            return
        if matrix and round_ == ROUND_OF_MATRIX:
            yield Turn("matrix", AREA_OF_MATRIX, round_)


def place_of(part: Part, area: str, round_: int) -> tuple[int, ...]:
    """Sorts turns, and what came of them, into the order of `turns`."""
    if part == "kept":
        return (-1,)
    place = AREA_NAMES.index(area)
    if part == "exemplar":
        return (1, 0, place, 0, round_) if BY_NAME[area].late else (0, round_, place)
    return (1, round_, place, 1) if part == "search" else (1, round_, len(AREA_NAMES))


def dealt(areas: Sequence[Area], shard: tuple[int, int] | None) -> list[Area]:
    """The areas of a shard (k of n, from 1): dealt like cards. Without a shard, all."""
    return list(areas) if shard is None else list(areas[shard[0] - 1 :: shard[1]])
