"""Records to report on, and the texts of their rules."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from conformance.record import (
    Failure,
    Footer,
    Graph,
    GraphEdge,
    GraphNode,
    GraphSave,
    Header,
    Known,
    Record,
    RuleResult,
    RuleVerdict,
    SavedCell,
    SavedRow,
    SavedVerdict,
    StepRow,
)
from conformance.report.trend import TrendRow


class Text(NamedTuple):
    """The text of a rule, without the rule."""

    statement: str
    why: str
    source: str


RULES = {
    "gradients.binary": Text(
        "Broadcasting binary ops have their derivative in each operand.",
        "A wrong vjp trains the wrong model without any error.",
        "https://example.org/derivatives.yaml, at mul",
    ),
    "versions.saved-result": Text(
        "Backward refuses when a result that it needs was changed in place.",
        "The gradient would be computed from the wrong numbers.",
        "https://example.org/autograd.html#in-place-correctness-checks",
    ),
}

HEADER = Header(
    suite_version="0.1.0",
    engine="mygrad",
    engine_version="2.3.0",
    oracle="torch",
    oracle_version="2.13.0",
    seed=7,
    budget_seconds=60.0,
    versions={"python": "3.11.2", "numpy": "2.2.0"},
    limits={"steps": 40.0},
    command="conformance run mygrad --budget 60 --seed 7",
)


def graph() -> Graph:
    """What a result that was saved and then written looks like."""
    saved = GraphSave(name="b", role="output", version=0, now=1, wrong=True)
    return Graph(
        nodes=[
            GraphNode(step=0, kind="leaf", label="leaf", variables=["a"], recorded=True),
            GraphNode(step=1, kind="op", label="exp", variables=["b"], recorded=True, saves=[saved]),
            GraphNode(step=2, kind="write", label="add_", variables=["b"], recorded=True),
            GraphNode(step=3, kind="walk", label="backward()"),
        ],
        edges=[
            GraphEdge(source=0, target=1, kind="gradient"),
            GraphEdge(source=1, target=2, kind="gradient"),
            GraphEdge(source=2, target=3, kind="walk"),
            GraphEdge(source=2, target=1, kind="write", label="b was version 0, is 1", wrong=True),
        ],
    )


def failure(name: str = "f3a91c", rule: str = "versions.saved-result") -> Failure:
    """A missed error."""
    return Failure(
        id=name,
        rule=rule,
        area=rule.partition(".")[0],
        kind="missed error",
        facet="error",
        statement="Backward refuses when a result that it needs was changed in place.",
        difference={"kind": "missed error", "step": 3},
        proof="b was saved by exp at version 0; add_ made it 1; backward used it without an error.",
        steps=[
            StepRow(
                code="a = torch.tensor([1.0, 2.0], requires_grad=True)", expected="a = [1.0, 2.0]", observed="a = [1.0, 2.0]"
            ),
            StepRow(code="b = torch.exp(a)", expected="b = [2.7182817, 7.389056]", observed="b = [2.7182817, 7.389056]"),
            StepRow(code="b.add_(1.0)", expected="b = [3.7182817, 8.389056]", observed="b = [3.7182817, 8.389056]"),
            StepRow(
                code="b.backward(torch.tensor([1.0, 1.0]))",
                expected="RuntimeError: one of the variables needed for the gradient was modified in place",
                observed="no error; a.grad = [3.7182817, 8.389056]",
                differs=True,
            ),
        ],
        program={"format": 1, "steps": []},
        reduced={"steps": [{"step": "leaf", "out": 0}], "format": 1},
        torch_script="import torch\n\na = torch.ones(2, requires_grad=True)\nb = torch.exp(a)\nb.add_(1.0)\nb.backward()\n",
        engine_script="import mygrad as mg\n\na = mg.tensor([1.0, 2.0])\nb = mg.exp(a)\nb += 1.0\nb.backward()\n",
        replay=f"conformance replay {name}",
        graph=graph(),
    )


def result(
    rule: str, verdict: RuleVerdict, *, obligation: str = "MUST", reason: str = "", causes: tuple[str, ...] = ()
) -> RuleResult:
    """What became of a rule; 1,200 programs exercised it if any did."""
    programs = 0 if verdict in ("unsupported", "incomplete") else 1200
    return RuleResult(
        id=rule,
        area=rule.partition(".")[0],
        obligation=obligation,
        verdict=verdict,
        programs=programs,
        failing=len(causes),
        failures=list(causes),
        reason=reason,
    )


def saved(op: str, code: str, **cells: tuple[SavedVerdict, SavedVerdict]) -> SavedRow:
    """What an op saves: `b_where_10` is operand b where a alone of two requires grad; the oracle's answer, then the engine's."""
    questions = {name.rpartition("_where_")[::2]: answers for name, answers in cells.items()}
    return SavedRow(
        op=op,
        code=code,
        cells=[
            SavedCell(requires_grad=digits, target=target, expected=expected, observed=observed)
            for (target, digits), (expected, observed) in questions.items()
        ],
    )


def saved_rows() -> list[SavedRow]:
    """Ops of one and two operands: as the oracle, silently wrong, saved without need, refused, and not asked."""
    same, none, wrong = ("saved", "saved"), ("free", "free"), ("saved", "wrong")
    return [
        saved("neg", "torch.neg(a)", a_where_1=none, out_where_1=none),
        saved("exp", "torch.exp(a)", a_where_1=none, out_where_1=wrong),
        saved("mul", "torch.mul(a, b)", a_where_11=wrong, b_where_11=same, out_where_11=none, a_where_10=none, b_where_10=same,
              out_where_10=none, a_where_01=wrong, b_where_01=none, out_where_01=none),
        saved("add", "torch.add(a, b)", a_where_11=("free", "saved"), b_where_11=none, out_where_11=("free", "refused")),
        saved("gather", "a.gather(dim, b)", a_where_10=none, b_where_10=("saved", "unsupported"), out_where_10=none),
        saved("cummax", "a.cummax(dim)", a_where_1=("wrong", "wrong"), out_where_1=none),
    ]  # fmt: skip


def diverging() -> Record:
    """Every verdict once, two causes of one failed rule, one cause of a differing rule, a saved-tensor matrix."""
    return Record(
        header=HEADER,
        failures=[failure(), failure("0b77aa"), failure("91d2e0", "views.tie")],
        rules=[
            result("versions.saved-result", "failed", causes=("f3a91c", "0b77aa")),
            result("versions.unsaved", "passed"),
            result("gradients.binary", "passed"),
            result("detach.memory", "safe", reason="it copies where torch shares"),
            result("views.tie", "differs", obligation="MAY", causes=("91d2e0",)),
            result("grad.double", "unsupported", reason="the engine has no create_graph"),
            result("pipeline.stash", "incomplete", reason="no program exercised it"),
        ],
        saved=saved_rows(),
        footer=Footer(programs=41234, verdict="diverges", machine="Linux x86_64, 2 CPUs", timing={"seconds": 57.3}),
    )


def conforming() -> Record:
    """Nothing failed."""
    return Record(
        header=HEADER,
        rules=[result("gradients.binary", "passed"), result("versions.saved-result", "passed")],
        footer=Footer(programs=2000, verdict="conforms"),
    )


def unsupported() -> Record:
    """The engine supports nothing of what was asked."""
    reason = "the engine has no version counters"
    return Record(
        header=HEADER,
        rules=[
            result("versions.saved-result", "unsupported", reason=reason),
            result("versions.unsaved", "unsupported", reason=reason),
        ],
        footer=Footer(programs=0, verdict="incomplete", reason="no program exercised a rule"),
    )


def killed() -> Record:
    """No footer and no results: what kill -9 leaves after one failure."""
    return Record(header=Header(suite_version="0.1.0", engine="mygrad", engine_version="2.3.0", oracle="torch",
                                oracle_version="2.13.0", seed=7, rules=["gradients.binary", "versions.saved-result"]),
                  failures=[failure()])  # fmt: skip


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\x1b[31m\x00\x07\u202e\u2066\u200b\ud800\ufffe\u2028]]>\x9b"


def hostile() -> Record:
    """Hostile text in every field that an engine, or whoever wrote the record, can fill."""
    area = f"area{HOSTILE}"
    rule = f"{area}.rule"
    return Record(
        header=Header(
            suite_version=HOSTILE, engine=HOSTILE, engine_version=HOSTILE, oracle=HOSTILE, oracle_version=HOSTILE, seed=0,
            home=HOSTILE, issues=f"javascript:{HOSTILE}", language=HOSTILE,
            areas=[HOSTILE], rules=[HOSTILE], versions={HOSTILE: HOSTILE}, limits={HOSTILE: 1.0}, command=HOSTILE,
        ),
        failures=[
            Failure(
                id=HOSTILE, rule=rule, area=area, kind=HOSTILE, facet=HOSTILE, statement=HOSTILE, difference={HOSTILE: HOSTILE},
                proof=HOSTILE, steps=[StepRow(code=HOSTILE, expected=f"a {HOSTILE}", observed=f"a b{HOSTILE}", differs=True)],
                program={HOSTILE: "x"}, reduced={"<script>": "\x1b\u202e"}, torch_script=HOSTILE,
                engine_script=HOSTILE, replay=HOSTILE, graph=Graph(
                    nodes=[GraphNode(step=n, kind=HOSTILE, label=HOSTILE, variables=[HOSTILE], notes=[HOSTILE], saves=[
                        GraphSave(name=HOSTILE, role=HOSTILE, version=0, now=1)]) for n in (0, 5, -3)],
                    edges=[GraphEdge(source=0, target=5, kind=HOSTILE, label=HOSTILE, wrong=True),
                           GraphEdge(source=5, target=0, kind="gradient"), GraphEdge(source=7, target=9, kind="write")],
                ),
            )
        ] * 2,
        rules=[
            RuleResult(id=rule, area=area, obligation=HOSTILE, verdict="failed", failures=[HOSTILE], reason=HOSTILE),
            RuleResult(id=f"{rule}2", area=area, obligation="MUST", verdict="safe", reason=HOSTILE),
            RuleResult(id=f"{rule}3", area=area, obligation="MUST", verdict="unsupported", reason=HOSTILE),
            RuleResult(id=f"{rule}4", area=area, obligation="MUST", verdict="incomplete", reason=HOSTILE),
        ],
        known=[Known(id=HOSTILE, origin="corpus", rule=HOSTILE, place=HOSTILE, state="fails", reason=HOSTILE, link=HOSTILE,
                     expires=HOSTILE)],
        saved=[SavedRow(op=HOSTILE, code=HOSTILE, cells=[
            SavedCell(requires_grad=HOSTILE, target=HOSTILE, expected="saved", observed="wrong"),
            SavedCell(requires_grad="1", target="a", expected="saved", observed="saved"),
        ])],
        footer=Footer(programs=1, verdict="incomplete", reason=HOSTILE, notes=[HOSTILE]),
    )  # fmt: skip


def before() -> Record:
    """An earlier record than `diverging`: one of its failures, one that is fixed since, one whose rule was not tried again."""
    record = diverging()
    fixed = msgspec.structs.replace(failure("aaaa01", "gradients.binary"), proof="this was wrong once")
    untried = msgspec.structs.replace(failure("aaaa02", "pipeline.stash"), proof="nobody looked at this again")
    rules = [result("versions.saved-result", "failed"), result("gradients.binary", "failed"), result("views.tie", "passed")]
    return msgspec.structs.replace(record, failures=[failure("aaaa00"), fixed, untried], rules=rules, saved=[])


def trend() -> list[TrendRow]:
    """Three runs: nothing applied, a half failed, nothing failed."""
    counts: list[dict[str, int]] = [{"unsupported": 2}, {"passed": 1, "failed": 1}, {"passed": 2}]
    return [TrendRow(f"run {n}", f"2026-11-0{n + 1}", {"versions": counts[n]}) for n in range(3)]


def keeping() -> Record:
    """A record with a program of the baseline that no longer fails, a note, and an engine that tells of itself."""
    record = diverging()
    stale = Known(
        id="c0ffee", origin="baseline", rule="grad.double", place="entry 2", state="stale", reason="see",
        link="https://example.org/17", expires="2027-01-31",
    )  # fmt: skip
    footer = Footer(programs=41234, verdict="diverges", notes=["works undeclared: views"])
    header = msgspec.structs.replace(
        HEADER, home="https://example.org/mygrad", issues="https://example.org/mygrad/issues", language="Python 3.11.2"
    )
    return msgspec.structs.replace(record, header=header, known=[stale], footer=footer)
