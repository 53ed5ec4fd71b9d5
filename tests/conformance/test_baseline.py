"""Baseline and corpus: what is known fails nothing, what is new does, and what is mended is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("torch")

from mutants_of_torch import Bend, bent

from conformance.baseline import Entry, add_specimen, corpus, known, read_baseline, updated, write_baseline
from conformance.engines.torch_engine import TorchEngine
from conformance.errors import UsageError
from conformance.merge import merge
from conformance.record import Footer, Phase, Record, assemble
from conformance.run import Options, Run


def ran(engine: Any, oracle: Any, **options: Any) -> Record:
    """A run's record."""
    return assemble(list(Run(engine, oracle.engine, Options(**{"programs": 120, "areas": ("gradients", "views"), **options}))))


@pytest.fixture(scope="module")
def failing(oracle: Any) -> Record:
    """A run on an engine with a defect, with every cause."""
    return ran(bent("exp", 1.5)(), oracle, every_cause=True)


@pytest.fixture
def file(failing: Record, tmp_path: Path) -> Path:
    """Its baseline."""
    path = tmp_path / "baseline.json"
    write_baseline(path, updated([], failing.failures, set(), reason="slow to mend", link="https://example.org/7", expires=""))
    return path


def verdicts(record: Record) -> dict[str, str]:
    """Verdict by rule."""
    return {r.id: r.verdict for r in record.rules}


def test_known_failures_fail_nothing(file: Path, failing: Record, oracle: Any) -> None:
    """They are replayed, neither reduced nor reported, and their rule is known to be broken."""
    record = ran(bent("exp", 1.5)(), oracle, kept=tuple(known(file)))

    assert failing.verdict == "diverges"
    assert record.verdict == "conforms"
    assert record.footer is not None
    assert record.footer.reason == "but for 1 rules that are broken as the baseline says"
    assert (verdicts(record)["gradients.pointwise"], record.failures) == ("known", [])
    assert {item.state for item in record.known} == {"known"}
    assert next(r for r in record.rules if r.id == "gradients.pointwise").failing > 1


def test_the_same_commit_gives_the_same_answer(file: Path, oracle: Any) -> None:
    """Two gates write the same bytes, but for the timing."""
    one, other = (ran(bent("exp", 1.5)(), oracle, kept=tuple(known(file))) for _ in range(2))
    drop = {"footer": None}

    assert msgspec.structs.replace(one, **drop) == msgspec.structs.replace(other, **drop)


def test_a_new_failure_fails(file: Path, oracle: Any) -> None:
    """Of another op, though of the same rule and symptom."""

    class Both(bent("exp", 1.5)):  # type: ignore[misc]
        def calls(self) -> Any:
            calls = super().calls()
            return {**calls, "square": lambda a: Bend.apply(calls["square"](a), 0.5)}

    record = ran(Both(), oracle, kept=tuple(known(file)), programs=600)

    assert record.verdict == "diverges"
    assert verdicts(record)["gradients.pointwise"] == "failed"
    assert all("square" in failure.torch_script for failure in record.failures)


def test_what_is_mended_is_stale(file: Path, oracle: Any) -> None:
    """The run conforms; the entry names the line to remove, and an update takes it out."""
    record = ran(TorchEngine(), oracle, kept=tuple(known(file)))
    stale = {(item.id, item.rule) for item in record.known if item.state == "stale"}

    assert record.verdict == "conforms"
    assert len(stale) == len(read_baseline(file))
    for item in record.known:
        path, _, line = item.place.rpartition(":")
        assert item.id in Path(path).read_text().splitlines()[int(line) - 1]
    assert updated(read_baseline(file), [], stale) == []


@pytest.mark.parametrize(("expires", "verdict"), [("2026-03-05", "conforms"), ("2026-03-04", "diverges")])
def test_an_entry_that_expired_fails(expires: str, verdict: str, failing: Record, oracle: Any, tmp_path: Path) -> None:
    """It is accepted up to its last day."""
    path = tmp_path / "baseline.json"
    write_baseline(path, updated([], failing.failures, set(), expires=expires))
    record = ran(bent("exp", 1.5)(), oracle, kept=tuple(known(path, date(2026, 3, 5))))

    assert record.verdict == verdict
    assert {item.state for item in record.known} == {"known" if verdict == "conforms" else "expired"}
    assert (record.failures == []) is (verdict == "conforms")


def test_what_is_said_of_an_entry_stays(file: Path, failing: Record) -> None:
    """An update keeps reasons and links, and gives new ones to new entries only."""
    before = read_baseline(file)
    new = msgspec.structs.replace(failing.failures[0], id="00ff")
    after = updated(before, [*failing.failures, new], set(), reason="new")

    assert after[:-1] == before
    assert (after[-1].id, after[-1].reason) == ("00ff", "new")


def test_a_baseline_has_a_line_for_each_entry(file: Path) -> None:
    """So that one can be removed by hand, and two branches merged."""
    lines = file.read_text().splitlines()
    entries = read_baseline(file)

    assert len(lines) == len(entries) + 2
    assert entries[0].reason == "slow to mend"
    write_baseline(file, [])
    assert read_baseline(file) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "baseline.json is not a baseline: Input data was truncated"),
        ('{"format": 2, "known": []}', "has format 2; this version reads format 1: upgrade autograd-conformance"),
        ("[]", "is not a baseline"),
        ('{"format": 1, "known": [{"rule": 3}]}', r"at `\$.known\[0\].rule`"),
        ("[" * 100_000, "baseline.json is not a baseline: "),
    ],
)
def test_a_malformed_baseline_is_one_line(content: str, why: str, tmp_path: Path) -> None:
    """It says where."""
    (tmp_path / "baseline.json").write_text(content)
    with pytest.raises(UsageError, match=why):
        known(tmp_path / "baseline.json")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rule": "no.such"}, "json:2: there is no rule 'no.such'"),
        ({"expires": "soon"}, "json:2: expires 'soon' is no day"),
        ({"program": {"steps": [{"step": "fly"}]}}, "json:2: not a program"),
    ],
)
def test_a_malformed_entry_is_told_by_its_line(change: dict[str, Any], why: str, file: Path, tmp_path: Path) -> None:
    """Rules, days and programs must exist."""
    entry = msgspec.structs.replace(read_baseline(file)[0], **change)
    write_baseline(file, [entry])
    with pytest.raises(UsageError, match=why):
        known(file)


def test_an_entry_for_what_was_not_asked_is_left_alone(file: Path, oracle: Any) -> None:
    """Neither stale nor known: the run said nothing of it."""
    record = ran(TorchEngine(), oracle, kept=tuple(known(file)), areas=("lifetime",))

    assert {item.state for item in record.known} == {"untried"}


def test_the_corpus_is_replayed_first(failing: Record, oracle: Any, tmp_path: Path) -> None:
    """A program that fails again is reported without any search; one that passes is no more than noted."""
    for failure in failing.failures:
        add_specimen(tmp_path / "corpus", failure, "bent")
    kept = tuple(corpus(tmp_path / "corpus"))
    again = ran(bent("exp", 1.5)(), oracle, kept=kept)
    mended = ran(TorchEngine(), oracle, kept=kept, programs=0)

    assert [item.state for item in again.known] == ["fails"] * len(kept)
    assert next(phase for phase in again.phases).causes != []
    assert {f.id for f in again.failures} >= {cause.id for cause in again.phases[0].causes}
    assert ([item.state for item in mended.known], mended.failures) == (["passes"] * len(kept), [])


def test_what_the_baseline_knows_the_corpus_does_not_report(file: Path, failing: Record, oracle: Any, tmp_path: Path) -> None:
    """A program may be in both."""
    add_specimen(tmp_path / "corpus", failing.failures[0], "bent")
    record = ran(bent("exp", 1.5)(), oracle, kept=(*corpus(tmp_path / "corpus"), *known(file)))

    assert record.verdict == "conforms"
    assert {item.state for item in record.known} == {"known"}


def test_shards_replay_what_is_kept_and_merge_it_once(file: Path, oracle: Any) -> None:
    """Every shard knows all; the whole has each line once."""
    options = Options(programs=60, areas=("gradients", "views"), kept=tuple(known(file)))
    engine = bent("exp", 1.5)
    whole = assemble(list(Run(engine(), oracle.engine, options)))
    shards = [Run(engine(), oracle.engine, msgspec.structs.replace(options, shard=(k, 2))) for k in (1, 2)]
    merged = assemble(list(merge([assemble(list(shard)) for shard in shards])))

    assert msgspec.structs.replace(merged, footer=None) == msgspec.structs.replace(whole, footer=None)
    assert [phase.part for phase in merged.phases].count("kept") == 1


def test_a_run_that_is_gone_on_with_still_knows(file: Path, oracle: Any) -> None:
    """What the replay taught the areas is taught again from the record."""
    options = Options(programs=60, areas=("gradients",), kept=tuple(known(file)))
    lines = list(Run(bent("exp", 1.5)(), oracle.engine, options))
    first = next(line for line in lines if isinstance(line, Phase))
    rest = list(Run(bent("exp", 1.5)(), oracle.engine, options).resume([first]))

    assert first.part == "kept"
    assert [x for x in rest if not isinstance(x, Footer)] == [
        x for x in lines[lines.index(first) + 1 :] if not isinstance(x, Footer)
    ]


def test_an_entry_is_found_by_how_it_fails() -> None:
    """Not by which random program showed it."""
    entry = Entry(rule="gradients.binary", kind="wrong value", facet="grad", ops=["mul"], id="0", program={})

    assert entry.symptom.matches(entry.symptom._replace(ops=frozenset({"mul", "exp"})))
    assert not entry.symptom.matches(entry.symptom._replace(facet="value"))
