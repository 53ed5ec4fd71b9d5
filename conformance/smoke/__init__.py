"""Whether an adapter talks: every step and every facet once on the smallest example, with answers from mathematics.

It needs no oracle, and takes no longer than the engine. A check gives nothing where all is well, raises Unsupported where the
engine lacks what it asks for, and raises anything else where the adapter fails. The first that fails is where to look first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from conformance.catalog import CATALOG
from conformance.engine import Engine, Unsupported
from conformance.remote.engine import RemoteEngine
from conformance.smoke.bench import ANSWERS, DERIVATIVES, Bench, Wrong, X, Y
from conformance.smoke.checks import CHECKS
from conformance.smoke.played import Played


class Line(NamedTuple):
    """What became of one check: "works", "not declared", or "fails" with the reason."""

    what: str
    verdict: str
    detail: str = ""


def talking(engine: Engine) -> Engine:
    """The engine as the checks use it: one in a process of its own is played programs."""
    return Played(engine) if isinstance(engine, RemoteEngine) else engine


def lines(engine: Engine) -> Iterator[Line]:
    """A line for every check, in the order in which an adapter grows."""
    bench = Bench(engine)
    for check in CHECKS:
        if check.method and not engine.has(check.method):
            yield Line(check.what, "not declared")
        else:
            yield outcome(check.what, engine, partial(check.run, bench))
    yield from op_lines(bench)


def outcome(what: str, engine: Engine, run: Callable[[], Any]) -> Line:
    """Run one check."""
    try:
        engine.begin()
        detail = run()
    except Unsupported as error:
        return Line(what, "not declared", str(error))
    except Wrong as error:
        return Line(what, "fails", str(error))
    except (Exception, SystemExit) as error:  # an engine may raise anything
        return Line(what, "fails", " ".join(f"{type(error).__name__}: {error}".split())[:200])
    return Line(what, "works", detail or "")


def op_lines(bench: Bench) -> Iterator[Line]:
    """The ops whose answers are known, those that fail by name; and how many are declared."""
    strange = sorted(set(bench.engine.ops) - set(CATALOG))
    if strange:
        yield Line("ops", "fails", f"the catalogue has no {', '.join(strange)}: `conformance smoke --ops` lists what it has")
    known = [name for name in ANSWERS if name in bench.calls]
    tried = [outcome(f"op {name}", bench.engine, partial(check_op, bench, name)) for name in known]
    yield from (line for line in tried if line.verdict != "works")
    right = sum(line.verdict == "works" for line in tried)
    detail = f"{len(bench.calls)} of {len(CATALOG)} declared; {right} tried, by value and gradient"
    yield Line("ops", "works" if right else "not declared", detail)


def check_op(bench: Bench, name: str) -> None:
    """An op by its value, and by its gradient where that is known."""
    arity = CATALOG[name].kinds.count("float")
    leaves = [bench.leaf(values) for values in (X, Y)[:arity]]
    points = list(zip(*(bench.some(values) for values in (X, Y)[:arity]), strict=True))
    result = bench.calls[name](*leaves)
    bench.expect(f"{name} of {points}", bench.numbers(result), [ANSWERS[name](*point) for point in points])
    if name in DERIVATIVES and bench.engine.has("backward") and bench.engine.has("gradient"):
        bench.backward(result)
        for place, leaf in enumerate(leaves):
            right = [DERIVATIVES[name](*point)[place] for point in points]
            bench.expect(f"derivative {place} of {name} at {points}", bench.gradient(leaf), right)
