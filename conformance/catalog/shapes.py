"""Shape rules: operand shapes and parameters -> result shapes. A misfit raises ShapeError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog.bounds import Shape, size


class ShapeError(ValueError):
    """The operands' shapes or the parameters do not fit the op."""


def axis(dim: int, rank: int) -> int:
    """The axis that a possibly negative dim means."""
    if not isinstance(dim, int) or not -max(rank, 1) <= dim < max(rank, 1):
        raise ShapeError(f"dim {dim!r} is out of range for rank {rank}")
    return dim % max(rank, 1)


def same(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """The first operand's shape."""
    return (shapes[0],)


def scalar(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """A 0-dim result."""
    return ((),)


def join(a: Shape, b: Shape) -> Shape:
    """The shape that two shapes broadcast to."""
    if a == b:
        return a
    rank = max(len(a), len(b))
    padded = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    result = []
    for m, n in padded:
        if m != n and 1 not in (m, n):
            raise ShapeError(f"shapes {a} and {b} do not broadcast")
        result.append(n if m == 1 else m)
    return tuple(result)


def broadcast(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """All operands broadcast together."""
    result = shapes[0]
    for shape in shapes[1:]:
        result = join(result, shape)
    return (result,)


def into_first(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Operands that must broadcast to the first one's shape, as in-place ops need."""
    if broadcast(shapes, params)[0] != shapes[0]:
        raise ShapeError(f"shapes {list(shapes[1:])} do not broadcast into {shapes[0]}")
    return (shapes[0],)


def drop_axis(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """A reduction over `dim`, with `keepdim`."""
    shape = shapes[0]
    where = axis(params["dim"], len(shape))
    if not shape:
        return (shape,)
    middle = (1,) if params.get("keepdim") else ()
    return (shape[:where] + middle + shape[where + 1 :],)


def drop_axis_twice(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """A reduction over `dim` that gives values and indices."""
    return drop_axis(shapes, params) * 2


def along_axis(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """The same shape, working along `dim`."""
    axis(params["dim"], len(shapes[0]))
    return (shapes[0],)


def matmul(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """torch.matmul's rules for ranks 1 to 4."""
    a, b = shapes
    if not a or not b:
        raise ShapeError("matmul needs at least one axis on both sides")
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    if left[-1] != right[-2]:
        raise ShapeError(f"matmul of {a} and {b}: inner sizes differ")
    rows = left[-2:-1] if len(a) > 1 else ()
    columns = right[-1:] if len(b) > 1 else ()
    return (join(left[:-2], right[:-2]) + rows + columns,)


def ranks(*wanted: int) -> Any:
    """matmul restricted to operands of these ranks (mm, bmm, mv, dot)."""

    def rule(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
        if tuple(len(s) for s in shapes) != wanted or (wanted == (3, 3) and shapes[0][0] != shapes[1][0]):
            raise ShapeError(f"operands of ranks {wanted} are needed, not {list(shapes)}")
        return matmul(shapes, params)

    return rule


def outer(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Two vectors to a matrix."""
    if any(len(s) != 1 for s in shapes):
        raise ShapeError("outer needs two vectors")
    return (shapes[0] + shapes[1],)


def addmm(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """A bias broadcast onto a matrix product."""
    return into_first([ranks(2, 2)(shapes[1:], params)[0], shapes[0]], params)


def reshape(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """The shape in `shape`, of the same size."""
    target = tuple(params["shape"])
    if size(target) != size(shapes[0]):
        raise ShapeError(f"{shapes[0]} has not as many elements as {target}")
    return (target,)


def expand(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Broadcast to the shape in `shape`."""
    target = tuple(params["shape"])
    if join(shapes[0], target) != target:
        raise ShapeError(f"{shapes[0]} does not expand to {target}")
    return (target,)


def transpose(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Two axes change places."""
    shape = list(shapes[0])
    i, j = axis(params["dim0"], len(shape)), axis(params["dim1"], len(shape))
    if shape:
        shape[i], shape[j] = shape[j], shape[i]
    return (tuple(shape),)


def t(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """A matrix transposed; vectors and scalars as they are."""
    if len(shapes[0]) > 2:
        raise ShapeError("t needs at most two axes")
    return (shapes[0][::-1],)


def permute(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Axes in the order of `dims`."""
    order = [axis(d, len(shapes[0])) for d in params["dims"]]
    if sorted(order) != list(range(len(shapes[0]))):
        raise ShapeError(f"dims {params['dims']} is no permutation of {len(shapes[0])} axes")
    return (tuple(shapes[0][d] for d in order),)


def squeeze(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """`dim` goes if its size is 1."""
    shape = shapes[0]
    where = axis(params["dim"], len(shape))
    return (shape[:where] + shape[where + 1 :],) if shape and shape[where] == 1 else (shape,)


def unsqueeze(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """A new axis of size 1 at `dim`."""
    where = axis(params["dim"], len(shapes[0]) + 1)
    return ((*shapes[0][:where], 1, *shapes[0][where:]),)


def select(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Entry `index` along `dim`."""
    where = axis(params["dim"], len(shapes[0]))
    if not shapes[0] or not -shapes[0][where] <= params["index"] < shapes[0][where]:
        raise ShapeError(f"index {params['index']} along dim {params['dim']} of {shapes[0]}")
    return (shapes[0][:where] + shapes[0][where + 1 :],)


def narrow(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """`length` entries along `dim` from `start` on."""
    where = axis(params["dim"], len(shapes[0]))
    start, length = params["start"], params["length"]
    if not shapes[0] or start < 0 or length < 0 or start + length > shapes[0][where]:
        raise ShapeError(f"{length} entries from {start} along dim {params['dim']} of {shapes[0]}")
    return ((*shapes[0][:where], length, *shapes[0][where + 1 :]),)


def take_slice(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Basic indexing of the first axis by `start:stop:step`."""
    if not shapes[0] or params["step"] < 1:
        raise ShapeError("a slice needs an axis and a positive step")
    count = len(range(*slice(params["start"], params["stop"], params["step"]).indices(shapes[0][0])))
    return ((count, *shapes[0][1:]),)


def pieces(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Pieces of `size` entries along `dim`; the last may be shorter."""
    shape, step = shapes[0], params["size"]
    where = axis(params["dim"], len(shape))
    if not shape or step < 1 or not shape[where]:
        raise ShapeError(f"pieces of {step} along dim {params['dim']} of {shape}")
    lengths = [min(step, shape[where] - i) for i in range(0, shape[where], step)]
    return tuple((*shape[:where], n, *shape[where + 1 :]) for n in lengths)


def unbind(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """One result for each entry along `dim`."""
    where = axis(params["dim"], len(shapes[0]))
    if not shapes[0] or not shapes[0][where]:
        raise ShapeError(f"unbind along dim {params['dim']} of {shapes[0]}")
    return (shapes[0][:where] + shapes[0][where + 1 :],) * shapes[0][where]


def diagonal(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """The main diagonal of the first two axes goes last."""
    if len(shapes[0]) < 2:
        raise ShapeError("diagonal needs two axes")
    return ((*shapes[0][2:], min(shapes[0][:2])),)


def matrix(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """The same shape, of at least two axes."""
    if len(shapes[0]) < 2:
        raise ShapeError("at least two axes are needed")
    return (shapes[0],)


def cat(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Operands that differ at most along `dim`, one after the other."""
    where = axis(params["dim"], len(shapes[0]))
    rests = {s[:where] + s[where + 1 :] for s in shapes}
    if not shapes[0] or len(rests) != 1 or len({len(s) for s in shapes}) != 1:
        raise ShapeError(f"cat of {list(shapes)} along dim {params['dim']}")
    return ((*shapes[0][:where], sum(s[where] for s in shapes), *shapes[0][where + 1 :]),)


def stack(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Equal operands along a new axis `dim`."""
    if len(set(shapes)) != 1:
        raise ShapeError(f"stack of {list(shapes)}")
    where = axis(params["dim"], len(shapes[0]) + 1)
    return ((*shapes[0][:where], len(shapes), *shapes[0][where:]),)


def repeat(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Tiled `repeats` times."""
    repeats = params["repeats"]
    if len(repeats) != len(shapes[0]):
        raise ShapeError(f"repeats {repeats} for {shapes[0]}")
    return (tuple(n * r for n, r in zip(shapes[0], repeats, strict=True)),)


def pad(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """`left` and `right` zeros at the last axis."""
    if not shapes[0]:
        raise ShapeError("pad needs an axis")
    return ((*shapes[0][:-1], shapes[0][-1] + params["left"] + params["right"]),)


def index_select(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """As many entries along `dim` as the index vector has."""
    where = axis(params["dim"], len(shapes[0]))
    if not shapes[0] or len(shapes[1]) != 1:
        raise ShapeError("index_select needs an axis and an index vector")
    return (shapes[0][:where] + shapes[1] + shapes[0][where + 1 :],)


def gather(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """The index's shape; other axes no longer than the operand's."""
    where = axis(params["dim"], len(shapes[0]))
    fits = len(shapes[0]) == len(shapes[1]) and all(
        n <= m for d, (m, n) in enumerate(zip(shapes[0], shapes[1], strict=True)) if d != where
    )
    if not shapes[0] or not fits:
        raise ShapeError(f"gather of {shapes[0]} by {shapes[1]}")
    return (shapes[1],)


def take_rows(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """Advanced indexing of the first axis by an integer tensor."""
    if not shapes[0]:
        raise ShapeError("indexing needs an axis")
    return (shapes[1] + shapes[0][1:],)


def scatter(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """The first operand's shape; index and source of one shape that fits it."""
    if shapes[1] != shapes[2] or any(n > m for m, n in zip(shapes[0], shapes[1], strict=False)):
        raise ShapeError(f"scatter of {shapes[2]} by {shapes[1]} into {shapes[0]}")
    gather(shapes[:2], params)
    return (shapes[0],)


def index_add(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """The first operand's shape; a source slice for each entry of the index vector."""
    if index_select(shapes[:2], params)[0] != shapes[2]:
        raise ShapeError(f"index_add of {shapes[2]} by {shapes[1]} into {shapes[0]}")
    return (shapes[0],)


def set_item(shapes: Sequence[Shape], params: dict[str, Any]) -> tuple[Shape, ...]:
    """A value that broadcasts into entry `index` of the first axis."""
    region = select(shapes[:1], {"dim": 0, "index": params["index"]})[0]
    if len(shapes) > 1:
        into_first([region, shapes[1]], params)
    return (shapes[0],)
