"""An autograd graph laid out to be drawn: columns from the leaves on the left to the walks on the right.

A node stands one column to the right of the last of what it comes from. Within columns, nodes are ordered by where their
neighbours stand; edges that span columns pass through the gaps between nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from conformance.record import Graph, GraphEdge, GraphNode
from conformance.report.text import clip, one_line

MOST_NODES = 60  # a larger graph tells a person nothing
LETTER, LINE, PAD, GAP, RISE = 7.25, 17.0, 9.0, 58.0, 22.0  # of the monospaced type, and of the boxes around it
LONGEST = 34  # characters of one line in a box
SWEEPS = 4


class Row(NamedTuple):
    """One line of text in a box; `style` is its class."""

    text: str
    style: str
    y: float


class Box(NamedTuple):
    """A node with its place; `x` and `y` are of its left upper corner, those of `rows` count from there."""

    node: GraphNode
    x: float
    y: float
    width: float
    height: float
    rows: tuple[Row, ...]


class Line(NamedTuple):
    """An edge as the path of an SVG, with the place of its label."""

    edge: GraphEdge
    path: str
    x: float
    y: float
    label: str


class Drawing(NamedTuple):
    """A graph laid out, and what it shows in words, for those who do not see it."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    words: str


def draw(graph: Graph | None) -> Drawing | None:
    """The layout of a graph; None where there is nothing to draw, or more than anyone can read.

    Edges of a record that lead to no node, or backwards in time where they may not, are left out.
    """
    if graph is None or not 2 <= len(graph.nodes) <= MOST_NODES:
        return None
    nodes = {node.step: node for node in graph.nodes}
    known = [e for e in graph.edges if e.source in nodes and e.target in nodes and e.source != e.target]
    flow = [e for e in known if e.source < e.target and e.kind != "write"]
    columns = _columns(sorted(nodes), flow)
    boxes = {box.node.step: box for box in _placed(nodes, columns, flow)}
    lines = tuple(
        _line(edge, boxes) for edge in sorted((e for e in known if e in flow or e.kind == "write"), key=lambda e: e.wrong)
    )
    # A line above the uppermost box, or a label beside the last, needs its own room.
    top = min([0.0, *(line.y - LINE for line in lines)])
    width = max([*(b.x + b.width for b in boxes.values()), *(line.x + len(line.label) * LETTER / 2 for line in lines)])
    height = max([*(b.y + b.height for b in boxes.values()), *(line.y + 6 for line in lines)])
    moved = tuple(box._replace(y=box.y - top) for box in boxes.values())
    placed = {box.node.step: box for box in moved}
    return Drawing(
        width + 2, height - top + 2, moved, tuple(_line(line.edge, placed) for line in lines), _words(graph, nodes, known)
    )


def _columns(steps: Sequence[int], flow: Sequence[GraphEdge]) -> dict[int, int]:
    """The column of each node: one to the right of the last that it comes from. Leaves stand just before their first use."""
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for edge in flow:
        before.setdefault(edge.target, []).append(edge.source)
        after.setdefault(edge.source, []).append(edge.target)
    columns: dict[int, int] = {}
    for step in steps:  # an edge leads from an earlier step to a later one, so that the steps are in topological order
        columns[step] = max((columns[source] + 1 for source in before.get(step, ())), default=0)
    for step in steps:
        if step not in before and step in after:
            columns[step] = min(columns[target] for target in after[step]) - 1
    return columns


def _placed(nodes: Mapping[int, GraphNode], columns: Mapping[int, int], flow: Sequence[GraphEdge]) -> Iterator[Box]:
    """The boxes: order within columns by the mean place of neighbours, then as near to them as the room allows."""
    near: dict[int, list[int]] = {step: [] for step in nodes}
    for edge in flow:
        near[edge.source].append(edge.target)
        near[edge.target].append(edge.source)
    sizes = {step: _size(node) for step, node in nodes.items()}
    grid: dict[int, list[int]] = {}
    for step in sorted(nodes):
        grid.setdefault(columns[step], []).append(step)
    middle = {step: float(place) * 60 for group in grid.values() for place, step in enumerate(group)}
    for sweep in range(SWEEPS):
        for column in sorted(grid, reverse=sweep % 2 == 1):
            wanted = {s: _mean([middle[n] for n in near[s]], middle[s]) for s in grid[column]}
            grid[column].sort(key=lambda s: (wanted[s], s))
            middle.update(_stacked(grid[column], wanted, {s: sizes[s][1] for s in grid[column]}))
    top = min(middle[s] - sizes[s][1] / 2 for s in nodes)
    gaps = {column: GAP for column in grid}
    for edge in flow:
        if edge.label and columns[edge.target] == columns[edge.source] + 1:
            gaps[columns[edge.source]] = max(gaps[columns[edge.source]], len(_cut(edge.label)) * LETTER + 24)
    x = 1.0
    for column in sorted(grid):
        width = max(sizes[s][0] for s in grid[column])  # one for the whole column: no line has to pass beside a wider box
        for step in grid[column]:
            _, height, rows = sizes[step]
            yield Box(nodes[step], x, middle[step] - height / 2 - top + 1, width, height, rows)
        x += width + gaps[column]


def _stacked(order: Sequence[int], wanted: Mapping[int, float], heights: Mapping[int, float]) -> dict[int, float]:
    """Middles in this order, as wanted where they do not overlap; a stack that was pushed down moves up by half of it."""
    middle: dict[int, float] = {}
    floor = -1e9
    for step in order:
        middle[step] = max(wanted[step], floor + heights[step] / 2)
        floor = middle[step] + heights[step] / 2 + RISE
    shift = sum(middle[s] - wanted[s] for s in order) / len(order)
    return {step: y - shift for step, y in middle.items()}


def _mean(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _size(node: GraphNode) -> tuple[float, float, tuple[Row, ...]]:
    """Width, height and lines of text of a node."""
    texts = list(_texts(node))
    rows = tuple(Row(text, style, PAD + LINE * place + 11.5) for place, (text, style) in enumerate(texts))
    return max(len(text) for text, _ in texts) * LETTER + 2 * PAD, len(texts) * LINE + 2 * PAD - 3, rows


def _texts(node: GraphNode) -> Iterator[tuple[str, str]]:
    """What a node says: its variable and op, its step, what was done to it, and what it saved at which version."""
    made = ", ".join(node.variables)
    name = (
        made if node.kind in ("leaf", "constant") else f"{made} = {node.label}" if made and node.kind != "write" else node.label
    )
    yield _cut(f"{made}: {node.label}" if node.kind == "write" else name), "name"
    about = {"leaf": "leaf", "constant": "constant", "view": "view", "write": "in place", "detach": "no history"}.get(
        node.kind, ""
    )
    yield _cut(f"step {node.step + 1}" + (f", {about}" if about else "")), "about"
    for note in node.notes[:4]:
        yield _cut(note), "about"
    for save in node.saves[:6]:
        now = f", now {save.now}" if save.now != save.version else ""
        yield _cut(f"saved {save.name} v{save.version}{now}"), "saved wrong" if save.wrong else "saved stale" if now else "saved"


def _cut(text: str) -> str:
    """A line that fits into a box."""
    text = one_line(clip(text, 200))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _line(edge: GraphEdge, boxes: Mapping[int, Box]) -> Line:
    """An edge as a curve from the right side of one box to the left side of another; a write goes over the top."""
    source, target = boxes[edge.source], boxes[edge.target]
    label = _cut(edge.label)
    if edge.kind == "write":
        return _arch(edge, source, target, label)
    x1, y1 = source.x + source.width, source.y + source.height / 2
    x2, y2 = target.x, target.y + target.height / 2
    blocking = [b for b in boxes.values() if x1 < b.x + b.width and b.x < x2 and b not in (source, target)]
    crossed = [b for b in blocking if min(y1, y2) - 6 < b.y + b.height and b.y < max(y1, y2) + 6]
    if crossed:  # it spans columns with something in its way: it goes beneath all of that, or above if that is nearer
        under, over = max(b.y + b.height for b in crossed) + 12, min(b.y for b in crossed) - 12
        level = under if abs(under - (y1 + y2) / 2) <= abs(over - (y1 + y2) / 2) else over
        left, right = min(b.x for b in crossed) - 4, max(b.x + b.width for b in crossed) + 4
        bends = (
            f"C{_n((x1 + left) / 2)} {_n(y1)} {_n((x1 + left) / 2)} {_n(level)} {_n(left)} {_n(level)}"
            f"H{_n(right)}C{_n((right + x2) / 2)} {_n(level)} {_n((right + x2) / 2)} {_n(y2)} {_n(x2)} {_n(y2)}"
        )
        return Line(edge, f"M{_n(x1)} {_n(y1)}{bends}", (left + right) / 2, level - 5, label)
    half = (x2 - x1) / 2
    path = f"M{_n(x1)} {_n(y1)}C{_n(x1 + half)} {_n(y1)} {_n(x2 - half)} {_n(y2)} {_n(x2)} {_n(y2)}"
    return Line(edge, path, (x1 + x2) / 2, (y1 + y2) / 2 - 6, label)


def _arch(edge: GraphEdge, source: Box, target: Box, label: str) -> Line:
    """From the top of one box to the top of another."""
    x1, x2 = source.x + source.width / 2, target.x + target.width / 2
    if abs(x1 - x2) < 30:  # one above the other: out to the left and back
        x1 = x2 = min(source.x, target.x)
        y1, y2 = source.y + source.height / 2, target.y + target.height / 2
        path = f"M{_n(source.x)} {_n(y1)}C{_n(x1 - 34)} {_n(y1)} {_n(x2 - 34)} {_n(y2)} {_n(target.x)} {_n(y2)}"
        upper, lower = sorted((source, target), key=lambda box: box.y)
        return Line(edge, path, source.x + source.width / 2, (upper.y + upper.height + lower.y) / 2 + 4, label)
    top = min(source.y, target.y) - 34
    path = f"M{_n(x1)} {_n(source.y)}C{_n(x1)} {_n(top)} {_n(x2)} {_n(top)} {_n(x2)} {_n(target.y)}"
    return Line(edge, path, (x1 + x2) / 2, (source.y + target.y + 6 * top) / 8 - 5, label)


def _n(number: float) -> str:
    """A coordinate, short."""
    return f"{number:.1f}".removesuffix(".0")


def _words(graph: Graph, nodes: Mapping[int, GraphNode], edges: Sequence[GraphEdge]) -> str:
    """The drawing as sentences."""
    said = [f"{_cut(', '.join(n.variables) or n.label)}: {'; '.join(text for text, _ in _texts(n))}." for n in graph.nodes]
    kinds = {
        "gradient": "Gradients go back from {1} to {0}",
        "write": "{0} changed what {1} had saved",
        "walk": "{1} starts from {0}",
    }
    for edge in edges:
        if edge.wrong or edge.kind in ("gradient", "walk"):
            ends = [f"step {nodes[step].step + 1}" for step in (edge.source, edge.target)]
            wrong = f": here it went wrong ({_cut(edge.label)})" if edge.wrong else ""
            said.append(f"{kinds.get(edge.kind, '{1} uses {0}').format(*ends)}{wrong}.")
    return " ".join(said)
