"""What every op saves for backward, measured from outside.

    python -m conformance.saved MODULE            print the table of a torch-like module (torch, reference_engine, ...)
    python -m conformance.saved MODULE OTHER      print where the tables of two modules differ; exit 1 if they do
    python -m conformance.saved MODULE --write docs/saved_tensors.md

An op that saves a tensor checks in backward that the tensor was not written to in between. So each input and each output
is written to, one at a time, between forward and backward (with its own values, so that nothing else changes); where
backward then raises, the tensor was saved. This is done for every combination of requires_grad.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .saved_calls import BINARY, CALLS, UNARY

COLUMNS = (
    "op", "group", "requires_grad", "saved_inputs", "saved_outputs", "differentiable_twice_without_retain",
    "version_error_even_when_only_grad_of", "last_node_or_note",
)  # fmt: skip
SEED = 5


class Input(NamedTuple):
    """One tensor argument: how it is drawn, and whether it may require grad."""

    name: str
    kind: str
    shape: tuple[int, ...]
    may_require_grad: bool


class Call(NamedTuple):
    """One row of the table of calls."""

    name: str
    group: str
    inputs: tuple[Input, ...]
    expression: str


class Saved(NamedTuple):
    """What one call saves under one combination of requires_grad: the columns of the table, as text."""

    op: str
    group: str
    requires_grad: str
    saved_inputs: str
    saved_outputs: str
    twice: str
    also: str
    note: str


# ---- the table of calls ---------------------------------------------------------------------------------------------


def _input(text: str) -> Input:
    name, _, what = text.partition(":")
    fixed = what.startswith("!")
    kind = what.lstrip("!")
    return Input(name, kind[0], tuple(int(d) for d in kind[1:]), not fixed and kind[0] not in "ib")


def _simple(text: str, group: str) -> Iterator[Call]:
    """Lines `names | kinds`: ops called by their own name with one or two tensors."""
    for line in text.strip().splitlines():
        names, _, kinds = line.partition(" | ")
        inputs = tuple(_input(f"{n}:{k}") for n, k in zip(("self", "other"), kinds.split(), strict=False))
        for name in names.split():
            function = name if name.startswith("F.") else f"torch.{name}"
            kept = "activation" if name.startswith("F.") else group
            yield Call(name, kept, inputs, f"{function}({', '.join(i.name for i in inputs)})")


def parse(line: str, group: str) -> Call:
    """One line `name | inputs | expression`."""
    name, inputs, expression = (part.strip() for part in line.split(" | ", 2))
    return Call(name, group, tuple(_input(i) for i in inputs.split()), expression)


def calls() -> list[Call]:
    """All calls of the table."""
    out = [*_simple(UNARY, "unary"), *_simple(BINARY, "binary")]
    for group, text in CALLS.items():
        out += [parse(line, group) for line in text.strip().splitlines()]
    return out


# ---- drawing ----------------------------------------------------------------------------------------------------------


def draw(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """An array of the kind (see saved_calls)."""
    n = int(np.prod(shape))
    if kind == "i":
        return (np.arange(n) * 2 % 3).reshape(shape)
    if kind == "b":
        return (np.arange(n) % 3 != 1).reshape(shape)
    unit = rng.permutation(np.linspace(0.05, 0.95, n)).reshape(shape) + rng.uniform(-0.01, 0.01, shape)
    if kind in "sml":
        eye = np.eye(shape[-1])
        return {"s": (unit + unit.T) / 2 + eye * shape[-1], "m": unit + eye * 2, "l": np.tril(unit) + eye}[kind]
    if kind == "d":
        return unit / unit.sum(-1, keepdims=True)
    if kind == "z":
        return np.where(unit > 0.5, 1.0, -1.0)
    scale, start = {"r": (4.0, -2.0), "p": (1.8, 0.2), "u": (1.8, -0.9), "q": (1.0, 0.0), "a": (1.0, 1.1)}[kind]
    return unit * scale + start


# ---- measuring ----------------------------------------------------------------------------------------------------------


class _Run:
    """One call, run anew for each question."""

    def __init__(self, torch: Any, call: Call, needed: tuple[str, ...]) -> None:
        self.torch, self.call, self.needed = torch, call, needed
        functional = importlib.import_module(torch.__name__ + ".nn.functional")
        names = ", ".join(i.name for i in call.inputs)
        self.function: Callable[..., Any] = eval(  # the expressions are our own table's
            f"lambda {names}: {call.expression}", {"torch": torch, "F": functional, "sum": sum, "float": float}
        )
        rng = np.random.default_rng(SEED)
        self.values = [draw(i.kind, i.shape, rng) for i in call.inputs]
        self.again()

    def inputs_named(self, name: str) -> Any:
        """The input of the latest run."""
        return self.inputs[name]

    def output_number(self, nr: int) -> Any:
        """The output of the latest run."""
        return self.outputs[nr]

    def again(self) -> None:
        """Forward, from fresh inputs; those that require grad are no leaves, so that they may be written to."""
        torch = self.torch
        torch.manual_seed(SEED)
        self.leaves, self.inputs = {}, {}
        for i, v in zip(self.call.inputs, self.values, strict=True):
            t = torch.tensor(np.asarray(v))
            if i.name in self.needed:
                self.leaves[i.name] = t.requires_grad_()
                t = t.clone()
            self.inputs[i.name] = t
        out = self.function(*self.inputs.values())
        self.outputs = list(out) if isinstance(out, (tuple, list)) else [out]

    def backward(self, wanted: tuple[str, ...], *, retain: bool = False) -> None:
        """Gradients of the sum of all outputs."""
        total = sum(o.sum() for o in self.outputs if o.requires_grad)
        self.torch.autograd.grad(total, [self.leaves[w] for w in wanted], allow_unused=True, retain_graph=retain)

    def fails(self, tensor: Any, wanted: tuple[str, ...]) -> bool:
        """Whether backward notices that the tensor was written to."""
        try:
            tensor().detach().copy_(tensor().detach().clone())
        except RuntimeError:  # an expanded output cannot be written: count the write only
            self.torch.autograd.graph.increment_version(tensor())
        try:
            self.backward(wanted)
        except RuntimeError as error:
            if "modified by an inplace" not in str(error):
                raise
            return True
        return False


def _saves(run: _Run, tensor: Callable[[], Any], wanted: tuple[str, ...]) -> bool:
    run.again()
    return run.fails(tensor, wanted)


def measure(torch: Any, call: Call, needed: tuple[str, ...]) -> Saved:
    """What the call saves if the inputs named in `needed` require grad."""
    shown = ",".join(f"{i.name}={'T' if i.name in needed else 'F'}" for i in call.inputs)
    run = _Run(torch, call, needed)
    try:
        run.backward(needed)
    except (RuntimeError, NotImplementedError) as error:
        return Saved(call.name, call.group, shown, "-", "-", "-", "-", f"backward raises: {str(error).splitlines()[0]}")
    inputs = [n for n in run.inputs if _saves(run, partial(run.inputs_named, n), needed)]
    count = len(run.outputs)
    outputs = [k for k in range(count) if _saves(run, partial(run.output_number, k), needed)]
    also = []
    if len(needed) > 1:
        for n in inputs:
            by = [w for w in needed if _saves(run, partial(run.inputs_named, n), (w,))]
            if by:
                also.append(f"{n}:<-{'+'.join(by)}")
    run.again()
    run.backward(needed)
    try:
        run.backward(needed)
        twice = "yes"
    except RuntimeError:
        twice = "no"
    names = ["result"] if count == 1 else [f"out{k}" for k in range(count)]
    node = next((o.grad_fn for o in reversed(run.outputs) if o.grad_fn is not None), None)
    return Saved(
        call.name, call.group, shown, ",".join(inputs) or "none", ",".join(names[k] for k in outputs) or "none", twice,
        "; ".join(also), node.name() if node is not None else "None",
    )  # fmt: skip


def combinations(call: Call) -> list[tuple[str, ...]]:
    """Every choice of inputs that require grad, the smallest first."""
    able = [i.name for i in call.inputs if i.may_require_grad]
    return [c for n in range(1, len(able) + 1) for c in itertools.combinations(able, n)]


def table(torch: Any, only: set[str] | None = None) -> tuple[list[Saved], dict[str, str]]:
    """The measured rows, and why each op that could not be called at all has none."""
    rows: list[Saved] = []
    missing: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in calls():
            if only is not None and call.name not in only:
                continue
            try:
                rows += [measure(torch, call, needed) for needed in combinations(call)]
            except Exception as error:  # a module under test may fail in any way
                missing[call.name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return rows, missing


# ---- comparing and showing ------------------------------------------------------------------------------------------


def read(text: str) -> list[Saved]:
    """The rows of a table in TSV with COLUMNS as its first line."""
    lines = text.splitlines()
    assert tuple(lines[0].split("\t")) == COLUMNS, "another table was expected"
    return [Saved(*line.split("\t")) for line in lines[1:]]


def differences(rows: list[Saved], others: list[Saved]) -> list[str]:
    """Where two tables disagree on what both have, as sentences."""
    known = {(r.op, r.requires_grad): r for r in others}
    out = []
    for r in rows:
        o = known.get((r.op, r.requires_grad))
        if o is None:
            continue
        for field, column in zip(Saved._fields, COLUMNS, strict=True):
            a, b = getattr(r, field), getattr(o, field)
            if a != b and not (field == "note" and a.startswith("backward raises") and b.startswith("backward raises")):
                out.append(f"{r.op} [{r.requires_grad}] {column}: {a or '(empty)'}, not {b or '(empty)'}")
    return out


def tsv(rows: list[Saved]) -> str:
    """The table as text, one line a row."""
    return "\n".join("\t".join(r) for r in (COLUMNS, *rows)) + "\n"


def markdown(rows: list[Saved], missing: dict[str, str]) -> str:
    """The table as a page of the docs."""
    out = [
        "# What each op saves for backward",
        "",
        "Measured on the reference engine by `python -m conformance.saved reference_engine --write docs/saved_tensors.md`:",
        "each tensor was written to between forward and backward, and is listed as saved if backward then raised.",
        "`twice`: backward may run twice without `retain_graph`. `also`: with several inputs requiring grad, the error",
        "comes even if only the gradient named after the arrow is asked for.",
    ]
    for group in dict.fromkeys(r.group for r in rows):
        out += ["", f"## {group}", "", "| op | requires grad | inputs | outputs | twice | also | last node |"]
        out.append("|---|---|---|---|---|---|---|")
        for r in rows:
            if r.group == group:
                cells = (r.op, r.requires_grad, r.saved_inputs, r.saved_outputs, r.twice, r.also, r.note)
                out.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    if missing:
        out += ["", "## Not callable", "", *(f"- `{name}`: {why}" for name, why in missing.items())]
    return "\n".join(out) + "\n"


def main(arguments: list[str]) -> int:
    """The command; see the top of the file."""
    target = None
    if "--write" in arguments:
        at = arguments.index("--write")
        target, arguments = arguments[at + 1], arguments[:at]
    if not arguments or len(arguments) > 2:
        print(__doc__)
        return 2
    rows, missing = table(importlib.import_module(arguments[0]))
    for name, why in missing.items():
        print(f"{name} could not be called: {why}", file=sys.stderr)
    if target is not None:
        with open(target, "w", encoding="utf-8") as file:
            file.write(markdown(rows, missing))
    elif len(arguments) == 2:
        found = differences(rows, table(importlib.import_module(arguments[1]))[0])
        print("\n".join(found))
        return int(bool(found))
    else:
        print(tsv(rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
