"""Area versions: backward refuses when a tensor that it needs was changed, and only then."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks"
MISSED: frozenset[Kind] = frozenset({"missed error"})
SPURIOUS: frozenset[Kind] = frozenset({"spurious error", "wrong value", "wrong state"})
VERSIONS = frozenset({"versions"})


def _written(op: str, what: str, how: str) -> Program:
    """A non-leaf, an op that saves its input or its output, a write into what it saved, backward."""
    s = Sketch(exact=op == "square")
    h = s.op("mul_scalar", s.leaf([0.5, 1.0]), value=2.0)
    y = s.op(op, h)
    target = h if what == "input" else y
    if how == "view":
        target = s.op("select", target, dim=0, index=0)
    if how == "no_grad":
        with s.region():
            s.write("mul_scalar_", target, value=2.0)
    else:
        s.write("mul_scalar_", target, value=2.0)
    s.backward(y, [1.0, 3.0])
    return s.program()


def _factor(*, between: bool) -> Program:
    """A product of matrices, one of which is written before backward, or between two passes."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([[1.0, 2.0], [3.0, 4.0]]), value=2.0)
    y = s.op("matmul", h, s.leaf([[1.0, 2.0], [0.0, 1.0]]))
    if between:
        s.backward(y, [[1.0, 3.0], [2.0, -1.0]], retain_graph=True)
    s.write("mul_scalar_", h, value=2.0)
    s.backward(y, [[1.0, 3.0], [2.0, -1.0]])
    return s.program()


def unsaved() -> Program:
    """add saves nothing: its inputs and its output may change."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    a, b = s.op("neg", x), s.op("mul_scalar", x, value=3.0)
    y = s.op("add", a, b)
    s.write("mul_scalar_", a, value=2.0)
    s.write("mul_scalar_", b, value=-1.0)
    s.backward(y, [1.0, 3.0])
    return s.program()


def by_result() -> Program:
    """A quotient is differentiated by its result alone: the divisor may change."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([0.5, 1.0]), value=2.0)
    y = s.op("rdiv_scalar", h, value=1.0)
    s.write("mul_scalar_", h, value=2.0)
    s.backward(y, [1.0, 3.0])
    return s.program()


def constant_factor() -> Program:
    """mul saves an operand only for the other one's gradient."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    y = s.op("mul", h, s.constant([2.0, 5.0]))
    s.write("add_scalar_", h, value=3.0)
    s.backward(y, [1.0, 3.0])
    return s.program()


def _missed(slug: str, statement: str, needs: F, exemplar: Callable[[], Program], why: str) -> Rule:
    """A rule that a refusal must not be missed."""
    return Rule(id=f"versions.{slug}", statement=statement, why=why, source=SOURCE, exemplar=exemplar, needs=needs,
                refusal=Category.VERSION, kinds=MISSED, traits=VERSIONS)  # fmt: skip


REFUSALS = (
    _missed("factors", "Backward refuses when a factor of a product of matrices was changed since.",
            F.SAVED_INPUT_WRITTEN | F.MATMUL, lambda: _factor(between=False),
            "The derivative needs the factor transposed: a view of it, made in advance, escapes the check."),
    _missed("between-backwards", "The check is made at every backward: a change between two passes is refused at the second.",
            F.WRITTEN_BETWEEN_BACKWARDS, lambda: _factor(between=True),
            "A check made once lets retained graphs use changed values."),
    _missed("through-view", "A change through a view counts as a change of what the view shows.",
            F.SAVED_WRITTEN_THROUGH_VIEW, lambda: _written("square", "input", "view"),
            "Views share the version counter of their base."),
    _missed("under-no-grad", "A change under no_grad counts like any other.", F.SAVED_WRITTEN_UNDER_NO_GRAD,
            lambda: _written("square", "input", "no_grad"), "no_grad stops recording, not the check."),
    _missed("saved-output", "Backward refuses when the output that a node saved was changed since.", F.SAVED_OUTPUT_WRITTEN,
            lambda: _written("exp", "output", ""), "exp, sqrt, tanh and softmax differentiate by their own result."),
    _missed("saved-input", "Backward refuses when an input that a node saved was changed since.", F.SAVED_INPUT_WRITTEN,
            lambda: _written("square", "input", ""), "A wrong number would come instead."),
)  # fmt: skip

FREEDOMS = (
    Rule(id="versions.unneeded-operand", source=SOURCE, exemplar=constant_factor, needs=F.UNSAVED_WRITTEN | F.CONSTANT_OPERAND,
         statement="What is saved only for an operand that requires no grad is not saved: it may change.",
         why="Saving too much refuses correct programs and costs memory.", kinds=SPURIOUS, claim_needs=F.VERSION_REFUSED,
         traits=VERSIONS),
    Rule(id="versions.unsaved", source=SOURCE, exemplar=by_result, needs=F.UNSAVED_WRITTEN,
         statement="What an op did not save may change freely: backward runs and is right.",
         why="add, sum and views need no values for their derivative; exp and 1 / x need their results alone.",
         kinds=SPURIOUS, claim_needs=F.VERSION_REFUSED),
)  # fmt: skip

COUNTER = (
    Rule(id="versions.harmless-write", source=SOURCE, exemplar=unsaved, needs=F.UNSAVED_WRITTEN,
         statement="A write into what no node saved changes no gradient.",
         why="An engine that keeps more than it needs differentiates at the wrong place.", kinds=SPURIOUS),
    Rule(id="versions.counter", source=SOURCE, exemplar=unsaved,
         statement="An in-place op changes the version of every tensor on that memory, and nothing else changes any version.",
         why="The check is as good as the counter.", kinds=frozenset({"wrong state"}), facets=frozenset({"version"}),
         traits=VERSIONS),
)  # fmt: skip
