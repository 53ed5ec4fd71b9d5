"""Faces: how a row appears to the user, as method, as function, as operator, and in place."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from ..tensor import Tensor
from .table import FUNCTIONS, Row


def face(*names: str, method: Any = True, function: Any = True) -> Callable:
    """Put a function on Tensor as a method and in the package as a function, under the given names or its own."""

    def decorate(fn: Any) -> Any:
        for name in names or (fn.__name__,):
            if method:
                setattr(Tensor, name, fn)
            if function:
                FUNCTIONS[name] = fn
        return fn

    return decorate


def method(*names: str) -> Callable:
    """A method only."""
    return face(*names, function=False)


def function(*names: str) -> Callable:
    """A function only."""
    return face(*names, method=False)


def named_input(fn: Any) -> Any:
    """The function under which the package offers a method: its first parameter is called input, not self.

    Only the name in its code changes, so that a call costs what it did.
    """
    code = getattr(fn, "__code__", None)
    if code is None or not code.co_argcount or code.co_varnames[0] != "self" or "self" in code.co_cellvars:
        return fn
    renamed = code.replace(co_varnames=("input", *code.co_varnames[1:]))
    made = FunctionType(renamed, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    made.__kwdefaults__, made.__doc__, made.__module__ = fn.__kwdefaults__, fn.__doc__, fn.__module__
    made.__annotations__ = {"input" if k == "self" else k: v for k, v in fn.__annotations__.items()}
    return made


def expose(row: Row, inplace: Any, where: Any) -> None:
    """Give a row its faces."""
    if where in (True, "method"):
        setattr(Tensor, row.name, row.call)
    if where in (True, "function"):
        FUNCTIONS[row.name] = row.call
    if inplace:
        name = inplace if isinstance(inplace, str) else row.name + "_"
        row.inplace = in_place(row, name)
        if where in (True, "method") or isinstance(inplace, str):
            setattr(Tensor, name, row.inplace)


def in_place(row: Row, name: str) -> Callable:
    """The in-place face of a row: the result is written into self, which is returned."""
    if not row.variadic and row.outputs == 1:
        from .compile import compile_in_place

        return compile_in_place(row, name)
    from ..inplace import write

    arity = len(row.inputs) - 1
    names = (*row.inputs[1:], *row.params)
    defaults = {k: eval(v) for k, v in row.defaults.items()}

    def inplace(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) != len(names):
            if len(args) > len(names):
                raise TypeError(f"{name}() takes {len(names)} arguments but {len(args)} were given")
            rest = [kwargs.pop(n) if n in kwargs else defaults[n] for n in names[len(args) :]]
            args = (*args, *rest)
        if kwargs:
            raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(kwargs))!r}")
        return write(row, name, self, args[:arity], args[arity:])

    inplace.__name__ = inplace.__qualname__ = name
    return inplace
