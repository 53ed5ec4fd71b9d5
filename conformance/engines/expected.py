"""Every op of the catalogue on a few small operands, with the numbers that it gives: what tells whether a module has the op.

The table is computed once by the bundled reference engine and kept in `expected.json`, since an engine may run in a child whose
NumPy is too old for it, and since reading is quicker. `python -m conformance.engines.expected` writes it anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from conformance.areas import BY_NAME
from conformance.calls import drawn
from conformance.catalog import CATALOG, MISBEHAVING, Op
from conformance.program import Leaf
from conformance.vocabulary import EVERYTHING

PATH = Path(__file__).with_name("expected.json")
SALTS = range(1, 13)  # applications of an op are drawn with each
MOST = (3, 2)  # how many are kept, of some dimensions and of none
DIGITS = 7


class Example(msgspec.Struct, frozen=True, array_like=True):
    """One application: leaves as (dtype, shape, row-major values), parameters, and results as (shape, values)."""

    leaves: list[tuple[str, tuple[int, ...], tuple[float, ...]]]
    params: dict[str, Any]
    results: list[tuple[tuple[int, ...], tuple[float, ...]]]


@cache
def examples() -> dict[str, list[Example]]:
    """Op name -> its applications."""
    return msgspec.json.decode(PATH.read_bytes(), type=dict[str, list[Example]])


def compute() -> dict[str, list[Example]]:
    """The table, by the reference engine."""
    from conformance.engines.reference import ReferenceEngine

    engine = ReferenceEngine()
    calls = engine.calls()
    table = {}
    for op in CATALOG.values():
        if op.name not in MISBEHAVING:
            table[op.name] = [_example(op, leaves, params, engine, calls) for leaves, params in _applications(op)]
    return table


def _applications(op: Op) -> list[tuple[list[Leaf], dict[str, Any]]]:
    """Leaves and parameters: of some dimensions, and of none where the op takes that."""
    found: list[tuple[list[Leaf], dict[str, Any]]] = []
    scalars = EVERYTHING._replace(ranks=(0,))
    for vocabulary, most in zip((EVERYTHING, scalars), MOST, strict=True):
        some: list[tuple[list[Leaf], dict[str, Any]]] = []
        for salt in SALTS:
            call = drawn(op, vocabulary, BY_NAME["gradients"], "float64", salt)
            if call is not None and all(leaf.dtype != "float32" for leaf in call.leaves):
                application = [Leaf(k, x.shape, x.values, x.dtype) for k, x in enumerate(call.leaves)], call.params
                if application not in found + some:
                    some.append(application)
        some.sort(key=lambda application: -len({leaf.values for leaf in application[0]}))  # equal operands tell less
        found += some[:most]
    return found


def _example(op: Op, leaves: list[Leaf], params: dict[str, Any], engine: Any, calls: Any) -> Example:
    """An application with its results."""
    operands = [engine.leaf(leaf.values, leaf.shape, leaf.dtype, False) for leaf in leaves]
    result = calls[op.name](*operands, **params)
    results = [operands[0]] if op.inplace else list(result) if isinstance(result, (tuple, list)) else [result]
    return Example(
        [(leaf.dtype, leaf.shape, leaf.values) for leaf in leaves],
        params,
        [(engine.shape(r), tuple(map(_rounded, r.reshape(-1).tolist()))) for r in results],
    )


def _rounded(number: float) -> float:
    """A number as the table keeps it."""
    return float(f"{number:.{DIGITS}g}")


def text() -> bytes:
    """The table as its file holds it, an op a line."""
    lines = [msgspec.json.encode(name) + b":" + msgspec.json.encode(rows) for name, rows in compute().items()]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


if __name__ == "__main__":
    PATH.write_bytes(text())
