"""How fast the suite checks programs, as a fraction of the rate at which bare torch runs the same programs.

    python benchmarks/throughput.py [--engine reference] [--programs 4000]

Bare torch is the programs' own scripts, compiled once and executed: no generation, no looking, no comparing. The bare engine is
the same in the engine's own spelling. What the whole loop takes beyond these two is the harness. All parts are timed in one
process, batch by batch, in several rounds (process CPU time, one thread). Of each part and batch the fastest round counts, since
whatever else the machine does only ever slows a batch down.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from types import CodeType

from conformance import engines
from conformance.areas import AREAS
from conformance.chooser import SeededChooser
from conformance.execute import Executor
from conformance.generate import generate
from conformance.judge import Judge
from conformance.observe import facets_of
from conformance.program import Program
from conformance.run import rare_collections
from conformance.script import Script
from conformance.vocabulary import Vocabulary

BATCH = 128


def silent(*_: object) -> None:
    """What the scripts' hooks print with: writing to a terminal is no part of torch's time."""


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

    def produce(k: int) -> list[Program]:
        chooser = SeededChooser(k)
        return [generate(chooser, AREAS[k % len(AREAS)], vocabulary)[0] for _ in range(BATCH)]

    programs = [p for k in range(batches) for p in produce(k)]
    own = engine.script or Script
    scripts, own_scripts = ([compile(kind(p).text(), "<program>", "exec") for p in programs] for kind in (Script, own))
    expected, observed = [oracle.run(p) for p in programs], [under_test.run(p) for p in programs]

    def bare(scripts: list[CodeType]) -> None:
        for script in scripts:
            try:  # noqa: SIM105 - suppress() would add its own time
                exec(script, {"print": silent})
            except Exception:
                pass

    def compare(batch: slice) -> None:
        for program, e, o in zip(programs[batch], expected[batch], observed[batch], strict=True):
            judge.agree_quickly(program, e, o)

    parts: dict[str, Callable[[slice], object]] = {
        "bare torch": lambda batch: bare(scripts[batch]),
        f"bare {engine.name}": lambda batch: bare(own_scripts[batch]),
        "generate": lambda batch: produce(batch.start // BATCH),
        "torch, observed": lambda batch: [oracle.run(p) for p in programs[batch]],
        f"{engine.name}, observed": lambda batch: [under_test.run(p) for p in programs[batch]],
        "compare": compare,
    }
    fastest: dict[str, list[float]] = {name: [math.inf] * batches for name in parts}
    with rare_collections():
        for _ in range(options.rounds):
            for k in range(batches):
                for name, part in parts.items():
                    begin = time.process_time()
                    part(slice(k * BATCH, (k + 1) * BATCH))
                    fastest[name][k] = min(fastest[name][k], time.process_time() - begin)
    best = {name: sum(times) / len(programs) * 1e6 for name, times in fastest.items()}
    for name, microseconds in best.items():
        print(f"{name:24} {microseconds:8.1f} us a program   {microseconds / best['bare torch']:5.2f} of bare torch")
    alone = sum(microseconds for name, microseconds in best.items() if name.startswith("bare"))
    loop = sum(best.values()) - alone
    print(f"{'harness alone':24} {loop - alone:8.1f} us a program   {(loop - alone) / best['bare torch']:5.2f} of bare torch")
    steps = sum(map(len, programs)) / len(programs)
    print(f"{len(programs)} programs of {steps:.1f} steps; checked at {best['bare torch'] / loop:.2f} of bare torch's rate")


if __name__ == "__main__":
    main()
