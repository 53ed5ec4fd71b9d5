"""Tensor: an array, the storage it shares with its aliases, and its place in the graph.

    _array     a NumPy array; views are NumPy views of the base's memory
    _storage   the Storage (version counter) of its family of aliases
    _rg        requires_grad as set on this very tensor (a view also asks its base: views.requires_grad)
    _edge      (node, output_nr) of the op that made it, or None
    _view      ViewInfo, or None
    _meta      Meta, made on demand: .grad, hooks, the sink of a leaf

Methods that are ops are put on the class by the op tables (ops/); here is what is no op.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from . import errors
from .dtypes import CPU, OF_NUMPY, Size
from .hooks import HookDict, RemovableHandle
from .modes import alert, state
from .storage import InferenceAlias, Storage, TypedStorage, UntypedStorage, address, offset, strides

new = object.__new__
ndarray = np.ndarray


class Meta:
    """The rarely needed part of a tensor.

    sink: weak reference to the AccumulateGrad of a leaf. hooks: of a leaf; those of other tensors live on the node.
    tangents: forward mode, dual level -> tangent.
    """

    __slots__ = ("grad", "grad_dtype", "hooks", "post_hooks", "retains", "sink", "tangents")

    @classmethod
    def empty(cls) -> Meta:
        """One that holds nothing yet."""
        # No __init__: Python would spend more on calling it than on all else here. Every leaf of a graph has a Meta.
        meta = cls()
        meta.grad = meta.grad_dtype = meta.hooks = meta.post_hooks = meta.sink = meta.tangents = None
        meta.retains = False
        return meta


class Tensor:
    """An n-dimensional array that can be differentiated."""

    __slots__ = ("__dict__", "__weakref__", "_array", "_edge", "_meta", "_rg", "_storage", "_view")
    __array_priority__ = 1000
    layout: Any  # ops/layout.py
    is_sparse = is_cuda = is_quantized = is_meta = is_mkldnn = is_nested = is_xla = False
    names = None
    device = CPU

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        from .ops.create import legacy_tensor

        return legacy_tensor(cls, *args, **kwargs)

    @staticmethod
    def _make_subclass(cls: type, data: Any, require_grad: bool = False) -> Any:
        """An instance of a subclass that shares data's memory and version counter, as a leaf."""
        t = alias(data._array, data._storage, cls)
        if require_grad:
            t.requires_grad = True
        return t

    # ---- the graph ------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        return self._rg if self._view is None else self._rg or self._view.base._rg

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value.__class__ is not bool:
            raise errors.AutogradError("requires_grad must be a bool")
        if self._edge is not None:
            text = "you can only change requires_grad flags of leaf variables."
            if not value:
                text += (
                    " If you want to use a computed variable in a subgraph that doesn't require differentiation use "
                    "var_no_grad = var.detach()."
                )
            raise errors.NonLeafFlag(text)
        if value and self._array.dtype.kind not in "fc":
            raise errors.AutogradError("only Tensors of floating point and complex dtype can require gradients")
        if value and not state.inference and self.is_inference():
            raise errors.InferenceTensorError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
            )
        self._rg = value

    @requires_grad.deleter
    def requires_grad(self) -> None:
        raise errors.AutogradError("requires_grad must be a bool")

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set the flag; on a non-leaf, True is accepted and changes nothing."""
        plain = self._edge is None and self._array.dtype.kind == "f" and self._storage.__class__ is Storage and not alert.on
        if plain and requires_grad is True and self._storage.version is not None:
            self._rg = True  # nothing forbids it
            return self
        if state.transforms:
            raise errors.in_transform("requires_grad_")
        if requires_grad and self._rg and self._edge is not None:
            return self
        if requires_grad.__class__ is not bool:
            kind = type(requires_grad).__name__
            raise TypeError(f"requires_grad_(): argument 'requires_grad' (position 1) must be bool, not {kind}")
        if requires_grad and self._array.dtype.kind not in "fc":
            raise errors.AutogradError("only Tensors of floating point dtype can require gradients")
        self.requires_grad = requires_grad
        return self

    def _current_edge(self) -> Any:
        view = self._view
        if view is not None and view.version != self._storage.version:
            views.regenerate(self)
        return self._edge

    @property
    def grad_fn(self) -> Any:
        edge = self._edge if self._view is None else self._current_edge()
        return None if edge is None or edge[0].hidden else edge[0]

    @property
    def output_nr(self) -> int:
        return 0 if self._edge is None else self._edge[1]

    @property
    def is_leaf(self) -> bool:
        edge = self._edge if self._view is None else self._current_edge()
        return edge is None or edge[0].hidden

    def backward(self, gradient: Any = None, retain_graph: Any = None, create_graph: bool = False, inputs: Any = None) -> None:
        """Accumulate into the leaves the gradients of this tensor."""
        autograd.backward((self,), gradient, retain_graph, create_graph, None, inputs)

    def detach(self) -> Tensor:
        """The same memory and version counter, outside the graph; not a view."""
        storage = self._storage
        if storage.version is None and not state.inference:  # an alias that is made outside inference mode has a counter
            storage = InferenceAlias.at(0)
        return alias(self._array, storage)

    def detach_(self) -> Tensor:
        """Leave the graph in place. Views cannot."""
        if self._view is not None:
            raise errors.ViewInPlace(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
                "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
                "detach_() cannot be called on these gradients. To fix this error, please refer to the "
                "Optimizer.zero_grad() function in torch/optim/optimizer.py as a solution."
            )
        if self._edge is not None:
            alert.detached = True
        self._rg, self._edge = False, None
        if self._meta is not None:
            self._meta.tangents = None
        return self

    @property
    def data(self) -> Tensor:
        return alias(self._array, InferenceAlias.at(0) if self.is_inference() else Storage.at(0))

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if (value._array.dtype.kind in "fc") != (self._array.dtype.kind in "fc") and self._rg:
            raise errors.AutogradError("data set to a tensor that requires gradients must be floating point or complex")
        changed = value._array.shape != self._array.shape or value._array.dtype != self._array.dtype
        self._array = value._array
        if changed and self._meta is not None:
            self._meta.sink = None

    @data.deleter
    def data(self) -> None:
        raise errors.AutogradError("Deleting tensor data is not allowed. Delete tensor instead!")

    # ---- hooks ----------------------------------------------------------------------------------------------------

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call hook(gradient) when the gradient of this tensor is known; what it returns replaces the gradient."""
        if not self.requires_grad:
            raise errors.HookError("cannot register a hook on a tensor that doesn't require gradient")
        edge = self._current_edge()
        if edge is not None:
            dictionary = graph.hooks_of(edge[0]).tensor.setdefault(edge[1], HookDict())
            return RemovableHandle.add(dictionary, hook)
        if self._meta is None:
            self._meta = Meta.empty()
        meta = self._meta
        if meta.hooks is None:
            meta.hooks = HookDict()
        sink = meta.sink() if meta.sink is not None else None
        if sink is not None:
            graph.hooks_of(sink).tensor[0] = meta.hooks
        return RemovableHandle.add(meta.hooks, hook)

    @property
    def _backward_hooks(self) -> Any:
        edge = self._current_edge()
        if edge is None:
            return None if self._meta is None else self._meta.hooks
        return None if edge[0].hooks is None else edge[0].hooks.tensor.get(edge[1])

    @property
    def _post_accumulate_grad_hooks(self) -> Any:
        return None if self._meta is None else self._meta.post_hooks

    def register_post_accumulate_grad_hook(self, hook: Any) -> RemovableHandle:
        """Call hook(self) after a gradient was added to this leaf's .grad."""
        if not self.requires_grad:
            raise errors.HookError("cannot register a hook on a tensor that doesn't require gradient")
        if self._current_edge() is not None:
            raise errors.HookError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        if self._meta is None:
            self._meta = Meta.empty()
        if self._meta.post_hooks is None:
            self._meta.post_hooks = HookDict()
        return RemovableHandle.add(self._meta.post_hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient of a non-leaf in .grad; on a leaf this does nothing."""
        if not self.requires_grad:
            raise errors.AutogradError("can't retain_grad on Tensor that has requires_grad=False")
        if state.transforms:
            raise errors.in_transform("retain_grad")
        # As in torch, a view whose base came to require grad counts as a leaf until its grad_fn is looked at.
        if self._edge is None or (self._meta is not None and self._meta.retains):
            return
        edge = self._current_edge()
        if self._meta is None:
            self._meta = Meta.empty()
        self._meta.retains = True
        graph.hooks_of(edge[0]).retains[edge[1]] = weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        return self._meta is not None and self._meta.retains

    # ---- memory ---------------------------------------------------------------------------------------------------

    @property
    def _version(self) -> int:
        if self._storage.version is None:
            raise errors.InferenceTensorError("Inference tensors do not track version counter.")
        return self._storage.version

    @property
    def _base(self) -> Any:
        return None if self._view is None or self._storage.version is None else self._view.base

    def _is_view(self) -> bool:
        return self._view is not None

    def is_inference(self) -> bool:
        """Whether it was made in inference mode."""
        storage = self._storage
        return storage.version is None or storage.__class__ is InferenceAlias

    def data_ptr(self) -> int:
        """The address of the first element; 0 if there is none."""
        return address(self._array) if self._array.size else 0

    def untyped_storage(self) -> UntypedStorage:
        """The bytes behind it."""
        return UntypedStorage(self._array)

    def storage(self) -> TypedStorage:
        """The elements behind it."""
        return TypedStorage(self._array)

    _typed_storage = storage

    def storage_offset(self) -> int:
        """Where it starts in its storage, in elements."""
        return offset(self._array)

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours, in elements."""
        steps = strides(self._array)
        return steps if dim is None else steps[_axis(dim, len(steps))]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements lie in order without gaps."""
        return self._array.flags.c_contiguous

    def is_set_to(self, other: Tensor) -> bool:
        """Whether it is the same window on the same memory."""
        a, b = self._array, other._array
        return address(a) == address(b) and a.shape == b.shape and a.strides == b.strides

    # ---- shape and dtype ------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        return Size(self._array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one of its lengths."""
        shape = self._array.shape
        return Size(shape) if dim is None else shape[_axis(dim, len(shape))]

    ndim = property(lambda self: self._array.ndim)
    dtype = property(lambda self: OF_NUMPY[self._array.dtype])
    itemsize = property(lambda self: self._array.itemsize)
    nbytes = property(lambda self: self._array.size * self._array.itemsize)

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    nelement = numel

    def element_size(self) -> int:
        """Bytes for one element."""
        return self._array.itemsize

    def get_device(self) -> int:
        """-1: the CPU."""
        return -1

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float."""
        return self._array.dtype.kind == "f"

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self._array.dtype.kind == "c"


def _axis(dim: int, ndim: int) -> int:
    """A dimension number in range. Raises IndexError otherwise."""
    n = max(ndim, 1)
    if not ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim


def _rare_storage() -> Storage:
    """A fresh storage in a rare mode: inference tensors have no version, and a transform knows what was made in it."""
    storage = Storage.at(None if state.inference else 0)
    if state.transforms:
        state.transforms[-1].own.add(storage)
    return storage


def wrap(array: Any) -> Tensor:
    """A new tensor around an array (or NumPy scalar) that nobody else will write to."""
    t = new(Tensor)
    t._array = array if array.__class__ is ndarray else np.asarray(array)
    if alert.on:
        t._storage = _rare_storage()
    else:
        storage = t._storage = Storage()
        storage.version = 0
    t._rg = False
    t._edge = t._view = t._meta = None
    return t


def alias(array: ndarray, storage: Storage, cls: type = Tensor) -> Tensor:
    """A tensor outside the graph on the given memory and version counter."""
    t = new(cls)
    t._array, t._storage, t._rg = array, storage, False
    t._edge = t._view = t._meta = None
    return t


from . import autograd, graph, views  # noqa: E402 - they refer back to this module
