"""The reference engine beside bare torch and MyGrad, on the same generated programs, in one run.

    python benchmarks/engines.py [--programs 1280]

Each engine executes the programs as plain scripts in its own spelling, compiled once: nothing is looked at. Only programs that
MyGrad can run are taken, so that all engines do the same work. Process CPU time, fastest of several rounds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from types import CodeType

from conformance import engines
from conformance.areas import BY_NAME
from conformance.chooser import SeededChooser
from conformance.execute import Executor
from conformance.generate import generate
from conformance.run import rare_collections
from conformance.vocabulary import Vocabulary

NAMES = ("torch", "reference", "mygrad")
AREAS = ("gradients", "views", "errors", "detach")


def main() -> None:
    """Print microseconds a program and the ratio to bare torch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    loaded = {name: engines.load(name) for name in NAMES}
    executors = {name: Executor(engine) for name, engine in loaded.items()}
    vocabulary = Vocabulary.of(loaded["mygrad"])
    chooser = SeededChooser(0)
    scripts: dict[str, list[CodeType]] = {name: [] for name in NAMES}
    while len(scripts["torch"]) < options.programs:
        program = generate(chooser, BY_NAME[AREAS[len(scripts["torch"]) % len(AREAS)]], vocabulary)[0]
        seen = [executor.run(program) for executor in executors.values()]
        if any(s.refusal is not None or s.unsupported is not None for s in seen):
            continue
        codes = {n: compile(e.script(program).text(), "<program>", "exec") for n, e in loaded.items()}  # type: ignore[misc]
        try:
            for code in codes.values():
                exec(code, {})
        except RuntimeError:  # torch refuses some writes only where nobody has looked at the tensor before
            continue
        for name, code in codes.items():
            scripts[name].append(code)

    def run(name: str) -> Callable[[], None]:
        def execute() -> None:
            for script in scripts[name]:
                exec(script, {})

        return execute

    best = dict.fromkeys(NAMES, float("inf"))
    with rare_collections():
        for _ in range(options.rounds):
            for name in NAMES:
                execute = run(name)
                begin = time.process_time()
                execute()
                best[name] = min(best[name], (time.process_time() - begin) / options.programs * 1e6)
    for name, microseconds in best.items():
        print(f"{name:10} {microseconds:8.1f} us a program   {microseconds / best['torch']:5.2f} of bare torch")


if __name__ == "__main__":
    main()
