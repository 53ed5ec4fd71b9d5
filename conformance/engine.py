"""What an engine is to the suite: a class whose methods carry out the steps of a program and look at tensors.

An adapter subclasses Engine and defines what its engine can do; every method left out is a capability that the engine does not
have, and the rules that need it are reported as unsupported, never as passed.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, ClassVar, NoReturn

import numpy as np

from conformance.catalog.code import compile_code


class Unsupported(Exception):
    """The engine has no such thing; what needs it is not judged."""


class Category(str, Enum):
    """Why an operation was refused, in words that hold for every engine."""

    VERSION = "version"  # a saved tensor was changed before backward used it
    FREED = "freed"  # the graph's buffers were freed by an earlier backward
    LEAF_WRITTEN = "leaf-written"  # in-place on a leaf that requires grad, or on a view of one
    VIEW_WRITTEN = "view-written"  # in-place on a view that must not be written
    NON_SCALAR_ROOT = "non-scalar-root"  # implicit gradient of a root of several elements
    ROOT_WITHOUT_GRAD = "root-without-grad"  # the root does not require grad
    GRADIENT_SHAPE = "gradient-shape"  # the gradient given does not fit the root
    UNUSED_INPUT = "unused-input"  # grad() of an input that the root does not depend on
    FLAG = "flag"  # requires_grad changed on a tensor that is not a leaf
    HOOK = "hook"  # a hook on a tensor that takes none, or one that gives back what does not fit
    FUNCTION = "function"  # a custom function gave gradients that do not fit, or cannot be differentiated again
    CHECKPOINT = "checkpoint"  # a reentrant checkpoint was asked for gradients of some inputs alone
    ASSIGNED_GRADIENT = "assigned-gradient"  # a gradient was assigned that does not fit its tensor
    EXPORT = "export"  # the values of a tensor that requires grad were asked for as an array
    INFERENCE = "inference"  # a tensor made in inference mode was to be saved, written or differentiated
    OTHER = "other"  # refused for a reason that the adapter cannot name: compared with nothing


class Engine:
    """Base of all adapters. `T` below stands for the engine's own tensors.

    Class attributes:
        name: how reports call the engine; `home` and `issues`, web addresses of its project and its tracker.
        language: what the engine runs in; Python and its version where it is left empty.
        script: the subclass of `conformance.script.Script` that writes programs as the engine's own code.
        ops: op name of the catalogue -> the engine's code for it (see `catalog/code.py`); what is not listed is unsupported.
        namespace: the names that the code of `ops` uses, such as {"mg": mygrad}.
        dtypes: the dtypes of leaves that the engine has.
        ranks: the numbers of dimensions that its tensors can have, such as (0,) for an engine of scalars; None: any.
        schedules: the schedules of looking (see `execute.py`) by which its programs are run; the last stands in for the others.
        slow: whether a program may take seconds, so that few are run at once and reductions try few.
        traits: promises beyond the methods: "versions" (writes into saved tensors are detected), "aliases" (views share
            memory), "detached-aliases" (so do detached tensors), "liveness" (weak references to tensors can be taken),
            "higher-order" (create_graph), "flags", "accumulation" (a gradient stays, and grows, until it is zeroed),
            "leaf-gradients" (only leaves keep a gradient, and what was told to), "absent-gradients" (a gradient that never came
            is None, not zeros), "unsaved-graphs" (a graph that saved nothing can be walked again without retain_graph).
    """

    name: ClassVar[str] = "engine"
    home: ClassVar[str] = ""
    issues: ClassVar[str] = ""
    language: ClassVar[str] = ""
    script: ClassVar[type | None] = None
    ops: Mapping[str, str] = {}
    namespace: Mapping[str, Any] = {}
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64", "int64", "bool")
    ranks: ClassVar[tuple[int, ...] | None] = None
    schedules: ClassVar[tuple[str, ...]] = ("quick", "wide", "thorough")
    slow: ClassVar[bool] = False
    traits: ClassVar[frozenset[str]] = frozenset({"accumulation", "leaf-gradients", "absent-gradients", "unsaved-graphs"})

    def version(self) -> str:
        """The engine's version, for the record."""
        return "unknown"

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        """Op name -> function of the operands (positional) and parameters (by keyword)."""
        return self.compile(self.namespace)

    def compile(self, namespace: Mapping[str, Any]) -> Mapping[str, Callable[..., Any]]:
        """The functions of `ops`, from their code and the names that it uses, such as {"mg": mygrad}."""
        return {name: compile_code(code, namespace) for name, code in self.ops.items()}

    # -- steps ----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Called before each program; an engine with global state resets it here."""

    def end(self, tensors: Iterable[Any]) -> None:
        """Called after each program with the tensors that it leaves; an engine whose graphs can hold themselves lets go here."""

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        """A tensor of that shape from row-major values."""
        self._refuse("leaf")

    def detach(self, tensor: Any) -> Any:
        """A tensor with the same memory, cut from the graph."""
        self._refuse("detach")

    def set_requires_grad(self, tensor: Any, value: bool) -> None:
        """Set the flag of a leaf."""
        self._refuse("requires_grad_")

    def grad_mode(self, enabled: bool) -> AbstractContextManager[Any]:
        """A region in which operations are recorded, or not."""
        self._refuse("grad modes")

    def retain_grad(self, tensor: Any) -> None:
        """Keep the gradient of a non-leaf."""
        self._refuse("retain_grad")

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        """Accumulate gradients of the roots into the leaves, or into `inputs` alone."""
        self._refuse("backward")

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        """Gradients of the roots with respect to the inputs; None where unused."""
        self._refuse("grad()")

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        """Forget the accumulated gradient, or zero it in place."""
        self._refuse("zeroing of gradients")

    def inference_mode(self) -> AbstractContextManager[Any]:
        """A region whose tensors are never recorded, then or later."""
        self._refuse("inference mode")

    def set_grad_enabled(self, value: bool) -> None:
        """Switch recording on or off for what follows."""
        self._refuse("switch of grad modes")

    def recording(self) -> bool:
        """Whether operations are recorded now."""
        self._refuse("look at grad modes")

    def saved_tensors_hooks(self, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> AbstractContextManager[Any]:
        """A region in which nodes keep `pack(tensor)` and take `unpack` of it."""
        self._refuse("hooks on saved tensors")

    def hook(self, tensor: Any, kind: str, function: Callable[..., Any]) -> Any:
        """Register a hook and return its handle.

        What `function` is called with, by kind. "tensor": the gradient; it gives a replacement or None. "accumulated": the leaf.
        "node_before" and "node_after": the gradients, None among them, that go into or come out of the tensor's grad_fn, as
        one sequence; it gives a sequence in their place or None.
        """
        self._refuse("hooks")

    def unhook(self, handle: Any) -> None:
        """Take a hook away."""
        self._refuse("removal of hooks")

    def set_gradient(self, tensor: Any, gradient: Any) -> None:
        """Assign `.grad`."""
        self._refuse("assignment of gradients")

    def export(self, tensor: Any) -> Any:
        """The tensor as a NumPy array, as nested lists."""
        self._refuse("export")

    def stashing(self) -> AbstractContextManager[Any]:
        """A region in which nodes save copies. Only an oracle needs it."""
        self._refuse("stashing")

    def copy(self, tensor: Any) -> Any:
        """A copy to hand over as a gradient, differentiable where the tensor is."""
        self._refuse("slot gradients")

    def segment(self, segment: Any, given: Sequence[Any]) -> Sequence[Any]:
        """Take the forward steps of a `conformance.segments.Segment` as one function of tensors, those of its slots `outside`.

        Returns the tensors of its slots `filled`. Only the schedule "parted" asks for it.
        """
        self._refuse("segments")

    # -- observables ----------------------------------------------------------------------------------------------------

    def value(self, tensor: Any) -> Any:
        """The values as nested lists of Python numbers (a number where 0-dim)."""
        return _array(tensor).tolist()

    def shape(self, tensor: Any) -> tuple[int, ...]:
        """The shape."""
        shape = getattr(tensor, "shape", None)
        return _array(tensor).shape if shape is None or callable(shape) else tuple(shape)

    def dtype(self, tensor: Any) -> str:
        """The dtype, by its NumPy name. An engine of one dtype need not be asked."""
        if len(self.dtypes) == 1:
            return self.dtypes[0]
        self._refuse("dtype")

    def gradient(self, tensor: Any) -> Any:
        """The accumulated gradient as a tensor of the engine, or None."""
        self._refuse("gradient")

    def requires_grad(self, tensor: Any) -> bool:
        """The flag."""
        self._refuse("requires_grad")

    def is_leaf(self, tensor: Any) -> bool:
        """Whether the tensor has no history."""
        self._refuse("is_leaf")

    def flags(self, tensor: Any) -> tuple[bool, bool]:
        """requires_grad and is_leaf in one look; an adapter may override it for speed."""
        return self.requires_grad(tensor), self.is_leaf(tensor)

    def has_grad_fn(self, tensor: Any) -> bool:
        """Whether the tensor has a history."""
        self._refuse("grad_fn")

    def version_of(self, tensor: Any) -> int:
        """The version counter."""
        self._refuse("versions")

    def base(self, tensor: Any) -> Any:
        """The tensor that this one is a view of, or None."""
        self._refuse("bases of views")

    def address(self, tensor: Any) -> int:
        """A number that tensors have in common exactly if they share memory."""
        self._refuse("addresses")

    def categorize(self, error: BaseException) -> Category:
        """Why the engine refused: its exceptions in the suite's words."""
        return Category.OTHER

    # -- what it has ----------------------------------------------------------------------------------------------------

    def has(self, method: str) -> bool:
        """Whether the adapter defines the method, or needs not."""
        return method in _GIVEN or getattr(type(self), method) is not getattr(Engine, method)

    def found(self) -> Sequence[tuple[str, str]]:
        """What an adapter that probes its engine found: pairs (capability, how the engine spells it; empty where it has none)."""
        return ()

    def only_plain(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        """Refuse what is more than `root.backward()`, for an engine whose backward() takes nothing and frees nothing."""
        more = {
            "backward of several roots": len(roots) != 1, "gradient argument of backward": bool(gradients),
            "create_graph": create_graph, "backward(inputs=...)": inputs is not None,
        }  # fmt: skip
        for what, asked in more.items():
            if asked:
                self._refuse(what)

    def _refuse(self, what: str) -> NoReturn:
        raise Unsupported(f"{self.name} has no {what}")


_GIVEN = frozenset({"value", "shape"})  # what Engine does by itself for tensors that look like arrays or hold one
_HOLDERS = ("tolist", "numpy", "data", "value", "item")


def language_of(engine: Engine) -> str:
    """What the engine runs in, with the version."""
    return engine.language or f"Python {platform.python_version()}"


def promised(engine: Engine) -> frozenset[str]:
    """The engine's traits, and "flags" where it shows which tensors require grad."""
    return engine.traits | ({"flags"} if engine.has("requires_grad") else frozenset())


def _array(tensor: Any) -> np.ndarray[Any, Any]:
    """The numbers of a tensor, an array or a number, by whatever name the tensor holds them."""
    for name in _HOLDERS:
        held = getattr(tensor, name, None)
        if held is not None and not isinstance(tensor, (np.ndarray, np.generic, int, float)):
            tensor = held() if callable(held) else held
            if isinstance(tensor, memoryview):
                continue
            return np.asarray(tensor) if isinstance(tensor, (list, int, float, bool)) else _array(tensor)
    return np.asarray(tensor)
