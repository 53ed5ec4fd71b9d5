"""The vocabulary of ops, as tables: signature, shapes, values, what is saved, and how torch writes it."""

from conformance.catalog import (
    activation,
    arithmetic,
    checkpoints,
    comparison,
    complexes,
    counted,
    creation,
    decompositions,
    folding,
    functions,
    indexing,
    inplace,
    layers,
    losses,
    ordering,
    overwriting,
    pointwise,
    products,
    rearranging,
    special,
    structure,
    windows,
)
from conformance.catalog.bounds import Bounds, Shape, size, union
from conformance.catalog.op import Need, Op
from conformance.catalog.shapes import ShapeError

TABLES = (
    pointwise,
    special,
    activation,
    arithmetic,
    structure,
    rearranging,
    counted,
    ordering,
    folding,
    products,
    decompositions,
    windows,
    complexes,
    losses,
    layers,
    indexing,
    inplace,
    overwriting,
    creation,
    comparison,
    functions,
    checkpoints,
)

# Functions whose backward torch refuses. The catalogue knows them, so that programs may use them; areas draw them by name alone.
MISBEHAVING: dict[str, Op] = {op.name: op for op in functions.MISBEHAVING}
CATALOG: dict[str, Op] = {op.name: op for table in TABLES for op in table.OPS} | MISBEHAVING
CHAPTERS: tuple[str, ...] = tuple(dict.fromkeys(op.chapter for op in CATALOG.values()))

__all__ = ["CATALOG", "CHAPTERS", "MISBEHAVING", "Bounds", "Need", "Op", "Shape", "ShapeError", "size", "union"]
