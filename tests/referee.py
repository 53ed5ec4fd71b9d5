"""Finite differences in float64 as the referee of docs/findings.md: is what an engine gives for a gradient wrong by mathematics?

A row tells in NumPy what a script of the page computes, as a function of what it differentiates by. Central differences of fourth
order, taken with two steps, give the gradient and how far it can be trusted; what the script prints must lie farther from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

STEP = 2.0**-10  # of each number, relative to it, or absolute at 0
MARGIN = 100  # how many times farther from the differences than these are from one another a wrong number is
LEAST = 1e-9  # and it is as far at least, relative to the largest
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:nan|inf|\d+\.?\d*(?:e[-+]?\d+)?)j?(?!\w)", re.IGNORECASE)
REFUTED, NOT_REFUTED = "refuted: right is", "NOT REFUTED: right is"
CUT = slice(0)  # the engine gives no gradient, which would be right were it 0


class Row(NamedTuple):
    """What the script under a title computes, at a point; `shown`: which of the printed numbers are the engine's answer.

    `value`: a value is wrong, which needs no differences. `step`: where the function bends nearer by.
    """

    engine: str
    title: str
    function: Callable[..., Any]
    at: Any
    shown: slice = slice(None)
    value: bool = False
    step: float = STEP


def numbers(printed: str) -> list[float]:
    """All numbers of a text, in order."""
    return [float(word.rstrip("j")) for word in _NUMBER.findall(printed)]


def differences(function: Callable[..., Any], at: Any, step: float = STEP) -> tuple[Any, float]:
    """The gradient of the sum of a function of one array, and how much of it is error."""
    at = np.asarray(at, dtype=np.float64)

    def slopes(step: float) -> Any:
        found = np.zeros(at.shape)
        for place in np.ndindex(at.shape):
            by = np.zeros(at.shape)
            by[place] = h = step * (abs(at[place]) or 1.0)
            one, two = (float(np.sum(function(at + k * by))) - float(np.sum(function(at - k * by))) for k in (1, 2))
            found[place] = (8 * one - two) / (12 * h)
        return found

    coarse, fine = slopes(step), slopes(step / 2)
    return fine, float(np.max(np.abs(coarse - fine), initial=0.0))


def right(row: Row) -> tuple[list[float], float]:
    """What the engine should have given, and how far that can be trusted."""
    if row.value:
        return list(np.ravel(row.function(np.asarray(row.at, dtype=np.float64)))), 0.0
    found, error = differences(row.function, row.at, row.step)
    return list(np.ravel(found)), error


def is_wrong(row: Row, printed: str) -> bool:
    """Whether the engine's answer in what a script printed is refuted."""
    expected, error = right(row)
    given = [0.0] * len(expected) if row.shown == CUT else numbers(printed)[row.shown]
    bound = MARGIN * error + LEAST * max(map(abs, expected), default=0.0)
    if not all(map(math.isfinite, expected)) or not given:
        return False
    return len(given) != len(expected) or any(not abs(a - b) <= bound for a, b in zip(expected, given, strict=True))


def _softplus_slope(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(x / 2))


def _elu(x: Any) -> Any:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _softmax(x: Any) -> Any:
    raised = np.exp(x - np.max(x))
    return raised / np.sum(raised)


def _group_norm(x: Any) -> Any:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def _written(x: Any) -> Any:
    return 2 * x * np.array([10.0, 1.0])


_erf = np.vectorize(math.erf)
H = 2 * np.array([[1.0, 2.0], [3.0, 4.0]])
W = np.arange(1.0, 5.0) * np.ones((2, 1))
FIRST = np.array([1.0, 0.0])
# fmt: off
ROWS = (
    Row("pytorch", "inductor: a saved factor", lambda w: H @ w, [[1, 2], [0, 1]]),
    Row("pytorch", "inductor: the same through a view", lambda w: np.array([2.0, 4.0]) * w, [1, 1]),
    Row("pytorch", "aot_eager: a write into an input of no axes", lambda a: 2 * a, [1], value=True),
    Row("pytorch", "aot_eager: std_mean of one element", lambda x: x * 1.0, [[1], [2]]),
    Row("pytorch", "functionalize: gaussian_nll_loss", lambda v: np.mean(np.log(v * v + 1) / 2), [1, 2], CUT),
    Row("pytorch", "aot_eager: a write into a detached alias", lambda b: np.array([1.0, 2.0]) + b, [3, 4], CUT),
    Row("autograd", "repeat along", lambda x: np.arange(1.0, 7.0) * np.repeat(x, 3, axis=-1), [1, 2]),
    Row("autograd", "tile of a matrix", lambda x: W * np.tile(x, 2), np.ones((2, 2))),
    Row("autograd", "where does not sum", lambda c: np.where([True, False, False], [1.0, 2.0, 3.0], c), [1], slice(3)),
    Row("autograd", "where does not sum", lambda c: np.where([True, False, False], c * [1.0, 2.0, 3.0], c), [1], slice(3, None)),
    Row("autograd", "linalg.norm(ord=inf)", lambda x: np.linalg.norm(x, ord=np.inf), [1, 2]),
    Row("autograd", "prod of values", np.prod, [0, 2, 3]),
    Row("autograd", "The second derivative of tanh", lambda x: 1 - np.tanh(x) ** 2, [800]),
    Row("mlx", "vjp of a function", lambda x: x * x + 10 * x * x, [1, 2], slice(2)),
    Row("mlx", "nn.elu and nn.selu", _elu, [100, -1]),
    Row("mlx", "The second derivative of tanh", lambda x: 1 - np.tanh(x) ** 2, [100]),
    Row("tensorflow", "math.xlogy", lambda x: x * np.log(2.0), [0, 1]),
    Row("tensorflow", "math.cumprod", np.cumprod, [0, 2, 3]),
    Row("tensorflow", "math.bessel_i1", lambda x: x / 2 + x**3 / 16 + x**5 / 384, [0]),
    Row("mindspore", "matmul over", lambda x: x @ x.T, np.zeros((2, 0)), value=True),
    Row("mindspore", "The gradient of what was broadcast", lambda x: np.zeros(0) * x, [5], slice(-1, None)),
    Row("mindspore", "Tensor.take: the derivative", lambda c: np.bincount([0, 0], c, 2), [1, 1], slice(-2, None)),
    Row("mindspore", "The second derivative of logsumexp", lambda x: FIRST * _softmax(x), [1, 2], slice(-2, None)),
    Row("paddlepaddle", "narrow() of", lambda a: a.T[:1] * [1.0, 2.0], [[1, 2], [3, 4]]),
    Row("paddlepaddle", "grad() by a leaf and by the root", lambda x: 2 * x, [1, 2], CUT),
    Row("paddlepaddle", "prod() of values", np.prod, [0, 2, 3]),
    Row("paddlepaddle", "A write into a view", _written, [1, 2], slice(-2, None)),
    Row("paddlepaddle", "A write into a tensor", lambda x: 2 * x * 10, [1, 2], slice(-2, None)),
    Row("paddlepaddle", "as_strided()", lambda a: a[[[0, 1], [1, 2]]], [1, 2, 3], slice(-3, None)),
    Row("paddlepaddle", "Tensor.unfold()", lambda a: a[[[0, 1], [1, 2]]], [1, 2, 3], slice(-3, None)),
    Row("paddlepaddle", "masked_fill()", lambda v: v * np.ones(2), [3]),
    Row("paddlepaddle", "index_fill()", lambda v: np.where([True, False], v, 2.0), [3], slice(-1, None)),
    Row("paddlepaddle", "group_norm()", lambda x: _group_norm(x) * [1.0, -1.0, 2.0], [[1, 2, 4]], slice(3)),
    Row("paddlepaddle", "The second derivative through", lambda x: 4 * x ** 3, [3], slice(-1, None)),
    Row("paddlepaddle", "celu()'s", _elu, [1000]),
    Row("paddlepaddle", "silu()'s", lambda x: x * _softplus_slope(x), [-1000]),
    Row("paddlepaddle", "What a PyLayer saved", np.square, [3]),
    Row("paddlepaddle", "lerp() cuts", lambda w: 1 + w * (3 - 1), [0.5], CUT),
    Row("paddlepaddle", "diagonal_scatter()", np.diag, [1, 2], CUT),
    Row("paddlepaddle", "diag_embed()", np.diag, [1, 2], CUT),
    Row("paddlepaddle", "gaussian_nll_loss()", lambda v: 0.5 * (np.log(v) + 1 / v), [2], CUT),
    Row("paddlepaddle", "prod() of complex", lambda x: ((x[0] + 1j * x[1]) * (3 + 4j)).real, [1, 2], slice(2)),
    Row("paddlepaddle", "norm() of any order", lambda x: (9 + x ** 3) ** (1 / 3) - x * 9 * 36 ** (-2 / 3), [3], slice(1, None)),
    Row("tinygrad", "Two leaves", lambda y: np.array([1.0, 2.0]) + y, [3, 4], slice(2, 4)),
    Row("tinygrad", "asin(), acos()", np.arcsin, [0], slice(1)),
    Row("tinygrad", "asin(), acos()", np.arccos, [0], slice(1, 2)),
    Row("tinygrad", "asin(), acos()", _erf, [0], slice(2, 3)),
    Row("tinygrad", "elu()'s and celu()'s", _elu, [1000], slice(1)),
    Row("tinygrad", "elu()'s and celu()'s", _elu, [1000], slice(1, 2)),
    Row("tinygrad", "asinh() cancels", np.arcsinh, [-1000, -2000000], slice(2, None)),
    Row("tinygrad", "normalize() of", lambda x: x / max(np.linalg.norm(x), 1e-12), [0, 0], slice(2, None), step=1e-14),
    Row("tinygrad", "What is not computed", lambda x: x * 3, [2]),
    Row("chainer", "The second derivative of softplus", _softplus_slope, [3000], slice(-1, None)),
    Row("chainer", "chainer.grad() of a root", lambda x: 1 * (2 * x) + 2 * (2 * x), [1]),
    Row("micrograd", "A second backward through", lambda x: 2 * (3 * (2 * x)), [1]),
    Row("micrograd", "backward() from a Value", lambda x: 2 * x + x, [1]),
    Row("jungrad", "F.sigmoid", _softplus_slope, [1, 2], CUT),
    Row("jungrad", "A graph that is walked", lambda a: 2 * (2 * a), [1, 2]),
    Row("nnetflow", "sqrt has", np.sqrt, [1e-16]),
    Row("nnetflow", "log10 has", np.log10, [1e-8]),
    Row("puretorch", "tanh has", np.tanh, [1], slice(1)),
    Row("puretorch", "(a + b) + a", lambda b: (1 + b) + 1, [1], slice(-1, None)),
    Row("puretorch", "(a - a) + b", lambda b: (1 - 1) + b, [1]),
    Row("minitorch", "A graph that is walked", lambda a: 2 * (2 * a), [1, 2]),
    Row("minitorch", "A slice requires", lambda a: a[0:1], [1, 2]),
    Row("js-pytorch", "pow(n)", lambda x: x ** 3, [1, 2]),
    Row("js-pytorch", "sum(dim)", lambda x: x.sum(1) * [1.0, 10.0], [[1, 2], [3, 4]]),
    Row("js-pytorch", "A result that", lambda x: 3 * (2 * x), [1, 2]),
    Row("js-pytorch", "A second backward", lambda x: 2 * (3 * x), [1, 2]),
    Row("js-pytorch", "nn.ReLU", lambda x: np.maximum(x, 0), [-1, 1], slice(2, None)),
    Row("js-pytorch", "variance(0)", lambda x: x.var(0), [[1, 2], [3, 5]], value=True),
    Row("js-pytorch", "variance(1)", lambda x: x.var(1) * [1.0, 2.0], [[1, 2], [3, 5]]),
    Row("js-pytorch", "nn.MSELoss", lambda x: np.mean(x ** 2), [[1, 2, 3], [4, 5, 6]], value=True),
    Row("js-pytorch", "nn.Softmax and", lambda x: [*_softmax(x), -np.log(_softmax(x)[0])], [1000, 0], value=True),
    Row("js-pytorch", "nn.LayerNorm", lambda x: (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True), [[1, 2], [0.5, 3]],
        value=True),
    Row("js-pytorch", "pow of an exponent", lambda x: [x ** 0.5, 1 / x, x ** 0], [4, 9], value=True),
)
# fmt: on

# What finite differences cannot refute, and what does.
OTHERWISE = {
    ("autograd", "linalg.norm(keepdims=True)"): "a gradient has the shape of its tensor, (2,)",
    ("autograd", "diff of fewer entries"): "a gradient has the shape of its tensor, (1,)",
    ("mtorch", "The gradient of an operand of shape (1,)"): "its number is right; a gradient has the shape of its tensor, (1,)",
    ("mindspore", "A sum over no elements"): "another number with each run; the sum of nothing is 0",
    ("paddlepaddle", "y[index] = v"): "another number with each run; v is added twice, so that 2 is right",
}


def rows_of(engine: str, title: str) -> list[Row]:
    """The rows of a finding, by the engine's name without its version."""
    return [row for row in ROWS if row.engine == engine and title.startswith(row.title)]


def verdict(engine: str, title: str, printed: str) -> str:
    """What the referee says of what a script printed; empty where no finding is of mathematics."""
    judged = [(is_wrong(row, printed), right(row)[0]) for row in rows_of(engine, title)]
    if judged:
        words = "; ".join(" ".join(f"{number:.6g}" for number in expected) for _, expected in judged)
        return f"{REFUTED if all(wrong for wrong, _ in judged) else NOT_REFUTED} {words}"
    return next(
        (f"otherwise: {why}" for (name, start), why in OTHERWISE.items() if name == engine and title.startswith(start)), ""
    )
