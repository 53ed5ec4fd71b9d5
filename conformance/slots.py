"""What is known of one tensor of a program, and of the memory that it shares with others."""

from __future__ import annotations

import math
from typing import NoReturn

from conformance.catalog import Bounds, Shape, ShapeError

UNKNOWN = Bounds(-math.inf, math.inf, None)
FLOATS = ("float32", "float64")
FINEST = 10  # the finest grain that values of leaves have


def misfit(message: str) -> NoReturn:
    """A step that is not well typed."""
    raise ShapeError(message)


def bounds_of(values: tuple[float, ...]) -> Bounds:
    """Bounds of a leaf's values. A leaf without values is as one of ones, which every bank of values has in its bounds."""
    if not values:
        return Bounds(1.0, 1.0, 0)
    grain = next((g for g in range(FINEST + 1) if all((v * 2.0**g).is_integer() for v in values)), None)
    return Bounds(min(values), max(values), grain)


class Storage:
    """Memory shared by a tensor and its aliases. `saved_input_at` and the like are versions; -1 is never."""

    version = 0
    saved_input_at = saved_output_at = read_at = -1
    detached = False
    of_gradient = False  # it is, or may be, the memory of a gradient
    inference = False  # it was made in inference mode
    unrecorded = False  # a view was made under no_grad: after a write torch raises when asked for that view's is_leaf
    leaf: Slot | None = None
    clone_of: Storage | None = None

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.members: list[Slot] = []


class Slot:
    """One tensor of the program. What is rarely so has its default here, since a slot is made for every tensor generated."""

    is_leaf = contiguous = alive = True
    # curved: gradients through this tensor depend on a tensor that requires grad; of_leaf: a view of a leaf that does.
    curved = view = multi = overlaps = detached = of_leaf = retained = hooked = False
    uses = 0
    depth = 0  # the length of the longest path to a leaf
    above = 0  # the slots on the graph that ends here, as bits, without the slot itself
    parent: Slot | None = None

    def __init__(self, name: int, shape: Shape, dtype: str, storage: Storage, requires_grad: bool) -> None:
        self.name, self.shape, self.dtype, self.storage, self.requires_grad = name, shape, dtype, storage, requires_grad
        self.graph = 1 << name if requires_grad else 0
        storage.members.append(self)

    @property
    def base(self) -> Slot:
        """The tensor that this one is a view of, or itself: detach() makes a base of its own."""
        slot = self
        while slot.view and slot.parent is not None:
            slot = slot.parent
        return slot

    @property
    def bounds(self) -> Bounds:
        """Bounds of the values: those of the whole memory, since aliases write into it."""
        return self.storage.bounds
