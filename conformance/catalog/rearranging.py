"""Further views, and ops that copy values to other places: joins, repetitions, turns, diagonals, windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, keep, mixed
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners, owned
from conformance.catalog.structure import joined, view
from conformance.chooser import Chooser

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]
Where = Callable[[Shape, Params], bool]


def needs(rule: ShapeRule, fits: Callable[[Shape, Params], bool], what: str) -> ShapeRule:
    """The rule, for a first operand that fits."""

    def checked(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
        if not fits(shapes_[0], params):
            raise shapes.ShapeError(f"{what}, not {shapes_[0]} with {params}")
        return rule(shapes_, params)

    return checked


def rank_at_least(rank: int) -> Where:
    """Whether a shape has that many axes."""
    return lambda shape, params: len(shape) >= rank


# -- cutting into pieces ---------------------------------------------------------------------------------------------------


def cut(shape: Shape, dim: int, lengths: Sequence[int]) -> tuple[Shape, ...]:
    """Pieces of these lengths along an axis."""
    return tuple((*shape[:dim], n, *shape[dim + 1 :]) for n in lengths)


def evenly(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """`count` pieces along `dim`, the first ones longer."""
    shape, count = shapes_[0], params["count"]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape or count < 1:
        raise shapes.ShapeError(f"{count} pieces of {shape}")
    short, longer = divmod(shape[dim], count)
    return cut(shape, dim, [short + 1] * longer + [short] * (count - longer))


def in_chunks(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Up to `count` pieces along `dim`, all but the last of one length."""
    shape = shapes_[0]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape or not shape[dim] or params["count"] < 1:
        raise shapes.ShapeError(f"chunks along dim {params['dim']} of {shape}")
    return shapes.pieces(shapes_, {"dim": params["dim"], "size": -(-shape[dim] // params["count"])})


def by_lengths(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Pieces of the lengths in `sizes` along `dim`."""
    shape, sizes = shapes_[0], params["sizes"]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape or sum(sizes) != shape[dim]:
        raise shapes.ShapeError(f"lengths {sizes} along dim {params['dim']} of {shape}")
    return cut(shape, dim, sizes)


def two_pieces(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis to cut in two."""
    wide = [d for d, n in enumerate(shape) if n > 1]
    return {"dim": wide[chooser.below(len(wide))], "count": 2} if wide else None


def two_lengths(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis and the lengths of two pieces of it."""
    full = draws.full_dim(chooser, shape)
    if full is None:
        return None
    first = chooser.below(shape[full["dim"]] + 1)
    return {**full, "sizes": (first, shape[full["dim"]] - first)}


# -- axes ------------------------------------------------------------------------------------------------------------------


def moved(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The axis `source` goes to `destination`."""
    shape = shapes_[0]
    source, destination = shapes.axis(params["source"], len(shape)), shapes.axis(params["destination"], len(shape))
    if not shape:
        raise shapes.ShapeError("there is no axis to move")
    rest = [n for d, n in enumerate(shape) if d != source]
    rest.insert(destination, shape[source])
    return (tuple(rest),)


def a_move(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis and where it goes."""
    rank = len(shape)
    return {"source": chooser.below(rank), "destination": chooser.below(rank) - rank} if rank > 1 else None


def unflattened(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The axis `dim` becomes several."""
    shape = shapes_[0]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape or shape[dim] != params["sizes"][0] * params["sizes"][1]:
        raise shapes.ShapeError(f"{params['sizes']} for dim {params['dim']} of {shape}")
    return ((*shape[:dim], *params["sizes"], *shape[dim + 1 :]),)


def two_factors(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis and two factors of its length."""
    full = draws.full_dim(chooser, shape)
    if full is None or len(shape) > 3:
        return None
    length = shape[full["dim"]]
    return {**full, "sizes": ((1, length), (length, 1))[chooser.below(2)]}


def flattened(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The axes from `start` to `end` become one."""
    shape = shapes_[0]
    start, end = shapes.axis(params["start"], len(shape)), shapes.axis(params["end"], len(shape))
    if start > end:
        raise shapes.ShapeError(f"axes {start} to {end} of {shape}")
    length = 1
    for n in shape[start : end + 1]:
        length *= n
    return ((*shape[:start], length, *shape[end + 1 :]),)


def without_units(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """All axes of length 1 go."""
    return (tuple(n for n in shapes_[0] if n != 1),)


def last_two(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The last two axes change places."""
    return shapes.transpose(shapes_, {"dim0": -2, "dim1": -1})


def other_diagonal(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The diagonal at `offset` of the axes `dim1` and `dim2` goes last."""
    shape, offset = shapes_[0], params["offset"]
    first, second = shapes.axis(params["dim1"], len(shape)), shapes.axis(params["dim2"], len(shape))
    if len(shape) < 2 or first == second:
        raise shapes.ShapeError(f"no diagonal of {shape} with {params}")
    rows, columns = shape[first] + min(offset, 0), shape[second] - max(offset, 0)
    rest = tuple(n for d, n in enumerate(shape) if d not in (first, second))
    return ((*rest, max(0, min(rows, columns))),)


def a_diagonal(chooser: Chooser, shape: Shape) -> Params | None:
    """A diagonal beside the main one, of two of the axes."""
    if len(shape) < 2:
        return None
    first = chooser.below(len(shape))
    return {"offset": (1, -1, 0)[chooser.below(3)], "dim1": first, "dim2": (first + 1) % len(shape)}


def last_entry(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Entry `index` of the last axis."""
    return shapes.select(shapes_, {"dim": -1, "index": params["index"]})


def a_last_entry(chooser: Chooser, shape: Shape) -> Params | None:
    """An entry of the last axis, counted from either end."""
    return {"index": chooser.below(2 * shape[-1]) - shape[-1]} if shape and shape[-1] else None


def last_slice(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A slice of the last axis."""
    (turned,) = shapes.take_slice([shapes_[0][::-1]], params)
    return (turned[::-1],)


def a_last_slice(chooser: Chooser, shape: Shape) -> Params | None:
    """A slice of the last axis."""
    return draws.a_slice(chooser, shape[::-1])


def strided(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The shape asked for, of memory that the operand has."""
    last = sum((n - 1) * step for n, step in zip(params["size"], params["stride"], strict=True)) + params.get("offset", 0)
    count = 1
    for n in shapes_[0]:
        count *= n
    if last >= count or 0 in params["size"]:
        raise shapes.ShapeError(f"{params} needs more than {count} entries")
    return (tuple(params["size"]),)


def strides(chooser: Chooser, shape: Shape) -> Params | None:
    """Every second entry, or the entries in columns: no two in one place."""
    count = 1
    for n in shape:
        count *= n
    if count < 2:
        return None
    ways = [((count // 2,), (2,)), ((count,), (1,)), *([((2, count // 2), (1, 2))] if count % 2 == 0 else [])]
    size, stride = ways[chooser.below(len(ways))]
    return {"size": size, "stride": stride}


def overlapping(chooser: Chooser, shape: Shape) -> Params | None:
    """Windows that share entries, or one entry many times."""
    count = 1
    for n in shape:
        count *= n
    if count < 2:
        return None
    ways = (((count - 1, 2), (1, 1)), ((2, count), (0, 1)), ((count, 2), (1, 0)))
    size, stride = ways[chooser.below(3)]
    return {"size": size, "stride": stride}


def blocks(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis and the length of blocks beside each other."""
    full = draws.full_dim(chooser, shape)
    return full and {**full, "size": 1 + chooser.below(shape[full["dim"]])}


def windows(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis and the length of windows that overlap."""
    found = two_pieces(chooser, shape)
    return found and {"dim": found["dim"], "size": 2}


def unfolded(step: int | None) -> ShapeRule:
    """Windows of `size` along `dim` go last; a step of None is as long as a window."""

    def rule(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
        shape, size = shapes_[0], params["size"]
        dim = shapes.axis(params["dim"], len(shape))
        if not shape or not 1 <= size <= shape[dim]:
            raise shapes.ShapeError(f"windows of {size} along dim {params['dim']} of {shape}")
        return ((*shape[:dim], (shape[dim] - size) // (step or size) + 1, *shape[dim + 1 :], size),)

    return rule


VIEWS = (
    view("chunk", "a.chunk(count, dim)", in_chunks, two_pieces),
    view("tensor_split", "a.tensor_split(count, dim)", evenly, two_pieces),
    view("split_with_sizes", "a.split(sizes, dim)", by_lengths, two_lengths),
    view("movedim", "a.movedim(source, destination)", moved, a_move),
    view("swapaxes", "a.swapaxes(dim0, dim1)", shapes.transpose, draws.two_dims),
    view("transposed_matrices", "a.mT", needs(last_two, rank_at_least(2), "two axes are needed"), no_params),
    view("unflatten", "a.unflatten(dim, sizes)", unflattened, two_factors),
    view("squeeze_all", "a.squeeze()", without_units),
    view("view_as", "a.view_as(a)", shapes.same),
    view("diagonal_beside", "a.diagonal(offset, dim1, dim2)", other_diagonal, a_diagonal),
    view("select_last", "a[..., index]", last_entry, a_last_entry),
    view("slice_last", "a[..., start:stop:step]", last_slice, a_last_slice),
    view("new_axis", "a[None]", needs(lambda s, p: ((1, *s[0]),), lambda shape, p: len(shape) < 4, "at most three axes")),
    view("as_strided", "a.reshape(-1).as_strided(size, stride)", strided, strides),
)  # fmt: skip

# -- copies ----------------------------------------------------------------------------------------------------------------


def repeated(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Every entry along `dim` `count` times."""
    shape = shapes_[0]
    dim = shapes.axis(params["dim"], len(shape))
    if not shape:
        raise shapes.ShapeError("an axis is needed")
    return ((*shape[:dim], shape[dim] * params["count"], *shape[dim + 1 :]),)


def quarter_turned(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The first two axes change places for an odd number of turns."""
    shape = shapes_[0]
    if len(shape) < 2:
        raise shapes.ShapeError("two axes are needed")
    return (shape if params["k"] % 2 == 0 else (shape[1], shape[0], *shape[2:]),)


def on_diagonal(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The last axis becomes the diagonal of two."""
    if not shapes_[0] or len(shapes_[0]) > 3:
        raise shapes.ShapeError(f"no diagonal for {shapes_[0]}")
    length = shapes_[0][-1] + abs(params["offset"])
    return ((*shapes_[0][:-1], length, length),)


def upright(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """hstack: along the second axis, or the first of vectors."""
    return shapes.cat(shapes_, {"dim": 0 if len(shapes_[0]) == 1 else 1})


def gridded(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two vectors to two grids, one behind the other."""
    return ((2, *shapes.outer(shapes_, params)[0]),)


def in_blocks(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two matrices on the diagonal of one."""
    a, b = shapes_
    if len(a) != 2 or len(b) != 2:
        raise shapes.ShapeError(f"two matrices are needed, not {a} and {b}")
    return ((a[0] + b[0], a[1] + b[1]),)


def two_axes(chooser: Chooser, shape: Shape) -> Params | None:
    """Two axes to turn round."""
    return {"dims": (0, len(shape) - 1)} if len(shape) > 1 else None


def three(rule: PartnersRule) -> PartnersRule:
    """Two further operands, each drawn by the rule."""
    return lambda chooser, shape, params: rule(chooser, shape, params) + rule(chooser, shape, params)


def with_dim(name: str, *choices: Any) -> ParamsRule:
    """An axis and one of the choices."""

    def rule(chooser: Chooser, shape: Shape) -> Params | None:
        found = draws.a_dim(chooser, shape)
        return found and {**found, name: choices[chooser.below(len(choices))]}

    return rule


def copy(
    name: str, code: str, shape: ShapeRule, params: ParamsRule = no_params, partners: PartnersRule = no_partners,
    bounds: BoundsRule = mixed, saves: str = "",
) -> Op:  # fmt: skip
    """A row for an op that puts values elsewhere."""
    return Op(name, code, "shape", bounds, shape, params, partners, saves)


def everything_joined(xs: Many, p: Params, s: Shapes) -> Bounds:
    """Values of all operands"""
    return mixed(xs, p, s)


SIDE = draws.one_of(k=(0, 1, -1))
MATRIX_SIDE = needs(shapes.matrix, rank_at_least(2), "two axes are needed")

COPIES = (
    copy("repeat_interleave", "a.repeat_interleave(count, dim=dim)", repeated, with_dim("count", 2, 3)),
    copy("tile", "torch.tile(a, (2,))", needs(lambda s, p: ((*s[0][:-1], 2 * s[0][-1]),), rank_at_least(1), "an axis is needed")),
    copy("rot90", "torch.rot90(a, k)", quarter_turned, draws.one_of(k=(1, 2, 3, -1))),
    copy("flip_two", "a.flip(dims)", shapes.same, two_axes),
    copy("roll_all", "a.roll(shift)", shapes.same, draws.one_of(shift=(1, 2, -1))),
    copy("cat_three", "torch.cat([a, b, c], dim=dim)", shapes.cat, draws.full_dim, three(draws.longer_or_equal),
            everything_joined),
    copy("cat_repeated", "torch.cat([a, b, a], dim=dim)", lambda s, p: shapes.cat([*s, s[0]], p), draws.full_dim,
         draws.longer_or_equal, joined),
    copy("stack_three", "torch.stack([a, b, c], dim=dim)", shapes.stack, draws.new_dim, draws.two_twins, everything_joined),
    copy("hstack", "torch.hstack([a, b])", needs(upright, rank_at_least(1), "an axis is needed"), no_params, draws.twin, joined),
    copy("meshgrid", "torch.stack(torch.meshgrid(a, b, indexing='ij'))", gridded, no_params, draws.a_vector, joined),
    copy("block_diag", "torch.block_diag(a, b)", in_blocks, no_params, lambda ch, s, p: (Need((1, 2)),), joined),
    copy("diag_embed", "torch.diag_embed(a, offset)", on_diagonal, draws.one_of(offset=(0, 1, -1))),
    copy("tril_beside", "a.tril(k)", MATRIX_SIDE, SIDE),
    copy("triu_beside", "a.triu(k)", MATRIX_SIDE, SIDE),
    copy("flatten", "a.flatten(start, end)", flattened, draws.one_of(start=(0, 1), end=(-1, 1)), bounds=keep),
    copy("unfold", "a.unfold(dim, size, size)", unfolded(None), blocks, bounds=keep),
    copy("unfold_overlapping", "a.unfold(dim, size, 1)", unfolded(1), windows, bounds=keep),
    copy("as_strided_overlapping", "a.contiguous().as_strided(size, stride)", strided, overlapping, bounds=keep),
    copy("as_strided_expanded", "a.expand(3, *a.shape).as_strided((3, *a.shape), (0, *a.stride()))",
         needs(lambda s, p: ((3, *s[0]),), lambda shape, p: 1 <= len(shape) <= 3, "one to three axes are needed"), bounds=keep),
    copy("broadcast_to", "torch.broadcast_to(a, shape)", shapes.expand, draws.wider, bounds=keep),
    copy("channels_shuffled", "a.transpose(0, 1).reshape(a.shape)", MATRIX_SIDE, bounds=keep),
)  # fmt: skip

OWNED = (
    "repeat_interleave", "rot90", "flatten", "unfold", "unfold_overlapping", "as_strided_overlapping", "as_strided_expanded",
    "broadcast_to", "channels_shuffled",
)  # fmt: skip
OPS = VIEWS + tuple(owned(op) if op.name in OWNED else op for op in COPIES)
