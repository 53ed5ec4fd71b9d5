"""Which ops of the catalogue a module with torch-like names has, and how it spells them.

Each candidate is called on the few small operands of `expected.py`. What decides is what it computes, never its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from conformance.catalog import CATALOG, MISBEHAVING, Op
from conformance.catalog.code import operands_of
from conformance.engines.attempts import Failed, attempt
from conformance.engines.expected import Example, examples
from conformance.engines.op_spellings import Homes, candidates
from conformance.engines.probing import Probe
from conformance.script import nested
from conformance.slots import FLOATS
from conformance.tolerance import flatten, structure

CLOSE = 1e-3  # relative: an op is found by what it computes; its precision is judged later
DEEPEST = 2  # how far below the module functions are looked for
FUNCTIONS = frozenset(op.name for op in CATALOG.values() if op.chapter == "function")
KINDS = {"int64": int, "bool": bool}
RAISES = "raises for some operands"
OTHERWISE = "gives other numbers than torch"


class OpProbe:
    """Finds the ops of a probe's module. `found` has their code, `doubtful` what is not right with some."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.homes = homes_of(probe.module)
        self.found: dict[str, str] = {}
        self.doubtful: dict[str, str] = {}

    def find(self) -> None:
        """Try every op of the catalogue."""
        for name, rows in examples().items():
            known = [e for e in rows if self.is_within(e)]
            if known and (not CATALOG[name].setup or self.set_up(CATALOG[name].setup)):
                self.find_op(CATALOG[name], known)
        for name in MISBEHAVING:  # which are there to be refused, and so compute nothing
            if self.found.keys() & FUNCTIONS and self.set_up(CATALOG[name].setup):
                self.found[name] = CATALOG[name].torch

    def is_within(self, example: Example) -> bool:
        """Whether the engine has tensors of these dtypes and dimensions."""
        maker = self.probe.maker
        kinds = {dtype for dtype, _, _ in example.leaves} - set(FLOATS)
        shapes = [shape for _, shape, _ in example.leaves] + [shape for shape, _ in example.results]
        return kinds <= set(maker.dtypes) and all(len(shape) in maker.ranks for shape in shapes)

    def set_up(self, code: str) -> bool:
        """Run what ops need beforehand, such as classes of custom functions."""
        known = self.probe.compiled
        if code not in known:
            known[code] = not isinstance(attempt(exec, code, self.probe.namespace), Failed)
        return bool(known[code])

    def find_op(self, op: Op, rows: Sequence[Example]) -> None:
        """The first spelling that computes what torch does; or else torch's own, if it does so for some operands, or if it gives
        tensors of the right shapes: an op that computes something else is to fail, not to be passed over."""
        doubtful: dict[str, str] = {}
        operands = operands_of(op.torch)
        for code, own in candidates(op.name, op.torch, self.homes, self.is_method):
            if operands_of(code) != operands:
                continue
            verdicts = {self.verdict(code, op, example) for example in rows}
            if verdicts == {"right"}:
                self.found[op.name] = code
                return
            if op.inplace:
                continue  # what changes nothing would pass for it
            if own and "right" in verdicts and "shape" not in verdicts:
                doubtful.setdefault(RAISES, code)
            elif own and "raised" not in verdicts:
                doubtful.setdefault(OTHERWISE, code)
        for doubt in (RAISES, OTHERWISE):
            if doubt in doubtful:
                self.found[op.name], self.doubtful[op.name] = doubtful[doubt], doubt
                return

    def is_method(self, name: str) -> bool:
        """Whether tensors have it."""
        return hasattr(self.probe.maker.type, name)

    def verdict(self, code: str, op: Op, example: Example) -> str:
        """What the code does on these operands: "right", only the "shape" is right, or it "raised" or gave no such tensors."""
        probe = self.probe
        operands = [probe.leaf(_numbers(*leaf), requires_grad=False, dtype=leaf[0]) for leaf in example.leaves]
        params = {name: tuple(value) if isinstance(value, list) else value for name, value in example.params.items()}
        result = probe.run(code, *operands, **params)
        if isinstance(result, Failed):
            return "raised"
        results = [operands[0]] if op.inplace else list(result) if isinstance(result, (tuple, list)) else [result]
        if len(results) != len(example.results) or not all(map(probe.is_tensor, results)):
            return "raised"
        pairs = [(_numbers("", *expected), probe.value(r)) for expected, r in zip(example.results, results, strict=True)]
        if any(not _are_numbers(seen) or structure(seen) != structure(numbers) for numbers, seen in pairs):
            return "raised"
        before = _numbers(*example.leaves[0])
        if (
            op.inplace
            and pairs[0][1] == before
            and not (structure(before) == structure(pairs[0][0]) and _close(pairs[0][0], before))
        ):
            return "raised"  # it changed nothing
        return "right" if all(_close(numbers, seen) for numbers, seen in pairs) else "shape"


def homes_of(module: ModuleType) -> Homes:
    """The module and its own modules below, by the code that reaches them: functions may live in any."""
    top = module.__name__.partition(".")[0]
    places = {"torch": module}
    layer = {"torch": module}
    for _ in range(DEEPEST):
        known = list(places.values())
        layer = {
            f"{code}.{name}": below
            for code, home in layer.items()
            for name, below in _modules_of(home, top)
            if below not in known
        }
        places |= layer
    return [(code, frozenset(name for name, value in vars(home).items() if callable(value))) for code, home in places.items()]


def _modules_of(home: ModuleType, top: str) -> Iterator[tuple[str, ModuleType]]:
    """The modules of the package that a module holds."""
    for name, value in sorted(vars(home).items()):
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] == top:
            yield name, value


def _numbers(dtype: str, shape: Sequence[int], values: Sequence[float]) -> Any:
    """Values as nested lists of the numbers of their dtype."""
    return nested(list(map(KINDS.get(dtype, float), values)), shape)


def _are_numbers(values: Any) -> bool:
    """Whether nested lists hold real numbers alone."""
    return all(isinstance(number, (int, float)) for number in flatten(values))


def _close(expected: Any, values: Any) -> bool:
    """Whether numbers of one structure agree, roughly."""
    pairs = zip(flatten(expected), flatten(values), strict=True)
    return all(x == y or math.isclose(x, y, rel_tol=CLOSE, abs_tol=CLOSE) for x, y in pairs)
