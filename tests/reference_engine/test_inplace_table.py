"""Every in-place op behaves as torch's: legality, version bump, node, what it saves, twice in a row."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import reference_engine

sys.path.insert(0, os.path.dirname(__file__))
import inplace_calls

TRUTH = inplace_calls.read((Path(__file__).parent / "data" / "inplace_ops.tsv").read_text(encoding="utf-8"))


@pytest.mark.parametrize("call", inplace_calls.calls(), ids=lambda c: c.name)
def test_in_place_op_is_as_in_the_table(call):
    """What can be seen of an in-place op on the reference engine is what was measured on torch."""
    actual = inplace_calls.measure(reference_engine, call)

    assert actual == TRUTH[call.name]


@pytest.mark.parametrize("call", inplace_calls.calls(), ids=lambda c: c.name)
def test_table_is_what_torch_does(call):
    """The table itself holds on the torch at hand."""
    torch = pytest.importorskip("torch")

    actual = inplace_calls.measure(torch, call)

    assert actual == TRUTH[call.name]
