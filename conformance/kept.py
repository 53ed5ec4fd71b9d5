"""Programs that a project keeps: failures that it knows of (the baseline) and failures that must not come back (the corpus).

They are replayed before anything is searched for. What the baseline knows is then neither reduced nor reported again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from conformance.areas import Area
from conformance.judge import Case
from conformance.lanes import Contest, Finding, Lane, Task, cause_of
from conformance.phases import KEPT, Turn
from conformance.program import Program
from conformance.record import Cause, Known, KnownState, Phase
from conformance.rules import RULES, Rule
from conformance.scope import Scope

ANYWHERE = Area(KEPT, "Kept programs", 1, {}, {})


class Keepsake(msgspec.Struct, frozen=True, kw_only=True):
    """One program that is kept, and where. Of a known failure also how it shows, and whether that may still be so."""

    id: str
    rule: str
    program: Program
    place: str
    origin: Literal["baseline", "corpus"]
    kind: str = ""
    facet: str = ""
    category: str = ""
    reason: str = ""
    link: str = ""
    expires: str = ""
    expired: bool = False

    def is_shown_by(self, case: Case) -> bool:
        """Whether this is how the program fails."""
        rule, difference = RULES[self.rule], case.difference
        claimed = case.rule is rule or rule.claims(difference, case.features)
        return claimed and (difference.kind, difference.facet, difference.category) == (self.kind, self.facet, self.category)


def digest(kept: Sequence[Keepsake]) -> str:
    """What tells the kept programs of one run from those of another."""
    return hashlib.sha256(msgspec.json.encode(kept, order="deterministic")).hexdigest()[:12] if kept else ""


class KeptLane(Lane):
    """Replays what is kept. What is known for certain, all lanes learn."""

    def __init__(self, kept: Sequence[Keepsake], contest: Contest, task: Task, lanes: Sequence[Lane]) -> None:
        super().__init__(ANYWHERE, contest, task)
        self.kept = kept
        self.lanes = lanes

    def begin(self) -> None:
        super().begin()
        self.excused: list[Cause] = []

    def close(self, turn: Turn, *, complete: bool, seconds: float | None) -> Phase:
        excused = self.excused
        return msgspec.structs.replace(super().close(turn, complete=complete, seconds=seconds), known=excused)

    def restore(self, phase: Phase) -> None:
        super().restore(phase)
        for cause in phase.known:
            self.teach(cause)

    def teach(self, cause: Cause) -> None:
        """From now on no lane looks for this cause any more."""
        for lane in (self, *self.lanes):
            lane.known.setdefault((cause.rule, *cause.symptom), []).append(frozenset(cause.ops))

    def take(self, turn: Turn) -> Iterator[Finding | Known]:
        """Replay everything: the baseline first, so that the corpus reports nothing that is known."""
        self.begin()
        for item in sorted(self.kept, key=lambda item: item.origin == "corpus"):
            if self.task.stopped():
                return
            state, case = self.replay(item)
            if case is not None:
                self.failing[case.rule.id] += 1
                yield from self.learn(item.program, case)
            yield Known(
                id=item.id, origin=item.origin, rule=item.rule, place=item.place, state=state, reason=item.reason, link=item.link,
                expires=item.expires,
            )  # fmt: skip

    def replay(self, item: Keepsake) -> tuple[KnownState, Case | None]:
        """What has become of a kept program, and the case to report, if any."""
        rule = RULES[item.rule]
        if rule not in self.task.rules or self.is_beyond(rule):
            return "untried", None
        observed = self.engine.run(item.program, "thorough")
        expected = self.oracle.run(item.program, "thorough")
        if observed.unsupported is not None or expected.unsupported is not None:
            return "untried", None
        self.programs += 1
        self.tally.add(Scope.of(item.program).features, expected.refusal.category if expected.refusal else None)
        case = self.judge.examine(item.program)
        if case is None:
            return ("stale" if item.origin == "baseline" else "passes"), None
        if item.origin == "baseline" and item.is_shown_by(case):
            case = case._replace(rule=rule)
            if item.expired:
                return "expired", case
            cause = cause_of(case)
            self.excused.append(cause)
            self.failing[rule.id] += 1
            self.teach(cause)
            return "known", None
        if self.is_explained(case):
            self.failing[case.rule.id] += 1
            return ("stale" if item.origin == "baseline" else "known"), None
        asked = case if case.rule in self.task.rules else self.claimed(case, rule)
        return ("stale" if item.origin == "baseline" else "fails"), asked

    def claimed(self, case: Case, rule: Rule) -> Case | None:
        """The case by the rule under which the program is kept, where that claims it."""
        return case._replace(rule=rule) if rule.claims(case.difference, case.features) else None
