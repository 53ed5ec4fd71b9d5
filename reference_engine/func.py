"""torch.func: derivatives of functions as functions.

A transform gives the function its own copies of the inputs: in reverse mode tensors behind an Entrance node, in forward
mode tensors that are dual at a level of their own. Nested transforms have nested entrances and levels, each its own
object; this is all that keeps the perturbations apart. On the way out, a result whose graph leads to nothing but
entrances of finished transforms leaves that graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import autograd, errors
from .autograd.graph import disable_saved_tensors_hooks
from .autograd.tangents import Level, check_size, copy_tangents, hold, only_levels, stack, tangent_of
from .graph import NO_EDGE, AccumulateGrad, Node, edge_of
from .modes import alert, enable_grad, state
from .tensor import Tensor, alias, wrap
from .utils._pytree import tree_flatten, tree_map, tree_unflatten


class Transform:
    """One call of a transformed function. `own`: the storages made inside it; `given`: those of its inputs."""

    __slots__ = ("given", "grad", "hooks", "own")

    def __init__(self) -> None:
        self.own: set[Any] = set()
        self.given: set[Any] = set()

    def __enter__(self) -> Transform:
        self.hooks = disable_saved_tensors_hooks(
            "torch.func.{grad, vjp, jacrev, hessian} don't yet support saved tensor hooks. Please open an issue with "
            "your use case."
        )
        self.hooks.__enter__()
        state.transforms.append(self)
        alert.enter()
        self.grad, state.grad = state.grad, True
        return self

    def __exit__(self, *exc: Any) -> None:
        state.grad = self.grad
        alert.leave()
        state.transforms.remove(self)
        self.hooks.__exit__(*exc)


class Entrance(Node):
    """Where a tensor enters a transform: behind it lies what the tensor was outside."""

    __slots__ = ("transform",)
    hidden = True

    def __init__(self, x: Tensor, transform: Transform) -> None:
        super().__init__((edge_of(x) if x.requires_grad else NO_EDGE,), x._array.shape, x._array.dtype)
        self.transform = transform

    def backward(self, ct: Any) -> tuple:
        return (ct,)

    differentiate = backward


def refuse_captured(name: str, t: Tensor, inputs: Sequence) -> None:
    """Raise if a write inside a transform would change one of its inputs in reverse mode, or a tensor from outside."""
    whole = t if t._view is None else t._view.base
    entrance = whole._edge[0] if whole._edge is not None else None
    if state.grad and type(entrance) is Entrance and entrance.transform is state.transforms[-1]:
        if whole is t:
            raise errors.LeafInPlace("a leaf Variable that requires grad is being used in an in-place operation.")
        raise errors.ViewOfLeafInPlace("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    if t._storage in state.transforms[-1].own or t._storage in state.transforms[-1].given:
        return
    name = name.replace("_scalar", "").replace("fill_tensor_", "fill_")
    if name == "fill_" and isinstance(inputs[1] if len(inputs) > 1 else None, Tensor):
        name = "copy_"  # t[i] = number
    arithmetic = name in ("add_", "sub_", "mul_", "div_", "remainder_", "atan2_")
    overload = (
        "" if len(inputs) < 2 or name == "copy_" else ".Tensor" if arithmetic or isinstance(inputs[1], Tensor) else ".Scalar"
    )
    overload = overload or (".Scalar" if name in ("pow_", "fill_") else "")
    raise errors.AutogradError(
        "During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to call in-place operation "
        f"(aten::{name}{overload}) that would mutate a captured Tensor. This is not supported; please rewrite the "
        "function being transformed to explicitly accept the mutated Tensor(s) as inputs."
    )


# ---- entering and leaving ---------------------------------------------------------------------------------------------


def _enter(x: Any, transform: Transform) -> Tensor:
    if not isinstance(x, Tensor):
        raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
    if x._array.dtype.kind not in "fc":
        raise errors.AutogradError("only Tensors of floating point dtype can require gradients")
    transform.given.add(x._storage)
    inner = alias(x._array, x._storage)
    inner._rg, inner._edge = True, (Entrance(x, transform), 0)
    return copy_tangents(x, inner)


def _leads_outside(t: Tensor, transform: Transform) -> bool:
    """Whether the graph behind `t` reaches a leaf made outside, or an entrance of a transform still running."""
    seen, fresh = set(), [t._current_edge()[0] if t._current_edge() is not None else None]
    if fresh[0] is None:
        return t._storage not in transform.own
    while fresh:
        node = fresh.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, AccumulateGrad):
            if node.variable._storage not in transform.own:
                return True
        elif type(node) is Entrance and node.transform in state.transforms:
            return True
        fresh += [n for n, _ in node.edges if n is not None]
    return False


def _leave(x: Any, transform: Transform) -> Any:
    """A value as the caller of the transform may see it."""
    if not isinstance(x, Tensor) or not x.requires_grad or (state.grad and _leads_outside(x, transform)):
        return x
    return copy_tangents(x, alias(x._array, x._storage))


def _results(tree: Any, transform: Transform) -> Any:
    return tree_map(lambda x: _leave(x, transform), tree)


# ---- reverse mode -----------------------------------------------------------------------------------------------------


def _pick(args: tuple, argnums: Any) -> tuple[tuple, list[int]]:
    """The arguments to differentiate by, and where they stand."""
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    places = []
    for n in argnums if isinstance(argnums, tuple) else (argnums,):
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
        places.append(n % len(args))
    return tuple(args[p] for p in places), places


def _put(args: tuple, places: list[int], values: Sequence) -> list:
    full = list(args)
    for p, v in zip(places, values):
        full[p] = v
    return full


def _gradients(outs: Sequence, inners: Sequence, cts: Sequence) -> list:
    """The gradients of several outputs, recorded; zeros where nothing arrives."""
    pairs = [(o, c) for o, c in zip(outs, cts) if o.requires_grad]
    found: Sequence = [None] * len(inners)
    if pairs:
        roots, seeds = zip(*pairs)
        found = autograd.grad(roots, inners, seeds, retain_graph=True, create_graph=True, allow_unused=True)
    return [wrap(np.zeros_like(x._array)) if g is None else g for g, x in zip(found, inners)]


def grad_and_value(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that gives the gradient of func by argument number, and func's value (with aux: (value, aux))."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with Transform() as transform:
            chosen, places = _pick(args, argnums)
            leaves, spec = tree_flatten(chosen)
            inners = [_enter(x, transform) for x in leaves]
            out = func(*_put(args, places, tree_unflatten(inners, spec)), **kwargs)
            aux = None
            if has_aux:
                if not (isinstance(out, tuple) and len(out) == 2):
                    raise RuntimeError(
                        "grad_and_value(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is True"
                    )
                out, aux = out
                _check_aux(aux)
            if not isinstance(out, Tensor):
                raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(out)}")
            if out._array.ndim != 0:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with "
                    f"{out._array.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            grads = tree_unflatten(_gradients([out], inners, [None]), spec)
        grads = _results(grads if isinstance(argnums, tuple) else grads[0], transform)
        return (grads, (_results(out, transform), _results(aux, transform))) if has_aux else (grads, _results(out, transform))

    return wrapper


def grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that gives the gradient of func by argument number (with aux: (gradient, aux))."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        grads, value = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return wrapper


def _check_aux(aux: Any) -> None:
    for x in tree_flatten(aux)[0]:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(x)}")


def _only_tensors(name: str, tree: Any) -> tuple[list, Any]:
    leaves, spec = tree_flatten(tree)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"{name}: expected f(*primals) to return only tensors, got unsupported type {type(x)}")
    return leaves, spec


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """(func(*primals), the function from cotangents to gradients[, aux])"""
    with Transform() as transform:
        leaves, spec = tree_flatten(primals)
        inners = [_enter(x, transform) for x in leaves]
        out = func(*tree_unflatten(inners, spec))
        aux = None
        if has_aux:
            if not (isinstance(out, tuple) and len(out) == 2):
                raise RuntimeError("vjp(f, *primals): output of function f should be a tuple: (output, aux) if has_aux is True")
            out, aux = out
            _check_aux(aux)
        outs, out_spec = _only_tensors("vjp(f, *primals)", out)
        for x in outs:
            if x._array.dtype.kind not in "fc":
                raise RuntimeError(
                    f"vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype {x.dtype}"
                )

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: Any = None) -> Any:
        cts, ct_spec = tree_flatten(cotangents)
        if ct_spec != out_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                f"cotangents: {ct_spec}, primal output: {out_spec}"
            )
        with enable_grad():
            grads = _gradients(outs, inners, cts)
        return _results(tree_unflatten(grads, spec), transform)

    return (_results(out, transform), vjp_fn, _results(aux, transform)) if has_aux else (_results(out, transform), vjp_fn)


# ---- forward mode -----------------------------------------------------------------------------------------------------


def _dual(x: Tensor, tangent: Tensor, level: Level, transform: Transform) -> Tensor:
    for t in (x, tangent):
        if not isinstance(t, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(t)}")
    check_size(x, tangent)
    inner = alias(x._array, x._storage)
    if x.requires_grad:
        inner._rg, inner._edge = True, edge_of(x)
    transform.given.add(x._storage)
    with only_levels(stack.levels[:-1]):
        copy_tangents(x, inner)
    hold(inner, level, tangent)
    return inner


def jvp(func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """(func(*primals), its derivative along the tangents[, aux])"""
    where = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{where}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    leaves, spec = tree_flatten(primals)
    directions, direction_spec = tree_flatten(tangents)
    if spec != direction_spec:
        raise RuntimeError(
            f"{where}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple "
            f"of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with structure "
            f"{direction_spec}"
        )
    for name, given in (("primals", leaves), ("tangents", directions)):
        if not given:
            raise RuntimeError(f"{where}: Expected {name} to contain at least one Tensor.")
        for x in given:
            if not isinstance(x, Tensor):
                raise RuntimeError(f"{where}: Expected {name} to only contain Tensors, got {type(x)}")
    if stack.levels and stack.levels[-1].by_hand:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    with Transform() as transform:
        state.grad = transform.grad
        with Level() as level:
            inners = [_dual(x, t, level, transform) for x, t in zip(leaves, directions)]
            out = func(*tree_unflatten(inners, spec))
            aux = None
            if has_aux:
                if not (isinstance(out, tuple) and len(out) == 2):
                    raise RuntimeError(f"{where}: output of function f should be a tuple: (output, aux) if has_aux is True")
                out, aux = out
                _check_aux(aux)
            outs, out_spec = _only_tensors(where, out)
            found = [_direction(o, level, strict) for o in outs]
    trees = tree_unflatten([_primal(o) for o in outs], out_spec), tree_unflatten(found, out_spec)
    result = tuple(_results(tree, transform) for tree in trees)
    return (*result, _results(aux, transform)) if has_aux else result


def _direction(out: Tensor, level: Level, strict: bool) -> Tensor:
    tangent = tangent_of(out, level)
    if tangent is None and strict:
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed "
            "with strict=True."
        )
    return wrap(np.zeros_like(out._array)) if tangent is None else tangent


def _primal(out: Tensor) -> Tensor:
    """An input that the function returned as it is comes back as a tensor of its own."""
    return out.view(out.shape) if out._edge is not None and isinstance(out._edge[0], AccumulateGrad) else out


def linearize(func: Callable, *primals: Any) -> tuple:
    """(func(*primals), the function from tangents to the derivative along them)"""

    leaves, spec = tree_flatten(primals)

    def along(*tangents: Any) -> Any:
        given, given_spec = tree_flatten(tangents)
        if given_spec != spec:
            raise RuntimeError(f"Expected tangents to have the same tree structure as the primals: {given_spec} and {spec}")
        for i, (x, t) in enumerate(zip(leaves, given)):
            if x.shape != t.shape or x.dtype is not t.dtype:
                what, of = ("shape", lambda a: a.shape) if x.shape != t.shape else ("dtype", lambda a: a.dtype)
                raise RuntimeError(
                    f"tangent:{i} with {what} {of(t)} in flattened pytree doesn't match the {what} {of(x)} of the "
                    "corresponding primal"
                )
        return jvp(func, primals, tangents)[1]

    return func(*primals), along


from .func_matrices import functional_call, hessian, jacfwd, jacrev, stack_module_state  # noqa: E402
from .func_vmap import vmap  # noqa: E402

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "stack_module_state",
    "vjp", "vmap",
]  # fmt: skip
