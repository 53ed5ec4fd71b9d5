"""torch.func.vmap as a plain loop: the function runs once for each entry, and the results are put side by side."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .ops.table import FUNCTIONS
from .tensor import Tensor
from .utils._pytree import tree_flatten, tree_leaves, tree_unflatten


def _spread(dims: Any, tree: Any) -> list | None:
    """One entry of `dims` for each leaf of `tree`; None if the two do not fit."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(tree_leaves(tree))
    if isinstance(tree, dict):
        if not isinstance(dims, dict) or set(dims) != set(tree):
            return None
        pairs = [(dims[k], tree[k]) for k in tree]
    else:
        if not isinstance(tree, (tuple, list)) or not isinstance(dims, (tuple, list)) or len(dims) != len(tree):
            return None
        pairs = list(zip(dims, tree))
    found: list = []
    for part, sub in pairs:
        spread = _spread(part, sub)
        if spread is None:
            return None
        found += spread
    return found


def _sources(name: str, in_dims: Any, args: tuple) -> tuple[list, Any, list, int]:
    """The leaves of the arguments, their shape as a nest, the dimension mapped in each, and how many entries there are.

    Raises ValueError for arguments that cannot be mapped.
    """
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{where}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: "
            f"{type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, spec = tree_flatten(args)
    dims = _spread(in_dims, args)
    if dims is None:
        raise ValueError(
            f"{where}in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{tree_flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    for i, (x, d) in enumerate(zip(leaves, dims)):
        if d is None:
            continue
        if not isinstance(x, Tensor):
            raise ValueError(
                f"{where}Got in_dim={d} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor "
                "arguments, please use None as the respective in_dim"
            )
        if not -x.dim() <= d < x.dim():
            raise ValueError(
                f"{where}Got in_dim={d} for some input, but that input is a Tensor of dimensionality {x.dim()} so expected "
                f"in_dim to satisfy -{x.dim()} <= in_dim < {x.dim()}."
            )
        dims[i] = d % x.dim()
    lengths = [x.shape[d] for x, d in zip(leaves, dims) if d is not None]
    if not lengths:
        raise ValueError(f"{where}at least one input must be mapped over; none of the in_dims given is an int")
    if len(set(lengths)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {lengths} for the mapped "
            "dimension"
        )
    return leaves, spec, dims, lengths[0]


def _entry(x: Tensor, dim: int, i: int) -> Tensor:
    return x.select(dim, i) if x.shape[dim] else x.new_zeros([*x.shape[:dim], *x.shape[dim + 1 :]])


def vmap(func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: Any = None) -> Callable:
    """A function that runs func for each entry along dimension in_dims, and puts the results side by side."""
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = getattr(func, "__name__", repr(func))

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        leaves, spec, dims, length = _sources(name, in_dims, args)
        runs = []
        for i in range(max(length, 1)):
            # Without any entry, a blank one shows the shapes of the results.
            picked = [x if d is None else _entry(x, d, i) for x, d in zip(leaves, dims)]
            runs.append(func(*tree_unflatten(picked, spec), **kwargs))
        outs, out_spec = tree_flatten(runs[0])
        for x in outs:
            if not isinstance(x, Tensor):
                raise ValueError(
                    f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did you mean to set "
                    "out_dims= to None for output?"
                )
        places = _spread(out_dims, runs[0])
        if places is None:
            raise ValueError(
                f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
                f"`outputs`. out_dims has structure {tree_flatten(out_dims)[1]} but outputs has structure {out_spec}."
            )
        columns = zip(*(tree_leaves(r) for r in runs))
        found = [c[0] if d is None else FUNCTIONS["stack"](list(c), d) for c, d in zip(columns, places)]
        if not length:
            found = [t if d is None else t.narrow(d, 0, 0) for t, d in zip(found, places)]
        return tree_unflatten(found, out_spec)

    return wrapper
