"""What generation may draw from for an engine, and an area's weights over it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from conformance.areas import BY_NAME, Area
from conformance.catalog import CATALOG, MISBEHAVING
from conformance.engine import Engine, promised
from conformance.slots import FLOATS

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
    "assign_grad": ("set_gradient",), "handed_gradient": ("backward",), "write_grad": ("gradient", "in-place"),
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


class Tables:
    """An area's weights over the ops of a vocabulary, spread out so that a weighted choice is one index."""

    def __init__(self, area: Area, vocabulary: Vocabulary) -> None:
        known = vocabulary.ops - frozenset(MISBEHAVING)
        rows = [op for op in CATALOG.values() if op.name in known and (area.own or "own" not in op.saves)]
        self.names = vocabulary.ops
        self.shapes = tuple(shape for shape in area.shapes if len(shape) in vocabulary.ranks) or ((1,) * vocabulary.ranks[0],)
        self.moves = tuple(m for m, weight in area.moves.items() if m in vocabulary.moves for _ in range(weight))
        by_chapter = {chapter: [op for op in rows if op.chapter == chapter] for chapter in area.chapters}
        self.ops = tuple(
            ops[i % len(ops)] for chapter, ops in by_chapter.items() for i in range(area.chapters[chapter] * SPREAD) if ops
        )
        self.views = tuple(op for op in rows if op.view)
        self.inplace = tuple(op for op in rows if op.inplace and op.kinds[0] == "float")


@lru_cache(maxsize=256)
def tables(area: str, vocabulary: Vocabulary) -> Tables:
    """The tables of an area for a vocabulary."""
    return Tables(BY_NAME[area], vocabulary)


# There are some two thousand plans, so that a long run meets each again and again. What is kept is only read.
