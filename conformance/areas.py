"""The areas of the suite: what each asks of generation. One row an area; the order is the order of reports."""

from __future__ import annotations

from typing import NamedTuple


class Area(NamedTuple):
    """How programs of an area look: weights of moves and of op chapters, and how long they are."""

    name: str
    title: str
    moves: dict[str, int]
    chapters: dict[str, int]
    steps: tuple[int, int] = (3, 9)


PURE = {"pointwise": 6, "binary": 6, "reduce": 4, "matmul": 3, "view": 3, "shape": 3, "index": 3}
PLAIN = {"pointwise": 4, "binary": 6, "reduce": 1, "matmul": 1, "view": 1}
SMALL = {"pointwise": 4, "binary": 6, "reduce": 1}
ALIASING = {"pointwise": 3, "binary": 4, "reduce": 1, "view": 6, "shape": 1}

AREAS: tuple[Area, ...] = (
    Area("gradients", "Gradient values", {"leaf": 3, "op": 12}, PURE, (2, 7)),
    Area(
        "accumulation",
        "Accumulation into leaves",
        {"leaf": 2, "op": 7, "backward": 5, "again": 2, "zero_grad": 2, "retain_grad": 2, "backward_inputs": 2, "grad": 1},
        SMALL,
        (4, 10),
    ),
    Area(
        "requires_grad",
        "requires_grad propagation",
        {
            "leaf": 4,
            "constant": 3,
            "op": 8,
            "set_flag": 3,
            "region": 4,
            "detach": 2,
            "mutate": 2,
            "backward": 2,
            "retain_grad": 1,
        },
        PLAIN,
        (4, 10),
    ),
    Area(
        "detach",
        "detach()",
        {"leaf": 1, "op": 6, "detach": 5, "mutate": 3, "mutate_detached": 3, "drop": 3, "backward": 1},
        ALIASING,
        (4, 10),
    ),
    Area(
        "versions",
        "Versions of saved tensors",
        {"leaf": 1, "op": 7, "mutate_used": 5, "mutate": 1, "detach": 1, "view": 1, "region": 1, "backward": 1, "again": 1},
        {"pointwise": 6, "binary": 6, "reduce": 2, "matmul": 2, "view": 1, "shape": 1, "index": 2},
        (3, 9),
    ),
    Area(
        "views",
        "Views and in-place operations",
        {"leaf": 1, "op": 3, "view": 6, "mutate": 6, "region": 1, "retain_grad": 1, "backward": 1},
        ALIASING,
        (4, 10),
    ),
    Area(
        "lifetime",
        "Lifetime of the graph",
        {"leaf": 1, "op": 7, "backward": 3, "again": 6, "drop": 3, "detach": 1},
        SMALL,
        (4, 10),
    ),
    Area(
        "grad",
        "grad() and higher order",
        {"leaf": 2, "op": 8, "grad": 4, "higher": 5, "backward": 1, "read_grad": 1},
        {"pointwise": 7, "binary": 6, "reduce": 2, "matmul": 1, "view": 1, "index": 1},
        (3, 8),
    ),
    Area("errors", "Refusals", {"leaf": 2, "op": 6, "detach": 1, "view": 1, "bad_call": 6, "backward": 1}, PLAIN, (2, 6)),
    Area("pipeline", "Pipeline schedules", {}, {}),
)

AREA_NAMES: tuple[str, ...] = tuple(area.name for area in AREAS)
BY_NAME: dict[str, Area] = {area.name: area for area in AREAS}

# What holds in every area: shapes of leaves, and how large values and results may grow.
SHAPES = ((2,), (), (3,), (2, 2), (2, 3), (1,), (3, 2), (2, 1), (1, 3), (2, 1, 2), (2, 2, 2), (0,), (2, 0), (2, 1, 1, 2))
LIMIT = 50.0  # the largest magnitude of a value, so that float32 gradients stay well scaled
EXACT_LIMIT = 512.0  # magnitude / spacing in exact mode, so that products of a few gradients fit in float32's 24 bits
MOST_ELEMENTS = 24
