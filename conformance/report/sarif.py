"""SARIF 2.1.0: each rule of the run, and one result for each cause of a broken one, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import msgspec

from conformance.record import Failure, Record, RuleResult
from conformance.report.places import Place
from conformance.report.summary import RuleText, Summary, headline, most_telling, sentences, summarize
from conformance.report.text import clip, count, one_line, visible

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 5_000  # results that GitHub shows of one file
MESSAGE = 8_000  # characters of one message
ROOT = "%SRCROOT%"  # the name by which code scanning knows the root of the repository
EXIT = {"conforms": 0, "diverges": 1, "incomplete": 3}
_URL = re.compile(r"https?://[^\s<>\"'`,;)\]]+")


def render_sarif(record: Record, rules: Mapping[str, RuleText], place: Place) -> str:
    """The record as a SARIF log.

    Args:
        record: what was recorded, with or without a footer.
        rules: the texts to quote, by rule id; a rule that is not there is described by its id.
        place: what the results point at.
    """
    summary = summarize(record)
    index = {result.id: number for number, result in enumerate(summary.results)}
    shown = most_telling(summary.broken)[:MOST]
    run = {
        "tool": {
            "driver": {
                "name": "autograd-conformance",
                "version": one_line(record.header.suite_version),
                "rules": [_rule(result, rules.get(result.id)) for result in summary.results],
            }
        },
        "automationDetails": {"id": f"autograd-conformance/{quote(one_line(record.header.engine), safe='')}/"},
        "invocations": [_invocation(summary, len(shown))],
        "results": [_result(failure, index[failure.rule], place) for failure in shown],
        "columnKind": "unicodeCodePoints",
        "properties": {"verdict": record.verdict, "seed": record.header.seed, "summary": one_line(sentences(summary))},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=1).decode() + "\n"


def _rule(result: RuleResult, text: RuleText | None) -> dict[str, Any]:
    """The description of a rule."""
    name = one_line(result.id)
    rule: dict[str, Any] = {
        "id": name,
        "shortDescription": {"text": name},
        "defaultConfiguration": {"level": "error" if result.obligation == "MUST" else "note"},
        "properties": {"tags": ["autograd", one_line(result.area)], "level": result.level, "verdict": result.verdict},
    }
    if text is None:
        return rule
    told = f"{text.statement}\n\nWhy: {text.why}\n\nSource: {text.source}"
    rule |= {"shortDescription": {"text": _text(text.statement)}, "help": {"text": _text(told)}}
    rule |= {"fullDescription": {"text": _text(f"{text.statement} {text.why}")}}
    address = _URL.search(text.source)
    return rule | ({"helpUri": address[0]} if address else {})


def _result(failure: Failure, index: int, place: Place) -> dict[str, Any]:
    """One cause, with the script that shows it and the command that repeats it."""
    script = failure.engine_script or failure.torch_script
    message = f"{failure.proof}\n\n{script}\n{failure.replay}"
    return {
        "ruleId": one_line(failure.rule),
        "ruleIndex": index,
        "level": "error",
        "message": {"text": _text(message)},
        "locations": [{"physicalLocation": _location(place)}],
        "partialFingerprints": {"cause/v1": one_line(failure.id), "symptom/v1": _symptom(failure)},
        "properties": {
            "kind": one_line(failure.kind),
            "facet": one_line(failure.facet),
            "torchScript": visible(clip(failure.torch_script, MESSAGE)),
            "engineScript": visible(clip(failure.engine_script, MESSAGE)),
            "replay": one_line(failure.replay),
        },
    }


def _location(place: Place) -> dict[str, Any]:
    path = PurePosixPath(place.file)
    # A colon in the first part of a relative reference would make it a scheme: it is quoted too.
    reference = quote(visible(place.file), safe="/")
    artifact = {"uri": f"file://{reference}"} if path.is_absolute() else {"uri": reference, "uriBaseId": ROOT}
    return {"artifactLocation": artifact, "region": {"startLine": place.line}}


def _symptom(failure: Failure) -> str:
    """What stays where another program shows the same: rule, kind, facet and the ops."""
    steps = failure.reduced.get("steps")
    ops = sorted({str(step.get("op", "")) for step in steps if isinstance(step, dict)}) if isinstance(steps, list) else []
    text = "\0".join((failure.rule, failure.kind, failure.facet, *ops))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _invocation(summary: Summary, shown: int) -> dict[str, Any]:
    """How the run went. A record without a footer, or one that judged nothing, is no success."""
    record = summary.record
    complete = record.verdict != "incomplete"
    notes = [] if complete else [("error", f"{headline(summary)}: {summary.reason}")]
    if shown < len(summary.broken):
        notes.append(("warning", f"{count(len(summary.broken) - shown, 'more cause')} in the record"))
    return {
        "executionSuccessful": complete,
        "exitCode": EXIT[record.verdict],
        "commandLine": one_line(clip(record.header.command, MESSAGE)),
        "toolExecutionNotifications": [{"level": level, "message": {"text": _text(text)}} for level, text in notes],
    }


def _text(text: str) -> str:
    """A message: braces are placeholders and "](" makes a link in SARIF's messages, so neither is left to an engine."""
    return visible(clip(text, MESSAGE)).replace("{", "{{").replace("}", "}}").replace("](", "] (")
