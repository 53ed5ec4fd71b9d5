"""Further elementwise functions, and shapes made of others: copysign to heaviside, diff, block_diag, combinations."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from .. import dtypes
from ..inplace import write
from ..tensor import Tensor, wrap
from .binary import not_implemented
from .faces import face, function, method
from .join import cat, stack
from .shape import axis
from .table import FUNCTIONS, ROWS, op

# ---- elementwise ------------------------------------------------------------------------------------------------------


def _copysign_vjp(F: Any, ct: Any, self: Any, result: Any) -> Any:
    return F.mul(ct, F.masked_fill(F.div(result, self), F.eq(self, 0), 0.0))


op("copysign_tensor", np.copysign, "self other", promote="float", face=False, node="CopysignBackward0", inplace=True,
   self=_copysign_vjp, other=lambda F, ct: F.zeros_like(ct))  # fmt: skip
op("copysign_scalar", np.copysign, "self other", promote="float", face=False, node="CopysignBackward1", inplace=True,
   self=_copysign_vjp)  # fmt: skip
op("ldexp", lambda x, e: x * np.exp2(e.astype(x.dtype) if isinstance(e, np.ndarray) else e), "self other", promote="float",
   inplace=True, self=lambda F, ct, other: F.mul(ct, F.conj(F.exp2(other))),
   other=lambda F, ct, result: F.mul(F.mul(ct, F.conj(result)), math.log(2)))  # fmt: skip
op("heaviside", lambda x, at_zero: np.where(x == 0, at_zero, (x > 0).astype(x.dtype)), "self values", promote="arith", inplace=True,  # noqa: E501
   node="NotImplemented", self=not_implemented("heaviside"), values=not_implemented("heaviside"))  # fmt: skip
op("heaviside_into", ROWS["heaviside"].kernel, "self values", promote="arith", face=False, inplace="heaviside_",
   node="NotImplemented", self=not_implemented("heaviside_"), values=not_implemented("heaviside_"))  # fmt: skip
op("floor_divide_into", np.floor_divide, "self other", promote="arith", face=False, inplace="floor_divide_",
   node="NotImplemented", self=not_implemented("floor_divide_"), other=not_implemented("floor_divide_"))  # fmt: skip
op("copy", lambda x, src: np.broadcast_to(src, x.shape).astype(x.dtype), "self !src", face=False, node="NotImplemented",
   self=not_implemented("copy"), src=not_implemented("copy"))  # fmt: skip
for _name in ("heaviside", "heaviside_into", "floor_divide_into", "copy"):
    ROWS[_name].node.title = "torch::autograd::NotImplemented"


op("nextafter", np.nextafter, "self other", promote="arith", inplace=True,
   self=lambda F, ct, self, other: F.where(F.eq(self, other), 0.0, ct),
   other=lambda F, ct: F.zeros_like(ct))  # fmt: skip
for _name, _kernel in (
    ("gcd", np.gcd),
    ("lcm", np.lcm),
    ("bitwise_left_shift", np.left_shift),
    ("bitwise_right_shift", np.right_shift),
):
    op(_name, _kernel, "self other", promote="arith", inplace=True)
for _name, _sign in (("left", "lshift"), ("right", "rshift")):
    _row = ROWS[f"bitwise_{_name}_shift"]
    setattr(Tensor, f"__{_sign}__", _row.call)
    setattr(Tensor, f"__i{_sign}__", _row.inplace)
    setattr(Tensor, f"__r{_sign}__", lambda self, other, _row=_row: _row.call(Tensor._from_number(other), self))


def _by_operand(name: str) -> None:
    """Faces that choose between the row for a tensor and the row for a number."""

    def row(other: Any) -> Any:
        return ROWS[f"{name}_{'tensor' if isinstance(other, Tensor) else 'scalar'}"]

    face(name)(lambda self, other, *, out=None: row(other).call(self, other, out=out))
    method(name + "_")(lambda self, other: write(row(other), name + "_", self, (other,), ()))


_by_operand("copysign")


@face()
def float_power(self: Any, exponent: Any) -> Tensor:
    """pow in double precision"""

    def wide(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        return x.to(dtypes.complex128 if x.is_complex() else dtypes.float64)

    return FUNCTIONS["pow"](wide(self), wide(exponent))


@method("float_power_")
def float_power_(self: Tensor, exponent: Any) -> Tensor:
    """float_power in place: the tensor must be double already"""
    if self.dtype not in (dtypes.float64, dtypes.complex128):
        raise RuntimeError(f"the base given to float_power_ has dtype {self.dtype.long_name} but the operation's result "
                           "requires dtype Double")  # fmt: skip
    return self.pow_(exponent.to(self.dtype) if isinstance(exponent, Tensor) else exponent)


@face()
def frexp(self: Tensor) -> tuple:
    """Mantissa and exponent (the mantissa without gradient)."""
    m, e = np.frexp(self._array)
    return wrap(m), wrap(np.asarray(e, np.int32))


def _same(self: Tensor) -> Tensor:
    return self


for _name in ("positive", "__pos__"):
    setattr(Tensor, _name, _same)
function("positive")(_same)

ALIASES = {
    "absolute": "abs", "negative": "neg", "fix": "trunc", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin",
    "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh", "greater": "gt", "greater_equal": "ge", "less": "lt",
    "less_equal": "le", "not_equal": "ne", "clip": "clamp",
}  # fmt: skip
for _name, _row in ALIASES.items():
    if hasattr(Tensor, _row + "_"):
        setattr(Tensor, _name + "_", getattr(Tensor, _row + "_"))
    if _row in FUNCTIONS:
        face(_name)(FUNCTIONS[_row])


def _refused(name: str) -> None:
    """The inverse hyperbolic functions in place: torch has a node for them, but no derivative."""
    from .special import underivable

    op(f"{name}_into", ROWS[name].kernel, promote="float", face=False, inplace=name + "_",
       node=f"{name.capitalize()}Backward1", self=underivable(f"inplace version of {name}"))  # fmt: skip


for _name in ("asinh", "acosh", "atanh"):
    _refused(_name)
for _name in ("arcsinh", "arccosh", "arctanh"):
    setattr(Tensor, _name + "_", getattr(Tensor, "a" + _name[3:] + "_"))

op("fill_out", lambda x, value: np.full_like(x, value), "self", "value", face=False, node="FillBackward0",
   self=lambda F, ct: F.zeros_like(ct))  # fmt: skip
op("fill_out_tensor", lambda x, value: np.full_like(x, value), "self !value", face=False, node="FillBackward1",
   self=lambda F, ct: F.zeros_like(ct), value=lambda F, ct: F.sum_all(ct))  # fmt: skip


@function()
def fill(self: Tensor, value: Any) -> Tensor:
    """A tensor of the same shape full of one value."""
    return ROWS["fill_out_tensor" if isinstance(value, Tensor) else "fill_out"].call(self, value)


# ---- made of others ---------------------------------------------------------------------------------------------------


@face()
def diff(self: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """Differences of neighbours, n times over."""
    parts = [x for x in (prepend, self, append) if x is not None]
    x = cat(parts, dim) if len(parts) > 1 else self
    for _ in range(n):
        k = x.shape[axis(dim, x.dim())]
        x = x.narrow(dim, 1, k - 1) - x.narrow(dim, 0, k - 1) if k > 1 else x.narrow(dim, 0, 0)
    return x


def _blocks(parts: list) -> Any:
    parts = [np.atleast_2d(p) for p in parts]
    kind = dtypes.result_type_of(parts).np
    out = np.zeros((sum(p.shape[0] for p in parts), sum(p.shape[1] for p in parts)), kind)
    r = c = 0
    for p in parts:
        out[r : r + p.shape[0], c : c + p.shape[1]] = p
        r, c = r + p.shape[0], c + p.shape[1]
    return out


def _blocks_vjp(F: Any, ct: Any, tensors_shape: list) -> list:
    out, r, c = [], 0, 0
    for shape in tensors_shape:
        h, w = (1,) * (2 - len(shape)) + tuple(shape)
        out.append(F.reshape(F.slice(F.slice(ct, 0, r, r + h, 1), 1, c, c + w, 1), tuple(shape)))
        r, c = r + h, c + w
    return out


op("block_diag", _blocks, "*tensors", face=False, tensors=_blocks_vjp)


@function()
def block_diag(*tensors: Any) -> Tensor:
    """The tensors as blocks along a diagonal."""
    return ROWS["block_diag"].general((list(tensors),), ())


@function()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements, as rows."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input.numel()), r)), np.int64).reshape(-1, r)
    return stack([input.index_select(0, wrap(np.ascontiguousarray(rows[:, k]))) for k in range(r)], 1)


@function("dstack")
def dstack(tensors: Any) -> Tensor:
    """cat along the third dimension"""
    return cat([FUNCTIONS["atleast_3d"](t) for t in tensors], 2)


@function("column_stack")
def column_stack(tensors: Any) -> Tensor:
    """One-dimensional tensors as columns, others side by side."""
    return FUNCTIONS["hstack"]([t.reshape(t.numel(), 1) if t.dim() <= 1 else t for t in tensors])


@face()
def repeat_interleave(self: Tensor, repeats: Any, dim: int | None = None, *, output_size: Any = None) -> Tensor:
    """Each entry repeated in place, a fixed number of times or its own number."""
    if dim is None:
        self, dim = self.flatten(), 0
    d = axis(dim, self.dim())
    if isinstance(repeats, int):
        shape = [*self.shape[: d + 1], repeats, *self.shape[d + 1 :]]
        return self.unsqueeze(d + 1).expand(shape).clone().contiguous().flatten(d, d + 1)
    counts = repeats._array if isinstance(repeats, Tensor) else np.asarray(repeats)
    return self.index_select(d, wrap(np.repeat(np.arange(self.shape[d]), counts)))


@face()
def argwhere(self: Tensor) -> Tensor:
    """The indices of the elements that are not zero, as rows."""
    return self.nonzero()


@face()
def diagflat(self: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements on its diagonal."""
    return self.contiguous().view(-1).diag(offset)


def _indices(name: str, find: Any) -> None:
    def call(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
        return wrap(np.stack(find(row, offset, col)).astype(np.int64 if dtype is None else dtype.np))

    call.__name__ = name
    function(name)(call)


_indices("tril_indices", np.tril_indices)
_indices("triu_indices", np.triu_indices)


@face()
def cov(self: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariance of variables in rows."""
    if self.dim() > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got an input with {self.dim()} dimensions")
    x = self if self.dim() == 2 else self.reshape(1, -1)
    x = x - x.mean(1, True)
    out = x @ x.t().conj() / max(0, x.shape[1] - correction)
    return out.squeeze()


@face()
def corrcoef(self: Tensor) -> Tensor:
    """The correlation of variables in rows."""
    c = cov(self)
    if c.dim() == 0:
        return c / c
    spread = c.diagonal().sqrt()
    return c / spread.unsqueeze(1) / spread.unsqueeze(0)


@function()
def trapezoid(y: Tensor, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The integral by trapezoids."""
    n = y.shape[axis(dim, y.dim())]
    if not n:
        return y.detach().sum(dim)
    if n <= 1:
        return y.sum(dim) * 0.0
    both = y.narrow(dim, 0, n - 1) + y.narrow(dim, 1, n - 1)
    if x is None:
        return both.sum(dim) * dx / 2.0
    step = x.diff(dim=dim if x.dim() > 1 else -1)
    if x.dim() == 1:
        shape = [1] * y.dim()
        shape[dim] = -1
        step = step.reshape(shape)
    return (step * both).sum(dim) / 2.0


function("trapz")(trapezoid)
