"""Modes, threads and regions of a program end with it: whatever happens in one, the next is as if it ran first."""

from __future__ import annotations

from typing import Any, get_args

import pytest

torch = pytest.importorskip("torch")

from conformance.program import Mode, Program
from conformance.rules.grad_modes import exported, in_thread, inference, restored, saved_inference, switched
from conformance.scope import Scope
from conformance.sketch import Sketch

MODES: tuple[Mode, ...] = (
    "no_grad", "enable_grad", "inference_mode", "thread", "pack_same", "pack_copy", "pack_double", "pack_write",
)  # fmt: skip


def after(oracle: Any) -> Any:
    """What a plain program shows: a square, saved and differentiated."""
    s = Sketch()
    s.backward(s.op("square", s.leaf([1.0, 2.0])), [1.0, 3.0])
    return oracle.run(s.program())


def flags(observation: Any) -> dict[int, Any]:
    """The last flags of each slot."""
    return {slot: content for _, slot, facet, content in observation.sights if facet == "flags"}


def refused_in(*modes: Mode) -> Program:
    """A program that is refused in the innermost of these regions, each of which a later step would close."""
    s = Sketch()
    leaf = s.leaf([1.0, 2.0])
    regions = [s.region(mode) for mode in modes]
    for region in regions:
        region.__enter__()
    s.set_grad_mode(False)
    s.retain_grad(leaf)
    s.backward(s.constant([1.0, 2.0]), [1.0, 1.0])
    for region in reversed(regions):
        region.__exit__(None, None, None)
    return s.program()


@pytest.mark.parametrize("schedule", ["quick", "wide", "thorough"])
@pytest.mark.parametrize("mode", MODES)
def test_regions_are_closed_after_a_refusal(mode: Mode, schedule: str, oracle: Any) -> None:
    """A program that ends within a region leaves no mode, no thread and no hooks behind."""
    before = after(oracle)
    refused = oracle.run(refused_in(mode), schedule)

    assert refused.refusal.category == "root-without-grad"
    assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == (True, False)
    assert after(oracle) == before


@pytest.mark.parametrize("inner", MODES)
@pytest.mark.parametrize("outer", ["thread", "inference_mode", "pack_double"])
def test_nested_regions_are_closed_after_a_refusal(outer: Mode, inner: Mode, oracle: Any) -> None:
    """Innermost first, each in the thread that opened it."""
    before = after(oracle)
    refused = oracle.run(refused_in(outer, inner))

    assert refused.refusal is not None
    assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == (True, False)
    assert after(oracle) == before


def test_a_pack_that_refuses_is_popped(oracle: Any) -> None:
    """The refusal comes from the hook itself; the next program saves its tensors as ever."""
    before = after(oracle)
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("pack_write"):
        s.op("square", x)

    assert oracle.run(s.program()).refusal.category in ("hook", "leaf-written")
    assert after(oracle) == before


def test_a_switch_holds_to_the_end_of_the_program_only(oracle: Any) -> None:
    """set_grad_enabled(False) as the last word does not reach the next program."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.set_grad_mode(False)
    y = s.op("neg", x)
    observation = oracle.run(s.program())

    assert flags(observation)[y] == (False, True)
    assert torch.is_grad_enabled()


def test_a_switch_ends_with_the_region_around_it(oracle: Any) -> None:
    """The end of a region brings back the mode before it."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("enable_grad"):
        s.set_grad_mode(False)
        inside = s.op("neg", x)
    outside = s.op("neg", x)
    seen = flags(oracle.run(s.program()))

    assert (seen[inside], seen[outside]) == ((False, True), (True, False))


def test_a_thread_records_and_its_end_brings_back_the_mode(oracle: Any) -> None:
    """A thread begun under no_grad has a mode of its own."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("no_grad"):
        with s.region("thread"):
            inside = s.op("neg", x)
        outside = s.op("neg", x)
    seen = flags(oracle.run(s.program()))

    assert (seen[inside], seen[outside]) == ((True, False), (False, True))


def test_what_is_switched_in_a_thread_stays_there(oracle: Any) -> None:
    """The mode of the thread is not that of the program."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("thread"):
        s.set_grad_mode(False)
        inside = s.op("neg", x)
    outside = s.op("neg", x)
    seen = flags(oracle.run(s.program()))

    assert (seen[inside], seen[outside]) == ((False, True), (True, False))


@pytest.mark.parametrize(("program", "category"), [
    (switched, None), (restored, None), (in_thread, None), (inference, None), (saved_inference, "inference"),
    (exported, "export"),
])  # fmt: skip
def test_programs_of_modes_end_as_torch_says(program: Any, category: str | None, oracle: Any) -> None:
    """Tensors of inference mode are not saved, and the values of one with a history are not given away."""
    before = after(oracle)
    refusal = oracle.run(program()).refusal

    assert (refusal and refusal.category) == category
    assert after(oracle) == before


def test_what_comes_after_a_refused_write_is_well_typed(oracle: Any) -> None:
    """Outside of inference mode nothing is written into what it made, and a later view of it there does not require grad."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("inference_mode"):
        made = s.op("neg", x)
    s.write("mul_", made, x)
    with s.region("inference_mode"):
        view = s.op("t", made)
    program = s.program()
    refusal = oracle.run(program).refusal

    assert refusal
    assert refusal.category == "inference"
    assert not Scope.of(program).slots[view].requires_grad


def test_a_detached_tensor_is_exported(oracle: Any) -> None:
    """Its values are seen where they leave the engine."""
    s = Sketch()
    x = s.detach(s.leaf([1.0, 2.0]))
    s.export(x)

    assert (2, x, "exported", [1.0, 2.0]) in oracle.run(s.program()).sights


def test_every_mode_of_the_language_is_tried() -> None:
    """The table above is that of the language."""
    assert set(MODES) == set(get_args(Mode))
