"""The rules: each quotes its law, its exemplar shows it on torch, and together they claim every difference."""

from __future__ import annotations

import re
from typing import Any

import pytest

from conformance.areas import AREA_NAMES
from conformance.compare import Difference
from conformance.engine import Category
from conformance.features import Feature
from conformance.program import check_structure, from_json, to_json
from conformance.rules import PRECEDENCE, RULES, attribute
from conformance.rules.rule import Rule
from conformance.scope import Scope

EVERY_RULE = pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)


@EVERY_RULE
def test_a_rule_quotes_its_law(rule: Rule) -> None:
    """Statement and reason are sentences, the source is an address, the id is its area and a name."""
    assert re.fullmatch(r"\S.{20,}[.]", rule.statement), rule.statement
    assert re.fullmatch(r"\S.*[.]", rule.why), rule.why
    assert re.fullmatch(r"https://\S+", rule.source), rule.source
    assert re.fullmatch(r"[a-z_]+\.[a-z-]+", rule.id), rule.id
    assert rule.area in AREA_NAMES
    assert rule.obligation in ("MUST", "MAY")
    assert rule.level in (1, 2, 3, 4)
    assert rule.kinds


@EVERY_RULE
def test_an_exemplar_exercises_its_rule_on_torch(rule: Rule, oracle: Any) -> None:
    """Torch runs it to the outcome that the rule is about, and its features are the rule's."""
    program = rule.exemplar()
    seen = oracle.run(program)
    outcome = seen.refusal.category if seen.refusal else None

    assert seen.unsupported is None
    assert rule.exercised(Scope.of(program).features, outcome)


@EVERY_RULE
def test_torch_conforms_on_every_exemplar(rule: Rule, oracle: Any) -> None:
    """Torch against torch, looked at after every step."""
    from conformance.judge import Judge

    assert Judge(oracle, oracle).examine(rule.exemplar()) is None


@EVERY_RULE
def test_an_exemplar_is_a_program_like_any_other(rule: Rule) -> None:
    """It is short, well formed and survives JSON."""
    program = rule.exemplar()
    check_structure(program)

    assert from_json(to_json(program)) == program
    assert len(program) <= (60 if rule.area == "pipeline" else 9)


def test_every_rule_has_its_place_in_the_order() -> None:
    """The order of claims and the table hold the same rules, each once, and every area has some."""
    assert sorted(r.id for r in PRECEDENCE) == sorted(RULES)
    assert {r.area for r in PRECEDENCE} == set(AREA_NAMES)


KINDS = (
    *(("wrong value", facet, "") for facet in ("value", "grad")),
    *(("wrong state", facet, "") for facet in ("value", "grad", "shape", "dtype", "requires_grad", "is_leaf", "grad_fn")),
    *(("missed error", "error", category.value) for category in Category),
    *(("wrong error", "error", category.value) for category in Category),
)


@pytest.mark.parametrize(("kind", "facet", "category"), KINDS)
def test_every_difference_is_claimed(kind: Any, facet: str, category: str) -> None:
    """Also of a program that exercises nothing in particular."""
    difference = Difference(kind, 0, 0, facet, [1.0], [2.0], category)

    assert attribute(difference, 0).kinds >= {kind}
    assert attribute(difference, int(Feature.BACKWARD)).kinds >= {kind}


def test_a_difference_without_a_rule_is_a_defect() -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(LookupError, match="no rule claims"):
        attribute(Difference("wrong state", 0, 0, "colour", "red", "green"), 0)


def test_a_rule_is_exercised_by_features_and_outcome() -> None:
    """All of `needs`, one of `any_of`, and the oracle's refusal of the rule's category."""
    refused, runs = RULES["versions.saved-input"], RULES["gradients.binary"]
    saved = int(Feature.SAVED_INPUT_WRITTEN | Feature.FILLED)

    assert refused.exercised(saved, "version")
    assert not refused.exercised(saved, None)
    assert not refused.exercised(saved, "freed")
    assert not refused.exercised(0, "version")
    assert runs.exercised(int(Feature.BINARY | Feature.BACKWARD | Feature.FILLED), None)
    assert runs.exercised(int(Feature.BINARY | Feature.GRAD_CALL | Feature.FILLED), None)
    assert not runs.exercised(int(Feature.BINARY | Feature.GRAD_CALL), None)  # nothing in it has elements
    assert not runs.exercised(int(Feature.BINARY), None)
