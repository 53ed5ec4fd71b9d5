"""Behaviour beyond the listed facts: small programs, run on torch and on the reference engine, must come out the same."""

from __future__ import annotations

import ast
import math
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import reference_engine

pytest.importorskip("torch")
SOURCE = Path(__file__).with_name("behaviours.py")
NAMES = [
    node.name
    for node in ast.parse(SOURCE.read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
]


@cache
def programs(engine: str) -> dict[str, Any]:
    """The programs' module, in which `torch` means the engine."""
    scope: dict[str, Any] = {"__name__": "behaviours"}
    code = compile(SOURCE.read_text(), str(SOURCE), "exec")
    if engine == "torch":
        exec(code, scope)
    else:
        with reference_engine.installed_as_torch():
            exec(code, scope)
    return scope


def number(x: Any) -> Any:
    """A number as it is compared: floats to six digits."""
    if isinstance(x, complex):
        return number(x.real), number(x.imag)
    if not isinstance(x, float):
        return x
    return str(x) if math.isnan(x) or math.isinf(x) else float(f"{x:.6g}") + 0.0


def plain(x: Any, tensor: type) -> Any:
    """What a program returned, in plain Python."""
    if isinstance(x, tensor):
        return str(x.dtype), list(x.shape), plain(x.detach().tolist(), tensor)
    if isinstance(x, (tuple, list)):
        return [plain(i, tensor) for i in x]
    if isinstance(x, dict):
        return {str(k): plain(v, tensor) for k, v in x.items()}
    return number(x) if isinstance(x, (str, bool, int, float, complex, type(None))) else str(x)


def outcome(engine: str, name: str) -> Any:
    """What the program gives on an engine."""
    scope = programs(engine)
    scope["torch"].set_grad_enabled(True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if engine == "torch":
            return plain(scope[name](), scope["torch"].Tensor)
        with reference_engine.installed_as_torch():
            return plain(scope[name](), scope["torch"].Tensor)


@pytest.mark.parametrize("name", NAMES)
def test_same_on_both(name):
    """The program has the same outcome on both."""
    assert outcome("reference", name) == outcome("torch", name)
