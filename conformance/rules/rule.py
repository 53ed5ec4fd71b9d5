"""What a rule is: a law of autograd with its source, a program that shows it, and the differences that break it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from conformance.areas import BY_NAME
from conformance.compare import Difference, Kind
from conformance.engine import Category
from conformance.features import BITS
from conformance.program import Program

Obligation = Literal["MUST", "MAY"]

VALUE = frozenset({"value"})
FLAGS = frozenset({"requires_grad", "is_leaf", "grad_fn"})


# Trait -> why a rule that asks for it does not apply to an engine without it, where "does not promise" would not say it.
ABSENT: dict[str, str] = {"process": "runs in this process: --isolate gives it one of its own"}


def absence(engine: str, missing: frozenset[str]) -> str:
    """Why a rule does not apply to an engine that lacks these traits."""
    return f"{engine} " + "; ".join(ABSENT.get(trait, f"does not promise {trait}") for trait in sorted(missing))


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.

    A program exercises it if it has all the features in `needs` (and one of `any_of`) and the oracle's outcome is
    that of `refusal` (None: it refuses nothing; OTHER: it refuses for any reason).
    The rule claims a difference of a program that exercises it by kind and facet (None: any).
    `claim_needs` are features that only a closer look at a difference can tell, such as AT_KINK.
    `traits` are what an engine must promise for the rule to apply to it.
    """

    id: str
    statement: str
    why: str
    source: str
    exemplar: Callable[[], Program]
    needs: int = 0
    any_of: int = 0
    claim_needs: int = 0
    refusal: Category | None = None
    kinds: frozenset[Kind] = frozenset()
    facets: frozenset[str] | None = None
    traits: frozenset[str] = frozenset()
    obligation: Obligation = "MUST"

    def __post_init__(self) -> None:
        for name in ("needs", "any_of", "claim_needs"):  # plain integers: arithmetic on members of an enum is slow
            msgspec.structs.force_setattr(self, name, int(getattr(self, name)))

    @property
    def area(self) -> str:
        """The area: the id's part before the dot."""
        return self.id.partition(".")[0]

    @property
    def needed(self) -> int:
        """What a program must have to try the rule: what it needs, and elements, without which hardly anything can go wrong."""
        return self.needs if self.needs & BITS.EMPTY else self.needs | BITS.FILLED

    @property
    def level(self) -> int:
        """How far an engine has grown that is to keep it: that of its area."""
        return BY_NAME[self.area].level

    def exercised(self, features: int, outcome: str | None) -> bool:
        """Whether a program with these features, on which the oracle's refusal was of this category, tries the rule."""
        if self.needed & ~features or (self.any_of and not self.any_of & features):
            return False
        if self.refusal is Category.OTHER:
            return outcome is not None
        return outcome == (self.refusal.value if self.refusal else None)

    def claims(self, difference: Difference, features: int) -> bool:
        """Whether this difference, of a reduced program with these features, breaks the rule."""
        if (self.needs | self.claim_needs) & ~features or (self.any_of and not self.any_of & features):
            return False
        if difference.kind not in self.kinds:
            return False
        if self.refusal not in (None, Category.OTHER) and difference.category != self.refusal.value:
            return False
        return self.facets is None or difference.facet in self.facets
