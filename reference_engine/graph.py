"""The recorded graph: nodes, edges, and the sink behind a leaf.

An edge is a pair (node, output_nr); NO_EDGE stands for an input that needs no gradient. A node keeps what its formulas
need in `saved`, with the versions seen when it was saved in `versions` (saved.py says what may stand there).
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from sys import getrefcount
from typing import Any

import numpy as np

from . import errors
from . import tensor as _t
from .modes import state

new = object.__new__
Edge = tuple  # (Node | None, int)
NO_EDGE: Edge = (None, 0)

# Nodes are ordered by the negated sequence number, so that the newest is the smallest: a heap gives it first.
next_order = count(-1, -1).__next__
# Leaves come before every other node as soon as they are ready; among themselves in order of creation.
_next_leaf_order = count(-(1 << 62)).__next__


class NodeHooks:
    """The hooks of one node; most nodes have none, so this is made on demand."""

    __slots__ = ("post", "pre", "retains", "tensor")

    def __init__(self) -> None:
        self.tensor: dict[int, OrderedDict] = {}  # by output number: hooks of the tensor that is this output
        self.retains: dict[int, weakref.ref] = {}  # by output number: the tensor whose .grad is to be kept
        self.pre: OrderedDict = OrderedDict()
        self.post: OrderedDict = OrderedDict()


class Node:
    """One recorded op. Subclasses (one for each kind of op) define `backward` and `differentiate`.

    edges: where the gradient of each input goes. shape, dtype: of output 0; `more` maps further output numbers to
    (shape, dtype), or is None. values: the plain Python values the formulas need.
    """

    __slots__ = (
        "__weakref__",
        "_metadata",
        "_trace",
        "dtype",
        "edges",
        "hooks",
        "more",
        "order",
        "saved",
        "shape",
        "values",
        "versions",
    )  # fmt: skip
    saved_names: tuple[str, ...] = ()
    value_names: tuple[str, ...] = ()
    title = ""
    hidden = False  # whether a tensor behind it counts as a leaf
    runs_undefined = False  # whether the node runs even if no gradient arrived (custom Functions do)

    def __init__(self, edges: tuple = (), shape: tuple = (), dtype: Any = None) -> None:
        self.edges, self.shape, self.dtype = edges, shape, dtype
        self.saved = self.versions = self.values = ()
        self.order = next_order()
        self.more = self.hooks = None
        if state.anomaly:
            from .autograd.anomaly_mode import trace

            trace(self)

    def backward(self, ct: Any) -> tuple:
        """Cotangent arrays in, one array or None for each edge out. Several outputs: ct is a list."""
        raise NotImplementedError

    def differentiate(self, ct: Any) -> tuple:
        """The same on Tensors, recording as it goes (create_graph)."""
        raise NotImplementedError

    def release(self) -> None:
        """Let go of what was saved; a later unpack says so. Where no formula needed its input, nothing is missed."""
        for entry in self.saved or ():
            if entry is not None:
                self.saved = None
                return

    def meta(self, nr: int) -> tuple:
        """(shape, dtype) of output `nr`."""
        return self.more[nr] if nr else (self.shape, self.dtype)

    def name(self) -> str:
        """Torch's name of the node."""
        return self.title or type(self).__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple:
        return tuple(self.edges)

    @property
    def metadata(self) -> dict:
        try:
            return self._metadata
        except AttributeError:
            self._metadata: dict = {}
            return self._metadata

    @property
    def requires_grad(self) -> bool:
        return True

    @property
    def _input_metadata(self) -> list:
        return [self.meta(i) for i in range(1 + max(self.more or (0,)))]

    def _sequence_nr(self) -> int:
        return -self.order

    def register_hook(self, fn: Callable) -> Any:
        """Call fn(grad_inputs, grad_outputs) after the node ran; it may return other grad_inputs."""
        return _t.RemovableHandle.add(hooks_of(self).post, fn)

    def register_prehook(self, fn: Callable) -> Any:
        """Call fn(grad_outputs) before the node runs; it may return other grad_outputs."""
        return _t.RemovableHandle.add(hooks_of(self).pre, fn)

    def __getattr__(self, name: str) -> Any:
        from .saved import RawSaved, saved_attribute

        for prefix, get in (("_saved_", saved_attribute), ("_raw_saved_", RawSaved)):
            if name.startswith(prefix):
                key = name[len(prefix) :]
                if key in self.saved_names or key in self.value_names:
                    return get(self, key)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __call__(self, *cotangents: Any) -> Any:
        """Run the node's formula by hand on Tensors."""
        got = self.differentiate(cotangents[0] if self.more is None else list(cotangents))
        return got[0] if len(got) == 1 else tuple(got)


def hooks_of(node: Node) -> NodeHooks:
    """The node's hooks, made if it has none yet."""
    if node.hooks is None:
        node.hooks = NodeHooks()
    return node.hooks


class AccumulateGrad(Node):
    """The sink behind a leaf: adds what arrives to the leaf's `.grad`. The leaf refers to it weakly, it to the leaf."""

    __slots__ = ("variable",)
    title = "torch::autograd::AccumulateGrad"
    hidden = True
    edges = saved = versions = values = ()
    more = None


def edge_of(t: Any) -> Edge:
    """The edge along which the gradient of `t` flows: to the op that made it, or to the sink of a leaf."""
    view = t._view
    if view is not None and view.version != t._storage.version:
        _t.views.regenerate(t)
    edge = t._edge
    if edge is not None:
        return edge
    if not t._rg:
        # A view made under no_grad requires grad by its base, but no gradient flows from it.
        return NO_EDGE
    meta = t._meta
    if meta is None:
        meta = t._meta = _t.Meta()
    sink = meta.sink
    if sink is not None:
        sink = sink()
        if sink is not None:
            return (sink, 0)
    sink = new(AccumulateGrad)
    sink.variable = t
    sink.shape, sink.dtype = t._array.shape, t._array.dtype
    sink.order = _next_leaf_order()
    sink.hooks = None
    if meta.hooks:
        hooks_of(sink).tensor[0] = meta.hooks
    meta.sink = weakref.ref(sink)
    return (sink, 0)


_accumulating = threading.Lock()


def accumulate(variable: Any, holder: list, recording: bool) -> None:
    """Add a gradient, the only element of `holder`, to `variable.grad` (torch: accumulate_grad.h).

    First gradient: an array that nobody else holds is kept as it is, any other is copied. Later: in place, so that
    `.grad` stays the same object; out of place when the backward itself is recorded.
    """
    if variable._edge is not None:
        raise errors.LeafMoved("leaf variable has been moved into the graph interior")
    with _accumulating:
        meta, cotangent = variable._meta, holder[0]
        current = meta.grad
        if recording:
            meta.grad = cotangent.clone() if current is None else current + cotangent
        elif current is None:
            exclusive = getrefcount(cotangent) <= 3  # holder, this function, getrefcount
            meta.grad = _t.wrap(_own(cotangent, variable._array, exclusive, meta.grad_dtype))
        elif current._storage.version is None and not state.inference:
            raise errors.InferenceTensorError("Inplace update to inference tensor outside InferenceMode is not allowed.")
        elif current._array.shape != cotangent.shape:
            meta.grad = _t.wrap(current._array + cotangent)
        else:
            into, storage = current._array, current._storage
            np.add(into, cotangent, into, casting="unsafe")
            if storage.version is not None:
                storage.version += 1
            storage.writer = "AccumulateGrad"


def _own(cotangent: Any, like: np.ndarray, exclusive: bool, wanted: Any) -> np.ndarray:
    """The array to keep as a first gradient, in the leaf's own memory layout."""
    if wanted is not None and cotangent.dtype is not wanted.np:
        cotangent, exclusive = np.asarray(cotangent).astype(wanted.np), True
    if cotangent.__class__ is not np.ndarray:
        return np.asarray(cotangent)
    if exclusive and cotangent.base is None and cotangent.strides == like.strides:
        return cotangent
    fresh = np.empty_like(like, dtype=cotangent.dtype)
    fresh[...] = cotangent
    return fresh
