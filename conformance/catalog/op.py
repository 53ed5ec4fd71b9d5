"""What the suite knows of one op: how torch writes it, and what fits it. The tables beside this file hold the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from conformance.catalog.bounds import BoundsRule, Shape
from conformance.catalog.code import operands_of
from conformance.chooser import Chooser
from conformance.features import Feature

ShapeRule = Callable[[Sequence[Shape], dict[str, Any]], tuple[Shape, ...]]
ParamsRule = Callable[[Chooser, Shape], "dict[str, Any] | None"]


class Need(NamedTuple):
    """An operand that an op asks for: its shape, and for an index the number that its entries stay below."""

    shape: Shape
    dtype: str = "float"
    below: int = 0


PartnersRule = Callable[[Chooser, Shape, dict[str, Any]], tuple[Need, ...]]


def no_params(chooser: Chooser, shape: Shape) -> dict[str, Any]:
    """The op takes no parameters."""
    return {}


def no_partners(chooser: Chooser, shape: Shape, params: dict[str, Any]) -> tuple[Need, ...]:
    """The op takes no second operand."""
    return ()


class Op(msgspec.Struct, frozen=True):
    """One op of the vocabulary.

    `torch` is its code in torch, over operands a, b, c and the parameters by name: an expression, or a statement for an
    in-place op. `first` and `second` are the kinds of operands a and b. `saves` lists what its node keeps for backward, as torch
    does: `a` always, `a?b` only where b requires grad, `out` the result, `own` a tensor that no program can reach. `promotes`:
    operands of different dtypes are allowed. `setup` is torch code that must have run before. `kink` marks ops that have points
    without a derivative, or jumps. Of the results the last `constant_outputs` never require grad, nor do the last
    `index_outputs`, which are integers. `new_leaf`: the result is a leaf that requires grad, whatever its operands do. `marks`
    names features that the op exercises besides those of its chapter.
    """

    name: str
    torch: str
    chapter: str
    bounds: BoundsRule
    shape: ShapeRule
    params: ParamsRule = no_params
    partners: PartnersRule = no_partners
    saves: str = ""
    kink: bool = False
    view: bool = False
    inplace: bool = False
    first: str = "float"
    second: str = "float"
    promotes: bool = False
    result_dtype: str | None = None
    index_outputs: int = 0
    constant_outputs: int = 0
    new_leaf: bool = False
    setup: str = ""
    marks: str = ""

    # Told by the fields above, and kept, since generation asks for them at every step.
    # kinds: the kind of each operand: float, or int64 for an index, or bool for a mask.
    # saved: pairs (operand saved, operand whose requires_grad decides it or None for any); -1 is the result.
    # features: what the op exercises, as bits. constant: no result depends on the operands' graphs.
    kinds: tuple[str, ...] = ()
    features: int = 0
    constant: bool = False
    severed: bool = False  # whether the op's own code detaches operand b wherever it has it
    saved: tuple[tuple[int, int | None], ...] = ()

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "kinds", _kinds(self.torch, self.first, self.second))
        msgspec.structs.force_setattr(self, "saved", _saved(self.saves))
        msgspec.structs.force_setattr(self, "features", _features(self))
        msgspec.structs.force_setattr(self, "severed", _severs_b(self.torch))
        msgspec.structs.force_setattr(self, "constant", self.new_leaf or self.chapter in ("creation", "comparison"))


def owned(op: Op) -> Op:
    """The op with a copy of its result: torch happens to give a view of a hidden tensor, or another order of memory."""
    saves = " ".join("own" if entry == "out" else entry for entry in op.saves.split())
    return msgspec.structs.replace(op, torch=f"{op.torch}.clone(memory_format=torch.contiguous_format)", saves=saves)


def _severs_b(code: str) -> bool:
    """Whether operand b stands nowhere but in `b.detach()`."""
    return "b.detach()" in code and re.search(r"\bb\b(?!\.detach\(\))", code) is None


def _features(op: Op) -> int:
    """What an op exercises wherever it is recorded."""
    marks = [op.chapter, *op.marks.split(), *(["kink"] if op.kink else [])]
    return int(sum(Feature[mark.upper()] for mark in marks))


def _saved(saves: str) -> tuple[tuple[int, int | None], ...]:
    """Parse the notation of `saves`."""
    names = {"a": 0, "b": 1, "c": 2, "out": -1}
    pairs = (entry.partition("?") for entry in saves.split() if entry != "own")
    return tuple((names[what], names[when] if when else None) for what, _, when in pairs)


def _kinds(code: str, first: str, second: str) -> tuple[str, ...]:
    """Operand kinds of an op, from its code."""
    count = len(operands_of(code))
    return (first, second, "float")[:count]
