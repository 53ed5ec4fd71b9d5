"""Area roots: what backward begins with."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Backward, Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.backward.html"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})
SEEN = frozenset({"grad", "value", "error"})


def repeated() -> Program:
    """One tensor twice among the roots."""
    s = Sketch()
    y = s.op("square", s.leaf([1.0, 2.0]))
    s.backward([y, y], [[1.0, 3.0], [10.0, 30.0]])
    return s.program()


def nested() -> Program:
    """A root that another root depends on."""
    s = Sketch()
    y = s.op("square", s.leaf([1.0, 2.0]))
    s.backward([s.op("neg", y), y], [[1.0, 3.0], [10.0, 30.0]])
    return s.program()


def leaf() -> Program:
    """backward() of a leaf."""
    s = Sketch()
    s.backward(s.leaf([1.0, 2.0]), [1.0, 3.0])
    return s.program()


def some_implicit() -> Program:
    """A scalar root without a gradient beside a root with one."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward([s.op("sum", x), s.op("neg", x)], [None, [10.0, 30.0]])
    return s.program()


def other_dtype() -> Program:
    """A gradient of float64 for a root of float32."""
    s = Sketch(dtype="float32")
    y, g = s.op("neg", s.leaf([1.0, 2.0])), s.constant([1.0, 3.0], dtype="float64")
    s.add(Backward((y,), (g,)))
    return s.program()


def _rule(slug: str, statement: str, why: str, needs: F, exemplar: Callable[[], Program]) -> Rule:
    """A rule on what the roots contribute."""
    return Rule(id=f"roots.{slug}", statement=statement, why=why, source=SOURCE, exemplar=exemplar, needs=needs, kinds=WRONG,
                facets=SEEN)  # fmt: skip


OPEN = (
    Rule(id="roots.other-dtype", obligation="MAY", source=SOURCE, exemplar=other_dtype, needs=F.GRADIENT_OF_OTHER_DTYPE,
         kinds=WRONG, statement="A gradient of another floating dtype than its root is converted to that of the root.",
         why="Else the leaves' gradients are of a dtype that is not theirs; an engine may refuse it instead."),
)  # fmt: skip

RULES = (
    _rule("repeated", "A root that is given twice counts twice, each time with its own gradient.",
          "Sums of losses name a shared term twice.", F.REPEATED_ROOT, repeated),
    _rule("nested", "A root that another root depends on receives its own gradient and the other's.",
          "Auxiliary losses hang on inner results.", F.ROOT_ABOVE_ROOT, nested),
    _rule("some-implicit", "Among several roots a scalar one may go without a gradient: it counts once.",
          "A seed of ones for all, or of none, weighs the losses wrongly.", F.SOME_IMPLICIT, some_implicit),
    _rule("leaf", "A leaf as a root receives the gradient as it is given.", "The graph of a leaf has no node but the last.",
          F.LEAF_ROOT, leaf),
)  # fmt: skip
