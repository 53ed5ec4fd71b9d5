"""Area identity: which tensors are one, and whose memory a gradient lies in."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import FLAGS, Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/generated/torch.Tensor.grad.html"
BACKWARD = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.backward.html"
VIEWS = "https://docs.pytorch.org/docs/stable/tensor_view.html"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})
STATE: frozenset[Kind] = frozenset({"wrong state"})


def handed() -> Program:
    """The caller's gradient is handed to two passes."""
    s = Sketch()
    x, g = s.leaf([1.0, 2.0]), s.constant([1.0, 3.0])
    h = s.op("clone", x)
    s.backward_with(h, g, retain_graph=True)
    s.backward_with(h, g)
    return s.program()


def assigned() -> Program:
    """A gradient assigned by hand is what the next backward adds to."""
    s = Sketch()
    x, g = s.leaf([1.0, 2.0]), s.constant([5.0, 7.0])
    s.assign_grad(x, g)
    s.backward(s.op("neg", x), [1.0, 3.0])
    return s.program()


def misfit() -> Program:
    """A gradient of another shape is assigned."""
    s = Sketch()
    s.assign_grad(s.leaf([1.0, 2.0]), s.constant([1.0, 2.0, 3.0]))
    return s.program()


def two_leaves() -> Program:
    """The gradients of two leaves of one addition."""
    s = Sketch()
    a, b = s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])
    s.backward(s.op("add", a, b), [1.0, 3.0])
    g = s.read_grad(a)
    s.write("mul_scalar_", g, value=2.0)
    return s.program()


def equal_gradients() -> Program:
    """Two leaves of one addition have equal gradients, each for itself."""
    s = Sketch()
    s.backward(s.op("add", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])), [1.0, 3.0])
    return s.program()


def gradients_of_sum() -> Program:
    """The gradients of both operands of one addition are one tensor of torch's; a write that changes no number."""
    s = Sketch()
    a, b = s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])
    first, _ = s.grad(s.op("add", a, b), [a, b], [1.0, 3.0])
    s.write("mul_scalar_", first, value=1.0)
    return s.program()


def accumulated() -> Program:
    """A gradient that was read before the second backward."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    y = s.op("square", x)
    s.backward(y, [1.0, 3.0], retain_graph=True)
    s.read_grad(x)
    s.backward(y, [1.0, 3.0])
    return s.program()


def view_of_view() -> Program:
    """A view of a view has the same base."""
    s = Sketch()
    s.op("select", s.op("t", s.op("clone", s.leaf([[1.0, 2.0], [3.0, 5.0]]))), dim=0, index=0)
    return s.program()


OPEN = (
    Rule(id="identity.sharing", obligation="MAY", source=SOURCE, exemplar=two_leaves, any_of=F.BACKWARD | F.GRAD_CALL,
         claim_needs=F.ORACLE_SHARES, kinds=STATE, facets=frozenset({"grad_memory"}),
         statement="Where torch lets a gradient lie in memory that others see, an engine may copy it; gradients may be parts of "
                   "one buffer, if these lie apart.",
         why="Torch saves a copy where it believes that nobody looks."),
    Rule(id="identity.shared-write", obligation="MAY", source=SOURCE, exemplar=two_leaves, claim_needs=F.ORACLE_SHARES,
         any_of=F.GRADIENT_WRITTEN | F.HANDED_GRADIENT, kinds=WRONG,
         statement="A write into memory that torch lets a gradient share need not show in the gradient where an engine copied.",
         why="What is an accident of sharing cannot be asked of others."),
    Rule(id="identity.shared-state", obligation="MAY", source=SOURCE, exemplar=gradients_of_sum, any_of=F.BACKWARD | F.GRAD_CALL,
         claim_needs=F.STATE_SHARED, kinds=STATE | {"missed error", "spurious error"},
         facets=frozenset({"version", "base", "alive", "error", *FLAGS}),
         statement="Where torch lets a gradient share memory, its version, its base, its flags and its end may be others in an "
                   "engine; whether a write into a gradient is refused later is up to what the recorded backward saved.",
         why="Where nothing is shared, a write elsewhere wrote nothing here; the formulas of a backward are each engine's own."),
)  # fmt: skip

RULES = (
    Rule(id="identity.assigned-misfit", source=SOURCE, exemplar=misfit, needs=F.ASSIGNED_MISFIT,
         statement="A gradient of another shape or dtype than its tensor is refused when it is assigned.",
         why="Accumulation would broadcast it or fail much later.", refusal=Category.ASSIGNED_GRADIENT,
         kinds=frozenset({"missed error"})),
    Rule(id="identity.own-memory", source=SOURCE, exemplar=equal_gradients, needs=F.BACKWARD, claim_needs=F.SHARED,
         kinds=STATE, facets=frozenset({"grad_memory"}),
         statement="The gradients of two tensors share no element, nor a gradient with a tensor of the program.",
         why="Clipping one would clip the other."),
    Rule(id="identity.results", source=VIEWS, exemplar=two_leaves, claim_needs=F.SHARED, kinds=STATE,
         facets=frozenset({"memory"}), statement="The result of an op that is no view has memory of its own.",
         why="A later write would change its operand."),
    Rule(id="identity.base", source=VIEWS, exemplar=view_of_view, kinds=STATE, facets=frozenset({"base"}),
         statement="The base of a view is the tensor that owns the memory, also for a view of a view; nothing else has a base.",
         why="History follows the base.", traits=frozenset({"aliases"})),
    Rule(id="identity.handed-gradient", source=BACKWARD, exemplar=handed, needs=F.HANDED_GRADIENT, kinds=WRONG,
         statement="The tensor given as a gradient stays the caller's: backward neither keeps it nor writes into it.",
         why="The next pass with the same tensor would begin with a sum."),
    Rule(id="identity.assigned", source=SOURCE, exemplar=assigned, needs=F.ASSIGNED_GRADIENT, kinds=WRONG,
         statement="A gradient that was assigned by hand is kept, and the next backward adds to it.",
         why="Gradient surgery and averaging over processes assign .grad."),
    Rule(id="identity.written-gradient", source=SOURCE, exemplar=two_leaves, needs=F.GRADIENT_WRITTEN, kinds=WRONG,
         statement="A write into one tensor's gradient changes no other's, and the next backward adds to what was written.",
         why="Clipping and scaling write into .grad."),
    Rule(id="identity.gradient-object", source=SOURCE, exemplar=accumulated, needs=F.READ_GRAD,
         facets=frozenset({"grad_is", "value"}), kinds=frozenset({"wrong state", "wrong value"}),
         statement="A gradient that was read stays the leaf's gradient: later backwards add to the very tensor.",
         why="Flat buffers of gradients are views that must stay attached."),
)  # fmt: skip
