"""Area empty: tensors without elements, and tensors without axes."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Leaf, Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/tensors.html"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})


def reduced() -> Program:
    """A sum over nothing."""
    s = Sketch()
    s.backward(s.op("sum", _without_rows(s, 2)))
    return s.program()


def multiplied() -> Program:
    """A matrix product over an inner axis of length 0."""
    s = Sketch()
    a = _without_rows(s, 2)
    s.backward(s.op("matmul", s.op("t", a), a), [[1.0, 2.0], [3.0, 5.0]])
    return s.program()


def _without_rows(s: Sketch, columns: int) -> int:
    """A leaf of shape (0, columns)."""
    out = s.slot()
    s.add(Leaf(out, (0, columns), (), "float64", True))
    return out


def accumulated() -> Program:
    """A 0-dim leaf whose gradient is added to."""
    s = Sketch()
    y = s.op("square", s.leaf(3.0))
    s.backward(y, retain_graph=True)
    s.backward(y)
    return s.program()


def scalar() -> Program:
    """An in-place op on a 0-dim result."""
    s = Sketch()
    h = s.op("neg", s.leaf(3.0))
    s.write("mul_scalar_", h, value=2.0)
    s.backward(h)
    return s.program()


def _rule(slug: str, statement: str, why: str, needs: F, exemplar: Callable[[], Program]) -> Rule:
    """A rule on a kind of tensor that is easily forgotten."""
    return Rule(id=f"empty.{slug}", statement=statement, why=why, source=SOURCE, exemplar=exemplar, needs=needs, kinds=WRONG,
                facets=frozenset({"grad", "value", "shape", "error"}))  # fmt: skip


RULES = (
    _rule("reduction", "A reduction over no elements has its neutral value, and a gradient without elements.",
          "A batch that filters everything out must not stop training.", F.EMPTY | F.REDUCE, reduced),
    _rule("matmul", "A matrix product over an inner axis of length 0 is zero, and its factors' gradients have their shapes.",
          "Block-sparse models multiply by empty blocks.", F.EMPTY | F.MATMUL, multiplied),
    _rule("zero-dim-accumulation", "The gradient of a 0-dim leaf stays a 0-dim tensor when it is added to.",
          "NumPy turns the sum of two 0-dim arrays into a bare number.", F.ZERO_DIM | F.ACCUMULATED_AGAIN, accumulated),
    _rule("zero-dim-write", "0-dim tensors are written in place like all others.", "A bare number cannot be written into.",
          F.ZERO_DIM | F.INPLACE, scalar),
)  # fmt: skip
