"""Checkpointing, complex views and anomaly mode: small programs that end the same on torch and on the reference engine."""

from __future__ import annotations

import gc
import sys
import warnings
import weakref

import numpy as np
import pytest

import reference_engine

torch = pytest.importorskip("torch")


def _module(T, name):
    """A submodule of torch or of the reference engine, by its name in torch."""
    __import__(f"{T.__name__}.{name}")
    return sys.modules[f"{T.__name__}.{name}"]


def _leaf(T, *v):
    return T.tensor([float(a) for a in v], dtype=T.float64, requires_grad=True)


def _z(T, *v):
    return T.tensor(v, dtype=T.complex128, requires_grad=True)


def nested(T, reentrant):
    """Checkpoints within checkpoints; how often each function runs."""
    C, calls = _module(T, "utils.checkpoint").checkpoint, []
    x = _leaf(T, 0.5, 1.5)

    def inner(t):
        calls.append("inner")
        return T.sin(t) * t

    def outer(t):
        calls.append("outer")
        return C(inner, t * 2, use_reentrant=reentrant) * t

    C(outer, x, use_reentrant=reentrant).sum().backward()
    return x.grad, calls if reentrant else calls.count("outer")


def kwargs(T, reentrant):
    """Keyword arguments go to the function where they may."""
    C = _module(T, "utils.checkpoint").checkpoint
    return C(lambda t, k: t * k, _leaf(T, 2), use_reentrant=reentrant, k=3)


def reentrant_with_grad(T, reentrant):
    """autograd.grad through a checkpoint."""
    x = _leaf(T, 2)
    return T.autograd.grad(_module(T, "utils.checkpoint").checkpoint(lambda t: t * t, x, use_reentrant=reentrant).sum(), x)


def no_input_requires_grad(T, reentrant):
    """Only a captured tensor requires grad."""
    w = _leaf(T, 3)
    y = _module(T, "utils.checkpoint").checkpoint(lambda t: t * w, T.ones(1, dtype=T.float64), use_reentrant=reentrant)
    return y.requires_grad


def twice(T, reentrant):
    """Two backwards with retain_graph."""
    x = _leaf(T, 2)
    y = _module(T, "utils.checkpoint").checkpoint(lambda t: T.exp(t) * t, x, use_reentrant=reentrant).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def double_backward(T, reentrant):
    """A second derivative through a checkpoint."""
    x = _leaf(T, 2)
    y = _module(T, "utils.checkpoint").checkpoint(lambda t: t**3, x, use_reentrant=reentrant).sum()
    y.backward(create_graph=True)
    return x.grad.requires_grad


def early_stop(T, reentrant):
    """How far the second run goes."""
    module, steps = _module(T, "utils.checkpoint"), []

    def f(t):
        steps.append(1)
        u = T.exp(t)
        steps.append(2)
        v = u + 1
        steps.append(3)
        return v

    for on in (True, False):
        with module.set_checkpoint_early_stop(on):
            module.checkpoint(f, _leaf(T, 2), use_reentrant=reentrant).sum().backward()
    return steps


def sequential(T, reentrant):
    """A chain in segments."""
    x = _leaf(T, 0.3)
    _module(T, "utils.checkpoint").checkpoint_sequential([T.sin, T.exp, T.tanh], 2, x, use_reentrant=reentrant).sum().backward()
    return x.grad


CHECKPOINTS = [nested, kwargs, reentrant_with_grad, no_input_requires_grad, twice, double_backward, early_stop, sequential]


def conj_is_a_view(T):
    """What a lazy conjugate shares and says."""
    y = _z(T, 1 + 2j, 3 - 1j) * 1
    c = y.conj()
    flags = (c.is_conj(), c._is_view(), c._base is y, c.data_ptr() == y.data_ptr(), c.conj().is_conj(), c.clone().is_conj())
    return flags, c.grad_fn.name(), T.ones(1).conj().is_conj(), c.resolve_conj()


def conj_write(T):
    """A write through the conjugate reaches the memory, the version and the gradient."""
    z = _z(T, 1 + 2j)
    y = z * 1
    c = y.conj()
    c.mul_(3 + 1j)
    return y, y._version, T.autograd.grad(y.sum(), z, T.ones((), dtype=T.complex128)), c.grad_fn.name(), y.grad_fn.name()


def conj_write_to_leaf(T):
    """A leaf may not be written through its conjugate."""
    return _z(T, 1j).conj().mul_(2)


def part_write(T):
    """Writes to parts, and to parts of parts."""
    z = _z(T, 1 + 2j, 3 - 1j)
    y = z * 1
    y.imag[0] = 5.0
    y.real.mul_(2)
    y.real[1:].add_(1)
    return y, y._version, T.autograd.grad(T.view_as_real(y).sum(), z)


def part_names(T):
    """Which nodes stand behind parts."""
    y = _z(T, 1 + 2j) * 1
    names = [f.grad_fn.name() for f in (y.real, y.imag, T.view_as_real(y), T.view_as_complex(T.view_as_real(y)))]
    return names, y.real._base is y, y.imag.stride(), y.imag.storage_offset()


def as_complex_write(T):
    """A complex view of real numbers."""
    x = _leaf(T, 1, 2, 3, 4)
    y = x * 1
    T.view_as_complex(y.view(2, 2)).mul_(1j)
    return y, T.autograd.grad((y * T.arange(4.0, dtype=T.float64)).sum(), x)


def set_parts(T):
    """Assignment to parts."""
    y = _z(T, 1 + 2j) * 1
    y.real = T.tensor([7.0], dtype=T.float64)
    return y, y.grad_fn.name()


def no_imag(T):
    """Real tensors have no imaginary part."""
    return T.ones(1).imag


def real_is_itself(T):
    """The real part of a real tensor is the tensor."""
    x = T.ones(1)
    return x.real is x, T.real(x) is x, x.conj() is x, x.resolve_conj() is x


def conj_numpy(T):
    """NumPy knows no lazy conjugates."""
    return _z(T, 1j).detach().conj().numpy()


def mixed(T):
    """Real and complex operands: each gets a gradient of its own dtype."""
    x, z = _leaf(T, 2), _z(T, 1 + 1j)
    return T.autograd.grad((x * z / (x + z)).abs().sum(), (x, z))


def bad_complex(T):
    """complex() wants two of a kind."""
    return T.complex(T.ones(1), T.ones(1, dtype=T.float64))


def ordered(T):
    """Complex numbers have no order."""
    return _z(T, 1j) < _z(T, 2j)


def to_float(T):
    """A number with an imaginary part is no float."""
    return float(T.tensor(1j))


def nan_is_reported(T):
    """A NaN made in backward."""
    x = _leaf(T, 0)
    with T.autograd.detect_anomaly():
        (T.sqrt(x) * 0).sum().backward()


def nan_unchecked(T):
    """A NaN that is not looked for."""
    x = _leaf(T, 0)
    with T.autograd.detect_anomaly(check_nan=False):
        (T.sqrt(x) * 0).sum().backward()
    return x.grad


def anomaly_states(T):
    """The switch and what it restores."""
    with T.autograd.set_detect_anomaly(True, check_nan=False):
        inside = T.is_anomaly_enabled(), T.is_anomaly_check_nan_enabled()
    return inside, T.is_anomaly_enabled(), T.is_anomaly_check_nan_enabled()


PROGRAMS = [
    conj_is_a_view, conj_write, conj_write_to_leaf, part_write, part_names, as_complex_write, set_parts, no_imag,
    real_is_itself, conj_numpy, mixed, bad_complex, ordered, to_float, nan_is_reported, nan_unchecked, anomaly_states,
]  # fmt: skip


def outcome(program, *arguments):
    """What a program gives, tensors as lists; or its error's essence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(program(*arguments))
        except Exception as error:
            return type(error).__mro__[-4].__name__, str(error)[:50]


def plain(x):
    """Nests of lists and numbers."""
    if isinstance(x, (tuple, list)):
        return [plain(i) for i in x]
    if hasattr(x, "detach"):
        return np.round(x.detach().resolve_conj().numpy(force=True), 9).tolist()
    return x


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("program", CHECKPOINTS, ids=lambda p: p.__name__)
def test_checkpoint_is_torchs(program, reentrant):
    """Both kinds of checkpoint do what torch's do."""
    expected, actual = outcome(program, torch, reentrant), outcome(program, reference_engine, reentrant)

    assert repr(actual) == repr(expected)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program_is_torchs(program):
    """Complex views and anomaly mode look as torch's do."""
    expected, actual = outcome(program, torch), outcome(program, reference_engine)

    assert repr(actual) == repr(expected)


def test_anomaly_names_the_forward_call():
    """The warning carries the line that recorded the node whose backward failed."""
    x = reference_engine.tensor([0.0], requires_grad=True)
    with warnings.catch_warnings(record=True) as caught, pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan"):  # noqa: PT012
        warnings.simplefilter("always")
        with reference_engine.autograd.detect_anomaly():
            root = reference_engine.sqrt(x)  # the line to find
            (root * 0).sum().backward()

    assert any("Error detected in SqrtBackward0" in str(w.message) and "the line to find" in str(w.message) for w in caught)


def test_checkpoint_holds_no_intermediate():
    """Between forward and backward nothing of what the function computed is alive."""
    seen = []

    def f(t):
        hidden = reference_engine.exp(t)
        seen.append(weakref.ref(hidden))
        return reference_engine.sin(hidden)

    gc.disable()
    try:
        x = reference_engine.ones(3, requires_grad=True)
        y = _module(reference_engine, "utils.checkpoint").checkpoint(f, x, use_reentrant=False)
        alive = seen[0]() is not None
        y.sum().backward()
    finally:
        gc.enable()

    assert not alive
    assert len(seen) == 2
