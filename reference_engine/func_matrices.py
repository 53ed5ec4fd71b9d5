"""torch.func, the second part: whole Jacobians, and modules called with other parameters.

A Jacobian is made row by row (jacrev) or column by column (jacfwd): this is a specification, and the results are those
of the batched computation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import func as transforms
from .ops.table import FUNCTIONS
from .tensor import Tensor, wrap
from .utils._pytree import tree_flatten, tree_leaves, tree_unflatten


def _units(x: Tensor) -> list[Tensor]:
    """The standard basis of the space of tensors like x."""
    found = []
    for i in range(x._array.size):
        unit = np.zeros(x._array.shape, x._array.dtype)
        unit.reshape(-1)[i] = 1
        found.append(wrap(unit))
    return found


def _stack(parts: list, shape: tuple, like: Tensor, dim: int = 0) -> Tensor:
    """Rows (dim 0) or columns (dim -1) put together."""
    if not parts:
        return wrap(np.zeros(shape, like._array.dtype))
    return FUNCTIONS["stack"](parts, dim).reshape(shape)


def jacrev(
    func: Callable, argnums: Any = 0, *, has_aux: bool = False, chunk_size: Any = None, _preallocate_and_copy: bool = False
) -> Callable:
    """A function that gives the Jacobian of func, by reverse mode: for each output, for each input."""
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen, places = transforms._pick(args, argnums)

        def of_chosen(*xs: Any) -> Any:
            return func(*transforms._put(args, places, xs), **kwargs)

        out, pull, *aux = transforms.vjp(of_chosen, *chosen, has_aux=has_aux)
        outs, out_spec = tree_flatten(out)
        leaves, spec = tree_flatten(chosen)
        zeros = [wrap(np.zeros_like(o._array)) for o in outs]
        jacobians = []
        for k, o in enumerate(outs):
            rows = [tree_leaves(pull(tree_unflatten([*zeros[:k], u, *zeros[k + 1 :]], out_spec))) for u in _units(o)]
            blocks = [_stack([r[i] for r in rows], (*o._array.shape, *x._array.shape), x) for i, x in enumerate(leaves)]
            tree = tree_unflatten(blocks, spec)
            jacobians.append(tree if isinstance(argnums, tuple) else tree[0])
        result = tree_unflatten(jacobians, out_spec)
        return (result, *aux) if has_aux else result

    return wrapper


def jacfwd(func: Callable, argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable:
    """The same by forward mode."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen, places = transforms._pick(args, argnums)

        def of_chosen(*xs: Any) -> Any:
            return func(*transforms._put(args, places, xs), **kwargs)

        leaves, spec = tree_flatten(chosen)
        zeros = [wrap(np.zeros_like(x._array)) for x in leaves]
        columns: list[list] = []
        for i, x in enumerate(leaves):
            directions = [tree_unflatten([*zeros[:i], u, *zeros[i + 1 :]], spec) for u in _units(x)]
            columns.append([transforms.jvp(of_chosen, chosen, d, has_aux=has_aux) for d in directions])
        sample = next((c[0] for c in columns if c), None) or transforms.jvp(of_chosen, chosen, tuple(zeros), has_aux=has_aux)
        outs, out_spec = tree_flatten(sample[0])
        jacobians = []
        for k, o in enumerate(outs):
            blocks = [
                _stack([tree_leaves(c[1])[k] for c in column], (*o._array.shape, *x._array.shape), o, -1)
                for x, column in zip(leaves, columns)
            ]
            tree = tree_unflatten(blocks, spec)
            jacobians.append(tree if isinstance(argnums, tuple) else tree[0])
        result = tree_unflatten(jacobians, out_spec)
        return (result, sample[2]) if has_aux else result

    return wrapper


def hessian(func: Callable, argnums: Any = 0) -> Callable:
    """A function that gives the matrix of second derivatives: forward over reverse."""
    return jacfwd(jacrev(func, argnums), argnums)


# ---- modules ----------------------------------------------------------------------------------------------------------


def functional_call(module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: Any = None, *,
                    tie_weights: bool = True, strict: bool = False) -> Any:  # fmt: skip
    """Call a module with other tensors in the places of its parameters and buffers, which are put back afterwards."""
    given = _merged(parameter_and_buffer_dicts)
    known = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers(remove_duplicate=False))}
    problems = [("Unexpected", set(given) - set(known)), ("Missing", set(known) - set(given))]
    if strict and any(names for _, names in problems):
        lines = "".join(f"\n\t{kind} key(s): {', '.join(sorted(names))}." for kind, names in problems if names)
        raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:{lines}")
    swapped = {name: value for name, value in given.items() if name in known}
    if tie_weights:
        swapped.update({twin: value for name, value in given.items() for twin, t in known.items()
                        if name in known and t is known[name] and twin not in given})  # fmt: skip
    previous = []
    for name, value in swapped.items():
        table, key = _place(module, name)
        previous.append((table, key, table[key]))
        table[key] = value
    try:
        args = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*args, **(kwargs or {}))
    finally:
        for table, key, old in reversed(previous):
            table[key] = old


def _merged(given: Any) -> dict:
    """Several dictionaries as one. Raises ValueError for a name that stands in two of them."""
    if isinstance(given, dict):
        return given
    if not isinstance(given, (list, tuple)) or not all(isinstance(d, dict) for d in given):
        raise ValueError(f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(given)}")
    names = [name for d in given for name in d]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    return {k: v for d in given for k, v in d.items()}


def _place(module: Any, name: str) -> Any:
    """(dictionary, key) that holds a parameter or buffer, by its dotted name."""
    path, _, key = name.rpartition(".")
    for part in path.split(".") if path else ():
        module = module._modules.get(part)
        if module is None:
            return None
    return next(((table, key) for table in (module._parameters, module._buffers) if key in table), None)


def stack_module_state(models: Any) -> tuple[dict, dict]:
    """The parameters and the buffers of several like modules, each stacked along a new first dimension."""
    stacked = []
    for named in ("named_parameters", "named_buffers"):
        tables = [dict(getattr(m, named)()) for m in models]
        stacked.append({k: FUNCTIONS["stack"]([t[k] for t in tables], 0).detach() for k in tables[0]})
    for t in stacked[0].values():
        t.requires_grad_()
    return stacked[0], stacked[1]
