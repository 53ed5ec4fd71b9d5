"""What is known of one tensor of a program, and of the memory that it shares with others."""

from __future__ import annotations

import math
from typing import NoReturn

from conformance.catalog import Bounds, Shape, ShapeError

UNKNOWN = Bounds(-math.inf, math.inf, None)
FLOATS = ("float32", "float64")
# Torch records some ops on such a leaf and not others, by the kernels that they go through.
# torch gives such an alias a counter of its own, and calls it an inference tensor all the same.
NO_ALIAS_OF_INFERENCE = "a tensor of inference mode is not detached outside of it"
NO_LEAF_OF_INFERENCE = "a leaf that is made in inference mode cannot require grad"
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
    """Memory shared by a tensor and its aliases. `saved_input_at` and the like are versions; -1 is never.

    It does not know the tensors that lie in it: a circle would leave every program to the garbage collector.
    """

    __slots__ = (
        "bounds", "clone_of", "detached", "inference", "of_gradient", "of_leaf", "read_at", "saved_input_at", "saved_output_at",
        "unrecorded", "version",
    )  # fmt: skip

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.version = 0
        self.saved_input_at = self.saved_output_at = self.read_at = -1
        self.detached = False
        self.of_gradient = False  # it is, or may be, the memory of a gradient
        self.inference = False  # it was made in inference mode
        self.unrecorded = False  # a view was made under no_grad: after a write torch raises when asked for that view's is_leaf
        self.of_leaf = False  # it is, or was, the memory of a leaf that requires grad
        self.clone_of: Storage | None = None


class Slot:
    """One tensor of the program."""

    __slots__ = (
        "above", "alive", "contiguous", "curved", "depth", "detached", "dtype", "graph", "hooked", "is_leaf", "multi", "name",
        "of_leaf", "order_open", "overlaps", "parent", "requires_grad", "retained", "shape", "storage", "uses", "view",
    )  # fmt: skip

    def __init__(self, name: int, shape: Shape, dtype: str, storage: Storage, requires_grad: bool) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.storage = storage
        self.requires_grad = requires_grad
        self.is_leaf = self.contiguous = self.alive = True
        self.view = self.multi = self.overlaps = self.detached = self.retained = self.hooked = False
        self.curved = False  # gradients through this tensor depend on a tensor that requires grad
        self.order_open = False  # a gradient, or made of what is not contiguous: its order in memory is the kernel's own affair
        self.of_leaf = False  # it is a view of a leaf that requires grad
        self.uses = 0
        self.depth = 0  # the length of the longest path to a leaf
        self.above = 0  # the slots on the graph that ends here, as bits, without the slot itself
        self.graph = 1 << name if requires_grad else 0
        self.parent: Slot | None = None

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
