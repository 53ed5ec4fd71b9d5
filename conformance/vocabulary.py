"""What generation may draw from for an engine, and an area's weights over it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from conformance.areas import BY_NAME, Area
from conformance.catalog import CATALOG
from conformance.engine import Engine
from conformance.slots import FLOATS

MOVE_NAMES = (
    "leaf", "constant", "op", "view", "mutate", "mutate_used", "mutate_detached", "detach", "set_flag", "region",
    "retain_grad", "drop", "zero_grad", "backward", "backward_inputs", "again", "grad", "higher", "read_grad", "bad_call",
)  # fmt: skip


class Vocabulary(NamedTuple):
    """What an engine can be asked: the catalogue's ops that it has, moves of generation, and dtypes of leaves."""

    ops: frozenset[str]
    moves: frozenset[str]
    dtypes: tuple[str, ...]

    @classmethod
    def of(cls, engine: Engine) -> Vocabulary:
        """The vocabulary of an adapter: what its class defines."""
        ops = frozenset(engine.ops) & frozenset(CATALOG)
        writes = any(CATALOG[name].inplace for name in ops)
        able = {
            "op": True, "leaf": True, "constant": True, "view": True, "drop": True, "bad_call": True,
            "mutate": writes, "mutate_used": writes, "mutate_detached": writes and engine.has("detach"),
            "detach": engine.has("detach"), "set_flag": engine.has("set_requires_grad"), "region": engine.has("grad_mode"),
            "retain_grad": engine.has("retain_grad"), "zero_grad": engine.has("zero_grad"), "backward": engine.has("backward"),
            "backward_inputs": engine.has("backward"), "again": engine.has("backward"), "grad": engine.has("grad"),
            "higher": engine.has("grad") and "higher-order" in engine.traits, "read_grad": engine.has("gradient"),
        }  # fmt: skip
        dtypes = tuple(d for d in FLOATS if d in engine.dtypes)
        return cls(ops, frozenset(m for m, possible in able.items() if possible), dtypes)


EVERYTHING = Vocabulary(frozenset(CATALOG), frozenset(MOVE_NAMES), FLOATS)


class Tables:
    """An area's weights over the ops of a vocabulary, spread out so that a weighted choice is one index."""

    def __init__(self, area: Area, vocabulary: Vocabulary) -> None:
        rows = [op for op in CATALOG.values() if op.name in vocabulary.ops]
        self.names = vocabulary.ops
        self.moves = tuple(m for m, weight in area.moves.items() if m in vocabulary.moves for _ in range(weight))
        by_chapter = {chapter: [op for op in rows if op.chapter == chapter] for chapter in area.chapters}
        self.ops = tuple(
            ops[i % len(ops)] for chapter, ops in by_chapter.items() for i in range(area.chapters[chapter] * 24) if ops
        )
        self.views = tuple(op for op in rows if op.view)
        self.inplace = tuple(op for op in rows if op.inplace)


@lru_cache(maxsize=256)
def tables(area: str, vocabulary: Vocabulary) -> Tables:
    """The tables of an area for a vocabulary."""
    return Tables(BY_NAME[area], vocabulary)


# There are some two thousand plans, so that a long run meets each again and again. What is kept is only read.
