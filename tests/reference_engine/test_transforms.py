"""torch.func, autograd.functional, checkpoint, anomaly mode, gradcheck, complex views: one program on torch and on us."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import reference_engine

torch = pytest.importorskip("torch")

PRELUDE = """
import torch, warnings
from torch import func
from torch.func import grad, vjp, jvp, jacrev, jacfwd, hessian, grad_and_value, vmap, linearize
from torch.autograd import functional as AF, forward_ad as fwAD, Function, gradcheck, gradgradcheck
from torch.utils.checkpoint import checkpoint, checkpoint_sequential, set_checkpoint_early_stop
def V(*v): return torch.tensor([float(a) for a in v], dtype=torch.float64)
def S(v): return torch.tensor(float(v), dtype=torch.float64)
def L(*v): return V(*v).requires_grad_()
def Z(*v): return torch.tensor(v, dtype=torch.complex128)
def count(f):
    f.calls = 0
    def run(*a):
        f.calls += 1
        return f(*a)
    return run
class Cube(Function):
    generate_vmap_rule = True
    @staticmethod
    def forward(x): return x ** 3
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)
    @staticmethod
    def backward(ctx, g): return 3 * ctx.saved_tensors[0] ** 2 * g
    @staticmethod
    def jvp(ctx, t): return 3 * ctx.saved_tensors[0] ** 2 * t
"""

# Each is an expression; what it evaluates to, or the error it raises, is the same on both.
FUNC = """
grad(lambda x: x ** 3)(S(2))
grad(grad(lambda x: x ** 3))(S(2))
grad(grad(grad(lambda x: x ** 4)))(S(2))
grad(lambda x: x * grad(lambda y: x + y)(S(1)))(S(3))
grad(lambda x: x * grad(lambda y: x * y)(x))(S(3))
jvp(lambda x: x * jvp(lambda y: x * y, (S(1),), (S(1),))[1], (S(3),), (S(1),))
jvp(lambda x: jvp(lambda y: x * y * y, (x,), (S(1),))[1], (S(3),), (S(1),))
jvp(jacfwd(lambda x: x.sin().sum()), (V(1, 2),), (V(1, 0),))
jvp(grad(lambda x: (x ** 3).sum()), (V(1, 2),), (V(1, 5),))
grad(lambda x: jvp(lambda y: (y ** 3).sum(), (x,), (V(1, 2),))[1])(V(3, 4))
grad(lambda x: vjp(lambda y: x * y, x)[1](x)[0].sum())(V(3, 4))
jacfwd(jacfwd(lambda x: x.prod()))(V(1, 2, 3))
jacrev(jacrev(lambda x: x.prod()))(V(1, 2, 3))
jacfwd(jacrev(lambda x: x.prod()))(V(1, 2, 3))
jacrev(jacfwd(lambda x: x.prod()))(V(1, 2, 3))
hessian(lambda x, y: (x * y).sum() * y[0], argnums=(0, 1))(V(1, 2), V(3, 4))
jacrev(lambda d: {'s': d['a'] * 2, 'p': (d['a'] * d['b']).sum()})({'a': V(1, 2), 'b': V(3, 4)})
jacfwd(lambda x: (x * 2, x.sum()))(V(1, 2))
jacrev(lambda x: (x * 2, x), has_aux=True)(V(1, 2))
jacrev(lambda x: V(5))(V(1, 2))
grad_and_value(lambda x: ((x * x).sum(), x * 2), has_aux=True)(V(1, 2))
grad(lambda x, y: (x * y).sum(), argnums=(0, 1))(V(1), V(2))
grad(lambda x, y: (x * y).sum(), argnums=2)(V(1), V(2))
grad(lambda x: x * 2)(V(1, 2))
grad(lambda x: 3.0)(V(1))
grad(lambda x: x.sum(), has_aux=True)(V(1))
grad(lambda x: (x * 2).sum())(Z(1j))
grad(lambda x: (x * 2).abs().sum())(Z(1j, 2))
grad(lambda x: x.sum())(torch.tensor([1]))
grad(lambda x: x.sum())(1.0)
grad(lambda x: (x.detach() * x).sum())(V(2))
grad(lambda x: Cube.apply(x).sum())(V(2))
grad(lambda x: grad(lambda y: Cube.apply(y).sum())(x).sum())(V(2))
jvp(lambda x: Cube.apply(x), (V(2),), (V(1),))
grad(lambda x: (x * L(3)).sum())(V(2)).requires_grad
grad(lambda x: (x * 2).sum())(L(2)).requires_grad
grad(lambda x: (x * x).sum())(L(2)).requires_grad
grad(lambda x: (x * x).sum())(V(2)).requires_grad
grad(lambda x: torch.no_grad()(lambda: x * x)().sum() + x.sum())(V(2))
torch.no_grad()(grad(lambda x: (x * x).sum()))(L(2)).requires_grad
(lambda w: torch.autograd.grad(grad(lambda x: (w * x * x).sum())(V(2)).sum(), w))(L(3))
(lambda w: torch.autograd.grad(grad(lambda x: (x ** 3).sum())(w).sum(), w))(L(3))
(lambda w: torch.autograd.grad(jvp(lambda x: x ** 3, (w,), (V(1),))[1].sum(), w))(L(3))
grad(lambda x: x.add_(1).sum())(V(1))
grad(lambda x: x[0].mul_(2).sum())(V(1))
grad(lambda x: x.clone().mul_(3).add_(x).sum())(V(1))
grad(lambda x: torch.zeros(1, dtype=torch.float64).add_(x).sum())(V(1))
(lambda c: grad(lambda x: (c.mul_(x) * x).sum())(V(1)))(V(1))
(lambda c: jvp(lambda x: c.add_(x), (V(1),), (V(1),)))(V(1))
(lambda c: grad(lambda x: grad(lambda y: (x.add_(1) * y).sum())(V(1)).sum())(V(2)))(V(1))
grad(lambda x: (x * 2).requires_grad_().sum())(V(1))
grad(lambda x: (x * 2).retain_grad())(V(1))
grad(lambda x: (x.sum() * 2).backward())(V(1))
grad(lambda x: torch.autograd.grad((x * x).sum(), x, create_graph=True)[0].sum())(V(1))
grad(lambda x: (x.requires_grad, x.is_leaf, x.grad_fn) == (True, True, None) and x.sum())(V(1))
vjp(lambda x: (x * x, x.sum()), V(1, 2))[1]((V(1, 1), S(1)))
vjp(lambda x: x * x, V(1, 2))[1](V(1))
vjp(lambda x: x * x, V(1, 2))[1]((V(1), V(2)))
vjp(lambda x: 3, V(1))
(lambda p: (p[1](V(1)), p[1](V(2))))(vjp(lambda x: x * x, V(1)))
jvp(lambda x: x, (V(1),), (V(1, 2),))
jvp(lambda x: x, V(1), V(1))
jvp(lambda x: V(5), (V(1),), (V(1),))
jvp(lambda x: V(5), (V(1),), (V(1),), strict=True)
jvp(lambda x: (x * 2, x * 3), (V(1),), (V(1),), has_aux=True)
jvp(lambda x, y: x * y, (V(1, 2), V(3, 4)), (V(1, 0), V(0, 1)))
linearize(lambda x: x * x, V(1, 2))[1](V(1, 0))
vmap(lambda x: x * x)(V(1, 2))
vmap(lambda x, y: x @ y, in_dims=(0, 1))(torch.eye(2), torch.ones(2, 2))
vmap(lambda x, y: x * y, in_dims=(0, None), out_dims=1)(torch.eye(2), torch.ones(2))
vmap(grad(lambda x: x ** 3))(V(1, 2, 3))
vmap(lambda d: d['a'] * 2)({'a': V(1, 2)})
"""
FUNCTIONAL = """
AF.vjp(lambda x: x ** 2, V(1, 2), V(1, 3))
AF.vjp(lambda x: x.sum(), V(1, 2))
AF.vjp(lambda x: x * 2, V(1, 2))
AF.vjp(lambda x: x * 2, V(1, 2), V(1))
AF.vjp(lambda x, y: (x * y, x), (V(1), V(2)), (V(1), V(1)))
AF.vjp(lambda x, y: (x * y, x), (V(1), V(2)), V(1))
AF.vjp(lambda x: V(1), V(1, 2), V(1))
AF.vjp(lambda x: V(1), V(1, 2), V(1), strict=True)
AF.vjp(lambda x, y: x * 2, (V(1), V(2)), V(1), strict=True)
AF.vjp(lambda x: x * 2, L(1), V(1), create_graph=True)[1].requires_grad
AF.vjp(lambda x: x * 2, L(1), V(1), create_graph=True, strict=True)
AF.vjp(lambda x: 3, V(1))
AF.vjp(lambda x: x, [V(1)])
AF.jvp(lambda x: x ** 2, V(1, 2), V(1, 3))
AF.jvp(lambda x: x ** 2, S(3))
AF.jvp(lambda x: x ** 2, V(1, 2))
AF.jvp(lambda x, y: (x * y, x + y), (V(1), V(2)), (V(3), V(4)))
AF.jvp(lambda x: V(1), V(1), V(1), strict=True)
AF.jvp(lambda x: x ** 2, L(2), V(1), create_graph=True)[1].requires_grad
AF.jacobian(lambda x: torch.stack([x[0], x.prod()]), V(2, 3))
AF.jacobian(lambda x, y: (x * y, x.sum()), (V(1, 2), V(3, 4)))
AF.jacobian(lambda x: x.exp(), L(1, 2), create_graph=True).requires_grad
AF.jacobian(lambda x: x.exp(), L(1, 2)).requires_grad
AF.jacobian(lambda x: x * 2, L(1), create_graph=True, strict=True)
AF.jacobian(lambda x, y: x, (V(1), V(2)), strict=True)
AF.jacobian(lambda x: x * x.sum(), V(1, 2), vectorize=True, strategy='forward-mode')
AF.jacobian(lambda x, y: (x * y, x), (V(1, 2), V(3, 4)), vectorize=True, strategy='forward-mode')
AF.jacobian(lambda x: x, V(1), strategy='forward-mode')
AF.jacobian(lambda x: x, V(1), strategy='forward-mode', vectorize=True, strict=True)
AF.jacobian(lambda x: x, V(1), strategy='forward-mode', vectorize=True, create_graph=True)
AF.jacobian(lambda x: x, V(1), strict=True, vectorize=True)
AF.jacobian(lambda z: z * z, Z(1 + 2j, 3))
AF.hessian(lambda x: x.prod(), V(1, 2, 3))
AF.hessian(lambda x, y: (x * y).sum(), (V(1, 2), V(3, 4)))
AF.hessian(lambda x: x.sum(), V(1, 2))
AF.hessian(lambda x: x.sum(), V(1, 2), strict=True)
AF.hessian(lambda x: (x * x).sum(), V(1, 2), strict=True)
AF.hessian(lambda x: x * 2, V(1, 2))
AF.hessian(lambda x: (x, x), V(1, 2))
AF.hessian(lambda x: x.prod(), V(1, 2, 3), vectorize=True, outer_jacobian_strategy='forward-mode')
AF.vhp(lambda x: (x ** 3).sum(), V(1, 2), V(1, 5))
AF.hvp(lambda x: (x ** 3).sum(), V(1, 2), V(1, 5))
AF.hvp(lambda x, y: (x * y).sum(), (V(1), V(2)), (V(3), V(4)))
AF.hvp(lambda x: x.sum(), V(1, 2), V(1, 5))
AF.vhp(lambda x: x.sum(), V(1, 2), V(1, 5), strict=True)
AF.hvp(lambda x: x.sum(), V(1, 2), V(1, 5), strict=True)
AF.vhp(lambda x: x * 2, V(1, 2), V(1, 5))
AF.vhp(lambda x: (x ** 3).sum(), V(1, 2))
gradcheck(lambda x, y: (x * y).sin(), (L(1, 2), L(3, 4)))
gradcheck(lambda x: x * x.conj() + x.abs(), Z(1 + 2j, 3).requires_grad_(), check_forward_ad=True)
gradgradcheck(lambda x: x ** 3, L(1, 2), check_fwd_over_rev=True)
gradcheck(lambda x: x.detach() * x, L(1, 2))
gradcheck(lambda x: x.detach() * x, L(1, 2), raise_exception=False)
gradcheck(lambda x: x, V(1))
"""
PROGRAMS = [line for line in (FUNC + FUNCTIONAL).splitlines() if line]

FORWARD = """
fwAD.unpack_dual(fwAD.make_dual(V(1, 2), V(3, 4)) ** 2)
fwAD.make_dual(fwAD.make_dual(V(1), V(1)), V(1))
fwAD.make_dual(V(1), V(1, 2))
fwAD.make_dual(torch.tensor([1]), V(1))
fwAD.dual_level().__enter__()
fwAD.unpack_dual(V(1), level=1)
fwAD.unpack_dual(torch.sign(fwAD.make_dual(V(1), V(1))))
fwAD.unpack_dual(fwAD.make_dual(V(1), V(1)).to(torch.int64)).tangent
fwAD.unpack_dual(torch.ones_like(fwAD.make_dual(V(1), V(1)))).tangent
(lambda d: (d.mul_(3), fwAD.unpack_dual(d)))(fwAD.make_dual(V(1, 2), V(1, 1)))
(lambda b: (b[1:].mul_(fwAD.make_dual(V(1, 1), V(5, 6))), fwAD.unpack_dual(b)))(V(1, 2, 3))
(lambda b, v: (b.mul_(2), fwAD.unpack_dual(v)))(*(lambda b: (b, b[1:]))(fwAD.make_dual(V(1, 2, 3), V(1, 1, 1))))
(lambda b: (b.fill_(2), fwAD.unpack_dual(b)))(fwAD.make_dual(V(1, 2), V(1, 1)))
(lambda b: (b.t_(), fwAD.unpack_dual(b)))(fwAD.make_dual(torch.ones(2, 3), torch.arange(6.).reshape(2, 3)))
(lambda t: (fwAD.make_dual(V(1), t).mul_(2), t))(V(5))
(lambda r: (fwAD.make_dual(r, V(1)) ** 3).sum().backward() or (r.grad, fwAD.unpack_dual(r.grad).tangent))(L(2))
(lambda r: fwAD.unpack_dual(torch.autograd.grad((fwAD.make_dual(r, V(1)) ** 3).sum(), r)[0]))(L(2))
torch.no_grad()(lambda: fwAD.unpack_dual(fwAD.make_dual(V(1), V(1)) * L(2)).tangent.requires_grad)()
fwAD.unpack_dual(fwAD.make_dual(V(1), V(1)) * L(2)).tangent.requires_grad
fwAD.unpack_dual(fwAD.make_dual(V(1), V(1)).detach()).tangent
fwAD.unpack_dual(fwAD.make_dual(L(1), V(1)) * 2).primal.requires_grad
"""


def describe(x):
    """What is seen of a result: arrays, flags, nests of them."""
    if hasattr(x, "_fields") or isinstance(x, (tuple, list)):
        return [describe(i) for i in x]
    if isinstance(x, dict):
        return {k: describe(v) for k, v in x.items()}
    if hasattr(x, "detach"):
        return x.detach().resolve_conj().numpy(force=True)
    return x


def essence(message):
    """The beginning of a message, without what is told differently."""
    return re.sub(r"\W+", " ", str(message))[:60]


def outcome(module, program, before="", after=""):
    """The result of an expression with the module as torch, or the kind and essence of its error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if module is reference_engine:
                with reference_engine.installed_as_torch():
                    return _evaluate(program, before)
            return _evaluate(program, before)
        except Exception as error:
            kinds = [
                k for k in (TypeError, ValueError, NotImplementedError, AssertionError, RuntimeError) if isinstance(error, k)
            ]
            return [kinds[0] if kinds else Exception, essence(error)]


def _evaluate(program, context):
    names = {}
    exec(PRELUDE, names)
    with eval(context, names) if context else warnings.catch_warnings():
        return describe(eval(program, names))


def agree(a, b):
    """The same nest of the same values."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and a.dtype == b.dtype and np.allclose(a, b, equal_nan=True)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(agree, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(agree(a[k], b[k]) for k in a)
    return a == b


@pytest.mark.parametrize("program", PROGRAMS)
def test_transform_is_torchs(program):
    """A transform gives the same value, or raises the same error."""
    expected, actual = outcome(torch, program), outcome(reference_engine, program)

    assert agree(actual, expected), (actual, expected)


@pytest.mark.parametrize("program", [line for line in FORWARD.splitlines() if line])
def test_dual_tensors_are_torchs(program):
    """Within a dual level the same holds."""
    level = "fwAD.dual_level()"
    expected, actual = outcome(torch, program, level), outcome(reference_engine, program, level)

    assert agree(actual, expected), (actual, expected)


def test_tangents_go_with_their_level():
    """A level that ends lets go of the tangents made at it."""
    import weakref

    fw = reference_engine.autograd.forward_ad
    x = reference_engine.ones(2)
    with fw.dual_level():
        dual = fw.make_dual(x, reference_engine.ones(2)) * 2
        kept = weakref.ref(fw.unpack_dual(dual).tangent)
        alive = kept() is not None

    assert alive
    assert kept() is None
