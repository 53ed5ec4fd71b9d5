"""Area process: an engine in a process of its own does not die, hang, eat the memory or talk nonsense."""

from __future__ import annotations

from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html"


def ordinary() -> Program:
    """A product, differentiated."""
    s = Sketch()
    s.backward(s.op("sum", s.op("mul", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0]))))
    return s.program()


def _rule(slug: str, death: str, statement: str, why: str) -> Rule:
    """A rule that no program may end the engine in this way."""
    return Rule(id=f"process.{slug}", statement=statement, why=why, source=SOURCE, exemplar=ordinary, kinds=frozenset({"death"}),
                facets=frozenset({death}), traits=frozenset({"process"}))  # fmt: skip


RULES = (
    _rule("crash", "crash", "No program ends the engine's process.",
          "A refusal can be caught; a crash takes the notebook or the training run with it."),
    _rule("deadline", "timeout", "Every program comes to an end in time.",
          "A small program that hangs is a deadlock or an endless loop, and nothing says so."),
    _rule("memory", "memory", "No program takes more memory than it is allowed.",
          "The programs are tiny: what grows without bound on them leaks or allocates by a wrong size."),
    _rule("protocol", "protocol", "The engine's process answers each message once, and as the protocol says.",
          "What cannot be understood cannot be judged."),
)  # fmt: skip
