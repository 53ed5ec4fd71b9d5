"""torch.autograd.functional: vector and matrix derivatives of functions of tensors, made with grad() alone.

Inputs are cut from their history (create_graph: viewed, so that the history goes on), and strict mode raises where a
derivative is zero only because there is no path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import AutogradError
from ..modes import enable_grad, set_grad_enabled, state
from ..tensor import Tensor, wrap
from . import forward_ad, grad

# ---- in and out -------------------------------------------------------------------------------------------------------


def _tuple(x: Any, what: str, who: str) -> tuple[bool, tuple]:
    """(whether it was a tuple, the tuple); everything in it must be a Tensor."""
    several = isinstance(x, tuple)
    xs = x if several else (x,)
    for i, el in enumerate(xs):
        if not isinstance(el, Tensor):
            at = f"value at index {i}" if several else f"given {what}"
            raise TypeError(f"The {what} given to {who} must be either a Tensor or a tuple of Tensors but the {at} has type {type(el)}.")  # noqa: E501 # fmt: skip
    return several, xs


def _enter(inputs: Sequence, create_graph: bool, need_graph: bool = True) -> tuple:
    return tuple(x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_(need_graph) for x in inputs)


def _leave(values: Any, create_graph: bool) -> Any:
    if create_graph:
        return values
    return values.detach() if isinstance(values, Tensor) else tuple(_leave(v, False) for v in values)


def _shaped(values: tuple, *several: bool) -> Any:
    """Drop the tuples around what was given as single tensors: the outermost first."""
    if len(several) > 1:
        values = tuple(_shaped(v, *several[1:]) for v in values)
    return values if several[0] else values[0]


def _vector(v: Any, like: Sequence, several: bool, who: str, create_graph: bool, why: str) -> Any:
    """The vector of a product, checked; None stands for 1 where there is one element only."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise AutogradError(f"The vector v can only be None if {why}")
        return None
    v = _enter(_tuple(v, "v", who)[1], create_graph, False)
    if len(v) != len(like):
        if several:
            raise AutogradError(f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}.")
        raise AutogradError("The given v should contain a single Tensor.")
    for i, (a, b) in enumerate(zip(v, like)):
        if a.shape != b.shape:
            entry = f"Entry {i} in " if several else ""
            raise AutogradError(f"{entry}v has invalid size: should be {b.shape} but got {a.shape}.")
    return v


INPUT_OF_ONE = "the input to the user-provided function is a single Tensor with a single element."
OUTPUT_OF_ONE = "the user-provided function returns a single Tensor with a single element."

# ---- strictness -------------------------------------------------------------------------------------------------------

_DETACHED = {
    "outputs": "Output {i} of the user-provided function does not require gradients. The outputs must be computed in a "
    "differentiable manner from the input when running in strict mode.",
    "grad_inputs": "The gradient with respect to input {i} is independent of the inputs of the user-provided function. "
    "This is not allowed in strict mode.",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided function with respect to input "
    "{i} is independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
    "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for example).",
    "hessian": "The hessian of the user-provided function with respect to input {i} is independent of the input. This is "
    "not allowed in strict mode. You should ensure that your function is thrice differentiable and that the hessian "
    "depends on the inputs.",
}
_MISSING = {
    "back": "The output of the user-provided function is independent of input {i}. This is not allowed in strict mode.",
    "back_trick": "The gradient with respect to the input is independent of entry {i} in the grad_outputs when using the "
    "double backward trick to compute forward mode gradients. This is not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode.",
    "double_back_trick": "The hessian of the user-provided function is independent of entry {i} in the grad_jacobian. This "
    "is not allowed in strict mode as it prevents from using the double backward trick to replace forward mode AD.",
}


def _require(values: Any, what: str, strict: bool) -> None:
    """In strict mode, raise for a value that is not in the graph."""
    if not strict:
        return
    for i, x in enumerate(values if isinstance(values, (tuple, list)) else (values,)):
        if x is None:
            raise AutogradError(_MISSING["back"].format(i=i))
        if not x.requires_grad:
            raise AutogradError(_DETACHED[what].format(i=i))


def _zeros(x: Tensor, requires_grad: bool = False) -> Tensor:
    zeros = wrap(np.zeros_like(x._array))
    zeros._rg = requires_grad
    return zeros


def _filled(found: Sequence, like: Sequence, strict: bool, create_graph: bool, stage: str) -> tuple:
    """Zeros for what did not arrive; in strict mode an error."""
    result = []
    for i, (g, x) in enumerate(zip(found, like)):
        if g is None and strict:
            raise AutogradError(_MISSING[stage].format(i=i))
        if g is not None and strict and create_graph and not g.requires_grad:
            what = "hessian" if "double" in stage else "jacobian"
            raise AutogradError(
                f"The {what} of the user-provided function is independent of input {i}. This is not allowed in strict "
                "mode when create_graph=True."
            )
        result.append(_zeros(x) if g is None else g)
    return tuple(result)


def _grad(outputs: Sequence, inputs: Sequence, v: Any = None, create_graph: bool = False, retain: Any = None) -> Sequence:
    """grad() over those outputs that are in the graph."""
    pairs = [(o, c) for o, c in zip(outputs, v or (None,) * len(outputs)) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    roots, seeds = zip(*pairs)
    return grad(roots, inputs, seeds, retain_graph=retain, create_graph=create_graph, allow_unused=True)


# ---- products with vectors --------------------------------------------------------------------------------------------


def vjp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(inputs), v^T J)"""
    with enable_grad():
        several, inputs = _tuple(inputs, "inputs", "vjp")
        inputs = _enter(inputs, create_graph)
        several_out, outputs = _tuple(func(*inputs), "outputs of the user-provided function", "vjp")
        _require(outputs, "outputs", strict)
        v = _vector(v, outputs, several_out, "vjp", create_graph, OUTPUT_OF_ONE)
    with set_grad_enabled(create_graph or state.grad):
        found = _filled(_grad(outputs, inputs, v, create_graph), inputs, strict, create_graph, "back")
    return _shaped(_leave(outputs, create_graph), several_out), _shaped(_leave(found, create_graph), several)


def jvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(inputs), J v), by differentiating u^T J along v"""
    with enable_grad():
        several, inputs = _tuple(inputs, "inputs", "jvp")
        inputs = _enter(inputs, create_graph)
        v = _vector(v, inputs, several, "jvp", create_graph, INPUT_OF_ONE)
        several_out, outputs = _tuple(func(*inputs), "outputs of the user-provided function", "jvp")
        _require(outputs, "outputs", strict)
        probes = tuple(_zeros(o, True) for o in outputs)
        rows = _grad(outputs, inputs, probes, True)
        _require(rows, "grad_inputs", strict)
    with set_grad_enabled(create_graph or state.grad):
        found = _filled(_grad(rows, probes, v, create_graph), outputs, strict, create_graph, "back_trick")
    return _shaped(_leave(outputs, create_graph), several_out), _shaped(_leave(found, create_graph), several_out)


def _gradient_of_scalar(func: Callable, inputs: tuple, who: str, strict: bool) -> tuple[tuple, Sequence]:
    several, outputs = _tuple(func(*inputs), "outputs of the user-provided function", who)
    _require(outputs, "outputs", strict)
    if several:
        raise AutogradError(f"The function given to {who} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise AutogradError(f"The Tensor returned by the function given to {who} should contain a single element")
    gradient = _grad(outputs, inputs, None, True)
    _require(gradient, "jacobian", strict)
    return outputs, gradient


def vhp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(inputs), v^T H)"""
    with enable_grad():
        several, inputs = _tuple(inputs, "inputs", "vhp")
        inputs = _enter(inputs, create_graph)
        v = _vector(v, inputs, several, "vhp", create_graph, INPUT_OF_ONE)
        outputs, gradient = _gradient_of_scalar(func, inputs, "vhp", strict)
    with set_grad_enabled(create_graph or state.grad):
        found = _filled(_grad(gradient, inputs, v, create_graph), inputs, strict, create_graph, "double_back")
    return _leave(outputs, create_graph)[0], _shaped(_leave(found, create_graph), several)


def hvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(inputs), H v), by the double backward trick"""
    with enable_grad():
        several, inputs = _tuple(inputs, "inputs", "hvp")
        inputs = _enter(inputs, create_graph)
        v = _vector(v, inputs, several, "hvp", create_graph, INPUT_OF_ONE)
        outputs, gradient = _gradient_of_scalar(func, inputs, "hvp", strict)
        probes = tuple(_zeros(x, True) for x in inputs)
        rows = _grad(gradient, inputs, probes, True)
        _require(gradient, "hessian", strict)
    with set_grad_enabled(create_graph or state.grad):
        found = _filled(_grad(rows, probes, v, create_graph), inputs, strict, create_graph, "double_back_trick")
    return _leave(outputs, create_graph)[0], _shaped(_leave(found, create_graph), several)


# ---- matrices ---------------------------------------------------------------------------------------------------------


def jacobian(
    func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """J as a tensor of shape output.shape + input.shape, in tuples by output and input where there are several."""
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than '
            'inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        return _by_columns(func, inputs, create_graph, strict, vectorize)
    with enable_grad():
        several, inputs = _tuple(inputs, "inputs", "jacobian")
        inputs = _enter(inputs, create_graph)
        several_out, outputs = _tuple(func(*inputs), "outputs of the user-provided function", "jacobian")
        _require(outputs, "outputs", strict)
        if vectorize and strict:
            raise AutogradError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
                "Please either set `strict=False` or `vectorize=False`."
            )
        found = tuple(_rows(i, o, inputs, create_graph, strict) for i, o in enumerate(outputs))
    return _shaped(_leave(found, create_graph), several_out, several)


def _rows(i: int, out: Tensor, inputs: tuple, create_graph: bool, strict: bool) -> tuple:
    """The derivatives of one output by all inputs, element by element."""
    rows = []
    for j in range(out.numel()):
        row = _grad((out.reshape(-1)[j],), inputs, None, create_graph, True)
        for k, g in enumerate(row):
            if g is None and strict:
                raise AutogradError(
                    f"Output {i} of the user-provided function is independent of input {k}. This is not allowed in strict mode."
                )
            if g is not None and strict and create_graph and not g.requires_grad:
                raise AutogradError(
                    f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in "
                    "strict mode when create_graph=True."
                )
        rows.append([_zeros(x) if g is None else g for g, x in zip(row, inputs)])
    return tuple(_matrix([r[k] for r in rows], (*out.shape, *x.shape), x) for k, x in enumerate(inputs))


def _matrix(parts: list, shape: tuple, like: Tensor, dim: int = 0) -> Tensor:
    from ..ops.table import FUNCTIONS

    if not parts:
        return wrap(np.zeros(shape, like._array.dtype))
    return FUNCTIONS["stack"](parts, dim).reshape(shape)


def _by_columns(func: Callable, inputs: Any, create_graph: bool, strict: bool, vectorize: bool) -> Any:
    where = "torch.autograd.functional.jacobian: "
    if create_graph:
        raise NotImplementedError(
            f'{where}`create_graph=True` and `strategy="forward-mode"` are not supported together (yet). Please either set '
            '`create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict:
        raise AutogradError(
            f'{where}`strict=True` and `strategy="forward-mode"` are not supported together (yet). Please either set '
            '`strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for `vectorize=True`."
        )
    several, inputs = _tuple(inputs, "inputs", "jacobian")
    columns: list[list] = []
    outputs: tuple = ()
    several_out = False
    for i, x in enumerate(inputs):
        columns.append([])
        for j in range(max(1, x.numel())):
            direction = _zeros(x)
            direction._array.reshape(-1)[j : j + 1] = 1
            with forward_ad.dual_level():
                duals = [forward_ad.make_dual(y.detach(), direction if k == i else _zeros(y)) for k, y in enumerate(inputs)]
                several_out, found = _tuple(func(*duals), "outputs of the user-provided function", "jacobian")
                parts = [forward_ad.unpack_dual(o) for o in found]
            outputs = tuple(p.primal for p in parts)
            columns[i].append([_zeros(p.primal) if p.tangent is None else p.tangent for p in parts])
    result = tuple(
        tuple(_matrix([c[n] for c in column[: x.numel()]], (*o.shape, *x.shape), o, -1) for x, column in zip(inputs, columns))
        for n, o in enumerate(outputs)
    )
    return _shaped(_leave(result, False), several_out, several)


def hessian(
    func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The second derivatives of a function with one element, as jacobian() of its gradient."""
    several, inputs = _tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def scalar(*xs: Any) -> Tensor:
        several_out, out = _tuple(func(*xs), "outputs of the user-provided function", "hessian")
        _require(out, "outputs", strict)
        if several_out:
            raise AutogradError("The function given to hessian should return a single Tensor")
        if out[0].numel() != 1:
            raise AutogradError("The Tensor returned by the function given to hessian should contain a single element")
        return out[0].squeeze()

    def gradient(*xs: Any) -> tuple:
        if outer_jacobian_strategy == "forward-mode":
            xs = tuple(x.requires_grad_(True) for x in xs)
        found = jacobian(scalar, xs, create_graph=True)
        _require(found, "jacobian", strict)
        return found

    found = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return _shaped(found, several, several)


__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
