"""JUnit XML: what a CI server shows of a run."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import report_samples as samples
from syrupy.assertion import SnapshotAssertion

from conformance.record import Record
from conformance.report.junit import render_junit


def cases(record: Record) -> dict[str, list[str]]:
    """Name of a case -> the tags within it."""
    suite = ElementTree.fromstring(render_junit(record))
    return {case.attrib["name"]: [child.tag for child in case] for case in suite.iter("testcase")}


def test_the_document(snapshot: SnapshotAssertion) -> None:
    """What is written for a run with every verdict is as it was reviewed."""
    assert render_junit(samples.diverging()).replace("><", ">\n<") == snapshot


def test_each_verdict_has_its_element() -> None:
    """Failed is a failure, unsupported skipped, incomplete an error; safe and differing pass and say so."""
    assert cases(samples.diverging()) == {
        "gradients.binary": [],
        "detach.memory": ["system-out"],
        "versions.saved-result": ["failure"],
        "versions.unsaved": [],
        "views.tie": ["system-out"],
        "grad.double": ["skipped"],
        "pipeline.stash": ["error"],
    }


@pytest.mark.parametrize("name", ["unsupported", "killed"])
def test_an_incomplete_run_is_never_green(name: str) -> None:
    """A run that did not end, or that exercised nothing, has an error of its own."""
    assert cases(getattr(samples, name)())["the run is complete"] == ["error"]


def test_a_conforming_run_is_green() -> None:
    """There is nothing but passed cases."""
    assert cases(samples.conforming()) == {"gradients.binary": [], "versions.saved-result": []}


def test_notes_and_what_the_engine_tells_of_itself_are_properties() -> None:
    """With the names that the record has for them."""
    root = ElementTree.fromstring(render_junit(samples.keeping()))
    told = [(p.get("name"), p.get("value")) for p in root.iter("property")]

    assert told[-4:] == [
        ("home", "https://example.org/mygrad"), ("issues", "https://example.org/mygrad/issues"),
        ("language", "Python 3.11.2"), ("note", "works undeclared: views"),
    ]  # fmt: skip


def test_hostile_text_leaves_valid_xml() -> None:
    """Characters that XML forbids are spelled out, and the document parses."""
    text = render_junit(samples.hostile())

    assert ElementTree.fromstring(text.encode()).tag == "testsuites"
    assert [char for char in text if not char.isprintable() and char != "\n"] == []


def test_the_same_record_gives_the_same_bytes() -> None:
    """Nothing of the clock or the machine is in the document."""
    one, other = (render_junit(samples.diverging()) for _ in range(2))

    assert one == other
    assert re.findall(r"timestamp|hostname", one) == []
