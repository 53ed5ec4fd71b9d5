"""The areas of the suite: what each asks of generation. One row an area; the order is that of reports and of runs."""

from __future__ import annotations

from typing import NamedTuple

# What holds in every area: shapes of leaves, and how large values and results may grow.
SHAPES = ((2,), (), (3,), (2, 2), (2, 3), (1,), (3, 2), (2, 1), (1, 3), (2, 1, 2), (2, 2, 2), (0,), (2, 0), (2, 1, 1, 2))
LIMIT = 50.0  # the largest magnitude of a value, so that float32 gradients stay well scaled
EXACT_LIMIT = 512.0  # magnitude / spacing in exact mode, so that products of a few gradients fit in float32's 24 bits
MOST_ELEMENTS = 24


def weights(text: str) -> dict[str, int]:
    """`"leaf 2, op 7"` as a table."""
    pairs = (entry.split() for entry in text.split(","))
    return {name: int(weight) for name, weight in pairs}


class Area(NamedTuple):
    """How programs of an area look: weights of moves and of op chapters, and how long they are.

    `level` is how far an engine has grown that is to keep the area's rules: 1 gradients and accumulation; 2 flags, detach() and
    no_grad; 3 memory: in-place, views, versions; 4 higher order, hooks and refusals. In an `exact` area all values are; in a
    `special` one they are zeros, ties and extremes, outside the domains of ops too. Without `own` no op is
    drawn that saves tensors of its own, which no program can reach. What a `late` area needs takes seconds to load. Its rules
    take for granted what those of the areas that it `builds_on` ask: where both are broken, the cause is looked for there first.
    """

    name: str
    title: str
    level: int
    moves: dict[str, int]
    chapters: dict[str, int]
    steps: tuple[int, int] = (3, 9)
    exact: bool = False
    special: bool = False
    own: bool = True
    late: bool = False
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    builds_on: tuple[str, ...] = ()


PURE = weights("pointwise 6, binary 6, reduce 4, matmul 3, view 3, shape 3, index 3")
PLAIN = weights("pointwise 4, binary 6, reduce 1, matmul 1, view 1")
SMALL = weights("pointwise 4, binary 6, reduce 1")
ALIASING = weights("pointwise 3, binary 4, reduce 1, view 6, shape 1")

# fmt: off
AREAS: tuple[Area, ...] = (
    Area("gradients", "Gradient values", 1, weights("leaf 3, op 12"), PURE, (2, 7)),
    Area("accumulation", "Accumulation into leaves", 1,
         weights("leaf 2, op 7, backward 5, again 2, zero_grad 2, retain_grad 2, backward_inputs 2, grad 1"), SMALL, (4, 10)),
    Area("roots", "Roots and their gradients", 1,
         weights("leaf 2, op 7, view 1, backward_roots 5, gradient_of_other_dtype 1, backward 1, grad 1"), SMALL,
         builds_on=("gradients", "accumulation")),
    Area("broadcasting", "Broadcasting and promotion", 1, weights("leaf 3, constant 1, op 9"),
         weights("binary 12, matmul 2, reduce 1, view 1"), (2, 6),
         shapes=((2, 3), (3,), (1,), (2, 1), (), (1, 3), (2, 1, 2), (2,), (1, 1), (3, 1, 2), (2, 2, 1, 1))),
    Area("empty", "Empty and 0-dim tensors", 1, weights("leaf 3, op 9, view 2, mutate 3, backward 2, again 1"), PURE, (2, 7),
         shapes=((), (0,), (2, 0), (1,), (0, 3), (), (2, 0, 2), (1, 0), (2,))),
    Area("order", "Order of execution", 1, weights("leaf 1, op 12, hook 1, backward 1, again 1"),
         weights("pointwise 5, binary 9"), (6, 14), exact=True, builds_on=("gradients", "accumulation")),
    Area("process", "Survival of the engine's process", 1,
         weights("leaf 2, op 9, view 1, mutate 1, detach 1, region 1, backward 2, again 1, grad 1, drop 1"), PURE, (4, 10)),
    Area("requires_grad", "requires_grad propagation", 2,
         weights("leaf 4, constant 3, op 8, set_flag 3, region 4, detach 2, mutate 2, backward 2, retain_grad 1"),
         PLAIN | weights("creation 4, comparison 6"), (4, 10)),
    Area("detach", "detach()", 2, weights("leaf 1, op 6, detach 5, mutate 3, mutate_detached 3, drop 3, backward 1"),
         ALIASING | weights("creation 1"),
         (4, 10), builds_on=("gradients",)),
    Area("grad_modes", "Grad modes", 2,
         weights("leaf 2, op 6, region 4, switch 3, thread 2, inference 2, set_flag 1, export 1, bad_export 1, view 1, mutate 2, "
                 "detach 1, backward 2, higher 1"), PLAIN | weights("creation 1, function 2"), builds_on=("requires_grad",)),
    Area("versions", "Versions of saved tensors", 3,
         weights("leaf 1, op 7, mutate_used 5, mutate_shown 3, mutate 1, mutate_index 2, detach 1, view 1, region 1, backward 1,"
                 "again 1"),
         weights("pointwise 6, binary 6, reduce 2, matmul 2, view 1, shape 1, index 3")),
    Area("views", "Views and in-place operations", 3,
         weights("leaf 1, op 3, view 5, mutate 5, region 1, retain_grad 1, siblings 2, view_of_view 2, rearranged 1,"
                 "read_then_written 1, backward 1"), ALIASING, (4, 10)),
    Area("lifetime", "Lifetime of the graph", 3,
         weights("leaf 1, op 7, backward 3, again 6, drop 3, detach 1, higher 1"), SMALL, (4, 10),
         builds_on=("gradients",)),
    Area("identity", "Identity and sharing of gradients", 3,
         weights("leaf 2, op 5, view 2, assign_grad 3, bad_assignment 1, handed_gradient 4, write_grad 4, read_grad 2,"
                 "backward 3, again 2, zero_grad 1, retain_grad 1"), PLAIN, (4, 9)),
    Area("pipeline", "Pipeline schedules", 3, {}, {}, builds_on=("versions", "accumulation")),
    Area("grad", "grad() and higher order", 4,
         weights("leaf 2, op 8, grad 4, higher 5, leaf_of_result 2, differentiable_gradient 2, backward 1, read_grad 1,"
                 "mutate 1"),
         weights("pointwise 7, binary 6, reduce 2, matmul 1, view 1, index 1"), (3, 8),
         builds_on=("gradients", "accumulation", "broadcasting", "views", "roots")),
    Area("hooks", "Hooks on gradients", 4,
         weights("leaf 1, op 6, hook 7, hooked_then_written 1, bad_hook 1, unhook 1, mutate 2, retain_grad 1,"
                 "backward 3, again 1, grad 1, higher 1"),
         PLAIN | weights("function 1"), (4, 10), exact=True,
         builds_on=("gradients",)),
    Area("saved_hooks", "Hooks on saved tensors", 4,
         weights("leaf 1, op 9, packing 4, mutate_used 3, backward 2, again 1, grad 1, higher_packed 1"),
         weights("pointwise 6, binary 6, reduce 2, view 1, shape 2, index 2, function 2"), (3, 8), own=False,
         builds_on=("gradients",)),
    Area("functions", "Custom functions", 4,
         weights("leaf 2, op 9, misbehave 1, differentiate_once_more 1, write_by_function 1, drop 2, view 1, mutate 1,"
                 " mutate_used 1, hook 1, backward 2, again 1, grad 1, higher 1"),
         weights("function 12, pointwise 2, binary 3"), builds_on=("gradients", "views")),
    Area("conventions", "Numeric conventions", 4, weights("leaf 4, op 8, higher 1"), PURE, (2, 5), special=True),
    Area("errors", "Refusals", 4,
         weights("leaf 2, op 6, detach 1, view 1, bad_call 6, written_expansion 1, written_unrecorded_view 1, bad_hook 1,"
                 "bad_export 1, bad_assignment 1,"
                 "backward 1"), PLAIN, (2, 6)),
    # Late, since torch's checkpoint imports its compiler.
    Area("checkpoint", "Checkpointing", 4, weights("leaf 2, op 9, region 1, backward 2, again 1, grad 1, hook 1"),
         weights("checkpoint 10, pointwise 2, binary 3"), late=True,
         builds_on=("saved_hooks", "functions", "grad_modes", "grad")),
)
# fmt: on

AREA_NAMES: tuple[str, ...] = tuple(area.name for area in AREAS)
BY_NAME: dict[str, Area] = {area.name: area for area in AREAS}


def foundation(area: str) -> frozenset[str]:
    """All the areas that an area builds on, those that these build on included. One of another version builds on none."""
    below = BY_NAME[area].builds_on if area in BY_NAME else ()
    return frozenset(below).union(*map(foundation, below))
