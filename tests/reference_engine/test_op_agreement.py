"""Every op agrees with torch: values, gradients, second gradients and forward derivatives, in each dtype and odd shapes.

Each call of data/op_table.txt runs with ordinary operands in every dtype, and once with odd ones: sizes of 1 and 0, 0-dim
operands, broadcasting, operands that lie in memory in another way. Which of these and in which dtype is drawn from the
call's text; with EVERY_VARIANT=1 in the environment all of them run (minutes).
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import reference_engine
import reference_engine.autograd.forward_ad

torch = pytest.importorskip("torch")
pytest.importorskip("torch.autograd.forward_ad")

sys.path.insert(0, os.path.dirname(__file__))
from op_accidents import excused
from op_inputs import DTYPES, VARIANTS, Call, applies, calls, seed
from op_outcome import Outcome, differences

EVERY_VARIANT = bool(os.environ.get("EVERY_VARIANT"))
CALLS = calls()


def odd_variants(call: Call) -> list[tuple[str, str]]:
    """The dtypes and variants to run besides the plain one."""
    fitting = [(d, v) for d in DTYPES for v in VARIANTS[1:] if applies(call, v)]
    if EVERY_VARIANT or not fitting:
        return fitting
    return [fitting[seed("variant", call.text).integers(len(fitting))]]


def disagreements(call: Call, dtype: str, variant: str) -> dict[str, tuple]:
    """What torch and the reference engine answer differently: question -> both answers."""
    expected, actual = (Outcome(module, call, dtype, variant) for module in (torch, reference_engine))
    found = [what for what in differences(expected, actual) if not excused(call.text, dtype, variant, what)]
    return {what: tuple(o.messages.get(what, o.found.get(what)) for o in (expected, actual)) for what in found}


@pytest.fixture(scope="module", autouse=True)
def _alone():
    """On arrays as small as these a second thread of torch's only gets in the way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("call", CALLS, ids=[c.text for c in CALLS])
def test_op_agrees_with_torch(call):
    """Values, gradients, second gradients, forward derivatives and refusals are torch's: plain in every dtype, and once odd."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        runs = [*((d, "plain") for d in DTYPES), *odd_variants(call)]
        found = {run: disagreements(call, *run) for run in runs}

    assert not any(found.values()), found


def test_every_core_op_is_in_the_table():
    """All ops that ATen tags as core and that are differentiable are called under their own names."""
    names = (Path(__file__).parent / "data" / "core_ops.txt").read_text(encoding="utf-8").split()
    called = {c.text.partition("(")[0].removeprefix("A.") for c in CALLS if c.text.startswith("A.")}

    assert sorted(set(names) - called - {n for n in names if n.partition(".")[0] in called}) == []
