"""The recorded graph: nodes, edges, and the sink behind a leaf.

An edge is a pair (node, output_nr); NO_EDGE stands for an input that needs no gradient. A node keeps what its formulas
need in `saved`, with the versions seen when it was saved in `versions` (saved.py says what may stand there).
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import count
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from . import errors
from . import tensor as _t
from .modes import alert, state
from .storage import Storage, dense_like, owner, strides

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


class OutputMeta(NamedTuple):
    """What a node knows of an output without holding it."""

    shape: tuple
    np_dtype: Any
    device = _t.CPU
    is_nested_tensor = is_cpp_nested_tensor = False

    @property
    def dtype(self) -> Any:
        return _t.OF_NUMPY[self.np_dtype]


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
    shown: tuple[int, ...] | None = None  # which edges torch has too: those of inputs with a formula; None: all
    hidden = False  # whether a tensor behind it counts as a leaf
    custom = False  # whether it is a custom Function's: it runs even if no gradient arrived, and computes what no one asked for

    def __init_subclass__(cls) -> None:
        """Show what nodes of the class save under torch's names: `_saved_self`, `_saved_self_sym_sizes`, `_raw_saved_self`."""
        # As properties of the class: a __getattr__ would make every attribute of a node slower to read.
        for key in (*cls.saved_names, *cls.value_names):
            shown = key.removesuffix("_shape") + "_sym_sizes" * key.endswith("_shape")
            setattr(cls, "_saved_" + shown, property(partial(_saved, key=key)))
        for key in cls.saved_names:
            setattr(cls, "_raw_saved_" + key, property(partial(_raw_saved, key=key)))

    def __init__(self, edges: tuple = (), shape: tuple = (), dtype: Any = None) -> None:
        self.edges, self.shape, self.dtype = edges, shape, dtype
        self.saved = self.versions = self.values = ()
        self.order = next_order()
        self.more = self.hooks = None
        if alert.on and state.anomaly:
            from .autograd.anomaly_mode import trace

            trace(self)

    def backward(self, ct: Any) -> tuple:
        """Cotangent arrays in, one array or None for each edge out. Several outputs: ct is a list."""
        raise NotImplementedError

    def differentiate(self, ct: Any) -> tuple:
        """The same on Tensors, recording as it goes (create_graph)."""
        raise NotImplementedError

    def undefined(self, create: bool) -> tuple:
        """No gradient arrived, so none goes on. What was saved is unpacked all the same, and so checked, as in torch."""
        from .saved import unpack_array

        if self.saved is None:
            raise errors.freed(self.name())
        for i, entry in enumerate(self.saved):
            if entry is not None:
                unpack_array(self, i)
        return (None,) * len(self.edges)

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

    def label(self) -> str:
        """The name as messages give it: Mul, Max1, and a custom Function's own."""
        head, _, number = self.name().rpartition("Backward")
        return head + number.removesuffix("0")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple:
        return tuple(self.edges) if self.shown is None else tuple(self.edges[i] for i in self.shown)

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
        return [OutputMeta(*self.meta(i)) for i in range(1 + max(self.more or (0,)))]

    def _sequence_nr(self) -> int:
        return -self.order

    def register_hook(self, fn: Callable) -> Any:
        """Call fn(grad_inputs, grad_outputs) after the node ran; it may return other grad_inputs."""
        return _t.RemovableHandle.add(hooks_of(self).post, fn)

    def register_prehook(self, fn: Callable) -> Any:
        """Call fn(grad_outputs) before the node runs; it may return other grad_outputs."""
        return _t.RemovableHandle.add(hooks_of(self).pre, fn)

    def __call__(self, *cotangents: Any) -> Any:
        """Run the node's formula by hand on Tensors."""
        got = self.differentiate(cotangents[0] if self.more is None else list(cotangents))
        return got[0] if len(got) == 1 else tuple(got)


def _saved(node: Node, key: str) -> Any:
    from .saved import saved_attribute

    return saved_attribute(node, key)


def _raw_saved(node: Node, key: str) -> Any:
    from .saved import raw_saved

    return raw_saved(node, key)


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

    def take(self, holder: list, create: bool) -> None:
        """Add a gradient, the only element of `holder`, to the leaf's `.grad`; then call the post-accumulate hooks.

        First gradient: an array that nobody else holds is kept as it is, any other is copied. Later: in place, so that
        `.grad` stays the same object; out of place when the backward itself is recorded (torch: accumulate_grad.h).
        """
        variable = self.variable
        if not (variable._rg or variable.requires_grad):
            return
        if variable._edge is not None:
            raise errors.LeafMoved(
                "leaf variable has been moved into the graph interior "
                f"[a leaf of shape {list(variable.shape)} became a result of {variable._edge[0].name()}.]"
            )
        meta, recording = variable._meta, create and state.grad
        if create and not recording:
            holder[0] = holder[0]._array  # on Tensors only for the sake of tangents, which .grad does not keep
        _accumulating.acquire()
        try:
            cotangent, current = holder[0], meta.grad
            if recording:
                # As in torch the first one is copied by copy_, which the history shows.
                meta.grad = _t.wrap(np.empty_like(cotangent._array)).copy_(cotangent) if current is None else current + cotangent
            elif current is None:
                alone = getrefcount(cotangent) <= ALONE
                inside = _inside(cotangent, variable._array) if alone and cotangent.base is not None else None
                meta.grad = _t.wrap(_own(cotangent, variable._array, alone, meta.grad_dtype)) if inside is None else inside
            else:
                meta.grad = _add(current, cotangent)
        finally:
            _accumulating.release()
        if meta.post_hooks:
            self.taken()

    def taken(self) -> None:
        """Call the post-accumulate hooks of the leaf; they are called even if no gradient arrived."""
        variable = self.variable
        for hook in list((variable._meta.post_hooks or {}).values()):
            got = hook(variable)
            if got is not None and not isinstance(got, _t.Tensor):
                raise TypeError(f"expected Variable, but hook returned '{type(got).__name__}'")


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
        meta = t._meta = _t.Meta.empty()
    elif meta.sink is not None:
        sink = meta.sink()
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


def _references(holder: list) -> int:
    """How many references the only element of `holder` has, as the caller of getrefcount sees it."""
    element = holder[0]
    return getrefcount(element)


ALONE = _references([object()])  # of an object that nobody else holds; versions of Python count differently


def _add(current: Any, cotangent: Any) -> Any:
    """The sum of a leaf's gradient so far and an array: written into the gradient, unless their shapes forbid it."""
    into, storage = current._array, current._storage
    if storage.version is None and not state.inference:
        raise errors.InferenceTensorError("Inplace update to inference tensor outside InferenceMode is not allowed.")
    if 0 in into.strides or (cotangent.base is not None and owner(cotangent) is owner(into)):
        _check_write(into, cotangent)
    if into.shape != cotangent.shape:
        try:
            return _t.wrap(into + cotangent)
        except ValueError as error:
            raise errors.mismatch((into, cotangent), error) from None
    if into.dtype is cotangent.dtype:
        into += cotangent
    else:
        np.add(into, cotangent, into, casting="unsafe")
    if storage.version is not None:
        storage.version += 1
    storage.writer = "AccumulateGrad"
    return current


def _check_write(into: np.ndarray, cotangent: np.ndarray) -> None:
    """Raise where a gradient that was assigned cannot be added to in place."""
    from .inplace import refuse_across, refuse_repeats

    refuse_repeats(into)
    if owner(cotangent) is owner(into):
        refuse_across(into, cotangent)


def _inside(cotangent: np.ndarray, like: np.ndarray) -> Any:
    """A cotangent that shows a part of other memory, in the leaf's own order, as a tensor on that memory, else None.

    Torch keeps it as it is: two leaves may then share what was one gradient, or a leaf what the caller gave as a seed.
    """
    found = [zip(array.shape, strides(array)) for array in (cotangent, like)]
    if [s for n, s in found[0] if n != 1] != [s for n, s in found[1] if n != 1]:
        return None
    task, whole = state.tasks[-1], owner(cotangent)
    for seed in task.seeds:
        if owner(seed._array) is whole:
            return _t.alias(cotangent, seed._storage)
    task.kept = task.kept or {}
    return _t.alias(cotangent, task.kept.setdefault(id(whole), Storage.at(0)))


def _own(cotangent: Any, like: np.ndarray, alone: bool, wanted: Any) -> np.ndarray:
    """The array to keep as a first gradient, in the leaf's own memory layout. `alone`: nobody else holds the cotangent."""
    if wanted and cotangent.dtype is not wanted.np:
        cotangent, alone = np.asarray(cotangent).astype(wanted.np), True
    if cotangent.__class__ is not np.ndarray:
        return np.asarray(cotangent)
    if cotangent.strides == like.strides:
        return cotangent if alone and cotangent.base is None else cotangent.copy("K")
    fresh = dense_like(like, cotangent.dtype)
    fresh[...] = cotangent
    return fresh
