"""Area gradients: values forward and backward, by chapter of ops."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})
SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html"
FORMULAS = "https://github.com/pytorch/pytorch/blob/v2.13.0/tools/autograd/derivatives.yaml"
SEEN = frozenset({"grad", "value", "shape", "dtype", "error"})
PAIR = [[1.0, -2.0], [3.0, 2.0]]


def one(name: str, values: object, gradient: object, *, exact: bool = True, **params: object) -> Program:
    """Leaf, op, backward."""
    s = Sketch(exact=exact)
    s.backward(s.op(name, s.leaf(values), **params), gradient)
    return s.program()


def two(name: str, a: object, b: object, gradient: object, **params: object) -> Program:
    """Two leaves, op, backward."""
    s = Sketch()
    s.backward(s.op(name, s.leaf(a), s.leaf(b), **params), gradient)
    return s.program()


def repeated() -> Program:
    """x * x"""
    s = Sketch()
    x = s.leaf([3.0, -2.0])
    s.backward(s.op("mul", x, x), [1.0, 2.0])
    return s.program()


def fan_out() -> Program:
    """One non-leaf feeds two ops, by paths of different length."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([2.0, -1.0]), value=3.0)
    long = s.op("mul_scalar", s.op("neg", h), value=2.0)
    s.backward(s.op("add", h, long), [1.0, 2.0])
    return s.program()


def constants() -> Program:
    """A constant as first operand."""
    s = Sketch()
    c = s.constant([2.0, 3.0])
    s.backward(s.op("sub", c, s.leaf([1.0, 1.0])), [1.0, -2.0])
    return s.program()


def indexed() -> Program:
    """The same entry taken twice gets both gradients."""
    s = Sketch()
    x = s.leaf([1.0, 2.0, 3.0])
    s.backward(s.op("index_select", x, s.constant([2.0, 0.0, 2.0], dtype="int64"), dim=0), [1.0, 2.0, 5.0])
    return s.program()


def several_roots() -> Program:
    """Two roots, one of them twice as steep."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    a, b = s.op("mul_scalar", x, value=2.0), s.op("neg", x)
    s.backward([a, b], [[1.0, 3.0], [10.0, 20.0]])
    return s.program()


def empty() -> Program:
    """A tensor without elements."""
    return one("sum", [], 2.0)


def scalar() -> Program:
    """A 0-dim tensor."""
    s = Sketch()
    s.backward(s.op("square", s.leaf(3.0)))
    return s.program()


def promoted() -> Program:
    """float32 + float64"""
    s = Sketch()
    s.backward(s.op("mul", s.leaf([1.5, 2.0], dtype="float32"), s.leaf([2.0, 3.0])), [1.0, -1.0])
    return s.program()


def forward() -> Program:
    """Values without any gradient."""
    s = Sketch()
    s.op("matmul", s.constant(PAIR), s.constant(PAIR))
    return s.program()


def kink() -> Program:
    """relu at 0"""
    return one("relu", [0.0, -1.0, 2.0], [5.0, 7.0, 9.0])


def _gradient(slug: str, statement: str, needs: F, exemplar: Callable[[], Program], why: str = "") -> Rule:
    """A rule on the values of gradients."""
    return Rule(
        id=f"gradients.{slug}", statement=statement, why=why or "A wrong vjp trains the wrong model without any error.",
        source=FORMULAS, exemplar=exemplar, needs=needs, any_of=F.BACKWARD | F.GRAD_CALL, kinds=WRONG, facets=SEEN,
    )  # fmt: skip


OPEN = (
    Rule(id="gradients.kink", obligation="MAY",
         statement="At a point without a derivative the gradient is the one that torch's derivatives.yaml chooses, and at a jump "
                   "the value is on torch's side.",
         why="Engines may choose another subgradient, and round to the other side; a difference is reported and fails nothing.",
         source=FORMULAS, exemplar=kink, needs=F.KINK, claim_needs=F.AT_KINK, kinds=WRONG, facets=SEEN),
)  # fmt: skip

RULES = (
    _gradient("empty", "The gradient of a tensor without elements is a tensor without elements, not None.", F.EMPTY, empty,
              "Batches run dry; an engine that skips empty arrays loses the gradient's shape or raises."),
    _gradient("promotion", "Each operand's gradient has the operand's own dtype, also where the result was promoted.",
              F.MIXED_DTYPES, promoted, "A gradient of another dtype breaks the optimizer's in-place update."),
    _gradient("repeated-operand", "A tensor that fills two operands of one op receives the sum of both gradients.",
              F.REPEATED_OPERAND, repeated, "Engines that key gradients by operand keep only one of them."),
    _gradient("several-roots", "Backward of several roots adds what each contributes, with its own gradient.",
              F.SEVERAL_ROOTS, several_roots, "A seed that overwrites another loses a whole loss term."),
    _gradient("fan-out", "A tensor that feeds several ops passes on the sum of all their gradients, after the last has come.",
              F.FAN_OUT, fan_out, "A node that runs at its first gradient, or once a gradient, gives a wrong sum."),
    _gradient("broadcast", "The gradient of a broadcast operand is summed over the axes that were expanded.",
              F.BROADCAST, lambda: two("mul", PAIR, [3.0, 2.0], [[1.0, 5.0], [2.0, -1.0]]),
              "A bias's gradient has the bias's shape; an engine that forgets an axis gives a larger one."),
    _gradient("constant-operand", "Gradients reach the operands that require grad, whatever constants stand before them.",
              F.CONSTANT_OPERAND, constants, "Dropping the constants first shifts every gradient by a place."),
    _gradient("index", "Indexing adds up the gradients of an entry taken several times, and gives 0 to entries not taken.",
              F.INDEX, indexed, "An assignment instead of an addition keeps only the last."),
    _gradient("matmul", "Matrix products give ct @ b.T and a.T @ ct, summed over broadcast batch axes.",
              F.MATMUL, lambda: two("matmul", PAIR, [[1.0, 0.0], [2.0, 5.0]], PAIR)),
    _gradient("reduce", "A reduction spreads its gradient over what it folded.", F.REDUCE,
              lambda: one("sum_dim", PAIR, [2.0, 7.0], dim=0, keepdim=False)),
    _gradient("view", "A view passes its gradient to the places that it shows.", F.VIEW,
              lambda: one("transpose", PAIR, [[1.0, 2.0], [3.0, 4.0]], dim0=0, dim1=1)),
    _gradient("shape", "Ops that move or repeat values move the gradient back and add up the repeats.", F.SHAPE,
              lambda: one("repeat", [1.0, 2.0], [1.0, 2.0, 3.0, 5.0], repeats=[2])),
    _gradient("scalar", "0-dim tensors differentiate like all others.", F.ZERO_DIM, scalar,
              "NumPy turns 0-dim results into bare scalars."),
    _gradient("binary", "Broadcasting binary ops have their mathematical derivative in each operand.", F.BINARY,
              lambda: two("mul", [1.0, -2.0], [3.0, 2.0], [1.0, 5.0])),
    _gradient("pointwise", "Pointwise ops have their mathematical derivative.", F.POINTWISE,
              lambda: one("exp", [0.5, -1.0], [1.0, 2.0], exact=False)),
    Rule(id="gradients.gradient-argument",
         statement="The gradient given to backward() scales the result: backward is linear in it.",
         why="Seeding with ones instead is right only for scalar losses.", source=SOURCE, needs=F.EXPLICIT_GRADIENT,
         exemplar=lambda: one("neg", [1.0, 2.0], [10.0, 20.0]), kinds=WRONG, facets=SEEN),
    Rule(id="gradients.forward", statement="Every op computes what torch's op of that name computes.",
         why="A gradient of another function is of no use.", source="https://docs.pytorch.org/docs/stable/torch.html",
         exemplar=forward, kinds=frozenset({"wrong value", "wrong state"}),
         facets=frozenset({"value", "shape", "dtype", "grad", "exported"})),
)  # fmt: skip
