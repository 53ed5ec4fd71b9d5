"""What is known of a program's slots without running it: shapes, flags, aliases, what was saved, and the features exercised.

Generation asks the scope what may come next; reading a program asks whether it is well typed; reduction asks both.
The scope follows PyTorch's rules closely enough to steer generation; what a program does is always decided by running it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from conformance.catalog import CATALOG, Bounds, Op, Shape, ShapeError, size, union
from conformance.features import BITS as _F
from conformance.features import CHAPTER_BITS
from conformance.program import (
    AnyStep,
    Apply,
    Backward,
    Detach,
    Drop,
    Enter,
    Exit,
    Grad,
    Gradient,
    InvalidProgram,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    RetainGrad,
    SetRequiresGrad,
    ZeroGrad,
)
from conformance.slots import FLOATS, UNKNOWN, Slot, Storage

# Those that nearly every step asks for, as names of the module: reading an attribute of BITS costs more than the arithmetic.
_EMPTY: int = _F.EMPTY
_ZERO_DIM: int = _F.ZERO_DIM
_NOTHING_REQUIRES_GRAD: int = _F.NOTHING_REQUIRES_GRAD
_DETACHED_USED: int = _F.DETACHED_USED
_FAN_OUT: int = _F.FAN_OUT
_CONSTANT_IN_BACKWARD: int = _F.CONSTANT_IN_BACKWARD
_NON_LEAF_IN_BACKWARD: int = _F.NON_LEAF_IN_BACKWARD
_LEAF_REUSED: int = _F.LEAF_REUSED
_BACKWARD: int = _F.BACKWARD
_EXPLICIT_GRADIENT: int = _F.EXPLICIT_GRADIENT
_KINK_BITS: dict[bool, int] = {False: 0, True: _F.KINK}


class Scope:
    """The slots of a program so far, and what it has exercised."""

    def __init__(self) -> None:
        self.slots: dict[int, Slot] = {}
        self.features = 0
        self.modes: list[bool] = []
        self.recording = True
        # Slots as bits: all of them, those that require grad, those that are not leaves, those that several ops have used.
        self.filled = self.requiring = self.interior = self.reused = 0
        self.backwards = 0
        self.accumulated = 0
        self.consumed = 0
        self.retained = 0
        self.higher = 0
        self.ops: set[str] = set()
        self.dtypes: set[str] = set()

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
        if bounds is None:
            bounds = self._check_leaf(step)
        out, dtype, requires_grad = step.out, step.dtype, step.requires_grad
        storage = Storage(bounds)
        slot = Slot(out, step.shape, dtype, storage, requires_grad)
        bit = 1 << out
        self.filled |= bit
        if requires_grad:
            storage.leaf = slot
            self.requiring |= bit
        self.slots[out] = slot
        self.dtypes.add(dtype)
        return slot

    def _check_leaf(self, step: Leaf) -> Bounds:
        """That a leaf is well typed; returns the bounds of its values."""
        if size(step.shape) != len(step.values):
            misfit(f"{len(step.values)} values for shape {step.shape}")
        if len(step.shape) > 4 or any(n < 0 for n in step.shape):
            misfit(f"shape {step.shape} has more than four axes or a negative one")
        if step.requires_grad and step.dtype not in FLOATS:
            misfit(f"a leaf of dtype {step.dtype} cannot require grad")
        return Bounds(min(step.values), max(step.values), None) if step.values else Bounds(0.0, 0.0, 0)

    def op(self, step: Apply) -> None:
        """A pure op or a view."""
        op = self._op(step.op, inplace=False)
        inputs = [self.slots[i] for i in step.inputs]
        self._check_operands(op, inputs)
        operands = [s.shape for s in inputs]
        shapes = op.shape(operands, step.params)
        if len(shapes) != len(step.outs):
            misfit(f"{op.name} has {len(shapes)} results, not {len(step.outs)}")
        self.grow(step.outs, op, inputs, shapes, op.bounds([s.bounds for s in inputs], step.params, operands) or UNKNOWN)

    def grow(self, outs: tuple[int, ...], op: Op, inputs: list[Slot], shapes: tuple[Shape, ...], bounds: Bounds) -> list[Slot]:
        """The results of an op whose operands, shapes and bounds are known to fit."""
        first = inputs[0]
        dtype = op.result_dtype or (first.dtype if len(inputs) == 1 else self._promote(inputs))
        graph = self._record(op, inputs)
        recorded = graph != 0
        self.ops.add(op.name)
        view = op.view and (op.name != "reshape" or first.contiguous)
        indices_from = len(shapes) - op.index_outputs
        made = []
        for number, (out, shape) in enumerate(zip(outs, shapes, strict=True)):
            if view:
                slot = Slot(out, shape, dtype, first.storage, recorded)
                self._make_view(slot, first, op, len(shapes))
            elif number < indices_from:
                slot = Slot(out, shape, dtype, Storage(bounds), recorded)
                self._describe(slot, op, inputs)
            else:
                slot = Slot(out, shape, "int64", Storage(bounds), False)
                self._describe(slot, op, inputs)
            if slot.requires_grad:
                slot.is_leaf = False
                slot.above = graph
                slot.graph = graph | 1 << out
                self.requiring |= 1 << out
                self.interior |= 1 << out
            self.filled |= 1 << out
            self.slots[out] = slot
            made.append(slot)
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

    def _describe(self, slot: Slot, op: Op, inputs: list[Slot]) -> None:
        """What is rarely so of a result with memory of its own."""
        for s in inputs:
            if not s.contiguous:
                slot.contiguous = False
        if op.name == "clone":
            slot.storage.clone_of = inputs[0].storage
        if op.view:  # a reshape that may be a view after all: nothing is to be written through it
            first = inputs[0]
            slot.of_leaf = first.of_leaf or (first.is_leaf and first.requires_grad)
            slot.overlaps = True

    def _make_view(self, slot: Slot, source: Slot, op: Op, results: int) -> None:
        """Mark a slot as a view of another."""
        slot.view = True
        slot.parent = source
        if not self.recording:
            slot.storage.unrecorded = True
        slot.multi = source.multi or results > 1 or op.name in ("split", "unbind")
        slot.of_leaf = source.of_leaf or (source.is_leaf and source.requires_grad)
        slot.detached = source.detached
        slot.overlaps = source.overlaps or op.name == "expand"
        slot.contiguous = source.contiguous and op.name in ("view", "reshape", "unsqueeze", "squeeze")

    def detach(self, step: Detach) -> None:
        """A detached alias."""
        source = self.slots[step.source]
        slot = Slot(step.out, source.shape, source.dtype, source.storage, False)
        slot.contiguous, slot.overlaps, slot.detached, slot.parent = source.contiguous, source.overlaps, True, source
        source.storage.detached = True
        self.filled |= 1 << step.out
        self.slots[step.out] = slot
        if source.requires_grad:
            self.features |= _F.DETACHED

    def read_grad(self, step: ReadGrad) -> None:
        """The `.grad` of a leaf as a tensor."""
        source = self.slots[step.source]
        slot = Slot(step.out, source.shape, source.dtype, Storage(UNKNOWN), bool(self.higher >> source.name & 1))
        slot.is_leaf = not slot.requires_grad
        self._note_gradient(slot)
        slot.above = source.graph
        slot.graph = (source.graph | 1 << step.out) if slot.requires_grad else 0
        self.slots[step.out] = slot
        self.features |= _F.READ_GRAD

    def _note_gradient(self, slot: Slot) -> None:
        """A gradient has become a slot."""
        bit = 1 << slot.name
        self.filled |= bit
        if slot.requires_grad:
            self.requiring |= bit
            self.interior |= bit

    # -- steps that change tensors -------------------------------------------------------------------------------------

    def mutate(self, step: Mutate) -> None:
        """An in-place op."""
        op = self._op(step.op, inplace=True)
        inputs = [self.slots[i] for i in (step.target, *step.inputs)]
        self._check_operands(op, inputs)
        operands = [s.shape for s in inputs]
        op.shape(operands, step.params)
        self.write(op, inputs, op.bounds([s.bounds for s in inputs], step.params, operands) or UNKNOWN)

    def write(self, op: Op, inputs: list[Slot], bounds: Bounds) -> None:
        """An in-place op into the first of its operands, which are known to fit; the bounds are those of the values written."""
        target = inputs[0]
        self.ops.add(op.name)
        storage = target.storage
        self._note_write(target, storage)
        storage.version += 1
        whole = not target.view and len(storage.members) == 1
        storage.bounds = bounds if whole else union(storage.bounds, bounds)
        graph = self._record(op, inputs)
        if graph:
            if not target.requires_grad:
                self.features |= _F.FLAG_GAINED_IN_PLACE
            base = target.base
            for member in storage.members:
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

    def _note_write(self, target: Slot, storage: Storage) -> None:
        """Which rules a write into this memory exercises."""
        features = 0
        version = storage.version
        saved_input, saved_output = storage.saved_input_at == version, storage.saved_output_at == version
        if saved_input or saved_output:
            features |= _F.SAVED_INPUT_WRITTEN if saved_input else _F.SAVED_OUTPUT_WRITTEN
            if target.view:
                features |= _F.SAVED_WRITTEN_THROUGH_VIEW
            if target.detached:
                features |= _F.SAVED_WRITTEN_THROUGH_DETACHED
            elif not self.recording:
                features |= _F.SAVED_WRITTEN_UNDER_NO_GRAD
            if self.backwards:
                features |= _F.WRITTEN_BETWEEN_BACKWARDS
            if storage.leaf is not None and not self.recording:
                features |= _F.WEIGHT_UPDATED_IN_FLIGHT
        elif storage.read_at >= 0:
            features |= _F.UNSAVED_WRITTEN
        if storage.leaf is not None and not self.recording and self._is_stashed(storage):
            features |= _F.STASHED_WEIGHT_UPDATED
        if self.recording and not target.detached:
            if target.is_leaf and target.requires_grad:
                features |= _F.LEAF_WRITTEN
            elif target.of_leaf:
                features |= _F.VIEW_OF_LEAF_WRITTEN
        if target.view:
            features |= _F.VIEW_WRITTEN
        elif any(m.view for m in storage.members):
            features |= _F.BASE_WRITTEN
        if storage.detached:
            features |= _F.DETACHED_WRITTEN if target.detached else _F.SOURCE_WRITTEN
        self.features |= features

    def _is_stashed(self, storage: Storage) -> bool:
        """Whether a node saved a clone of this memory."""
        return any(s.storage.clone_of is storage and s.storage.saved_input_at >= 0 for s in self.slots.values())

    def set_requires_grad(self, step: SetRequiresGrad) -> None:
        """requires_grad_(): only leaves may lose the flag."""
        slot = self.slots[step.target]
        if slot.dtype not in FLOATS:
            misfit(f"requires_grad_ on a tensor of dtype {slot.dtype}")
        if not slot.is_leaf and not step.value:
            self.features |= _F.NON_LEAF_FLAG
        if slot.is_leaf:
            slot.requires_grad = step.value
            bit = 1 << slot.name
            slot.graph = bit if step.value else 0
            self.requiring = self.requiring | bit if step.value else self.requiring & ~bit
            slot.storage.leaf = slot if step.value and not slot.detached else slot.storage.leaf
            self.features |= _F.STAGE_BOUNDARY if slot.detached else _F.FLAG_SET

    def retain_grad(self, step: RetainGrad) -> None:
        """retain_grad() keeps a non-leaf's gradient."""
        slot = self.slots[step.target]
        slot.retained = True
        if not slot.is_leaf:
            self.features |= _F.RETAIN_GRAD

    def zero_grad(self, step: ZeroGrad) -> None:
        """`.grad` to None or to zeros."""
        bit = 1 << self.slots[step.target].name
        if self.accumulated & bit:
            self.features |= _F.SET_TO_NONE if step.set_to_none else _F.ZEROED
        if step.set_to_none:
            self.accumulated &= ~bit

    def drop(self, step: Drop) -> None:
        """A variable goes."""
        slot = self.slots[step.target]
        slot.alive = False
        self.features |= _F.DROPPED
        if slot.storage.detached and not slot.detached:
            self.features |= _F.DROPPED_SOURCE

    def enter(self, step: Enter) -> None:
        """A region begins."""
        if self.modes:
            self.features |= _F.REGION_NESTED
        self.modes.append(self.recording)
        self.recording = step.mode == "enable_grad"

    def exit(self, step: Exit) -> None:
        """A region ends: the mode before it comes back."""
        self.recording = self.modes.pop()

    # -- steps that differentiate --------------------------------------------------------------------------------------

    def backward(self, step: Backward) -> None:
        """backward(): accumulates."""
        features = _BACKWARD
        graph = self._traverse(step)
        walked = graph & self.requiring
        leaves = walked & ~self.interior
        if self.filled != self.requiring:
            features |= _CONSTANT_IN_BACKWARD
        if walked != leaves:
            features |= _NON_LEAF_IN_BACKWARD
        if leaves & self.reused:
            features |= _LEAF_REUSED
        if step.inputs is not None:
            features |= _F.INPUTS
            leaves &= sum(1 << i for i in set(step.inputs))
        if self.accumulated & leaves:
            features |= _F.ACCUMULATED_AGAIN
        self.accumulated |= leaves
        if step.create_graph and any(self.slots[r].curved for r in step.roots):
            self.higher |= leaves
        self.features |= features

    def grad(self, step: Grad) -> None:
        """grad(): returns gradients."""
        graph = self._traverse(step)
        self.features |= _F.GRAD_CALL
        differentiable = step.create_graph and any(self.slots[r].curved for r in step.roots)
        for out, name in zip(step.outs, step.inputs, strict=True):
            source = self.slots[name]
            if not graph >> name & 1:
                self.features |= _F.UNUSED_INPUT
                if step.allow_unused:
                    continue  # there is no gradient to hold
            slot = Slot(out, source.shape, source.dtype, Storage(UNKNOWN), differentiable)
            slot.is_leaf = not differentiable
            self._note_gradient(slot)
            slot.curved = differentiable
            slot.above = graph
            slot.graph = graph | 1 << out if differentiable else 0
            self.slots[out] = slot
            self.higher |= 1 << out if differentiable else 0

    def _traverse(self, step: Backward | Grad) -> int:
        """What every differentiation exercises; returns the graph it walks."""
        features = graph = 0
        roots = [self.slots[r] for r in step.roots]
        gradients: tuple[Gradient, ...] = step.gradients or (None,) * len(roots)
        if len(gradients) != len(roots):
            misfit(f"{len(gradients)} gradients for {len(roots)} roots")
        for root, gradient in zip(roots, gradients, strict=True):
            graph |= root.graph
            if not root.requires_grad:
                features |= _F.ROOT_WITHOUT_GRAD
            if gradient is None:
                if size(root.shape) != 1:
                    features |= _F.NON_SCALAR_ROOT
                continue
            features |= _EXPLICIT_GRADIENT
            if isinstance(gradient, int):
                shape = self.slots[gradient].shape
            else:
                shape = (step.shape if type(step) is Backward else None) or root.shape
                if size(shape) != len(gradient):
                    misfit(f"{len(gradient)} gradient values for shape {shape}")
            if shape != root.shape:
                features |= _F.GRADIENT_OF_OTHER_SHAPE
        if len(roots) > 1:
            features |= _F.SEVERAL_ROOTS
        if step.create_graph:
            features |= _F.CREATE_GRAPH
        if graph & self.higher:
            features |= _F.HIGHER_ORDER
        if graph & self.consumed:
            features |= _F.WALKED_AGAIN
        if graph & self.retained:
            features |= _F.RETAINED_AGAIN
        nodes = graph & self.interior
        keep = step.create_graph if step.retain_graph is None else step.retain_graph
        if keep:
            self.retained |= nodes
        else:
            self.consumed |= nodes
        self.backwards += 1
        self.features |= features
        return graph

    # -- shared ---------------------------------------------------------------------------------------------------------

    def _op(self, name: str, *, inplace: bool) -> Op:
        """The catalogue's row, of the right kind."""
        op = CATALOG.get(name)
        if op is None or op.inplace != inplace:
            misfit(f"the catalogue has no {'in-place ' if inplace else ''}op {name!r}")
        return op

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
        if all([s.dtype == dtype or s.dtype not in FLOATS for s in inputs]):
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
            self.features |= _F.UNRECORDED
            return 0
        features = _KINK_BITS[op.kink] | CHAPTER_BITS[op.chapter]
        if len(inputs) > 1:
            features |= self._combine(op, inputs)
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

    def _combine(self, op: Op, inputs: list[Slot]) -> int:
        """What several operands of one recorded op exercise."""
        features: int = 0
        shape, broadcasts = inputs[0].shape, op.chapter in ("binary", "matmul", "inplace")
        for number, s in enumerate(inputs):
            if not s.requires_grad and s.dtype in FLOATS:
                features |= _F.CONSTANT_OPERAND
            if s in inputs[:number]:
                features |= _F.REPEATED_OPERAND
            if broadcasts and s.shape != shape:
                features |= _F.BROADCAST
        return features

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
        if curved:
            for out in outs:
                out.curved = True


def misfit(message: str) -> NoReturn:
    """A step that is not well typed."""
    raise ShapeError(message)


_HANDLERS: dict[type, Any] = {
    Leaf: Scope.leaf,
    Apply: Scope.op,
    Mutate: Scope.mutate,
    Detach: Scope.detach,
    ReadGrad: Scope.read_grad,
    SetRequiresGrad: Scope.set_requires_grad,
    RetainGrad: Scope.retain_grad,
    ZeroGrad: Scope.zero_grad,
    Drop: Scope.drop,
    Enter: Scope.enter,
    Exit: Scope.exit,
    Backward: Scope.backward,
    Grad: Scope.grad,
}
