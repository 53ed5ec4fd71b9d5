"""torch.autograd: backward and grad."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import engine, errors
from ..dtypes import OF_NUMPY
from ..graph import NO_EDGE, Node, edge_of
from ..modes import (
    alert,
    enable_grad,
    inference_mode,
    is_multithreading_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
    state,
)  # fmt: skip
from ..tensor import Tensor, wrap
from .batched import batched_grad
from .graph import GradientEdge


def _tuple(x: Any) -> tuple:
    if x.__class__ is list or x.__class__ is tuple:
        return tuple(x)
    return (x,) if isinstance(x, (Tensor, GradientEdge)) or x is None else tuple(x)


def _seeds(roots: Sequence, gradients: Any) -> list[Tensor]:
    """The gradient of each root: as given and checked, or 1 for a root with one real element."""
    if gradients.__class__ is Tensor:
        gradients = (gradients,)
    elif gradients.__class__ is not tuple:
        gradients = (None,) * len(roots) if gradients is None else _tuple(gradients)
    if len(gradients) < len(roots):
        raise errors.AutogradError(f"got {len(roots)} tensors and {len(gradients)} gradients")
    seeds = []
    for root, given in zip(roots, gradients):
        if given.__class__ is Tensor and root.__class__ is Tensor:
            array, like = given._array, root._array
            if array.shape == like.shape and array.dtype is like.dtype:
                seeds.append(given)
                continue
        seeds.append(_seed(len(seeds), root, given))
    return seeds


def _seed(i: int, root: Any, given: Any) -> Any:
    if isinstance(root, GradientEdge):
        shape, kind = root.node.meta(root.output_nr)
    elif not isinstance(root, Tensor):
        raise AssertionError("Expected output to be a torch.Tensor")
    else:
        shape, kind = root._array.shape, root._array.dtype
    if given is None:
        if isinstance(root, Tensor) and not root.requires_grad:
            return None
        if kind.kind == "c":
            raise errors.NonScalarRoot(f"grad can be implicitly created only for real scalar outputs but got {root.dtype}")
        if shape and any(n != 1 for n in shape):
            raise errors.NonScalarRoot("grad can be implicitly created only for scalar outputs")
        one = np.empty(shape, kind)
        one.fill(1)
        return wrap(one)
    if not isinstance(given, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(given).__name__}")
    if given._array.shape != shape:
        raise errors.ShapeMismatch(
            f"Mismatch in shape: grad_output[{i}] has a shape of {given.shape} and output[{i}] has a shape of "
            f"torch.Size({list(shape)})."
        )
    if (given._array.dtype.kind == "c") != (kind.kind == "c"):
        raise errors.ShapeMismatch(
            "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
            f"dtype: grad_output[{i}] has a dtype of {given.dtype} and output[{i}] has a dtype of "
            f"{getattr(root, 'dtype', kind)}."
        )
    return given if given._array.dtype == kind else given.to(OF_NUMPY[kind])


def _roots(tensors: Sequence) -> list:
    edges = []
    for t in tensors:
        if t.__class__ is not Tensor and isinstance(t, GradientEdge):
            edges.append((t.node, t.output_nr))
            continue
        edge = t._edge
        if edge is None or t._view is not None:
            edge = edge_of(t)
            if edge is NO_EDGE:
                raise errors.NoGradRoot(f"element {len(edges)} of tensors does not require grad and does not have a grad_fn")
        edges.append(edge)
    return edges


def _sink(x: Any) -> tuple:
    """The edge whose gradient is asked for. Raises NoGradInput."""
    if isinstance(x, GradientEdge):
        if not isinstance(x.node, Node):
            raise errors.NoGradInput(
                f"GradientEdge's first object must be an autograd.graph.Node but got {type(x.node).__name__}"
            )
        return x.node, x.output_nr
    if not isinstance(x, Tensor):
        raise errors.NoGradInput(f"all inputs have to be Tensors or GradientEdges, but got {type(x).__name__}")
    if not x.requires_grad:
        raise errors.NoGradInput("One of the differentiated Tensors does not require grad")
    edge = edge_of(x)
    return edge if edge is not NO_EDGE else (Node(), 0)


def backward(
    tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    grad_variables: Any = None, inputs: Any = None,
) -> None:  # fmt: skip
    """Accumulate into `.grad` of the leaves (or of `inputs` only) the gradients of the roots."""
    if alert.on and state.transforms:
        raise errors.AutogradError(
            "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
            "functorch.vjp instead or call backward() outside of functorch transforms."
        )
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise errors.AutogradError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only use "
                "`grad_tensors`."
            )
        grad_tensors = grad_variables
    sources = () if inputs is None else _backward_inputs(inputs)
    roots = tensors if tensors.__class__ is tuple else _tuple(tensors)
    seeds = _seeds(roots, grad_tensors)
    if create_graph and not sources:
        _warn_cycle()
    edges = _roots(roots)
    if sources:
        for x in sources:
            if isinstance(x, Tensor):
                x.retain_grad()
        sources = [_sink(x) for x in sources]
    engine.run(edges, seeds, create_graph if retain_graph is None else retain_graph, create_graph, sources)


def _backward_inputs(inputs: Any) -> tuple:
    if isinstance(inputs, Mapping):
        if not isinstance(inputs, dict):
            raise TypeError("`inputs` argument to `backward()` must be a dict, not another kind of Mapping")
        inputs = tuple(inputs.values())
    inputs = _tuple(inputs)
    if not inputs:
        raise errors.AutogradError("`inputs` argument to `backward()` cannot be empty.")
    return inputs


def _warn_cycle() -> None:
    warnings.warn(
        "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient "
        "which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you "
        "have to use this function, make sure to reset the .grad fields of your parameters to None after use to break "
        "the cycle and avoid the leak.",
        UserWarning,
        stacklevel=4,
    )


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    only_inputs: bool = True, allow_unused: bool | None = None, is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:  # fmt: skip
    """The gradients of the outputs with respect to the inputs; no `.grad` is touched.

    A tuple, or a dict for a dict of inputs. Raises UnusedInput unless allow_unused or materialize_grads.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    keys = None
    if inputs.__class__ is not list and isinstance(inputs, Mapping):
        if not isinstance(inputs, dict):
            raise TypeError("`inputs` argument to `grad()` must be a dict, not another kind of Mapping")
        keys, inputs = tuple(inputs), tuple(inputs.values())
    inputs, roots = _tuple(inputs), _tuple(outputs)
    if not inputs:
        raise errors.AutogradError("`inputs` argument to `grad()` cannot be empty.")
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other "
            "parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        found = batched_grad(roots, inputs, grad_outputs, keep, create_graph, allow_unused)
    else:
        seeds = _seeds(roots, grad_outputs)
        edges = _roots(roots)
        found = engine.run(edges, seeds, keep, create_graph, [_sink(x) for x in inputs], into_leaves=False)
    for i, (x, g) in enumerate(zip(inputs, found)):
        if g is not None:
            continue
        if not allow_unused:
            raise errors.UnusedInput(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                "allow_unused=True if this is the desired behavior."
            )
        if materialize_grads:
            found[i] = _zeros(x, create_graph)
    return dict(zip(keys, found)) if keys is not None else tuple(found)


def _zeros(x: Any, requires_grad: bool) -> Tensor:
    if isinstance(x, GradientEdge):
        raise errors.AutogradError("materialize_grads cannot be used when the given input is a GradientEdge")
    zeros = wrap(np.zeros_like(x._array))
    zeros._rg = requires_grad
    return zeros


from . import forward_ad, function, functional, grad_mode, graph  # noqa: E402
from .anomaly_mode import detect_anomaly, set_detect_anomaly  # noqa: E402
from .function import Function  # noqa: E402
from .grad_mode import _unsafe_preserve_version_counter  # noqa: E402
from .gradcheck import gradcheck, gradgradcheck  # noqa: E402
from .variable import Variable  # noqa: E402

__all__ = [
    "Function", "Variable", "_unsafe_preserve_version_counter", "backward", "detect_anomaly", "enable_grad", "forward_ad",
    "function", "functional", "grad", "grad_mode", "gradcheck", "gradgradcheck", "graph",
    "inference_mode", "is_multithreading_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled",
    "set_multithreading_enabled",
]  # fmt: skip
