"""Generation: the same seed gives the same programs, they are valid, and they reach everything."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from conformance.areas import AREA_NAMES, AREAS, BY_NAME, EXACT_LIMIT, LIMIT, MOST_ELEMENTS, SHAPES
from conformance.catalog import CATALOG
from conformance.chooser import SeededChooser, pick
from conformance.engine import Category, Engine
from conformance.errors import UsageError
from conformance.features import Feature
from conformance.generate import generate
from conformance.program import Apply, Leaf, Mutate, Program, check_structure, from_json, to_json
from conformance.scope import Scope
from conformance.strategy import programs
from conformance.vocabulary import EVERYTHING, MOVE_NAMES, Vocabulary

GENERATED = [area.name for area in AREAS if area.name != "pipeline"]


def some(area: str, count: int, seed: int = 3, vocabulary: Vocabulary = EVERYTHING) -> list[tuple[Program, Scope]]:
    """That many programs of an area."""
    chooser = SeededChooser(seed)
    return [generate(chooser, BY_NAME[area], vocabulary) for _ in range(count)]


def ops_of(program: Program) -> list[str]:
    """The ops of a program, in order."""
    return [s.op for s in program.steps if isinstance(s, (Apply, Mutate))]


@pytest.mark.parametrize("area", AREA_NAMES)
def test_the_same_seed_gives_the_same_programs(area: str) -> None:
    """Two choosers of one seed draw one sequence of programs, and another seed another."""
    first, second, other = ([to_json(p) for p, _ in some(area, 50, seed)] for seed in (7, 7, 8))

    assert first == second
    assert first != other


@pytest.mark.parametrize("area", AREA_NAMES)
def test_programs_are_well_formed(area: str) -> None:
    """Every program passes the checks that a program read from a file must pass, and comes back from JSON unchanged."""
    for program, _ in some(area, 150):
        check_structure(program)

        assert from_json(to_json(program)) == program


@pytest.mark.parametrize("area", AREA_NAMES)
def test_torch_refuses_nothing_for_a_reason_of_ours(area: str, oracle: Any) -> None:
    """What torch refuses, it refuses by a rule of autograd that has a category: no operand misfits."""
    unnamed = []
    for program, _ in some(area, 300, seed=4):
        seen = oracle.run(program)
        if seen.unsupported or (seen.refusal is not None and seen.refusal.category == Category.OTHER.value):
            unnamed.append((to_json(program), seen))

    assert unnamed == []


@pytest.mark.parametrize("area", [a for a in GENERATED if not BY_NAME[a].special])
def test_values_stay_small(area: str, oracle: Any) -> None:
    """Values stay within the limit, exact programs hold multiples of a small power of two, and tensors are small."""
    for program, _ in some(area, 100, seed=5):
        seen = oracle.run(program)
        made = {s for step in program.steps if isinstance(step, (Leaf, Apply)) for s in step.makes()}
        for _, slot, facet, content in seen.sights:
            if facet == "value" and slot in made:
                numbers = _flat(content)

                assert len(numbers) <= MOST_ELEMENTS
                assert all(abs(x) <= (EXACT_LIMIT if program.exact else LIMIT) * 1.0001 for x in numbers)


def _flat(content: Any) -> list[float]:
    return [x for item in content for x in _flat(item)] if isinstance(content, list) else [content or 0.0]


def test_every_op_is_reached() -> None:
    """A thousand programs an area meet every op of the catalogue."""
    met = Counter(name for area in AREA_NAMES for p, _ in some(area, 1000) for name in ops_of(p))

    assert set(CATALOG) - set(met) == set()


def test_every_feature_is_reached() -> None:
    """Four hundred programs an area exercise every feature that a program can tell: those before NOT_FINITE."""
    met = 0
    for area in AREA_NAMES:
        for _, scope in some(area, 400):
            met |= scope.features
    missed = [feature.name for feature in Feature if feature < Feature.NOT_FINITE and not feature & met]

    assert missed == []


def test_every_rule_is_exercised(oracle: Any) -> None:
    """A few hundred programs of a rule's own area exercise it, each rule several times."""
    from conformance.rules import RULES

    counts: Counter[str] = Counter()
    for area in AREA_NAMES:
        rules = [r for r in RULES.values() if r.area == area]
        for program, scope in some(area, 400):
            refusal = oracle.run(program).refusal
            outcome = refusal.category if refusal else None
            counts.update(r.id for r in rules if r.exercised(scope.features, outcome))
    rare = {r for r in RULES if counts[r] < 3}

    assert rare == set()


def test_every_shape_and_dtype_is_reached() -> None:
    """Leaves come in every shape of the list and in both precisions."""
    leaves = [s for p, _ in some("gradients", 500) for s in p.steps if isinstance(s, Leaf)]

    assert {leaf.shape for leaf in leaves} >= set(SHAPES)
    assert {leaf.dtype for leaf in leaves} == {"float32", "float64", "int64", "bool"}


class Small(Engine):
    """Two ops, one dtype, backward."""

    name = "small"
    ops = {"add": "a + b", "mul": "a * b"}
    dtypes = ("float64",)

    def leaf(self, *arguments: Any) -> Any:
        """Never called."""

    def backward(self, *arguments: Any) -> None:
        """Never called."""


def test_a_vocabulary_is_what_an_adapter_defines() -> None:
    """Moves that need a method which the adapter leaves out are not made."""
    vocabulary = Vocabulary.of(Small())

    assert vocabulary.ops == {"add", "mul"}
    assert vocabulary.dtypes == ("float64",)
    assert "backward" in vocabulary.moves
    assert not vocabulary.moves & {"grad", "higher", "detach", "region", "mutate", "retain_grad", "zero_grad", "set_flag"}


@pytest.mark.parametrize("area", GENERATED)
def test_programs_keep_to_the_vocabulary(area: str) -> None:
    """An engine is asked for nothing that it lacks: no other op, step or dtype."""
    vocabulary = Vocabulary.of(Small())
    for program, _ in some(area, 100, vocabulary=vocabulary):
        kinds = {type(s).__name__ for s in program.steps} - {"Leaf", "Apply", "Backward", "Drop"}
        floats = {s.dtype for s in program.steps if isinstance(s, Leaf)}

        assert set(ops_of(program)) <= vocabulary.ops
        assert floats == {"float64"}
        assert kinds <= ({"Grad", "SetRequiresGrad"} if area == "errors" else set())


def test_moves_of_the_areas_exist() -> None:
    """The table of areas names only moves and chapters that there are."""
    chapters = {op.chapter for op in CATALOG.values()}

    assert {m for area in AREAS for m in area.moves} <= set(MOVE_NAMES)
    assert {c for area in AREAS for c in area.chapters} <= chapters


def test_a_chooser_stays_below_its_bound() -> None:
    """Numbers are in range, every one is met, and the first item is met too."""
    chooser = SeededChooser(1)
    drawn = {chooser.below(5) for _ in range(200)}

    assert drawn == set(range(5))
    assert {pick(chooser, "ab") for _ in range(50)} == {"a", "b"}


# -- Hypothesis -----------------------------------------------------------------------------------------------------------------

QUIET = settings(max_examples=60, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(programs())
def test_the_strategy_draws_valid_programs(program: Program) -> None:
    """Programs that Hypothesis draws are as valid as those of the seeded generator."""
    check_structure(program)
    Scope.of(program)

    assert from_json(to_json(program)) == program


@QUIET
@given(programs("versions", engine=Small()))
def test_the_strategy_keeps_to_an_engine(program: Program) -> None:
    """With an engine only what it has is drawn."""
    assert set(ops_of(program)) <= {"add", "mul"}


def test_an_unknown_area_is_a_usage_error() -> None:
    """The message names the areas there are."""
    with pytest.raises(UsageError, match="there is no area 'nosuch': choose among gradients"):
        programs("nosuch")


@pytest.mark.parametrize(
    ("wanted", "most"),
    [
        (lambda p: any(isinstance(s, Mutate) for s in p.steps), 6),
        # The area makes at least four moves, of which a nested region is one of four steps, and a view of a view one of three.
        (lambda p: any(isinstance(s, Apply) and len(s.inputs) == 2 for s in p.steps), 10),
        (lambda p: len(ops_of(p)) >= 2, 6),
    ],
    ids=["a-write", "a-product", "two-ops"],
)
def test_a_found_program_shrinks(wanted: Any, most: int) -> None:
    """Hypothesis shrinks what it finds to few steps."""
    quick = settings(QUIET, max_examples=2000, phases=[Phase.generate, Phase.shrink], derandomize=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = find(programs("views"), wanted, settings=quick)

    assert len(found) <= most
