"""The table of op calls, data/op_table.txt, and the operands that are drawn for them.

A line is `call | operands`, or `names : call with {} | operands`, which stands for one call a name. In a call `T` is the
module under test, `F` its nn.functional, `A` its ops.aten, x y z the tensors, t a copy of x to write into.

An operand is `what`, or `name=what`; those without a name are x, y, z in order. `what` is a letter for the values and one
character for each dimension, a digit or a letter of SIZES (`rab`: real, 2 by 3):

    r  numbers of both signs     p  positive     u  inside (-1, 1)     q  inside (0, 1)     a  above 1     z  -1 or 1
    w  well-conditioned matrices     s  Hermitian positive definite     l  lower triangular     b  a mask
    i<k  indices below the size k           u<k  the same, none twice along the dimension k

Floating-point operands require grad, but for those marked `!`.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SIZES = {"a": 2, "b": 3, "c": 4, "n": 3}
DTYPES = ("float64", "float32", "complex128")
VARIANTS = ("plain", "ones", "empty", "scalar", "broadcast", "strided", "expanded")


class Operand(NamedTuple):
    """One tensor of a call: its name, what it holds, its dimensions, whether it is differentiated."""

    name: str
    kind: str
    bound: str
    dims: str
    smooth: bool


class Call(NamedTuple):
    """One line of the table."""

    text: str
    operands: tuple[Operand, ...]


def _operand(word: str, names: Any) -> Operand:
    name, _, what = word.rpartition("=")
    smooth = not what.startswith("!")
    what = what.lstrip("!")
    kind, bound, dims = what[0], "", what[1:]
    if dims.startswith("<"):
        bound, dims = dims[1], dims[2:]
    return Operand(name or next(names), kind, bound, dims, smooth and not bound and kind != "b")


def calls() -> list[Call]:
    """All calls of the table."""
    out = []
    text = (Path(__file__).parent / "data" / "op_table.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            call, _, words = line.rpartition(" | ")
            names, found, template = call.rpartition(" : ")
            operands = iter("xyz")
            row = tuple(_operand(word, operands) for word in words.split())
            out += [Call(template.replace("{}", name), row) for name in names.split()] if found else [Call(call, row)]
    return out


# ---- drawing ----------------------------------------------------------------------------------------------------------


def seed(*words: object) -> np.random.Generator:
    """The same numbers for the same words."""
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


def _matrix(kind: str, shape: tuple[int, ...], rng: np.random.Generator, complex_: bool) -> Any:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        return _normal(shape, rng, complex_)
    eye = np.eye(shape[-1])
    a = _normal(shape, rng, complex_)
    if kind == "w":
        return a * 0.5 + np.diag(np.arange(1, shape[-1] + 1)) * 1.5
    if kind == "l":
        return np.tril(a * 0.5, -1) + (np.abs(a.real) * 0.5 + 1) * eye
    return a @ np.swapaxes(a.conj(), -1, -2) * 0.3 + np.diag(np.arange(1, shape[-1] + 1))


def _normal(shape: tuple[int, ...], rng: np.random.Generator, complex_: bool) -> Any:
    a = rng.standard_normal(shape)
    return np.asarray(a + 1j * rng.standard_normal(shape) if complex_ else a)


REAL = {"p": (0.2, 2.0), "u": (-0.9, 0.9), "q": (0.05, 0.95), "a": (1.1, 2.1)}


def floats(kind: str, shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> Any:
    """An array of floats of the kind."""
    complex_ = dtype.startswith("complex")
    if kind in "wsl":
        out = _matrix(kind, shape, rng, complex_)
    elif kind == "z":
        out = rng.choice([-1.0, 1.0], shape)
    elif kind == "r":
        out = _normal(shape, rng, complex_)
    else:
        low, high = REAL[kind]
        out = rng.uniform(low, high, shape) + (1j * rng.uniform(-0.4, 0.4, shape) if complex_ else 0)
    return np.asarray(out).astype(dtype)


def integers(operand: Operand, shape: tuple[int, ...], sizes: dict[str, int], rng: np.random.Generator) -> Any:
    """Indices below a bound; of kind "u" none comes twice along the dimension of the bound's letter."""
    bound = sizes.get(operand.bound) if operand.bound.isalpha() else int(operand.bound)
    if operand.kind == "u":
        return np.argsort(rng.random(shape), operand.dims.index(operand.bound))
    return rng.integers(0, max(1, bound or 0), shape)


class Drawn(NamedTuple):
    """One operand: its values, the way they lie in memory, and whether it is differentiated."""

    name: str
    array: Any
    layout: str
    smooth: bool


def _fewer(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
    """A shape that broadcasts to the given one."""
    shape = tuple(1 if rng.random() < 0.4 else s for s in shape)
    return shape[rng.integers(0, len(shape) + 1) :] if rng.random() < 0.5 else shape


def sized(call: Call, variant: str, rng: np.random.Generator) -> dict[str, int]:
    """The sizes of the letters: one of them is 1 or 0 in the variants of that name."""
    sizes = dict(SIZES)
    letters = sorted({c for o in call.operands for c in o.dims if c.isalpha()})
    if variant in ("ones", "empty") and letters:
        sizes[letters[rng.integers(len(letters))]] = 1 if variant == "ones" else 0
    return sizes


def applies(call: Call, variant: str) -> bool:
    """Whether a variant changes anything. ATen's own functions trust their callers: torch may crash on odd shapes."""
    if call.text.startswith("A.") and variant not in ("plain", "strided", "expanded"):
        return False
    letters = {c for o in call.operands for c in o.dims if c.isalpha()}
    if variant in ("ones", "empty", "scalar"):
        return bool(letters)
    return variant != "broadcast" or sum(o.smooth for o in call.operands) > 1


def draw(call: Call, dtype: str, variant: str, number: int = 0) -> tuple[dict[str, int], list[Drawn]]:
    """The sizes of the letters, and the operands."""
    rng = seed(call.text, dtype, variant, number)
    sizes, out = sized(call, variant, rng), []
    for o in call.operands:
        shape = tuple(sizes[c] if c.isalpha() else int(c) for c in o.dims)
        if o.bound:
            out.append(Drawn(o.name, integers(o, shape, sizes, rng), "plain", False))
            continue
        if variant == "scalar":
            shape = ()
        elif variant == "broadcast":
            shape = _fewer(shape, rng)
        layout = "plain" if variant == "expanded" and o.kind in "wsl" else variant
        array = rng.random(shape) < 0.6 if o.kind == "b" else floats(o.kind, shape, dtype, rng)
        out.append(Drawn(o.name, np.asarray(array), layout if o.smooth else "plain", o.smooth))
    return sizes, out
