"""Phases: shards merged and runs gone on with give the bytes of the undisturbed run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("torch")

from mutants_of_torch import Bend, UncheckedSaves, bent

from conformance import run
from conformance.areas import AREAS, BY_NAME
from conformance.engine import Engine
from conformance.errors import UsageError
from conformance.merge import merge
from conformance.phases import Turn, dealt, place_of, turns
from conformance.record import Failure, Footer, Phase, Record, assemble, read, resumable
from conformance.run import Options, Run
from conformance.writer import RecordWriter

COUNTS = {area.name: 3 for area in AREAS}
PROGRAMS = 610  # enough for two areas to come to the matrix
AREAS_RUN = ("gradients", "versions")


def planned(programs: int | None, areas: Any = AREAS, matrix: bool = True) -> list[Turn]:
    """The turns of a run; the first thousand, where they have no end."""
    return list(islice(turns(areas, COUNTS, programs=programs, searches=True, matrix=matrix), 1000))


@pytest.mark.parametrize("programs", [0, 1, 77, 5000, None])
def test_turns_come_in_their_canonical_order(programs: int | None) -> None:
    """Sorting them by their places changes nothing, and no place is taken twice."""
    places = [place_of(turn.part, turn.area, turn.round) for turn in planned(programs)]

    assert places == sorted(set(places))


@pytest.mark.parametrize("programs", [0, 1, 77, 5000])
def test_turns_generate_exactly_so_many_programs(programs: int) -> None:
    """And the exemplars of every area come once, whatever the number."""
    plan = planned(programs)

    assert sum(turn.size for turn in plan) == programs
    assert [turn.part for turn in plan].count("exemplar") == 3 * len(AREAS)


def test_every_area_is_met_before_one_is_met_twice() -> None:
    """First exemplars come first; those of a late area just before its first programs."""
    plan = planned(None)
    early = [area.name for area in AREAS if not area.late]

    assert [turn.area for turn in plan[: len(early)]] == early
    assert all(turn.part == "exemplar" for turn in plan[: 3 * len(early)])
    late = next(k for k, turn in enumerate(plan) if BY_NAME[turn.area].late)
    assert [turn.part for turn in plan[late : late + 4]] == ["exemplar"] * 3 + ["search"]


@pytest.mark.parametrize("n", [1, 2, 5, len(AREAS)])
def test_every_area_is_dealt_to_one_shard(n: int) -> None:
    """Evenly."""
    hands = [dealt(AREAS, (k, n)) for k in range(1, n + 1)]

    assert sorted(area.name for hand in hands for area in hand) == sorted(area.name for area in AREAS)
    assert max(map(len, hands)) - min(map(len, hands)) <= 1


class Broken(UncheckedSaves):
    """An engine with several defects, some of which show in many areas."""

    name = "broken"
    ops = {
        name: UncheckedSaves.ops[name] for name in ("exp", "cos", "mul", "add", "sum", "select", "clone", "add_scalar_", "mul_")
    }

    def calls(self) -> Any:
        calls = dict(super().calls())
        exp, cos = calls["exp"], calls["cos"]
        calls["exp"] = lambda a: Bend.apply(exp(a), 1.5)
        calls["cos"] = lambda a: Bend.apply(cos(a), 0.5)
        return calls


def session(engine: Engine, oracle: Any, **options: Any) -> Run:
    """A run of so many programs with the matrix."""
    return Run(engine, oracle.engine, Options(programs=PROGRAMS, seed=3, areas=AREAS_RUN, matrix=True, **options))


def bytes_of(lines: Any) -> list[bytes]:
    """Lines as a record has them, without the timing."""
    lines = [msgspec.structs.replace(line, timing={}) if isinstance(line, Footer) else line for line in lines]
    return [msgspec.json.encode(line, order="deterministic") for line in lines]


@pytest.fixture(scope="module", autouse=True)
def few_reductions() -> Iterator[None]:
    """What is found is enough to compare."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "REDUCTIONS", 6)
        yield


@pytest.fixture(scope="module")
def whole(oracle: Any) -> list[Any]:
    """The undisturbed run."""
    return list(session(Broken(), oracle))


def test_shards_merged_are_the_whole(whole: list[Any], oracle: Any) -> None:
    """In whatever order they are given."""
    shards = [assemble(list(session(Broken(), oracle, shard=(k, 2)))) for k in (2, 1)]

    assert len(assemble(whole).failures) >= 3
    assert assemble(whole).saved != []
    assert bytes_of(merge(shards)) == bytes_of(whole)
    assert {p.area for p in shards[1].phases} == {"gradients"}


@pytest.fixture(scope="module")
def two(oracle: Any) -> list[Record]:
    """Two shards of a small run."""
    options = {"programs": 30, "areas": ("views", "lifetime")}
    return [assemble(list(Run(bent("exp", 2.0)(), oracle.engine, Options(shard=(k, 2), **options)))) for k in (1, 2)]


def test_a_missing_shard_leaves_the_run_incomplete(two: list[Record]) -> None:
    """The verdict and the reason say so."""
    footer = list(merge(two[1:]))[-1]

    assert (footer.verdict, footer.reason) == ("incomplete", "shard 1/2 is missing")


def test_a_shard_that_did_not_end_leaves_the_run_incomplete(two: list[Record]) -> None:
    """Without a footer nobody knows what was left out."""
    footer = list(merge([two[0], msgspec.structs.replace(two[1], footer=None)]))[-1]

    assert (footer.verdict, footer.reason) == ("incomplete", "shard 2/2 did not end")


def header(record: Record, **changes: Any) -> Record:
    """The record with another header."""
    return msgspec.structs.replace(record, header=msgspec.structs.replace(record.header, **changes))


def test_what_does_not_belong_together_is_not_merged(two: list[Record]) -> None:
    """One line says why."""
    one, other = two
    for records, why in [
        ([], "at least one shard"),
        ([one, one], "shard 1/2 is given twice"),
        ([header(one, shard=""), other], "one of these is of a whole run"),
        ([one, header(other, seed=9)], "of different runs: seed 0 and 9"),
        ([one, header(other, shard="2/3")], "different runs: number of shards 2 and 3"),
        ([header(one, shard="1/999999999999")], "damaged, or of another version"),
        ([header(one, rules=["a.b"])], "damaged, or of another version"),
    ]:
        with pytest.raises(UsageError, match=why):
            list(merge(records))


def test_a_killed_run_goes_on_from_any_byte(whole: list[Any], oracle: Any, tmp_path: Path) -> None:
    """Wherever the record ends, what follows makes it the record of the undisturbed run."""
    path = tmp_path / "record.jsonl"
    writer = RecordWriter(path)
    for line in whole:
        writer.write(line)
    writer.close()
    content = path.read_bytes()
    for cut in sorted(random.Random(1).sample(range(len(content)), 3)):
        path.write_bytes(content[:cut])
        left = resumable(path)
        assert left is not None
        assert not left.finished
        writer = RecordWriter(path, left.end)
        for line in session(Broken(), oracle).resume(left.phases):
            writer.write(line)
        writer.close()
        lines = [x for record in [read(path)] for x in (record.header, *record.failures, *record.phases, *record.rules)]

        assert sorted(bytes_of(lines)) == sorted(bytes_of(x for x in whole if type(x).__name__ not in ("Footer", "SavedRow")))
        assert path.read_bytes().rpartition(b'"timing"')[0] == content.rpartition(b'"timing"')[0]


def test_a_stopped_run_can_go_on(oracle: Any) -> None:
    """The phase in which it was stopped is repeated, and what it had found is neither lost nor doubled."""
    options = Options(programs=60, seed=3, areas=AREAS_RUN)
    undisturbed = list(Run(Broken(), oracle.engine, options))
    stopped = Run(Broken(), oracle.engine, options)
    found = []
    for line in stopped:
        found.append(line)
        if isinstance(line, Failure) and any(isinstance(line, Phase) and line.part == "search" for line in found):
            stopped.stop()
    complete = [line for line in found if isinstance(line, Phase) and line.complete]
    rest = list(Run(Broken(), oracle.engine, options).resume(complete))

    assert found[-1].stopped == "interrupted"
    assert len([line for line in found if isinstance(line, Phase)]) == len(complete) + 1
    assert bytes_of(found[: found.index(complete[-1]) + 1] + rest) == bytes_of(undisturbed)


def test_time_that_was_spent_before_counts(oracle: Any) -> None:
    """A run of seconds that is gone on with has what was left of them."""
    options = Options(seconds=1000.0, areas=("lifetime",))
    stopped = Run(Broken(), oracle.engine, options)
    first = []
    for line in stopped:
        first.append(line)
        if isinstance(line, Phase) and line.round == 1:
            break
    spent = msgspec.structs.replace(first[-1], seconds=999.9)
    rest = list(Run(Broken(), oracle.engine, options).resume([x for x in first[:-1] if isinstance(x, Phase)] + [spent]))

    assert rest[-1].timing["seconds"] >= 999.9
    assert rest[-1].timing["seconds"] < 1060


def test_a_clock_that_jumps_changes_nothing(oracle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets are measured by a clock that nobody sets."""
    import time

    clock = iter(range(10**12, 0, -(10**9)))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    footer = list(Run(Broken(), oracle.engine, Options(seconds=0.5, areas=("lifetime",))))[-1]

    assert 0.5 <= footer.timing["seconds"] < 30
