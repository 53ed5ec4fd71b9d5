"""What it costs to run an engine in a process of its own, beside the same engine in this one.

    python benchmarks/isolation.py [--engine reference] [--programs 2560]

The same programs, in batches of 128 and one by one, by both executors in turn, in several rounds; of each batch the fastest round
counts. Wall-clock time, since two processes share the work.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable

from conformance.areas import AREAS
from conformance.chooser import SeededChooser
from conformance.execute import Executor
from conformance.generate import generate
from conformance.observe import facets_of
from conformance.program import Program
from conformance.remote.executor import executor
from conformance.remote.limits import Isolation
from conformance.remote.loading import load
from conformance.run import rare_collections
from conformance.vocabulary import Vocabulary

BATCH = 128


def one_by_one(runs: Executor) -> Callable[[list[Program]], object]:
    """Programs in messages of their own, as a reduction runs them."""
    return lambda batch: [runs.run(program) for program in batch]


def together(runs: Executor) -> Callable[[list[Program]], object]:
    """Programs in one message, as a search runs them."""
    return lambda batch: runs.run_all(batch, ["quick"] * len(batch))


def main() -> None:
    """Print microseconds a program for each way, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="reference")
    parser.add_argument("--programs", type=int, default=2560)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    begin = time.monotonic()
    apart_engine = load(options.engine, Isolation())
    started = time.monotonic() - begin
    here_engine = load(options.engine)
    here, apart = (executor(engine, facets_of(engine)) for engine in (here_engine, apart_engine))
    vocabulary = Vocabulary.of(here_engine)
    areas = [area for area in AREAS if not area.late]
    batches = []
    for k in range(options.programs // BATCH):
        chooser = SeededChooser(k)
        batches.append([generate(chooser, areas[k % len(areas)], vocabulary)[0] for _ in range(BATCH)])
    ways = {
        "in this process": together(here), "in its own, in batches": together(apart), "in its own, one by one": one_by_one(apart),
    }  # fmt: skip
    best = {name: [math.inf] * len(batches) for name in ways}
    with rare_collections():
        for _ in range(options.rounds):
            for k, batch in enumerate(batches):
                for name, way in ways.items():
                    begin = time.monotonic()
                    way(batch)
                    best[name][k] = min(best[name][k], time.monotonic() - begin)
    base = sum(best["in this process"])
    for name, times in best.items():
        microseconds = sum(times) / (len(batches) * BATCH) * 1e6
        print(f"{name:24} {microseconds:8.1f} us a program   {base / sum(times):5.2f} of the rate in this process")
    print(f"starting the process took {started:.2f} s")


if __name__ == "__main__":
    main()
