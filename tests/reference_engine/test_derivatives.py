"""Forward derivatives, and every mixture of forward and reverse, over real and complex numbers."""

from __future__ import annotations

import os
import sys
import warnings

import numpy as np
import pytest

import reference_engine
import reference_engine.autograd.forward_ad

torch = pytest.importorskip("torch")
sys.path.insert(0, os.path.dirname(__file__))
from derivative_cases import CASES, HELPERS

RUNS = [(text, shapes, kind) for text, shapes, kinds in CASES for kind in kinds]
IDS = [f"{text}-{kind}" for text, _, kind in RUNS]
# Torch has no forward derivative here and says nothing.
TORCH_WITHOUT_JVP = {"x.scatter_reduce(1, T.tensor([[0, 0], [1, 1]]), y, 'prod')"}
# Torch has no derivative of the backward of these, neither forward nor second.
REVERSE_ONLY = {"T.cdist(x, y)"}
# Here a difference quotient is not the derivative: the function has a constant in it that moves along.
NOT_A_FUNCTION = {"x.clone() * x.detach()"}


def draw(shape, kind, seed):
    """Numbers of a shape; "p" and "u" at its end restrict them."""
    rng = np.random.default_rng(seed)
    domain, size = (shape[-1], shape[:-1]) if shape and isinstance(shape[-1], str) else ("", shape)
    a = np.asarray(rng.standard_normal(size))
    a = np.abs(a) + 0.5 if domain == "p" else np.tanh(a) * 0.9 if domain == "u" else a
    return np.asarray(a + 1j * rng.standard_normal(size) if kind == "c" else a)


def array(t):
    """The values of a tensor, None of None."""
    return None if t is None else np.array(t.detach().resolve_conj().resolve_neg().numpy(force=True))


class Case:
    """One call on one module, with fixed operands, tangents and cotangents."""

    def __init__(self, module, text, shapes, kind):
        self.T, self.text, self.fw = module, text, module.autograd.forward_ad
        self.points = [draw(s, kind, i) for i, s in enumerate(shapes)]
        plain = [s[:-1] if s and isinstance(s[-1], str) else s for s in shapes]
        self.directions = [draw(s, kind, 10 + i) for i, s in enumerate(plain)]

    def __call__(self, operands):
        names = {"T": self.T, "F": self.T.nn.functional, **HELPERS, **dict(zip("xyz", operands))}
        found = eval(self.text, names)
        return tuple(found) if isinstance(found, (tuple, list)) else (found,)

    def leaves(self):
        return [self.T.tensor(a).requires_grad_() for a in self.points]

    def cotangents(self, outs):
        return [self.T.tensor(draw(tuple(o.shape), "c" if o.is_complex() else "r", 20 + i)) for i, o in enumerate(outs)]

    def gradients(self):
        """The gradients by the operands."""
        xs = self.leaves()
        outs = self(xs)
        return [array(g) for g in self.T.autograd.grad(outs, xs, self.cotangents(outs), allow_unused=True)]

    def second(self):
        """The gradients of <gradient, direction>, recorded: Hessian times vector."""
        xs = self.leaves()
        outs = self(xs)
        found = self.T.autograd.grad(outs, xs, self.cotangents(outs), create_graph=True, allow_unused=True)
        pairs = [(g, self.T.tensor(d)) for g, d in zip(found, self.directions) if g is not None and g.requires_grad]
        if not pairs:
            return [None] * len(xs)
        found = self.T.autograd.grad([g for g, _ in pairs], xs, [d for _, d in pairs], allow_unused=True)
        return [array(h) for h in found]

    def forward(self):
        """The tangents of the results."""
        with self.fw.dual_level():
            duals = [self.fw.make_dual(self.T.tensor(a), self.T.tensor(d)) for a, d in zip(self.points, self.directions)]
            return [array(self.fw.unpack_dual(o).tangent) for o in self(duals)]

    def forward_over_reverse(self):
        """The tangents of the gradients: Hessian times vector."""
        with self.fw.dual_level():
            xs = self.leaves()
            outs = self([self.fw.make_dual(x, self.T.tensor(d)) for x, d in zip(xs, self.directions)])
            found = self.T.autograd.grad(outs, xs, self.cotangents(outs), allow_unused=True)
            return [None if g is None else array(self.fw.unpack_dual(g).tangent) for g in found]

    def reverse_over_forward(self):
        """The gradients of <tangent, cotangent>: Hessian times vector again."""
        with self.fw.dual_level():
            xs = self.leaves()
            outs = self([self.fw.make_dual(x, self.T.tensor(d)) for x, d in zip(xs, self.directions)])
            pairs = [(self.fw.unpack_dual(o).tangent, c) for o, c in zip(outs, self.cotangents(outs))]
            pairs = [(t, c) for t, c in pairs if t is not None and t.requires_grad]
            if not pairs:
                return [None] * len(xs)
            found = self.T.autograd.grad([t for t, _ in pairs], xs, [c for _, c in pairs], allow_unused=True)
            return [array(g) for g in found]

    def quotient(self):
        """The forward derivative by central differences."""
        h = 1e-6
        with self.T.no_grad():
            up, down = (self([self.T.tensor(a + s * h * d) for a, d in zip(self.points, self.directions)]) for s in (1, -1))
        return [(array(u) - array(v)) / (2 * h) for u, v in zip(up, down)]


def same(actual, expected, rtol=1e-7, atol=1e-8):
    """Equal numbers; None is zero."""
    for a, e in zip(actual, expected):
        like = a if e is None else e
        if like is None:
            continue
        a, e = (np.zeros_like(like) if v is None else v for v in (a, e))
        if a.shape != e.shape or not np.allclose(a, e, rtol, atol, equal_nan=True):
            return False
    return len(actual) == len(expected)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(("text", "shapes", "kind"), RUNS, ids=IDS)
def test_first_derivatives_are_torchs(text, shapes, kind):
    """Reverse and forward derivatives agree with torch's."""
    ours, theirs = Case(reference_engine, text, shapes, kind), Case(torch, text, shapes, kind)

    assert same(ours.gradients(), theirs.gradients())
    if text not in TORCH_WITHOUT_JVP | REVERSE_ONLY:
        assert same(ours.forward(), theirs.forward())


@pytest.mark.parametrize(("text", "shapes", "kind"), RUNS, ids=IDS)
def test_forward_is_the_limit_of_difference_quotients(text, shapes, kind):
    """The tangent is what it claims to be."""
    case = Case(reference_engine, text, shapes, kind)
    if text in NOT_A_FUNCTION | REVERSE_ONLY:
        pytest.skip("no derivative of a function of the operands alone")

    assert same(case.forward(), case.quotient(), 1e-4, 1e-5)


@pytest.mark.parametrize(("text", "shapes", "kind"), RUNS, ids=IDS)
def test_all_orders_of_forward_and_reverse_agree(text, shapes, kind):
    """Reverse over reverse, forward over reverse and reverse over forward are one Hessian."""
    case = Case(reference_engine, text, shapes, kind)
    if text in REVERSE_ONLY:
        pytest.skip("no second derivative is known")
    expected = case.second()

    assert same(case.forward_over_reverse(), expected)
    assert same(case.reverse_over_forward(), expected)
