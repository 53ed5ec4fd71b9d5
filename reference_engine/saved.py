"""What a node saves between forward and backward, and how it is given back.

In `node.saved`, with the version to check at the same place of `node.versions`:

    an input    the very Tensor (it stays alive), checked against its storage's version
    a result    a SavedResult: bytes and storage only, so that no reference cycle arises
    a copy      a SavedCopy: the value of an operand that the op itself overwrote
    hooked      a Packed, made by saved-tensor hooks; the version check is off (version None)
    a number    a Python operand (version None)
    several     a tuple of pairs (entry, version), for inputs that come as a list (version None)

Backward unpacks: to arrays in an ordinary backward, to Tensors under create_graph. The usual cases are written out in the
code of each row (ops/compile.py); here are all of them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from . import errors
from . import tensor as _t
from .dtypes import OF_NUMPY
from .graph import AccumulateGrad, Edge, Node, edge_of
from .modes import alert, no_grad, state
from .storage import Storage


class SavedResult:
    """What is saved of a node's own output: everything but the way back to the node."""

    __slots__ = ("_array", "_storage", "nr", "tangents")  # tangents: only if it had any when it was saved

    def __init__(self, array: np.ndarray, storage: Storage, nr: int = 0) -> None:
        self._array, self._storage, self.nr = array, storage, nr


class SavedCopy(SavedResult):
    """An operand that may not be held itself: the old value of a tensor written in place, or an alias of it.

    `nr` is the edge it had, so that second derivatives find their way.
    """

    __slots__ = ()


class Packed:
    """A saved tensor that went through saved-tensor hooks."""

    __slots__ = ("dtype", "edge", "nr", "shape", "unpack_hook", "value")

    def __init__(self, entry: Any, pack: Callable, unpack: Callable) -> None:
        plain = entry if isinstance(entry, _t.Tensor) else _t.alias(entry._array, entry._storage)
        before = entry._storage.version
        self.unpack_hook = unpack
        self.edge: Edge | None = None
        self.nr = -1
        if type(entry) is SavedResult:
            self.nr = entry.nr
        elif type(entry) is SavedCopy:
            self.edge = entry.nr
        elif entry.requires_grad:
            self.edge = edge_of(entry)
        with no_grad():
            self.value = pack(plain)
        if entry._storage.version != before:
            raise errors.HookError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook "
                "cannot be modified by in-place operations as this can lead to unexpected side-effects. Please open an "
                "issue if you need to perform in-place operations on the input to a pack hook."
            )

    def tensor(self, node: Node | None) -> Any:
        """The tensor handed back by the unpack hook, attached to the graph where the packed one was."""
        with no_grad():
            got = self.unpack_hook(self.value)
        if not isinstance(got, _t.Tensor):
            raise TypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(got).__name__}"
            )
        edge = (node, self.nr) if self.nr >= 0 else self.edge
        if edge is None:
            return got
        out = _t.alias(got._array, got._storage)
        out._rg = True
        if isinstance(edge[0], AccumulateGrad):
            out._meta = _t.Meta.empty()
            out._meta.sink = weakref.ref(edge[0])
        else:
            out._edge = edge
        return out


def pack(entry: Any, version: int | None) -> tuple[Any, int | None]:
    """What to store for a saved entry under the thread's saved-tensor hooks, and the version to check."""
    if version is None:
        raise errors.InferenceTensorError(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
            "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and "
            "use it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
        )
    if state.hooks_disabled is not None or not state.pack_hooks:
        return entry, version
    return Packed(entry, *state.pack_hooks[-1]), None


def unpack_array(node: Node, i: int, entry: Any = Node) -> Any:
    """The value of saved entry `i`, for the cases that the generated code does not treat itself."""
    entry, version = _entry(node, i, entry)
    if version is not None:
        return checked(node, i, entry, version)._array
    if isinstance(entry, tuple):
        return [unpack_array(node, i, e) for e in entry]
    return entry.tensor(node)._array if type(entry) is Packed else entry


def unpack_tensor(node: Node, i: int, entry: Any = Node) -> Any:
    """The same as a Tensor that stands where the saved one stood in the graph."""
    entry, version = _entry(node, i, entry)
    if version is None:
        if isinstance(entry, tuple):
            return [unpack_tensor(node, i, e) for e in entry]
        return entry.tensor(node) if type(entry) is Packed else entry
    checked(node, i, entry, version)
    if isinstance(entry, SavedResult):
        out = _t.alias(entry._array, entry._storage)
        edge = (node, entry.nr) if type(entry) is SavedResult else entry.nr
        if edge is not None:
            out._rg, out._edge = True, edge
        if alert.on and state.dual_level >= 0:
            out._meta = _t.Meta.empty()
            out._meta.tangents = getattr(entry, "tangents", None)
        return out
    return entry


def _entry(node: Node, i: int, entry: Any) -> tuple[Any, Any]:
    """The entry and its version; the parts of a list carry theirs with them."""
    if entry is not Node:
        return entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, None)
    if node.saved is None:
        raise errors.freed(node.name())
    return node.saved[i], node.versions[i]


def checked(node: Node, i: int, entry: Any, version: int) -> Any:
    """The entry, if nothing happened to it since it was saved; else the error that says what did."""
    now = entry._storage.version
    if now != version:
        raise _version_error(node, i, entry, version)
    if alert.detached and type(entry) not in (SavedResult, SavedCopy) and entry._edge is None and i < len(node.saved_names):
        names = node.saved_names[i], getattr(node, "input_names", ())
        if names[0] in names[1]:
            source = node.edges[names[1].index(names[0])][0]
            if source is not None and not isinstance(source, AccumulateGrad):
                raise errors.DetachedInPlace(
                    "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_(). This is not "
                    "supported, please use out-of-place `.detach()` instead"
                    f" [{node.name()} saved `{names[0]}`, then a result of {source.name()}, at version {version}.]"
                )
    return entry


def _version_error(node: Node, i: int, entry: Any, version: int) -> Exception:
    array, now = entry._array, entry._storage.version
    dtype = OF_NUMPY[array.dtype].long_name
    text = (
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[torch.{dtype}Tensor [{', '.join(map(str, array.shape))}]]"
    )
    if type(entry) is SavedResult:
        text += f", which is output {entry.nr} of {node.label()},"
    elif type(entry) is not SavedCopy and (edge := entry._current_edge()) is not None:
        text += f", which is output {edge[1]} of {edge[0].label()},"
    text += f" is at version {now}; expected version {version} instead. "
    if state.anomaly:
        text += (
            "Hint: the backtrace further above shows the operation that failed to compute its gradient. The variable "
            "in question was changed in there or anywhere later. Good luck!"
        )
    else:
        text += (
            "Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
            "torch.autograd.set_detect_anomaly(True)."
        )
    what = node.saved_names[i] if i < len(node.saved_names) else f"tensor {i}"
    writer = getattr(entry._storage, "writer", None)
    changed = f"; the last in-place op on it was {writer}" if writer else ""
    return errors.VersionMismatch(f"{text} [{node.name()} saved `{what}` at version {version}{changed}.]")


def saved_attribute(node: Node, key: str) -> Any:
    """The value behind `_saved_<key>`."""
    if node.saved is None:
        raise errors.freed(node.name())
    if key not in node.saved_names:
        return node.values[node.value_names.index(key)]
    got = unpack_tensor(node, node.saved_names.index(key))
    if isinstance(got, (float, int)) and not isinstance(got, bool) and key not in ("exponent",):
        return _t.wrap(np.asarray(got))
    return tuple(got) if isinstance(got, list) else got


def raw_saved(node: Node, key: str) -> SavedTensor:
    """The handle behind `_raw_saved_<key>`."""
    return SavedTensor(node, node.saved_names.index(key))


class SavedTensor:
    """What `_raw_saved_<key>` gives: a handle by which hooks can be put on that one saved tensor."""

    def __init__(self, node: Node, index: int) -> None:
        self._node, self._index = node, index

    @property
    def data(self) -> Any:
        if self._node.saved is None:
            raise errors.freed(self._node.name())
        return unpack_tensor(self._node, self._index).data

    @property
    def unpack_hook(self) -> Any:
        entry = self._node.saved[self._index] if self._node.saved else None
        return entry.unpack_hook if type(entry) is Packed else None

    def register_hooks(self, pack_hook: Callable, unpack_hook: Callable) -> None:
        """Pack now with pack_hook, unpack in backward with unpack_hook."""
        if not (callable(pack_hook) and callable(unpack_hook)):
            raise TypeError("register_hooks(): incompatible function arguments: two callables are expected")
        node, i = self._node, self._index
        if node.saved is None:
            raise errors.HookError("Calling register_hooks on a saved tensor after it has been freed. ")
        entry = node.saved[i]
        if entry is None:
            raise errors.HookError("Calling register_hooks on a saved tensor with value None is forbidden")
        if type(entry) is Packed:
            raise errors.HookError(
                "Calling register_hooks on a saved tensor whose hooks have already been set. "
                "Hint: only one pair of hooks is allowed at a time."
            )
        packed = Packed(entry, pack_hook, unpack_hook)
        node.saved = (*node.saved[:i], packed, *node.saved[i + 1 :])
        node.versions = (*node.versions[:i], None, *node.versions[i + 1 :])
