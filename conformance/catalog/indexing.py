"""Further indexing: by tensors, lists and masks, reading and writing, with and without repeated places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, keep, mixed, product, size
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners, owned
from conformance.catalog.pointwise import VALUES, filled
from conformance.catalog.structure import distinct, placed, zero_and_added
from conformance.chooser import Chooser

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]


def index(
    name: str, code: str, bounds: BoundsRule, shape: ShapeRule, params: ParamsRule = no_params,
    partners: PartnersRule = no_partners, saves: str = "", **more: Any,
) -> Op:  # fmt: skip
    """A row for an op with indices; where b is an operand, it is one of integers unless the row says otherwise."""
    more.setdefault("second", "int64" if "b" in code.replace("embedding", "") else "float")
    return Op(name, code, "index", bounds, shape, params, partners, saves, **more)


def with_value(fits: ParamsRule) -> ParamsRule:
    """What the op needs, and a number."""
    value = draws.one_of(value=VALUES)

    def rule(chooser: Chooser, shape: Shape) -> Params | None:
        found = fits(chooser, shape)
        return None if found is None else {**found, **(value(chooser, shape) or {})}

    return rule


# -- reading ---------------------------------------------------------------------------------------------------------------


def flat(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The index's shape, over the operand flattened."""
    if 0 in shapes_[0]:
        raise shapes.ShapeError(f"nothing to take from {shapes_[0]}")
    return (shapes_[1],)


def flat_index(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Places in the operand flattened, repeats allowed."""
    return (Need(((3,), (2, 2), ())[chooser.below(3)], "int64", max(1, size(shape))),)


def last_axis(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """An index of the last axis."""
    if not shapes_[0] or not shapes_[0][-1]:
        raise shapes.ShapeError("indexing needs an axis that has entries")
    return (shapes_[0][:-1] + shapes_[1],)


def last_index(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A vector of places along the last axis."""
    return (Need((1 + chooser.below(3),), "int64", shape[-1] if shape else 1),)


def columns(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but the last axis must have entries."""
    return draws.rows(chooser, shape[::-1])


def a_mask(chooser: Chooser, shape: Shape) -> Params | None:
    """A mask of the first axis that takes some entries and leaves others."""
    if not shape or not shape[0] or 0 in shape:
        return None
    first = chooser.below(2) == 1
    return {"mask": tuple((i % 2 == 0) == first for i in range(shape[0]))}


def a_last_mask(chooser: Chooser, shape: Shape) -> Params | None:
    """A mask of the last axis."""
    return a_mask(chooser, shape[::-1])


def masked_rows(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The rows that the mask takes."""
    shape, mask = shapes_[0], params["mask"]
    if shape[:1] != (len(mask),):
        raise shapes.ShapeError(f"a mask of {len(mask)} for {shape}")
    return ((sum(mask), *shape[1:]),)


def masked_flat(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A vector of the entries that the mask of the last axis takes."""
    shape, mask = shapes_[0], params["mask"]
    if shape[-1:] != (len(mask),):
        raise shapes.ShapeError(f"a mask of {len(mask)} for {shape}")
    return ((size(shape[:-1]) * sum(mask),),)


def places(chooser: Chooser, shape: Shape) -> Params | None:
    """Places along the first axis as a vector, one of them twice, one from behind."""
    return {"places": (0, shape[0] - 1, -1)} if shape and shape[0] and 0 not in shape else None


def listed(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """As many rows as there are places."""
    shape, where = shapes_[0], params["places"]
    if not shape or any(not -shape[0] <= i < shape[0] for i in where):
        raise shapes.ShapeError(f"places {where} of {shape}")
    return ((len(where), *shape[1:]),)


def pairs(chooser: Chooser, shape: Shape) -> Params | None:
    """Places along the first two axes as two vectors."""
    return {"rows": (0, shape[0] - 1, 0), "columns": (shape[1] - 1, 0, -1)} if len(shape) >= 2 and 0 not in shape else None


def paired(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """An entry for each pair of places."""
    shape = shapes_[0]
    ends = ((shape[:1], params["rows"]), (shape[1:2], params["columns"]))
    if len(shape) < 2 or any(not -n <= i < n for (n,), where in ends for i in where):
        raise shapes.ShapeError(f"places {params} of {shape}")
    return ((len(params["rows"]), *shape[2:]),)


# -- writing into a copy ---------------------------------------------------------------------------------------------------


def onto_rows(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; a row of the source for each entry of the index."""
    return shapes.index_add(shapes_, {"dim": 0})


def row_index_and_rows(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A vector of rows, repeats allowed, and a source for each."""
    return draws.index_and_slices(chooser, shape, {"dim": 0}) if shape else (Need((1,), "int64", 1), Need(()))


def one_place(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """One place along dim and a source for it: what is written twice is undefined."""
    dim = params.get("dim", 0)
    return Need((1,), "int64", shape[dim] if shape else 1), Need(distinct(shape, dim) if shape else ())


def one_place_alone(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """One place along dim."""
    return (Need((1 + chooser.below(2),), "int64", shape[params["dim"]]),)


def a_number(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Places along dim, and a 0-dim value for them."""
    return *one_place_alone(chooser, shape, params), Need(())


def filled_places(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; a vector of places along `dim`."""
    shapes.index_select(shapes_[:2], params)
    if any(shapes_[2:]):
        raise shapes.ShapeError("the value must be a number")
    return (shapes_[0],)


def mask_and_number(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A mask and a 0-dim value."""
    return Need(shape, "bool"), Need(())


def mask_and_source(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A mask and a source of the same shape."""
    return Need(shape, "bool"), Need(shape)


def same_for_all(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Operands of one shape."""
    if len(set(shapes_)) != 1:
        raise shapes.ShapeError(f"one shape is needed, not {list(shapes_)}")
    return (shapes_[0],)


def multiplied_in(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a times up to size(b) values of the source"""
    part = Bounds(-1.0, 1.0, 0)
    for _ in range(min(size(s[1]), 6)):
        part = product(part, xs[2])
    bounds = mixed([xs[0], product(xs[0], part)], p, s)
    return bounds if bounds.magnitude <= 100 and size(s[1]) <= 6 else None


def multiplied_by_slices(xs: Many, p: Params, s: Shapes) -> Bounds | None:
    """a times a few values of the source, as many as there are slices at most"""
    part = Bounds(-1.0, 1.0, 0)
    for _ in range(s[1][0]):
        part = product(part, xs[2])
    bounds = mixed([xs[0], product(xs[0], part)], p, s)
    return bounds if bounds.magnitude <= 100 else None


def averaged_in(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Means of a and values of the source"""
    bounds = placed(xs, p, s)
    return Bounds(bounds.lo, bounds.hi, None)


def a_row_for_two(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A row."""
    return (Need(shape[1:]),)


def rows_overwritten(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape, which has two rows and more; a row for two of them."""
    if not shapes_[0] or shapes_[0][0] < 2 or shapes_[1] != shapes_[0][1:]:
        raise shapes.ShapeError(f"{shapes_[1]} does not fit two rows of {shapes_[0]}")
    return (shapes_[0],)


def flat_places(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Places in the operand flattened, repeats allowed, and a value for each."""
    count = 1 + chooser.below(3)
    return Need((count,), "int64", max(1, size(shape))), Need((count,))


def one_flat_place(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """One place in the operand flattened, and a value for it."""
    return Need((1,), "int64", max(1, size(shape))), Need((1,))


def put_flat(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; as many values as places."""
    if 0 in shapes_[0] or shapes_[1] != shapes_[2]:
        raise shapes.ShapeError(f"{shapes_[2]} at {shapes_[1]} of {shapes_[0]}")
    return (shapes_[0],)


def part_of_index(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """An index of one entry along every other axis."""
    return (Need(tuple(2 if d == params["dim"] else min(n, 1) for d, n in enumerate(shape)), "int64", shape[params["dim"]]),)


def beside_diagonal(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """What fills the diagonal above the main one."""
    return (Need((*shape[2:], min(shape[0], shape[1] - 1))),) if len(shape) > 1 and shape[1] else (Need(()),)


def beside_written(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; a source as the diagonal above the main one."""
    shape = shapes_[0]
    if len(shape) < 2 or not shape[1] or shapes_[1] != (*shape[2:], min(shape[0], shape[1] - 1)):
        raise shapes.ShapeError(f"{shapes_[1]} does not fit the diagonal above that of {shape}")
    return (shape,)


def entry(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """What fills the entry `index` along `dim`."""
    return (Need((*shape[: params["dim"]], *shape[params["dim"] + 1 :])),)


def stretch(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """What fills every second row."""
    return (Need((len(range(params["start"], shape[0], params["step"])), *shape[1:])),)


def a_stride(chooser: Chooser, shape: Shape) -> Params | None:
    """Every or every second row from the first or second on."""
    return {"start": chooser.below(2), "step": 1 + chooser.below(2)} if shape and shape[0] else None


def entry_written(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; a source as its entry."""
    if shapes.select(shapes_[:1], params)[0] != shapes_[1]:
        raise shapes.ShapeError(f"{shapes_[1]} does not fit an entry of {shapes_[0]}")
    return (shapes_[0],)


def rows_written(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; a source as its slice."""
    slice_ = {"start": params["start"], "stop": shapes_[0][0] if shapes_[0] else 0, "step": params["step"]}
    if shapes.take_slice(shapes_[:1], slice_)[0] != shapes_[1]:
        raise shapes.ShapeError(f"{shapes_[1]} does not fit a slice of {shapes_[0]}")
    return (shapes_[0],)


def diagonal_written(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The operand's shape; a source as its diagonal."""
    if shapes.diagonal(shapes_[:1], params)[0] != shapes_[1]:
        raise shapes.ShapeError(f"{shapes_[1]} does not fit the diagonal of {shapes_[0]}")
    return (shapes_[0],)


def diagonal(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """What fills the diagonal."""
    return (Need((*shape[2:], min(shape[:2]))),) if len(shape) > 1 else (Need(()),)


def both(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Values of a and b"""
    return mixed(xs[:2], p, s)


def reduction(name: str, bounds: BoundsRule, saves: str, *, include: bool = True, kink: bool = False) -> Op:
    """A row for a scatter that reduces what meets in one place."""
    code = f"a.scatter_reduce(dim, b, c, '{name}'{'' if include else ', include_self=False'})"
    named = f"scatter_{name}{'' if include else '_alone'}"
    return index(named, code, bounds, shapes.scatter, draws.full_dim, draws.index_and_source, saves, kink=kink)


def slices_reduced(name: str, bounds: BoundsRule, *, include: bool = True) -> Op:
    """A row for slices that are reduced where they meet."""
    code = f"a.index_reduce(dim, b, c, '{name}'{'' if include else ', include_self=False'})"
    named = f"index_{name}{'' if include else '_alone'}"
    return index(named, code, bounds, shapes.index_add, draws.full_dim, draws.index_and_slices, "a b c out", kink=True)


READS = (
    index("take", "a.take(b)", keep, flat, draws.elements, flat_index, "a b"),
    index("take_along_dim", "torch.take_along_dim(a, b, dim)", keep, shapes.gather, draws.full_dim, draws.index_like, "a"),
    index("gather_part", "a.gather(dim, b)", keep, shapes.gather, draws.full_dim, part_of_index, "a b"),
    index("index_last", "a[..., b]", keep, last_axis, columns, last_index, "b"),
    index("index_mask", "a[torch.tensor(mask)]", keep, masked_rows, a_mask, second="float"),
    index("index_vector", "a[torch.tensor(places)]", keep, listed, places, second="float"),
    index("index_pairs", "a[torch.tensor(rows), torch.tensor(columns)]", keep, paired, pairs, second="float"),
    index("masked_select", "a.masked_select(torch.tensor(mask))", keep, masked_flat, a_last_mask, saves="a", second="float"),
)  # fmt: skip

WRITES = (
    index("index_put", "a.index_put((b,), c)", placed, onto_rows, draws.rows, one_place, "b"),
    index("index_put_accumulate", "a.index_put((b,), c, accumulate=True)", zero_and_added, onto_rows, draws.rows,
          row_index_and_rows, "b"),
    index("index_put_broadcast", "a.index_put((torch.tensor([0, -1]),), b)", both, rows_overwritten, no_params, a_row_for_two,
          second="float"),
    index("put", "a.put(b, c)", placed, put_flat, no_params, one_flat_place, "b c?c"),
    index("put_accumulate", "a.put(b, c, accumulate=True)", zero_and_added, put_flat, no_params, flat_places, "b c?c"),
    index("index_copy", "a.index_copy(dim, b, c)", placed, shapes.index_add, draws.full_dim, one_place, "b c?c"),
    index("index_fill", "a.index_fill(dim, b, value)", filled, filled_places, with_value(draws.full_dim), one_place_alone, "b"),
    index("index_fill_number", "a.index_fill(dim, b, c)", placed, filled_places, draws.full_dim, a_number, "b"),
    index("index_add_alpha", "a.index_add(dim, b, c, alpha=2)", lambda xs, p, s: zero_and_added([xs[0], xs[1],
          product(xs[2], Bounds(2.0, 2.0, 0))], p, s), shapes.index_add, draws.full_dim, draws.index_and_slices, "b?c c?c"),
    index("scatter_value", "a.scatter(dim, b, value)", filled, lambda s, p: shapes.gather(s, p) and (s[0],),
          with_value(draws.full_dim), draws.index_like, "b"),
    index("masked_scatter", "a.masked_scatter(b, c)", placed, same_for_all, no_params, mask_and_source, "b", second="bool"),
    index("masked_fill_number", "a.masked_fill(b, c)", placed, lambda s, p: shapes.into_first(s, p), no_params,
          mask_and_number, "b", second="bool"),
    index("select_scatter", "a.select_scatter(b, dim, index)", both, entry_written, draws.an_entry, entry, second="float"),
    index("slice_scatter", "a.slice_scatter(b, 0, start, None, step)", both, rows_written, a_stride, stretch, second="float"),
    index("diagonal_scatter", "a.diagonal_scatter(b)", both, diagonal_written, no_params, diagonal, second="float"),
    index("diagonal_scatter_beside", "a.diagonal_scatter(b, 1)", both, beside_written, no_params, beside_diagonal,
          second="float"),
    reduction("sum", zero_and_added, "a b c out"),
    reduction("mean", averaged_in, "a b c out"),
    reduction("prod", multiplied_in, "a b c out"),
    reduction("amax", placed, "a b c out", kink=True),
    reduction("amin", placed, "a b c out", kink=True),
    reduction("sum", zero_and_added, "a b c out", include=False),
    reduction("mean", averaged_in, "a b c out", include=False),
    reduction("prod", multiplied_in, "a b c out", include=False),
    reduction("amax", placed, "a b c out", include=False, kink=True),
    slices_reduced("mean", averaged_in),
    slices_reduced("prod", multiplied_by_slices),
    slices_reduced("amax", placed),
    slices_reduced("amin", placed),
    slices_reduced("mean", averaged_in, include=False),
    slices_reduced("amin", placed, include=False),
)  # fmt: skip

OPS = tuple(owned(op) if op.name == "index_last" else op for op in READS) + WRITES
