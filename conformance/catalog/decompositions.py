"""Decompositions of well-conditioned matrices that differ from their transposes, and what they solve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import BoundsRule, Shape
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners, owned
from conformance.catalog.products import GRAM, UNEVEN, bounded, gram, gram_number, inner
from conformance.chooser import Chooser

Params = dict[str, Any]
Shapes = Sequence[Shape]

SIZE = "a.shape[-2]"
DISTINCT = f"(a @ a.mT / 64.0 + torch.diag(torch.arange({SIZE}) * 2.0 + 1.0))"  # no two eigenvalues near each other
HALF = f"({DISTINCT}.detach() + (a @ a.detach().mT - a.detach() @ a.detach().mT) / 64.0)"
APART = f"({DISTINCT} + torch.arange({SIZE}).unsqueeze(-1) * (a @ a.mT) / 128.0)"
TALL = f"torch.cat([{APART}, {APART}.mT / 2.0], -2)"
WIDE = f"torch.cat([{APART}, {APART}.mT / 2.0], -1)"
LARGEST = 3.2


def decomposition(
    name: str, code: str, reach: float, shape: ShapeRule = gram, params: ParamsRule = no_params,
    partners: PartnersRule = no_partners, bounds: BoundsRule | None = None, saves: str = "a own", *, kink: bool = False,
) -> Op:  # fmt: skip
    """A row for something that is made of a matrix; the result is a copy, in the usual order of memory."""
    made = Op(name, code, "matmul", bounds or bounded(reach, LARGEST), shape, params, partners, saves, kink=kink)
    return owned(made)


def double_rows(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Twice as many rows as columns."""
    shape = gram(shapes_, params)[0]
    return ((*shape[:-2], 2 * shape[-1], shape[-1]),)


def double_columns(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Twice as many columns as rows."""
    shape = gram(shapes_, params)[0]
    return ((*shape[:-1], 2 * shape[-1]),)


def rows(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A number for each row."""
    return (gram(shapes_, params)[0][:-1],)


def solved(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A column for each right-hand side, or one for a vector."""
    return shapes.matmul([gram(shapes_, params)[0], shapes_[1]], params)


def one_solved(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A vector for a matrix and a vector."""
    vector: tuple[Shape, ...] = shapes.ranks(2, 1)([gram(shapes_, params)[0], shapes_[1]], params)
    return vector


def fitted(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Least squares: a column for each right-hand side, which has twice as many rows."""
    tall = double_rows(shapes_, params)[0]
    return shapes.matmul([(*tall[:-2], tall[-1], tall[-2]), shapes_[1]], params)


def two_columns(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two right-hand sides."""
    return (Need((*shape[:-1], 2) if len(shape) > 1 else (1, 2)),)


def a_column(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """One right-hand side, a vector."""
    return (Need(shape[:1] if shape else (1,)),)


def twice_as_high(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two right-hand sides with twice as many rows."""
    return (Need((*shape[:-2], 2 * shape[-2], 2) if len(shape) > 1 else (2, 2)),)


def distances(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A distance for each pair of rows."""
    a, b = shapes_
    if len(a) != 2 or len(b) != 2 or a[1] != b[1] or 0 in a:
        raise shapes.ShapeError(f"distances between rows of {a} and {b}")
    return ((a[0], b[0]),)


def more_rows(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two or three rows as long."""
    return (Need((2 + chooser.below(2), shape[-1] if shape else 1)),)


def bilinear(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two rows of inputs and a weight for each output."""
    a, b, c = shapes_
    if 0 in a or len(a) != 2 or len(b) != 2 or len(c) != 3 or a[0] != b[0] or c[1:] != (a[1], b[1]):
        raise shapes.ShapeError(f"bilinear form of {list(shapes_)}")
    return ((a[0], c[0]),)


def rows_and_weight(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """As many rows, as long as the first ones or of two, and a weight of two outputs."""
    if len(shape) != 2:
        return Need((1,)), Need((1,))
    length = (shape[1], 2)[chooser.below(2)]
    return Need((shape[0], length)), Need((2, shape[1], length))


def chained(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The product of three matrices."""
    product: tuple[Shape, ...] = shapes.ranks(2, 2)([*shapes.ranks(2, 2)(shapes_[:2], params), shapes_[2]], params)
    return product


def two_factors(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two further matrices of a chain."""
    return Need((shape[-1] if shape else 1, 2)), Need((2, 3))


SIDES = draws.one_of(upper=(True, False))


def filled_gram_number(s: Shapes, p: Params) -> tuple[Shape, ...]:
    """A number for each matrix that has rows: of an empty one torch's spectral norm has no history."""
    if not s[0][-2:-1] or not s[0][-2]:
        raise shapes.ShapeError("matrices with rows are needed")
    return gram_number(s, p)


SOLVERS = (
    decomposition("slogdet", f"torch.linalg.slogdet({UNEVEN})[1]", 20.0, gram_number),
    decomposition("solve_vector", f"torch.linalg.solve({UNEVEN}, b)", 20.0, one_solved, partners=a_column, saves="a?a own"),
    decomposition("solve_triangular", f"torch.linalg.solve_triangular({UNEVEN}, b, upper=upper)", 50.0, solved, SIDES,
                  two_columns, saves="a?a own"),
    decomposition("cholesky_upper", f"torch.linalg.cholesky({GRAM}, upper=True)", 10.0),
    decomposition("cholesky_solve", f"torch.cholesky_solve(b, torch.linalg.cholesky({GRAM}))", 20.0, solved,
                  partners=two_columns, saves="a?a b own"),
    decomposition("cholesky_inverse", f"torch.cholesky_inverse(torch.linalg.cholesky({GRAM}))", 5.0),
    decomposition("pinv_tall", f"torch.linalg.pinv({TALL})", 10.0, double_columns),
    decomposition("pinv_wide", f"torch.linalg.pinv({WIDE})", 10.0, double_rows),
    decomposition("lstsq", f"torch.linalg.lstsq({TALL}, b)[0]", 50.0, fitted, partners=twice_as_high, saves="a?a b own"),
)  # fmt: skip

FACTORS = (
    # Where a column needs no reflection, its sign jumps.
    decomposition("qr_orthogonal", f"torch.linalg.qr({TALL})[0]", 1.0, double_rows, kink=True),
    decomposition("qr_triangular", f"torch.linalg.qr({APART})[1]", 20.0, kink=True),
    decomposition("qr_wide", f"torch.linalg.qr({WIDE})[1]", 20.0, double_columns, kink=True),
    decomposition("lu_lower", f"torch.linalg.lu({APART})[1]", 1.0),
    decomposition("lu_upper", f"torch.linalg.lu({APART})[2]", 20.0),
    decomposition("eigvalsh", f"torch.linalg.eigvalsh({DISTINCT})", 20.0, rows),
    # Eigenvectors and singular vectors have no sign of their own: squared, they are told.
    decomposition("eigenvectors", f"torch.linalg.eigh({DISTINCT})[1].square()", 1.0),
    # Of what is symmetric in its values alone, so that the gradient shows how it is shared by the two triangles.
    decomposition("eigenvectors_of_half", f"torch.linalg.eigh({HALF})[1].square()", 1.0, kink=True),
    decomposition("eigenvalues_of_half", f"torch.linalg.eigvalsh({HALF})", 20.0, rows, kink=True),
    decomposition("cholesky_of_half", f"torch.linalg.cholesky({HALF})", 20.0, kink=True),
    decomposition("svdvals", f"torch.linalg.svdvals({TALL})", 20.0, rows),
    decomposition("svd_left", f"torch.linalg.svd({TALL}, full_matrices=False)[0].square()", 1.0, double_rows),
    decomposition("svd_right", f"torch.linalg.svd({WIDE}, full_matrices=False)[2].square()", 1.0, double_columns),
    decomposition("matrix_norm", f"torch.linalg.matrix_norm({APART}, ord=ord)", 50.0, filled_gram_number,
                  draws.one_of(ord=("fro", "nuc", 2))),
)  # fmt: skip

FORMS = (
    decomposition("cdist", "torch.cdist(a * 1.0, b + 8.0, p=p)", 50.0, distances, draws.one_of(p=(2.0, 1.0, 3.0)), more_rows,
                  saves="own"),
    decomposition("bilinear", "torch.nn.functional.bilinear(a * 1.0, b * 1.0, c * 1.0)", 50.0, bilinear, partners=rows_and_weight,
                  bounds=bounded(50.0, 2.0), saves="own"),
    decomposition("multi_dot", "torch.linalg.multi_dot([a * 1.0, b * 1.0, c * 1.0])", 50.0, chained, partners=two_factors,
                  bounds=bounded(50.0, 2.0), saves="own"),
    decomposition("inner_of_batches", "torch.inner(a * 1.0, b * 1.0)", 50.0, inner,
                  partners=lambda ch, s, p: (Need((2, 2, s[-1] if s else 1)),), bounds=bounded(50.0, 2.0), saves="own"),
)  # fmt: skip

OPS = SOLVERS + FACTORS + FORMS
