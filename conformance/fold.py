"""What many phases come to: which causes are reported, what became of each rule, and the verdict.

A fold over the phases in their order, and over nothing else: a run that writes them, one that goes on from a record, and a merge
of shards give the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conformance.record import Cause, Phase, RuleResult, RunVerdict
from conformance.rules import RULES, Rule

CAUSES_PER_RULE = 5  # most causes reported for one rule


class Fold:
    """The state of the fold. `most` is how many causes are reported for one rule; a shard leaves that to the merge."""

    def __init__(self, rules: Sequence[Rule], most: int | None = CAUSES_PER_RULE) -> None:
        self.rules = rules
        self.most = most
        self.programs = 0
        self.exercised = [0] * len(rules)
        self.failing: Counter[str] = Counter()
        self.causes: dict[str, list[Cause]] = {}
        self.known: dict[tuple[object, ...], list[frozenset[str]]] = {}
        self.broken: set[str] = set()
        self.excused: set[str] = set()
        self.unsupported: dict[str, str] = {}
        self.lacking: dict[str, str] = {}

    def offer(self, cause: Cause) -> bool:
        """Whether the cause is reported: no earlier one explains it, and its rule has room. An unsafe one always has a place."""
        explaining = self.known.setdefault((cause.rule, *cause.symptom), [])
        ops = frozenset(cause.ops)
        if any(other <= ops for other in explaining):
            return False
        explaining.append(ops)
        reported = self.causes.setdefault(cause.rule, [])
        first_unsafe = not cause.safe and cause.rule not in self.broken
        if not cause.safe:
            self.broken.add(cause.rule)
        if self.most is not None and len(reported) >= self.most and not first_unsafe:
            return False
        reported.append(cause)
        return True

    def add(self, phase: Phase) -> None:
        """Count a phase whose causes were offered."""
        self.programs += phase.programs
        for place, number in enumerate(phase.exercised):
            self.exercised[place] += number
        self.failing.update(phase.failing)
        for cause in phase.known:
            self.excuse(cause)
        self.unsupported |= phase.unsupported
        self.lacking |= phase.lacking

    def excuse(self, cause: Cause) -> None:
        """The baseline has this cause: it is not reported, and fails nothing."""
        self.excused.add(cause.rule)
        self.known.setdefault((cause.rule, *cause.symptom), []).append(frozenset(cause.ops))

    def diverges(self) -> bool:
        """Whether a rule is known to be broken, so that the verdict stands."""
        return any(RULES[rule].obligation == "MUST" for rule in self.broken)

    def is_safe(self, rule: str) -> bool:
        """Whether all causes reported for the rule are answers that are right."""
        return rule in self.causes and rule not in self.broken

    def results(self) -> list[RuleResult]:
        """What became of each rule."""
        return [self.result(rule, count) for rule, count in zip(self.rules, self.exercised, strict=True)]

    def result(self, rule: Rule, count: int) -> RuleResult:
        """What became of a rule that so many programs exercised."""
        causes = [cause.id for cause in self.causes.get(rule.id, [])]
        reason = self.unsupported.get(rule.id, "")
        if reason:
            verdict, causes, count = "unsupported", [], 0
        elif causes:
            verdict = "differs" if rule.obligation == "MAY" else "safe" if self.is_safe(rule.id) else "failed"
        elif rule.id in self.excused:
            verdict = "known"
        else:
            reason = "" if count else self.lacking.get(rule.id, "no program exercised it")
            verdict = "passed" if count else "unsupported" if rule.id in self.lacking else "incomplete"
        return RuleResult(
            id=rule.id, area=rule.area, obligation=rule.obligation, level=rule.level, verdict=verdict, programs=count,  # type: ignore[arg-type]
            failing=self.failing[rule.id] if causes or verdict == "known" else 0, failures=causes, reason=reason,
        )  # fmt: skip

    def verdict(self, results: Sequence[RuleResult], stopped: str = "") -> tuple[RunVerdict, str]:
        """The verdict, and why it is incomplete; `stopped` says why the phases ended before their time."""
        verdicts = Counter(r.verdict for r in results)
        if verdicts["failed"]:
            return "diverges", ""
        if stopped:
            return "incomplete", stopped
        if not self.programs or not sum(verdicts[v] for v in ("passed", "known", "safe", "differs")):
            return "incomplete", "no program could be run on the engine"
        if verdicts["incomplete"]:
            return "incomplete", f"{verdicts['incomplete']} rules were never exercised"
        known = verdicts["known"]
        return "conforms", f"but for {known} rules that are broken as the baseline says" if known else ""
