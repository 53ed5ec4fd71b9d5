"""What a program exercises, as one bit each. `scope.py` sets them; rules ask for them."""

from __future__ import annotations

from enum import IntFlag, auto
from types import SimpleNamespace
from typing import Any


class Feature(IntFlag):
    """Each bit is a fact of a program that can be told without running it."""

    # ops recorded in the graph, by chapter
    POINTWISE = auto()
    BINARY = auto()
    REDUCE = auto()
    MATMUL = auto()
    VIEW = auto()
    SHAPE = auto()
    INDEX = auto()
    INPLACE = auto()
    BROADCAST = auto()
    KINK = auto()
    EMPTY = auto()
    ZERO_DIM = auto()
    MIXED_DTYPES = auto()
    # how tensors are used
    REPEATED_OPERAND = auto()
    FAN_OUT = auto()
    LEAF_REUSED = auto()
    CONSTANT_OPERAND = auto()
    NOTHING_REQUIRES_GRAD = auto()
    UNRECORDED = auto()
    FLAG_SET = auto()
    FLAG_GAINED_IN_PLACE = auto()
    REGION_NESTED = auto()
    STAGE_BOUNDARY = auto()
    # backward and grad
    BACKWARD = auto()
    GRAD_CALL = auto()
    EXPLICIT_GRADIENT = auto()
    SEVERAL_ROOTS = auto()
    INPUTS = auto()
    CREATE_GRAPH = auto()
    HIGHER_ORDER = auto()
    ACCUMULATED_AGAIN = auto()
    CONSTANT_IN_BACKWARD = auto()
    NON_LEAF_IN_BACKWARD = auto()
    RETAIN_GRAD = auto()
    READ_GRAD = auto()
    SET_TO_NONE = auto()
    ZEROED = auto()
    # lifetime
    RETAINED_AGAIN = auto()
    WALKED_AGAIN = auto()
    DROPPED = auto()
    DROPPED_SOURCE = auto()
    # detach
    DETACHED = auto()
    DETACHED_WRITTEN = auto()
    SOURCE_WRITTEN = auto()
    DETACHED_USED = auto()
    # writes
    VIEW_WRITTEN = auto()
    BASE_WRITTEN = auto()
    SAVED_INPUT_WRITTEN = auto()
    SAVED_OUTPUT_WRITTEN = auto()
    SAVED_WRITTEN_THROUGH_VIEW = auto()
    SAVED_WRITTEN_THROUGH_DETACHED = auto()
    SAVED_WRITTEN_UNDER_NO_GRAD = auto()
    WRITTEN_BETWEEN_BACKWARDS = auto()
    UNSAVED_WRITTEN = auto()
    WEIGHT_UPDATED_IN_FLIGHT = auto()
    STASHED_WEIGHT_UPDATED = auto()
    # bad calls
    LEAF_WRITTEN = auto()
    VIEW_OF_LEAF_WRITTEN = auto()
    NON_SCALAR_ROOT = auto()
    ROOT_WITHOUT_GRAD = auto()
    GRADIENT_OF_OTHER_SHAPE = auto()
    UNUSED_INPUT = auto()
    NON_LEAF_FLAG = auto()
    # told only by a difference itself
    AT_KINK = auto()  # it is gone where the leaves move a little
    EXPECTED_NONE = auto()  # there was to be no gradient
    VIEW_UNDER_NO_GRAD = auto()  # it is a flag of a view that was made where nothing was recorded
    HELD = auto()  # the engine holds a tensor that torch has let go
    FLAG_OF_GRADIENT = auto()  # a gradient requires grad that torch's does not
    VERSION_REFUSED = auto()  # the engine refused, for a version
    UNNAMED = auto()  # it is a refusal of torch's for a reason that no rule names
    ABOUT_FREED = auto()  # one of the two refused, for a freed graph
    FREED_REFUSED = auto()  # the engine refused, for a freed graph


# Calls that torch refuses.
BAD_CALLS = (
    Feature.LEAF_WRITTEN | Feature.VIEW_OF_LEAF_WRITTEN | Feature.NON_SCALAR_ROOT | Feature.ROOT_WITHOUT_GRAD
    | Feature.GRADIENT_OF_OTHER_SHAPE | Feature.UNUSED_INPUT | Feature.NON_LEAF_FLAG
)  # fmt: skip

# The same bits as plain integers: flag arithmetic on enum members costs a microsecond, and generation does a lot of it.
BITS: Any = SimpleNamespace(**{feature.name: int(feature) for feature in Feature if feature.name})

CHAPTER_BITS: dict[str, int] = {
    chapter: int(Feature[chapter.upper()])
    for chapter in ("pointwise", "binary", "reduce", "matmul", "view", "shape", "index", "inplace")
}
