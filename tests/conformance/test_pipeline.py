"""Pipeline schedules: their order, and where updates in flight are refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from conformance.pipeline import LAYERS, Event, Schedule, build, schedule
from conformance.program import check_structure
from conformance.scope import Scope

SIZES = tuple(itertools.product((2, 3), (2, 3)))
KINDS: tuple[Schedule, ...] = ("gpipe", "1f1b", "pipedream")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("stages", "microbatches"), [*SIZES, (1, 1), (4, 6), (5, 2)])
def test_a_schedule_respects_its_dependencies(kind: Schedule, stages: int, microbatches: int) -> None:
    """Each forward follows the one at the stage before, each backward its forward and the backward at the stage after."""
    events = schedule(kind, stages, microbatches)
    place = {event: n for n, event in enumerate(events)}

    assert len(place) == len(events)
    assert {e for e in events if e.kind in "FB"} == {
        Event(k, s, m) for k in "FB" for s in range(stages) for m in range(microbatches)
    }
    for event in events:
        k, s, m = event
        if k == "F" and s > 0:
            assert place[Event("F", s - 1, m)] < place[event]
        if k == "B":
            assert place[Event("F", s, m)] < place[event]
            if s < stages - 1:
                assert place[Event("B", s + 1, m)] < place[event]


@pytest.mark.parametrize(("stages", "microbatches"), SIZES)
def test_gpipe_and_1f1b_update_after_everything(stages: int, microbatches: int) -> None:
    """One update a stage, after the last backward; PipeDream updates after each backward."""
    for kind in ("gpipe", "1f1b"):
        kinds = [e.kind for e in schedule(kind, stages, microbatches)]  # type: ignore[arg-type]

        assert kinds[-stages:] == ["U"] * stages
        assert "U" not in kinds[:-stages]
    updates = [e for e in schedule("pipedream", stages, microbatches) if e.kind == "U"]

    assert len(updates) == stages * microbatches


@pytest.mark.parametrize(("stages", "microbatches"), [(2, 4), (3, 5)])
def test_1f1b_bounds_what_is_in_flight(stages: int, microbatches: int) -> None:
    """No more microbatches wait for their backward than there are stages; under GPipe all do."""
    most = {}
    for kind in ("gpipe", "1f1b"):
        waiting, peak = 0, 0
        for event in schedule(kind, stages, microbatches):  # type: ignore[arg-type]
            waiting += (event.stage == 0) * ((event.kind == "F") - (event.kind == "B"))
            peak = max(peak, waiting)
        most[kind] = peak

    assert most == {"gpipe": microbatches, "1f1b": stages}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("stages", "microbatches"), SIZES)
def test_only_naive_pipedream_is_refused(stages: int, microbatches: int, layer: str, dtype: str, oracle: Any) -> None:
    """An update in flight is refused where the layer saved its weight, at a backward; with stashing, and after a flush, never."""
    outcomes = {}
    for kind in KINDS:
        for stash in (False, True):
            program = build(kind, stages, microbatches, layer, stash=stash, dtype=dtype)
            check_structure(program)
            Scope.of(program)
            refusal = oracle.run(program).refusal
            outcomes[kind, stash] = refusal and (refusal.category, type(program.steps[refusal.step]).__name__)
    saves_weight = layer in ("mul", "matmul") and stages > 1
    expected = {(kind, stash): None for kind in KINDS for stash in (False, True)}
    if saves_weight:
        expected["pipedream", False] = ("version", "Backward")  # type: ignore[assignment]

    assert outcomes == expected


def test_naive_pipedream_is_refused_at_the_second_microbatch(oracle: Any) -> None:
    """At the first backward after an update of a weight that its forward had read."""
    program = build("pipedream", 2, 2, "mul", stash=False, dtype="float64")
    refusal = oracle.run(program).refusal
    backwards = [n for n, step in enumerate(program.steps) if type(step).__name__ == "Backward"]

    assert backwards.index(refusal.step) == 2


def test_stashing_gives_the_gradients_of_the_flush(oracle: Any) -> None:
    """The first microbatch, before any update, has the same gradients under every schedule."""
    firsts = []
    for kind, stash in (("gpipe", False), ("1f1b", False), ("1f1b", True), ("pipedream", True)):
        program = build(kind, 2, 1, "matmul", stash=stash, dtype="float64")  # type: ignore[arg-type]
        seen = oracle.run(program)
        firsts.append([c for _, slot, facet, c in seen.sights if facet == "grad" and slot in (0, 1)][-2:])

    assert firsts[1:] == firsts[:-1]
