"""Programs of pipeline parallelism: stages, microbatches, a schedule, and weights updated while microbatches are in flight.

Stage s of microbatch m reads the detached output of stage s-1 as a leaf of its own, as a stage on another device would. Its
backward is seeded with the gradient that the next stage left on that leaf. The weights are updated in place under no_grad:
after all microbatches (GPipe, 1F1B with a flush) or after each backward (PipeDream). An update between a microbatch's forward
and its backward changes a weight that the forward saved, and backward must refuse; with weight stashing each forward works on a
copy of the weight, and nothing is refused.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from conformance.catalog import size
from conformance.chooser import Chooser, pick
from conformance.program import (
    AnyStep,
    Apply,
    Backward,
    Detach,
    Enter,
    Exit,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    SetRequiresGrad,
)
from conformance.values import OFFSETS, values

Schedule = Literal["gpipe", "1f1b", "pipedream"]


class Event(NamedTuple):
    """One cell of a schedule: forward (F) or backward (B) of a microbatch at a stage, or the update (U) of its weight."""

    kind: str
    stage: int
    microbatch: int


def schedule(kind: Schedule, stages: int, microbatches: int) -> list[Event]:
    """The events of a schedule in an order that respects their dependencies.

    Source: GPipe (Huang et al. 2019), PipeDream and its 1F1B order (Narayanan et al. 2019).
    """
    events: list[Event] = []
    if kind == "gpipe":
        events += [Event("F", s, m) for m in range(microbatches) for s in range(stages)]
        events += [Event("B", s, m) for m in reversed(range(microbatches)) for s in reversed(range(stages))]
    else:
        in_flight = min(stages, microbatches)
        events += [Event("F", s, m) for m in range(in_flight) for s in range(stages)]
        for m in range(microbatches):
            for s in reversed(range(stages)):
                events.append(Event("B", s, m))
                if kind == "pipedream":
                    events.append(Event("U", s, m))
            if m + in_flight < microbatches:
                events += [Event("F", s, m + in_flight) for s in range(stages)]
    if kind != "pipedream":
        events += [Event("U", s, microbatches - 1) for s in range(stages)]
    return events


# How a stage computes: op, whether it saves its weight.
LAYERS = ("mul", "matmul", "add", "sub")


class _Builder:
    """Emits the steps of a schedule."""

    def __init__(self, stages: int, layer: str, *, stash: bool, dtype: str, offset: int) -> None:
        self.steps: list[AnyStep] = []
        self.next = 0
        self.stash = stash
        self.layer = layer
        self.shape = (2, 2)
        self.dtype = dtype
        self.offset = offset
        self.weights = [self.leaf(requires_grad=True) for _ in range(stages)]
        self.inputs: dict[tuple[int, int], int] = {}
        self.outputs: dict[tuple[int, int], int] = {}

    def slot(self) -> int:
        self.next += 1
        return self.next - 1

    def leaf(self, *, requires_grad: bool) -> int:
        out = self.slot()
        numbers = values("integers", (self.offset + out) % OFFSETS, size(self.shape))
        self.steps.append(Leaf(out, self.shape, numbers, self.dtype, requires_grad))  # type: ignore[arg-type]
        return out

    def forward(self, stage: int, microbatch: int) -> None:
        if stage == 0:
            entry = self.leaf(requires_grad=False)
        else:
            entry = self.slot()
            self.steps += [Detach(entry, self.outputs[stage - 1, microbatch]), SetRequiresGrad(entry)]
        weight = self.weights[stage]
        if self.stash:
            copy = self.slot()
            self.steps.append(Apply("clone", (weight,), (copy,)))
            weight = copy
        out = self.slot()
        self.steps.append(Apply(self.layer, (entry, weight), (out,)))
        self.inputs[stage, microbatch], self.outputs[stage, microbatch] = entry, out

    def backward(self, stage: int, microbatch: int, last: bool) -> None:
        root = self.outputs[stage, microbatch]
        if last:
            self.steps.append(Backward((root,), (values("integers", self.offset % OFFSETS, size(self.shape)),)))
        else:
            seed = self.slot()
            self.steps += [ReadGrad(seed, self.inputs[stage + 1, microbatch]), Backward((root,), (seed,))]

    def update(self, stage: int) -> None:
        gradient = self.slot()
        self.steps += [
            ReadGrad(gradient, self.weights[stage]),
            Enter("no_grad"),
            Mutate("add_alpha_", self.weights[stage], (gradient,), {"alpha": -3}),
            Exit(),
        ]


def build(kind: Schedule, stages: int, microbatches: int, layer: str, *, stash: bool, dtype: str, offset: int = 0) -> Program:
    """The program of a schedule."""
    builder = _Builder(stages, layer, stash=stash, dtype=dtype, offset=offset)
    for event in schedule(kind, stages, microbatches):
        if event.kind == "F":
            builder.forward(event.stage, event.microbatch)
        elif event.kind == "B":
            builder.backward(event.stage, event.microbatch, event.stage == stages - 1)
        else:
            builder.update(event.stage)
    return Program(tuple(builder.steps))


class Plan(NamedTuple):
    """All that a pipeline program is made from."""

    kind: Schedule
    stages: int
    microbatches: int
    layer: str
    stash: bool
    dtype: str
    offset: int

    def program(self) -> Program:
        """The program."""
        kind, stages, microbatches, layer, stash, dtype, offset = self
        return build(kind, stages, microbatches, layer, stash=stash, dtype=dtype, offset=offset)


def plan(chooser: Chooser) -> Plan:
    """A random schedule."""
    return Plan(
        pick(chooser, ("pipedream", "gpipe", "1f1b")),
        2 + chooser.below(2),
        2 + chooser.below(2),
        pick(chooser, LAYERS),
        stash=chooser.below(2) == 1,
        dtype=pick(chooser, ("float64", "float32")),
        offset=chooser.below(OFFSETS),
    )
