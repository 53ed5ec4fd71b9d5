"""Area requires_grad: how the flag spreads, and where gradients may arrive."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import FLAGS, Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad"
MODES = "https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation"
WRONG: frozenset[Kind] = frozenset({"wrong state"})


def mixed() -> Program:
    """A constant and a leaf that requires grad, either side."""
    s = Sketch()
    x, c = s.leaf([1.0, 2.0]), s.constant([3.0, 5.0])
    s.op("add", c, x)
    s.op("add", x, c)
    return s.program()


def none() -> Program:
    """Only constants."""
    s = Sketch()
    s.op("mul", s.constant([1.0, 2.0]), s.constant([3.0, 5.0]))
    return s.program()


def constant() -> Program:
    """A constant operand has no gradient after backward."""
    s = Sketch()
    x, c = s.leaf([1.0, 2.0]), s.constant([3.0, 5.0])
    s.backward(s.op("mul", x, c), [1.0, 3.0])
    return s.program()


def unrecorded() -> Program:
    """An op under no_grad."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region():
        s.op("mul_scalar", x, value=2.0)
    s.op("neg", x)
    return s.program()


def unrecorded_view() -> Program:
    """A view under no_grad."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region():
        s.op("select", x, dim=0, index=0)
    return s.program()


def nested() -> Program:
    """enable_grad inside no_grad."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region():
        with s.region("enable_grad"):
            s.op("neg", x)
        s.op("neg", x)
    return s.program()


def set_flag() -> Program:
    """requires_grad_() before use."""
    s = Sketch()
    c = s.constant([1.0, 2.0])
    s.requires_grad_(c)
    s.backward(s.op("neg", c), [1.0, 3.0])
    return s.program()


def late_flag() -> Program:
    """requires_grad_() after use."""
    s = Sketch()
    x, c = s.leaf([1.0, 2.0]), s.constant([3.0, 5.0])
    y = s.op("mul", x, c)
    s.requires_grad_(c)
    s.backward(y, [1.0, 3.0])
    return s.program()


def gained() -> Program:
    """A constant to which a tensor that requires grad is added in place."""
    s = Sketch()
    x, c = s.leaf([1.0, 2.0]), s.constant([3.0, 5.0])
    s.write("add_", c, x)
    s.backward(c, [1.0, 3.0])
    return s.program()


def _rule(slug: str, statement: str, why: str, needs: F, exemplar: Callable[[], Program], **more: object) -> Rule:
    """A rule on flags, or on gradients that must not exist."""
    fields = {"kinds": WRONG, "facets": FLAGS, "source": SOURCE, **more}
    return Rule(id=f"requires_grad.{slug}", statement=statement, why=why, needs=needs, exemplar=exemplar, **fields)  # type: ignore[arg-type]  # fmt: skip


OPEN = (
    _rule("view-under-no-grad", "A view made under no_grad shows the flag of its base, and has no grad_fn.",
          "Torch answers for the memory, other engines for the view; no gradient depends on it.", F.UNRECORDED, unrecorded_view,
          source=MODES, claim_needs=F.VIEW_UNDER_NO_GRAD, obligation="MAY"),
)  # fmt: skip

RULES = (
    _rule("set-late", "Setting the flag of a tensor does not add it to a graph recorded before.",
          "The graph is built at forward time.", F.FLAG_SET | F.BACKWARD | F.CONSTANT_OPERAND, late_flag,
          kinds=frozenset({"wrong state", "wrong value"}), facets=frozenset({"grad"}), claim_needs=F.EXPECTED_NONE),
    _rule("set", "requires_grad_() makes a leaf require grad, or not, from then on.",
          "Freezing and unfreezing layers rests on it.",
          F.FLAG_SET, set_flag, facets=FLAGS | {"grad"}),
    _rule("gained-in-place", "A tensor into which something that requires grad is written requires grad from then on.",
          "Otherwise the written values silently drop out of the loss.", F.FLAG_GAINED_IN_PLACE, gained, facets=FLAGS | {"grad"}),
    _rule("enable-grad", "enable_grad inside no_grad records again, and leaving it restores the mode outside.",
          "Regions nest; a fixed mode on exit breaks the outer one.", F.UNRECORDED | F.REGION_NESTED, nested, source=MODES),
    _rule("no-grad", "What is computed under no_grad does not require grad and has no grad_fn.",
          "Evaluation and optimizer steps must not grow the graph.", F.UNRECORDED, unrecorded, source=MODES),
    _rule("no-gradient", "A tensor that does not require grad gets no gradient: its .grad stays None.",
          "Gradients of constants cost memory and move frozen weights.", F.CONSTANT_IN_BACKWARD, constant,
          facets=frozenset({"grad"}), claim_needs=F.EXPECTED_NONE),
    _rule("any-input", "If any input requires grad, so does everything computed from it.",
          "A flag lost is a weight never trained.",
          F.CONSTANT_OPERAND, mixed),
    _rule("no-input", "If no input requires grad, the result does not, has no grad_fn and is a leaf.",
          "A graph without need holds memory.", F.NOTHING_REQUIRES_GRAD, none),
    _rule("flags", "Leaves have no grad_fn; results of recorded ops have one and are no leaves.",
          "is_leaf decides where gradients are kept.", F(0), mixed),
)  # fmt: skip
