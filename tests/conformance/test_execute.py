"""Running a program on an engine: what is looked at, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from conformance import tolerance
from conformance.areas import AREA_NAMES, BY_NAME
from conformance.chooser import SeededChooser
from conformance.engine import Engine
from conformance.engines.torch_engine import TorchEngine
from conformance.execute import Executor
from conformance.features import Feature
from conformance.generate import generate
from conformance.observe import FACETS, facets_of
from conformance.program import Program, SetGradMode
from conformance.sketch import Sketch


def shown(observation: Any, facet: str) -> dict[int, Any]:
    """The last content of a facet for each slot."""
    return {slot: content for _, slot, found, content in observation.sights if found == facet}


def product() -> Program:
    """x * w and its backward; x is 0, w is 1, the product is 2."""
    s = Sketch()
    s.backward(s.op("mul", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])), [1.0, 10.0])
    return s.program()


def test_a_quick_run_shows_flags_gradients_and_values(oracle: Any) -> None:
    """Flags when a tensor is made, gradients after backward, values at the end."""
    seen = oracle.run(product())

    assert shown(seen, "flags") == {0: (True, True), 1: (True, True), 2: (True, False)}
    assert {k: v for k, v in shown(seen, "grad").items() if v is not None} == {0: [3.0, 50.0], 1: [1.0, 20.0]}
    assert shown(seen, "value") == {0: [1.0, 2.0], 1: [3.0, 5.0], 2: [3.0, 10.0]}
    assert (seen.refusal, seen.unsupported) == (None, None)


def test_a_thorough_run_shows_everything_after_every_step(oracle: Any) -> None:
    """Every facet of every slot that is there, step by step."""
    seen = oracle.run(product(), "thorough")
    first = {facet: content for step, slot, facet, content in seen.sights if (step, slot) == (0, 0)}

    assert first == {
        "value": [1.0, 2.0], "shape": (2,), "dtype": "float64", "requires_grad": True, "is_leaf": True, "grad_fn": False,
        "grad": None, "version": False, "base": None, "memory": 0,
    }  # fmt: skip
    looked = {(step, slot) for step, slot, facet, _ in seen.sights if facet in FACETS}
    assert looked == {(i, j) for i in range(4) for j in range(min(i, 2) + 1)}
    assert max(step for step, *_ in seen.sights) == 3, "what was seen after the last step is not looked at again"


@pytest.mark.parametrize("area", AREA_NAMES)
def test_quick_and_thorough_runs_agree(area: str, oracle: Any) -> None:
    """Both see the same values at the end and end in the same way.

    Left out are programs in which a constant with views gains a history: torch tells a view of it only once someone looks.
    """
    chooser = SeededChooser(2)
    for _ in range(60):
        program, scope = generate(chooser, BY_NAME[area])
        if scope.features & Feature.FLAG_GAINED_IN_PLACE and scope.features & (Feature.BASE_WRITTEN | Feature.VIEW_WRITTEN):
            continue
        quick, thorough = oracle.run(program), oracle.run(program, "thorough")
        last = shown(thorough, "value")

        assert (quick.refusal and quick.refusal[:2]) == (thorough.refusal and thorough.refusal[:2])
        for slot, value in shown(quick, "value").items():  # where data lie in memory may decide how torch sums floats
            assert tolerance.within_units(last[slot], value, tolerance.EPSILON["float32"])


def test_a_refusal_is_data(oracle: Any) -> None:
    """What the engine raises ends the run; its step and category are kept, and the values then."""
    s = Sketch()
    s.write("mul_scalar_", s.leaf([1.0, 2.0]), value=2.0)
    seen = oracle.run(s.program())

    assert (seen.refusal.step, seen.refusal.category) == (1, "leaf-written")
    assert shown(seen, "value") == {0: [1.0, 2.0]}


def test_regions_are_closed_after_a_refusal(oracle: Any) -> None:
    """A program refused inside a region leaves no mode behind."""
    import torch

    s = Sketch()
    with s.region():
        s.grad(s.leaf([1.0]), [s.leaf([1.0])])
    seen = oracle.run(s.program())

    assert seen.refusal is not None
    assert torch.is_grad_enabled()


def test_with_stashing_nothing_that_was_saved_is_missed(oracle: Any) -> None:
    """A saved tensor changed in place is refused, but not where nodes save copies: then the old value counts."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    h = s.op("mul_scalar", x, value=2.0)
    y = s.op("square", h)
    s.write("mul_scalar_", h, value=0.5)
    s.backward(y, [1.0, 1.0])
    program = s.program()

    assert oracle.run(program).refusal.category == "version"
    assert shown(oracle.run(program, stash=True), "grad")[0] == [8.0, 16.0]


def test_grad_gives_none_for_what_is_unused(oracle: Any) -> None:
    """The slot stays empty, and its value is seen as None."""
    s = Sketch()
    x, u = s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])
    used, unused = s.grad(s.op("neg", x), [x, u], [1.0, 5.0], allow_unused=True)
    seen = shown(oracle.run(s.program()), "value")

    assert (seen[used], seen[unused]) == ([-1.0, -5.0], None)


def test_a_dropped_tensor_is_seen_to_die(oracle: Any) -> None:
    """What no node saved dies with its last name; what a node saved lives on."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    h, g = s.op("neg", x), s.op("mul_scalar", x, value=2.0)
    s.op("add_scalar", h, value=1.0)
    s.op("square", g)
    s.drop(h)
    s.drop(g)
    seen = shown(oracle.run(s.program(), "thorough"), "alive")

    assert (seen[h], seen[g]) == (False, True)


class Lacking(TorchEngine):
    """Torch without versions and without cos."""

    version_of = None  # type: ignore[assignment]
    ops = {k: v for k, v in TorchEngine.ops.items() if k != "cos"}

    def has(self, method: str) -> bool:
        return method != "version_of" and super().has(method)


def test_what_an_engine_does_not_show_is_not_looked_at() -> None:
    """Facets without a method are left out, and so they are for the other side of a comparison."""
    engine = Lacking()
    seen = Executor(engine).run(product(), "thorough")

    assert "version" not in facets_of(engine)
    assert shown(seen, "version") == {}


def test_a_dtype_that_an_engine_lacks_is_unsupported() -> None:
    """What an adapter does not list among its dtypes is never asked of it."""

    class Doubles(TorchEngine):
        dtypes = ("float64",)

    s = Sketch()
    s.leaf([1.0], dtype="float32")

    assert Executor(Doubles()).run(s.program()).unsupported == "torch has no leaves of float32"


def test_a_switch_that_an_engine_lacks_is_unsupported() -> None:
    """An engine without a switch of grad modes is not asked to switch back."""

    class Unswitched(TorchEngine):
        set_grad_enabled = Engine.set_grad_enabled

    program = Program((SetGradMode(False),))

    assert Executor(Unswitched()).run(program).unsupported == "torch has no switch of grad modes"


def test_an_op_that_an_engine_lacks_is_unsupported() -> None:
    """Not a refusal: the program is not judged."""
    s = Sketch()
    s.op("cos", s.leaf([1.0]))
    seen = Executor(Lacking()).run(s.program())

    assert (seen.refusal, seen.unsupported) == (None, "torch has no cos")


class Exits(TorchEngine):
    """An engine whose backward ends the process."""

    def backward(self, *arguments: Any) -> None:
        raise SystemExit(1)

    def categorize(self, error: BaseException) -> Any:
        return "nonsense"


def test_a_foreign_engine_cannot_end_the_run() -> None:
    """SystemExit is a refusal, and a category that does not exist counts as unknown."""
    seen = Executor(Exits()).run(product())

    assert (seen.refusal.step, seen.refusal.category) == (3, "other")


def test_gradients_given_are_fresh_each_time(oracle: Any) -> None:
    """A literal gradient of two backwards is two tensors: an engine may keep what it is given."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    for _ in range(2):
        s.backward(x, [1.0, 3.0])

    assert shown(oracle.run(s.program()), "grad") == {0: [2.0, 6.0]}


def test_zeros_without_memory_are_shown(oracle: Any) -> None:
    """The second derivative of abs is a tensor of zeros that torch does not even store."""
    s = Sketch()
    x = s.leaf([1.0, -2.0])
    (g,) = s.grad(s.op("abs", x), [x], [1.0, 3.0], create_graph=True)
    s.backward(g, [1.0, 1.0])
    seen = oracle.run(s.program())

    assert seen.refusal is None
    assert shown(seen, "grad")[0] == [0.0, 0.0]
