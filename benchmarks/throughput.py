"""How fast the suite checks programs, as a fraction of the rate at which bare torch runs the same programs.

    python benchmarks/throughput.py [--engine reference] [--programs 4000]

Bare torch is the programs' own scripts, compiled once and executed: no generation, no looking, no comparing. All parts are
timed in one process in interleaved rounds (process CPU time, one thread); the median round of each part is printed.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import warnings
from collections.abc import Callable

from conformance import engines
from conformance.areas import AREAS
from conformance.chooser import SeededChooser
from conformance.execute import Executor
from conformance.generate import Vocabulary, generate
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.script import Script

BATCH = 128


def main() -> None:
    """Print microseconds a program for each part, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="reference")
    parser.add_argument("--programs", type=int, default=2560)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    oracle_engine, engine = engines.load("torch"), engines.load(options.engine)
    facets = facets_of(engine) & facets_of(oracle_engine)
    oracle, under_test = Executor(oracle_engine, facets), Executor(engine, facets)
    judge = Judge(oracle, under_test)
    vocabulary = Vocabulary.of(engine)
    batches = options.programs // BATCH

    def produce() -> list[list[object]]:
        chooser = SeededChooser(1)
        return [[generate(chooser, AREAS[k % len(AREAS)], vocabulary)[0] for _ in range(BATCH)] for k in range(batches)]

    programs = produce()
    scripts = [compile(Script(p).text(), "<program>", "exec") for batch in programs for p in batch]  # type: ignore[arg-type]

    def bare() -> None:
        for script in scripts:
            try:
                exec(script, {})
            except RuntimeError:
                pass

    def expect() -> list[object]:
        return [oracle.run(p) for batch in programs for p in batch]  # type: ignore[arg-type]

    def observe() -> list[object]:
        return [under_test.run(p) for batch in programs for p in batch]  # type: ignore[arg-type]

    flat = [p for batch in programs for p in batch]
    expected, observed = expect(), observe()

    def compare() -> None:
        for program, e, o in zip(flat, expected, observed, strict=True):
            judge.agree_quickly(program, e, o)  # type: ignore[arg-type]

    parts: dict[str, Callable[[], object]] = {
        "bare torch": bare, "generate": produce, "torch, observed": expect, f"{engine.name}, observed": observe, "compare": compare,
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in parts}
    gc.collect()
    gc.freeze()
    for _ in range(options.rounds):
        for name, part in parts.items():
            begin = time.process_time()
            part()
            times[name].append(time.process_time() - begin)
    medians = {name: statistics.median(t) / len(flat) * 1e6 for name, t in times.items()}
    for name, microseconds in medians.items():
        print(f"{name:24} {microseconds:8.1f} us a program   {microseconds / medians['bare torch']:5.2f} of bare torch")
    loop = sum(microseconds for name, microseconds in medians.items() if name != "bare torch")
    steps = sum(map(len, flat)) / len(flat)  # type: ignore[arg-type]
    print(f"{len(flat)} programs of {steps:.1f} steps; checked at {medians['bare torch'] / loop:.2f} of bare torch's rate")


if __name__ == "__main__":
    main()
