"""One run of one program on an engine, step by step, with the quick schedule of looking."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from conformance.callbacks import Callbacks
from conformance.engine import Unsupported
from conformance.observe import UNTOLD, Observation, Sight, refused
from conformance.program import (
    Apply,
    AssignGrad,
    Backward,
    Detach,
    Drop,
    Enter,
    Exit,
    Export,
    Grad,
    Gradient,
    Hook,
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
from conformance.tolerance import flatten

if TYPE_CHECKING:
    from conformance.execute import Executor


class Absent(Exception):
    """The program reads a gradient that the engine did not give."""


class _Slots(dict[int, Any]):
    """The tensors of a run by slot."""

    def __missing__(self, slot: int) -> Any:
        raise Absent(f"there is no gradient in slot {slot}")


class Execution:
    """One run of one program, with the quick schedule of looking."""

    def __init__(self, executor: Executor) -> None:
        self.engine = executor.engine
        self.calls = executor.calls
        self.make_leaf = executor.engine.leaf
        self.facets = executor.facets
        self.sees_grad = "grad" in self.facets
        self.keepers: set[int] | None = None if "grad_of_all" in self.facets else set()  # the only slots that may have one
        self.shown = executor.engine.value if "grad_absent" in self.facets else self.unless_zeros
        self.ranks = executor.engine.ranks
        self.flags = executor.flags
        self.flags_facet = executor.flags_facet
        self.slots: dict[int, Any] = _Slots()
        self.holders: set[int] = set()  # slots that may have a gradient, none of which was seen yet
        self.dropped: dict[int, Callable[[], Any]] = {}
        self.sights: list[Sight] = []
        self.regions: list[AbstractContextManager[Any] | None] = []  # None: what a thread runs
        self.gradients_held: set[int] = set()  # slots that hold gradients
        self.thread: ThreadPoolExecutor | None = None
        self.callbacks: Callbacks | None = None
        self.switched = False  # whether the grad mode was switched for good
        self.place = self.last = -1

    def run(self, program: Program) -> Observation:
        refusal = unsupported = None
        steps = program.steps
        self.last = len(steps) - 1
        try:
            self.engine.begin()
            after_step = self.after_step
            for self.place, step in enumerate(steps):
                if self.thread is None or type(step) is Exit:
                    HANDLERS[type(step)](self, step)
                else:
                    self.thread.submit(HANDLERS[type(step)], self, step).result()
                if after_step is not None:
                    after_step()
            self.place = len(steps)
        except Unsupported as error:
            unsupported = str(error)
        except (Exception, SystemExit) as error:  # a foreign engine's failure is a result, not a crash of ours
            refusal = refused(self.engine, self.place, error)
        finally:
            self.restore()
        try:
            if unsupported is None:
                self.at_end(refusal is not None)
                if self.callbacks is not None:
                    self.sights += self.callbacks.sights(self.place)
            self.engine.end(self.slots.values())
        except Unsupported as error:
            unsupported = str(error)
        except (Exception, SystemExit) as error:
            refusal = refusal or refused(self.engine, self.place, error)
        self.slots.clear()  # a hook that hangs on a tensor leads back here, in a circle that an engine may not see
        return Observation(self.sights, refusal, unsupported)

    def restore(self) -> None:
        """Close what the program left open, as it does at the end and after a refusal."""
        while self.regions:
            self.leave()
        if self.switched:
            self.engine.set_grad_enabled(True)

    def leave(self) -> None:
        """Close the innermost region."""
        region = self.regions.pop()
        if region is not None:
            if self.thread is None:
                region.__exit__(None, None, None)
            else:
                self.thread.submit(region.__exit__, None, None, None).result()
        elif self.thread is not None:
            self.thread.shutdown()
            self.thread = None

    # -- looking ---------------------------------------------------------------------------------------------------------

    def made(self, slot: int, tensor: Any) -> None:
        """A tensor was made or written: look at its flags."""
        self.slots[slot] = tensor
        if self.flags is not None:
            self.sights.append((self.place, slot, self.flags_facet, self.flags(tensor)))

    after_step: Callable[[], None] | None = None  # the quick schedule has nothing to look at after each step

    def accumulated(self) -> None:
        """A backward: look at the gradients that are new, unless the end, which looks at them all, is next.

        What is added to a gradient later, or fails to be, shows at the end.
        """
        if not self.sees_grad or self.place == self.last:
            return
        place, sights, slots = self.place, self.sights, self.slots
        gradient_of, shown = self.engine.gradient, self.shown
        for slot in sorted(self.holders):
            try:
                gradient = gradient_of(slots[slot]) if slot in slots else None
            except Exception as error:
                sights.append((place, slot, "grad", self.untold(error)))
                continue
            content = None if gradient is None else shown(gradient)
            if content is not None:
                sights.append((place, slot, "grad", content))
                self.holders.discard(slot)

    def zeroed(self, slot: int, tensor: Any) -> None:
        """A gradient was zeroed or forgotten: the next one is new."""
        self.holders.add(slot)
        if self.sees_grad:
            self.look_at_gradients([(slot, tensor)])

    def look_at_gradients(self, slots: Iterable[tuple[int, Any]]) -> None:
        """The accumulated gradients of these slots."""
        place, sights, gradient_of, shown = self.place, self.sights, self.engine.gradient, self.shown
        for slot, tensor in slots:
            if not self.may_have_gradient(slot):
                continue
            try:
                gradient = gradient_of(tensor)
            except Exception as error:
                sights.append((place, slot, "grad", self.untold(error)))
                continue
            sights.append((place, slot, "grad", None if gradient is None else shown(gradient)))

    def hold(self, slot: int) -> None:
        """The slot may have a gradient from now on."""
        self.holders.add(slot)
        if self.keepers is not None:
            self.keepers.add(slot)

    def may_have_gradient(self, slot: int) -> bool:
        """Whether to look at the gradient of a slot: of an engine that keeps them all, only at those that are to be kept."""
        return self.keepers is None or slot in self.keepers

    def unless_zeros(self, gradient: Any) -> Any:
        """A gradient's values; None for zeros, where an engine does not tell a gradient of zeros from none."""
        content = self.engine.value(gradient)
        return content if any(flatten(content)) else None

    def untold(self, error: Exception) -> str:
        """What is seen where the engine refuses to tell, as torch does of a view that was invalidated."""
        if isinstance(error, Unsupported):
            raise error
        return UNTOLD + refused(self.engine, self.place, error).category

    def at_end(self, failed: bool) -> None:
        """Values of what is left; after a refusal too, since it must not have changed them. Then gradients are unspecified."""
        place, value = self.place, self.engine.value
        self.sights += [(place, slot, "value", value(tensor)) for slot, tensor in self.slots.items()]
        if self.sees_grad and not failed:
            self.look_at_gradients(self.slots.items())
        if self.dropped:
            self.look_for_dropped()

    def look_for_dropped(self) -> None:
        """Which dropped tensors are still held by something."""
        for slot, reference in self.dropped.items():
            self.sights.append((self.place, slot, "alive", reference() is not None))

    # -- steps -----------------------------------------------------------------------------------------------------------

    def leaf(self, step: Leaf) -> None:
        out, requires_grad = step.out, step.requires_grad
        if step.dtype not in self.engine.dtypes:
            raise Unsupported(f"{self.engine.name} has no leaves of {step.dtype}")
        if self.ranks is not None and len(step.shape) not in self.ranks:
            raise Unsupported(f"{self.engine.name} has no tensors of {len(step.shape)} dimensions")
        if requires_grad:
            self.hold(out)
        self.made(out, self.make_leaf(step.values, step.shape, step.dtype, requires_grad))

    def apply(self, step: Apply) -> None:
        try:
            call = self.calls[step.op]
        except KeyError:
            raise Unsupported(f"{self.engine.name} has no {step.op}") from None
        result = call(*map(self.slots.__getitem__, step.inputs), **step.params)
        if isinstance(result, (tuple, list)):
            for slot, tensor in zip(step.outs, result, strict=True):
                self.made(slot, tensor)
        else:
            self.made(step.outs[0], result)

    def mutate(self, step: Mutate) -> None:
        target = self.slots[step.target]
        try:
            call = self.calls[step.op]
        except KeyError:
            raise Unsupported(f"{self.engine.name} has no {step.op}") from None
        call(target, *map(self.slots.__getitem__, step.inputs), **step.params)
        self.made(step.target, target)

    def detach(self, step: Detach) -> None:
        self.made(step.out, self.engine.detach(self.slots[step.source]))

    def set_requires_grad(self, step: SetRequiresGrad) -> None:
        tensor = self.slots[step.target]
        self.engine.set_requires_grad(tensor, step.value)
        self.hold(step.target)
        self.made(step.target, tensor)

    def enter(self, step: Enter) -> None:
        if step.mode == "thread":
            if self.thread is None:  # a thread in a thread shows nothing more
                self.thread = ThreadPoolExecutor(1)
                self.regions.append(None)
                return
            region: AbstractContextManager[Any] = self.engine.grad_mode(True)
        elif step.mode == "inference_mode":
            region = self.engine.inference_mode()
        elif step.mode.startswith("pack_"):
            region = self.calling_back().packing(step.mode)
        else:
            region = self.engine.grad_mode(step.mode == "enable_grad")
        region.__enter__()
        self.regions.append(region)

    def exit(self, step: Exit) -> None:
        self.leave()

    def calling_back(self) -> Callbacks:
        """The callbacks of this run."""
        if self.callbacks is None:
            self.callbacks = Callbacks(self.engine, self.calls, lambda: self.place, modes="recording" in self.facets)
        return self.callbacks

    def hook(self, step: Hook) -> None:
        self.calling_back().register(step, self.slots[step.target])

    def unhook(self, step: Unhook) -> None:
        self.calling_back().remove(step.handle)

    def set_grad_mode(self, step: SetGradMode) -> None:
        self.engine.set_grad_enabled(step.value)
        self.switched = True

    def assign_grad(self, step: AssignGrad) -> None:
        self.engine.set_gradient(self.slots[step.target], self.slots[step.source])
        self.hold(step.target)

    def export(self, step: Export) -> None:
        self.sights.append((self.place, step.target, "exported", self.engine.export(self.slots[step.target])))

    def retain_grad(self, step: RetainGrad) -> None:
        self.engine.retain_grad(self.slots[step.target])
        self.hold(step.target)

    def backward(self, step: Backward) -> None:
        slots = self.slots
        roots = [slots[r] for r in step.roots]
        inputs = None
        if step.inputs is not None:
            inputs = [slots[i] for i in step.inputs]
            for slot in step.inputs:
                self.hold(slot)
        gradients = self.gradients(step.gradients, roots, step.shape, handed=step.handed)
        self.engine.backward(roots, gradients, step.retain_graph, step.create_graph, inputs)
        self.accumulated()

    def grad(self, step: Grad) -> None:
        slots = self.slots
        roots = [slots[r] for r in step.roots]
        gradients = self.gradients(step.gradients, roots, None)
        inputs = [slots[i] for i in step.inputs]
        results = self.engine.grad(roots, inputs, gradients, step.retain_graph, step.create_graph, step.allow_unused)
        for slot, result in zip(step.outs, results, strict=True):
            if result is None:
                self.sights.append((self.place, slot, "value", None))
            else:
                self.gradients_held.add(slot)
                self.made(slot, result)  # what grad() should not have accumulated stays, to be seen at the next look

    def gradients(
        self, given: tuple[Gradient, ...], roots: list[Any], shape: tuple[int, ...] | None, *, handed: bool = False
    ) -> list[Any] | None:
        """Gradient arguments: fresh tensors, since an engine may keep what it is given, or the very tensors of slots."""
        if not given:
            return None
        engine = self.engine
        result: list[Any] = []
        for gradient, root in zip(given, roots, strict=True):
            if gradient is None:
                result.append(None)
            elif isinstance(gradient, int):
                result.append(self.slots[gradient] if handed else engine.copy(self.slots[gradient]))
            else:
                known = engine.shape(root) if shape is None else shape
                if self.ranks is not None and len(known) not in self.ranks:
                    raise Unsupported(f"{engine.name} has no tensors of {len(known)} dimensions")
                result.append(engine.leaf(gradient, known, engine.dtype(root), False))
        return result

    def read_grad(self, step: ReadGrad) -> None:
        gradient = self.engine.gradient(self.slots[step.source]) if self.may_have_gradient(step.source) else None
        if gradient is None or self.shown(gradient) is None:
            self.sights.append((self.place, step.out, "value", None))
        else:
            self.gradients_held.add(step.out)
            self.made(step.out, gradient)

    def zero_grad(self, step: ZeroGrad) -> None:
        tensor = self.slots[step.target]
        self.engine.zero_grad(tensor, step.set_to_none)
        self.zeroed(step.target, tensor)

    def drop(self, step: Drop) -> None:
        self.sights.append((self.place, step.target, "value", self.engine.value(self.slots[step.target])))
        if "alive" in self.facets:
            self.dropped[step.target] = weakref.ref(self.slots[step.target])
        del self.slots[step.target]


HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    Leaf: Execution.leaf,
    Apply: Execution.apply,
    Mutate: Execution.mutate,
    Detach: Execution.detach,
    SetRequiresGrad: Execution.set_requires_grad,
    Enter: Execution.enter,
    Exit: Execution.exit,
    RetainGrad: Execution.retain_grad,
    Backward: Execution.backward,
    Grad: Execution.grad,
    ReadGrad: Execution.read_grad,
    ZeroGrad: Execution.zero_grad,
    AssignGrad: Execution.assign_grad,
    SetGradMode: Execution.set_grad_mode,
    Export: Execution.export,
    Hook: Execution.hook,
    Unhook: Execution.unhook,
    Drop: Execution.drop,
}
