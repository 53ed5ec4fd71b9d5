"""Area conventions: zeros, ties, poles, infinities and NaN."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#gradients-for-non-differentiable-functions"
WRONG: frozenset[Kind] = frozenset({"wrong value"})
SEEN = frozenset({"grad", "value"})


def pole() -> Program:
    """The derivative of the square root at 0."""
    s = Sketch(exact=False)
    s.backward(s.op("sqrt", s.leaf([0.0, 4.0])), [1.0, 3.0])
    return s.program()


def saturated() -> Program:
    """The sigmoid of large numbers."""
    s = Sketch(exact=False)
    s.backward(s.op("sigmoid", s.leaf([1000.0, -1000.0])), [1.0, 3.0])
    return s.program()


RULES = (
    Rule(id="conventions.pole", obligation="MAY", source=SOURCE, exemplar=pole, needs=F.POLE, kinds=WRONG, facets=SEEN,
         claim_needs=F.AT_POLE,
         statement="At a pole, or outside an op's domain, value and gradient are what IEEE arithmetic makes of torch's formula.",
         why="0 * inf is NaN: which zeros and infinities meet is a choice of formula."),
    Rule(id="conventions.not-finite", obligation="MAY", source=SOURCE, exemplar=pole, needs=F.POLE, kinds=WRONG, facets=SEEN,
         claim_needs=F.NOT_FINITE, statement="Where torch's number is infinite or NaN, an engine's may be another such.",
         why="Overflow happens at another place in another formula."),
    Rule(id="conventions.finite", source=SOURCE, exemplar=saturated, claim_needs=F.BECAME_NOT_FINITE, kinds=WRONG, facets=SEEN,
         statement="Where torch's number is finite, so is the engine's: saturated ops have a gradient of 0, not NaN.",
         why="One NaN in a gradient ends a training run."),
)  # fmt: skip
