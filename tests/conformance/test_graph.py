"""The autograd graph of a program, told from its scope: nodes, what they saved, and where a difference stands in it."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.areas import AREAS
from conformance.chooser import SeededChooser
from conformance.compare import Difference
from conformance.generate import generate
from conformance.graph import graph, history, overtaken
from conformance.program import Program
from conformance.record import Graph
from conformance.rules import RULES
from conformance.sketch import Sketch
from conformance.vocabulary import Vocabulary


def missed(program: Program, category: str = "") -> Difference:
    """The last step was to be refused."""
    return Difference("missed error", len(program) - 1, -1, "error", "a refusal", None, category)


def edges(drawn: Graph) -> list[tuple[int, int, str]]:
    """The edges as (from, to, kind)."""
    return [(edge.source, edge.target, edge.kind) for edge in drawn.edges]


def wrong(drawn: Graph) -> list[tuple[int, int, str]]:
    """The edges that went wrong."""
    return [(edge.source, edge.target, edge.kind) for edge in drawn.edges if edge.wrong]


def test_a_saved_input_that_was_written() -> None:
    """The write points at the node that had saved, with both versions."""
    program = RULES["versions.saved-input"].exemplar()
    drawn = graph(program, missed(program, "version"))
    (save,) = [save for node in drawn.nodes for save in node.saves if save.wrong]

    assert [(node.kind, node.label) for node in drawn.nodes] == [
        ("leaf", "leaf"), ("op", "mul_scalar"), ("op", "square"), ("write", "mul_scalar_"), ("walk", "backward()"),
    ]  # fmt: skip
    assert (save.name, save.role, save.version, save.now) == ("b", "input", 0, 1)
    assert wrong(drawn) == [(3, 2, "write")]
    assert next(edge.label for edge in drawn.edges if edge.wrong) == "b was version 0, is 1"


def test_a_write_becomes_the_history_of_what_it_wrote() -> None:
    """What uses the tensor afterwards comes from the write, also where the write went through a view."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    s.write("mul_scalar_", s.op("select", h, dim=0, index=0), value=3.0)
    s.backward(h, [1.0, 1.0])
    program = s.program()

    assert edges(graph(program, missed(program))) == [
        (0, 1, "gradient"), (1, 2, "gradient"), (2, 3, "gradient"), (1, 3, "gradient"), (3, 4, "walk"),
    ]  # fmt: skip


def test_gradients_do_not_pass_what_is_detached() -> None:
    """A detached alias hands on values alone."""
    s = Sketch()
    a = s.leaf([1.0, 2.0])
    s.backward(s.op("mul", a, s.detach(a)), [1.0, 1.0])
    program = s.program()

    assert edges(graph(program, missed(program))) == [(0, 1, "value"), (0, 2, "gradient"), (1, 2, "value"), (2, 3, "walk")]


@pytest.mark.parametrize(("slot", "where"), [(0, [(0, 2, "gradient")]), (1, [(1, 2, "gradient")])])
def test_a_wrong_gradient_came_along_an_edge(slot: int, where: list[Any]) -> None:
    """The edge from the op to the leaf whose gradient is wrong."""
    s = Sketch()
    s.backward(s.op("mul", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])), [1.0, 10.0])
    drawn = graph(s.program(), Difference("wrong value", 3, slot, "grad", [1.0, 2.0], [1.0, 3.0]))

    assert wrong(drawn) == where
    assert [edge.label for edge in drawn.edges if edge.wrong] == ["wrong gradient"]


def test_a_gradient_that_was_not_cleared_came_along_no_edge() -> None:
    """The backward before was right: it is the leaf that is wrong."""
    s = Sketch()
    a = s.leaf([1.0, 2.0])
    s.backward(a, [1.0, 1.0])
    s.zero_grad(a)
    drawn = graph(s.program(), Difference("wrong state", 2, 0, "grad", None, [1.0, 1.0]))

    assert wrong(drawn) == []
    assert [node.step for node in drawn.nodes if node.wrong] == [0]


def test_a_refusal_stands_between_root_and_walk() -> None:
    """Of two walks, the one that was to be refused."""
    program = RULES["lifetime.freed"].exemplar()

    assert wrong(graph(program, missed(program))) == [(1, 3, "walk")]


def test_what_is_wrong_of_a_tensor_stands_at_its_node() -> None:
    """A flag has no edge."""
    s = Sketch()
    s.detach(s.leaf([1.0]))
    drawn = graph(s.program(), Difference("wrong state", 1, 1, "requires_grad", False, True))

    assert [node.step for node in drawn.nodes if node.wrong] == [1]
    assert wrong(drawn) == []


def test_what_makes_no_node_is_noted() -> None:
    """Flags, hooks, regions and deletions stand at the tensor that they concern."""
    s = Sketch()
    a = s.leaf([1.0])
    b = s.op("mul_scalar", a, value=2.0)
    s.retain_grad(b)
    s.backward(b, [1.0])
    drawn = graph(s.program(), missed(s.program()))

    assert [node.notes for node in drawn.nodes] == [[], ["b.retain_grad()"], []]


def test_the_last_write_comes_first() -> None:
    """Of several writes into what was saved, the last is told."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    s.op("square", h)
    for factor in (3.0, 5.0):
        s.write("mul_scalar_", h, value=factor)
    program = s.program()
    save, write = next(overtaken(*history(program, len(program))))

    assert (save.step, write.step, write.version) == (2, 4, 1)


@pytest.mark.parametrize("area", [area.name for area in AREAS])
def test_every_program_has_a_graph(area: str, oracle: Any) -> None:
    """Whatever is generated is drawn: edges join nodes that are there, and all but writes lead onwards."""
    vocabulary = Vocabulary.of(oracle.engine)
    chooser = SeededChooser(11)
    chosen = next(a for a in AREAS if a.name == area)
    for _ in range(20):
        program, _ = generate(chooser, chosen, vocabulary)
        drawn = graph(program, missed(program, "version"))
        steps = {node.step for node in drawn.nodes}

        assert {step for edge in drawn.edges for step in (edge.source, edge.target)} <= steps
        assert [edge for edge in drawn.edges if edge.source >= edge.target and edge.kind != "write"] == []
