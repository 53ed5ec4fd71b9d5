"""The layout of an autograd graph, and what a failure gives to take away."""

from __future__ import annotations

import ast
import re
from itertools import combinations

import msgspec
import pytest
import report_samples as samples

from conformance.record import Graph, GraphEdge, GraphNode
from conformance.report.drawing import MOST_NODES, Drawing, draw
from conformance.report.handout import issue_text, pytest_text


def chain(length: int, *extra: tuple[int, int]) -> Graph:
    """Nodes in a row, and more edges."""
    nodes = [GraphNode(step=n, kind="op", label="mul", variables=[f"v{n}"]) for n in range(length)]
    pairs = [*((n, n + 1) for n in range(length - 1)), *extra]
    return Graph(nodes=nodes, edges=[GraphEdge(source=a, target=b, kind="gradient") for a, b in pairs])


def fan(width: int) -> Graph:
    """One node that many use."""
    nodes = [GraphNode(step=n, kind="op", label="x" * (n % 5 + 1), notes=["n"] * (n % 3)) for n in range(width + 1)]
    return Graph(nodes=nodes, edges=[GraphEdge(source=0, target=n, kind="gradient") for n in range(1, width + 1)])


def drawn(graph: Graph) -> Drawing:
    """A layout that is there."""
    drawing = draw(graph)
    assert drawing is not None
    return drawing


@pytest.mark.parametrize(
    "graph", [samples.graph(), chain(6), chain(5, (0, 3), (0, 4), (1, 4)), fan(9)], ids=["written", "chain", "skips", "fan"]
)
def test_boxes_do_not_overlap_and_lie_within(graph: Graph) -> None:
    """No box covers another, nothing has a negative place or passes the edge of the drawing."""
    drawing = drawn(graph)
    boxes = drawing.boxes
    overlapping = [
        (a.node.step, b.node.step)
        for a, b in combinations(boxes, 2)
        if a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
    ]

    assert overlapping == []
    assert min(box.x for box in boxes) >= 0
    assert min(box.y for box in boxes) >= 0
    assert max(box.x + box.width for box in boxes) <= drawing.width
    assert max(box.y + box.height for box in boxes) <= drawing.height


def test_time_runs_to_the_right() -> None:
    """What uses a node stands to its right; a leaf stands just before its first use."""
    boxes = {box.node.step: box for box in drawn(chain(4, (0, 3))).boxes}

    assert [boxes[n].x < boxes[n + 1].x for n in range(3)] == [True] * 3


@pytest.mark.parametrize("graph", [None, Graph(), chain(1), chain(MOST_NODES + 1)], ids=["none", "empty", "one", "many"])
def test_what_tells_nothing_is_not_drawn(graph: Graph | None) -> None:
    """A graph that is missing, too small or too large has no drawing."""
    assert draw(graph) is None


def test_edges_that_lead_nowhere_are_left_out() -> None:
    """A hostile record draws what can be drawn."""
    graph = Graph(
        nodes=chain(2).nodes, edges=[GraphEdge(source=a, target=b, kind="gradient") for a, b in ((0, 9), (1, 0), (1, 1), (0, 1))]
    )

    assert [(line.edge.source, line.edge.target) for line in drawn(graph).lines] == [(0, 1)]


def test_the_words_say_what_the_drawing_shows() -> None:
    """Nodes with what they saved, edges, and where it went wrong."""
    words = drawn(samples.graph()).words

    assert "b: b = exp; step 2; saved b v0, now 1." in words
    assert "Gradients go back from step 2 to step 1." in words
    assert "step 3 changed what step 2 had saved: here it went wrong (b was version 0, is 1)." in words


def test_the_test_for_pytest_is_code_whatever_the_record_holds() -> None:
    """Everything that came from elsewhere stands in literals: there is one function, and it calls nothing else."""
    (hostile, _), header = samples.hostile().failures, samples.hostile().header
    tree = ast.parse(pytest_text(hostile, header))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}

    assert [type(node).__name__ for node in tree.body] == ["ImportFrom", "ImportFrom", "Assign", "FunctionDef"]
    assert calls == {"replay_text", "from_json"}


def test_an_engine_in_a_process_is_replayed_in_one() -> None:
    """The options that the run had are those of the test; where the record lies is not among them."""
    failure = msgspec.structs.replace(samples.failure(), replay="conformance replay f3 --isolate --deadline 5 --reports 'a b'")
    text = pytest_text(failure, samples.HEADER)
    ast.parse(text)

    assert "'--engine', 'mygrad', '--oracle', 'torch', '--isolate', '--deadline', '5']" in text


def test_the_issue_is_complete() -> None:
    """Title, proof, code, what is right and what comes, versions."""
    text = issue_text(samples.failure(), samples.HEADER, samples.RULES["versions.saved-result"])

    assert text.splitlines()[0] == "# Backward refuses when a result that it needs was changed in place: missed error"
    assert re.findall(r"^```(\w*)$", text, re.MULTILINE) == ["python", "", "", "", "", ""]
    assert "Versions: mygrad 2.3.0, torch 2.13.0, numpy 2.2.0, python 3.11.2." in text


def test_nothing_in_an_issue_dresses_up() -> None:
    """Markup, mentions and fences in what an engine says are text."""
    nasty = msgspec.structs.replace(
        samples.failure(), proof="`x` <b> [a](b) @all", engine_script="print(1)\n```\n# not code\n````\n"
    )
    text = issue_text(nasty, samples.HEADER, None)

    assert r"\`x\` \<b\> [a\](b) &#64;all" in text
    assert text.count("`````") == 2
