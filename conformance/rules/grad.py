"""Area grad: the function grad(), and derivatives of derivatives."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import FLAGS, Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})


def returned() -> Program:
    """grad() with respect to a leaf and an intermediate."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    h = s.op("mul_scalar", x, value=3.0)
    s.grad(s.op("square", h), [x, h], [1.0, 5.0])
    return s.program()


def second() -> Program:
    """The derivative of a gradient."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    (g,) = s.grad(s.op("pow_scalar", x, exponent=3), [x], [1.0, 5.0], create_graph=True)
    s.backward(g, [1.0, -1.0])
    return s.program()


def through_grad() -> Program:
    """backward(create_graph=True), then a loss on .grad."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.backward(s.op("pow_scalar", x, exponent=3), [1.0, 5.0], create_graph=True)
    s.grad(s.read_grad(x), [x], [1.0, -1.0])
    return s.program()


def unused() -> Program:
    """allow_unused gives None, not zeros."""
    s = Sketch()
    x, u = s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])
    s.grad(s.op("neg", x), [x, u], [1.0, 5.0], allow_unused=True)
    return s.program()


def third_of_statistics() -> Program:
    """The third derivative of a normalization."""
    s = Sketch(exact=False)
    x = s.leaf([[1.0, 2.0, 4.0]])
    (g,) = s.grad(s.op("layer_norm", x, size=3), [x], [[1.0, 3.0, 2.0]], create_graph=True)
    (h,) = s.grad(g, [x], [[2.0, 1.0, 5.0]], create_graph=True)
    s.backward(h, [[1.0, 4.0, 2.0]])
    return s.program()


def of_gradient() -> Program:
    """The graph of a gradient, walked twice."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    (g,) = s.grad(s.op("square", x), [x], [1.0, 3.0], create_graph=True)
    s.backward(g, [1.0, 2.0], retain_graph=True)
    s.backward(g, [2.0, 5.0])
    return s.program()


# A difference in what the graph of a gradient frees is no matter of lifetime: this comes before the rules of that area.
OPEN = (
    Rule(id="grad.superfluous-graph", obligation="MAY", source=SOURCE, exemplar=through_grad, needs=F.CREATE_GRAPH,
         statement="With create_graph=True a gradient that depends on no leaf has a history only where torch's has one.",
         why="A history of zeros costs memory, calls hooks without a gradient and changes no number.",
         kinds=frozenset({"wrong state"}), facets=FLAGS | {"order"}, claim_needs=F.FLAG_OF_GRADIENT,
         traits=frozenset({"higher-order"})),
    Rule(id="grad.not-finite", obligation="MAY", source=SOURCE, exemplar=second, needs=F.HIGHER_ORDER,
         claim_needs=F.NOT_FINITE, kinds=frozenset({"wrong value"}),
         statement="Where torch's derivative of a derivative is infinite or NaN, an engine's may not be.",
         why="Its formulas divide what other formulas never multiplied."),
    Rule(id="grad.third-of-statistics", obligation="MAY", source=SOURCE, exemplar=third_of_statistics,
         needs=F.HIGHER_ORDER, claim_needs=F.THIRD_ORDER | F.STATISTICS, kinds=frozenset({"wrong value", "wrong state"}),
         facets=frozenset({"grad", "value", "called", *FLAGS}),
         statement="The third derivative of a normalization counts its mean and deviation as constants, as torch's does.",
         why="They are numbers that the node saved: torch is wrong there, and an engine may be right."),
)  # fmt: skip

GRAPHS = (
    Rule(id="grad.freed-graph", obligation="MAY", source=SOURCE, exemplar=of_gradient, needs=F.HIGHER_ORDER,
         statement="In the graph of a gradient the same nodes save tensors, and free them, as in torch's.",
         why="What a derivative's own derivative needs depends on how the formula is composed.",
         kinds=frozenset({"missed error", "spurious error"}), facets=frozenset({"error"}), claim_needs=F.ABOUT_FREED),
)  # fmt: skip

RULES = (
    Rule(id="grad.second-order", source=SOURCE, exemplar=second, needs=F.HIGHER_ORDER,
         statement="With create_graph=True a gradient is a differentiable function of all that it was computed from.",
         why="Gradient penalties and Hessian products are derivatives of gradients.", kinds=WRONG,
         facets=frozenset({"grad", "value", "error"}), traits=frozenset({"higher-order"})),
    Rule(id="grad.create-graph", source=SOURCE, exemplar=through_grad, needs=F.CREATE_GRAPH,
         statement="With create_graph=True gradients carry a history where they depend on a leaf.",
         why="A gradient without its graph has derivative 0.", kinds=WRONG, traits=frozenset({"higher-order"})),
    Rule(id="grad.unused", source=SOURCE, exemplar=unused, needs=F.GRAD_CALL | F.UNUSED_INPUT,
         statement="With allow_unused=True an input that the root does not depend on has the gradient None.",
         why="None says that there is no path; zeros say that the path has slope 0.", kinds=WRONG,
         facets=frozenset({"value", "error"})),
    Rule(id="grad.accumulates-nothing", source=SOURCE, exemplar=returned, needs=F.GRAD_CALL,
         statement="grad() returns gradients and leaves every .grad as it was.", why="It is the pure one of the two.",
         kinds=frozenset({"wrong value", "wrong state"}), facets=frozenset({"grad"})),
    Rule(id="grad.returns", source=SOURCE, exemplar=returned, needs=F.GRAD_CALL,
         statement="grad() returns the gradient of each input, leaf or not.", why="backward() and grad() walk one graph.",
         kinds=WRONG),
)  # fmt: skip
