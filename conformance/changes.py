"""Two records of one engine: what fails anew, what still fails, what is mended, and what was not tried again."""

from __future__ import annotations

from typing import NamedTuple

from conformance.record import Failure, Record, RuleVerdict

# Verdicts that say the rule was tried: with any other, a failure that is missing shows nothing.
TRIED: frozenset[RuleVerdict] = frozenset({"passed", "failed", "known", "safe", "differs"})


class Symptom(NamedTuple):
    """A failure without its random program: two programs of one symptom have one cause as far as anyone can tell."""

    rule: str
    kind: str
    facet: str
    category: str
    ops: frozenset[str]

    @classmethod
    def of(cls, failure: Failure) -> Symptom:
        """The symptom of a recorded failure, whose record may hold anything."""
        steps = failure.reduced.get("steps")
        found = [step.get("op") for step in steps if isinstance(step, dict)] if isinstance(steps, (list, tuple)) else []
        category = str(failure.difference.get("category", ""))
        return cls(failure.rule, failure.kind, failure.facet, category, frozenset(op for op in found if isinstance(op, str)))

    def matches(self, other: Symptom) -> bool:
        """Whether both may have one cause: all the same but for ops that one of them does without."""
        return self[:4] == other[:4] and (self.ops <= other.ops or other.ops <= self.ops)


class Turn(NamedTuple):
    """A rule whose verdict is another than before; None where a run did not know the rule."""

    rule: str
    before: RuleVerdict | None
    after: RuleVerdict | None


class Changes(NamedTuple):
    """What became of the failures of the earlier record. `new` and `still` are ids of this one's."""

    earlier: Record
    new: frozenset[str]
    still: frozenset[str]
    fixed: tuple[Failure, ...]
    untried: tuple[Failure, ...]
    turns: tuple[Turn, ...]


def changes(record: Record, earlier: Record) -> Changes:
    """How a record differs from an earlier one."""
    now = [(failure, Symptom.of(failure)) for failure in record.failures]
    before = [(failure, Symptom.of(failure)) for failure in earlier.failures]
    still = frozenset(failure.id for failure, symptom in now if any(symptom.matches(other) for _, other in before))
    kept = {known.rule for known in record.known if known.state in ("known", "expired", "fails")}  # told there, not as failures
    gone = [f for f, symptom in before if f.rule not in kept and not any(symptom.matches(other) for _, other in now)]
    verdicts = {result.id: result.verdict for result in record.rules}
    tried = {rule for rule, verdict in verdicts.items() if verdict in TRIED}
    past = {result.id: result.verdict for result in earlier.rules}
    turns = (Turn(rule, past.get(rule), verdicts.get(rule)) for rule in dict.fromkeys((*verdicts, *past)))
    return Changes(
        earlier,
        frozenset(failure.id for failure, _ in now) - still,
        still,
        tuple(failure for failure in gone if failure.rule in tried),
        tuple(failure for failure in gone if failure.rule not in tried),
        tuple(turn for turn in turns if turn.before != turn.after),
    )
