"""Program x Engine -> Observation.

Two schedules of looking. The quick one looks at flags when a tensor is made, at gradients where a later step may hide what a
backward did to them, and at values and all gradients at the end: it is run on millions of programs. The thorough one looks at
every facet of every live slot after every step: it is run on programs that showed a difference, so that the first step that went
wrong can be named.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NoReturn

from conformance.engine import Engine, Unsupported
from conformance.observe import FACETS, Observation, Sight, facets_of, look, refused
from conformance.program import (
    Apply,
    Backward,
    Detach,
    Drop,
    Enter,
    Exit,
    Grad,
    Gradient,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    RetainGrad,
    SetRequiresGrad,
    ZeroGrad,
)

FLAGS = ("requires_grad", "is_leaf")


class Executor:
    """Runs programs on one engine, looking at the facets that all engines of a comparison show."""

    def __init__(self, engine: Engine, facets: frozenset[str] | None = None) -> None:
        self.engine = engine
        self.facets = facets_of(engine) if facets is None else facets
        self.calls: Mapping[str, Callable[..., Any]] = engine.calls()
        seen = [f for f in FLAGS if f in self.facets]
        self.flags = engine.flags if len(seen) == len(FLAGS) else getattr(engine, FACETS[seen[0]]) if seen else None

    def run(self, program: Program, *, thorough: bool = False, stash: bool = False) -> Observation:
        """Run to the end or to the first refusal. Whatever the engine raises is data.

        With `stash`, nodes save copies, so that later writes are never refused: what torch would give had nothing changed.
        """
        execution = _Thorough(self) if thorough else _Execution(self)
        if not stash:
            return execution.run(program)
        with self.engine.stashing():
            return execution.run(program)


class Absent(Exception):
    """The program reads a gradient that the engine did not give."""


class _Slots(dict[int, Any]):
    """The tensors of a run by slot."""

    def __missing__(self, slot: int) -> Any:
        raise Absent(f"there is no gradient in slot {slot}")


class _Execution:
    """One run of one program, with the quick schedule of looking."""

    def __init__(self, executor: Executor) -> None:
        self.engine = executor.engine
        self.calls = executor.calls
        self.make_leaf = executor.engine.leaf
        self.facets = executor.facets
        self.sees_grad = "grad" in self.facets
        self.flags = executor.flags
        self.slots: dict[int, Any] = _Slots()
        self.holders: set[int] = set()  # slots that may have a gradient, none of which was seen yet
        self.dropped: dict[int, Callable[[], Any]] = {}
        self.sights: list[Sight] = []
        self.regions: list[AbstractContextManager[Any]] = []
        self.place = self.last = -1

    def run(self, program: Program) -> Observation:
        refusal = unsupported = None
        steps = program.steps
        self.last = len(steps) - 1
        try:
            self.engine.begin()
            after_step = self.after_step
            for self.place, step in enumerate(steps):
                HANDLERS[type(step)](self, step)
                if after_step is not None:
                    after_step()
            self.place = len(steps)
        except Unsupported as error:
            unsupported = str(error)
        except (Exception, SystemExit) as error:  # a foreign engine's failure is a result, not a crash of ours
            refusal = refused(self.engine, self.place, error)
        finally:
            while self.regions:
                self.regions.pop().__exit__(None, None, None)
        try:
            if unsupported is None:
                self.at_end(refusal is not None)
        except Unsupported as error:
            unsupported = str(error)
        except (Exception, SystemExit) as error:
            refusal = refusal or refused(self.engine, self.place, error)
        return Observation(self.sights, refusal, unsupported)

    # -- looking ---------------------------------------------------------------------------------------------------------

    def made(self, slot: int, tensor: Any) -> None:
        """A tensor was made or written: look at its flags."""
        self.slots[slot] = tensor
        if self.flags is not None:
            self.sights.append((self.place, slot, "flags", self.flags(tensor)))

    after_step: Callable[[], None] | None = None  # the quick schedule has nothing to look at after each step

    def accumulated(self) -> None:
        """A backward: look at the gradients that are new, unless the end, which looks at them all, is next.

        What is added to a gradient later, or fails to be, shows at the end.
        """
        if not self.sees_grad or self.place == self.last:
            return
        place, sights, slots = self.place, self.sights, self.slots
        gradient_of, value = self.engine.gradient, self.engine.value
        for slot in sorted(self.holders):
            gradient = gradient_of(slots[slot]) if slot in slots else None
            if gradient is not None:
                sights.append((place, slot, "grad", value(gradient)))
                self.holders.discard(slot)

    def zeroed(self, slot: int, tensor: Any) -> None:
        """A gradient was zeroed or forgotten: the next one is new."""
        self.holders.add(slot)
        if self.sees_grad:
            self.look_at_gradients([(slot, tensor)])

    def look_at_gradients(self, slots: Iterable[tuple[int, Any]]) -> None:
        """The accumulated gradients of these slots."""
        place, sights, gradient_of, value = self.place, self.sights, self.engine.gradient, self.engine.value
        for slot, tensor in slots:
            gradient = gradient_of(tensor)
            sights.append((place, slot, "grad", None if gradient is None else value(gradient)))

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
        if requires_grad:
            self.holders.add(out)
        self.made(out, self.make_leaf(step.values, step.shape, step.dtype, requires_grad))

    def apply(self, step: Apply) -> None:
        call = self.calls.get(step.op) or self.lacking(step.op)
        result = call(*map(self.slots.__getitem__, step.inputs), **step.params)
        if isinstance(result, (tuple, list)):
            for slot, tensor in zip(step.outs, result, strict=True):
                self.made(slot, tensor)
        else:
            self.made(step.outs[0], result)

    def mutate(self, step: Mutate) -> None:
        target = self.slots[step.target]
        call = self.calls.get(step.op) or self.lacking(step.op)
        call(target, *map(self.slots.__getitem__, step.inputs), **step.params)
        self.made(step.target, target)

    def lacking(self, op: str) -> NoReturn:
        """The engine has no such op."""
        raise Unsupported(f"{self.engine.name} has no {op}")

    def detach(self, step: Detach) -> None:
        self.made(step.out, self.engine.detach(self.slots[step.source]))

    def set_requires_grad(self, step: SetRequiresGrad) -> None:
        tensor = self.slots[step.target]
        self.engine.set_requires_grad(tensor, step.value)
        self.holders.add(step.target)
        self.made(step.target, tensor)

    def enter(self, step: Enter) -> None:
        region = self.engine.grad_mode(step.mode == "enable_grad")
        region.__enter__()
        self.regions.append(region)

    def exit(self, step: Exit) -> None:
        self.regions.pop().__exit__(None, None, None)

    def retain_grad(self, step: RetainGrad) -> None:
        self.engine.retain_grad(self.slots[step.target])
        self.holders.add(step.target)

    def backward(self, step: Backward) -> None:
        slots = self.slots
        roots = [slots[r] for r in step.roots]
        inputs = None
        if step.inputs is not None:
            inputs = [slots[i] for i in step.inputs]
            self.holders.update(step.inputs)
        gradients = self.gradients(step.gradients, roots, step.shape)
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
                self.made(slot, result)  # what grad() should not have accumulated stays, to be seen at the next look

    def gradients(self, given: tuple[Gradient, ...], roots: list[Any], shape: tuple[int, ...] | None) -> list[Any] | None:
        """Gradient arguments: fresh tensors each time, since an engine may keep what it is given."""
        if not given:
            return None
        engine = self.engine
        result: list[Any] = []
        for gradient, root in zip(given, roots, strict=True):
            if gradient is None:
                result.append(None)
            elif isinstance(gradient, int):
                result.append(engine.copy(self.slots[gradient]))
            else:
                result.append(engine.leaf(gradient, engine.shape(root) if shape is None else shape, engine.dtype(root), False))
        return result

    def read_grad(self, step: ReadGrad) -> None:
        gradient = self.engine.gradient(self.slots[step.source])
        if gradient is None:
            self.sights.append((self.place, step.out, "value", None))
        else:
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


class _Thorough(_Execution):
    """The same run, looking at everything after every step."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.versions: dict[int, int] = {}

    def made(self, slot: int, tensor: Any) -> None:
        self.slots[slot] = tensor

    def accumulated(self) -> None:
        """Nothing: `after_step` sees it all."""

    def zeroed(self, slot: int, tensor: Any) -> None:
        """Nothing: `after_step` sees it all."""

    def after_step(self) -> None:
        for slot, tensor in list(self.slots.items()):
            for facet in FACETS:
                if facet in self.facets:
                    self.sights.append((self.place, slot, facet, self.content(slot, facet, tensor)))
            del tensor
        if self.dropped:
            if any(reference() is not None for reference in self.dropped.values()):
                gc.collect()  # an engine may hold its graph by cycles; torch does not
            self.look_for_dropped()

    def content(self, slot: int, facet: str, tensor: Any) -> Any:
        """A facet's content; of the version only whether this step changed it."""
        try:
            content = look(self.engine, facet, tensor)
        except Unsupported:
            raise
        except (Exception, SystemExit) as error:  # torch refuses to tell the history of a view that was invalidated
            return f"refused: {refused(self.engine, self.place, error).category}"
        if facet != "version":
            return content
        before = self.versions.get(slot, content)
        self.versions[slot] = content
        return content != before

    def at_end(self, failed: bool) -> None:
        if failed:
            for slot, tensor in self.slots.items():
                if "value" in self.facets:
                    self.sights.append((self.place, slot, "value", self.engine.value(tensor)))


HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    Leaf: _Execution.leaf,
    Apply: _Execution.apply,
    Mutate: _Execution.mutate,
    Detach: _Execution.detach,
    SetRequiresGrad: _Execution.set_requires_grad,
    Enter: _Execution.enter,
    Exit: _Execution.exit,
    RetainGrad: _Execution.retain_grad,
    Backward: _Execution.backward,
    Grad: _Execution.grad,
    ReadGrad: _Execution.read_grad,
    ZeroGrad: _Execution.zero_grad,
    Drop: _Execution.drop,
}
