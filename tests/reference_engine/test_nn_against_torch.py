"""torch.nn.functional, torch.nn and torch.optim on the reference engine: the same numbers as torch's."""

from __future__ import annotations

import os
import sys
import warnings

import numpy as np
import pytest

import reference_engine

torch = pytest.importorskip("torch")
sys.path.insert(0, os.path.dirname(__file__))
from nn_cases import cases

PLACES = (torch, reference_engine)


def leaves_of(module, leaves, dtype):
    """The same numbers as leaves of a module."""
    rng = np.random.default_rng(1)
    draws = [np.asarray(rng.standard_normal(shape)) for _, shape in leaves]
    values = [1 / (1 + np.exp(-d)) if positive else d for d, (positive, _) in zip(draws, leaves)]
    return [module.tensor(v.astype(dtype), requires_grad=True) for v in values]


def outcome(module, call, leaves, dtype, twice):
    """Value, gradients, second gradients and the node's name."""
    inputs = leaves_of(module, leaves, dtype)
    y = eval(call, {"m": module, "F": module.nn.functional, **dict(zip("xyz", inputs))})
    w = module.tensor(np.cos(np.arange(y.numel()) + 0.3).reshape(tuple(y.shape)).astype(dtype), requires_grad=twice)
    grads = module.autograd.grad(y, inputs, w, create_graph=twice, allow_unused=True)
    found = [y, *grads]
    live = [g for g in grads if g is not None and g.requires_grad]
    if twice and live:
        found += module.autograd.grad(sum((g * g).sum() for g in live), [*inputs, w], allow_unused=True)
    return [None if t is None else t.detach().numpy() for t in found], y.grad_fn.name() if twice else ""


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("call", "leaves", "twice"), cases(), ids=[c[0][:40] for c in cases()])
def test_function_agrees_with_torch(call, leaves, twice, dtype):
    """Value, gradients, second gradients and node name of an nn function are torch's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (expected, name), (actual, own) = (outcome(m, call, leaves, dtype, twice) for m in PLACES)

    assert own == name
    for e, a in zip(expected, actual, strict=True):
        e, a = (np.zeros(()) if v is None else v for v in (e, a))
        close = {"rtol": 1e-7, "atol": 1e-10} if dtype == np.float64 else {"rtol": 2e-3, "atol": 1e-4}
        np.testing.assert_allclose(a, np.broadcast_to(e, a.shape), **close)


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}), ("AdamW", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.9, "centered": True}), ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("Adadelta", {}), ("Adamax", {"lr": 0.1}),
]  # fmt: skip


def trajectory(module, name, options):
    """After each of some steps: the parameter, its counted writes, and those that the step made to the gradient."""
    p = module.nn.Parameter(module.tensor([1.0, -2.0, 3.0], dtype=module.float64))
    optimizer = getattr(module.optim, name)([p], **options)
    out = []
    for i in range(3):
        optimizer.zero_grad()
        ((p * p * p).sum() * (i + 1)).backward()
        before = p.grad._version
        optimizer.step()
        out.append((p.detach().tolist(), p._version, p.grad._version - before))
    return out


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=[o[0] for o in OPTIMIZERS])
def test_optimizer_steps_as_torch(name, options):
    """Parameters move as torch's do, and as many writes are counted."""
    expected, actual = (trajectory(m, name, options) for m in PLACES)

    assert [a[1:] for a in actual] == [e[1:] for e in expected]
    np.testing.assert_allclose([a[0] for a in actual], [e[0] for e in expected], rtol=1e-9)


MODULES = [
    ("Linear", (3, 2), (4, 3)), ("Conv2d", (2, 3, 2), (1, 2, 4, 4)), ("ConvTranspose1d", (2, 3, 2), (1, 2, 4)),
    ("BatchNorm1d", (3,), (4, 3)), ("BatchNorm2d", (3,), (2, 3, 2, 2)), ("InstanceNorm1d", (3,), (2, 3, 4)),
    ("LayerNorm", (4,), (2, 4)), ("GroupNorm", (2, 4), (2, 4, 3)), ("RMSNorm", (3,), (2, 3)), ("PReLU", (), (2, 3)),
    ("MaxPool2d", (2,), (1, 1, 4, 4)), ("ReflectionPad2d", (1,), (1, 1, 3, 3)), ("GELU", (), (2, 3)), ("Flatten", (), (2, 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("name", "arguments", "shape"), MODULES, ids=[m[0] for m in MODULES])
def test_module_agrees_with_torch(name, arguments, shape, mode):
    """With torch's state a module gives torch's output, gradients and buffers, under the same names."""
    theirs, ours = (getattr(m.nn, name)(*arguments).double() for m in PLACES)
    state = {k: reference_engine.tensor(v.numpy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    found = []
    for m, module in zip(PLACES, (theirs, ours)):
        module.train(mode)
        x = m.tensor(np.cos(np.arange(np.prod(shape))).reshape(shape), requires_grad=True)
        y = module(x)
        (y * y).sum().backward()
        found.append([y, x.grad, *[p.grad for p in module.parameters()], *module.buffers()])

    assert list(ours.state_dict()) == list(theirs.state_dict())
    for e, a in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), e.detach().numpy(), rtol=1e-6, atol=1e-9)


def test_backward_hooks_of_a_module_see_both_sides():
    """A full backward hook gets the gradients of inputs and outputs and may replace the first."""
    found = []
    for m in PLACES:
        module, x, seen = m.nn.Tanh(), m.tensor([0.5], dtype=m.float64, requires_grad=True), []
        module.register_full_backward_hook(lambda _, gi, go, seen=seen: seen.append((gi[0].item(), go[0].item())) or (gi[0] * 2,))
        module.register_full_backward_pre_hook(lambda _, go: (go[0] * 3,))
        module(x).sum().backward()
        found.append((seen, x.grad.item()))

    np.testing.assert_allclose(found[1][0], found[0][0])
    np.testing.assert_allclose(found[1][1], found[0][1])
