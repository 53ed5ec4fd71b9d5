"""The reference engine on arrays of a million elements beside the bare NumPy calls of the same formulas, in one run.

    python benchmarks/arrays.py [--elements 1000000]

The program is sum(exp(x * w) + x), forward and backward. Process CPU time, fastest of several rounds, the two in turn.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import reference_engine as torch


def formulas(x: np.ndarray[Any, Any], w: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """The forward and backward formulas, one NumPy call each."""
    e = np.exp(x * w)
    np.add.reduce(e + x)
    ct = np.broadcast_to(np.float64(1.0), x.shape)
    ce = ct * e
    return ce * w + ct, ce * x


def engine(x: np.ndarray[Any, Any], w: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """The same on the engine."""
    a, b = torch.from_numpy(x).requires_grad_(), torch.from_numpy(w).requires_grad_()
    ((a * b).exp() + a).sum().backward()
    return a.grad.numpy(), b.grad.numpy()


def main() -> None:
    """Print milliseconds and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elements", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(options.elements), rng.standard_normal(options.elements) * 0.1
    for expected, actual in zip(formulas(x, w), engine(x, w), strict=True):
        np.testing.assert_allclose(actual, expected)
    best = {"bare NumPy": float("inf"), "reference": float("inf")}
    for _ in range(options.rounds):
        for name, run in (("bare NumPy", formulas), ("reference", engine)):
            begin = time.process_time()
            run(x, w)
            best[name] = min(best[name], time.process_time() - begin)
    for name, seconds in best.items():
        print(f"{name:10} {seconds * 1e3:8.2f} ms   {seconds / best['bare NumPy']:5.2f} of bare NumPy")


if __name__ == "__main__":
    main()
