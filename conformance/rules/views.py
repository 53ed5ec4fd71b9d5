"""Area views: in-place operations, views, and how history follows the memory."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/tensor_view.html"
INPLACE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})
ALIASES = frozenset({"aliases"})


def through_view() -> Program:
    """A write through a view changes the base and the base's gradient."""
    s = Sketch()
    b = s.op("clone", s.leaf([[1.0, 2.0], [3.0, 5.0]]))
    s.write("mul_scalar_", s.op("select", b, dim=0, index=0), value=2.0)
    s.backward(b, [[1.0, 3.0], [7.0, 2.0]])
    return s.program()


def through_base() -> Program:
    """A write into the base changes the view and the view's gradient."""
    s = Sketch()
    b = s.op("clone", s.leaf([1.0, 2.0]))
    v = s.op("view", b, shape=[2, 1])
    s.write("mul_scalar_", b, value=2.0)
    s.backward(v, [[1.0], [3.0]])
    return s.program()


def plain() -> Program:
    """An in-place op on a non-leaf."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    s.write("square_", h)
    s.backward(h, [1.0, 3.0])
    return s.program()


def memory() -> Program:
    """Views share memory, without any gradient."""
    s = Sketch()
    c = s.constant([[1.0, 2.0], [3.0, 5.0]])
    s.write("zero_", s.op("select", c, dim=1, index=0))
    return s.program()


def shared() -> Program:
    """A view and its base."""
    s = Sketch()
    s.op("select", s.op("clone", s.leaf([[1.0, 2.0], [3.0, 5.0]])), dim=0, index=0)
    return s.program()


RULES = (
    Rule(id="views.written-view", source=SOURCE, exemplar=through_view, needs=F.VIEW_WRITTEN | F.INPLACE,
         statement="A write through a view becomes part of the history of its base and of every other view.",
         why="Otherwise the loss on the base forgets what was written.", kinds=WRONG, traits=ALIASES),
    Rule(id="views.written-base", source=SOURCE, exemplar=through_base, needs=F.BASE_WRITTEN | F.INPLACE,
         statement="A write into a base becomes part of the history of its views.",
         why="A view with a stale grad_fn differentiates what was there before.", kinds=WRONG, traits=ALIASES),
    Rule(id="views.memory", source=SOURCE, exemplar=memory, any_of=F.VIEW_WRITTEN | F.BASE_WRITTEN,
         statement="A view shares memory with its base: a write into one shows in the other.",
         why="That is what makes it a view.", kinds=frozenset({"wrong value"}), facets=frozenset({"value"}), traits=ALIASES),
    Rule(id="views.shared", source=SOURCE, exemplar=shared, claim_needs=F.SHARING_LOST,
         statement="A view lies in the memory of its base.", why="A copy would see no later write.",
         kinds=frozenset({"wrong state"}), facets=frozenset({"memory"}), traits=ALIASES),
    Rule(id="views.in-place", source=INPLACE, exemplar=plain, needs=F.INPLACE,
         statement="An in-place op on a non-leaf differentiates like its pure twin, at the values before the write.",
         why="Saving after the write differentiates at the wrong point.", kinds=WRONG),
)  # fmt: skip
