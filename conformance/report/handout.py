"""What a failure gives to take away: a test for pytest, and the text of an issue."""

from __future__ import annotations

import re
import shlex

from conformance.record import Failure, Header
from conformance.report.summary import RuleText, canonical
from conformance.report.text import clip, one_line, versioned, visible


def pytest_text(failure: Failure, header: Header) -> str:
    """A test module that fails as long as the engine differs on the reduced program.

    An engine that needs a process of its own is replayed in one, by the command. Whatever a record holds stands in literals, so
    that nothing of it becomes code.
    """
    name = re.sub(r"\W+", "_", f"{failure.rule}_{failure.id}", flags=re.ASCII).strip("_").lower()[:80]
    law = f"    {_literal(one_line(f'{failure.rule}: {failure.statement}'))}"
    program = f"PROGRAM = {_literal(canonical(failure.reduced))}"
    options = _launch(failure)
    if not options:
        return f"""\
from conformance.program import from_json
from conformance.replay import replay_text

{program}


def test_{name}():
{law}
    text, differs = replay_text(from_json(PROGRAM), {_literal(header.engine)}, {_literal(header.oracle)})

    assert not differs, text
"""
    words = ["--engine", header.engine, "--oracle", header.oracle, *options]
    return f"""\
import subprocess

{program}


def test_{name}(tmp_path):
{law}
    file = tmp_path / "program.json"
    file.write_text(PROGRAM)
    command = ["conformance", "replay", str(file), {", ".join(map(_literal, words))}]
    ended = subprocess.run(command, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stdout + ended.stderr
"""


def _launch(failure: Failure) -> list[str]:
    """The options of the replay command that say how the engine is run, without the one that says where the record lies."""
    try:
        words = shlex.split(failure.replay)[3:]
    except ValueError:
        return []
    if "--reports" in words:
        place = words.index("--reports")
        del words[place : place + 2]
    return words


def _literal(text: str) -> str:
    """A string of Python, for which nothing in it is code."""
    return repr(text)


def issue_text(failure: Failure, header: Header, text: RuleText | None) -> str:
    """The failure as Markdown for the engine's tracker: title, proof, code, what is right and what comes, versions."""
    statement = text.statement if text else failure.statement
    first = next((step for step in failure.steps if step.differs), None)
    engine = one_line(versioned(header.engine, header.engine_version))
    lines = [f"# {one_line(statement).rstrip('.')}: {one_line(failure.kind)}", "", _plain(failure.proof), ""]
    lines += ["To reproduce:", "", _fenced(failure.engine_script or failure.torch_script, "python"), ""]
    if first is not None:
        lines += [
            f"Expected, as {one_line(header.oracle)} does:", "", _fenced(first.expected), "",
            "Observed:", "", _fenced(first.observed), "",
        ]  # fmt: skip
    if text is not None:
        lines += [f"Why it matters: {one_line(text.why)}", "", f"Source: {one_line(text.source)}", ""]
    versions = ", ".join(f"{name} {value}" for name, value in sorted(header.versions.items()))
    lines += [
        one_line(f"Versions: {engine}, {header.oracle} {header.oracle_version}" + (f", {versions}" if versions else "")) + "."
    ]
    lines += [one_line(f"Found by autograd-conformance {header.suite_version}, rule `{failure.rule}`, seed {header.seed}.")]
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """Text in which nothing is markup and nobody is called, so that what an engine says cannot dress up as the report."""
    return re.sub(r"[\\`*<>]|\](?=\()", r"\\\g<0>", visible(clip(text))).replace("@", "&#64;")


def _fenced(text: str, language: str = "") -> str:
    """A block of code whose fence is longer than any in it."""
    text = visible(clip(text)).rstrip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"
