"""What the checks of `conformance smoke` work with: an engine, the smallest leaves, and answers from mathematics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from conformance.catalog import CATALOG
from conformance.engine import Engine, Unsupported
from conformance.tolerance import flatten

CLOSE = 1e-5
X, Y = (1.5, -2.0), (0.5, 4.0)

# Op -> what it gives on X, or on X and Y. All are of the catalogue.
ANSWERS: dict[str, Callable[..., float]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
    "neg": lambda x: -x, "exp": math.exp, "sin": math.sin, "cos": math.cos, "tanh": math.tanh, "relu": lambda x: max(x, 0.0),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "square": lambda x: x * x, "abs": abs, "clone": lambda x: x,
}  # fmt: skip
# Op -> its derivative on X, or its derivatives on X and Y.
DERIVATIVES: dict[str, Callable[..., tuple[float, ...]]] = {
    "mul": lambda x, y: (y, x), "add": lambda x, y: (1.0, 1.0), "sub": lambda x, y: (1.0, -1.0),
    "div": lambda x, y: (1 / y, -x / y / y), "neg": lambda x: (-1.0,), "exp": lambda x: (math.exp(x),),
    "sin": lambda x: (math.cos(x),), "cos": lambda x: (-math.sin(x),), "tanh": lambda x: (1 - math.tanh(x) ** 2,),
    "square": lambda x: (2 * x,), "clone": lambda x: (1.0,),
}  # fmt: skip


class Wrong(AssertionError):
    """An answer that is not the right one."""


class Bench:
    """An engine with what the checks need of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.calls: Mapping[str, Callable[..., Any]] = engine.calls()
        self.dtype = "float64" if "float64" in engine.dtypes else engine.dtypes[0]
        self.rank = 1 if engine.ranks is None or 1 in engine.ranks else engine.ranks[0]
        self.shape = (2,) if self.rank == 1 else (1,) * self.rank

    def leaf(self, values: tuple[float, ...] = X, *, requires_grad: bool = True) -> Any:
        """A leaf; of the first value where the engine has no tensors of one dimension."""
        return self.engine.leaf(values[: math.prod(self.shape)], self.shape, self.dtype, requires_grad)

    def numbers(self, tensor: Any) -> list[float]:
        """The values of a tensor, row-major."""
        return list(flatten(self.engine.value(tensor)))

    def expect(self, what: str, seen: Any, right: Any) -> None:
        """Refuse what is not right."""
        both_numbers = isinstance(seen, list) and isinstance(right, list) and len(seen) == len(right)
        agree = (
            all(math.isclose(s, r, rel_tol=CLOSE, abs_tol=CLOSE) for s, r in zip(seen, right, strict=True))
            if both_numbers
            else seen == right
        )
        if not agree:
            raise Wrong(f"{what} is {seen}, and should be {right}")

    def some(self, values: tuple[float, ...]) -> list[float]:
        """As many of the values as a leaf has."""
        return list(values[: math.prod(self.shape)])

    def op(self) -> str:
        """An op to make a graph with."""
        for name in ("mul", "add", "exp", "neg", "square", "tanh"):
            if name in self.calls and name in DERIVATIVES:
                return name
        raise Unsupported("none of mul, add, exp, neg, square, tanh is declared")

    def made(self, leaf: Any) -> Any:
        """A result of the op, of the leaf alone."""
        name = self.op()
        return self.calls[name](*[leaf] * CATALOG[name].kinds.count("float"))

    def derivative(self) -> list[float]:
        """The derivative of `made` at X."""
        name = self.op()
        arity = CATALOG[name].kinds.count("float")
        return [sum(DERIVATIVES[name](*[x] * arity)) for x in self.some(X)]

    def backward(self, root: Any, **options: Any) -> None:
        """backward() with ones as gradient, or of the sum where the engine takes none."""
        plain = {"retain_graph": None, "create_graph": False, "inputs": None} | options
        ones = self.engine.leaf((1.0,) * math.prod(self.shape), self.shape, self.dtype, False)
        try:
            self.engine.backward([root], [ones], **plain)
        except Unsupported:
            if self.shape and "sum" not in self.calls:
                raise
            self.engine.backward([self.calls["sum"](root) if self.shape else root], None, **plain)

    def gradient(self, leaf: Any) -> list[float] | None:
        """The gradient of a leaf."""
        gradient = self.engine.gradient(leaf)
        return None if gradient is None else self.numbers(gradient)
