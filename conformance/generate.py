"""Programs from an abstract chooser: one generator, driven either by Hypothesis or by a seeded PRNG.

Programs are valid by construction: every operand exists, fits and stays within values where the op is well conditioned. They may
still be refused by autograd's own rules, on purpose: that is what the oracle tells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from conformance.areas import EXACT_LIMIT, LIMIT, MOST_ELEMENTS, Area
from conformance.catalog import Bounds, Op, Shape, ShapeError, size
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
from conformance.values import BANKS, EXACT, GENERAL, GRADIENTS, OFFSETS, SPECIAL, indices, values
from conformance.vocabulary import EVERYTHING, MOVE_NAMES, Vocabulary, tables

ORDERED = frozenset(
    ("view", "as_strided")
)  # of a tensor that lies in another order of memory they show another thing, or nothing
REARRANGING = frozenset(op.name for op in RESHAPING)
PACKS = BITS.PACKED | BITS.PACKED_AS_COPY | BITS.PACKED_DOUBLED

# Operands of an op, its parameters, and the shapes and bounds of its results.
Chosen = tuple[list[Slot], dict[str, Any], tuple[Shape, ...], "Bounds | None"]


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
        self.banks = SPECIAL if area.special else EXACT if self.exact else GENERAL
        self.dtypes = vocabulary.dtypes
        self.dtype = self.dtypes[-1 - self.below(len(self.dtypes))]
        self.tables = tables(area.name, vocabulary)
        self.ranks = vocabulary.ranks
        self.live: list[Slot] = []  # slots that may be read
        self.floats: list[Slot] = []  # those of them of floating dtype
        self.next = 0

    def program(self) -> Program:
        """A whole program: a leaf, moves, and a last backward where one is possible."""
        self.leaf()
        if self.below(2):
            self.leaf()
        low, high = self.area.steps
        moves = self.tables.moves
        for _ in range(low + self.below(high - low + 1)):
            MOVES[moves[self.below(len(moves))]](self)
        while self.scope.modes:
            self.emit(Exit())
        if not self.scope.recording:
            self.emit(SetGradMode(True))
        if not isinstance(self.steps[-1], (Backward, Grad)):
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
        count = len(slots)
        one, other = self.below(count), self.below(count)
        return slots[-1 - (one if one < other else other)]

    def requiring(self) -> list[Slot]:
        """Slots that require grad."""
        return [s for s in self.floats if s.requires_grad]

    def admits(self, bounds: Bounds) -> bool:
        """Whether values within these bounds are wanted here."""
        if not self.exact:
            return bounds.lo >= -LIMIT and bounds.hi <= LIMIT
        return bounds.grain is not None and bounds.magnitude * 2.0**bounds.grain <= EXACT_LIMIT

    def gradient(self, root: Slot) -> tuple[float, ...]:
        """Literal values of a gradient for a root: asymmetric, since ones hide transposition and seeding bugs."""
        return values(GRADIENTS[self.exact], self.below(OFFSETS), size(root.shape))

    # -- moves ---------------------------------------------------------------------------------------------------------

    def leaf(self, shape: tuple[int, ...] | None = None, requires_grad: bool | None = None, dtype: str | None = None) -> Slot:
        """A leaf of floating dtype."""
        if shape is None:
            shape = self.tables.shapes[self.below(len(self.tables.shapes))]
        if requires_grad is None:
            requires_grad = self.below(4) > 0
        bank = self.banks[self.below(2)]
        if dtype is None:
            dtype = self.dtype if self.below(16) else self.dtypes[self.below(len(self.dtypes))]
        numbers = values(bank, self.below(OFFSETS), size(shape))
        step = Leaf(self.fresh(), shape, numbers, dtype, requires_grad)  # type: ignore[arg-type]
        slot = self.scope.leaf(step, None if self.area.special else BANKS[bank][1])
        self.steps.append(step)
        self.live.append(slot)
        self.floats.append(slot)
        return slot

    def constant(self) -> None:
        """A leaf that does not require grad."""
        self.leaf(requires_grad=False)

    def op(self) -> None:
        """A pure op on existing operands, or fresh leaves where none fits."""
        ops = self.tables.ops
        self.apply(ops[self.below(len(ops))])

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
        """What `operands` says for some operand, or the one given, where the results are small enough."""
        first = first or self.some(self.floats)
        if first is None or (op.name in ORDERED and not first.contiguous) or op.result_dtype == first.dtype:
            return None  # a cast to the dtype that a tensor has is the tensor itself
        chosen = self.operands(op, first)
        if chosen is not None:
            for shape in chosen[2]:
                if size(shape) > MOST_ELEMENTS or len(shape) not in self.ranks:
                    return None
        return chosen

    def place(self, op: Op, chosen: Chosen) -> None:
        """Add an op with what was chosen for it."""
        inputs, params, results, bounds = chosen
        outs = tuple(range(self.next, self.next + len(results)))
        self.next += len(results)
        self.steps.append(Apply(op.name, tuple([s.name for s in inputs]), outs, params))
        for slot in self.scope.grow(outs, op, inputs, results, bounds):
            self.add(slot)

    def operands(self, op: Op, first: Slot) -> Chosen | None:
        """Operands, parameters, shapes and bounds of the results for an op whose first operand is given; None where none fit."""
        params = op.params(self.chooser, first.shape)
        if params is None:
            return None
        inputs = [first]
        try:
            for need in op.partners(self.chooser, first.shape, params):
                if len(need.shape) not in self.ranks:
                    return None
                if need.dtype == "float":
                    inputs.append(self.operand(need.shape, None if op.promotes else first.dtype))
                else:
                    inputs.append(self.auxiliary(need.shape, need.dtype, need.below))
            shapes = [s.shape for s in inputs]
            results = op.shape(shapes, params)
        except (ShapeError, IndexError):
            return None
        if self.area.special:
            return inputs, params, results, self.scope.bounds(op, inputs, params, shapes)
        bounds = op.bounds([s.storage.bounds for s in inputs], params, shapes)
        return (inputs, params, results, bounds) if bounds is not None and self.admits(bounds) else None

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
        ops = self.tables.inplace
        if target is None or not ops:
            return
        op = ops[self.below(len(ops))]
        if op.name in REARRANGING and (target.hooked or target.retained or self.scope.features & PACKS):
            return  # torch leaves hooks with the old history, may fail an assertion, and reads what was packed in the new order
        chosen = self.operands(op, target)
        if chosen is None:
            return
        inputs, params, _, bounds = chosen
        if any(s.dtype != target.dtype for s in inputs if s.dtype in FLOATS) or any(s.overlaps for s in inputs):
            return
        if any(s.storage is target.storage and s is not target for s in inputs[1:]):
            return  # torch leaves partly overlapping operands undefined
        if target in inputs[1:] and op.second == "int64":
            return  # and so it does for a source that is scattered into itself
        self.steps.append(Mutate(op.name, target.name, tuple([s.name for s in inputs[1:]]), params))
        self.scope.write(op, inputs, bounds)

    def writable(self, slot: Slot) -> bool:
        """Whether torch lets this tensor be written in place here."""
        if slot.overlaps or slot.dtype not in FLOATS or slot.storage.unrecorded:
            return False
        if not self.scope.recording:
            return not slot.multi
        if slot.detached:
            return True
        leaf = slot.storage.leaf
        if slot.multi or slot.of_leaf or (slot.is_leaf and slot.requires_grad):
            return False
        return leaf is None or not slot.view

    def roots(self) -> list[Slot]:
        """Roots for a differentiation, mostly one."""
        requiring = self.requiring()
        candidates = [s for s in requiring if not s.is_leaf] or requiring
        if not candidates:
            return []
        consumed = self.scope.consumed
        fresh = [s for s in candidates if not s.above & consumed] or candidates
        root = fresh[-1] if self.below(3) else fresh[self.below(len(fresh))]
        return [root, candidates[self.below(len(candidates))]] if not self.below(8) else [root]

    def seeds(self, roots: list[Slot]) -> tuple[Gradient, ...]:
        """Gradients for the roots: implicit where all are scalars, half of the time."""
        if all([size(r.shape) == 1 for r in roots]) and not self.below(2):
            return ()
        return tuple([self.gradient(r) for r in roots])

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


MOVES: dict[str, Callable[[Generator], Any]] = {name: FURTHER_MOVES.get(name) or getattr(Generator, name) for name in MOVE_NAMES}


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
