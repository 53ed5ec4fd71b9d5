"""Programs as torch code that stands alone."""

from __future__ import annotations

import ast
import warnings
from typing import Any

import pytest

from conformance.areas import AREA_NAMES, BY_NAME
from conformance.catalog import CATALOG
from conformance.chooser import SeededChooser
from conformance.compare import Difference
from conformance.generate import generate
from conformance.program import Program
from conformance.scope import Scope
from conformance.script import Script, nested, variable
from conformance.sketch import Sketch


def carried_out(text: str) -> tuple[dict[str, Any], bool]:
    """The variables that a script leaves behind, and whether it was refused."""
    scope: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(text, scope)
    except RuntimeError:
        return scope, True
    return scope, False


@pytest.mark.parametrize("area", AREA_NAMES)
def test_a_script_does_what_the_executor_does(area: str, oracle: Any) -> None:
    """The torch script of a program leaves the same values and gradients behind, and is refused where the program is."""
    torch = pytest.importorskip("torch")
    chooser = SeededChooser(14)
    compared = 0
    for _ in range(60):
        program, _ = generate(chooser, BY_NAME[area])
        seen = oracle.run(program)
        text = Script(program).text()
        scope, refused = carried_out(text)
        torch.set_grad_enabled(True)

        assert refused is (seen.refusal is not None), text
        if refused:
            continue
        last = {(slot, facet): content for _, slot, facet, content in seen.sights if facet in ("value", "grad")}
        untold = {slot for (slot, facet), content in last.items() if isinstance(content, str)}  # views written past
        for (slot, facet), content in last.items():
            tensor = scope.get(variable(slot))
            if tensor is None or content is None or slot in untold:
                continue
            shown = tensor if facet == "value" else tensor.grad

            assert repr(shown.clone().tolist()) == repr(content), text
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("area", AREA_NAMES)
def test_a_script_imports_only_torch(area: str) -> None:
    """Nothing of the suite's is needed to run it, and beside torch only the standard library's threads."""
    chooser = SeededChooser(15)
    for _ in range(50):
        program, _ = generate(chooser, BY_NAME[area])
        tree = ast.parse(Script(program).text())
        imports = (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
        imported = {alias.name for node in imports for alias in node.names}

        assert {"torch"} <= imported <= {"torch", "ThreadPoolExecutor"}


def product() -> Program:
    """x * w and its backward."""
    s = Sketch()
    s.backward(s.op("mul", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])), [1.0, 10.0])
    return s.program()


def test_a_script_reads_like_one_written_by_hand() -> None:
    """Variables a, b, c; literals; the options that are not the defaults."""
    expected = (
        "import torch\n\n"
        "a = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)\n"
        "b = torch.tensor([3.0, 5.0], dtype=torch.float64, requires_grad=True)\n"
        "c = torch.mul(a, b)\n"
        "c.backward(torch.tensor([1.0, 10.0], dtype=torch.float64))\n"
    )

    assert Script(product()).text() == expected


def test_the_difference_comes_last() -> None:
    """The right and the wrong answer stand beside what prints it."""
    difference = Difference("wrong value", 3, 1, "grad", [1.0, 20.0], [1.0, 1.0])

    assert Script(product()).text(difference).splitlines()[-1] == "print(b.grad)  # right: [1.0, 20.0]; wrong: [1.0, 1.0]"


@pytest.mark.parametrize(("kind", "note"), [("missed error", "# must raise"), ("spurious error", "# must not raise")])
def test_a_refusal_is_noted_at_its_line(kind: Any, note: str) -> None:
    """The line that must raise, or must not, says so."""
    text = Script(product()).text(Difference(kind, 3, -1, "error", "", ""))

    assert text.splitlines()[-1].endswith(note)


def test_regions_are_indented() -> None:
    """A region is a with statement; an empty one has a body too."""
    s = Sketch()
    x = s.leaf([1.0])
    with s.region():
        with s.region("enable_grad"):
            s.op("neg", x)
        with s.region():
            pass
    lines = Script(s.program()).text().splitlines()[3:]

    assert lines == [
        "with torch.no_grad():",
        "    with torch.enable_grad():",
        "        b = torch.neg(a)",
        "    with torch.no_grad():",
        "        pass",
    ]


def test_every_op_has_a_code_that_parses() -> None:
    """The codes of the catalogue are Python."""
    assert all(ast.parse(op.torch) for op in CATALOG.values())
    assert Script.codes == {name: op.torch for name, op in CATALOG.items()}


def test_slots_have_short_names() -> None:
    """a to z without l, which looks like 1; then a1, b1 ..."""
    names = [variable(slot) for slot in range(60)]

    assert names[:3] == ["a", "b", "c"]
    assert len(set(names)) == 60
    assert not {"l", "o1l"} & set(names)


def test_values_are_nested_as_their_shape() -> None:
    """Row-major order; a scalar is a number, and an empty tensor an empty list."""
    assert nested([1.0, 2.0, 3.0, 4.0], (2, 2)) == [[1.0, 2.0], [3.0, 4.0]]
    assert nested([5.0], ()) == 5.0
    assert nested([], (0,)) == []


def test_scripts_know_shapes_of_gradients() -> None:
    """A gradient of another shape than its root is written in its own."""
    s = Sketch()
    x = s.leaf([[1.0, 2.0]])
    s.backward(x, [1.0, 2.0])
    text = Script(s.program()).text()

    assert "a.backward(torch.tensor([1.0, 2.0], dtype=torch.float64))" in text
    assert Scope.of(s.program()).slots[x].shape == (1, 2)
