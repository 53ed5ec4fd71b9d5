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


class AutogradError(RuntimeError):
    """The root; `category` names the kind of fault, independent of the wording."""

    category = "autograd"


AutogradError.__name__ = "RuntimeError"


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
    shapes = [a.shape for a in arrays if getattr(a, "shape", None)]
    for a, b in pairwise(shapes):
        for i in range(1, min(len(a), len(b)) + 1):
            if a[-i] != b[-i] and 1 not in (a[-i], b[-i]):
                return ShapeMismatch(
                    f"The size of tensor a ({a[-i]}) must match the size of tensor b ({b[-i]}) at non-singleton "
                    f"dimension {max(len(a), len(b)) - i}"
                )
    return ShapeMismatch(str(cause))


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
