"""Which forward steps of a program an engine may take together, as one function of what they read.

An engine that compiles is asked for whole segments, since what it does to one op alone says little of what it does to a function.
Where a segment ends is a rule of the program alone, so that the oracle can look at the same places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Union

from conformance.catalog import CATALOG
from conformance.program import AnyStep, Apply, Backward, Detach, Grad, Hook, Leaf, Mutate, Program, ReadGrad, RetainGrad
from conformance.scope import Scope
from conformance.slots import Storage

Forward = Union[Apply, Mutate, Detach]


class Segment(NamedTuple):
    """Forward steps in order, the slots that they read from outside, and those that they fill."""

    steps: tuple[Forward, ...]
    outside: tuple[int, ...]
    filled: tuple[int, ...]

    @property
    def written(self) -> tuple[int, ...]:
        """The slots that its in-place ops write into."""
        return tuple(dict.fromkeys(step.target for step in self.steps if isinstance(step, Mutate)))

    @property
    def ops(self) -> tuple[str, ...]:
        """The ops that it applies."""
        return tuple(step.op for step in self.steps if not isinstance(step, Detach))

    def reads(self) -> tuple[int, ...]:
        """What a step would say of it."""
        return self.outside

    def makes(self) -> tuple[int, ...]:
        """What a step would say of it."""
        return self.filled


class Pending(NamedTuple):
    """In the place of a step that is taken later, with its segment."""

    def reads(self) -> tuple[int, ...]:
        """Nothing."""
        return ()

    def makes(self) -> tuple[int, ...]:
        """Nothing."""
        return ()


def parted(program: Program) -> Program:
    """The program with a Segment in the place of its last step, and Pending in the places of the others.

    Leaves are made where they stand. A segment ends before any step that is no forward one; before a write into memory that an op
    has read or kept, which is the caller's, after the function; and after a tensor that the program differentiates by, hooks, or
    keeps the gradient of, since a function passes no gradients between its own results.
    """
    own = set(_differentiated_by(program.steps))
    scope = Scope()
    steps: list[AnyStep | Segment | Pending] = list(program.steps)
    kept: list[Storage] = []
    read: set[int] = set()  # the memory that ops have read, by identity: `kept` keeps it from being reused
    open_: list[int] = []

    def close() -> None:
        if open_:
            steps[open_[-1]] = _segment([program.steps[place] for place in open_])  # type: ignore[misc]
            for place in open_[:-1]:
                steps[place] = Pending()
            open_.clear()

    for place, step in enumerate(program.steps):
        if isinstance(step, Mutate) and step.target in scope.slots and id(scope.slots[step.target].storage) in read:
            close()
        elif isinstance(step, (Apply, Mutate, Detach)):
            open_.append(place)
        elif not isinstance(step, Leaf):
            close()
        scope.apply(step)
        if isinstance(step, (Apply, Mutate)):
            used = [scope.slots[slot].storage for slot in _used(step) if slot in scope.slots]
            kept += used
            read.update(map(id, used))
        if own.intersection(step.makes()):
            close()
    close()
    return Program(tuple(steps), program.exact)  # type: ignore[arg-type]


def _used(step: Apply | Mutate) -> tuple[int, ...]:
    """The slots that an op reads as numbers or keeps: not what it only gives a view of, nor what it overwrites."""
    op = CATALOG[step.op]
    if isinstance(step, Mutate):
        return step.inputs
    return () if op.view else (*step.inputs, *(step.outs if any(which == -1 for which, _ in op.saved) else ()))


def _segment(steps: Sequence[Forward]) -> Segment:
    """These steps as one."""
    filled = tuple(slot for step in steps for slot in step.makes())
    outside = dict.fromkeys(slot for step in steps for slot in step.reads() if slot not in filled)
    return Segment(tuple(steps), tuple(outside), filled)


def _differentiated_by(steps: Iterable[AnyStep]) -> Iterable[int]:
    """The slots whose gradients the program asks for by name."""
    for step in steps:
        if isinstance(step, Grad) or (isinstance(step, Backward) and step.inputs is not None):
            yield from step.inputs or ()
        elif isinstance(step, (RetainGrad, Hook)):
            yield step.target
        elif isinstance(step, ReadGrad):
            yield step.source
