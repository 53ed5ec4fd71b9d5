"""Small programs that look at one corner each, run on torch and on the reference engine, and compared.

data/probes.txt holds them: a line `### name`, then code that leaves what it saw in `r`. E(f) is the error that f raises (its
kind and the beginning of its text), W(f) the warnings it gives, dead(ref) whether a weakly held object is gone.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import gc
import io
import pickle
import re
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference_engine

torch = pytest.importorskip("torch")

PROBES = dict(
    block.split("\n", 1)
    for block in re.split(
        r"^### ", (Path(__file__).parent / "data" / "probes.txt").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    if block
)
PREAMBLE = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.autograd as ag
from torch.autograd import grad, Function
from torch.autograd.graph import saved_tensors_hooks, increment_version, get_gradient_edge
"""
ESSENCE = 70  # how many characters of a message must agree
TORCH_ERRORS = {n for n, c in vars(builtins).items() if isinstance(c, type) and issubclass(c, BaseException)}


class Said(tuple):
    """An error: its built-in kind and its text."""


def said(error: BaseException) -> Said:
    """What is compared of an error."""
    kind = next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins" and c.__name__ in TORCH_ERRORS)
    return Said((kind, re.sub(r"\s+", " ", str(error))))


def tools(module: Any) -> dict[str, Any]:
    """The names that probes use, for one engine."""

    def raised(f: Callable, *args: Any) -> Any:
        try:
            f(*args)
        except Exception as error:
            return said(error)
        return "no error"

    def warned(f: Callable) -> list:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            f()
        return [(w.category.__name__, str(w.message)[:60]) for w in caught]

    def dead(ref: Callable) -> bool:
        gc.collect()
        return ref() is None

    def tensor(*values: float, dtype: Any = None, requires_grad: bool = False) -> Any:
        return module.tensor([float(v) for v in values], dtype=dtype or module.float64, requires_grad=requires_grad)

    names: dict[str, Any] = {
        "E": raised, "W": warned, "dead": dead, "err": said, "T": tensor, "np": np, "copy": copy, "io": io, "pickle": pickle,
        "weakref": weakref,
        "leaf": lambda *v, dtype=None: tensor(*v, dtype=dtype, requires_grad=True),
        "sc": lambda v: module.tensor(float(v), dtype=module.float64, requires_grad=True),
    }  # fmt: skip
    with reference_engine.installed_as_torch() if module is reference_engine else contextlib.nullcontext():
        exec(PREAMBLE, names)
    return names


def plain(x: Any, module: Any) -> Any:
    """What a probe left, without objects of the engine."""
    if isinstance(x, Said) or x is None or isinstance(x, (bool, int, str)):
        return x
    if isinstance(x, module.Tensor):
        return (str(x.dtype), tuple(x.shape), plain(x.detach().tolist(), module), x.requires_grad, x.is_leaf)
    if isinstance(x, (float, complex)):
        return repr(complex(round(x.real, 6), round(x.imag, 6)))
    if isinstance(x, (list, tuple)):
        return [plain(y, module) for y in x]
    if isinstance(x, dict):
        return {str(k): plain(v, module) for k, v in x.items()}
    if isinstance(x, np.ndarray):
        return (str(x.dtype), plain(x.tolist(), module))
    if hasattr(x, "next_functions"):
        return x.name()
    return str(x) if isinstance(x, module.dtype) else type(x).__name__


def agree(expected: Any, actual: Any) -> bool:
    """Equal, up to the end of messages."""
    if isinstance(expected, Said):
        return isinstance(actual, Said) and expected[0] == actual[0] and expected[1][:ESSENCE] in actual[1]
    if isinstance(expected, dict):
        return expected.keys() == actual.keys() and all(agree(v, actual[k]) for k, v in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(map(agree, expected, actual))
    return expected == actual


@pytest.fixture(scope="module")
def namespaces() -> dict[Any, dict]:
    """The tools of both engines."""
    return {module: tools(module) for module in (torch, reference_engine)}


@pytest.mark.parametrize("name", PROBES)
def test_probe(name: str, namespaces: dict) -> None:
    """What the probe sees is the same on both engines."""
    seen = []
    for module, names in namespaces.items():
        own = dict(names)
        module.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(PROBES[name], own)
            seen.append(plain(own["r"], module))

    assert agree(*seen), seen


def test_messages_name_the_writer_and_the_view() -> None:
    """A refused write says which op would write, what the view shows, and of which base."""
    x = reference_engine.ones(2, 3, requires_grad=True)
    cases = {
        r"\[add_ on a leaf of shape \[2, 3\]": lambda: x.add_(1),
        r"\[mul_ on a view of shape \[3\], made by SelectBackward0, of a leaf of shape \[2, 3\]": lambda: x[0].mul_(2),
        r"\[mul_ on it; the view has shape \[3\], its base \[2, 3\]": lambda: (x * 1).unbind()[0].mul_(2),
    }
    for text, write in cases.items():
        with pytest.raises(RuntimeError, match=text):
            write()
