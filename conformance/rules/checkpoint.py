"""Area checkpoint: functions that are computed again in backward instead of saving what they need."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import FLAGS, Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/checkpoint.html"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error", "missed error", "wrong error"})


def checkpointed(op: str, *, twice: bool = False) -> Program:
    """A checkpointed function, differentiated once or twice."""
    s = Sketch(exact=False)
    x = s.leaf([0.5, 2.0])
    y = s.op(op, x)
    s.backward(y, [1.0, 3.0], retain_graph=True if twice else None)
    if twice:
        s.backward(y, [1.0, 3.0])
    return s.program()


def asked_for_one() -> Program:
    """grad() through a reentrant checkpoint."""
    s = Sketch(exact=False)
    x = s.leaf([0.5, 2.0])
    s.grad(s.op("checkpoint_reentrant", x), [x], [1.0, 3.0])
    return s.program()


RULES = (
    Rule(id="checkpoint.reentrant", obligation="MAY", source=SOURCE, exemplar=asked_for_one, needs=F.CHECKPOINT_REENTRANT,
         any_of=F.GRAD_CALL | F.INPUTS, refusal=Category.CHECKPOINT, kinds=frozenset({"missed error"}),
         statement="A reentrant checkpoint refuses grad() and backward() with inputs.",
         why="It runs a backward of its own inside, which knows of no inputs."),
    Rule(id="checkpoint.again", source=SOURCE, exemplar=lambda: checkpointed("checkpoint", twice=True), kinds=WRONG,
         needs=F.CHECKPOINT | F.RETAINED_AGAIN,
         statement="A checkpointed function is differentiated again like any other while its graph is retained.",
         why="What was computed again once must be had a second time."),
    Rule(id="checkpoint.flags", source=SOURCE, exemplar=lambda: checkpointed("checkpoint_of_linear"), needs=F.CHECKPOINT,
         kinds=WRONG, facets=FLAGS, statement="A checkpointed function's result requires grad where the function's own would.",
         why="A result that lost its flag ends training above it."),
    Rule(id="checkpoint.gradients", source=SOURCE, exemplar=lambda: checkpointed("checkpoint"), needs=F.CHECKPOINT, kinds=WRONG,
         statement="A checkpointed function has the value and the gradient of the function itself.",
         why="It trades time for memory and nothing else."),
)  # fmt: skip
