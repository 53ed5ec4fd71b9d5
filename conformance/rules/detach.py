"""Area detach: same memory, no history, and the old graph can go."""

from __future__ import annotations

from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import FLAGS, VALUE, Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html"
ALIASES = frozenset({"aliases", "detached-aliases"})


def no_history() -> Program:
    """detach() of a non-leaf."""
    s = Sketch()
    s.detach(s.op("neg", s.leaf([1.0, 2.0])))
    return s.program()


def written_alias() -> Program:
    """A write into the detached tensor shows in the source."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    s.write("mul_scalar_", s.detach(h), value=2.0)
    return s.program()


def written_source() -> Program:
    """A write into the source shows in the detached tensor."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    s.detach(h)
    s.write("mul_scalar_", h, value=2.0)
    return s.program()


def cut() -> Program:
    """x * detach(x) differentiates as a constant times x."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward(s.op("mul", x, s.detach(x)), [1.0, 3.0])
    return s.program()


def shared_version() -> Program:
    """A write through the alias of a saved tensor is refused at backward."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    y = s.op("square", h)
    s.write("mul_scalar_", s.detach(h), value=2.0)
    s.backward(y, [1.0, 3.0])
    return s.program()


def freed() -> Program:
    """Once the source is dropped, nothing holds the old graph's saved tensors."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    y = s.op("square", h)
    s.detach(y)
    s.drop(h)
    s.drop(y)
    return s.program()


RULES = (
    Rule(id="detach.version", source=SOURCE, exemplar=shared_version, needs=F.SAVED_WRITTEN_THROUGH_DETACHED,
         statement="A detached tensor shares the version counter: writing into it what backward needs is refused.",
         why="A counter of its own lets a write corrupt gradients unseen.", refusal=Category.VERSION,
         kinds=frozenset({"missed error"}), traits=ALIASES | {"versions"}),
    Rule(id="detach.frees-graph", source=SOURCE, exemplar=freed, needs=F.DROPPED_SOURCE,
         statement="A detached tensor does not hold the graph: once the source is dropped, the graph is freed.",
         why="Running sums of detached losses must not leak every step's graph.", claim_needs=F.HELD,
         kinds=frozenset({"wrong state"}), facets=frozenset({"alive"}), traits=frozenset({"liveness"})),
    Rule(id="detach.writes-back", source=SOURCE, exemplar=written_alias, needs=F.DETACHED_WRITTEN,
         statement="A detached tensor shares memory: a write into it shows in the source.",
         why="A copy is no detach(): weights would be initialised in vain.", kinds=frozenset({"wrong value"}), facets=VALUE,
         traits=ALIASES),
    Rule(id="detach.sees-writes", source=SOURCE, exemplar=written_source, needs=F.SOURCE_WRITTEN,
         statement="A write into the source shows in the detached tensor.", why="The memory is one.",
         kinds=frozenset({"wrong value"}), facets=VALUE, traits=ALIASES),
    Rule(id="detach.memory", source=SOURCE, exemplar=no_history, needs=F.DETACHED, claim_needs=F.SHARING_LOST,
         statement="A detached tensor lies in the memory of its source.", why="detach() costs nothing and copies nothing.",
         kinds=frozenset({"wrong state"}), facets=frozenset({"memory"}), traits=ALIASES),
    Rule(id="detach.cuts", source=SOURCE, exemplar=cut, needs=F.DETACHED_USED,
         statement="No gradient flows through a detached tensor.", why="Targets and stop-gradients rest on it.",
         kinds=frozenset({"wrong value", "wrong state"}), facets=frozenset({"grad"})),
    Rule(id="detach.no-history", source=SOURCE, exemplar=no_history, needs=F.DETACHED,
         statement="A detached tensor does not require grad, has no grad_fn and is a leaf.",
         why="It is the way to leave the graph.", kinds=frozenset({"wrong state", "spurious error"}), facets=FLAGS | {"error"}),
)  # fmt: skip
