"""Programs with hooks, modes and assigned gradients: their JSON, their structure, and that reduction keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from conformance import passes
from conformance.areas import BY_NAME
from conformance.chooser import SeededChooser
from conformance.generate import generate
from conformance.program import (
    Apply,
    AssignGrad,
    Backward,
    Drop,
    Enter,
    Exit,
    Export,
    Hook,
    InvalidProgram,
    Leaf,
    Program,
    SetGradMode,
    Unhook,
    as_builtins,
    check_structure,
    from_builtins,
    from_json,
    renumber,
    to_json,
)

LEAF = Leaf(0, (2,), (1.0, 2.5), "float64", True)
NEG = Apply("neg", (0,), (1,))
MODES = ("no_grad", "enable_grad", "inference_mode", "thread", "pack_same", "pack_copy", "pack_double", "pack_write")
PROTOCOL = Program(
    (
        LEAF,
        *(step for mode in MODES for step in (Enter(mode), Exit())),
        NEG,
        Hook(2, 1),
        Hook(3, 1, "node_before", "double"),
        Hook(4, 0, "accumulated", "forget"),
        Hook(5, 1, "node_after", "remove"),
        Hook(6, 0, "tensor", "misshape"),
        Unhook(2),
        SetGradMode(False),
        Leaf(7, (2,), (3.0, 5.0)),
        AssignGrad(0, 7),
        SetGradMode(True),
        Export(7),
        Backward((1,), (7,), handed=True),
    )
)


def test_json_gives_back_the_program() -> None:
    """Handles, kinds, actions, modes and handed gradients come back as they were."""
    text = to_json(PROTOCOL)

    assert from_json(text) == PROTOCOL
    assert to_json(from_json(text)) == text
    assert from_builtins(as_builtins(PROTOCOL)) == PROTOCOL


def test_defaults_are_left_out() -> None:
    """A plain hook has no kind and no action in its JSON, and a copied gradient no mark."""
    text = to_json(Program((LEAF, Hook(1, 0), Backward((0,), ((1.0, 1.0),)))))

    assert not any(word in text for word in ("kind", "action", "handed"))


INVALID: list[tuple[str, str, str]] = [
    ("a hook on a slot that is not there", '{"step":"hook","out":1,"target":4}', "slot 4 is not filled"),
    ("a hook with the number of a tensor", '{"step":"hook","out":0,"target":0}', "slot 0 is already filled"),
    ("an unhook of a handle that is not made", '{"step":"unhook","handle":1}', "slot 1 is not filled"),
    ("an unhook of a tensor", '{"step":"unhook","handle":0}', "slot 0 holds no handle"),
    ("an assignment of what is not there", '{"step":"assign_grad","target":0,"source":3}', "slot 3 is not filled"),
    ("an assignment to what is not there", '{"step":"assign_grad","target":3,"source":0}', "slot 3 is not filled"),
    ("an export of what is not there", '{"step":"export","target":2}', "slot 2 is not filled"),
    ("a kind that is not known", '{"step":"hook","out":1,"target":0,"kind":"module"}', "$.steps[1].kind"),
    ("an action that is not known", '{"step":"hook","out":1,"target":0,"action":"print"}', "$.steps[1].action"),
    ("a mode that is not known", '{"step":"enter","mode":"autocast"}', "$.steps[1].mode"),
    ("a mode that is a number", '{"step":"set_grad_enabled","value":1}', "$.steps[1].value"),
]


@pytest.mark.parametrize(("step", "message"), [row[1:] for row in INVALID], ids=[row[0].replace(" ", "-") for row in INVALID])
def test_what_is_wrong_is_named_with_its_place(step: str, message: str) -> None:
    """An InvalidProgram says which step it is about."""
    leaf = to_json(Program((LEAF,)))
    start = leaf.rindex("]")

    with pytest.raises(InvalidProgram) as error:
        from_json(f"{leaf[:start]},{step}{leaf[start:]}")

    assert message in str(error.value)
    assert "$.steps[1]" in str(error.value)


def test_a_dropped_tensor_takes_no_hook() -> None:
    """A hook on what was dropped is no program, nor a handle that is used as a tensor, nor one that is removed twice."""
    with pytest.raises(InvalidProgram, match=r"slot 0 was dropped .* `\$\.steps\[2\]`"):
        check_structure(Program((LEAF, Drop(0), Hook(1, 0))))
    with pytest.raises(InvalidProgram, match=r"slot 1 holds the handle of a hook .* `\$\.steps\[2\]`"):
        check_structure(Program((LEAF, Hook(1, 0), Drop(1))))
    with pytest.raises(InvalidProgram, match=r"slot 1 was dropped .* `\$\.steps\[3\]`"):
        check_structure(Program((LEAF, Hook(1, 0), Unhook(1), Unhook(1))))


def test_renumbering_renames_handles() -> None:
    """Handles are slots like others: unhook follows its hook."""
    program = Program((Leaf(7, (), (1.0,), "float64", True), Hook(3, 7), Hook(9, 7), Unhook(3), AssignGrad(7, 7)))

    assert renumber(program).steps[1:] == (Hook(1, 0), Hook(2, 0), Unhook(1), AssignGrad(0, 0))


PASSES: tuple[Callable[[Program], Iterator[tuple[object, ...]]], ...] = (
    passes.deletions, passes.leaves, passes.bypasses, passes.roots, passes.pure, passes.ops, passes.literals, passes.shapes,
    passes.plain_values,
)  # fmt: skip


@pytest.mark.parametrize("attempts", PASSES, ids=lambda attempts: attempts.__name__)
@pytest.mark.parametrize("area", ["hooks", "saved_hooks", "grad_modes", "identity"])
def test_reduction_keeps_the_structure(area: str, attempts: Callable[[Program], Iterator[tuple[object, ...]]]) -> None:
    """Whatever a pass takes away, what is left is a program: no unhook without its hook, no open region."""
    chooser = SeededChooser(8)
    for _ in range(40):
        program, _ = generate(chooser, BY_NAME[area])
        for steps in attempts(program):
            check_structure(Program(steps, program.exact))
