"""Programs from an abstract chooser: one generator, driven either by Hypothesis or by a seeded PRNG.

Programs are valid by construction: every operand exists, fits and stays within values where the op is well conditioned. They may
still be refused by autograd's own rules, on purpose: that is what the oracle tells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from conformance.areas import EXACT_LIMIT, LIMIT, Area
from conformance.catalog import Bounds, Op, size
from conformance.catalog.overwriting import RESHAPING
from conformance.chooser import Chooser
from conformance.features import BITS
from conformance.moves import MOVES as FURTHER_MOVES
from conformance.pipeline import Plan, plan
from conformance.program import (
    AnyStep,
    Apply,
    Backward,
    Exit,
    Grad,
    Gradient,
    Leaf,
    Mutate,
    Program,
    SetGradMode,
)
from conformance.scope import Scope
from conformance.slots import FLOATS, Slot
from conformance.values import CONTENTS, EXACT, GENERAL, OFFSETS, SEEDS, SPECIAL, indices
from conformance.vocabulary import EVERYTHING, MOVE_NAMES, Vocabulary, tables
from conformance.ways import Way

ORDERED = frozenset(
    ("view", "as_strided")
)  # of a tensor that lies in another order of memory they show another thing, or nothing
REARRANGING = frozenset(op.name for op in RESHAPING)
PACKS = BITS.PACKED | BITS.PACKED_AS_COPY | BITS.PACKED_DOUBLED

# Operands of an op, the way in which it applies to them, and the bounds of its results.
Chosen = tuple[list[Slot], Way, "Bounds | None"]


class _Newest(dict[int, tuple[int, ...]]):
    """A number of slots -> places in the list of them, from its end: the newer, the oftener."""

    def __missing__(self, count: int) -> tuple[int, ...]:
        self[count] = tuple([-1 - min(one, other) for one in range(count) for other in range(count)])
        return self[count]


NEWEST = _Newest()


class Generator:
    """Builds one program. Each move adds steps, or none where it does not apply."""

    def __init__(self, chooser: Chooser, area: Area, vocabulary: Vocabulary) -> None:
        self.below = chooser.below
        self.chooser = chooser
        self.area = area
        self.scope = Scope()
        self.steps: list[AnyStep] = []
        self.exact = area.exact or self.below(2) == 0
        self.exact = self.exact and not area.special
        self.contents = CONTENTS[SPECIAL if area.special else EXACT if self.exact else GENERAL]
        self.dtypes = DTYPES[vocabulary.dtypes[-1 - self.below(len(vocabulary.dtypes))], vocabulary.dtypes]
        self.tables = tables(area.name, vocabulary)
        self.ops, self.inplace = self.tables.ops[self.exact], self.tables.inplace[self.exact]
        self.live: list[Slot] = []  # slots that may be read
        self.floats: list[Slot] = []  # those of them of floating dtype
        self.next = 0

    def program(self) -> Program:
        """A whole program: a leaf, moves, and a last backward where one is possible."""
        self.leaf()
        if self.below(2):
            self.leaf()
        low, high = self.area.steps
        below, moves = self.below, self.tables.moves
        for _ in range(low + below(high - low + 1)):
            MOVES[moves[below(len(moves))]](self)
        while self.scope.modes:
            self.emit(Exit())
        if not self.scope.recording:
            self.emit(SetGradMode(True))
        if type(self.steps[-1]) not in (Backward, Grad):
            self.backward()
        return Program(tuple(self.steps), self.exact)

    # -- helpers -------------------------------------------------------------------------------------------------------

    def emit(self, step: AnyStep) -> None:
        """Add a step."""
        scope = self.scope
        known = len(scope.slots)
        scope.apply(step)
        self.steps.append(step)
        if len(scope.slots) > known:
            for out in step.makes():
                if out in scope.slots:
                    self.add(scope.slots[out])

    def add(self, slot: Slot) -> None:
        """A new slot."""
        self.live.append(slot)
        if slot.dtype in FLOATS:
            self.floats.append(slot)

    def fresh(self) -> int:
        """An unused slot number."""
        self.next += 1
        return self.next - 1

    def some(self, slots: list[Slot]) -> Slot | None:
        """One of these slots, the newest first and likelier."""
        if not slots:
            return None
        places = NEWEST[len(slots)]
        return slots[places[self.below(len(places))]]

    def requiring(self) -> list[Slot]:
        """Slots that require grad."""
        return [s for s in self.floats if s.requires_grad]

    def admits(self, bounds: Bounds) -> bool:
        """Whether values within these bounds are wanted here."""
        if not self.exact:
            return bounds.lo >= -LIMIT and bounds.hi <= LIMIT
        if bounds.grain is None:
            return False
        limit = EXACT_LIMIT * 0.5**bounds.grain
        return bounds.lo >= -limit and bounds.hi <= limit

    def gradient(self, root: Slot) -> tuple[float, ...]:
        """Literal values of a gradient for a root: asymmetric, since ones hide transposition and seeding bugs."""
        return SEEDS[self.exact][root.shape][self.below(OFFSETS)][0]

    # -- moves ---------------------------------------------------------------------------------------------------------

    def leaf(self, shape: tuple[int, ...] | None = None, requires_grad: bool | None = None, dtype: str | None = None) -> Slot:
        """A leaf of floating dtype."""
        if shape is None:
            shape = self.tables.shapes[self.below(len(self.tables.shapes))]
        if requires_grad is None:
            requires_grad = self.below(4) > 0
        if dtype is None:
            dtype = self.dtypes[self.below(MOSTLY)]
        contents = self.contents[shape]
        numbers, bounds = contents[self.below(len(contents))]
        step = Leaf(self.next, shape, numbers, dtype, requires_grad)  # type: ignore[arg-type]
        self.next += 1
        slot = self.scope.leaf(step, bounds)
        self.steps.append(step)
        self.live.append(slot)
        self.floats.append(slot)
        return slot

    def constant(self) -> None:
        """A leaf that does not require grad."""
        self.leaf(requires_grad=False)

    def op(self) -> None:
        """A pure op on existing operands, or fresh leaves where none fits."""
        if self.ops:
            self.apply(self.ops[self.below(len(self.ops))])

    def view(self) -> None:
        """A view."""
        if self.tables.views:
            self.apply(self.tables.views[self.below(len(self.tables.views))])

    def apply(self, op: Op, first: Slot | None = None) -> None:
        """Add this op, if it fits some operand, or the one given."""
        chosen = self.fitting(op, first)
        if chosen is not None:
            self.place(op, chosen)

    def fitting(self, op: Op, first: Slot | None = None) -> Chosen | None:
        """What `filled` says for the operand given, or some other or a fresh one, and a way whose results are small enough."""
        operand = first or self.some(self.floats)
        if operand is None or (not operand.contiguous and op.name in ORDERED) or op.result_dtype == operand.dtype:
            return None  # a cast to the dtype that a tensor has is the tensor itself
        if operand.order_open and op.name == "reshape":
            return None
        way = self.tables.ways.draw(self.below, op, operand.shape)
        if way is not None and way.small:
            return self.filled(op, operand, way)
        homes = () if first else self.tables.homes(op)
        return self.fitting(op, self.leaf(homes[self.below(len(homes))])) if homes else None

    def place(self, op: Op, chosen: Chosen) -> None:
        """Add an op with what was chosen for it."""
        inputs, (params, _, _, results, _), bounds = chosen
        known = self.next
        self.next += len(results)
        outs = tuple(range(known, self.next))
        self.steps.append(Apply(op.name, tuple([s.name for s in inputs]), outs, params))
        for slot in self.scope.grow(outs, op, inputs, results, bounds):
            self.add(slot)

    def operands(self, op: Op, first: Slot) -> Chosen | None:
        """Operands of an op whose first one is given, a way to apply it, and bounds of the results; None where none fit."""
        way = self.tables.ways.draw(self.below, op, first.shape)
        return None if way is None else self.filled(op, first, way)

    def filled(self, op: Op, first: Slot, way: Way) -> Chosen | None:
        """The operands that this way needs; None where the values would not be wanted here."""
        inputs = [first]
        for shape, dtype, below in way.needs:
            if dtype == "float":
                inputs.append(self.operand(shape, None if op.promotes else first.dtype))
            else:
                inputs.append(self.auxiliary(shape, dtype, below))
        if self.area.special:
            return inputs, way, self.scope.bounds(op, inputs, way.params, way.shapes)
        bounds = op.bounds([s.storage.bounds for s in inputs], way.params, way.shapes)
        return (inputs, way, bounds) if bounds is not None and self.admits(bounds) else None

    def operand(self, shape: tuple[int, ...], dtype: str | None) -> Slot:
        """A slot of this shape, of this dtype if one is asked for: mostly an existing one, else a new leaf."""
        fitting = [s for s in self.floats if s.shape == shape and (dtype is None or s.dtype == dtype)]
        if fitting and self.below(5):
            return fitting[-1 - self.below(len(fitting))]
        return self.leaf(shape, dtype=dtype)

    def auxiliary(self, shape: tuple[int, ...], dtype: str, below: int) -> Slot:
        """An index or a mask."""
        offset, count = self.below(OFFSETS), size(shape)
        numbers = indices(offset, count, below if dtype == "int64" else 2)
        step = Leaf(self.fresh(), shape, numbers, dtype)  # type: ignore[arg-type]
        slot = self.scope.leaf(step, None if self.area.special else Bounds(0.0, max(below, 1), 0))
        self.steps.append(step)
        self.live.append(slot)
        return slot

    def mutate(self, among: list[Slot] | None = None) -> None:
        """An in-place op on something that may be written."""
        candidates = self.floats if among is None else among
        target = self.some([s for s in candidates if self.writable(s)])
        if target is None or not self.inplace:
            return
        op = self.inplace[self.below(len(self.inplace))]
        if op.name in REARRANGING and (target.hooked or target.retained or self.scope.features & PACKS):
            return  # torch leaves hooks with the old history, may fail an assertion, and reads what was packed in the new order
        chosen = self.operands(op, target)
        if chosen is None:
            return
        inputs, way, bounds = chosen
        if any(s.dtype != target.dtype for s in inputs if s.dtype in FLOATS) or any(s.overlaps for s in inputs):
            return
        if any(s.storage is target.storage and s is not target for s in inputs[1:]):
            return  # torch leaves partly overlapping operands undefined
        if target in inputs[1:] and (op.second == "int64" or "[" in op.torch):
            return  # and so it does for a source that is scattered into itself, or written into a part of itself
        self.steps.append(Mutate(op.name, target.name, tuple([s.name for s in inputs[1:]]), way.params))
        self.scope.write(op, inputs, bounds)

    def writable(self, slot: Slot) -> bool:
        """Whether torch lets this tensor be written in place here."""
        if slot.overlaps or slot.dtype not in FLOATS or slot.storage.unrecorded:
            return False
        if not self.scope.recording:
            return not slot.multi
        if slot.detached:
            return True
        if slot.multi or slot.of_leaf or (slot.is_leaf and slot.requires_grad):
            return False
        return not slot.view or not slot.storage.of_leaf

    def roots(self) -> list[Slot]:
        """Roots for a differentiation, mostly one."""
        scope = self.scope
        requiring = scope.requiring & ~scope.gone
        candidates = requiring & scope.interior or requiring
        if not candidates:
            return []
        consumed = scope.consumed
        if not consumed and self.below(3):
            root = scope.slots[candidates.bit_length() - 1]  # the newest
        else:
            fresh = self.among(candidates, consumed) or self.among(candidates)
            root = fresh[-1] if consumed and self.below(3) else fresh[self.below(len(fresh))]
        if self.below(8):
            return [root]
        others = self.among(candidates)
        return [root, others[self.below(len(others))]]

    def among(self, names: int, consumed: int = 0) -> list[Slot]:
        """The slots of these names, as bits, whose graph does not go over one of those consumed."""
        return [s for s in self.floats if names >> s.name & 1 and not s.above & consumed]

    def seeds(self, roots: list[Slot]) -> tuple[Gradient, ...]:
        """Gradients for the roots: implicit where all are scalars, half of the time."""
        for root in roots:
            if size(root.shape) != 1:
                break
        else:
            if not self.below(2):
                return ()
        return tuple([self.gradient(root) for root in roots])

    def backward(self, *, named: bool = False) -> None:
        """backward() from one or several roots."""
        roots = self.roots()
        if not roots:
            return
        inputs = None
        if named:
            graph = roots[0].graph
            reached = [s for s in self.requiring() if graph >> s.name & 1]
            if not reached:
                return
            inputs = tuple(s.name for s in reached[: 1 + self.below(len(reached))])
        keep = (None, True, True)[self.below(3)]
        self.emit(Backward(tuple([r.name for r in roots]), self.seeds(roots), keep, False, inputs))

    def backward_from(self, root: Slot) -> None:
        """backward() from this tensor, if it requires grad."""
        if root.requires_grad:
            self.emit(Backward((root.name,), self.seeds([root]), (None, True)[self.below(2)]))


MOSTLY = 16  # one in so many leaves has another dtype than the program's
DTYPES: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {
    (own, dtypes): (own,) * (MOSTLY - 1) + (dtypes[0] if own != dtypes[0] else dtypes[-1],)
    for dtypes in (FLOATS, *((dtype,) for dtype in FLOATS))
    for own in dtypes
}
MOVES: dict[str, Callable[[Generator], Any]] = {name: FURTHER_MOVES.get(name) or getattr(Generator, name) for name in MOVE_NAMES}


# There are some two thousand plans, so that a long run meets each again and again. What is kept is only read.
@lru_cache(maxsize=4096)
def planned(chosen: Plan) -> tuple[Program, Scope]:
    """The program of a plan. Its scope does not depend on the values, which are all that the offset chooses."""
    scope = Scope.of(chosen.program()) if chosen.offset == 0 else planned(chosen._replace(offset=0))[1]
    return chosen.program(), scope


def generate(chooser: Chooser, area: Area, vocabulary: Vocabulary = EVERYTHING) -> tuple[Program, Scope]:
    """A program of the area over a vocabulary, and what is known of it."""
    if area.name == "pipeline":
        return planned(plan(chooser))
    generator = Generator(chooser, area, vocabulary)
    program = generator.program()
    return program, generator.scope
