"""Area accumulation: what backward leaves in `.grad`."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.backward.html"
STATE: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})
GRAD = frozenset({"grad", "error"})
ACCUMULATION = frozenset({"accumulation"})


def twice() -> Program:
    """Two graphs on one leaf."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward(s.op("mul_scalar", x, value=2.0), [1.0, 3.0])
    s.backward(s.op("neg", x), [10.0, 20.0])
    return s.program()


def reused() -> Program:
    """One leaf used by two ops."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward(s.op("add", s.op("mul_scalar", x, value=2.0), s.op("neg", x)), [1.0, 3.0])
    return s.program()


def untouched() -> Program:
    """A leaf that the root does not depend on."""
    s = Sketch()
    x, _ = s.leaf([1.0, 2.0]), s.leaf([5.0, 6.0])
    s.backward(s.op("neg", x), [1.0, 3.0])
    return s.program()


def intermediate() -> Program:
    """A chain with a non-leaf in the middle."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    s.backward(s.op("mul_scalar", h, value=2.0), [1.0, 3.0])
    return s.program()


def retained() -> Program:
    """The same with retain_grad()."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    s.retain_grad(h)
    s.backward(s.op("mul_scalar", h, value=2.0), [1.0, 3.0])
    return s.program()


def to_none() -> Program:
    """backward, grad = None, backward."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward(s.op("mul_scalar", x, value=2.0), [1.0, 3.0])
    s.zero_grad(x)
    s.backward(s.op("neg", x), [10.0, 20.0])
    return s.program()


def to_zeros() -> Program:
    """backward, grad.zero_(), backward."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward(s.op("mul_scalar", x, value=2.0), [1.0, 3.0])
    s.zero_grad(x, set_to_none=False)
    s.backward(s.op("neg", x), [10.0, 20.0])
    return s.program()


def named() -> Program:
    """backward(inputs=[x]) of a product."""
    s = Sketch()
    x, w = s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])
    s.backward(s.op("mul", x, w), [1.0, 3.0], inputs=[x])
    return s.program()


def _rule(slug: str, statement: str, why: str, needs: F, exemplar: Callable[[], Program], **more: object) -> Rule:
    """A rule on the content of `.grad`."""
    fields = {"kinds": STATE, "facets": GRAD, **more}
    return Rule(id=f"accumulation.{slug}", statement=statement, why=why, source=SOURCE, needs=needs, exemplar=exemplar, **fields)  # type: ignore[arg-type]  # fmt: skip


RULES = (
    _rule("zero", "After grad.zero_() the gradient is a tensor of zeros, and the next backward adds to it.",
          "set_to_none=False is what older training loops do.", F.ZEROED, to_zeros),
    _rule("none", "After grad = None the next backward begins anew.",
          "set_to_none=True is what training loops do between steps.", F.SET_TO_NONE, to_none),
    _rule("inputs", "backward(inputs=...) accumulates into these tensors and into nothing else.",
          "Partial backward passes rely on the other gradients staying as they are.", F.INPUTS, named),
    _rule("retain-grad", "After retain_grad() a non-leaf's gradient is kept in its .grad.",
          "Inspection of intermediate gradients relies on it.", F.RETAIN_GRAD | F.BACKWARD, retained),
    _rule("several-backwards", "A second backward adds to the gradient that a leaf already has.",
          "Gradient accumulation over microbatches is this and nothing else.", F.ACCUMULATED_AGAIN, twice,
          traits=ACCUMULATION),
    _rule("non-leaf-none", "A non-leaf's gradient goes on to the next node and is not stored: its .grad stays None.",
          "Storing it would cost one addition and one buffer for each intermediate.", F.NON_LEAF_IN_BACKWARD, intermediate,
          kinds=frozenset({"wrong state"}), claim_needs=F.EXPECTED_NONE, traits=frozenset({"leaf-gradients"})),
    _rule("none-before-first", "A leaf's .grad is None until a backward reaches it: None is not zero.",
          "Optimizers skip parameters whose gradient is None.", F(0), untouched,
          kinds=frozenset({"wrong state"}), claim_needs=F.EXPECTED_NONE),
    _rule("leaf-reused", "A leaf used n times receives the sum of n gradients.",
          "Shared weights train on the sum.", F.LEAF_REUSED, reused),
)  # fmt: skip
