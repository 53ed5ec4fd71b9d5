"""The checks of `conformance smoke`, a row each: what it is called, the adapter's method that it needs, and what must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from conformance.engine import Unsupported
from conformance.smoke.bench import Bench, X
from conformance.tolerance import flatten


class Check(NamedTuple):
    """One check."""

    what: str
    method: str
    run: Callable[[Bench], str | None]


def leaf(b: Bench) -> str:
    """A leaf holds what it was given."""
    b.expect("its value", b.numbers(b.leaf()), b.some(X))
    return f"{b.engine.value(b.leaf())}"


def shape(b: Bench) -> None:
    """The shape."""
    b.expect("the shape", tuple(b.engine.shape(b.leaf())), b.shape)


def dtype(b: Bench) -> str:
    """Every declared dtype, of leaves."""
    for name in b.engine.dtypes:
        tensor = b.engine.leaf((1.0,) * max(1, len(b.shape) and b.shape[0]), b.shape, name, False)
        b.expect("the dtype", b.engine.dtype(tensor), name)
    return " ".join(b.engine.dtypes)


def dimensions(b: Bench) -> str:
    """Leaves of every number of dimensions."""
    ranks = range(4) if b.engine.ranks is None else b.engine.ranks
    for rank in ranks:
        shape = (1,) * (rank - 1) + (2,) * (rank > 0)
        tensor = b.engine.leaf(X[: 2 if rank else 1], shape, b.dtype, False)
        b.expect(f"the shape of a leaf of {rank} dimensions", tuple(b.engine.shape(tensor)), shape)
    return " ".join(map(str, ranks))


def flags(b: Bench) -> None:
    """requires_grad of a leaf, of a constant, and of a result of either."""
    for required in (True, False):
        tensor = b.leaf(requires_grad=required)
        b.expect(f"requires_grad of a leaf made with {required}", bool(b.engine.requires_grad(tensor)), required)
        b.expect("requires_grad of a result of it", bool(b.engine.requires_grad(b.made(tensor))), required)


def is_leaf(b: Bench) -> None:
    """A leaf is one, a result is none."""
    b.expect("is_leaf of a leaf", bool(b.engine.is_leaf(b.leaf())), True)
    b.expect("is_leaf of a result", bool(b.engine.is_leaf(b.made(b.leaf()))), False)


def grad_fn(b: Bench) -> None:
    """A result has a history, a leaf has none."""
    b.expect("whether a leaf has a history", bool(b.engine.has_grad_fn(b.leaf())), False)
    b.expect("whether a result has a history", bool(b.engine.has_grad_fn(b.made(b.leaf()))), True)


def backward(b: Bench) -> str:
    """A backward brings the derivative."""
    tensor = b.leaf()
    b.backward(b.made(tensor))
    b.expect(f"the gradient of {b.op()}", b.gradient(tensor), b.derivative())
    return f"of {b.op()}: {b.gradient(tensor)}"


def gradient_before(b: Bench) -> None:
    """No gradient before a backward; or zeros, where None is not promised."""
    gradient = b.gradient(b.leaf())
    if "absent-gradients" in b.engine.traits:
        b.expect("the gradient before any backward", gradient, None)
    elif gradient is not None and any(gradient):
        b.expect("the gradient before any backward", gradient, "None or zeros")


def accumulation(b: Bench) -> None:
    """Two backwards add up."""
    if "accumulation" not in b.engine.traits:
        raise Unsupported("accumulation is not promised")
    tensor = b.leaf()
    for _ in range(2):
        b.backward(b.made(tensor))
    b.expect("the gradient after two backwards", b.gradient(tensor), [2 * d for d in b.derivative()])


def zero_grad(b: Bench) -> None:
    """What is forgotten is gone, and the next backward begins anew."""
    tensor = b.leaf()
    b.backward(b.made(tensor))
    b.engine.zero_grad(tensor, True)
    b.backward(b.made(tensor))
    b.expect("the gradient after forgetting the first and a second backward", b.gradient(tensor), b.derivative())


def with_gradient(b: Bench) -> None:
    """A backward with a gradient weighs by it."""
    tensor = b.leaf()
    b.engine.backward([b.made(tensor)], [b.leaf((2.0, 3.0), requires_grad=False)], None, False, None)
    b.expect("the gradient", b.gradient(tensor), [d * w for d, w in zip(b.derivative(), b.some((2.0, 3.0)), strict=True)])


def several_roots(b: Bench) -> None:
    """A backward of two roots adds their gradients."""
    tensor = b.leaf()
    ones = [b.leaf((1.0, 1.0), requires_grad=False) for _ in range(2)]
    b.engine.backward([b.made(tensor), b.made(tensor)], ones, None, False, None)
    b.expect("the gradient", b.gradient(tensor), [2 * d for d in b.derivative()])


def retained(b: Bench) -> None:
    """A graph that is retained can be walked again."""
    tensor = b.leaf()
    root = b.made(tensor)
    b.backward(root, retain_graph=True)
    b.backward(root)
    b.expect("the gradient after two backwards of one graph", b.gradient(tensor), [2 * d for d in b.derivative()])


def grad(b: Bench) -> None:
    """grad() gives the derivative and accumulates nothing."""
    tensor = b.leaf()
    ones = [b.leaf((1.0, 1.0), requires_grad=False)]
    (result,) = b.engine.grad([b.made(tensor)], [tensor], ones, None, False, False)
    b.expect("the gradient", b.numbers(result), b.derivative())


def detach(b: Bench) -> None:
    """A detached tensor has the same values and no history."""
    tensor = b.leaf()
    cut = b.engine.detach(b.made(tensor))
    b.expect("its value", b.numbers(cut), b.numbers(b.made(tensor)))
    if b.engine.has("requires_grad"):
        b.expect("its requires_grad", bool(b.engine.requires_grad(cut)), False)


def set_flag(b: Bench) -> None:
    """The flag of a leaf can be set."""
    tensor = b.leaf(requires_grad=False)
    b.engine.set_requires_grad(tensor, True)
    b.expect("requires_grad", bool(b.engine.requires_grad(tensor)), True)


def grad_mode(b: Bench) -> None:
    """Nothing is recorded in a region without gradients, and again after it."""
    tensor = b.leaf()
    with b.engine.grad_mode(False):
        inside = b.made(tensor)
    if b.engine.has("requires_grad"):
        b.expect("requires_grad of a result in no_grad", bool(b.engine.requires_grad(inside)), False)
        b.expect("requires_grad of a result after it", bool(b.engine.requires_grad(b.made(tensor))), True)


def retain_grad(b: Bench) -> None:
    """A result that was told to keeps its gradient."""
    middle = b.made(b.leaf(requires_grad=True))
    b.engine.retain_grad(middle)
    b.backward(middle)
    b.expect("the gradient of the result", b.gradient(middle), [1.0 for _ in b.some(X)])


def version(b: Bench) -> None:
    """The counter counts a write."""
    tensor = b.leaf(requires_grad=False)
    before = b.engine.version_of(tensor)
    write = next((n for n in ("add_scalar_", "mul_scalar_", "zero_") if n in b.calls), None)
    if write is None:
        raise Unsupported("no in-place op is declared to count")
    b.calls[write](tensor, **({} if write == "zero_" else {"value": 2.0}))
    b.expect("whether the version changed with a write", b.engine.version_of(tensor) != before, True)


def hook(b: Bench) -> None:
    """A hook sees the gradient of a result."""
    seen: list[Any] = []
    middle = b.made(b.leaf())
    b.engine.hook(middle, "tensor", seen.append)
    b.backward(middle)
    b.expect("how often the hook was called", len(seen), 1)


def address(b: Bench) -> None:
    """Tensors that share no memory have different addresses."""
    one, other = b.leaf(), b.leaf()
    b.expect("whether two leaves have one address", b.engine.address(one) == b.engine.address(other), False)


def base(b: Bench) -> None:
    """A leaf is nobody's view."""
    b.expect("the base of a leaf", b.engine.base(b.leaf()), None)


def export(b: Bench) -> None:
    """A constant comes out as it went in."""
    b.expect("what is exported", list(flatten(b.engine.export(b.leaf(requires_grad=False)))), b.some(X))


CHECKS: tuple[Check, ...] = (
    Check("leaf", "leaf", leaf),
    Check("shape", "shape", shape),
    Check("dtype", "dtype", dtype),
    Check("dimensions", "leaf", dimensions),
    Check("backward", "backward", backward),
    Check("gradient before backward", "gradient", gradient_before),
    Check("backward with a gradient", "backward", with_gradient),
    Check("backward of several roots", "backward", several_roots),
    Check("backward twice, retained", "backward", retained),
    Check("accumulation", "gradient", accumulation),
    Check("zero_grad", "zero_grad", zero_grad),
    Check("requires_grad", "requires_grad", flags),
    Check("is_leaf", "is_leaf", is_leaf),
    Check("grad_fn", "has_grad_fn", grad_fn),
    Check("requires_grad_", "set_requires_grad", set_flag),
    Check("detach", "detach", detach),
    Check("grad modes", "grad_mode", grad_mode),
    Check("retain_grad", "retain_grad", retain_grad),
    Check("grad()", "grad", grad),
    Check("versions", "version_of", version),
    Check("hooks", "hook", hook),
    Check("memory", "address", address),
    Check("bases of views", "base", base),
    Check("export", "export", export),
)
