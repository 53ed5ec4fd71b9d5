"""What hooks see and do on torch, and that they are noted call by call."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from conformance.observe import Observation
from conformance.program import HookAction, HookKind, Mode
from conformance.rules.hooks import hooked, on_constant, recorded, removed, removes_itself, several
from conformance.rules.saved_hooks import packed
from conformance.sketch import Sketch


def seen(observation: Observation, facet: str) -> list[tuple[int, int, Any]]:
    """Step, slot and content of all sights of a facet."""
    return [(step, slot, content) for step, slot, found, content in observation.sights if found == facet]


def gradient(observation: Observation, slot: int = 0) -> Any:
    """The last gradient of a slot."""
    return [content for _, found, content in seen(observation, "grad") if found == slot][-1]


# In hooked(), h = 2x and its gradient is [4, 24]; x receives twice that.
CALLED: list[tuple[HookKind, HookAction, bool, list[float], list[float] | None]] = [
    ("tensor", "see", False, [4.0, 24.0], [8.0, 48.0]),
    ("tensor", "double", False, [4.0, 24.0], [16.0, 96.0]),
    ("tensor", "remove", False, [4.0, 24.0], [8.0, 48.0]),
    ("tensor", "double", True, [8.0, 48.0], [16.0, 96.0]),
    ("node_before", "see", False, [4.0, 24.0], [8.0, 48.0]),
    ("node_before", "double", False, [4.0, 24.0], [16.0, 96.0]),
    ("node_before", "remove", False, [4.0, 24.0], [8.0, 48.0]),
    ("node_after", "see", False, [8.0, 48.0], [8.0, 48.0]),
    ("node_after", "double", False, [8.0, 48.0], [16.0, 96.0]),
    ("node_after", "remove", False, [8.0, 48.0], [8.0, 48.0]),
    ("accumulated", "see", True, [8.0, 48.0], [8.0, 48.0]),
    ("accumulated", "remove", True, [8.0, 48.0], [8.0, 48.0]),
    ("accumulated", "forget", True, [8.0, 48.0], None),
]


@pytest.mark.parametrize(("kind", "action", "leaf", "expected", "after"), CALLED)
def test_a_hook_is_seen_once_with_its_gradient(
    kind: HookKind, action: HookAction, leaf: bool, expected: list[float], after: list[float] | None, oracle: Any
) -> None:
    """Where a hook hangs tells which gradient it sees, and what it does shows in the leaf's gradient."""
    observation = oracle.run(hooked(kind, action, leaf=leaf))

    assert seen(observation, "called") == [(4, 2, [[expected]])]
    assert seen(observation, "order") == [(4, 0 if leaf else 1, [(2, False)])]
    assert gradient(observation) == after


@pytest.mark.parametrize("kind", ["tensor", "node_before", "node_after"])
def test_a_gradient_of_another_shape_is_refused(kind: HookKind, oracle: Any) -> None:
    """What a hook gives back must fit, and what was seen in the refused step is left out."""
    observation = oracle.run(hooked(kind, "misshape"))

    assert observation.refusal[:2] == (4, "hook")
    assert seen(observation, "called") == seen(observation, "order") == []


def test_a_hook_on_a_constant_is_refused(oracle: Any) -> None:
    """A constant has no gradient to see."""
    observation = oracle.run(on_constant())

    assert observation.refusal[:2] == (1, "hook")


def test_hooks_of_one_tensor_are_called_in_order(oracle: Any) -> None:
    """The second sees what the first gave back."""
    observation = oracle.run(several())

    assert seen(observation, "order") == [(4, 1, [(2, False), (3, False)])]
    assert seen(observation, "called") == [(4, 2, [[[1.0, 3.0]]]), (4, 3, [[[2.0, 6.0]]])]


def test_a_removed_hook_is_not_called(oracle: Any) -> None:
    """Only the hook that was left is called."""
    observation = oracle.run(removed())

    assert [handle for _, handle, _ in seen(observation, "called")] == [3]
    assert gradient(observation) == [-1.0, -3.0]


def test_a_hook_that_removes_itself_is_called_in_one_pass(oracle: Any) -> None:
    """The hook after it is called in both."""
    observation = oracle.run(removes_itself())

    assert [(step, handle) for step, handle, _ in seen(observation, "called")] == [(4, 2), (4, 3), (5, 3)]


def test_a_hook_tells_whether_operations_are_recorded(oracle: Any) -> None:
    """Under create_graph they are, and a doubled gradient is part of the graph."""
    observation = oracle.run(recorded())

    assert seen(observation, "order") == [(4, 1, [(2, True)])]


def test_an_engine_that_shows_no_mode_is_not_asked_for_it(torch_engine: Any) -> None:
    """Calls are compared without the mode where only one side tells it."""
    from conformance.execute import Executor

    executor = Executor(torch_engine, frozenset({"value", "grad"}))

    assert seen(executor.run(hooked()), "order") == [(4, 1, [(2, None)])]


def test_a_gradient_that_is_undefined_is_left_out(oracle: Any) -> None:
    """A node with two results of which one is used has one gradient coming in."""
    s = Sketch()
    first, _ = s.ops("unbind", s.leaf([[1.0, 2.0], [3.0, 5.0]]), dim=0)
    s.hook(first, "node_before")
    s.backward(first, [1.0, 3.0])
    observation = oracle.run(s.program())
    defined = [content for _, _, content in seen(observation, "called")]

    assert defined == [[[[1.0, 3.0]]]]
    assert gradient(observation) == [[1.0, 3.0], [0.0, 0.0]]


def test_the_sequence_holds_hooks_of_results_alone(oracle: Any) -> None:
    """In which order leaves are served, torch leaves open."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    h = s.op("neg", x)
    s.hook(x)
    on_result = s.hook(h)
    s.backward(h, [1.0, 3.0])
    observation = oracle.run(s.program())

    assert seen(observation, "sequence") == [(4, -1, [on_result])]
    assert {target for _, target, _ in seen(observation, "order")} == {x, h}


# In packed(), y = h * h at h = [1, 2] with the gradient [1, 3]; a write doubles h before backward.
PACKS: list[tuple[Mode, bool, list[float]]] = [
    ("pack_same", False, [2.0, 12.0]),
    ("pack_same", True, [4.0, 24.0]),
    ("pack_copy", False, [2.0, 12.0]),
    ("pack_copy", True, [2.0, 12.0]),
    ("pack_double", False, [4.0, 24.0]),
    ("pack_double", True, [8.0, 48.0]),
]


@pytest.mark.parametrize(("mode", "write", "after"), PACKS)
def test_what_is_packed_is_seen_and_unpacked_as_the_mode_says(mode: Mode, write: bool, after: list[float], oracle: Any) -> None:
    """The node packs its operand in the step that makes it; backward computes with what unpacking gives."""
    observation = oracle.run(packed(mode, write=write))

    assert seen(observation, "packed") == [(3, -1, [[1.0, 2.0]])]
    assert gradient(observation) == after


def test_a_pack_that_writes_is_refused(oracle: Any) -> None:
    """Torch says so in the step that saves."""
    observation = oracle.run(packed("pack_write"))

    assert observation.refusal[:2] == (3, "hook")


@pytest.mark.parametrize(("outer", "inner", "after"), [
    ("pack_double", "pack_same", [2.0, 12.0]),
    ("pack_same", "pack_double", [4.0, 24.0]),
    ("pack_double", "pack_double", [4.0, 24.0]),
])  # fmt: skip
def test_the_innermost_pack_alone_applies(outer: Mode, inner: Mode, after: list[float], oracle: Any) -> None:
    """A tensor is packed once, by the innermost pair."""
    observation = oracle.run(packed(outer, inner=inner))

    assert seen(observation, "packed") == [(4, -1, [[1.0, 2.0]])]
    assert gradient(observation) == after
