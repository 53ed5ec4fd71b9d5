"""Random numbers: one generator per process, seeded by torch.manual_seed. The numbers are not torch's."""

from __future__ import annotations

import builtins
import pickle
from typing import Any

import numpy as np

from .. import dtypes
from ..inplace import write
from ..tensor import Tensor, wrap
from .create import _finish, _np
from .faces import face, function, method
from .shape import sizes
from .table import ROWS, op


class Generator:
    """A source of random numbers."""

    def __init__(self, device: Any = "cpu") -> None:
        self.manual_seed(0)

    def manual_seed(self, seed: int) -> Generator:
        """Start again from a seed."""
        self.seed_ = seed
        self.bits = np.random.default_rng(seed % (1 << 63))
        return self

    def initial_seed(self) -> int:
        """The seed last given."""
        return self.seed_

    def get_state(self) -> Any:
        """The state, to be given to set_state."""
        return wrap(np.frombuffer(pickle.dumps(self.bits.bit_generator.state), np.uint8).copy())

    def set_state(self, state: Any) -> Generator:
        """Go back to a state."""
        self.bits.bit_generator.state = pickle.loads(state._array.tobytes())
        return self


default_generator = Generator()


@function()
def manual_seed(seed: int) -> Generator:
    """Seed the default generator."""
    return default_generator.manual_seed(int(seed))


@function()
def seed() -> int:
    """Seed the default generator arbitrarily."""
    default_generator.manual_seed(int(np.random.SeedSequence().entropy) & 0x7FFFFFFF)
    return default_generator.seed_


@function()
def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.seed_


@function()
def get_rng_state() -> Any:
    """The default generator's state."""
    return default_generator.get_state()


@function()
def set_rng_state(state: Any) -> None:
    """Put the default generator back into a state."""
    default_generator.set_state(state)


def _bits(generator: Any) -> Any:
    return (generator or default_generator).bits


def _random(name: str, draw: Any) -> None:
    def call(*size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None, **_: Any) -> Tensor:
        return _finish(np.asarray(draw(_bits(generator), sizes(size))).astype(_np(dtype)), requires_grad)

    def like(x: Tensor, *, dtype: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
        kind = x._array.dtype if dtype is None else dtype.np
        return _finish(np.asarray(draw(_bits(None), x._array.shape)).astype(kind), requires_grad)

    function(name)(call)
    function(name + "_like")(like)


_random("rand", lambda g, shape: g.random(shape))
_random("randn", lambda g, shape: g.standard_normal(shape))


@function()
def randint(low: int, high: Any = None, size: Any = None, *, dtype: Any = None, generator: Any = None, **_: Any) -> Tensor:
    """Random integers of [low, high)."""
    if size is None:
        low, high, size = 0, low, high
    kind = np.int64 if dtype is None else dtypes.as_dtype(dtype).np
    return wrap(np.asarray(_bits(generator).integers(low, high, sizes((size,)))).astype(kind))


@function()
def randperm(n: int, *, generator: Any = None, dtype: Any = None, **_: Any) -> Tensor:
    """A random order of 0..n-1."""
    return wrap(_bits(generator).permutation(n).astype(np.int64 if dtype is None else dtype.np))


@function()
def normal(mean: Any, std: Any = 1.0, size: Any = None, **_: Any) -> Tensor:
    """Normal numbers."""
    shape = sizes((size,)) if size is not None else (mean if isinstance(mean, Tensor) else std)._array.shape
    z = wrap(default_generator.bits.standard_normal(shape).astype(dtypes.get_default_dtype().np))
    return z * std + mean


# Writing random values in place: the old value no longer matters, so its gradient is zero.
def _in_place(name: str, node: str, draw: Any, defaults: tuple) -> None:
    row = op(name + "_row", lambda x, values: values, params="values", face=False, node=node,
             self=lambda F, ct: F.zeros_like(ct))  # fmt: skip

    def call(self: Tensor, *args: Any, generator: Any = None, **kw: Any) -> Tensor:
        values = [*args, *kw.values()]
        values += defaults[len(values) :]
        drawn = np.asarray(draw(_bits(generator), self._array.shape, *values)).astype(self._array.dtype)
        return write(row, name + "_", self, (), (drawn,))

    method(name + "_")(call)


_in_place("normal", "NormalBackward0", lambda g, s, mean, std: mean + std * g.standard_normal(s), (0.0, 1.0))
_in_place("uniform", "UniformBackward0", lambda g, s, low, high: low + (high - low) * g.random(s), (0.0, 1.0))
_in_place("exponential", "ExponentialBackward0", lambda g, s, lam: g.exponential(1 / lam, s), (1.0,))
_in_place("geometric", "GeometricBackward0", lambda g, s, p: g.geometric(p, s), (0.5,))
_in_place("cauchy", "CauchyBackward0", lambda g, s, m, w: m + w * g.standard_cauchy(s), (0.0, 1.0))
_in_place("log_normal", "LogNormalBackward0", lambda g, s, m, d: g.lognormal(m, d, s), (1.0, 2.0))
_in_place("bernoulli", "BernoulliBackward2", lambda g, s, p: g.random(s) < p, (0.5,))
_in_place("random", "RandomBackward2", lambda g, s, low, high: g.integers(low, 1 << 24 if high is None else high, s), (0, None))


@face()
def bernoulli(self: Tensor, *, generator: Any = None) -> Tensor:
    """0 or 1 with the given probabilities; its gradient is zero."""
    return ROWS["bernoulli_draw"].call(self, generator)


op("bernoulli_draw", lambda p, generator: (_bits(generator).random(p.shape) < p).astype(p.dtype), params="generator",
   face=False, node="BernoulliBackward0", self=lambda F, ct: F.zeros_like(ct))  # fmt: skip


op("poisson", lambda rates, generator: _bits(generator).poisson(rates).astype(rates.dtype), params="generator=None",
   face="function", self=lambda F, ct: F.zeros_like(ct))  # fmt: skip


@function()
def multinomial(p: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
    """Indices drawn with the given weights."""
    rows = np.atleast_2d(p._array)
    drawn = [_bits(generator).choice(r.size, num_samples, replacement, r / r.sum()) for r in rows]
    return wrap(np.array(drawn if p._array.ndim == 2 else drawn[0], np.int64))


_ = builtins
