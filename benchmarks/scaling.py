"""How the reference engine's time grows with the graph: chains of ops and fans of consumers, forward and backward.

    python benchmarks/scaling.py

Prints seconds for each size and the exponent of a power law fitted to them: 1 is linear.
"""

from __future__ import annotations

import gc
import math
import time

import reference_engine as torch

CHAINS = (3_000, 10_000, 30_000, 100_000)
FANS = (1_000, 3_000, 10_000)


def chain(n: int) -> None:
    """x -> x + 1 -> ... n times, then backward."""
    x = torch.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(n):
        y = y + 1.0
    y.backward(torch.ones(1))
    assert x.grad.item() == 1.0


def fan(n: int) -> None:
    """One tensor read by n ops whose results are added up, then backward."""
    x = torch.tensor([1.0], requires_grad=True)
    h = x * 2.0
    total = torch.stack([h * 3.0 for _ in range(n)]).sum()
    total.backward()
    assert x.grad.item() == 6.0 * n


def exponent(sizes: tuple[int, ...], seconds: list[float]) -> float:
    """The slope of log seconds over log size, by least squares."""
    xs, ys = [math.log(n) for n in sizes], [math.log(t) for t in seconds]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True)) / sum((x - mx) ** 2 for x in xs)


def main() -> None:
    """Time each size three times and keep the fastest."""
    for name, run, sizes in (("chain", chain, CHAINS), ("fan-out", fan, FANS)):
        seconds = []
        for n in sizes:
            best = math.inf
            for _ in range(3):
                gc.collect()
                begin = time.process_time()
                run(n)
                best = min(best, time.process_time() - begin)
            seconds.append(best)
            print(f"{name:8} {n:8,} ops  {best:8.4f} s  {best / n * 1e6:6.2f} us an op")
        print(f"{name:8} exponent {exponent(sizes, seconds):.2f}")


if __name__ == "__main__":
    main()
