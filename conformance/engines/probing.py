"""Finds out what a module with torch-like names has, and how it spells it, by trying the tables of `spellings.py`.

Every capability is tried on small known numbers. What decides is the forward pass and whether the call runs at all, never a
gradient: an engine whose backward is wrong has a backward.
"""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from conformance.catalog.code import compile_code, operands_of
from conformance.engines import spellings
from conformance.engines.attempts import Failed, attempt
from conformance.errors import EngineUnavailable

NUMBERS = [1.5, -2.0, 3.25]
MATRIX = [[1.5, -2.0, 3.25], [0.5, 4.0, -1.0]]
BY_RANK: dict[int, Any] = {0: 2.5, 1: NUMBERS, 2: MATRIX, 3: [MATRIX, MATRIX], 4: [[MATRIX, MATRIX]]}
FINE = 1.0 + 2.0**-40  # what float32 rounds to 1
BUILTINS = {name: getattr(builtins, name) for name in ("tuple", "slice", "abs", "float", "int", "bool", "list")}


class Maker(NamedTuple):
    """How leaves are made and read, and what leaves there are."""

    code: str  # over data, dtype and requires_grad
    value: str
    type: type
    dtypes: tuple[str, ...]
    ranks: tuple[int, ...]
    has_flag: bool


class Probe:
    """A module under examination. `spelled` fills with capability -> code as the methods below find it."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.namespace: dict[str, Any] = {"torch": module, "np": np, "into": None, "out": None, **BUILTINS}
        self.spelled: dict[str, str] = {}
        self.compiled: dict[str, Any] = {}
        self.doubtful: list[str] = []
        self.maker = self.find_maker()

    # -- trying ----------------------------------------------------------------------------------------------------------

    def call(self, code: str) -> Any:
        """The code as a function; Failed where it is none."""
        if code not in self.compiled:
            self.compiled[code] = attempt(compile_code, code, self.namespace)
        return self.compiled[code]

    def run(self, code: str, *operands: Any, **params: Any) -> Any:
        """What the code gives on these operands, or Failed."""
        call = self.call(code)
        return attempt(call, *operands, **params) if callable(call) else call

    def first(self, capability: str, codes: Sequence[str], works: Callable[[str], Any]) -> str | None:
        """The first of the codes that works, noted under the capability."""
        for code in map(self.filled, codes):
            if attempt(works, code) is True:
                self.spelled[capability] = code
                return code
        return None

    def filled(self, code: str) -> str:
        """The code with what is known by now in the place of its capitals."""
        code = code.replace("VALUE_of_b", re.sub(r"\ba\b", "b", self.maker.value)) if hasattr(self, "maker") else code
        code = code.replace("VALUE", self.maker.value) if hasattr(self, "maker") else code
        return code.replace("SHAPE", self.spelled.get("shape", "a.shape"))

    # -- leaves ----------------------------------------------------------------------------------------------------------

    def find_maker(self) -> Maker:
        """How this module makes tensors: of all ways that work the one that reaches furthest.

        Raises:
            EngineUnavailable: none works.
        """
        best: tuple[tuple[int, ...], Maker] | None = None
        for constructor in self.constructors():
            for data in spellings.DATA:
                if "np.array" in data and not self.knows_arrays:
                    continue  # it would store what it is given, and know nothing of shapes
                for flag in spellings.FLAGS_OF_LEAVES:
                    maker = self.tried(f"{constructor}({data}{flag})")
                    if maker is not None:
                        score = (len(maker.ranks), maker.has_flag, len(maker.dtypes))
                        if best is None or score > best[0]:
                            best = score, maker
        if best is None:
            raise EngineUnavailable(
                f"{self.module.__name__} has nothing that makes a tensor from numbers: tried {', '.join(spellings.MAKERS[:4])}, "
                "... and its classes that have a backward; name the module that holds the class of tensors, or write an adapter"
            )
        return best[1]

    def constructors(self) -> list[str]:
        """What may make tensors: functions and classes by their usual names, and every class that has a backward."""
        classes = [
            f"torch.{name}" for name, value in vars(self.module).items() if inspect.isclass(value) and hasattr(value, "backward")
        ]
        known = [name for name in spellings.MAKERS if name != "TENSOR" and attempt(self.run, name)]
        return list(dict.fromkeys((*(name for name in known if callable(self.run(name))), *classes)))

    def tried(self, code: str) -> Maker | None:
        """What this code makes, if anything."""
        has_flag = "requires_grad" in code
        for example in (NUMBERS, BY_RANK[0]):
            tensor = self.made(code, example, "float64", True)
            if isinstance(tensor, (Failed, np.ndarray, np.generic, int, float, type(None))):
                continue
            value = next((v for v in spellings.VALUES if equal(_plain(self.run(v, tensor)), example)), None)
            if value is not None:
                break
        else:
            return None
        if (
            not hasattr(type(tensor), "backward")
            and not hasattr(self.module, "backward")
            and not hasattr(self.module, "autograd")
        ):
            return None

        def reads(numbers: Any, dtype: str) -> Any:
            return _plain(self.run(value, self.made(code, numbers, dtype, False)))

        ranks = tuple(rank for rank, numbers in BY_RANK.items() if equal(reads(numbers, "float64"), numbers))
        ranks = tuple(rank for rank in ranks if self.works(code, value, rank))
        if not ranks:
            return None
        rank = 1 if 1 in ranks else ranks[0]
        fine, coarse = _shaped(FINE, rank), _shaped(1.0, rank)
        dtypes = []
        if equal(reads(fine, "float32"), coarse):
            dtypes.append("float32")
        if equal(reads(fine, "float64"), fine):
            dtypes.append("float64")
        for dtype, number in (("int64", 3), ("bool", True)) if "dtype" in code else ():
            back = reads(_shaped(number, rank), dtype)
            if equal(back, _shaped(number, rank)) and type(back[0] if rank else back) is type(number):
                dtypes.append(dtype)
        if not {"float32", "float64"} & set(dtypes):
            return None
        return Maker(code, value, type(tensor), tuple(dtypes), ranks, has_flag)

    @property
    def knows_arrays(self) -> bool:
        """Whether some module of the package uses NumPy."""
        top = self.module.__name__.partition(".")[0]
        package = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == top]
        return any(
            value is np or getattr(value, "__module__", "") == "numpy" for m in package for value in list(vars(m).values())
        )

    def works(self, code: str, value: str, rank: int) -> bool:
        """Whether some op of the table of first ops computes what it should on tensors of that many dimensions."""
        tensor = self.made(code, BY_RANK[rank], "float64", True)
        numbers = np.array(BY_RANK[rank])
        twice, square = numbers + numbers, numbers * numbers
        answers = dict(zip(spellings.FIRST_OPS, (square, twice, -numbers, square, twice), strict=True))
        results = ((self.run(value, self.run(op, tensor)), answer) for op, answer in answers.items())
        return any(not isinstance(seen, Failed) and np.array_equal(seen, answer) for seen, answer in results)

    def made(self, code: str, data: Any, dtype: str, requires_grad: bool) -> Any:
        """A tensor by this code, or Failed."""
        options = {"requires_grad": requires_grad} if "requires_grad" in code else {}
        return self.run(code.format(dtype=dtype), data=data, **options)

    def leaf(self, data: Any = None, *, requires_grad: bool = True, dtype: str | None = None) -> Any:
        """A leaf; by default of numbers, with as many dimensions as there are."""
        data = BY_RANK[self.rank] if data is None else data
        dtype = dtype or next(d for d in reversed(self.maker.dtypes) if d.startswith("float"))
        tensor = self.made(self.maker.code, data, dtype, requires_grad)
        if requires_grad and not self.maker.has_flag and "set_requires_grad" in self.spelled:
            self.run(self.spelled["set_requires_grad"], tensor, value=True)
        return tensor

    @property
    def rank(self) -> int:
        """The number of dimensions that tensors of the probe have."""
        return 1 if 1 in self.maker.ranks else self.maker.ranks[0]

    def is_tensor(self, thing: Any) -> bool:
        """Whether the thing is a tensor of this engine."""
        return isinstance(thing, self.maker.type)

    def value(self, tensor: Any) -> Any:
        """Nested lists of what a tensor, an array or a number holds, or Failed."""
        return _plain(self.run(self.maker.value, tensor)) if self.is_tensor(tensor) else _plain(tensor)

    # -- what tensors show -----------------------------------------------------------------------------------------------

    def find_facets(self) -> None:
        """Shape, dtype, flags, the gradient before there is one, and how a leaf gets its flag."""
        sample = self.leaf()
        shape = np.shape(BY_RANK[self.rank])
        self.first("shape", spellings.SHAPES, lambda code: self.run(code, sample) == shape)
        self.first("dtype", spellings.DTYPES, self.tells_dtypes)
        if not self.maker.has_flag:
            self.first(
                "set_requires_grad",
                spellings.SET_FLAG[:1],
                lambda code: not isinstance(self.run(code, sample, value=True), Failed),
            )
        self.first(
            "gradient",
            spellings.GRADIENT,
            lambda code: not isinstance(self.run(code, sample), Failed) and not callable(self.run(code, sample)),
        )
        constant = self.leaf(requires_grad=False)
        self.history = self.first("first op", spellings.FIRST_OPS, lambda code: self.is_tensor(self.run(code, self.leaf())))
        if self.history is None:
            return
        result = self.run(self.history, sample)
        for name, codes, answers in (
            ("requires_grad", spellings.FLAG, [True, False, True]),
            ("is_leaf", spellings.LEAF, [True, True, False]),
            ("has_grad_fn", spellings.NODE, [False, False, True]),
        ):
            things = (sample, constant, result)
            found = self.first(name, codes, partial(self.answers, things, answers))
            if found is None and all(isinstance(self.run(codes[0], thing), (bool, np.bool_)) for thing in things):
                self.spelled[name] = codes[0]
                self.doubtful.append(name)  # torch's own spelling, with other answers than torch's

    def answers(self, things: Sequence[Any], answers: Sequence[bool], code: str) -> bool:
        """Whether the code gives these answers about these things."""
        return [self.run(code, thing) for thing in things] == list(answers)

    def tells_dtypes(self, code: str) -> bool:
        """Whether the code tells the dtypes of leaves apart."""
        return all(named_dtype(self.run(code, self.of_dtype(dtype))) == dtype for dtype in self.maker.dtypes)

    def of_dtype(self, dtype: str) -> Any:
        """A constant of this dtype."""
        numbers = np.array(BY_RANK[self.rank]).astype(dtype).tolist()
        return self.leaf(numbers, requires_grad=False, dtype=dtype)

    # -- differentiation -------------------------------------------------------------------------------------------------

    def differentiated(self, *, scalar: bool = True) -> tuple[Any, Any]:
        """A leaf, and a root made from it: of one element, if the engine can make that."""
        numbers = BY_RANK[self.rank] if not scalar or self.rank == 0 else [2.5]
        leaf = self.leaf(numbers)
        root = self.run(self.history or "a", leaf)
        summed = self.spelled.get("op sum")
        return leaf, self.run(summed, root) if scalar and self.rank and summed else root

    def gradient_of(self, tensor: Any) -> Any:
        """The values of a gradient; None where it has none, Failed where it cannot be read."""
        gradient = self.run(self.spelled["gradient"], tensor)
        return gradient if gradient is None or isinstance(gradient, Failed) else self.value(gradient)

    def find_backward(self) -> None:
        """backward() without and with a gradient, with its options; grad(); several roots."""

        def weighs(code: str) -> bool:
            seen = []
            for factor in (1.0, 3.0):
                leaf, root = self.differentiated(scalar=False)
                weights = (np.ones(np.shape(BY_RANK[self.rank])) * factor).tolist()
                if isinstance(self.run(code, root, self.leaf(weights, requires_grad=False)), Failed):
                    return False
                seen.append(self.gradient_of(leaf))
            return bool(seen[0] != seen[1])

        self.first("backward", spellings.BACKWARD, lambda code: not isinstance(self.run(code, self.differentiated()[1]), Failed))
        self.first("backward with", spellings.BACKWARD_WITH, weighs)
        for base in ("backward", "backward with"):
            self.add_options(base, spellings.BACKWARD_OPTIONS, self.root_of_backward)
        for name, codes, options in (
            ("backward of roots", spellings.BACKWARD_ROOTS, spellings.BACKWARD_OPTIONS),
            ("grad", spellings.GRAD, spellings.GRAD_OPTIONS),
        ):
            self.first(name, codes, lambda code: self.runs(code, **self.named_in(code, self.roots_of_grad(code)[1])))
            self.add_options(name, options, self.roots_of_grad)

    def named_in(self, code: str, params: dict[str, Any]) -> dict[str, Any]:
        """Those of the parameters that the code names."""
        return {name: value for name, value in params.items() if re.search(rf"\b{name}\b", code)}

    def root_of_backward(self, code: str) -> tuple[list[Any], dict[str, Any]]:
        """Operands and parameters for a backward by this code."""
        leaf, root = self.differentiated(scalar="b" not in operands_of(code))
        return [root, self.leaf(requires_grad=False)][: len(operands_of(code))], {"inputs": [leaf]}

    def roots_of_grad(self, code: str) -> tuple[list[Any], dict[str, Any]]:
        """Operands and parameters for grad(), or for a backward of several roots."""
        leaf, root = self.differentiated(scalar=False)
        return [], {"roots": [root], "inputs": [leaf], "gradients": [self.leaf(requires_grad=False)]}

    def add_options(
        self, base: str, options: Sequence[str], arguments: Callable[[str], tuple[list[Any], dict[str, Any]]]
    ) -> None:
        """Add to a spelling the keyword arguments that the engine takes."""
        for option in options if base in self.spelled else ():
            code = self.spelled[base]
            longer = f"{code[:-1]}{'' if code.endswith('()') else ', '}{option})"
            operands, params = arguments(code)
            params |= {"retain_graph": True, "create_graph": False, "allow_unused": False}
            if self.runs(
                longer, *operands, **{name: value for name, value in params.items() if re.search(rf"\b{name}\b", longer)}
            ):
                self.spelled[base] = longer

    def runs(self, code: str, *operands: Any, **params: Any) -> bool:
        """Whether the code runs."""
        return not isinstance(self.run(code, *operands, **params), Failed)


def named_dtype(dtype: Any) -> str:
    """A dtype of any kind by its NumPy name, as far as its own name tells."""
    with suppress(TypeError):
        return str(np.dtype(dtype).name)
    found = re.findall(r"(?:float|int|uint|bool|complex)\d*", str(dtype).lower())
    return str(found[-1]) if found else str(dtype)


def equal(one: Any, other: Any) -> bool:
    """Whether two things of unknown kinds are equal: some compare element by element, some refuse."""
    try:
        return bool(one == other)
    except Exception:
        return False


def _shaped(number: Any, rank: int) -> Any:
    """The number, or a list of it."""
    return [number, number] if rank else number


def _plain(thing: Any) -> Any:
    """Nested lists of Python numbers, or what was given where it is none."""
    if isinstance(thing, (np.ndarray, np.generic)):
        return thing.tolist()
    return thing
