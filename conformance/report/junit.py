"""JUnit XML: one test case a rule. The same record gives the same bytes, so there is no time in it."""

from __future__ import annotations

from collections.abc import Iterable

from junitparser import Error, JUnitXml, Skipped, TestCase, TestSuite
from junitparser import Failure as FailureElement

from conformance.record import Failure, Record, RuleResult
from conformance.report.summary import ALLOWED, Summary, about, causes, headline, notes, sentences, summarize
from conformance.report.text import clip, count, one_line, versioned, visible


def render_junit(record: Record) -> str:
    """The record as JUnit XML.

    Failed rules are failures with proof and replay, unsupported ones are skipped with the reason, incomplete ones are errors;
    safe and differing ones pass and say so on their standard output.
    """
    summary = summarize(record)
    header = record.header
    suite = TestSuite(one_line(f"conformance: {versioned(header.engine, header.engine_version)}"))
    for name, value in (
        ("oracle", f"{header.oracle} {header.oracle_version}"),
        ("seed", str(header.seed)),
        ("command", header.command),
        ("verdict", record.verdict),
        ("summary", f"{headline(summary)}. {sentences(summary)}"),
        *((name.lower(), text) for name, text in about(header) if text),
        *(("note", note) for note in notes(summary)),
    ):
        suite.add_property(name, one_line(value))
    suite.add_testcases([_case(summary, result) for result in summary.results])
    if record.verdict == "incomplete":
        suite.add_testcase(_unfinished(summary))
    suite.update_statistics()
    document = JUnitXml()
    # Not by its own statistics: they count what is skipped here too, where the schema has no place for it.
    document.tests, document.failures, document.errors, document.time = suite.tests, suite.failures, suite.errors, suite.time
    document.add_testsuite(suite)
    # Only some XML libraries write the declaration; nowhere else can "?>" stand unescaped.
    text: str = document.tostring().decode().rpartition("?>")[2].strip()
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _case(summary: Summary, result: RuleResult) -> TestCase:
    """One rule."""
    case = TestCase(one_line(result.id), classname=one_line(result.area), time=0)
    exercised = f"exercised by {count(result.programs, 'program')}"
    reason = one_line(result.reason) or exercised
    if result.verdict == "failed":
        found = causes(summary, result)
        element = FailureElement(one_line(found[0].proof) if found else reason, one_line(f"{result.obligation} {result.verdict}"))
        element.text = _proofs(found)
        case.result = [element]
    elif result.verdict == "unsupported":
        case.result = [Skipped(reason, "unsupported")]
    elif result.verdict == "incomplete":
        case.result = [Error(reason, "incomplete")]
    elif result.verdict in ALLOWED:
        case.system_out = f"{result.verdict}: {reason}\n{_proofs(causes(summary, result))}"
    return case


def _unfinished(summary: Summary) -> TestCase:
    """The run itself as a case, so that an incomplete one is never green."""
    case = TestCase("the run is complete", classname="conformance", time=0)
    case.result = [Error(summary.reason, "incomplete")]
    return case


def _proofs(failures: Iterable[Failure]) -> str:
    """Every cause in full: law, proof, steps, replay."""
    return "\n\n".join(visible(clip(_proof(failure))) for failure in failures)


def _proof(failure: Failure) -> str:
    lines = [f"{failure.rule}: {failure.statement}", failure.proof, ""]
    for step in failure.steps:
        lines.append(f"{'>' if step.differs else ' '} {step.code}")
        if step.differs:
            lines += [f"      expected: {step.expected}", f"      observed: {step.observed}"]
    return "\n".join([*lines, "", f"replay: {failure.replay}"])
