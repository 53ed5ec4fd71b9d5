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

    execute: set[Node] | None = None  # the nodes that may run; None: every node
    captures: dict[Node, list[tuple[int, int]]] = {}  # node -> (output number, place in `captured`)
    captured: Sequence[Any] = ()
    seeds: Sequence[Tensor] = ()
    node: Node | None = None  # of the watched nodes and custom Functions, the one that runs
    callbacks: Sequence[Any] = ()

    def __init__(self, keep: bool, create: bool, waiting: dict[Node, int]) -> None:
        self.keep, self.create, self.waiting = keep, create, waiting

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
    task = GraphTask(keep, create or mode["dual_level"] >= 0, _count(roots))
    task.seeds = seeds
    if inputs:
        _restrict(task, inputs, into_leaves)
    before, mode["grad"] = mode["grad"], create
    mode["tasks"].append(task)
    try:
        _loop(task, roots, seeds if task.create else map(_array_of, seeds))
        if task.callbacks:
            _call_back(task)
    finally:
        mode["grad"] = before
        mode["tasks"].pop()
    return task.captured


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
    own: Any = ()  # buffers that were allocated here, and may be added to in place: a set as soon as there are any
    ready: list[tuple[int, Node]] = []
    while True:
        newest = None
        for (node, nr), grad in zip(edges, grads):
            if node is None:
                continue
            left = waiting[node] = waiting[node] - 1
            if execute is not None and node not in execute and node not in captures:
                continue
            if grad is not None:
                key = (node, nr) if nr else node
                if key not in buffers:
                    buffers[key] = grad
                elif key in own and grad.dtype is (seen := buffers[key]).dtype:
                    np.add(seen, grad, seen)
                else:
                    buffers[key] = seen = buffers[key] + grad
                    if seen.__class__ is ndarray:
                        own = own or set()
                        own.add(key)
            if not left:
                if newest is None:
                    newest = node
                else:
                    heappush(ready, (node.order, node))
        # The references below must go before a leaf looks whether it alone holds its gradient.
        grad = grads = seen = None
        if newest is None:
            if not ready:
                return
            node = heappop(ready)[1]
        else:
            node = heappushpop(ready, (newest.order, newest))[1] if ready else newest
        if watched or node.hooks is not None or node.more is not None:
            grads = _watched(task, node, buffers)
            if execute is not None and node not in execute:
                edges = grads = ()  # only captured: it did not run, so it keeps what it saved
                continue
        elif node.__class__ is AccumulateGrad:
            if node in buffers:
                node.take([buffers.pop(node)], create)
            else:
                node.taken()
            if not ready:
                return
            edges = grads = ()
            continue
        elif (grad := buffers.pop(node, None)) is not None:
            grads = node.differentiate(grad) if create else node.backward(grad)
        else:
            grads = node.undefined(create) if node.runs_undefined else (None,) * len(node.edges)
        edges = node.edges
        if not keep:
            node.release()


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
    for nr, i in captures:
        got = cts[nr]
        task.captured[i] = got if got is None or create else hook_calls.captured(task, cts, nr)
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
        grads = node.undefined(create) if node.runs_undefined else (None,) * len(node.edges)
    if hooks is not None and hooks.post:
        if task.execute is not None:  # what no input of the task needs was not asked for
            grads = [g if target is not None and task.will_run(target) else None for g, (target, _) in zip(grads, node.edges)]
        grads = hook_calls.post_hooks(task, hooks, grads, cts, node.shown)
    return grads


def _suspicious(node: Node, formula: Any, ct: Any) -> Any:
    from .autograd.anomaly_mode import run

    return run(node, formula, ct)
