"""The language of programs: canonical JSON, names of programs, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.areas import AREAS
from conformance.chooser import SeededChooser
from conformance.generate import generate
from conformance.program import (
    Apply,
    Backward,
    Detach,
    Drop,
    Enter,
    Exit,
    Grad,
    InvalidProgram,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    RetainGrad,
    SetRequiresGrad,
    ZeroGrad,
    as_builtins,
    check_structure,
    fingerprint,
    from_builtins,
    from_json,
    rename,
    renumber,
    to_json,
)

LEAF = Leaf(0, (2,), (1.0, 2.5), "float64", True)
EVERY_STEP = Program(
    (
        LEAF,
        Leaf(1, (), (3.0,)),
        Apply("mul", (0, 1), (2,)),
        Apply("sum_dim", (2,), (3,), {"keepdim": False, "dim": -1}),
        Enter("no_grad"),
        Mutate("mul_scalar_", 1, (), {"value": 2.0}),
        Exit(),
        Detach(4, 2),
        SetRequiresGrad(4),
        RetainGrad(2),
        Backward((3,), (), True, False, (0,)),
        Backward((2,), ((1.0, 2.0),)),
        Grad((5,), (4,), (4,), (0,), None, True, True),
        ReadGrad(6, 0),
        ZeroGrad(0, False),
        Drop(6),
    ),
    exact=True,
)


def test_every_step_survives_json() -> None:
    """A program with all kinds of steps comes back from JSON as it was."""
    assert from_json(to_json(EVERY_STEP)) == EVERY_STEP
    assert from_builtins(as_builtins(EVERY_STEP)) == EVERY_STEP
    assert from_builtins(json.loads(to_json(EVERY_STEP))) == EVERY_STEP


def test_generated_programs_survive_json() -> None:
    """So do generated programs of every area, and their JSON is canonical: written again, it is the same."""
    for area in AREAS:
        chooser = SeededChooser(9)
        for _ in range(40):
            program, _ = generate(chooser, area)
            text = to_json(program)
            again = from_json(text)

            assert (again, to_json(again)) == (program, text)


def test_json_is_canonical() -> None:
    """Keys of parameters are in order and defaults are left out, so that one program has one text."""
    one = Program((LEAF, Apply("sum_dim", (0,), (1,), {"dim": 0, "keepdim": True})))
    two = Program((LEAF, Apply("sum_dim", (0,), (1,), {"keepdim": True, "dim": 0})))
    expected = (
        '{"steps":[{"step":"leaf","out":0,"shape":[2],"values":[1.0,2.5],"requires_grad":true},'
        '{"step":"apply","op":"sum_dim","inputs":[0],"outs":[1],"params":{"dim":0,"keepdim":true}}]}'
    )

    assert to_json(one) == to_json(two) == expected


def test_the_fingerprint_names_the_content() -> None:
    """Sixteen hexadecimal digits, the same for equal programs and others for others, and never changed by a release."""
    assert fingerprint(Program((LEAF,))) == fingerprint(from_json(to_json(Program((LEAF,)))))
    assert fingerprint(Program((LEAF,))) != fingerprint(Program((LEAF,), exact=True))
    assert fingerprint(Program(())) == "4430e7786edc0f84"


MALFORMED: tuple[tuple[str, str], ...] = (
    ("", "truncated"),
    ("nonsense", "malformed"),
    ("[]", "Expected `object`, got `array`"),
    ("{}", "missing required field `steps`"),
    ('{"steps":[], "format": 99}', "format 99 is not the format 1 that this version reads - at `$.format`"),
    ('{"steps":3}', "Expected `array`, got `int` - at `$.steps`"),
    ('{"steps":[{}]}', "missing required field `step` - at `$.steps[0]`"),
    ('{"steps":[{"step":"fly"}]}', "Invalid value 'fly' - at `$.steps[0].step`"),
    ('{"steps":[{"step":"leaf","out":"x","shape":[],"values":[1]}]}', "Expected `int`, got `str` - at `$.steps[0].out`"),
    ('{"steps":[{"step":"leaf","out":0,"values":[1]}]}', "missing required field `shape` - at `$.steps[0]`"),
    ('{"steps":[{"step":"leaf","out":0,"shape":["a"],"values":[1]}]}', "at `$.steps[0].shape[0]`"),
    ('{"steps":[{"step":"leaf","out":0,"shape":[],"values":[1],"dtype":"int8"}]}', "at `$.steps[0].dtype`"),
    ('{"steps":[{"step":"enter","mode":"maybe"}]}', "at `$.steps[0].mode`"),
    ('{"steps":[{"step":"backward","roots":[0]}]}', "slot 0 is not filled before this step - at `$.steps[0]`"),
)


@pytest.mark.parametrize(("text", "reason"), MALFORMED)
def test_malformed_json_is_refused_at_its_place(text: str, reason: str) -> None:
    """The message says what was expected and where."""
    with pytest.raises(InvalidProgram) as caught:
        from_json(text)

    assert reason in str(caught.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    """So is what is not UTF-8, and what is nested too deep."""
    for text in (b'{"steps":[{"step":"\xff"}]}', b"[" * 100_000):
        with pytest.raises(InvalidProgram):
            from_json(text)


ILL_FORMED: tuple[tuple[tuple[Any, ...], str], ...] = (
    ((Drop(0),), "slot 0 is not filled before this step - at `$.steps[0]`"),
    ((LEAF, LEAF), "slot 0 is already filled or negative - at `$.steps[1]`"),
    ((Leaf(-1, (), (1.0,)),), "slot -1 is already filled or negative - at `$.steps[0]`"),
    ((LEAF, Drop(0), RetainGrad(0)), "slot 0 was dropped before this step - at `$.steps[2]`"),
    ((LEAF, Drop(0), LEAF), "slot 0 is already filled or negative - at `$.steps[2]`"),
    ((LEAF, Apply("add", (0, 7), (1,))), "slot 7 is not filled before this step - at `$.steps[1]`"),
    ((LEAF, Backward((0,), (3,))), "slot 3 is not filled before this step - at `$.steps[1]`"),
    ((LEAF, Backward((0,), (), None, False, (4,))), "slot 4 is not filled before this step - at `$.steps[1]`"),
    ((Exit(),), "exit without a region - at `$.steps[0]`"),
    ((Enter("no_grad"),), "a region is never closed - at `$.steps`"),
    ((Enter("no_grad"), Exit()) * 5001, "10002 steps are more than 10000 - at `$.steps`"),
)


@pytest.mark.parametrize(("steps", "reason"), ILL_FORMED)
def test_ill_formed_programs_are_refused_at_their_place(steps: tuple[Any, ...], reason: str) -> None:
    """Slots are filled once, before they are read, and not read after they are dropped; regions are balanced."""
    with pytest.raises(InvalidProgram) as caught:
        check_structure(Program(steps))

    assert str(caught.value) == reason


def test_renumbering_counts_slots_in_order() -> None:
    """Slots become 0, 1, 2 ... in the order in which they are filled; a program so numbered stays."""
    sparse = Program((Leaf(7, (), (1.0,)), Leaf(3, (), (2.0,)), Apply("mul", (3, 7), (12,)), Backward((12,), (3,), inputs=(7,))))
    dense = Program((Leaf(0, (), (1.0,)), Leaf(1, (), (2.0,)), Apply("mul", (1, 0), (2,)), Backward((2,), (1,), inputs=(0,))))

    assert renumber(sparse) == dense
    assert renumber(dense) == dense


def test_renaming_leaves_literal_gradients() -> None:
    """A gradient of literal values is no slot."""
    step = Backward((1,), ((1.0, 2.0),))

    assert rename(step, {1: 5}) == Backward((5,), ((1.0, 2.0),))


@pytest.mark.parametrize(
    ("step", "reads", "makes"),
    [
        (LEAF, (), (0,)),
        (Apply("add", (0, 1), (2,)), (0, 1), (2,)),
        (Mutate("add_", 0, (1,)), (0, 1), ()),
        (Backward((2,), (1,), None, False, (0,)), (2, 0, 1), ()),
        (Grad((3, 4), (2,), (0, 1), (2,)), (2, 0, 1, 2), (3, 4)),
        (ReadGrad(1, 0), (0,), (1,)),
        (Enter("no_grad"), (), ()),
    ],
)
def test_steps_know_what_they_read_and_make(step: Any, reads: tuple[int, ...], makes: tuple[int, ...]) -> None:
    """Slots read are named with gradients and inputs; slots made are in order."""
    assert (step.reads(), step.makes()) == (reads, makes)
