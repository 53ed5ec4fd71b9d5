"""Children that break the protocol: `python bad_talker.py KIND` runs the reference engine, and KIND spoils answers with exp.

An answer is spoiled where the program applies exp, so that a program can be named; `start` kinds spoil the first answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the suite, where it is not installed
sys.path.insert(0, str(Path(__file__).parent))

from conformance.remote.child import Child


def write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def change(**fields):
    """Answers with these fields."""
    return lambda line: write(json.dumps({**json.loads(line), **fields}).encode() + b"\n")


def sights(*seen):
    return change(sights=[list(s) for s in seen])


def close_pipe(line):
    os.close(1)
    time.sleep(60)


SPOILERS = {
    "noise": lambda line: write(b"loading weights...\n" + line + b"\n"),
    "garbage": lambda line: write(os.urandom(4) + b"\xff\xfe{[\n"),
    "deep": lambda line: write(b"[" * 200_000 + b"\n"),
    "late": lambda line: (time.sleep(1.5), write(line + b"\n")),
    "twice": lambda line: write(line + b"\n" + line + b"\n"),
    "closed": close_pipe,
    "silent": lambda line: None,
    "wrong-seq": change(seq=77),
    "wrong-index": change(index=99),
    "huge": lambda line: [write(b'{"seq":' + b"1" * (1 << 20)) for _ in range(200)],
    "object": sights((0, 0, "value", {"a": 1})),
    "text": sights((0, 0, "value", ["much", "text"])),
    "number-too-large": change(sights=[[0, 0, "value", 10**400]]),
    "flag": sights((0, 0, "requires_grad", 1)),
    "step": sights((1000, 0, "value", 1.0)),
    "facet": sights((0, 0, "colour", "red")),
    "list": change(sights={"value": 1}),
    "unknown-field": change(mood="good"),
}
START = {
    "start-garbage": lambda line: write(b"Welcome to the engine!\n"),
    "start-protocol": change(protocol=2),
    "start-nothing": lambda line: sys.exit(4),
}


def main(kind: str) -> None:
    """Serve, badly."""
    spoiling = False

    def say(line: bytes) -> None:
        start = START.get(kind)
        if start is not None:
            start(line)
        elif spoiling:
            SPOILERS[kind](line)
        else:
            write(line + b"\n")

    child = Child("villains:Villain", say)
    for line in sys.stdin.buffer:
        message = json.loads(line)
        programs = message.get("programs", [None])
        # One by one, so that each answer can be spoiled for itself.
        for index, program in enumerate(programs):
            spoiling = program is not None and any(step.get("op") == "exp" for step in program["steps"])
            if program is None:
                if not child.obey(line):
                    return
            else:
                obey_one(child, message, index, program)


def obey_one(child: Child, message: dict, index: int, program: dict) -> None:
    """One program of a batch, with its own index in the answer."""
    say = child.say
    child.say = lambda line: say(json.dumps({**json.loads(line), "index": index}).encode())
    child.obey(json.dumps({**message, "programs": [program]}).encode())
    child.say = say


if __name__ == "__main__":
    main(sys.argv[1])
