"""What is known of a program's slots without running it: shapes, flags, aliases, what was saved, and the features exercised.

Generation asks the scope what may come next; reading a program asks whether it is well typed; reduction asks both.
The scope follows PyTorch's rules closely enough to steer generation; what a program does is always decided by running it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from conformance import differentiation, protocol
from conformance.catalog import CATALOG, Bounds, Op, Shape, ShapeError, size, union
from conformance.exercised import by_operands, by_write
from conformance.features import BITS as _F
from conformance.program import (
    AnyStep,
    Apply,
    AssignGrad,
    Backward,
    Detach,
    Drop,
    Enter,
    Exit,
    Export,
    Grad,
    Hook,
    InvalidProgram,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    RetainGrad,
    SetGradMode,
    SetRequiresGrad,
    Unhook,
    ZeroGrad,
)
from conformance.slots import FLOATS, NO_ALIAS_OF_INFERENCE, NO_LEAF_OF_INFERENCE, UNKNOWN, Slot, Storage, bounds_of, misfit

# Those that nearly every step asks for, as names of the module: reading an attribute of BITS costs more than the arithmetic.
_EMPTY: int = _F.EMPTY
_ZERO_DIM: int = _F.ZERO_DIM
_FILLED: int = _F.FILLED
_NOTHING_REQUIRES_GRAD: int = _F.NOTHING_REQUIRES_GRAD
_DETACHED_USED: int = _F.DETACHED_USED
_FAN_OUT: int = _F.FAN_OUT
_UNRECORDED: int = _F.UNRECORDED


class Scope:
    """The slots of a program so far, and what it has exercised."""

    def __init__(self) -> None:
        self.slots: dict[int, Slot] = {}
        self.features = 0
        self.modes: list[tuple[str, bool, bool]] = []  # open regions, with what held outside
        self.recording = True
        self.inference = False
        self.handles: set[int] = set()
        # Slots as bits: all of them, those that require grad, those that are not leaves, those that several ops have used.
        self.filled = self.requiring = self.interior = self.reused = 0
        self.backwards = 0
        self.accumulated = 0
        self.consumed = self.gone = 0
        self.retained = 0
        self.higher = self.highest = 0  # gradients that can be differentiated, and gradients of such

    @classmethod
    def of(cls, program: Program) -> Scope:
        """The scope at the end of a program.

        Raises:
            InvalidProgram: naming the first step that is not well typed.
        """
        scope = cls()
        for place, step in enumerate(program.steps):
            try:
                scope.apply(step)
            except ShapeError as error:
                raise InvalidProgram(f"{error} - at `$.steps[{place}]`") from None
            except (KeyError, TypeError, IndexError) as error:
                raise InvalidProgram(f"parameters do not fit: {error!r} - at `$.steps[{place}]`") from None
        return scope

    def apply(self, step: AnyStep) -> None:
        """Take one more step."""
        _HANDLERS[type(step)](self, step)

    # -- steps that make tensors ---------------------------------------------------------------------------------------

    def leaf(self, step: Leaf, bounds: Bounds | None = None) -> Slot:
        """A leaf. Its bounds come from its values; generation, whose leaves are right by construction, gives them."""
        bounds = bounds or self._check_leaf(step)
        out, dtype, requires_grad = step.out, step.dtype, step.requires_grad
        storage, bit = Storage(bounds), 1 << out
        storage.inference = self.inference
        slot = Slot(out, step.shape, dtype, storage, requires_grad)
        self.filled |= bit
        if requires_grad:
            storage.of_leaf = True
            self.requiring |= bit
        if step.values:
            self.features |= _FILLED
        self.slots[out] = slot
        return slot

    def _check_leaf(self, step: Leaf) -> Bounds:
        """That a leaf is well typed; returns the bounds of its values."""
        if size(step.shape) != len(step.values):
            misfit(f"{len(step.values)} values for shape {step.shape}")
        if len(step.shape) > 4 or any(n < 0 for n in step.shape):
            misfit(f"shape {step.shape} has more than four axes or a negative one")
        if step.requires_grad and step.dtype not in FLOATS:
            misfit(f"a leaf of dtype {step.dtype} cannot require grad")
        if step.requires_grad and self.inference:
            misfit(NO_LEAF_OF_INFERENCE)
        return bounds_of(step.values)

    def op(self, step: Apply) -> None:
        """A pure op or a view."""
        op = self._op(step.op, inplace=False)
        inputs = [self.slots[i] for i in step.inputs]
        self._check_operands(op, inputs)
        operands = [s.shape for s in inputs]
        shapes = op.shape(operands, step.params)
        if len(shapes) != len(step.outs):
            misfit(f"{op.name} has {len(shapes)} results, not {len(step.outs)}")
        self.grow(step.outs, op, inputs, shapes, self.bounds(op, inputs, step.params, operands))

    def grow(
        self, outs: tuple[int, ...], op: Op, inputs: list[Slot], shapes: tuple[Shape, ...], bounds: Bounds | None
    ) -> list[Slot]:
        """The results of an op whose operands and shapes are known to fit."""
        if bounds is None:
            self.features |= _F.POLE
            bounds = UNKNOWN
        first = inputs[0]
        dtype = op.result_dtype or (first.dtype if len(inputs) == 1 else self._promote(inputs))
        if op.constant:
            graph = 0
            self.features |= op.features
        else:
            graph = self._record(op, inputs[:1] if op.severed else inputs)
        recorded = graph != 0
        depth = 1 + (first.depth if len(inputs) == 1 else max([s.depth for s in inputs]))
        view = op.view and (op.name != "reshape" or first.contiguous)
        indices_from = len(shapes) - op.index_outputs
        constants_from = indices_from - op.constant_outputs
        made = []
        for number, out in enumerate(outs):
            if view:
                slot = Slot(out, shapes[number], dtype, first.storage, recorded)
                self._make_view(slot, first, op, len(shapes))
            else:
                kind = dtype if number < indices_from else "int64"
                slot = Slot(out, shapes[number], kind, Storage(bounds), recorded and number < constants_from)
                for s in inputs:
                    if not s.contiguous:
                        slot.contiguous, slot.order_open = False, True
                if op.view or op.name == "clone":
                    self._describe(slot, op, first)
            if recorded and slot.requires_grad:
                slot.is_leaf = False
                slot.above = graph
                slot.depth = depth
                slot.graph = graph | 1 << out
                self.requiring |= 1 << out
                self.interior |= 1 << out
            self.filled |= 1 << out
            self.slots[out] = slot
            made.append(slot)
        if self.inference and not view:
            for slot in made:
                slot.storage.inference = True
        if op.new_leaf:
            self.flag(made[0], True)
            made[0].storage.of_leaf = True
        if recorded:
            for s in inputs:
                if s.curved:
                    for slot in made:
                        slot.curved = True
            self._save(op, inputs, made)
            if 0 in shapes[0] or 0 in first.shape:
                self.features |= _EMPTY
            elif not first.shape:
                self.features |= _ZERO_DIM
        return made

    def flag(self, slot: Slot, value: bool) -> None:
        """Set requires_grad of a slot without a history."""
        if value and slot.storage.inference:
            return misfit(NO_LEAF_OF_INFERENCE) if self.inference else None  # which is refused outside
        slot.requires_grad, bit = value, 1 << slot.name
        slot.graph = bit if value else 0
        self.requiring = self.requiring | bit if value else self.requiring & ~bit

    def _describe(self, slot: Slot, op: Op, first: Slot) -> None:
        """A clone, or a reshape that may be a view after all: through that nothing is to be written."""
        if op.name == "clone":
            slot.storage.clone_of = first.storage
        elif first.order_open:
            misfit(f"whether {op.name} gives a view of it is left open: an op made it of what is not contiguous")
        else:
            slot.of_leaf = first.of_leaf or (first.is_leaf and first.requires_grad)
            slot.overlaps, slot.storage.inference = True, first.storage.inference

    def _make_view(self, slot: Slot, source: Slot, op: Op, results: int) -> None:
        """Mark a slot as a view of another."""
        slot.view = True
        slot.parent = source
        slot.multi = source.multi or results > 1 or op.name in ("split", "unbind")
        slot.of_leaf = source.of_leaf or (source.is_leaf and source.requires_grad)
        slot.detached, slot.order_open = source.detached, source.order_open
        slot.overlaps = source.overlaps or op.name == "expand"
        slot.contiguous = source.contiguous and op.name in ("view", "reshape", "unsqueeze", "squeeze")
        if not self.recording:
            slot.storage.unrecorded = True
            if op.name == "function_returning_input":  # torch detaches what a function gives back of its inputs
                slot.view, slot.detached = False, True
            elif source.base.requires_grad and not slot.storage.inference:  # which torch answers for a view without a history
                self.flag(slot, True)

    def detach(self, step: Detach) -> None:
        """A detached alias."""
        source = self.slots[step.source]
        if source.storage.inference and not self.inference:
            misfit(NO_ALIAS_OF_INFERENCE)
        slot = Slot(step.out, source.shape, source.dtype, source.storage, False)
        slot.contiguous, slot.overlaps, slot.order_open = source.contiguous, source.overlaps, source.order_open
        slot.detached, slot.parent = True, source
        source.storage.detached = True
        self.filled |= 1 << step.out
        self.slots[step.out] = slot
        if source.requires_grad:
            self.features |= _F.DETACHED

    # -- steps that change tensors -------------------------------------------------------------------------------------

    def mutate(self, step: Mutate) -> None:
        """An in-place op."""
        op = self._op(step.op, inplace=True)
        inputs = [self.slots[i] for i in (step.target, *step.inputs)]
        self._check_operands(op, inputs)
        operands = [s.shape for s in inputs]
        op.shape(operands, step.params)
        self.write(op, inputs, self.bounds(op, inputs, step.params, operands))

    def write(self, op: Op, inputs: list[Slot], bounds: Bounds | None) -> None:
        """An in-place op into the first of its operands, which are known to fit; the bounds are those of the values written."""
        if bounds is None:
            self.features |= _F.POLE
            bounds = UNKNOWN
        target = inputs[0]
        storage = target.storage
        self.features |= by_write(
            target, self.slots.values(), recording=self.recording, inference=self.inference, walked=self.backwards > 0
        )
        storage.version += 1
        members = list(self.sharing(storage))
        whole = not target.view and len(members) == 1
        storage.bounds = bounds if whole else union(storage.bounds, bounds)
        graph = self._record(op, inputs)
        if op.marks:  # what a custom function writes, it writes recorded or not
            self.features |= op.features
        if graph:
            if not target.requires_grad:
                self.features |= _F.FLAG_GAINED_IN_PLACE
            if not target.shape:
                self.features |= _ZERO_DIM
            base = target.base
            for member in members:
                if member.base is base:
                    member.requires_grad = True
                    member.is_leaf = False
                    member.above = graph
                    member.graph = graph | 1 << member.name
                    self.requiring |= 1 << member.name
                    self.interior |= 1 << member.name
            self._save(op, inputs, [target])
            if any(what > 0 and inputs[what].storage is storage for what, _ in op.saved):
                self.features |= _F.SAVED_INPUT_WRITTEN  # a.mul_(a) overwrites the operand that it saved

    def sharing(self, storage: Storage) -> Iterator[Slot]:
        """The slots that lie in this memory."""
        return (s for s in self.slots.values() if s.storage is storage)

    def _op(self, name: str, *, inplace: bool) -> Op:
        """The catalogue's row, of the right kind."""
        op = CATALOG.get(name)
        if op is None or op.inplace != inplace:
            misfit(f"the catalogue has no {'in-place ' if inplace else ''}op {name!r}")
        return op

    def bounds(self, op: Op, inputs: list[Slot], params: dict[str, Any], operands: Sequence[Shape]) -> Bounds | None:
        """Bounds of the results; None where operands may lie outside the domain in which the op is well conditioned."""
        try:
            bounds = op.bounds([s.storage.bounds for s in inputs], params, operands)
        except (ArithmeticError, ValueError):
            return None
        return UNKNOWN if bounds is not None and not bounds.magnitude < 1e6 else bounds

    def _check_operands(self, op: Op, inputs: list[Slot]) -> None:
        """As many operands as the op has, floating-point but for indices and masks."""
        kinds = op.kinds
        if len(inputs) != len(kinds):
            misfit(f"{op.name} takes {len(kinds)} operands, not {len(inputs)}")
        for letter, slot, kind in zip("abc", inputs, kinds, strict=False):
            fits = slot.dtype in FLOATS if kind == "float" else slot.dtype == kind
            if not fits:
                misfit(f"operand {letter} of {op.name} must be {kind}, not {slot.dtype}")

    def _promote(self, inputs: list[Slot]) -> str:
        """The dtype of a result: float64 wins; a 0-dim operand does not promote others of its kind."""
        dtype = inputs[0].dtype
        for s in inputs:
            if s.dtype != dtype and s.dtype in FLOATS:
                break
        else:
            return dtype
        self.features |= _F.MIXED_DTYPES
        ranked = {s.dtype for s in inputs if s.dtype in FLOATS and s.shape}
        return ranked.pop() if len(ranked) == 1 else "float64"

    def _record(self, op: Op, inputs: list[Slot]) -> int:
        """The graph that the op adds a node to, as bits, and what that exercises; 0 where it is not recorded."""
        graph = 0
        for s in inputs:
            graph |= s.graph
        if not graph:
            self.features |= _NOTHING_REQUIRES_GRAD
            for s in inputs:
                if s.detached:
                    self.features |= _DETACHED_USED
            return 0
        if not self.recording:
            self.features |= _UNRECORDED
            return 0
        features = op.features
        if len(inputs) > 1:
            features |= by_operands(op, inputs, self.interior)
            inputs = list(dict.fromkeys(inputs))  # an op that takes a tensor twice is one use of it
        for s in inputs:
            s.uses += 1
            if s.uses > 1:
                self.reused |= 1 << s.name
                if not s.is_leaf:
                    features |= _FAN_OUT
            if s.detached:
                features |= _DETACHED_USED
        self.features |= features
        return graph

    def _save(self, op: Op, inputs: list[Slot], outs: list[Slot]) -> None:
        """What the node keeps for backward, so that writes into it can be told from harmless ones."""
        curved = op.saves == "own"
        for s in inputs:
            storage = s.storage
            storage.read_at = storage.version
        for what, when in op.saved:
            if when is not None and not inputs[when].requires_grad:
                continue
            if what < 0:
                curved = True
                for out in outs:
                    out.storage.saved_output_at = out.storage.version
            else:
                saved = inputs[what]
                curved = curved or saved.requires_grad
                if what or not op.inplace:
                    saved.storage.saved_input_at = saved.storage.version
                if saved.storage.inference:
                    self.features |= _F.INFERENCE_USED
        if curved:
            for out in outs:
                out.curved = True


_HANDLERS: dict[type, Any] = {
    Leaf: Scope.leaf,
    Apply: Scope.op,
    Mutate: Scope.mutate,
    Detach: Scope.detach,
    ReadGrad: differentiation.read_grad,
    SetRequiresGrad: protocol.set_requires_grad,
    RetainGrad: protocol.retain_grad,
    ZeroGrad: protocol.zero_grad,
    AssignGrad: protocol.assign_grad,
    SetGradMode: protocol.set_grad_mode,
    Export: protocol.export,
    Hook: protocol.hook,
    Unhook: protocol.unhook,
    Drop: protocol.drop,
    Enter: protocol.enter,
    Exit: protocol.exit_,
    Backward: differentiation.backward,
    Grad: differentiation.grad,
}
