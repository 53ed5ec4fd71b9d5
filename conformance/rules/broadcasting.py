"""Area broadcasting: operands of different shapes and dtypes."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Nested, Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/broadcasting.html"
PROMOTION = "https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})
SEEN = frozenset({"grad", "error", "value"})


def product(a: Nested, b: Nested, gradient: Nested) -> Program:
    """a * b of two leaves."""
    s = Sketch()
    s.backward(s.op("mul", s.leaf(a), s.leaf(b)), gradient)
    return s.program()


def promoted() -> Program:
    """A 0-dim float64 operand does not promote a float32 one."""
    s = Sketch()
    s.op("mul", s.leaf([1.5, 2.0], dtype="float32"), s.leaf(2.0))
    return s.program()


def _rule(slug: str, statement: str, why: str, needs: F, exemplar: Program) -> Rule:
    """A rule on the gradients of broadcast operands."""
    return Rule(id=f"broadcasting.{slug}", statement=statement, why=why, source=SOURCE, exemplar=lambda: exemplar, needs=needs,
                any_of=F.BACKWARD | F.GRAD_CALL, kinds=WRONG, facets=SEEN)  # fmt: skip


RULES = (
    _rule("both", "Where each operand is stretched along another axis, each gradient is summed over its own.",
          "An outer product by broadcasting has two different sums.", F.BROADCAST_BOTH,
          product([[1.0], [2.0]], [[3.0, 5.0]], [[1.0, 2.0], [4.0, 8.0]])),
    _rule("unit-axes", "An axis of length 1 that was stretched is summed and stays.",
          "A gradient that loses the axis, or keeps it long, no longer fits its tensor.", F.BROADCAST_UNIT,
          product([[1.0, 2.0], [3.0, 5.0]], [[3.0], [2.0]], [[1.0, 2.0], [4.0, 8.0]])),
    _rule("leading-axes", "Axes that were added in front are summed away.", "A bias has fewer axes than what it is added to.",
          F.BROADCAST_LEADING, product([[1.0, 2.0], [3.0, 5.0]], [3.0, 2.0], [[1.0, 2.0], [4.0, 8.0]])),
    Rule(id="broadcasting.promotion", source=PROMOTION, exemplar=promoted, needs=F.MIXED_DTYPES,
         statement="The wider dtype wins, but a 0-dim operand promotes no other of its kind.",
         why="A float64 constant would turn a whole model into float64.", kinds=frozenset({"wrong state"}),
         facets=frozenset({"dtype"})),
)  # fmt: skip
