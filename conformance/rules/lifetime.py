"""Area lifetime: when a graph's buffers are kept, and when they go."""

from __future__ import annotations

from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html"


def _again(op: str, retain: bool | None) -> Program:
    """Two passes over one graph."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    y = s.op(op, x)
    s.backward(y, [1.0, 3.0], retain_graph=retain)
    s.backward(y, [2.0, 5.0])
    return s.program()


def dropped() -> Program:
    """An intermediate that no node saved dies with its last name."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    y = s.op("add_scalar", h, value=2.0)
    s.drop(h)
    s.backward(y, [1.0, 3.0])
    return s.program()


def held() -> Program:
    """An intermediate that a node saved outlives its last name."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    y = s.op("square", h)
    s.drop(h)
    s.backward(y, [1.0, 3.0])
    return s.program()


# What torch leaves open.
OPEN = (
    Rule(id="lifetime.saved-object", obligation="MAY", source=SOURCE, exemplar=held, needs=F.DROPPED,
         statement="A node that saves an input keeps the very tensor, with all that hangs on it.",
         why="An engine may save the values alone and let the object go; what a recorded backward saves is up to its formulas.",
         claim_needs=F.LIFE_LEFT_OPEN, kinds=frozenset({"wrong state"}), facets=frozenset({"alive"}),
         traits=frozenset({"liveness"})),
)  # fmt: skip

RULES = (
    Rule(id="lifetime.nothing-saved", source=SOURCE, exemplar=lambda: _again("neg", None), needs=F.WALKED_AGAIN,
         statement="A graph whose nodes saved nothing can be walked again without retain_graph.",
         why="There is nothing to free.", kinds=frozenset({"spurious error", "wrong value", "wrong state"}),
         claim_needs=F.FREED_REFUSED, traits=frozenset({"unsaved-graphs"})),
    Rule(id="lifetime.freed", source=SOURCE, exemplar=lambda: _again("square", None), needs=F.WALKED_AGAIN,
         statement="A second backward through a graph that saved tensors is refused, unless retain_graph was set.",
         why="The buffers are freed by the first pass; using them anyway means they were kept.", refusal=Category.FREED,
         kinds=frozenset({"missed error"})),
    Rule(id="lifetime.dropped", source=SOURCE, exemplar=dropped, needs=F.DROPPED,
         statement="A tensor lives on only where a node saved it, and no longer than the graph's buffers.",
         why="Memory held by the graph is what limits batch size.", claim_needs=F.HELD, kinds=frozenset({"wrong state"}),
         facets=frozenset({"alive"}), traits=frozenset({"liveness"})),
)  # fmt: skip

# After the rules of higher order, whose programs walk a retained graph too.
AGAIN = (
    Rule(id="lifetime.retained", source=SOURCE, exemplar=lambda: _again("square", True), needs=F.RETAINED_AGAIN,
         statement="With retain_graph=True the graph can be walked again, to the same gradients.",
         why="Several losses over one trunk rest on it.", kinds=frozenset({"spurious error", "wrong value", "wrong state"}),
         facets=frozenset({"grad", "error"})),
)  # fmt: skip
