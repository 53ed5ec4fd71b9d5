"""torch.autograd.gradcheck: derivatives compared with finite differences.

Everything is done over the real numbers: a complex element counts as two. The gradient g that backward gives for a
cotangent c satisfies <g, t> = <c, J t> over the reals, so that c = 1 and c = i give the rows of the real Jacobian.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..modes import enable_grad, no_grad
from ..tensor import Tensor, wrap
from . import forward_ad, grad


class GradcheckError(RuntimeError):
    """The derivative and the finite differences disagree."""


def _tuple(x: Any) -> tuple:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _differentiable(x: Any) -> tuple:
    return tuple(o for o in _tuple(x) if isinstance(o, Tensor) and o.requires_grad)


def _pairs(x: np.ndarray) -> np.ndarray:
    """The elements in one row, complex ones as pairs."""
    flat = np.ascontiguousarray(x).reshape(-1)
    return flat.view(flat.real.dtype)


def _units(like: np.ndarray) -> list[np.ndarray]:
    """A basis of the real space of arrays like this one."""
    found = []
    for i in range(like.size):
        for number in (1, 1j) if like.dtype.kind == "c" else (1,):
            unit = np.zeros(like.shape, like.dtype)
            unit.reshape(-1)[i] = number
            found.append(unit)
    return found


def _checked_inputs(inputs: Any) -> tuple:
    inputs = _tuple(inputs)
    needed = False
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor) or not x.requires_grad:
            continue
        needed = True
        if x._array.dtype not in (np.float64, np.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will "
                "likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if any(step == 0 and n > 1 for step, n in zip(x.stride(), x.shape)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping "
                "to be able to compute the numerical gradients correctly. You should call .contiguous on the input before "
                "passing it to gradcheck."
            )
    if not needed:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    return inputs


def _numerical(func: Callable, inputs: tuple, x: Tensor, count: int, eps: float) -> list[np.ndarray]:
    """For each output the real Jacobian by one input: central differences, column by column."""
    columns: list[list] = [[] for _ in range(count)]
    array, before = x._array, x._array.copy()
    for unit in _units(array):
        sides = []
        for sign in (1, -1):
            array[...] = before + sign * eps * unit
            # The function may write its outputs anew or hand out its inputs: copy before moving on.
            with enable_grad():
                sides.append([_pairs(o._array).copy() for o in _differentiable(func(*inputs))])
        array[...] = before
        for k in range(count):
            columns[k].append((sides[0][k] - sides[1][k]) / (2 * eps))
    return [np.stack(c, 1) if c else np.zeros((0, 0)) for c in columns]


def _backward(out: Tensor, targets: Sequence[Tensor]) -> list[np.ndarray]:
    """For each target the real Jacobian of one output, row by row."""
    rows: list[list] = [[] for _ in targets]
    for unit in _units(out._array):
        found = grad(out, targets, wrap(unit), retain_graph=True, allow_unused=True)
        for k, (g, x) in enumerate(zip(found, targets)):
            if g is not None and g._array.shape != x._array.shape:
                raise GradcheckError("Analytical gradient has incorrect size")
            rows[k].append(_pairs(np.zeros_like(x._array) if g is None else g._array))
    return [np.stack(r, 0) if r else np.zeros((0, 0)) for r in rows]


def _forward(func: Callable, inputs: tuple, x: Tensor, count: int) -> list[np.ndarray]:
    """For each output the real Jacobian by one input, by dual numbers."""
    columns: list[list] = [[] for _ in range(count)]
    for unit in _units(x._array):
        with forward_ad.dual_level():
            duals = [forward_ad.make_dual(y.detach(), wrap(unit)).requires_grad_() if y is x else y for y in inputs]
            for k, out in enumerate(_differentiable(func(*duals))):
                tangent = forward_ad.unpack_dual(out).tangent
                columns[k].append(_pairs(np.zeros_like(out._array) if tangent is None else tangent._array))
    return [np.stack(c, 1) if c else np.zeros((0, 0)) for c in columns]


def _compare(found: np.ndarray, expected: np.ndarray, o: int, i: int, atol: float, rtol: float, mode: str) -> None:
    if found.size and not np.allclose(found, expected, rtol, atol):
        raise GradcheckError(
            f"Jacobian {mode}mismatch for output {o} with respect to input {i},\nnumerical:{wrap(expected.T)}\n"
            f"analytical:{wrap(found.T)}\n"
        )


def _check(func: Callable, inputs: Any, eps: float, atol: float, rtol: float, nondet_tol: float, forward: bool, backward: bool) -> bool:  # noqa: E501 # fmt: skip
    inputs = _checked_inputs(inputs)
    outputs = _differentiable(func(*inputs))
    places = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    targets = [inputs[i] for i in places]
    numerical = [_numerical(func, inputs, x, len(outputs), eps) for x in targets]
    if forward:
        for n, (i, x) in enumerate(zip(places, targets)):
            for o, found in enumerate(_forward(func, inputs, x, len(outputs))):
                _compare(found, numerical[n][o], o, i, atol, rtol, "computed with forward mode ")
    for o, out in enumerate(outputs if backward else ()):
        found, again = _backward(out, targets), _backward(out, targets)
        for n, i in enumerate(places):
            _compare(found[n], numerical[n][o], o, i, atol, rtol, "")
            if found[n].size and not np.allclose(found[n], again[n], 0, nondet_tol, equal_nan=True):
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    "gives different values, although analytical gradient matches numerical gradient. The tolerance for "
                    f"nondeterminism was {nondet_tol}."
                )
    return True


def gradcheck(
    func: Callable, inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
    nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_batched_forward_grad: bool = False, check_forward_ad: bool = False,
    check_backward_ad: bool = True, fast_mode: bool = False, masked: Any = None,
) -> bool:  # fmt: skip
    """True if the derivatives of func at the inputs that require grad agree with finite differences.

    Raises GradcheckError (or returns False, without raise_exception) if not, ValueError if no input requires grad.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    try:
        return _check(func, inputs, eps, atol, rtol, nondet_tol, check_forward_ad, check_backward_ad)
    except GradcheckError:
        if raise_exception:
            raise
        return False


def gradgradcheck(
    func: Callable, inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True, fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """The same for the derivatives of the gradients, by the inputs and by the gradients of the outputs."""
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    inputs = _tuple(inputs)
    if grad_outputs is None:
        from ..ops.random import default_generator

        with no_grad():
            shapes = [o._array for o in _differentiable(enable_grad()(func)(*inputs))]
        draw = default_generator.bits.standard_normal
        seeds = tuple(wrap((draw(a.shape) + (1j * draw(a.shape) if a.dtype.kind == "c" else 0)).astype(a.dtype)
                           if a.shape else np.asarray(draw(), a.dtype)) for a in shapes)  # fmt: skip
        for s in seeds:
            s.requires_grad = True
    else:
        seeds = _tuple(grad_outputs)

    def gradients(*args: Any) -> tuple:
        xs, cts = args[: len(inputs)], args[len(inputs) :]
        targets = tuple(x for x in xs if isinstance(x, Tensor) and x.requires_grad)
        found = grad(_differentiable(func(*xs)), targets, cts, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients, inputs + seeds, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception, nondet_tol=nondet_tol,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev,
    )  # fmt: skip


__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
