"""Values for leaves and gradients: slices of fixed banks, so that a whole tensor costs one choice.

Every value is a multiple of 2**-10, which float32 holds: the same program means the same numbers in either dtype.
"""

from __future__ import annotations

import random
from functools import lru_cache

from conformance.catalog import Bounds, Shape, size
from conformance.slots import bounds_of

_LENGTH = 160
_OFFSETS = 12


_EXTREMES = (0.0, 0.0, 1.0, -1.0, 1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 20.0, -20.0, 100.0, -100.0, 1000.0, -1000.0)


def _bank(seed: int, low: int, high: int, unit: float) -> tuple[float, ...]:
    """Multiples of a unit, from a fixed PRNG."""
    draw = random.Random(seed)
    return tuple(draw.randint(low, high) * unit for _ in range(_LENGTH))


# Name -> (values, their bounds). The exact ones are small integers and halves with ties and zeros.
BANKS: dict[str, tuple[tuple[float, ...], Bounds]] = {
    "integers": (_bank(1, -3, 3, 1.0), Bounds(-3.0, 3.0, 0)),
    "halves": (_bank(2, -4, 4, 0.5), Bounds(-2.0, 2.0, 1)),
    "special": (tuple(random.Random(5).choices(_EXTREMES, k=_LENGTH)), Bounds(-1000.0, 1000.0, 1)),
    "ties": (tuple(random.Random(6).choices((0.0, 1.0, -1.0), k=_LENGTH)), Bounds(-1.0, 1.0, 0)),
    "positive": (_bank(3, 320, 1900, 2**-10), Bounds(0.3, 1.9, None)),
    "signed": (tuple(a if i % 3 else -a for i, a in enumerate(_bank(4, 200, 1900, 2**-10))), Bounds(-1.9, 1.9, None)),
}
SPECIAL = ("special", "ties")
EXACT = ("integers", "halves")
GENERAL = ("positive", "signed")
GRADIENTS = {True: "integers", False: "signed"}  # whether values are exact -> the bank of gradients


@lru_cache(maxsize=8192)
def values(bank: str, offset: int, count: int) -> tuple[float, ...]:
    """That many values from the bank, beginning at one of a few offsets."""
    source = BANKS[bank][0]
    start = offset * 11
    return tuple(source[(start + i) % _LENGTH] for i in range(count))


@lru_cache(maxsize=1024)
def indices(offset: int, count: int, below: int) -> tuple[float, ...]:
    """That many indices below a bound, repeats likely."""
    return tuple(abs(BANKS["integers"][0][(offset * 7 + i) % _LENGTH]) % below for i in range(count))


OFFSETS = _OFFSETS


class Contents(dict[Shape, tuple[tuple[tuple[float, ...], Bounds], ...]]):
    """Shape -> all that a tensor of it may hold from these banks, each with its bounds: those of the bank, or its very own."""

    def __init__(self, *banks: str) -> None:
        super().__init__()
        self._banks = banks

    def __missing__(self, shape: Shape) -> tuple[tuple[tuple[float, ...], Bounds], ...]:
        drawn = [(bank, values(bank, offset, size(shape))) for offset in range(OFFSETS) for bank in self._banks]
        own = self._banks == SPECIAL
        self[shape] = tuple([(numbers, bounds_of(numbers) if own else BANKS[bank][1]) for bank, numbers in drawn])
        return self[shape]


CONTENTS = {banks: Contents(*banks) for banks in (SPECIAL, EXACT, GENERAL)}
SEEDS = {exact: Contents(bank) for exact, bank in GRADIENTS.items()}
