"""torch.utils._pytree: nests of tuples, lists and dicts, taken apart and put together again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class TreeSpec:
    """The shape of a nest. `kind` is None for a leaf; `keys`: of a dict."""

    __slots__ = ("children", "keys", "kind")

    def __init__(self, kind: Any = None, keys: tuple = (), children: tuple = ()) -> None:
        self.kind, self.keys, self.children = kind, keys, children

    @property
    def num_leaves(self) -> int:
        return 1 if self.kind is None else sum(c.num_leaves for c in self.children)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeSpec) and (self.kind, self.keys, self.children) == (other.kind, other.keys, other.children)

    def __hash__(self) -> int:
        return hash((self.kind, self.keys, self.children))

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        parts = [f"{k!r}: {c}" for k, c in zip(self.keys, self.children)] if self.keys else [str(c) for c in self.children]
        if self.kind is tuple:
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        return f"[{', '.join(parts)}]" if self.kind is list else f"{{{', '.join(parts)}}}"


def _open(tree: Any) -> tuple[Any, tuple, list] | None:
    """(kind, keys, children) of one nest, None for a leaf."""
    kind = type(tree)
    if kind in (dict, OrderedDict):
        return kind, tuple(tree), list(tree.values())
    if kind in (tuple, list) or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        return kind, (), list(tree)
    return (type(None), (), []) if tree is None else None


def tree_flatten(tree: Any, is_leaf: Any = None) -> tuple[list, TreeSpec]:
    """The leaves from left to right, and the shape."""
    opened = None if is_leaf is not None and is_leaf(tree) else _open(tree)
    if opened is None:
        return [tree], TreeSpec()
    leaves: list[Any] = []
    specs = []
    for child in opened[2]:
        found, spec = tree_flatten(child, is_leaf)
        leaves += found
        specs.append(spec)
    return leaves, TreeSpec(opened[0], opened[1], tuple(specs))


def tree_unflatten(leaves: Any, spec: TreeSpec) -> Any:
    """A nest of the given shape from its leaves."""
    return _build(iter(leaves), spec)


def _build(leaves: Any, spec: TreeSpec) -> Any:
    if spec.kind is None:
        return next(leaves)
    if spec.kind is type(None):
        return None
    children = [_build(leaves, c) for c in spec.children]
    if spec.keys or spec.kind in (dict, OrderedDict):
        return spec.kind(zip(spec.keys, children))
    return spec.kind(children) if spec.kind in (tuple, list) else spec.kind(*children)


def tree_leaves(tree: Any) -> list:
    """The leaves from left to right."""
    return tree_flatten(tree)[0]


def tree_map(fn: Callable, tree: Any, *rest: Any) -> Any:
    """The nest with fn applied to each leaf (and to the leaves at the same place of further nests)."""
    leaves, spec = tree_flatten(tree)
    return tree_unflatten([fn(*xs) for xs in zip(leaves, *(tree_leaves(r) for r in rest))], spec)


def tree_structure(tree: Any) -> TreeSpec:
    """The shape of a nest."""
    return tree_flatten(tree)[1]
