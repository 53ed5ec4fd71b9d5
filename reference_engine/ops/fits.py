"""What operands must be to fit each other, where NumPy would broadcast and torch does not."""

from __future__ import annotations

from typing import Any

from .shape import axis


def check_source(x: Any, index: Any, src: Any, dim: int) -> None:
    """Raise unless an index fits into what is written to (but along `dim`) and into what it takes from."""
    if not index.size:
        return
    for name, a in (("self", x), ("src", src)):
        if max(1, a.ndim) != max(1, index.ndim):
            raise RuntimeError(f"Index tensor must have the same number of dimensions as {name} tensor")
    d = axis(dim, x.ndim)
    if any(n > s for n, s in zip(index.shape, src.shape)) or any(
        n > s for i, (n, s) in enumerate(zip(index.shape, x.shape)) if i != d
    ):
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(x.shape)} apart from dimension {dim} and to be "
            f"no larger size than src {list(src.shape)}"
        )


def check_target(c: Any, product: Any) -> None:
    """Raise unless `c` can be expanded to the product that is added to it."""
    if c.ndim > product.ndim or any(n not in (1, m) for n, m in zip(c.shape[::-1], product.shape[::-1])):
        raise RuntimeError(
            "The expanded size of the tensor must match the existing size at every non-singleton dimension.  Target sizes: "
            f"{list(product.shape)}.  Tensor sizes: {list(c.shape)}"
        )
