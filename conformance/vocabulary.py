"""What generation may draw from for an engine, and an area's weights over it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import NamedTuple

from conformance.areas import BY_NAME, SHAPES, Area
from conformance.catalog import CATALOG, MISBEHAVING, Bounds, Op, Shape
from conformance.chooser import SeededChooser
from conformance.engine import Engine, promised
from conformance.slots import FLOATS
from conformance.ways import Way, ways

# Move of generation -> what an engine must have for it: methods of its adapter, traits, or in-place ops.
NEEDS: dict[str, tuple[str, ...]] = {
    "leaf": (), "constant": (), "op": (), "view": (), "drop": (), "bad_call": (),
    "mutate": ("in-place",), "mutate_index": ("in-place",), "mutate_used": ("in-place",),
    "mutate_detached": ("in-place", "detach"),
    "detach": ("detach",), "set_flag": ("set_requires_grad",), "region": ("grad_mode",),
    "retain_grad": ("retain_grad",), "zero_grad": ("zero_grad",), "read_grad": ("gradient",),
    "backward": ("backward",), "backward_roots": ("backward",), "backward_inputs": ("backward",), "again": ("backward",),
    "grad": ("grad",), "higher": ("grad", "higher-order"),
    "misbehave": ("backward",), "differentiate_once_more": ("backward", "grad", "higher-order"),
    "write_by_function": ("in-place",), "written_unrecorded_view": ("in-place", "grad_mode"),
    "differentiable_gradient": ("grad", "higher-order", "backward", "copy"),
    "mutate_shown": ("in-place", "backward"),
    "siblings": ("in-place", "backward"), "view_of_view": ("in-place", "backward"), "written_expansion": ("in-place",),
    "read_then_written": ("in-place", "backward"), "leaf_of_result": ("detach", "set_requires_grad"),
    "bad_hook": ("hook",), "bad_export": ("export",), "bad_assignment": ("set_gradient",),
    "hook": ("hook",), "unhook": ("unhook",), "packing": ("saved_tensors_hooks",),
    "switch": ("set_grad_enabled",), "thread": ("grad_mode",), "inference": ("inference_mode",), "export": ("export",),
    "assign_grad": ("set_gradient",), "handed_gradient": ("backward",),
    "gradient_of_other_dtype": ("backward", "copy", "gradient"), "rearranged": ("in-place", "backward"),
    "hooked_then_written": ("hook", "in-place", "backward"),
    "higher_packed": ("saved_tensors_hooks", "grad", "higher-order"), "write_grad": ("gradient", "in-place"),
}  # fmt: skip
MOVE_NAMES = tuple(NEEDS)
RANKS = (0, 1, 2, 3, 4)  # how many dimensions tensors of a program have


class Vocabulary(NamedTuple):
    """What an engine can be asked: the catalogue's ops that it has, moves of generation, dtypes and dimensions of its tensors."""

    ops: frozenset[str]
    moves: frozenset[str]
    dtypes: tuple[str, ...]
    ranks: tuple[int, ...] = RANKS

    @classmethod
    def of(cls, engine: Engine) -> Vocabulary:
        """The vocabulary of an adapter: what its class defines."""
        ops = frozenset(engine.ops) & frozenset(CATALOG)
        has = {need: engine.has(need) for needs in NEEDS.values() for need in needs if hasattr(Engine, need)}
        has |= {trait: True for trait in promised(engine)} | {"in-place": any(CATALOG[name].inplace for name in ops)}
        moves = frozenset(move for move, needs in NEEDS.items() if all(has.get(need) for need in needs))
        dtypes = tuple(d for d in FLOATS if d in engine.dtypes)
        return cls(ops, moves, dtypes, RANKS if engine.ranks is None else tuple(r for r in RANKS if r in engine.ranks))


EVERYTHING = Vocabulary(frozenset(CATALOG), frozenset(MOVE_NAMES), FLOATS)


SPREAD = 240  # entries of a table for each unit of weight: more than any chapter has ops
WHOLE = (Bounds(-3.0, 3.0, 0), Bounds(0.0, 3.0, 0), Bounds(1.0, 2.0, 0), Bounds(1.0, 1.0, 0))  # of operands of whole numbers
TRIED = 6  # ways of an op by which it is told whether it is ever exact: no parameter has been seen to decide it


@cache
def exact_ops() -> frozenset[str]:
    """Ops that have exact results of whole numbers: of the others, programs with exact values can have none."""
    return frozenset(name for name, op in CATALOG.items() if any(_is_exact(op, way) for way in _some_ways(op)))


def _some_ways(op: Op) -> list[Way]:
    """A few of the ways in which an op applies."""
    below, known = SeededChooser(0).below, ways(RANKS)
    drawn = (known.draw(below, op, shape) for shape in SHAPES for _ in range(2))
    return list(islice((way for way in drawn if way is not None), TRIED))


def _is_exact(op: Op, way: Way) -> bool:
    """Whether this way keeps some whole numbers exact."""
    for bounds in WHOLE:
        try:
            result = op.bounds([bounds] * len(way.shapes), way.params, way.shapes)
        except (ArithmeticError, ValueError):
            continue
        if result is not None and result.grain is not None:
            return True
    return False


def _spread(rows: Sequence[Op], chapters: dict[str, int]) -> tuple[Op, ...]:
    """Ops by the weights of their chapters."""
    by_chapter = {chapter: [op for op in rows if op.chapter == chapter] for chapter in chapters}
    return tuple(ops[i % len(ops)] for chapter, ops in by_chapter.items() for i in range(chapters[chapter] * SPREAD) if ops)


class Tables:
    """An area's weights over the ops of a vocabulary, spread out so that a weighted choice is one index."""

    def __init__(self, area: Area, vocabulary: Vocabulary) -> None:
        known = vocabulary.ops - frozenset(MISBEHAVING)
        rows = [op for op in CATALOG.values() if op.name in known and (area.own or "own" not in op.saves)]
        self.names = vocabulary.ops
        self.ways = ways(vocabulary.ranks)
        self.shapes = tuple(shape for shape in area.shapes if len(shape) in vocabulary.ranks) or ((1,) * vocabulary.ranks[0],)
        self.moves = tuple(m for m, weight in area.moves.items() if m in vocabulary.moves for _ in range(weight))
        exact = [op for op in rows if op.name in exact_ops()]
        # Whether values are exact -> ops, and in-place ones.
        self.ops = {False: _spread(rows, area.chapters), True: _spread(exact, area.chapters)}
        self.inplace = {
            is_exact: tuple(op for op in some if op.inplace and op.kinds[0] == "float")
            for is_exact, some in ((False, rows), (True, exact))
        }
        self.views = tuple(op for op in rows if op.view)
        self._homes: dict[str, tuple[Shape, ...]] = {}

    def homes(self, op: Op) -> tuple[Shape, ...]:
        """Shapes of leaves that fit this op, as far as a few ways of each tell."""
        if op.name not in self._homes:
            below = SeededChooser(0).below
            ways = ((shape, self.ways.draw(below, op, shape)) for shape in self.shapes for _ in range(2))
            self._homes[op.name] = tuple(dict.fromkeys(shape for shape, way in ways if way is not None and way.small))
        return self._homes[op.name]


@lru_cache(maxsize=256)
def tables(area: str, vocabulary: Vocabulary) -> Tables:
    """The tables of an area for a vocabulary."""
    return Tables(BY_NAME[area], vocabulary)
