"""How parameters and further operands of an op are drawn, given the first operand's shape. None: the op does not fit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from conformance.catalog.bounds import Shape
from conformance.catalog.op import Need, ParamsRule, PartnersRule
from conformance.chooser import Chooser, pick

Params = dict[str, Any]


def one_of(**choices: tuple[Any, ...]) -> ParamsRule:
    """Each parameter is one of its choices, the first the simplest."""

    if len(choices) > 1:
        return lambda chooser, shape: {name: pick(chooser, values) for name, values in choices.items()}
    ((name, values),) = choices.items()
    ready = [{name: value} for value in values]  # programs are frozen, and may share them
    return lambda chooser, shape: ready[chooser.below(len(ready))]


def a_dim(chooser: Chooser, shape: Shape) -> Params | None:
    """Any axis, counted from either end."""
    return {"dim": chooser.below(2 * len(shape)) - len(shape)} if shape else None


def a_dim_keepdim(chooser: Chooser, shape: Shape) -> Params | None:
    """Any axis, kept or not."""
    return {**a_dim(chooser, shape), "keepdim": chooser.below(2) == 1} if shape else None  # type: ignore[dict-item]


def a_full_dim(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis, kept or not, of a tensor that has elements: extrema and products need one."""
    return a_dim_keepdim(chooser, shape) if 0 not in shape else None


def elements(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but the operand must have elements."""
    return None if 0 in shape else {}


def several(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis of at least two entries, kept or not: a variance needs two."""
    wide = [d for d, n in enumerate(shape) if n > 1]
    return {"dim": pick(chooser, wide), "keepdim": chooser.below(2) == 1} if wide and 0 not in shape else None


def two_elements(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but at least two elements."""
    return {} if 0 not in shape and any(n > 1 for n in shape) else None


def two_dims(chooser: Chooser, shape: Shape) -> Params | None:
    """Two axes."""
    if len(shape) < 2:
        return None
    first = chooser.below(len(shape))
    return {"dim0": first, "dim1": chooser.below(len(shape)) - len(shape)}


def new_dim(chooser: Chooser, shape: Shape) -> Params | None:
    """A place for a new axis."""
    return {"dim": chooser.below(len(shape) + 1)} if len(shape) < 4 else None


def unit_dim(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis of size 1."""
    units = [d for d, n in enumerate(shape) if n == 1]
    return {"dim": pick(chooser, units)} if units else None


def permutation(chooser: Chooser, shape: Shape) -> Params | None:
    """An order of the axes."""
    if len(shape) < 2:
        return None
    rest, order = list(range(len(shape))), []
    while rest:
        order.append(rest.pop(chooser.below(len(rest))))
    return {"dims": tuple(order)}


RESHAPES: dict[int, tuple[Shape, ...]] = {
    0: ((0,), (0, 2), (2, 0)),
    1: ((), (1,), (1, 1)),
    2: ((2,), (1, 2), (2, 1)),
    3: ((3,), (3, 1), (1, 3)),
    4: ((4,), (2, 2), (4, 1), (1, 2, 2)),
    6: ((6,), (2, 3), (3, 2), (3, 1, 2)),
    8: ((8,), (2, 4), (2, 2, 2), (4, 2)),
    9: ((9,), (3, 3)),
    12: ((12,), (3, 4), (2, 3, 2), (2, 6), (1, 3, 2, 2)),
    16: ((16,), (4, 4), (2, 2, 2, 2), (2, 8)),
}


def new_shape(chooser: Chooser, shape: Shape) -> Params | None:
    """Another shape of the same size."""
    count = 1
    for n in shape:
        count *= n
    shapes = RESHAPES.get(count, ((count,), (count, 1)))
    return {"shape": pick(chooser, shapes)}


def wider(chooser: Chooser, shape: Shape) -> Params | None:
    """A shape that this one expands to."""
    grown = tuple(2 if n == 1 else n for n in shape)
    lead = (2, *shape) if len(shape) < 4 else shape
    return {"shape": pick(chooser, (grown, lead))}


def an_entry(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis and an entry along it, counted from either end."""
    if not shape or 0 in shape:
        return None
    dim = chooser.below(len(shape))
    return {"dim": dim, "index": chooser.below(2 * shape[dim]) - shape[dim]}


def a_first_entry(chooser: Chooser, shape: Shape) -> Params | None:
    """An entry along the first axis, counted from either end."""
    return {"index": chooser.below(2 * shape[0]) - shape[0]} if shape and shape[0] else None


def a_stretch(chooser: Chooser, shape: Shape) -> Params | None:
    """A start and a length along an axis."""
    if not shape:
        return None
    dim = chooser.below(len(shape))
    start = chooser.below(shape[dim] + 1)
    return {"dim": dim, "start": start, "length": chooser.below(shape[dim] - start + 1)}


def a_slice(chooser: Chooser, shape: Shape) -> Params | None:
    """A slice of the first axis."""
    if not shape:
        return None
    start = chooser.below(shape[0] + 1)
    return {"start": start, "stop": start + chooser.below(shape[0] - start + 1), "step": 1 + chooser.below(2)}


def piece_size(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis that has entries and the size of the pieces to cut it into."""
    full = [d for d, n in enumerate(shape) if n]
    if not full:
        return None
    dim = pick(chooser, full)
    return {"size": 1 + chooser.below(shape[dim]), "dim": dim}


def full_dim(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis that has entries."""
    full = [d for d, n in enumerate(shape) if n]
    return {"dim": pick(chooser, full)} if full else None


def full_dim_of_full(chooser: Chooser, shape: Shape) -> Params | None:
    """An axis of a tensor that has axes and elements."""
    return full_dim(chooser, shape) if 0 not in shape else None


def rows(chooser: Chooser, shape: Shape) -> Params | None:
    """No parameter, but the first axis must have entries."""
    return {} if shape and shape[0] else None


def tiles(chooser: Chooser, shape: Shape) -> Params | None:
    """How often to repeat each axis."""
    return {"repeats": tuple(1 + chooser.below(2) for _ in shape)} if shape else None


def flipped(chooser: Chooser, shape: Shape) -> Params | None:
    """One axis to turn round."""
    return {"dims": (chooser.below(len(shape)),)} if shape else None


def rolled(chooser: Chooser, shape: Shape) -> Params | None:
    """A shift along one axis."""
    return {"shifts": 1 + chooser.below(2), "dims": chooser.below(len(shape))} if shape else None


def peer(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A second operand that broadcasts with the first: equal, with some axes 1, of lower rank, or stretched where it is not."""
    return _companions(shape)[chooser.below(7)]


def two_peers(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two further operands that broadcast with the first."""
    companions = _companions(shape)
    return companions[chooser.below(7)] + companions[chooser.below(7)]


@lru_cache(maxsize=512)
def _companions(shape: Shape) -> tuple[tuple[Need], ...]:
    """Seven shapes that broadcast with this one, the simplest first and most often; with the last, both are stretched."""
    same = (Need(shape),)
    if not shape:
        return (same,) * 7
    lower, wider = Need(shape[1:]), Need((1, *shape[1:]) if shape[0] != 1 else (2, *shape[1:]))
    exchanged = tuple(3 if n == 1 else 1 for n in shape)
    both = exchanged if len(set(exchanged)) == 2 or len(shape) > 3 else (2, *(1 for _ in shape))
    return same, same, same, (lower,), (wider,), (Need((*shape[:-1], 1)),), (Need(both),)


def twin(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A second operand of the same shape."""
    return (Need(shape),)


def two_twins(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two further operands of the same shape."""
    return Need(shape), Need(shape)


def smaller(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A second operand that broadcasts into the first, as in-place ops need."""
    return _lesser(shape)[chooser.below(4)]


@lru_cache(maxsize=512)
def _lesser(shape: Shape) -> tuple[tuple[Need], ...]:
    """Four shapes that broadcast into this one, the simplest first."""
    same = (Need(shape),)
    return same, same, (Need(shape[1:]),), (Need((1, *shape[1:]) if shape else shape),)


def two_smaller(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two operands that broadcast into the first."""
    return smaller(chooser, shape, params) + smaller(chooser, shape, params)


def mask(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A mask of the same shape."""
    return (Need(shape, "bool"),)


def mask_and_peer(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A mask of the same shape, and an operand that broadcasts with the first."""
    return Need(shape, "bool"), *_companions(shape)[chooser.below(7)]


def right_factor(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A right operand of a matrix product."""
    if not shape:
        return (Need((1,)),)
    ways = [(shape[-1],), (shape[-1], 2), (shape[-1], 3), (shape[-1], shape[-1])]
    if len(shape) > 2:
        ways.append((*shape[:-2], shape[-1], 2))
    elif len(shape) == 2:
        ways.append((2, shape[-1], 2))
    return (Need(pick(chooser, ways)),)


def fixed_factor(*tail: int) -> PartnersRule:
    """The right operand of mm, bmm, mv: the first's last axis, then these sizes; batch axes are kept."""

    def rule(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
        return (Need((*shape[:-2], shape[-1], *tail)) if shape else Need((1, *tail)),)

    return rule


def a_vector(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A vector of two or three entries."""
    return (Need((2 + chooser.below(2),)),)


def factors_for(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """Two matrices whose product takes the first operand as a bias."""
    inner = 1 + chooser.below(3)
    rows = shape[0] if len(shape) > 1 else 2
    columns = shape[-1] if shape else 2
    return Need((rows, inner)), Need((inner, columns))


def longer_or_equal(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """An operand to put behind the first along dim."""
    dim = params["dim"] % len(shape)
    return (Need((*shape[:dim], (shape[dim], 1, 2)[chooser.below(3)], *shape[dim + 1 :])),)


def index_vector(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A vector of indices along dim, repeats allowed."""
    return (Need((1 + chooser.below(3),), "int64", shape[params.get("dim", 0)]),)


def index_like(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """An index of the operand's shape."""
    return (Need(shape, "int64", shape[params["dim"]]),)


def index_and_source(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """An index of the operand's shape and a source of the same shape."""
    return Need(shape, "int64", shape[params["dim"]]), Need(shape)


def index_and_slices(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A vector of indices along dim and a source with a slice for each."""
    dim, count = params["dim"], 1 + chooser.below(3)
    return Need((count,), "int64", shape[dim]), Need((*shape[:dim], count, *shape[dim + 1 :]))


def row_value(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A value for one entry of the first axis."""
    return (Need((shape[1:], shape[1:], ())[chooser.below(3)]),)
