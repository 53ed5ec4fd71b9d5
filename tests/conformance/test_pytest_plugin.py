"""pytest --autograd-engine: one item a rule."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from conformance.rules import RULES

# Not importorskip: pytester forgets the modules that a test imports, and torch does not survive being imported twice.
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


BROKEN = """
from conformance.engines.torch_engine import TorchEngine

class Forgetful(TorchEngine):
    name = "forgetful"
    ops = {**TorchEngine.ops, "mul": "torch.mul(a, b.detach())"}
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
            assert ours <= {"conformance._version", "conformance.pytest_plugin"}
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
    ],
)
def test_bad_use_is_one_line(pytester: pytest.Pytester, arguments: tuple[str, ...], message: str) -> None:
    """A wrong name ends the session with one line that says so, and no traceback."""
    result = run(pytester, *arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str() + result.stdout.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
