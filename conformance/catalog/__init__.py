"""The vocabulary of ops, as tables: signature, shapes, values, what is saved, and how torch writes it."""

from conformance.catalog import inplace, pointwise, structure
from conformance.catalog.bounds import Bounds, Shape, size, union
from conformance.catalog.op import Need, Op
from conformance.catalog.shapes import ShapeError

CATALOG: dict[str, Op] = {op.name: op for op in (*pointwise.OPS, *structure.OPS, *inplace.OPS)}
CHAPTERS: tuple[str, ...] = tuple(dict.fromkeys(op.chapter for op in CATALOG.values()))

__all__ = ["CATALOG", "CHAPTERS", "Bounds", "Need", "Op", "Shape", "ShapeError", "size", "union"]
