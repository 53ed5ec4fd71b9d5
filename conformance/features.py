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
    CREATION = auto()
    COMPARISON = auto()
    FUNCTION = auto()
    CHECKPOINT = auto()
    # what custom functions do
    FUNCTION_SAVES = auto()
    FUNCTION_OUTPUTS = auto()
    FUNCTION_CONSTANT_OUTPUT = auto()
    FUNCTION_RETURNS_INPUT = auto()
    FUNCTION_ASKS = auto()
    FUNCTION_ONCE = auto()
    FUNCTION_WRITES = auto()
    FUNCTION_MISBEHAVES = auto()
    STATISTICS = auto()  # an op's node saves the mean and the deviation of what it normalizes
    MODE_WITHIN = auto()  # its own code enters a grad mode, by a decorator or as a region that an error leaves
    CHECKPOINT_REENTRANT = auto()
    # operands
    BROADCAST = auto()
    BROADCAST_LEADING = auto()  # axes were added in front
    BROADCAST_UNIT = auto()  # axes of length 1 were stretched
    BROADCAST_BOTH = auto()  # in both operands
    POLE = auto()  # values may lie outside the domain in which the op is well conditioned
    SKIP = auto()  # paths of different lengths meet again
    KINK = auto()
    EMPTY = auto()
    FILLED = auto()  # some leaf has elements
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
    MODE_SWITCHED = auto()
    THREAD = auto()
    INFERENCE = auto()
    EXPORTED = auto()
    # backward and grad
    BACKWARD = auto()
    GRAD_CALL = auto()
    EXPLICIT_GRADIENT = auto()
    SEVERAL_ROOTS = auto()
    REPEATED_ROOT = auto()
    LEAF_ROOT = auto()
    ROOT_ABOVE_ROOT = auto()
    SOME_IMPLICIT = auto()
    HANDED_GRADIENT = auto()
    INPUTS = auto()
    CREATE_GRAPH = auto()
    HIGHER_ORDER = auto()
    THIRD_ORDER = auto()
    ACCUMULATED_AGAIN = auto()
    CONSTANT_IN_BACKWARD = auto()
    NON_LEAF_IN_BACKWARD = auto()
    RETAIN_GRAD = auto()
    READ_GRAD = auto()
    SET_TO_NONE = auto()
    ZEROED = auto()
    ASSIGNED_GRADIENT = auto()
    GRADIENT_WRITTEN = auto()
    # hooks
    HOOK = auto()
    HOOK_ON_LEAF = auto()
    HOOK_AFTER_ACCUMULATION = auto()
    HOOK_ON_NODE = auto()
    HOOK_DOUBLES = auto()
    HOOK_MISSHAPES = auto()
    HOOK_FORGETS = auto()
    HOOK_REMOVED = auto()
    HOOK_REMOVES_ITSELF = auto()
    SEVERAL_HOOKS = auto()
    HOOKED_WRITTEN = auto()
    PACKED = auto()
    PACKED_AS_COPY = auto()
    PACKED_DOUBLED = auto()
    PACKED_WRITTEN = auto()
    PACKS_NESTED = auto()
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
    GRADIENT_OF_OTHER_DTYPE = auto()
    UNUSED_INPUT = auto()
    NON_LEAF_FLAG = auto()
    HOOK_WITHOUT_GRADIENT = auto()
    ASSIGNED_MISFIT = auto()
    EXPORT_REFUSED = auto()
    INFERENCE_USED = auto()
    # told only by a difference itself
    NOT_FINITE = auto()  # what was to be seen has infinities or NaN
    BECAME_NOT_FINITE = auto()  # what was seen has some, and what was to be seen has none
    AT_POLE = auto()  # it is gone where the leaves move a little, away from a pole
    NOT_REPEATED = auto()  # it was seen once, and not again
    MODE_OF_HOOK = auto()  # the hooks that torch calls were called, in another grad mode
    AT_KINK = auto()  # it is gone where the leaves move a little
    EXPECTED_NONE = auto()  # there was to be no gradient
    VIEW_UNDER_NO_GRAD = auto()  # it is a flag of a view that was made where nothing was recorded
    HELD = auto()  # the engine holds a tensor that torch has let go
    LIFE_LEFT_OPEN = auto()  # it let go of one that torch holds, or what it holds may be of use to a recorded backward
    FLAG_OF_GRADIENT = auto()  # a gradient requires grad that torch's does not
    VERSION_REFUSED = auto()  # the engine refused, for a version
    UNNAMED = auto()  # it is a refusal of torch's for a reason that no rule names, such as a gradient that happens to be a view
    ABOUT_FREED = auto()  # one of the two refused, for a freed graph
    FREED_REFUSED = auto()  # the engine refused, for a freed graph
    ORACLE_SHARES = auto()  # torch lets a gradient lie in memory that others see
    STATE_SHARED = auto()  # it is the base of a gradient, or its version after a write into another tensor
    SHARED = auto()  # memory is shared that must not be
    SHARING_LOST = auto()  # memory of gradients is not shared that torch happens to share


# Calls that torch refuses.
BAD_CALLS = int(
    Feature.LEAF_WRITTEN | Feature.VIEW_OF_LEAF_WRITTEN | Feature.NON_SCALAR_ROOT | Feature.ROOT_WITHOUT_GRAD
    | Feature.GRADIENT_OF_OTHER_SHAPE | Feature.UNUSED_INPUT | Feature.NON_LEAF_FLAG | Feature.HOOK_WITHOUT_GRADIENT
    | Feature.ASSIGNED_MISFIT | Feature.EXPORT_REFUSED | Feature.INFERENCE_USED | Feature.HOOK_MISSHAPES
)  # fmt: skip

# The same bits as plain integers: flag arithmetic on enum members costs a microsecond, and generation does a lot of it.
BITS: Any = SimpleNamespace(**{feature.name: int(feature) for feature in Feature if feature.name})
