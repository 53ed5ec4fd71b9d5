"""What an engine can do although its adapter does not declare it: a note, so that a capability is not left untested by oversight.

The other half needs no module: what is declared and fails is a failure, what is absent makes rules unsupported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.engine import promised
from conformance.judge import Judge
from conformance.observe import PROMISED
from conformance.rules import Rule

DTYPES = ("float32", "float64", "int64", "bool")
NEEDED = {trait: facet for facet, trait in PROMISED.items()} | {"liveness": "alive"}  # what must be looked at to tell a trait


def undeclared(judge: Judge, rules: Sequence[Rule]) -> list[str]:
    """Notes on the traits and dtypes that work and are not declared; of traits, those that one of the rules asks for."""
    notes = [f"works, though the adapter does not declare it: {name}" for name in (*_traits(judge, rules), *_dtypes(judge))]
    return notes


def _traits(judge: Judge, rules: Sequence[Rule]) -> Iterator[str]:
    """Traits that hold on the exemplars of every rule that lacks nothing else, of one such rule at least."""
    has = promised(judge.engine.engine)
    rules = [rule for rule in rules if rule.area != "process"]  # which ask how the engine is run, not what it can
    missing = sorted({trait for rule in rules for trait in rule.traits - has})
    for trait in missing:
        if trait in NEEDED and NEEDED[trait] not in judge.engine.facets:
            continue
        asking = [rule for rule in rules if rule.traits - has == {trait} and _is_visible(rule, judge.engine.facets)]
        answers = [_holds(judge, rule) for rule in asking]
        if True in answers and False not in answers:
            yield trait


def _is_visible(rule: Rule, facets: frozenset[str]) -> bool:
    """Whether what the rule is about can be seen on the engine."""
    return rule.facets is None or bool(rule.facets & (facets | {"error"}))


def _holds(judge: Judge, rule: Rule) -> bool | None:
    """Whether the engine does in the rule's exemplar what the oracle does; None where it cannot run it."""
    program = rule.exemplar()
    if judge.engine.run(program).unsupported is not None:
        return None
    return judge.examine(program) is None


def _dtypes(judge: Judge) -> Iterator[str]:
    """Dtypes that leaves can have and that the engine tells."""
    engine = judge.engine.engine
    for dtype in DTYPES if engine.has("dtype") and engine.has("leaf") else ():
        if dtype in engine.dtypes:
            continue
        try:
            tensor = engine.leaf((1.0,), (1,), dtype, False)
            works = engine.dtype(tensor) == dtype and engine.value(tensor) == [1.0]
        except Exception:  # an engine that is asked for what it never promised may raise anything
            continue
        if works:
            yield f"dtype {dtype}"
