"""What is known of a program's slots without running it: shapes, flags, aliases, what was saved, and the features exercised.

Generation asks the scope what may come next; reading a program asks whether it is well typed; reduction asks both.
The scope follows PyTorch's rules closely enough to steer generation; what a program does is always decided by running it.
"""

from __future__ import annotations

import math
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
    InvalidProgram,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    RetainGrad,
    SetRequiresGrad,
    ZeroGrad,
)

UNKNOWN = Bounds(-math.inf, math.inf, None)
FLOATS = ("float32", "float64")
_CONSTANT_IN_BACKWARD: int = _F.CONSTANT_IN_BACKWARD
_NON_LEAF_IN_BACKWARD: int = _F.NON_LEAF_IN_BACKWARD


class Storage:
    """Memory shared by a tensor and its aliases. `saved_input_at` and the like are versions; -1 is never."""

    version = 0
    saved_input_at = saved_output_at = read_at = -1
    detached = False
    unrecorded = False  # a view was made under no_grad: after a write torch raises when asked for that view's is_leaf
    leaf: Slot | None = None
    clone_of: Storage | None = None

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.members: list[Slot] = []


class Slot:
    """One tensor of the program. What is rarely so has its default here, since a slot is made for every tensor generated."""

    is_leaf = contiguous = alive = True
    # curved: gradients through this tensor depend on a tensor that requires grad; of_leaf: a view of a leaf that does.
    curved = view = multi = overlaps = detached = of_leaf = retained = False
    uses = 0
    above = 0  # the slots on the graph that ends here, as bits, without the slot itself
    parent: Slot | None = None

    def __init__(self, name: int, shape: Shape, dtype: str, storage: Storage, requires_grad: bool) -> None:
        self.name, self.shape, self.dtype, self.storage, self.requires_grad = name, shape, dtype, storage, requires_grad
        self.graph = 1 << name if requires_grad else 0
        storage.members.append(self)

    @property
    def base(self) -> Slot:
        """The tensor that this one is a view of, or itself: detach() makes a base of its own."""
        slot = self
        while slot.view and slot.parent is not None:
            slot = slot.parent
        return slot

    @property
    def bounds(self) -> Bounds:
        """Bounds of the values: those of the whole memory, since aliases write into it."""
        return self.storage.bounds


class Scope:
    """The slots of a program so far, and what it has exercised."""

    def __init__(self) -> None:
        self.slots: dict[int, Slot] = {}
        self.features = 0
        self.modes: list[bool] = []
        self.recording = True
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
        """A leaf; its bounds come from its values unless they are given."""
        if size(step.shape) != len(step.values):
            misfit(f"{len(step.values)} values for shape {step.shape}")
        if len(step.shape) > 4 or any(n < 0 for n in step.shape):
            misfit(f"shape {step.shape} has more than four axes or a negative one")
        if step.requires_grad and step.dtype not in FLOATS:
            misfit(f"a leaf of dtype {step.dtype} cannot require grad")
        if bounds is None:
            bounds = Bounds(min(step.values), max(step.values), None) if step.values else Bounds(0.0, 0.0, 0)
        slot = Slot(step.out, step.shape, step.dtype, Storage(bounds), step.requires_grad)
        if step.requires_grad:
            slot.storage.leaf = slot
        self.slots[step.out] = slot
        self.dtypes.add(step.dtype)
        return slot

    def op(self, step: Apply, op: Op | None = None, bounds: Bounds | None = None, shapes: Any = None) -> None:
        """A pure op or a view."""
        op = op or self._op(step.op, inplace=False)
        slots = self.slots
        inputs = [slots[i] for i in step.inputs]
        if shapes is None:
            self._check_operands(op, inputs)
            shapes = op.shape([s.shape for s in inputs], step.params)
            bounds = op.bounds([s.bounds for s in inputs], step.params, [s.shape for s in inputs]) or UNKNOWN
        if len(shapes) != len(step.outs):
            misfit(f"{op.name} has {len(shapes)} results, not {len(step.outs)}")
        dtype = op.result_dtype or self._promote(inputs)
        recorded = self._record(op, step.inputs, inputs)
        graph = 0
        if recorded:
            for s in inputs:
                graph |= s.graph
        self.ops.add(op.name)
        first = inputs[0]
        view = op.view and (op.name != "reshape" or first.contiguous)
        for number, (out, shape) in enumerate(zip(step.outs, shapes, strict=True)):
            index = op.index_outputs and number >= len(shapes) - op.index_outputs
            if view:
                slot = Slot(out, shape, dtype, first.storage, recorded)
                self._make_view(slot, first, op, len(shapes))
            else:
                slot = Slot(out, shape, "int64" if index else dtype, Storage(bounds or UNKNOWN), recorded and not index)
                for s in inputs:
                    if not s.contiguous:
                        slot.contiguous = False
                if op.name == "clone":
                    slot.storage.clone_of = first.storage
                if op.view:  # a reshape that may be a view after all: nothing is to be written through it
                    slot.of_leaf = first.of_leaf or (first.is_leaf and first.requires_grad)
                    slot.overlaps = True
            if slot.requires_grad:
                slot.is_leaf = False
                slot.above = graph
                slot.graph = graph | 1 << out
            slots[out] = slot
        if recorded:
            outs = [slots[o] for o in step.outs]
            curved = any([s.curved for s in inputs])
            for slot in outs:
                slot.curved = curved
            self._save(op, inputs, outs)
            if 0 in shapes[0] or 0 in first.shape:
                self.features |= _F.EMPTY
            elif not first.shape:
                self.features |= _F.ZERO_DIM

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
        self.slots[step.out] = slot
        if source.requires_grad:
            self.features |= _F.DETACHED

    def read_grad(self, step: ReadGrad) -> None:
        """The `.grad` of a leaf as a tensor."""
        source = self.slots[step.source]
        slot = Slot(step.out, source.shape, source.dtype, Storage(UNKNOWN), bool(self.higher >> source.name & 1))
        slot.is_leaf = not slot.requires_grad
        slot.above = source.graph
        slot.graph = (source.graph | 1 << step.out) if slot.requires_grad else 0
        self.slots[step.out] = slot
        self.features |= _F.READ_GRAD

    # -- steps that change tensors -------------------------------------------------------------------------------------

    def mutate(self, step: Mutate, op: Op | None = None, bounds: Bounds | None = None) -> None:
        """An in-place op."""
        op = op or self._op(step.op, inplace=True)
        target = self.slots[step.target]
        inputs = [target, *[self.slots[i] for i in step.inputs]]
        if bounds is None:
            self._check_operands(op, inputs)
            op.shape([s.shape for s in inputs], step.params)
            bounds = op.bounds([s.bounds for s in inputs], step.params, [s.shape for s in inputs]) or UNKNOWN
        self.ops.add(op.name)
        storage = target.storage
        self._note_write(target, storage)
        storage.version += 1
        whole = not target.view and len(storage.members) == 1
        storage.bounds = bounds if whole else union(storage.bounds, bounds)
        recorded = self._record(op, (step.target, *step.inputs), inputs)
        if recorded:
            if not target.requires_grad:
                self.features |= _F.FLAG_GAINED_IN_PLACE
            graph = 0
            for s in inputs:
                graph |= s.graph
            base = target.base
            for member in storage.members:
                if member.base is base:
                    member.requires_grad = True
                    member.is_leaf = False
                    member.above = graph
                    member.graph = graph | 1 << member.name
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
        if storage.leaf is not None and not self.recording:
            if any(s.storage.clone_of is storage and s.storage.saved_input_at >= 0 for s in self.slots.values()):
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

    def set_requires_grad(self, step: SetRequiresGrad) -> None:
        """requires_grad_(): only leaves may lose the flag."""
        slot = self.slots[step.target]
        if slot.dtype not in FLOATS:
            misfit(f"requires_grad_ on a tensor of dtype {slot.dtype}")
        if not slot.is_leaf and not step.value:
            self.features |= _F.NON_LEAF_FLAG
        if slot.is_leaf:
            slot.requires_grad = step.value
            slot.graph = 1 << slot.name if step.value else 0
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
        features: int = _F.BACKWARD
        graph = self._traverse(step)
        curved = any(self.slots[r].curved for r in step.roots)
        if step.inputs is not None:
            features |= _F.INPUTS
            reached = sum(1 << i for i in set(step.inputs))
        else:
            reached = graph
        leaves = 0
        for name, slot in self.slots.items():
            if not slot.requires_grad:
                features |= _CONSTANT_IN_BACKWARD
            elif graph >> name & 1:
                if not slot.is_leaf:
                    features |= _NON_LEAF_IN_BACKWARD
                else:
                    leaves |= 1 << name
                    if slot.uses > 1:
                        features |= _F.LEAF_REUSED
        leaves &= reached
        if self.accumulated & leaves:
            features |= _F.ACCUMULATED_AGAIN
        self.accumulated |= leaves
        if step.create_graph and curved:
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
            slot.curved = differentiable
            slot.above = graph
            slot.graph = graph | 1 << out if differentiable else 0
            self.slots[out] = slot
            self.higher |= 1 << out if differentiable else 0

    def _traverse(self, step: Backward | Grad) -> int:
        """What every differentiation exercises; returns the graph it walks."""
        features = graph = 0
        roots = [self.slots[r] for r in step.roots]
        if step.gradients and len(step.gradients) != len(roots):
            misfit(f"{len(step.gradients)} gradients for {len(roots)} roots")
        for number, root in enumerate(roots):
            graph |= root.graph
            gradient = step.gradients[number] if step.gradients else None
            if not root.requires_grad:
                features |= _F.ROOT_WITHOUT_GRAD
            if gradient is None:
                if size(root.shape) != 1:
                    features |= _F.NON_SCALAR_ROOT
                continue
            features |= _F.EXPLICIT_GRADIENT
            shape = self.slots[gradient].shape if isinstance(gradient, int) else getattr(step, "shape", None) or root.shape
            if not isinstance(gradient, int) and size(shape) != len(gradient):
                misfit(f"{len(gradient)} gradient values for shape {shape}")
            if shape != root.shape:
                features |= _F.GRADIENT_OF_OTHER_SHAPE
        if len(roots) > 1:
            features |= _F.SEVERAL_ROOTS
        if step.create_graph:
            features |= _F.CREATE_GRAPH
        if graph & self.higher and any(r.graph & self.higher for r in roots):
            features |= _F.HIGHER_ORDER
        if graph & self.consumed:
            features |= _F.WALKED_AGAIN
        if graph & self.retained:
            features |= _F.RETAINED_AGAIN
        nodes = graph & ~self._leaves()
        keep = step.create_graph if step.retain_graph is None else step.retain_graph
        if keep:
            self.retained |= nodes
        else:
            self.consumed |= nodes
        self.backwards += 1
        self.features |= features
        return graph

    def _leaves(self) -> int:
        """The slots that are leaves, as bits."""
        bits = 0
        for name, slot in self.slots.items():
            if slot.is_leaf:
                bits |= 1 << name
        return bits

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
        dtypes = {s.dtype for s in inputs if s.dtype in FLOATS}
        if len(dtypes) == 1:
            return dtypes.pop()
        self.features |= _F.MIXED_DTYPES
        ranked = {s.dtype for s in inputs if s.dtype in FLOATS and s.shape}
        return ranked.pop() if len(ranked) == 1 else "float64"

    def _record(self, op: Op, names: tuple[int, ...], inputs: list[Slot]) -> bool:
        """Whether the op goes into the graph, and what that exercises."""
        features = 0
        requiring = [s for s in inputs if s.requires_grad]
        if not requiring:
            self.features |= _F.NOTHING_REQUIRES_GRAD
            for s in inputs:
                if s.detached:
                    self.features |= _F.DETACHED_USED
            return False
        if not self.recording:
            self.features |= _F.UNRECORDED
            return False
        shape = inputs[0].shape
        if len(requiring) < len(inputs) and any([not s.requires_grad and s.dtype in FLOATS for s in inputs]):
            features |= _F.CONSTANT_OPERAND
        if len(set(names)) < len(names):
            features |= _F.REPEATED_OPERAND
            inputs = list(dict.fromkeys(inputs))  # an op that takes a tensor twice is one use of it
        for s in inputs:
            s.uses += 1
            if s.uses > 1 and not s.is_leaf:
                features |= _F.FAN_OUT
            if s.detached:
                features |= _F.DETACHED_USED
            if s.shape != shape and op.chapter in ("binary", "matmul", "inplace"):
                features |= _F.BROADCAST
        if op.kink:
            features |= _F.KINK
        self.features |= features | CHAPTER_BITS[op.chapter]
        return True

    def _save(self, op: Op, inputs: list[Slot], outs: list[Slot]) -> None:
        """What the node keeps for backward, so that writes into it can be told from harmless ones."""
        saved = op.saved
        for s in inputs:
            s.storage.read_at = s.storage.version
        if op.saves == "own":
            outs[0].curved = True
        for what, when in saved:
            if when is None or inputs[when].requires_grad:
                if what < 0:
                    for out in outs:
                        out.storage.saved_output_at = out.storage.version
                        out.curved = True
                    continue
                if inputs[what].requires_grad:
                    for out in outs:
                        out.curved = True
                if not (op.inplace and what == 0):
                    inputs[what].storage.saved_input_at = inputs[what].storage.version


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
