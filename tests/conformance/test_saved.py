"""The measurement of saved tensors: the reference engine's table is torch's, and the page in the docs is fresh."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import reference_engine
from conformance import saved

ROOT = Path(__file__).parents[2]
TRUTH = ROOT / "tests" / "reference_engine" / "data" / "saved_tensors.tsv"


@pytest.fixture(scope="module")
def measured():
    """The reference engine's table, measured once."""
    return saved.table(reference_engine)


def test_every_row_of_torch_has_a_call():
    """The table of calls covers torch's measured table, op by op and combination by combination."""
    known = {(c.name, ",".join(f"{i.name}={'T' if i.name in n else 'F'}" for i in c.inputs))
             for c in saved.calls() for n in saved.combinations(c)}  # fmt: skip
    truth = {(r.op, r.requires_grad) for r in saved.read(TRUTH.read_text(encoding="utf-8"))}

    assert truth - known == set()


def test_reference_engine_saves_what_torch_saves(measured):
    """Where the reference engine has the op, its row is torch's, but for the ops that docs/deviations.md lists."""
    found = saved.differences(measured[0], saved.read(TRUTH.read_text(encoding="utf-8")))
    text = (ROOT / "docs" / "deviations.md").read_text(encoding="utf-8")
    section = text[text.index("## Ops that save otherwise") :].split("\n## ")[0]
    listed = set(re.findall(r"^\| `([^`]+)` \|", section, re.M))

    assert {difference.partition(" [")[0] for difference in found} == listed


def test_reference_engine_has_every_op(measured):
    """Every call of the table runs on the reference engine."""
    assert measured[1] == {}


def test_page_in_the_docs_is_fresh(measured):
    """docs/saved_tensors.md is what the measurement gives now."""
    text = (ROOT / "docs" / "saved_tensors.md").read_text(encoding="utf-8")

    assert text == saved.markdown(*measured)


def test_table_is_what_torch_does():
    """The recorded table is measured again on the torch at hand, for a few ops of each group."""
    torch = pytest.importorskip("torch")
    truth = saved.read(TRUTH.read_text(encoding="utf-8"))
    only = {r.op for k, r in enumerate(truth) if k % 12 == 0}

    rows, missing = saved.table(torch, only)

    assert missing == {}
    assert saved.differences(rows, truth) == []


def test_a_forgotten_save_is_seen():
    """A table whose row lacks a saved tensor differs in that column, and says so in words."""
    row = saved.Saved("mul", "binary", "self=T,other=F", "other", "none", "no", "", "MulBackward0")

    found = saved.differences([row._replace(saved_inputs="none")], [row])

    assert found == ["mul [self=T,other=F] saved_inputs: none, not other"]
