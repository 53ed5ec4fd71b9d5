"""The protocol: its schema and its description are up to date, and an engine is seen through it as it is in this process."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import villainy
from villainy import FINE

from conformance import engines
from conformance.areas import AREAS
from conformance.chooser import SeededChooser
from conformance.compare import Difference
from conformance.engine import Category
from conformance.execute import Executor
from conformance.generate import generate
from conformance.observe import facets_of
from conformance.program import AnyStep
from conformance.remote import contents, messages, schema
from conformance.remote.executor import RemoteExecutor
from conformance.remote.limits import Isolation
from conformance.remote.loading import load
from conformance.remote.steps import STEPS
from conformance.rules import RULES
from conformance.vocabulary import Vocabulary

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "protocol"


def test_the_schema_is_up_to_date() -> None:
    """The file in docs/ is what the messages say: `python -m conformance.remote.schema > docs/protocol/protocol.schema.json`."""
    assert (DOCS / "protocol.schema.json").read_text() == schema.text()


def test_the_list_of_ops_is_up_to_date() -> None:
    """The file in docs/ is what the catalogue says: `python -m conformance.remote.schema ops > docs/protocol/ops.tsv`."""
    assert (DOCS / "ops.tsv").read_text() == schema.ops()


def test_the_schema_is_one() -> None:
    """It is a valid JSON Schema, and refuses what is no message."""
    jsonschema = pytest.importorskip("jsonschema")
    document = json.loads((DOCS / "protocol.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(document)
    validator = jsonschema.Draft202012Validator(document)

    assert validator.is_valid({"seq": 1, "cmd": "hello", "protocol": 1})
    assert validator.is_valid({"seq": 2, "index": 0, "sights": [[0, 0, "value", [1, "nan", [True, None]]]]})
    assert not validator.is_valid({"seq": 2, "index": 0, "sights": [[0, 0, "value"]]})
    assert not validator.is_valid({"seq": 1, "cmd": "dance"})


def test_the_description_names_everything() -> None:
    """Every step, facet, category, capability, trait and field of a message stands in the description."""
    text = (DOCS / "README.md").read_text()
    steps = [str(kind.__struct_config__.tag) for kind in msgspec.inspect.type_info(AnyStep).types and AnyStep.__args__]
    fields = {name for kind in AnyStep.__args__ for name in kind.__struct_fields__}
    fields |= set(messages.Capabilities.__struct_fields__) | set(messages.Ready.__struct_fields__) - {"language"}
    traits = {trait for rule in RULES.values() for trait in rule.traits} - {"process"}
    named = {*steps, *STEPS, *(c.value for c in Category), *contents.READERS, *fields, *traits} - {"flags"}
    silent = sorted(name for name in named if not re.search(rf'[`"]{re.escape(name)}[`"]', text))

    assert silent == []


def transcript() -> list[tuple[str, dict[str, Any]]]:
    """The transcript of the description: pairs (direction, message)."""
    found = re.search(r"<!-- transcript.*?```text\n(.*?)```", (DOCS / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return [(line[0], json.loads(line[2:])) for line in found[1].splitlines()]


def test_the_transcript_is_true() -> None:
    """The bundled engine answers as the description shows, but for the text of messages and what is left out there."""
    said = "".join(json.dumps(message) + "\n" for direction, message in transcript() if direction == ">")
    ended = subprocess.run(
        [sys.executable, "-m", "conformance.remote.child", "reference"], input=said, capture_output=True, text=True, cwd=ROOT
    )
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    shown = [message for direction, message in transcript() if direction == "<"]

    assert ended.returncode == 0, ended.stderr
    assert len(answers) == len(shown)
    for answer, message in zip(answers, shown):
        for refusal in (answer.get("refusal"), message.get("refusal")):
            if refusal:
                del refusal["message"]
        assert {key: answer[key] for key in message} == message


def test_a_child_imports_little() -> None:
    """Neither torch nor what draws the reports and the command line is loaded into a child."""
    code = (
        "import sys, conformance.remote.child\n"
        "print([m for m in ('torch', 'click', 'jinja2', 'rich', 'hypothesis', 'junitparser') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert ended.stdout == "[]\n"


@pytest.fixture(scope="module")
def remote() -> Any:
    """The reference engine in a process of its own, whose messages are checked against the schema."""
    pytest.importorskip("jsonschema")
    executor = villainy.executor("reference", strict=True)
    yield executor
    executor.session.kill()


@pytest.fixture(scope="module")
def local() -> Executor:
    """The same in this process."""
    return Executor(engines.load("reference"))


@pytest.mark.parametrize("schedule", ["quick", "wide", "thorough"])
def test_a_child_sees_what_is_seen_in_this_process(remote: RemoteExecutor, local: Executor, schedule: Any) -> None:
    """Of random programs of every area, all observations are equal, NaN and the addresses of messages aside."""
    chooser = SeededChooser(7)
    vocabulary = Vocabulary.of(local.engine)
    programs = [generate(chooser, area, vocabulary)[0] for area in AREAS if area.name != "checkpoint" for _ in range(4)]
    expected = local.run_all(programs, [schedule] * len(programs))
    observed = remote.run_all(programs, [schedule] * len(programs))

    for e, o in zip(expected, observed):
        assert repr(o.sights) == repr(e.sights)
        assert (o.refusal and o.refusal[:2], o.unsupported) == (e.refusal and e.refusal[:2], e.unsupported)


def test_a_child_is_what_it_is_in_this_process(remote: RemoteExecutor, local: Executor) -> None:
    """Name, version, vocabulary, facets and traits come through."""
    a, b = remote.engine, local.engine

    assert (a.name, a.version()) == (b.name, b.version())
    assert Vocabulary.of(a) == Vocabulary.of(b)
    assert facets_of(a) == facets_of(b)
    assert a.traits == b.traits | {"process"}


def test_scripts_come_from_the_child_and_expectations_stay_here(remote: RemoteExecutor, local: Executor) -> None:
    """A script is the same as in this process, though the child is not told what was expected."""
    difference = Difference("wrong value", len(FINE.steps) - 1, 0, "grad", [2.0, 4.0], [math.nan, 1.0])
    told = remote.engine.script(FINE)  # type: ignore[misc]

    assert told.text(difference) == local.engine.script(FINE).text(difference)  # type: ignore[misc]
    assert told.text() == local.engine.script(FINE).text()  # type: ignore[misc]


@pytest.mark.parametrize(
    "content",
    [1.5, -0.0, math.inf, [1.0, -math.inf], [[math.inf], [-math.inf]], [], [[]], 7, True, [True, False], [1e308, 1e308]],
)
def test_numbers_come_back_as_they_were(content: Any) -> None:
    """What JSON lacks is put into words and taken out of them."""
    line = messages.encode(messages.Observed(seq=1, index=0, sights=[(0, 0, "value", contents.told(content))]))
    [(_, _, _, back)] = contents.read(messages.observed(line).sights)

    assert repr(back) == repr(content)


def test_nan_comes_back() -> None:
    """NaN too, which equals nothing."""
    assert contents.told([1.0, math.nan]) == [1.0, "nan"]
    assert math.isnan(contents.numbers("nan"))


def test_what_is_not_found_is_one_line() -> None:
    """A command or an interpreter that is not there is the user's error."""
    from conformance.errors import EngineUnavailable, UsageError

    for name, isolation, message in (
        ("exec:there-is-no-such-command", None, "cannot start there-is-no-such-command: No such file"),
        ("exec:", None, "exec: wants a command"),
        ("exec:'", None, "is no command: No closing quotation"),
        ("reference", Isolation(python="there-is-no-such-python"), "there is no Python interpreter 'there-is-no-such-python'"),
        ("no_such_module:Engine", Isolation(), "there is no module 'no_such_module' on the path"),
    ):
        with pytest.raises(UsageError, match=message):
            load(name, isolation)
    with pytest.raises(EngineUnavailable, match="did not start"):
        load("exec:true")


def test_an_interpreter_without_the_suite_is_told_what_to_install(tmp_path: Path) -> None:
    """The line names the interpreter's own pip command."""
    from conformance.errors import EngineUnavailable

    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(EngineUnavailable, match=r"has no conformance package: .*python -m pip install autograd-conformance"):
        load("reference", Isolation(python=str(bare)))
