"""Values, gradients, second gradients and node names of the core ops, on torch and on the reference engine."""

from __future__ import annotations

import os
import sys
import warnings

import numpy as np
import pytest

import reference_engine

torch = pytest.importorskip("torch")
sys.path.insert(0, os.path.dirname(__file__))
from op_cases import cases

# Torch composes these of other ops (or has a row of its own where we compose): the graph differs, the values do not.
OTHER_NODE = {"ri", "block_diag"}
# Torch itself fails here when the cotangent requires grad (a scatter whose source is larger than its index).
TORCH_FAILS = {"scatter", "scatter_add", "viewip"}


def outcome(module, function, inputs):
    """Value, gradients, which of them require grad, second gradients, accumulated .grad, and the node's name."""
    leaves = [module.tensor(np.asarray(a), requires_grad=True) for a in inputs]
    y = function(module, *leaves)
    found = [array(y)]
    if not y.requires_grad:
        return found
    weights = np.cos(np.arange(y.numel()).reshape(tuple(y.shape)) + 0.3)
    w = module.tensor(weights).to(y.dtype).requires_grad_()
    grads = module.autograd.grad(y, leaves, w, create_graph=True, allow_unused=True)
    found += [array(g) for g in grads]
    live = [g for g in grads if g is not None and g.requires_grad]
    found.append([g is not None and g.requires_grad for g in grads])
    if live:
        total = sum(
            (g * module.tensor(np.sin(np.arange(g.numel()).reshape(tuple(g.shape)) + 1.0)).to(g.dtype)).sum() for g in live
        )
        found += [array(g) for g in module.autograd.grad(total, [*leaves, w], allow_unused=True)]
    module.autograd.backward([function(module, *leaves)], [w.detach()])
    found += [array(x.grad) for x in leaves]
    found.append("" if y.grad_fn is None else y.grad_fn.name())
    return found


def array(t):
    """A tensor as an array; None stays None."""
    return None if t is None else t.detach().numpy(force=True)


@pytest.mark.parametrize(("name", "function", "inputs"), cases, ids=[f"{i}-{c[0]}" for i, c in enumerate(cases)])
def test_op_agrees_with_torch(name, function, inputs):
    """An op's value and derivatives are torch's."""
    if name in TORCH_FAILS:
        pytest.skip("torch cannot run this case")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, actual = outcome(torch, function, inputs), outcome(reference_engine, function, inputs)

    assert len(actual) == len(expected)
    for e, a in zip(expected, actual):
        if e is None or isinstance(e, (list, str)):
            assert a == e or name in OTHER_NODE
            continue
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        np.testing.assert_allclose(a, e, rtol=1e-7 if e.dtype == np.float64 else 1e-4, atol=1e-9)
