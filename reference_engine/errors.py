"""What can go wrong, as a tree; each class carries the category that the conformance suite compares.

AutogradError (RuntimeError)
 +- VersionMismatch     a saved tensor was changed in place before backward
 +- GraphFreed          backward through buffers already released
 +- DetachedInPlace     a saved tensor was cut from its graph by detach_()
 +- LeafInPlace         an in-place op on a leaf that requires grad
 |   +- ViewOfLeafInPlace
 +- LeafMoved           a gradient arrives at a leaf that an in-place op has made a result since
 +- ViewInPlace         an in-place op on a view that does not allow it
 +- NonScalarRoot       an implicit gradient for a root of several elements
 +- NoGradRoot          a root that is not in any graph
 +- ShapeMismatch       a gradient of the wrong shape
 +- UnusedInput         an input that the output does not depend on
 +- NoGradInput         an input that does not require grad
 +- NonLeafFlag         requires_grad changed on a non-leaf
 +- InferenceTensorError
 +- HookError           a hook broke its contract
 +- NotDifferentiable   no derivative is known
 +- OutArgument         out= with something that requires grad
 +- FunctionError       a custom Function broke its contract
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .dtypes import OF_NUMPY


class AutogradError(RuntimeError):
    """The root; `category` names the kind of fault, independent of the wording."""

    category = "autograd"


AutogradError.__name__ = "RuntimeError"


class LinAlgError(AutogradError):
    """A matrix that cannot be inverted, solved with or factorized (torch.linalg.LinAlgError)."""

    category = "linalg"


LinAlgError.__name__ = "_LinAlgError"


def _error(name: str, category: str, doc: str, base: type = AutogradError) -> Any:
    # Torch raises plain RuntimeErrors, and code written for it may ask for type(error).__name__; the qualified name,
    # which tracebacks show, is our own.
    body = {"category": category, "__doc__": doc, "__module__": __name__, "__qualname__": name}
    return type("RuntimeError", (base,), body)


VersionMismatch = _error("VersionMismatch", "version-mismatch", "A saved tensor was changed in place before backward.")
GraphFreed = _error("GraphFreed", "graph-freed", "Backward through buffers that an earlier backward released.")
DetachedInPlace = _error("DetachedInPlace", "detached-saved", "A saved tensor was cut from its graph by detach_().")
LeafInPlace = _error("LeafInPlace", "leaf-inplace", "An in-place op on a leaf that requires grad.")
ViewOfLeafInPlace = _error("ViewOfLeafInPlace", "leaf-inplace", "The same through a view of the leaf.", LeafInPlace)
LeafMoved = _error("LeafMoved", "leaf-moved", "A gradient arrives at what was a leaf when the graph was made.")
ViewInPlace = _error("ViewInPlace", "view-inplace", "An in-place op on a view that does not allow it.")
NonScalarRoot = _error("NonScalarRoot", "non-scalar-root", "An implicit gradient for a root of several elements.")
NoGradRoot = _error("NoGradRoot", "no-grad-root", "A root that is not in any graph.")
ShapeMismatch = _error("ShapeMismatch", "shape-mismatch", "A gradient of the wrong shape.")
UnusedInput = _error("UnusedInput", "unused-input", "An input that the output does not depend on.")
NoGradInput = _error("NoGradInput", "no-grad-input", "An input that does not require grad.")
NonLeafFlag = _error("NonLeafFlag", "non-leaf-flag", "requires_grad changed on a tensor that an op made.")
InferenceTensorError = _error("InferenceTensorError", "inference", "An inference tensor where it is not allowed.")
HookError = _error("HookError", "hook", "A hook broke its contract.")
NotDifferentiable = _error("NotDifferentiable", "not-differentiable", "No derivative is known.")
NotImplementedDerivative = type("NotImplementedError", (NotDifferentiable, NotImplementedError), {
    "__doc__": "An input that torch lists as having no derivative.", "__module__": __name__,
    "__qualname__": "NotImplementedDerivative",
})  # fmt: skip
OutArgument = _error("OutArgument", "out-argument", "out= with something that requires grad.")
FunctionError = _error("FunctionError", "function", "A custom Function broke its contract.")


def freed(name: str) -> Exception:
    """The error of a node whose saved tensors are gone."""
    return GraphFreed(
        "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
        "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
        "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
        f"saved tensors after calling backward. [{name} had saved tensors and has already run.]"
    )


def mismatch(arrays: Any, cause: Exception) -> Exception:
    """The error of operands that do not broadcast; any other complaint of NumPy's keeps its words."""
    if "same number of dimensions" in str(cause):
        ranks = [a.ndim for part in arrays for a in (part if isinstance(part, list) else [part]) if hasattr(a, "ndim")]
        return ShapeMismatch(f"Tensors must have same number of dimensions: got {ranks[0]} and {ranks[-1]}")
    shapes = [a.shape for a in arrays if getattr(a, "shape", None)]
    for a, b in pairwise(shapes):
        for i in range(1, min(len(a), len(b)) + 1):
            if a[-i] != b[-i] and 1 not in (a[-i], b[-i]):
                return ShapeMismatch(
                    f"The size of tensor a ({a[-i]}) must match the size of tensor b ({b[-i]}) at non-singleton "
                    f"dimension {max(len(a), len(b)) - i}"
                )
    return ShapeMismatch(str(cause))


COMPLAINTS = (ValueError, TypeError, IndexError)  # what NumPy raises when it refuses operands

# What NumPy says -> kind and text of what torch says; {name}: the op, {kind}: the operands' dtype.
_NUMPY_SAYS = {
    "numpy boolean negative": (RuntimeError, "Negation, the `-` operator, on a bool tensor is not supported. If you are trying "
                               "to invert a mask, use the `~` or `logical_not()` operator instead."),
    "numpy boolean subtract": (RuntimeError, "Subtraction, the `-` operator, with two bool tensors is not supported. Use the "
                               "`^` or `logical_xor()` operator instead."),
    "ufunc 'invert' not supported": (TypeError, "~ (operator.invert) is only implemented on integer and Boolean-type tensors"),
    "not supported for the input types": (NotImplementedError, "\"{name}_cpu\" not implemented for '{kind}'"),
}  # fmt: skip
# Ops that say "index out of range in self" of a bad index; all others of those below name the index.
_UNNAMED_INDEX = frozenset(("index_select", "index_add", "index_copy", "index_fill", "embedding"))


def complaint(name: str, operands: Any, cause: Exception) -> Exception:
    """Torch's error for what NumPy refused in the kernel of an op; an error that is torch's already stays as it is."""
    text = str(cause)
    if isinstance(cause, ValueError):
        return mismatch(operands, cause)
    if isinstance(cause, IndexError):
        if "is out of bounds for axis" not in text:
            return cause
        if name in _UNNAMED_INDEX:
            return IndexError("index out of range in self")
        return RuntimeError(text.replace("axis", "dimension"))
    for said, (kind, ours) in _NUMPY_SAYS.items():
        if said in text:
            dtype = next((OF_NUMPY[a.dtype].long_name for a in operands if hasattr(a, "dtype")), "")
            return kind(ours.format(name=name, kind=dtype))
    return cause


def real_gradients_only(name: str) -> Exception:
    """The error of a complex result of an op whose derivative is known for real ones only."""
    name = name.removesuffix("_row")
    return NotDifferentiable(f"{name} does not support automatic differentiation for outputs with complex dtype.")


def written_inference() -> Exception:
    """The error of a write into an inference tensor outside inference mode."""
    return InferenceTensorError(
        "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal tensor "
        "before doing inplace update."
    )


def out_argument(name: str) -> Exception:
    """The error of out= together with gradients."""
    return OutArgument(
        f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
        "arguments requires grad."
    )


def in_transform(method: str) -> Exception:
    """The error of a method that has no meaning inside a function being transformed by torch.func."""
    other = " (or perhaps using torch.autograd.functional.* APIs)" if method == "requires_grad_" else ""
    return AutogradError(
        f"You are attempting to call Tensor.{method}(){other} inside of a function being transformed by a "
        "functorch transform. This is unsupported, please attempt to use the functorch "
        f"transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call {method}() outside of a function being "
        "transformed instead."
    )
