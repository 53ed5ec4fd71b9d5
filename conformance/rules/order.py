"""Area order: a node runs once, after all that use its result; and the same program gives the same result."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#how-autograd-encodes-the-history"
NOTES = "https://docs.pytorch.org/docs/stable/notes/randomness.html"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})


def skip() -> Program:
    """A result that is used at once and again two ops later."""
    s = Sketch()
    y = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    z = s.op("neg", s.op("square", y))
    s.backward(s.op("add", y, z), [1.0, 3.0])
    return s.program()


def nested() -> Program:
    """Hooks on two results of which neither needs the other."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    a, b = s.op("neg", x), s.op("square", x)
    s.hook(a)
    s.hook(b)
    s.backward(s.op("mul", a, b), [1.0, 3.0])
    return s.program()


REPEATABLE = Rule(
    id="order.repeatable", source=NOTES, exemplar=skip, kinds=WRONG | {"missed error", "wrong error"}, claim_needs=F.NOT_REPEATED,
    statement="The same program gives the same result each time, whatever ran before it.",
    why="State that one program leaves behind makes another's failure a riddle.",
)  # fmt: skip

RULES = (
    REPEATABLE,
    Rule(id="order.sequence", obligation="MAY", source=SOURCE, exemplar=nested, needs=F.HOOK, kinds=frozenset({"wrong state"}),
         facets=frozenset({"sequence"}), statement="Nodes run in the reverse order of their making, and their hooks with them.",
         why="Torch promises no more than that a node runs after all that use it."),
    Rule(id="order.waits", source=SOURCE, exemplar=skip, needs=F.SKIP, any_of=F.BACKWARD | F.GRAD_CALL, kinds=WRONG,
         facets=frozenset({"grad", "value"}),
         statement="A node waits for all gradients of its result, however much longer one of their ways is.",
         why="Residual connections join paths of different lengths."),
)  # fmt: skip
