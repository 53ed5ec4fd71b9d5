"""The language of programs: a Program is a tuple of frozen Steps over numbered slots.

A slot holds one tensor. A step that makes a tensor names the slot it fills (`out`, `outs`), and no slot is filled twice, so a
step can be taken away without renumbering the others. Programs travel as canonical JSON: the same program, the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Union

import msgspec

FORMAT = 1

Dtype = Literal["float32", "float64", "int64", "bool"]

# What a region changes: whether operations are recorded, the thread that runs them, or what saving a tensor does. What nodes save
# in a `pack_` region is seen; unpacking gives it back as it is, as a copy made when packing, or doubled; or packing writes into
# it, which is refused.
Mode = Literal["no_grad", "enable_grad", "inference_mode", "thread", "pack_same", "pack_copy", "pack_double", "pack_write"]

# Where a hook hangs: on the gradient of a tensor, on a leaf after accumulation, on a grad_fn before or after it runs.
HookKind = Literal["tensor", "accumulated", "node_before", "node_after"]

# What a hook does besides being seen: nothing, give back the doubled gradient or one of another shape, take itself away, or
# forget the gradient that was accumulated.
HookAction = Literal["see", "double", "misshape", "remove", "forget"]


class InvalidProgram(ValueError):
    """A program that cannot be run; the message names the place as a JSON path, such as `$.steps[2].inputs[0]`."""


class Step(msgspec.Struct, frozen=True, tag_field="step", gc=False):
    """One statement of a program. `reads` and `makes` give the slots that it uses and fills."""

    def reads(self) -> tuple[int, ...]:
        """Slots that must be alive when the step runs."""
        return ()

    def makes(self) -> tuple[int, ...]:
        """Slots that the step fills."""
        return ()


class Leaf(Step, frozen=True, tag="leaf", omit_defaults=True, gc=False):
    """A tensor made from literal values, in row-major order."""

    out: int
    shape: tuple[int, ...]
    values: tuple[float, ...]
    dtype: Dtype = "float64"
    requires_grad: bool = False

    def makes(self) -> tuple[int, ...]:
        return (self.out,)


class Apply(Step, frozen=True, tag="apply", omit_defaults=True, gc=False):
    """A pure op or a view: fills `outs` from `inputs`."""

    op: str
    inputs: tuple[int, ...]
    outs: tuple[int, ...]
    params: dict[str, Any] = {}

    def reads(self) -> tuple[int, ...]:
        return self.inputs

    def makes(self) -> tuple[int, ...]:
        return self.outs


class Mutate(Step, frozen=True, tag="mutate", omit_defaults=True, gc=False):
    """An in-place op: writes into `target`."""

    op: str
    target: int
    inputs: tuple[int, ...] = ()
    params: dict[str, Any] = {}

    def reads(self) -> tuple[int, ...]:
        return (self.target, *self.inputs)


class Detach(Step, frozen=True, tag="detach", gc=False):
    """`out = source.detach()`."""

    out: int
    source: int

    def reads(self) -> tuple[int, ...]:
        return (self.source,)

    def makes(self) -> tuple[int, ...]:
        return (self.out,)


class SetRequiresGrad(Step, frozen=True, tag="requires_grad_", omit_defaults=True, gc=False):
    """`target.requires_grad_(value)`."""

    target: int
    value: bool = True

    def reads(self) -> tuple[int, ...]:
        return (self.target,)


class Enter(Step, frozen=True, tag="enter", gc=False):
    """Opens a region in a grad mode; the matching Exit closes it."""

    mode: Mode


class Exit(Step, frozen=True, tag="exit", gc=False):
    """Closes the innermost region."""


class RetainGrad(Step, frozen=True, tag="retain_grad", gc=False):
    """`target.retain_grad()`."""

    target: int

    def reads(self) -> tuple[int, ...]:
        return (self.target,)


# The gradient of one root: None (implicit ones), the values of a fresh tensor of the root's shape, or the slot of a tensor.
Gradient = Union[None, int, tuple[float, ...]]


class Backward(Step, frozen=True, tag="backward", omit_defaults=True, gc=False):
    """`torch.autograd.backward(roots, gradients, ...)`: accumulates into the leaves.

    `gradients` is empty (all implicit) or has one entry a root; `retain_graph=None` follows `create_graph`; `inputs=None`
    accumulates into every leaf. `shape` gives the shape of literal gradients where it is not the root's (an error case).
    Gradients in slots are copied, unless they are `handed` over themselves.
    """

    roots: tuple[int, ...]
    gradients: tuple[Gradient, ...] = ()
    retain_graph: bool | None = None
    create_graph: bool = False
    inputs: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None
    handed: bool = False

    def reads(self) -> tuple[int, ...]:
        return (*self.roots, *(self.inputs or ()), *(g for g in self.gradients if isinstance(g, int)))


class Grad(Step, frozen=True, tag="grad", omit_defaults=True, gc=False):
    """`outs = torch.autograd.grad(roots, inputs, gradients, ...)`: returns gradients and accumulates nothing."""

    outs: tuple[int, ...]
    roots: tuple[int, ...]
    inputs: tuple[int, ...]
    gradients: tuple[Gradient, ...] = ()
    retain_graph: bool | None = None
    create_graph: bool = False
    allow_unused: bool = False

    def reads(self) -> tuple[int, ...]:
        return (*self.roots, *self.inputs, *(g for g in self.gradients if isinstance(g, int)))

    def makes(self) -> tuple[int, ...]:
        return self.outs


class ReadGrad(Step, frozen=True, tag="read_grad", gc=False):
    """`out = source.grad`, the very tensor."""

    out: int
    source: int

    def reads(self) -> tuple[int, ...]:
        return (self.source,)

    def makes(self) -> tuple[int, ...]:
        return (self.out,)


class ZeroGrad(Step, frozen=True, tag="zero_grad", omit_defaults=True, gc=False):
    """`target.grad = None`, or `target.grad.zero_()` where it is set and `set_to_none` is false."""

    target: int
    set_to_none: bool = True

    def reads(self) -> tuple[int, ...]:
        return (self.target,)


class AssignGrad(Step, frozen=True, tag="assign_grad", gc=False):
    """`target.grad = source`, the very tensor."""

    target: int
    source: int

    def reads(self) -> tuple[int, ...]:
        return (self.target, self.source)


class SetGradMode(Step, frozen=True, tag="set_grad_enabled", gc=False):
    """`torch.set_grad_enabled(value)` as a call: it holds until the region around it ends, or the program."""

    value: bool


class Export(Step, frozen=True, tag="export", gc=False):
    """`target.numpy()`: the values leave the engine."""

    target: int

    def reads(self) -> tuple[int, ...]:
        return (self.target,)


class Hook(Step, frozen=True, tag="hook", omit_defaults=True, gc=False):
    """Registers a hook; `out` is the handle, a slot that holds no tensor. Every call of the hook is seen."""

    out: int
    target: int
    kind: HookKind = "tensor"
    action: HookAction = "see"

    def reads(self) -> tuple[int, ...]:
        return (self.target,)

    def makes(self) -> tuple[int, ...]:
        return (self.out,)


class Unhook(Step, frozen=True, tag="unhook", gc=False):
    """`handle.remove()`."""

    handle: int

    def reads(self) -> tuple[int, ...]:
        return (self.handle,)


class Drop(Step, frozen=True, tag="drop", gc=False):
    """`del target`: the program's own reference goes; what remains alive is observed by a weak reference."""

    target: int

    def reads(self) -> tuple[int, ...]:
        return (self.target,)


AnyStep = Union[
    Leaf, Apply, Mutate, Detach, SetRequiresGrad, Enter, Exit, RetainGrad, Backward, Grad, ReadGrad, ZeroGrad, AssignGrad,
    SetGradMode, Export, Hook, Unhook, Drop,
]  # fmt: skip


class Program(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Steps in order. `exact` promises values that every dtype of the program holds without rounding."""

    steps: tuple[AnyStep, ...]
    exact: bool = False
    format: int = FORMAT

    CAPACITY: ClassVar[int] = 10_000

    def __iter__(self) -> Iterator[AnyStep]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Program)


def to_json(program: Program) -> str:
    """Canonical JSON: keys in order, defaults left out, floats in their shortest form."""
    return _encoder.encode(program).decode()


def from_json(text: str | bytes) -> Program:
    """Read a program and check its structure.

    Raises:
        InvalidProgram: with the place, for example `expected `int`, got `str` - at `$.steps[0].out``.
    """
    try:
        program = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidProgram(str(error)) from None
    if program.format != FORMAT:
        raise InvalidProgram(f"format {program.format} is not the format {FORMAT} that this version reads - at `$.format`")
    check_structure(program)
    return with_tuples(program)


def with_tuples(program: Program) -> Program:
    """The program with tuples for the lists that JSON makes of them, so that it equals the one that was written."""
    if not any(isinstance(v, list) for step in program.steps for v in getattr(step, "params", {}).values()):
        return program
    return msgspec.structs.replace(program, steps=tuple(_with_tuples_in(step) for step in program.steps))


def _with_tuples_in(step: AnyStep) -> AnyStep:
    if not isinstance(step, (Apply, Mutate)):
        return step
    params = {name: tuple(v) if isinstance(v, list) else v for name, v in step.params.items()}
    return msgspec.structs.replace(step, params=params)


def as_builtins(program: Program) -> Any:
    """The program as plain dicts and lists, for embedding in a larger document."""
    return msgspec.to_builtins(program, order="deterministic")


def from_builtins(document: Any) -> Program:
    """The inverse of `as_builtins`, as strict as `from_json`."""
    return from_json(msgspec.json.encode(document))


def fingerprint(program: Program) -> str:
    """Sixteen hexadecimal digits that name a program by its canonical JSON."""
    return hashlib.sha256(_encoder.encode(program)).hexdigest()[:16]


def check_structure(program: Program) -> None:
    """Slots are filled once, before they are read and not after they are dropped; regions are balanced.

    Raises:
        InvalidProgram: naming the first step that breaks this.
    """
    if len(program.steps) > Program.CAPACITY:
        raise InvalidProgram(f"{len(program.steps)} steps are more than {Program.CAPACITY} - at `$.steps`")
    alive: set[int] = set()
    filled: set[int] = set()
    handles: set[int] = set()
    depth = 0
    for place, step in enumerate(program.steps):
        for slot in step.reads():
            if slot not in alive:
                state = "was dropped" if slot in filled else "is not filled"
                raise InvalidProgram(f"slot {slot} {state} before this step - at `$.steps[{place}]`")
            if isinstance(step, Unhook) != (slot in handles):
                held = "the handle of a hook" if slot in handles else "no handle of a hook"
                raise InvalidProgram(f"slot {slot} holds {held} - at `$.steps[{place}]`")
        for slot in step.makes():
            if slot in filled or slot < 0:
                raise InvalidProgram(f"slot {slot} is already filled or negative - at `$.steps[{place}]`")
            filled.add(slot)
            alive.add(slot)
        if isinstance(step, Hook):
            handles.add(step.out)
        if isinstance(step, Drop):
            alive.discard(step.target)
        elif isinstance(step, Unhook):
            alive.discard(step.handle)
        depth += isinstance(step, Enter) - isinstance(step, Exit)
        if depth < 0:
            raise InvalidProgram(f"exit without a region - at `$.steps[{place}]`")
    if depth:
        raise InvalidProgram("a region is never closed - at `$.steps`")


def renumber(program: Program) -> Program:
    """The same program with slots numbered 0, 1, 2 ... in the order in which they are filled."""
    names: dict[int, int] = {}
    for step in program.steps:
        for slot in step.makes():
            names[slot] = len(names)
    return Program(tuple(rename(step, names) for step in program.steps), program.exact)


_SLOT_FIELDS = ("out", "outs", "inputs", "target", "source", "roots", "gradients", "handle")


def rename(step: AnyStep, names: dict[int, int]) -> AnyStep:
    """The step with every slot s replaced by names.get(s, s)."""
    changes: dict[str, Any] = {}
    for field in _SLOT_FIELDS:
        value = getattr(step, field, None)
        if isinstance(value, int):
            changes[field] = names.get(value, value)
        elif isinstance(value, tuple):
            changes[field] = tuple(names.get(v, v) if isinstance(v, int) else v for v in value)
    return msgspec.structs.replace(step, **changes) if changes else step
