"""Reductions, matrix products, views, and ops that move values: shape, index and matrix chapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, growing, keep, mixed, product, size, total, within
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners
from conformance.catalog.pointwise import plus

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]


def terms(p: Params, s: Shapes) -> int:
    """How many values a reduction folds into one."""
    if "dim" not in p:
        return size(s[0])
    return s[0][p["dim"]] if s[0] else 1


def summed(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Sums of the values folded."""
    return total(xs[0], terms(p, s))


def averaged(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """Means: exact where the count is a power of two."""
    count, a = terms(p, s), xs[0]
    if not count:
        return None
    exact = a.grain is not None and count & (count - 1) == 0
    return Bounds(a.lo, a.hi, a.grain + count.bit_length() - 1 if exact else None)  # type: ignore[operator]


def multiplied_up(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """Products of the values folded."""
    count, a = terms(p, s), xs[0]
    reach = max(1.0, a.magnitude) ** count
    return Bounds(-reach, reach, None if a.grain is None else a.grain * count) if reach <= 1e3 else None


def running(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Partial sums."""
    reach = xs[0].magnitude * max(terms(p, s), 1)
    return Bounds(-reach, reach, xs[0].grain)


def spread(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Variances."""
    return Bounds(0.0, 4 * xs[0].magnitude ** 2, None)


def folded(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Matrix products: sums over the inner axis."""
    inner = s[0][-1] if s[0] else 1
    return total(product(xs[0], xs[1]), inner)


def folded_onto(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a + b @ c"""
    return plus(xs[0], total(product(xs[1], xs[2]), s[1][-1]))


def zero_and_added(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a with up to size(b) values of the source c added at one place"""
    return plus(mixed(xs[:1], p, s), total(Bounds(-xs[2].magnitude, xs[2].magnitude, xs[2].grain), size(s[1])))


def placed(xs: Many, p: Params, s: Shapes) -> Bounds:
    """a, or values of the source c"""
    return mixed([xs[0], xs[2]], p, s)


def joined(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Values of both operands"""
    return mixed(xs[:2], p, s)


def logsum(xs: Many, p: Params, s: Shapes) -> Bounds:
    """log of the sum of exponentials"""
    return Bounds(xs[0].lo, xs[0].hi + 4.0, None)


def row(
    chapter: str, name: str, code: str, bounds: BoundsRule, shape: ShapeRule, params: ParamsRule = no_params,
    partners: PartnersRule = no_partners, saves: str = "", **more: Any,
) -> Op:  # fmt: skip
    """A row with its chapter first."""
    return Op(name, code, chapter, bounds, shape, params, partners, saves, **more)


DIM = draws.a_dim_keepdim
FULL = draws.a_full_dim

REDUCTIONS = (
    row("reduce", "sum", "a.sum()", summed, shapes.scalar),
    row("reduce", "sum_dim", "a.sum(dim=dim, keepdim=keepdim)", summed, shapes.drop_axis, DIM),
    row("reduce", "mean", "a.mean()", averaged, shapes.scalar, draws.elements),
    row("reduce", "mean_dim", "a.mean(dim=dim, keepdim=keepdim)", averaged, shapes.drop_axis, FULL),
    row("reduce", "prod", "a.prod()", multiplied_up, shapes.scalar, saves="a out"),
    row("reduce", "prod_dim", "a.prod(dim=dim, keepdim=keepdim)", multiplied_up, shapes.drop_axis, FULL, saves="a out"),
    row("reduce", "var", "a.var()", spread, shapes.scalar, draws.two_elements, saves="a"),
    row("reduce", "var_dim", "a.var(dim=dim, keepdim=keepdim)", spread, shapes.drop_axis, draws.several, saves="a"),
    row("reduce", "amax", "a.amax(dim=dim, keepdim=keepdim)", keep, shapes.drop_axis, FULL, saves="a out", kink=True),
    row("reduce", "amin", "a.amin(dim=dim, keepdim=keepdim)", keep, shapes.drop_axis, FULL, saves="a out", kink=True),
    row("reduce", "max", "a.max()", keep, shapes.scalar, draws.elements, saves="a out", kink=True),
    row("reduce", "max_dim", "a.max(dim=dim, keepdim=keepdim)", keep, shapes.drop_axis_twice, FULL, kink=True, index_outputs=1),
    row("reduce", "logsumexp", "a.logsumexp(dim=dim, keepdim=keepdim)", logsum, shapes.drop_axis, FULL, saves="a out"),
    row("reduce", "softmax", "a.softmax(dim=dim)", within(0.0, 1.0), shapes.along_axis, draws.a_dim, saves="out"),
    row("reduce", "log_softmax", "a.log_softmax(dim=dim)", growing(2.0, (-8.0, 8.0)), shapes.along_axis, draws.a_dim,
        saves="out"),
    row("reduce", "cumsum", "a.cumsum(dim=dim)", running, shapes.along_axis, draws.a_dim),
)  # fmt: skip

PRODUCTS = (
    row("matmul", "matmul", "torch.matmul(a, b)", folded, shapes.matmul, partners=draws.right_factor, saves="a?b b?a"),
    row("matmul", "mm", "torch.mm(a, b)", folded, shapes.ranks(2, 2), partners=draws.fixed_factor(2), saves="a?b b?a"),
    row("matmul", "bmm", "torch.bmm(a, b)", folded, shapes.ranks(3, 3), partners=draws.fixed_factor(2), saves="a?b b?a"),
    row("matmul", "mv", "torch.mv(a, b)", folded, shapes.ranks(2, 1),
        partners=lambda ch, s, p: draws.fixed_factor()(ch, s[-1:], p), saves="a?b b?a"),
    row("matmul", "dot", "torch.dot(a, b)", folded, shapes.ranks(1, 1), partners=draws.twin, saves="a?b b?a"),
    row("matmul", "outer", "torch.outer(a, b)", lambda xs, p, s: product(xs[0], xs[1]), shapes.outer,
        partners=draws.a_vector, saves="a?b b?a"),
    row("matmul", "addmm", "torch.addmm(a, b, c)", folded_onto, shapes.addmm, partners=draws.factors_for, saves="b?c c?b"),
)  # fmt: skip


def view(name: str, code: str, shape: ShapeRule, params: ParamsRule = no_params) -> Op:
    """A row for a view: the result shares its operand's memory."""
    return Op(name, code, "view", keep, shape, params, view=True)


VIEWS = (
    view("view", "a.view(shape)", shapes.reshape, draws.new_shape),
    view("t", "a.t()", shapes.t),
    view("transpose", "a.transpose(dim0, dim1)", shapes.transpose, draws.two_dims),
    view("permute", "a.permute(dims)", shapes.permute, draws.permutation),
    view("unsqueeze", "a.unsqueeze(dim)", shapes.unsqueeze, draws.new_dim),
    view("squeeze", "a.squeeze(dim)", shapes.squeeze, draws.unit_dim),
    view("select", "a.select(dim, index)", shapes.select, draws.an_entry),
    view("narrow", "a.narrow(dim, start, length)", shapes.narrow, draws.a_stretch),
    view("slice", "a[start:stop:step]", shapes.take_slice, draws.a_slice),
    view("expand", "a.expand(shape)", shapes.expand, draws.wider),
    view("diagonal", "a.diagonal()", shapes.diagonal),
    view("split", "a.split(size, dim)", shapes.pieces, draws.piece_size),
    view("unbind", "a.unbind(dim)", shapes.unbind, draws.full_dim),
)

MOVES = (
    row("shape", "reshape", "a.reshape(shape)", keep, shapes.reshape, draws.new_shape, view=True),
    row("shape", "cat", "torch.cat([a, b], dim=dim)", joined, shapes.cat, draws.full_dim, draws.longer_or_equal),
    row("shape", "stack", "torch.stack([a, b], dim=dim)", joined, shapes.stack, draws.new_dim, draws.twin),
    row("shape", "repeat", "a.repeat(repeats)", keep, shapes.repeat, draws.tiles),
    row("shape", "flip", "a.flip(dims)", keep, shapes.same, draws.flipped),
    row("shape", "roll", "a.roll(shifts, dims)", keep, shapes.same, draws.rolled),
    row("shape", "tril", "a.tril()", mixed, shapes.matrix),
    row("shape", "triu", "a.triu()", mixed, shapes.matrix),
    row("shape", "pad", "torch.nn.functional.pad(a, (left, right))", mixed, shapes.pad,
        draws.one_of(left=(1, 0, 2), right=(0, 1))),
)  # fmt: skip

INDEXING = (
    row("index", "index_select", "a.index_select(dim, b)", keep, shapes.index_select, draws.full_dim,
        draws.index_vector, "b", second="int64"),
    row("index", "gather", "a.gather(dim, b)", keep, shapes.gather, draws.full_dim, draws.index_like, "a b", second="int64"),
    row("index", "index", "a[b]", keep, shapes.take_rows,
        draws.rows, draws.index_vector, "b", second="int64"),
    row("index", "scatter", "a.scatter(dim, b, c)", placed, shapes.scatter, draws.full_dim,
        lambda ch, s, p: (Need(distinct(s, p["dim"]), "int64", s[p["dim"]]), Need(distinct(s, p["dim"]))), "b", second="int64"),
    row("index", "scatter_add", "a.scatter_add(dim, b, c)", zero_and_added, shapes.scatter, draws.full_dim,
        draws.index_and_source, "b?c", second="int64"),
    row("index", "index_add", "a.index_add(dim, b, c)", zero_and_added, shapes.index_add, draws.full_dim,
        draws.index_and_slices, "b?c c?c", second="int64"),
)  # fmt: skip


def distinct(shape: Shape, dim: int) -> Shape:
    """One slice along dim: a scatter that never writes one place twice, which torch leaves undefined."""
    return (*shape[:dim], 1, *shape[dim + 1 :])


OPS = REDUCTIONS + PRODUCTS + VIEWS + MOVES + INDEXING
