"""The backward loop.

    seed the roots; count for each reachable node how many contributions it will get; then, as long as a node is ready:
    take the newest (leaves first), let its hooks see the gradient, run it, free what it saved, hand its results on.

Cotangents are plain arrays in an ordinary backward and Tensors under create_graph; only hooks ever see arrays wrapped.
Nothing recurses over the graph, and the loop knows no op.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush, heappushpop
from operator import attrgetter
from typing import Any

import numpy as np

from . import errors, hook_calls
from .graph import AccumulateGrad, Node
from .modes import alert, state
from .tensor import Tensor

ndarray = np.ndarray
_array_of = attrgetter("_array")


class GraphTask:
    """One run of backward: its flags, what it must capture, which nodes it may run, its final callbacks."""

    keep: bool
    create: bool
    waiting: dict[Node, int]  # how many contributions a node still gets
    execute: set[Node] | None = None  # the nodes that may run; None: every node
    captures: dict[Node, list[tuple[int, int]]] = {}  # node -> (output number, place in `captured`)
    captured: Sequence[Any] = ()
    seeds: Sequence[Tensor] = ()
    node: Node | None = None  # of the watched nodes and custom Functions, the one that runs
    callbacks: Sequence[Any] = ()
    kept: dict[int, Any] | None = None  # storages of the arrays that leaves keep parts of, by id: the leaves keep these alive

    def will_run(self, node: Node) -> bool:
        """Whether a gradient of this task reaches the node (`waiting` keeps its keys while it counts down)."""
        return node in self.waiting and (self.execute is None or node in self.execute or node in self.captures)


def current_task() -> GraphTask:
    """The backward now running in this thread."""
    if not state.tasks:
        raise errors.AutogradError("no backward is running")
    return state.tasks[-1]


def queue_callback(fn: Any) -> None:
    """Call fn() at the very end of the current backward. Raises outside one."""
    if not state.tasks:
        raise errors.AutogradError("Final callbacks can only be installed during backward pass.")
    task = state.tasks[-1]
    task.callbacks = [*task.callbacks, fn]


def run(
    roots: Sequence[tuple[Node, int]],
    seeds: Sequence[Tensor],
    keep: bool = False,
    create: bool = False,
    inputs: Sequence[tuple[Node, int]] = (),
    into_leaves: bool = True,
) -> list[Any]:
    """Run the graph behind the root edges, and return the captured gradients of the input edges (Tensors or None).

    into_leaves: accumulate into .grad (backward), else capture (grad). With `inputs`, only paths to them run.
    """
    # Tangents live on Tensors: with dual levels in force the formulas run on Tensors, recorded or not.
    mode = state.__dict__  # this thread's own: what it holds is read and set several times
    task = GraphTask()
    task.keep, task.create = keep, create or mode["dual_level"] >= 0
    task.waiting, task.seeds = _count(roots), seeds
    if inputs:
        _restrict(task, inputs, into_leaves)
    before, mode["grad"] = mode["grad"], create
    mode["tasks"].append(task)
    try:
        if inputs and len(roots) == 1:
            _unneeded_root(task, *roots[0])
        _loop(task, roots, seeds if task.create else map(_array_of, seeds))
        if task.callbacks:
            _call_back(task)
    finally:
        mode["grad"] = before
        mode["tasks"].pop()
    return task.captured


def _unneeded_root(task: GraphTask, node: Node | None, nr: int) -> None:
    """The hooks of a root see its gradient though no path leads from it to an input: torch starts with the only root there is."""
    if node is None or node.hooks is None or node in task.execute or node in task.captures:  # type: ignore[operator]
        return
    cts: list[Any] = [None] * (1 if node.more is None else 1 + max(node.more))
    cts[nr] = task.seeds[0] if task.create else task.seeds[0]._array
    hook_calls.tensor_hooks(task, node.hooks, cts)


def _call_back(task: GraphTask) -> None:
    """Run the final callbacks; one may queue others."""
    done = 0
    while done < len(task.callbacks):
        task.callbacks[done]()
        done += 1


def _count(roots: Sequence[tuple[Node, int]]) -> dict[Node, int]:
    """How many edges lead to each node that the roots reach."""
    waiting: dict[Node, int] = {}
    found = [roots]
    for edges in found:  # which grows meanwhile
        for node, _ in edges:
            if node in waiting:
                waiting[node] += 1
            elif node is not None:
                waiting[node] = 1
                found.append(node.edges)
    return waiting


def _restrict(task: GraphTask, inputs: Sequence[tuple[Node, int]], into_leaves: bool) -> None:
    """Fill `execute`: only nodes on a path to an input run, and of the inputs' own nodes only those of a backward()."""
    reach = {node for node, _ in inputs}
    execute = set(reach) if into_leaves else set()
    # Edges lead from newer to older nodes, so that going through them oldest first settles each in one look.
    for node in sorted(task.waiting, key=lambda n: -n.order):
        for target, _ in node.edges:
            if target in reach:
                execute.add(node)
                reach.add(node)
                break
    task.execute = execute
    if not into_leaves:
        task.captures = {}
        task.captured = [None] * len(inputs)
        for i, (node, nr) in enumerate(inputs):
            task.captures.setdefault(node, []).append((nr, i))


def _loop(task: GraphTask, edges: Sequence, grads: Any) -> None:
    """Distribute cotangents along edges and run nodes until none is ready. `edges`, `grads`: the roots and their seeds."""
    waiting, execute, captures, create = task.waiting, task.execute, task.captures, task.create
    keep, watched = task.keep, bool(captures or (alert.on and state.anomaly))
    buffers: dict[Any, Any] = {}
    own: set[Any] = set()  # buffers that were allocated here, and may be added to in place
    ready: list[tuple[int, Node]] = []
    while True:
        newest = held = None
        for (node, nr), grad in zip(edges, grads):
            if node is None:
                continue
            if newest is None and not nr and waiting[node] == 1 and execute is None and node not in buffers:
                newest, held = node, grad  # which is all that the node gets: it needs no buffer
                continue
            left = waiting[node] = waiting[node] - 1
            if execute is not None and node not in execute and node not in captures:
                continue
            if grad is not None:
                key = (node, nr) if nr else node
                buffers[key] = _sum(buffers[key], grad, key, own) if key in buffers else grad
            if not left:
                if newest is None:
                    newest = node
                else:
                    heappush(ready, (node.order, node))
        # The references below must go before a leaf looks whether it alone holds its gradient.
        grad = grads = None
        if newest is None:
            if not ready:
                return
            node = heappop(ready)[1]
        else:
            node = heappushpop(ready, (newest.order, newest))[1] if ready else newest
        watch = watched or node.hooks is not None or node.more is not None
        if held is not None and (watch or node is not newest):
            buffers[newest], held = held, None
        if watch:
            grads = _watched(task, node, buffers)
            if execute is not None and node not in execute:
                edges = grads = ()  # only captured: it did not run, so it keeps what it saved
                continue
        elif node.__class__ is AccumulateGrad:
            holder, held = [buffers.pop(node, None) if held is None else held], None
            if holder[0] is None:
                node.taken()
            else:
                node.take(holder, create)
            if not ready:
                return
            edges = grads = ()
            continue
        elif (grad := buffers.pop(node, None) if held is None else held) is not None:
            grads = node.differentiate(grad) if create else node.backward(grad)
        else:
            grads = node.undefined(create)
        edges = node.edges
        if not keep:
            node.release()


def _sum(seen: Any, grad: Any, key: Any, own: set) -> Any:
    """Two contributions to the same node added up: into the first, if it is the loop's own."""
    if key in own and grad.dtype is seen.dtype:
        return np.add(seen, grad, seen)
    total = seen + grad
    if total.__class__ is ndarray:
        own.add(key)
    return total


def _watched(task: GraphTask, node: Node, buffers: dict) -> Any:
    """Run a node with several outputs, with hooks, or with a capture. Returns one gradient for each edge."""
    task.node = node
    create, hooks = task.create, node.hooks
    several = node.more is not None
    cts = [buffers.pop((node, nr) if nr else node, None) for nr in range(1 + max(node.more))] if several else None
    if cts is None:
        cts = [buffers.pop(node, None)]
    runs = task.execute is None or node in task.execute
    captures = task.captures.get(node, ())
    if hooks is not None and not runs:
        hook_calls.tensor_hooks(task, hooks, cts)
    # As in torch: what is captured of a node that runs as well is the gradient before its hooks.
    seen: dict[int, Any] = {}  # an input that was named twice gets one Tensor twice
    for nr, i in captures:
        if nr not in seen:
            seen[nr] = cts[nr] if cts[nr] is None or create else hook_calls.captured(task, cts, nr)
        task.captured[i] = seen[nr]
    if not runs:
        return ()
    if hooks is not None:
        hook_calls.tensor_hooks(task, hooks, cts)
    if node.__class__ is AccumulateGrad:
        return hook_calls.sink(task, node, hooks, cts)
    if hooks is not None and hooks.pre:
        hook_calls.pre_hooks(task, hooks, cts)
    if any(c is not None for c in cts):
        ct = cts if several else cts[0]
        formula = node.differentiate if create else node.backward
        grads = _suspicious(node, formula, ct) if state.anomaly else formula(ct)
    else:
        grads = node.undefined(create)
    if hooks is not None and hooks.post:
        if task.execute is not None and not node.custom:  # what no input of the task needs was not asked for
            grads = [g if target is not None and task.will_run(target) else None for g, (target, _) in zip(grads, node.edges)]
        grads = hook_calls.post_hooks(task, hooks, grads, cts, node.shown)
    return grads


def _suspicious(node: Node, formula: Any, ct: Any) -> Any:
    from .autograd.anomaly_mode import run

    return run(node, formula, ct)
