"""The reference engine beside bare torch, MyGrad and HIPS autograd, on the same generated programs, in one run.

    python benchmarks/engines.py [--programs 1280]

Each engine executes the programs as plain scripts in its own spelling, compiled once: nothing is looked at. Only programs that
MyGrad can run are taken, so that all engines do the same work. HIPS autograd differentiates functions: it joins for those
programs that are functions of their leaves (benchmarks/functions.py), and there all engines are timed once more.

Process CPU time, torch on one thread. The engines take turns batch by batch in several rounds; of each batch the fastest round
counts, since whatever else the machine does only ever slows a batch down.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Sequence
from types import CodeType

from functions import FunctionScript, is_function

from conformance import engines
from conformance.areas import BY_NAME
from conformance.chooser import SeededChooser
from conformance.execute import Executor
from conformance.generate import generate
from conformance.run import rare_collections
from conformance.vocabulary import Vocabulary

NAMES = ("torch", "reference", "mygrad")
AREAS = ("gradients", "views", "errors", "detach")
BATCH = 128
Scripts = dict[str, CodeType]  # one program, by engine


def runs(codes: Scripts, names: Sequence[str]) -> bool:
    """Whether all engines run the program without an error. torch refuses some writes only where nobody looked before."""
    try:
        for name in names:
            exec(codes[name], {})
    except Exception:  # of whatever engine: it cannot run this program
        return False
    return True


def collect(wanted: int) -> list[Scripts]:
    """The scripts of that many programs. "hips" is among them where the program is a function that HIPS autograd can run."""
    loaded = {name: engines.load(name) for name in NAMES}
    executors = [Executor(engine) for engine in loaded.values()]
    vocabulary = Vocabulary.of(loaded["mygrad"])
    chooser = SeededChooser(0)
    found: list[Scripts] = []
    while len(found) < wanted:
        program = generate(chooser, BY_NAME[AREAS[len(found) % len(AREAS)]], vocabulary)[0]
        seen = [executor.run(program) for executor in executors]
        if any(s.refusal is not None or s.unsupported is not None for s in seen):
            continue
        texts = {name: engine.script(program).text() for name, engine in loaded.items()}  # type: ignore[misc]
        if is_function(program):
            texts["hips"] = FunctionScript(program).text()
        codes = {name: compile(text, f"<{name}>", "exec") for name, text in texts.items()}
        if "hips" in codes and not runs(codes, ["hips"]):
            del codes["hips"]
        if runs(codes, NAMES):
            found.append(codes)
    return found


def measure(programs: Sequence[Scripts], names: Sequence[str], rounds: int) -> dict[str, float]:
    """Microseconds a program for each engine."""
    batches = [programs[i : i + BATCH] for i in range(0, len(programs), BATCH)]
    best = {name: [math.inf] * len(batches) for name in names}
    with rare_collections():
        for _ in range(rounds):
            for k, batch in enumerate(batches):
                for name in names:
                    begin = time.process_time()
                    for codes in batch:
                        exec(codes[name], {})
                    best[name][k] = min(best[name][k], time.process_time() - begin)
    return {name: sum(times) / len(programs) * 1e6 for name, times in best.items()}


def main() -> None:
    """Print microseconds a program and the ratio to bare torch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    programs = collect(options.programs)
    functions = [codes for codes in programs if "hips" in codes]
    for title, chosen, names in (
        (f"{len(programs)} programs", programs, NAMES),
        (f"the {len(functions)} of them that are functions of their leaves", functions, (*NAMES, "hips")),
    ):
        print(title)
        spent = measure(chosen, names, options.rounds)
        for name, microseconds in spent.items():
            print(f"  {name:10} {microseconds:8.1f} us a program   {microseconds / spent['torch']:5.2f} of bare torch")


if __name__ == "__main__":
    main()
