"""allow_mutation_on_saved_tensors: a saved tensor may be written before backward, which then sees what was saved."""

from __future__ import annotations

import weakref
from collections import defaultdict
from typing import Any

from ..hooks import saved_tensors_hooks
from ..tensor import Tensor, alias


class _Handle:
    """Stands in a node for one saved tensor at one version; several nodes may share it."""

    __slots__ = ("__weakref__", "copy", "tensor", "version")

    def __init__(self, t: Tensor) -> None:
        self.tensor, self.version = t, t._version
        self.copy = alias(t._array.copy(order="K"), type(t._storage).at(0))

    @property
    def written(self) -> bool:
        return self.tensor._storage.version != self.version


class _Saved:
    """What is saved within the context: `original` as it is, `cloned` because it was written since."""

    def __init__(self) -> None:
        self.handles: Any = weakref.WeakSet()
        self.tid_to_weakhandle: Any = weakref.WeakValueDictionary()
        self.sid_to_tid: Any = defaultdict(set)

    @property
    def original(self) -> dict:
        return {h: h.tensor for h in self.handles if not h.written}

    @property
    def cloned(self) -> dict:
        return {h: h.copy for h in self.handles if h.written}

    def clear(self) -> None:
        """Forget everything; backward of what was recorded here then fails."""
        for table in (self.handles, self.tid_to_weakhandle, self.sid_to_tid):
            table.clear()

    def pack(self, t: Tensor) -> _Handle:
        """The handle of a tensor; the same for the same tensor at the same version."""
        key = (id(t._array), t._array.__array_interface__["data"][0], t._version)
        handle = self.tid_to_weakhandle.get(key)
        if handle is None:
            handle = self.tid_to_weakhandle[key] = _Handle(t.detach())
            self.handles.add(handle)
            self.sid_to_tid[t._storage].add(key)
        return handle

    def unpack(self, handle: _Handle) -> Tensor:
        """The tensor as it was saved. Raises AssertionError outside the context."""
        if handle not in self.handles or allow_mutation_on_saved_tensors.running is not self:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which the graph was "
                "originally recorded."
            )
        return handle.copy if handle.written else handle.tensor


class allow_mutation_on_saved_tensors:
    """Within the context a write to a saved tensor does not disturb the backward, which must run within it, too.

    Raises RuntimeError when nested.
    """

    running: Any = None

    def __enter__(self) -> _Saved:
        if allow_mutation_on_saved_tensors.running is not None:
            raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
        self._saved = allow_mutation_on_saved_tensors.running = _Saved()
        self._hooks = saved_tensors_hooks(self._saved.pack, self._saved.unpack)
        self._hooks.__enter__()
        return self._saved

    def __exit__(self, *exc: Any) -> None:
        self._hooks.__exit__(*exc)
        self._saved.clear()
        allow_mutation_on_saved_tensors.running = None
