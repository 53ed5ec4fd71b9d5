"""Values, gradients and second gradients of the tables of op calls, on torch and on the reference engine.

The calls are those of conformance.saved_calls and of data/op_calls.txt, which has the ATen core ops under their own names
(`aten.`) and further variants. Lines there are `name | inputs | expression`.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference_engine
from conformance import saved

torch = pytest.importorskip("torch")

TOLERANCE = {"float64": 1e-9, "float32": 2e-4}
# Random results; and calls that float32 cannot settle, or that mix dtypes there.
RANDOM = {"dropout(p=.5,train)", "bernoulli", "F.rrelu(train)", "F.gumbel_softmax"}
DOUBLE_ONLY = {"lerp_scalar", "cdist_self", "det singular", "logcumsumexp far"}


def calls() -> list[saved.Call]:
    """Both tables."""
    lines = (Path(__file__).parent / "data" / "op_calls.txt").read_text(encoding="utf-8").splitlines()
    return [*saved.calls(), *(saved.parse(line, "more") for line in lines)]


def waves(t: Any, shift: float) -> Any:
    """Fixed weights in the shape of a tensor."""
    return np.cos(np.arange(t.numel()) + shift).reshape(tuple(t.shape))


def outcome(module: Any, call: saved.Call, dtype: str) -> list:
    """Values, gradients (None for zero), second gradients."""
    functional = importlib.import_module(module.__name__ + ".nn.functional")
    scope = {"torch": module, "F": functional, "aten": module.ops.aten, "sum": sum, "float": float}
    function = eval(f"lambda {', '.join(i.name for i in call.inputs)}: {call.expression}", scope)
    rng = np.random.default_rng(7)
    inputs, leaves = [], []
    for i in call.inputs:
        t = module.tensor(np.asarray(saved.draw(i.kind, i.shape, rng)))
        t = t if i.kind in "ib" else t.to(getattr(module, dtype))
        if i.may_require_grad:
            leaves.append(t.requires_grad_())
        inputs.append(t)
    out = function(*inputs)
    outs = list(out) if isinstance(out, (tuple, list)) else [out]
    found = [o.detach().resolve_conj().numpy() for o in outs]
    outs = [o for o in outs if o.requires_grad and not o.is_complex()]
    if not outs:
        return found
    total = sum((o * module.tensor(waves(o, 0.5)).to(o.dtype)).sum() for o in outs)
    try:
        plain = module.autograd.grad(total, leaves, allow_unused=True, retain_graph=True)
        found += [array(g) for g in plain]
        grads = module.autograd.grad(total, leaves, allow_unused=True, create_graph=True)
        twice = [(g * module.tensor(waves(g, 1.5)).to(g.dtype)).sum() for g in grads if g is not None and g.requires_grad]
        if twice:
            found += [array(g) for g in module.autograd.grad(sum(twice), leaves, allow_unused=True)]
    except RuntimeError as error:
        found.append("not implemented" if "not implemented" in str(error) else str(error))
    return found


def array(t: Any) -> Any:
    """A gradient as an array; zeros and None are the same to us here."""
    if t is None:
        return None
    a = t.detach().numpy(force=True)
    return a if a.any() else None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("call", calls(), ids=lambda c: c.name)
def test_call_agrees_with_torch(call, dtype):
    """A call's values, gradients and second gradients are torch's, shapes and dtypes included."""
    if call.name in RANDOM or (dtype == "float32" and call.name in DOUBLE_ONLY):
        pytest.skip("random, or refused by torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, actual = outcome(torch, call, dtype), outcome(reference_engine, call, dtype)
    # A second gradient that one side says is flat and the other says is zero is the same.
    expected += [None] * (len(actual) - len(expected))
    actual += [None] * (len(expected) - len(actual))
    tolerance = TOLERANCE[dtype]

    for e, a in zip(expected, actual, strict=True):
        if isinstance(e, str):
            break  # torch has no derivative here; that ours has one is no fault
        if e is None:
            assert a is None
            continue
        assert a is not None
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        np.testing.assert_allclose(a, e, rtol=50 * tolerance, atol=tolerance)
