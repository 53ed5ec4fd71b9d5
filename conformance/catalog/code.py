"""An op's code, such as `torch.where(b, a, c)`, as something to call and as text for a script: one source for both."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import CodeType
from typing import Any

OPERANDS = "abc"


def compile_code(code: str, namespace: Mapping[str, Any]) -> Callable[..., Any]:
    """A function of the operands (positional) and the parameters (by keyword).

    An expression gives its value; a statement (`a[index] = b`) gives None. The function sees the namespace itself, not a copy.
    """
    made: dict[str, Any] = {}
    exec(_function(code, frozenset(namespace)), namespace if isinstance(namespace, dict) else dict(namespace), made)
    return made["call"]  # type: ignore[no-any-return]


@cache
def _function(code: str, known: frozenset[str]) -> CodeType:
    """The definition of the function, compiled once for all engines that use these names."""
    operands, params = _names(code, known)
    head = ", ".join([*operands, *(["*", *params] if params else [])])
    body = code if _is_statement(code) else f"return {code}"
    return compile(f"def call({head}):\n    {body}", "<op>", "exec")


def render_code(code: str, operands: Sequence[str], params: Mapping[str, Any]) -> str:
    """The code with names of variables for the operands and literals for the parameters."""
    replacements: dict[str, ast.expr] = {letter: ast.Name(name) for letter, name in zip(OPERANDS, operands, strict=False)}
    replacements |= {name: ast.parse(repr(value), mode="eval").body for name, value in params.items()}
    return ast.unparse(_Fill(replacements).visit(ast.parse(code)))


class _Fill(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, replacements: Mapping[str, ast.expr]) -> None:
        self.replacements = replacements

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.replacements.get(node.id, node)


def operands_of(code: str) -> list[str]:
    """The operand letters that the code mentions, in alphabetical order."""
    return _names(code, frozenset())[0]


@cache
def _is_statement(code: str) -> bool:
    return not isinstance(ast.parse(code).body[0], ast.Expr)


def _names(code: str, known: frozenset[str]) -> tuple[list[str], list[str]]:
    """Operand letters and parameter names that the code mentions, in order."""
    found = dict.fromkeys(node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name) and node.id not in known)
    return [letter for letter in OPERANDS if letter in found], [name for name in found if name not in OPERANDS]
