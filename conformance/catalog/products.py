"""Further matrix products: with biases and factors, batched, by einsum, and small decompositions of well-conditioned matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, product, size, total
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, ShapeRule, no_params, owned
from conformance.catalog.pointwise import plus, scaled
from conformance.chooser import Chooser

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]
ALL_FIT = 12  # no sum of a small program's products has more terms


def summed_products(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Sums of products of the operands' values."""
    part = xs[0]
    for other in xs[1:]:
        part = product(part, other)
    return total(Bounds(-part.magnitude, part.magnitude, part.grain), min(ALL_FIT, max(map(size, s))))


def products_onto(xs: Many, p: Params, s: Shapes) -> Bounds:
    """beta * a + alpha * sums of b * c"""
    part = product(xs[1], xs[2])
    sums = total(Bounds(-part.magnitude, part.magnitude, part.grain), min(ALL_FIT, max(map(size, s[1:]))))
    return plus(scaled(xs[0], p.get("beta", 1)), scaled(sums, p.get("alpha", 1)))


def bias_first(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a @ b + c"""
    return plus(summed_products(xs[:2], p, s[:2]), xs[2])


def subscripts(equation: str) -> ShapeRule:
    """The shape of an einsum; a letter must be as long everywhere."""
    left, _, right = equation.partition("->")

    def rule(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
        lengths: dict[str, int] = {}
        for letters, shape in zip(left.split(","), shapes_, strict=True):
            if len(letters) != len(shape):
                raise shapes.ShapeError(f"{letters!r} does not fit {shape}")
            for letter, n in zip(letters, shape, strict=True):
                if lengths.setdefault(letter, n) != n:
                    raise shapes.ShapeError(f"{letter!r} has two lengths in {list(shapes_)}")
        return (tuple(lengths[letter] for letter in right),)

    return rule


def einsum_partners(equation: str) -> PartnersRule:
    """Further operands of an einsum: letters of the first operand have its lengths, new ones two or three."""
    first, *others = equation.partition("->")[0].split(",")

    def rule(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
        lengths = dict(zip(first, shape, strict=False))
        for letter in "".join(others):
            lengths.setdefault(letter, 2 + chooser.below(2))
        return tuple(Need(tuple(lengths[letter] for letter in letters)) for letters in others)

    return rule


def einsum(name: str, equation: str, saves: str = "") -> Op:
    """A row for an einsum of one, two or three operands."""
    operands = ", ".join("abc"[: equation.count(",") + 1])
    code = f"torch.einsum('{equation}', {operands})"
    return Op(name, code, "matmul", summed_products, subscripts(equation), partners=einsum_partners(equation), saves=saves)


def ranked(shape: ShapeRule, *ranks: int) -> ShapeRule:
    """The rule, for operands of these ranks."""

    def rule(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
        if tuple(map(len, shapes_)) != ranks:
            raise shapes.ShapeError(f"operands of ranks {ranks} are needed, not {list(shapes_)}")
        return shape(shapes_, params)

    return rule


def biased(result: ShapeRule) -> ShapeRule:
    """A bias that broadcasts onto a product of the other operands."""
    return lambda shapes_, params: shapes.into_first([result(shapes_[1:], params)[0], shapes_[0]], params)


def summed_batches(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A sum of the matrix products of a batch."""
    return (shapes.ranks(3, 3)(shapes_, params)[0][1:],)


def factors(*lead: int) -> PartnersRule:
    """Factors whose product has the operand's last two axes, with leading axes."""

    def rule(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
        batch = shape[:1] if len(shape) == 3 else lead
        inner = 1 + chooser.below(3)
        rows, columns = (shape[-2] if len(shape) > 1 else 2), (shape[-1] if shape else 2)
        return Need((*batch, rows, inner)), Need((*batch, inner, columns))

    return rule


def matrix_and_vector(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A matrix and a vector whose product takes the operand as a bias."""
    inner = 1 + chooser.below(3)
    return Need((shape[0] if shape else 2, inner)), Need((inner,))


def two_vectors(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two vectors whose outer product takes the operand as a bias."""
    return Need((shape[0] if len(shape) > 1 else 2,)), Need((shape[-1] if shape else 2,))


def weight(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A weight of two or three outputs."""
    return (Need((2 + chooser.below(2), shape[-1] if shape else 1)),)


def weight_and_bias(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A weight of two or three outputs, and a bias for each."""
    (need,) = weight(chooser, shape, params)
    return need, Need(need.shape[:1])


def linear(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Vectors of inputs to vectors of outputs."""
    a, b, *bias = shapes_
    if not a or len(b) != 2 or a[-1] != b[1] or any(c != b[:1] for c in bias):
        raise shapes.ShapeError(f"linear of {list(shapes_)}")
    return ((*a[:-1], b[0]),)


def inner(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Sums over the last axis of both."""
    a, b = shapes_
    if not a or not b or a[-1] != b[-1]:
        raise shapes.ShapeError(f"inner of {a} and {b}")
    return (a[:-1] + b[:-1],)


def with_last_axis(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """An operand with the same last axis."""
    last = shape[-1:] or (1,)
    return (Need(((2, *last), last)[chooser.below(2)]),)


def kron(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Every axis as long as both operands' together."""
    a, b = shapes_
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    return (tuple(m * n for m, n in pairs),)


def small(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A small operand of one or two axes."""
    return (Need(((2,), (1, 2), (2, 1))[chooser.below(3)]),)


def triples(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis of length 3."""
    three = [d for d, n in enumerate(shape) if n == 3]
    return {"dim": three[chooser.below(len(three))]} if three and 0 not in shape else None


def crossed(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two operands of one shape whose axis `dim` has length 3."""
    shape = shapes_[0]
    if shapes_[1] != shape or not shape or shape[shapes.axis(params["dim"], len(shape))] != 3:
        raise shapes.ShapeError(f"cross of {list(shapes_)} along dim {params['dim']}")
    return (shape,)


def square(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Square matrices."""
    if len(shapes_[0]) < 2 or shapes_[0][-1] != shapes_[0][-2]:
        raise shapes.ShapeError("square matrices are needed")
    return (shapes_[0],)


def gram(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The square of the rows' number."""
    shapes.matrix(shapes_, params)
    return ((*shapes_[0][:-1], shapes_[0][-2]),)


def gram_number(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A number for each matrix."""
    return (gram(shapes_, params)[0][:-2],)


def bounded(reach: float, largest: float) -> BoundsRule:
    """An inexact function that stays within the reach where its operands stay below the largest magnitude."""

    def rule(xs: Many, p: Params, s: Shapes) -> Bounds | None:
        return Bounds(-reach, reach, None) if max(x.magnitude for x in xs) <= largest else None

    return rule


def matrix_row(
    name: str, code: str, bounds: BoundsRule, shape: ShapeRule, partners: PartnersRule | None = None, saves: str = "",
    params: ParamsRule = no_params,
) -> Op:  # fmt: skip
    """A row for a product."""
    return Op(name, code, "matmul", bounds, shape, params, partners or (lambda chooser, shape, params: ()), saves)


FACTORS = draws.one_of(beta=(2, 0.5, 1), alpha=(3, -1, 0.5))

BIASED = (
    matrix_row("addmm_factors", "torch.addmm(a, b, c, beta=beta, alpha=alpha)", products_onto, shapes.addmm,
               draws.factors_for, "b?c c?b", FACTORS),
    matrix_row("addmv", "torch.addmv(a, b, c, beta=beta, alpha=alpha)", products_onto, biased(shapes.ranks(2, 1)),
               matrix_and_vector, "b?c c?b", FACTORS),
    matrix_row("addr", "torch.addr(a, b, c, beta=beta, alpha=alpha)", products_onto, biased(shapes.outer),
               two_vectors, "b?c c?b", FACTORS),
    matrix_row("baddbmm", "torch.baddbmm(a, b, c, beta=beta, alpha=alpha)", products_onto, biased(shapes.ranks(3, 3)),
               factors(2), "b?c c?b", FACTORS),
    matrix_row("addbmm", "torch.addbmm(a, b, c, beta=beta, alpha=alpha)", products_onto, biased(summed_batches),
               lambda ch, s, p: factors(2)(ch, s[-2:], p), "b?c c?b", FACTORS),
    matrix_row("linear", "torch.nn.functional.linear(a, b, c)", bias_first, linear, weight_and_bias, "a?b b?a"),
    matrix_row("linear_without_bias", "torch.nn.functional.linear(a, b)", summed_products, linear, weight, "a?b b?a"),
)  # fmt: skip

PRODUCTS = (
    matrix_row("inner", "torch.inner(a, b)", summed_products, inner, with_last_axis, "a?b b?a"),
    matrix_row("vdot", "torch.vdot(a, b)", summed_products, shapes.ranks(1, 1), draws.twin, "a?b b?a"),
    matrix_row("kron", "torch.kron(a, b)", lambda xs, p, s: product(xs[0], xs[1]), kron, small, "own"),
    matrix_row("cross", "torch.linalg.cross(a, b, dim=dim)", summed_products, crossed, draws.twin, "a?b b?a", triples),
    matrix_row("tensordot", "torch.tensordot(a, b, dims=1)", summed_products,
               lambda s, p: inner([s[0], s[1][1:] + s[1][:1]] if s[1] else s, p), lambda ch, s, p: (Need((s[-1] if s else 1,
               2)),), saves="a?b b?a"),
    matrix_row("matmul_transposed", "a.t() @ b", summed_products, ranked(lambda s, p: shapes.matmul([s[0][::-1], s[1]], p), 2, 2),
               lambda ch, s, p: (Need((s[0] if s else 1, 2)),), "a?b b?a"),
    einsum("einsum_matrices", "ij,jk->ik", "a?b b?a"),
    einsum("einsum_batches", "bij,bjk->bik", "a?b b?a"),
    einsum("einsum_summed_out", "ij,i->", "b?a"),
    einsum("einsum_elementwise", "ij,ij->ij", "a?b b?a"),
    einsum("einsum_outer", "i,j->ji", "a?b b?a"),
    einsum("einsum_inner", "i,i->", "a?b b?a"),
    einsum("einsum_transposed", "ij->ji"),
    einsum("einsum_three", "ij,jk,k->i", "a?b b?a c?a c?b"),
    einsum("einsum_form", "i,ij,j->", "a?b b?a c?a c?b"),
)  # fmt: skip

GRAM = "(a @ a.mT / 8.0 + torch.eye(a.shape[-2]))"  # not far from the identity
# Rows count differently, so that a formula that forgets to transpose is wrong; no eigenvalue is below 1.
UNEVEN = "(torch.arange(1, a.shape[-2] + 1).unsqueeze(-1) * (a @ a.mT) / 32.0 + torch.eye(a.shape[-2]))"

MATRICES = (
    matrix_row("matrix_power", "torch.linalg.matrix_power(a, n)", bounded(50.0, 2.0), square, None, "a",
               draws.one_of(n=(2, 3))),
    matrix_row("inverse", f"torch.linalg.inv{UNEVEN}", bounded(4.0, 3.2), gram, None, "a out"),
    matrix_row("determinant", f"torch.linalg.det{UNEVEN}", bounded(50.0, 3.2), gram_number, None, "a out"),
    matrix_row("logdet", f"torch.logdet{UNEVEN}", bounded(20.0, 3.2), gram_number, None, "a"),
    matrix_row("cholesky", f"torch.linalg.cholesky{GRAM}", bounded(10.0, 3.2), gram, None, "a out"),
    matrix_row("solve", f"torch.linalg.solve({UNEVEN}, b)", bounded(20.0, 3.2), lambda s, p: shapes.matmul([gram(s, p)[0], s[1]],
            p),
               lambda ch, s, p: (Need((*s[:-1], 2)),), "a?a out"),
    # Not near zero: between 0.01 and 0.05 torch's polynomial is right to ten digits only.
    matrix_row("matrix_exp", "torch.linalg.matrix_exp(a / 4.0 + torch.eye(a.shape[-1]))", bounded(40.0, 3.2), square,
               None, "own"),
)  # fmt: skip

OWNED = ("linear", "inner", "cross", "tensordot", "inverse", "cholesky", "solve")
OPS = tuple(owned(op) if op.name in OWNED or op.name.startswith("einsum") else op for op in BIASED + PRODUCTS + MATRICES)
