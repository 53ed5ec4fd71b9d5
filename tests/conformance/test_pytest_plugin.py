"""pytest --autograd-engine: one item a rule."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conformance.baseline import Entry, add_specimen, write_baseline
from conformance.record import read
from conformance.rules import RULES

# Not importorskip: pytester forgets the modules that a test imports, and torch does not survive being imported twice.
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


BROKEN = """
from conformance.engines.torch_engine import TorchEngine

class Forgetful(TorchEngine):
    name = "forgetful"
    ops = {**TorchEngine.ops, "mul": "torch.mul(a, b.detach())"}
"""


LACKING = """
from conformance.engines.reference import ReferenceEngine

class Lacking(ReferenceEngine):
    name = "lacking"

    def detach(self, tensor):
        return tensor
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """pytest in a process of its own, in an empty folder."""
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_session_without_the_option_imports_nothing_of_ours(pytester: pytest.Pytester) -> None:
    """A session that names no engine imports neither the suite's rules nor torch nor Hypothesis' strategies of ours."""
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            ours = {m for m in sys.modules if m.startswith("conformance.")}
            light = {"_version", "areas", "pytest_plugin", "pytest_settings"}
            assert ours <= {f"conformance.{name}" for name in light}
            assert "torch" not in sys.modules
        """
    )

    run(pytester).assert_outcomes(passed=1)


@needs_torch
def test_items_are_rules_with_stable_ids(pytester: pytest.Pytester) -> None:
    """Collection lists one item for each rule of the areas named, after the user's own tests."""
    pytester.makepyfile("def test_mine(): pass")
    result = run(pytester, "--autograd-engine", "torch", "--autograd-area", "detach", "--collect-only", "-q")
    items = [line for line in result.outlines if "::" in line]

    assert items[0].endswith("::test_mine")
    assert [item.rpartition("::")[2] for item in items[1:]] == [
        "detach.cuts", "detach.frees-graph", "detach.memory", "detach.no-history", "detach.sees-writes",
        "detach.version", "detach.writes-back",
    ]  # fmt: skip


@needs_torch
@pytest.mark.parametrize(
    ("ini", "arguments", "level"), [("", ("--autograd-level", "1"), 1), ("1", (), 1), ("1", ("--autograd-level", "2"), 2)]
)
def test_rules_above_the_level_are_not_collected(
    pytester: pytest.Pytester, ini: str, arguments: tuple[str, ...], level: int
) -> None:
    """The level is that of the command line, or else that of the ini file."""
    pytester.makeini(f"[pytest]\nautograd_level = {ini}\n")
    result = run(pytester, "--autograd-engine", "torch", *arguments, "--collect-only", "-q")
    collected = {line.rpartition("::")[2] for line in result.outlines if "::" in line}

    assert collected == {rule.id for rule in RULES.values() if rule.level <= level}


@needs_torch
def test_broken_engine_fails_with_proof_and_reproducer(pytester: pytest.Pytester) -> None:
    """A broken rule fails its item with the proof and a script, and without a traceback of ours; others pass."""
    pytester.makepyfile(adapter=BROKEN)
    result = run(pytester, "--autograd-engine", "adapter:Forgetful", "--autograd-rule", "gradients.binary", "--autograd-rule",
                 "detach.writes-back", "--autograd-programs", "100")  # fmt: skip

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*gradients.binary*", "*must be*", "import torch"])
    result.stdout.no_fnmatch_line("*Traceback*")


@needs_torch
def test_rules_are_spread_over_workers(pytester: pytest.Pytester) -> None:
    """Under xdist every worker collects the same items, each runs once, and verdicts are those of one process."""
    result = run(pytester, "--autograd-engine", "torch", "--autograd-area", "lifetime", "--autograd-programs", "50", "-n", "2")

    result.assert_outcomes(passed=sum(rule.area == "lifetime" for rule in RULES.values()))


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("autograd_level_2", lambda rule: rule.level == 2),
        ("autograd_area_views or autograd_area_order", lambda rule: rule.area in ("views", "order")),
        ("autograd_may", lambda rule: rule.obligation == "MAY"),
        (
            "autograd_rule(level=1) and not autograd_rule(area='gradients')",
            lambda rule: rule.level == 1 and rule.area != "gradients",
        ),
        ("not autograd_rule", lambda rule: False),
    ],
)
def test_rules_are_selected_by_their_marks(pytester: pytest.Pytester, expression: str, chosen: Any) -> None:
    """Level, area and obligation are markers of their own, and keywords of the one that all have; all are registered."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.autograd_level_1
        @pytest.mark.autograd_area_views
        @pytest.mark.autograd_rule(level=0)
        def test_mine(): pass
        """
    )
    result = run(pytester, "--autograd-engine", "reference", "--autograd-oracle", "reference", "--strict-markers", "-m",
                 expression, "--collect-only", "-q")  # fmt: skip
    collected = {line.rpartition("::")[2] for line in result.outlines if "autograd[reference]::" in line}

    assert collected == {rule.id for rule in RULES.values() if chosen(rule)}
    assert result.ret in (0, 5)


SMALL = ("--autograd-oracle", "reference", "--autograd-area", "detach", "--autograd-programs", "20")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_a_session_ends_with_a_summary_and_one_record(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Reports are written once, whoever ran the rules; the record holds each, and the last line is for machines."""
    result = run(pytester, "--autograd-engine", "reference", *SMALL, "--autograd-report", "out/mine",
                 "--autograd-format", "junit", "--autograd-format", "sarif", *workers)  # fmt: skip
    record = read(pytester.path / "out/mine/record.jsonl")
    ids = [rule.id for rule in RULES.values() if rule.area == "detach"]

    result.assert_outcomes(passed=len(ids))
    assert sorted(p.name for p in (pytester.path / "out/mine").iterdir()) == ["junit.xml", "record.jsonl", "results.sarif"]
    assert (record.verdict, [r.id for r in record.rules], record.header.rules) == ("conforms", ids, ids)
    result.stdout.fnmatch_lines([
        "*= autograd conformance =*", "reference * conforms to reference *", f"{len(ids)} of {len(ids)} rules applied",
        "report: out/mine/junit.xml", "conformance: engine=reference oracle=reference verdict=conforms *",
    ])  # fmt: skip


def test_every_setting_can_stand_in_the_ini_file(pytester: pytest.Pytester) -> None:
    """A session without options runs the suite; an option wins over the file, and an empty engine switches the suite off."""
    pytester.makeini(
        """
        [pytest]
        autograd_engine = reference
        autograd_oracle = reference
        autograd_area = detach order
        autograd_rule = views.shared
        autograd_level = 2
        autograd_programs = 5
        autograd_seed = 3
        autograd_report = out
        autograd_format = badge
        """
    )
    pytester.makepyfile("def test_mine(): pass")
    result, off = run(pytester, "--autograd-area", "order"), run(pytester, "--autograd-engine", "")
    record = read(pytester.path / "out/record.jsonl")

    result.assert_outcomes(passed=1 + sum(rule.area == "order" for rule in RULES.values()))
    off.assert_outcomes(passed=1)
    assert (record.header.seed, record.header.oracle) == (3, "reference")
    assert (pytester.path / "out/badge.json").exists()


def test_a_budget_of_seconds_is_for_all_rules(pytester: pytest.Pytester) -> None:
    """Each rule gets its part."""
    result = run(pytester, "--autograd-engine", "reference", "--autograd-oracle", "reference", "--autograd-area", "detach",
                 "--autograd-budget", "1", "--autograd-report", "out")  # fmt: skip
    record = read(pytester.path / "out/record.jsonl")

    assert result.ret == 0
    assert record.header.budget_seconds == 1
    assert record.footer is not None
    assert record.footer.timing["seconds"] < 20


def test_rules_that_were_not_run_leave_the_session_incomplete(pytester: pytest.Pytester) -> None:
    """A session that stops at the first failure, before the others, is no clean bill of health."""
    pytester.makepyfile(adapter=LACKING)
    result = run(pytester, "--autograd-engine", "adapter:Lacking", "-x", *SMALL)

    result.stdout.fnmatch_lines(["*diverges from reference*", "conformance: * verdict=diverges * incomplete=*"])
    result.stdout.no_fnmatch_line("conformance: * incomplete=0 *")


def test_a_baseline_is_obeyed(pytester: pytest.Pytester) -> None:
    """What is broken as the baseline says is an expected failure; a line whose failure is mended fails, where that is asked."""
    pytester.makepyfile(adapter=LACKING)
    broken = ("--autograd-engine", "adapter:Lacking", *SMALL)
    run(pytester, *broken, "--autograd-report", "out")
    record = read(pytester.path / "out/record.jsonl")
    write_baseline(pytester.path / "known.json", [Entry.of(failure, reason="later") for failure in record.failures])
    known = run(pytester, *broken, "--autograd-baseline", "known.json", "-rx")
    mended = ("--autograd-engine", "reference", *SMALL, "--autograd-baseline", "known.json", "--autograd-strict-baseline")

    assert known.parseoutcomes()["xfailed"] == len({failure.rule for failure in record.failures})
    assert "failed" not in known.parseoutcomes()
    known.stdout.fnmatch_lines(["*known.json:*: later*"])
    run(pytester, *mended, "no").assert_outcomes(passed=7)
    assert run(pytester, *mended, "yes").parseoutcomes()["failed"] == known.parseoutcomes()["xfailed"]


MODEST = """
from conformance.engines.reference import ReferenceEngine

class Modest(ReferenceEngine):
    name = "modest"
    traits = ReferenceEngine.traits - {"detached-aliases"}
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_notes_are_told_once(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """What works and is not declared stands in the summary and in the record, however many rules ask for it."""
    pytester.makepyfile(adapter=MODEST)
    result = run(pytester, "--autograd-engine", "adapter:Modest", *SMALL, "--autograd-report", "out", *workers)
    note = "works, though the adapter does not declare it: detached-aliases"
    footer = read(pytester.path / "out/record.jsonl").footer

    assert footer is not None
    assert footer.notes == [note]
    assert result.outlines.count(note) == 1


@pytest.mark.parametrize("asked", [("--autograd-corpus", "mine"), ()], ids=["named", "found"])
def test_a_corpus_is_replayed(pytester: pytest.Pytester, asked: tuple[str, ...]) -> None:
    """What is kept fails its rule by itself, without a random program; the folder is found where it usually is."""
    pytester.makepyfile(adapter=LACKING)
    lone = ("--autograd-oracle", "reference", "--autograd-area", "detach", "--autograd-programs", "0")
    run(pytester, "--autograd-engine", "adapter:Lacking", *SMALL, "--autograd-report", "out")
    failures = read(pytester.path / "out/record.jsonl").failures
    folder = pytester.path / (asked[1] if asked else "tests/autograd_corpus")
    kept = failures[0]
    add_specimen(folder, kept, "adapter:Lacking")
    run(pytester, "--autograd-engine", "adapter:Lacking", *lone, *asked, "--autograd-report", "again")
    record = read(pytester.path / "again/record.jsonl")

    assert [(item.origin, item.rule, item.state) for item in record.known] == [("corpus", kept.rule, "fails")]
    assert kept.id in {failure.id for failure in record.failures}


def test_limits_of_a_process_are_settings(pytester: pytest.Pytester) -> None:
    """How often it is started again, and whether messages are checked: the replay command has them too."""
    engines = str(Path(__file__).parents[1] / "engines")
    pytester.makeini(f"[pytest]\npythonpath = {engines}\nautograd_strict_protocol = yes\n")
    few = ("--autograd-engine", "villains:Abort", "--autograd-oracle", "reference", "--autograd-rule", "gradients.pointwise",
           "--autograd-rule", "process.crash", "--autograd-programs", "20", "--autograd-report", "out")  # fmt: skip
    result = run(pytester, *few, "--autograd-restarts", "60")
    record = read(pytester.path / "out/record.jsonl")

    assert result.parseoutcomes()["failed"] >= 1
    assert "--isolate --restarts 60 --strict-protocol" in record.failures[0].replay


def test_a_github_job_is_annotated(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Annotations point at the adapter, and the job has its summary."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    pytester.makepyfile(adapter=LACKING)
    result = run(pytester, "--autograd-engine", "adapter:Lacking", *SMALL)

    result.stdout.fnmatch_lines(["::error file=adapter.py,line=3,title=detach.*"])
    assert "diverges from reference" in (pytester.path / "summary.md").read_text()


@needs_torch
def test_own_hypothesis_profile_is_kept(pytester: pytest.Pytester) -> None:
    """The plugin leaves the user's Hypothesis profile and seed as they are."""
    pytester.makeconftest(
        """
        from hypothesis import settings
        settings.register_profile("mine", max_examples=7)
        settings.load_profile("mine")
        """
    )
    pytester.makepyfile(
        """
        from hypothesis import settings

        def test_profile():
            assert settings.get_current_profile_name() == "mine"
            assert settings().max_examples == 7
        """
    )
    result = run(pytester, "--autograd-engine", "torch", "--autograd-rule", "detach.cuts", "--autograd-programs", "20",
                 "--strict-markers", "-m", "autograd_rule or not autograd_rule")  # fmt: skip

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--autograd-engine", "nope"), "unknown engine 'nope'"),
        (("--autograd-engine", "reference", "--autograd-rule", "nope"), "there is no area or rule 'nope'"),
        (("--autograd-engine", "reference", "--autograd-level", "5"), "there is no level '5' of rules: levels are 1 to 4"),
        (("--autograd-engine", "absent_module:Engine"), "there is no module 'absent_module'"),
        (("--autograd-engine", "reference", "--autograd-programs", "many"), 'is a number, 0 or more, not "many"'),
        (("--autograd-engine", "reference", "--autograd-budget", "5", "--autograd-programs", "5"), "exclude each other"),
        (("--autograd-engine", "reference", "--autograd-format", "pdf"), "there is no format 'pdf': type one of html, "),
        (("--autograd-engine", "reference", "--autograd-isolate", "perhaps"), "--autograd-isolate is yes or no"),
        (("--autograd-engine", "reference", "--autograd-baseline", "absent.json"), "absent.json"),
        (("--autograd-engine", "reference", "--autograd-corpus", "absent"), "there is no corpus absent"),
        (("--autograd-engine", "reference", "--autograd-strict-protocol", "perhaps"), "--autograd-strict-protocol is yes or no"),
    ],
)
def test_bad_use_is_one_line(pytester: pytest.Pytester, arguments: tuple[str, ...], message: str) -> None:
    """A wrong name ends the session with one line that says so, and no traceback."""
    result = run(pytester, *arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str() + result.stdout.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
