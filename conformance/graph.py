"""The autograd graph of a program, told without running it: what made what, what each node saved, and where it went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from conformance.catalog import CATALOG
from conformance.compare import Difference
from conformance.program import (
    AnyStep,
    Apply,
    AssignGrad,
    Backward,
    Detach,
    Drop,
    Enter,
    Exit,
    Export,
    Grad,
    Hook,
    Leaf,
    Mutate,
    Program,
    ReadGrad,
    RetainGrad,
    SetRequiresGrad,
    ZeroGrad,
)
from conformance.record import Graph, GraphEdge, GraphNode, GraphSave
from conformance.scope import Scope
from conformance.script import variable
from conformance.slots import Storage


class Save(NamedTuple):
    """The node of `step` kept a tensor: its input or its output, at a version."""

    storage: Storage
    op: str
    role: str
    name: str
    version: int
    step: int


class Write(NamedTuple):
    """An in-place op changed memory, from `version` to the next, through the variable `name`."""

    storage: Storage
    op: str
    name: str
    version: int
    step: int


def history(program: Program, end: int) -> tuple[list[Save], list[Write]]:
    """Everything saved and written before step `end`."""
    trace = Trace.of(program, end)
    return trace.saves, trace.writes


def overtaken(saves: list[Save], writes: list[Write]) -> Iterator[tuple[Save, Write]]:
    """What was saved and then written to, the latest write first."""
    for write in reversed(writes):
        for save in reversed(saves):
            if save.storage is write.storage and save.version <= write.version:
                yield save, write


def graph(program: Program, difference: Difference) -> Graph:
    """The graph of a program on which an engine differs, up to the step that shows it."""
    trace = Trace.of(program, difference.step + 1)
    wrong = _Wrong(trace, difference)
    nodes = [
        GraphNode(
            step=place, kind=node.kind, label=node.label, variables=node.variables, recorded=node.recorded, notes=node.notes,
            saves=[
                GraphSave(name=s.name, role=s.role, version=s.version, now=s.storage.version, wrong=s in wrong.saves)
                for s in trace.saves if s.step == place
            ],
            wrong=place in wrong.nodes,
        )
        for place, node in trace.nodes.items()
    ]  # fmt: skip
    drawn = list(dict.fromkeys([*trace.edges, *wrong.writes]))
    edges = [
        GraphEdge(source=e.source, target=e.target, kind=e.kind, label=wrong.labels.get(e, ""), wrong=e in wrong.edges)
        for e in drawn
    ]
    return Graph(nodes=nodes, edges=edges)


class _Node:
    """A node while it is built."""

    def __init__(self, kind: str, label: str, variables: list[str], recorded: bool) -> None:
        self.kind, self.label, self.variables, self.recorded = kind, label, variables, recorded
        self.notes: list[str] = []


class _Edge(NamedTuple):
    """An edge between the nodes of two steps."""

    source: int
    target: int
    kind: str


class Trace:
    """A program followed step by step: the nodes by the place of their step, and which node a slot comes from by now."""

    def __init__(self) -> None:
        self.scope = Scope()
        self.nodes: dict[int, _Node] = {}
        self.edges: list[_Edge] = []
        self.saves: list[Save] = []
        self.writes: list[Write] = []
        self.home: dict[int, int] = {}  # slot -> the step whose node it comes from
        self.regions: list[str] = []
        self.hooked: dict[int, int] = {}  # handle -> the slot that it hangs on
        self.assigning: set[int] = set()  # the steps that set a gradient themselves

    @classmethod
    def of(cls, program: Program, end: int) -> Trace:
        """The program up to step `end`."""
        trace = cls()
        for place, step in enumerate(program.steps[:end]):
            trace.take(place, step)
        return trace

    def take(self, place: int, step: AnyStep) -> None:
        """One more step."""
        before = {name: slot.requires_grad for name, slot in self.scope.slots.items()}
        if isinstance(step, Mutate):
            storage = self.scope.slots[step.target].storage
            self.writes.append(Write(storage, step.op, variable(step.target), storage.version, place))
        self.scope.apply(step)
        if isinstance(step, (ZeroGrad, AssignGrad)):
            self.assigning.add(place)
        if type(step) in _TAKERS:
            _TAKERS[type(step)](self, place, step, before)
        if place in self.nodes:
            self.nodes[place].notes += self.regions
            self.home.update(dict.fromkeys(step.makes(), place))

    def node(self, place: int, kind: str, label: str, outs: tuple[int, ...]) -> _Node:
        """A new node, recorded if one of its results requires grad."""
        recorded = any(self.scope.slots[o].requires_grad for o in outs if o in self.scope.slots)
        self.nodes[place] = _Node(kind, label, [variable(o) for o in outs], recorded)
        return self.nodes[place]

    def edge(self, slot: int, target: int, kind: str) -> None:
        """From the node that the slot comes from, unless it is the same node."""
        source = self.home.get(slot, target)
        edge = _Edge(source, target, kind)
        if source != target and edge not in self.edges:
            self.edges.append(edge)

    def note(self, slot: int, text: str) -> None:
        """Something that was done to a tensor and makes no node."""
        if slot in self.home:
            self.nodes[self.home[slot]].notes.append(text)

    # -- steps -----------------------------------------------------------------------------------------------------------

    def leaf(self, place: int, step: Leaf, before: dict[int, bool]) -> None:
        self.node(place, "leaf" if step.requires_grad else "constant", "leaf" if step.requires_grad else "constant", (step.out,))

    def apply(self, place: int, step: Apply, before: dict[int, bool]) -> None:
        shared = [self.scope.slots[o].storage is self.scope.slots[step.inputs[0]].storage for o in step.outs if step.inputs]
        node = self.node(place, "view" if any(shared) else "op", step.op, step.outs)
        self.flow(place, node, step.op, step.inputs, before)
        self.saves += self.saved(place, step.op, step.inputs, step.outs)

    def mutate(self, place: int, step: Mutate, before: dict[int, bool]) -> None:
        target = self.scope.slots[step.target]
        node = self.node(place, "write", step.op, (step.target,))
        node.recorded = node.recorded and self.scope.recording
        inputs = (step.target, *step.inputs)
        self.flow(place, node, step.op, inputs, before)
        self.saves += self.saved(place, step.op, inputs, (step.target,))
        for name, slot in self.scope.slots.items():  # the history of the memory's other views goes through the write too
            if slot is target or (node.recorded and slot.storage is target.storage and slot.base is target.base):
                if slot is not target:
                    self.edge(name, place, "gradient" if before.get(name) else "value")
                self.home[name] = place

    def flow(self, place: int, node: _Node, op: str, inputs: tuple[int, ...], before: dict[int, bool]) -> None:
        """The edges from operands: gradients go back along those that required grad, if the op was recorded."""
        severed = CATALOG[op].severed
        for position, name in enumerate(inputs):
            back = node.recorded and before[name] and not (severed and position)
            self.edge(name, place, "gradient" if back else "value")

    def saved(self, place: int, op: str, inputs: tuple[int, ...], outs: tuple[int, ...]) -> Iterator[Save]:
        """What the node of this step keeps. An in-place op keeps a copy of what it overwrites."""
        if not any(self.scope.slots[o].requires_grad for o in outs):
            return
        row = CATALOG[op]
        for what, when in row.saved:
            if (when is not None and not self.scope.slots[inputs[when]].requires_grad) or (what == 0 and row.inplace):
                continue
            slot = self.scope.slots[outs[0] if what < 0 else inputs[what]]
            role = "output" if what < 0 else "input"
            yield Save(slot.storage, op, role, variable(slot.name), slot.storage.version, place)

    def detach(self, place: int, step: Detach, before: dict[int, bool]) -> None:
        self.node(place, "detach", "detach", (step.out,))
        self.edge(step.source, place, "value")

    def walk(self, place: int, step: Backward | Grad, before: dict[int, bool]) -> None:
        outs = step.outs if isinstance(step, Grad) else ()
        node = self.node(place, "walk", "grad()" if isinstance(step, Grad) else "backward()", outs)
        kept = step.create_graph if step.retain_graph is None else step.retain_graph
        node.notes += ["create_graph"] if step.create_graph else ["retain_graph"] if kept else []
        for root in step.roots:
            self.edge(root, place, "walk")

    def read_grad(self, place: int, step: ReadGrad, before: dict[int, bool]) -> None:
        self.node(place, "gradient", f"{variable(step.source)}.grad", (step.out,))
        self.edge(step.source, place, "value")

    def assign_grad(self, place: int, step: AssignGrad, before: dict[int, bool]) -> None:
        self.note(step.target, f"{variable(step.target)}.grad = {variable(step.source)}")

    def hook(self, place: int, step: Hook, before: dict[int, bool]) -> None:
        self.hooked[step.out] = step.target
        self.note(step.target, f"hook on {variable(step.target)}")


# Steps that only leave a note at a tensor: which tensor, and the note.
_NOTES: dict[type, Callable[[Any], tuple[int, str]]] = {
    RetainGrad: lambda s: (s.target, f"{variable(s.target)}.retain_grad()"),
    ZeroGrad: lambda s: (s.target, f"{variable(s.target)}.grad " + ("= None" if s.set_to_none else "to zeros")),
    SetRequiresGrad: lambda s: (s.target, f"requires_grad_({'' if s.value else 'False'})"),
    Export: lambda s: (s.target, f"{variable(s.target)}.numpy()"),
    Drop: lambda s: (s.target, f"del {variable(s.target)}"),
}


def _noted(trace: Trace, place: int, step: AnyStep, before: dict[int, bool]) -> None:
    trace.note(*_NOTES[type(step)](step))


_TAKERS: dict[type, Callable[[Trace, int, Any, dict[int, bool]], None]] = {
    Leaf: Trace.leaf,
    Apply: Trace.apply,
    Mutate: Trace.mutate,
    Detach: Trace.detach,
    Backward: Trace.walk,
    Grad: Trace.walk,
    ReadGrad: Trace.read_grad,
    AssignGrad: Trace.assign_grad,
    Hook: Trace.hook,
    Enter: lambda trace, place, step, before: trace.regions.append(step.mode),
    Exit: lambda trace, place, step, before: trace.regions.__delitem__(-1),
    **dict.fromkeys(_NOTES, _noted),
}


class _Wrong:
    """Where a difference stands in the graph: the edges that went wrong, or else the node."""

    def __init__(self, trace: Trace, difference: Difference) -> None:
        self.nodes: set[int] = set()
        self.saves: list[Save] = []
        self.writes: list[_Edge] = []
        self.labels: dict[_Edge, str] = {}
        edges: list[_Edge] = []
        if difference.category == "version":
            self._version(trace, difference)
        if difference.facet == "error" and not self.writes:
            edges = [e for e in trace.edges if e.target == difference.step and e.kind == "walk"]
        elif difference.facet in ("grad", "called", "value") and difference.step not in trace.assigning:
            edges = self._gradient(trace, difference)
        self.labels.update(dict.fromkeys(edges, _said(difference)))
        self.edges = {*edges, *self.writes}
        if not self.edges:
            home = trace.home.get(trace.hooked.get(difference.slot, difference.slot))
            self.nodes = {difference.step if difference.step in trace.nodes else home if home is not None else -1}

    def _version(self, trace: Trace, difference: Difference) -> None:
        """For a version error: the last write into what a node below the walk had saved."""
        walked = behind(trace, difference.step)
        for save, write in overtaken(trace.saves, trace.writes):
            if save.step in walked:
                edge = _Edge(write.step, save.step, "write")
                self.writes, self.saves = [edge], [save]
                self.labels[edge] = f"{save.name} was version {save.version}, is {save.storage.version}"
                return

    def _gradient(self, trace: Trace, difference: Difference) -> list[_Edge]:
        """For a wrong gradient: the edges along which it came to its tensor."""
        slot = trace.hooked.get(difference.slot, difference.slot)
        step = difference.step
        if difference.facet == "value":
            maker = trace.nodes.get(step)
            if maker is None or maker.kind != "walk" or slot not in trace.home:
                return []
            walked = behind(trace, step)
            leaves = {p for p in walked if trace.nodes[p].kind == "leaf"}
            return [e for e in trace.edges if e.kind == "gradient" and e.source in leaves and e.target in walked]
        home, walked = trace.home.get(slot), behind(trace, step)
        return [e for e in trace.edges if e.kind in ("gradient", "walk") and e.source == home and e.target in walked]


def _said(difference: Difference) -> str:
    """What went wrong along an edge, in a few words."""
    if difference.facet == "error":
        return {"missed error": "not refused", "spurious error": "refused"}.get(difference.kind, "refused otherwise")
    return "wrong gradient" if difference.observed is not None else "no gradient"


def behind(trace: Trace, walk: int) -> set[int]:
    """The nodes that gradients reach from a walk; from all walks where the step is none."""
    reached = {walk} if walk in trace.nodes and trace.nodes[walk].kind == "walk" else {
        place for place, node in trace.nodes.items() if node.kind == "walk"
    }  # fmt: skip
    waiting = list(reached)
    while waiting:
        target = waiting.pop()
        found = {e.source for e in trace.edges if e.target == target and e.kind in ("gradient", "walk")} - reached
        reached |= found
        waiting += found
    return reached
