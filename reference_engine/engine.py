"""The backward loop.

    seed the roots; count for each reachable node how many contributions it will get; then, as long as a node is ready:
    take the newest (leaves first), let its hooks see the gradient, run it, free what it saved, hand its results on.

Cotangents are plain arrays in an ordinary backward and Tensors under create_graph; only hooks ever see arrays wrapped.
Nothing recurses over the graph, and the loop knows no op.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush, heappushpop
from typing import Any

import numpy as np

from . import errors
from .graph import AccumulateGrad, Node, NodeHooks, accumulate
from .modes import state
from .tensor import Tensor, wrap

ndarray = np.ndarray


class GraphTask:
    """One run of backward: its flags, what it must capture, which nodes it may run, its final callbacks."""

    execute: set[Node] | None = None  # the nodes that may run; None: every node
    captures: dict[Node, list[tuple[int, int]]] = {}  # node -> (output number, place in `captured`)
    captured: Sequence[Any] = ()
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
    task = GraphTask(keep, create or state.dual_level >= 0, _count(roots))
    if inputs:
        _restrict(task, inputs, into_leaves)
    before = state.grad
    state.grad = create
    state.tasks.append(task)
    try:
        _loop(task, roots, seeds if task.create else [t._array for t in seeds])
        done = 0
        while done < len(task.callbacks):
            task.callbacks[done]()
            done += 1
    finally:
        state.grad = before
        state.tasks.pop()
    return task.captured


def _count(roots: Sequence[tuple[Node, int]]) -> dict[Node, int]:
    """How many edges lead to each node that the roots reach."""
    waiting: dict[Node, int] = {}
    fresh = []
    for node, _ in roots:
        if node in waiting:
            waiting[node] += 1
        else:
            waiting[node] = 1
            fresh.append(node)
    while fresh:
        for node, _ in fresh.pop().edges:
            if node is not None:
                if node in waiting:
                    waiting[node] += 1
                else:
                    waiting[node] = 1
                    fresh.append(node)
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


def _loop(task: GraphTask, edges: Sequence, grads: Sequence) -> None:
    """Distribute cotangents along edges and run nodes until none is ready. `edges`, `grads`: the roots and their seeds."""
    waiting, execute, captures, create = task.waiting, task.execute, task.captures, task.create
    watched = bool(captures) or state.anomaly
    buffers: dict[Any, Any] = {}
    own: set[Any] = set()  # buffers that were allocated here, and may be added to in place
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
                seen = buffers.get(key)
                if seen is None:
                    buffers[key] = grad
                elif key in own and grad.dtype is seen.dtype:
                    np.add(seen, grad, seen)
                else:
                    buffers[key] = seen = seen + grad
                    if seen.__class__ is ndarray:
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
                _sink(node, [buffers.pop(node)], create)
            edges = grads = ()
            continue
        elif (grad := buffers.pop(node, None)) is not None:
            grads = node.differentiate(grad) if create else node.backward(grad)
        else:
            grads = node.undefined(create) if node.runs_undefined else (None,) * len(node.edges)
        edges = node.edges
        if not task.keep:
            node.release()


def _sink(node: AccumulateGrad, holder: list, create: bool) -> None:
    """Let a leaf take its gradient (the only element of `holder`), then call its post-accumulate hooks."""
    variable = node.variable
    if not (variable._rg or variable.requires_grad):
        return
    if create and not state.grad:
        holder[0] = holder[0]._array  # on Tensors only for the sake of tangents, which .grad does not keep
    accumulate(variable, holder, create and state.grad)
    hooks = variable._meta.post_hooks
    if hooks:
        for hook in list(hooks.values()):
            if hook(variable) is not None:
                raise errors.HookError("Tensor post accumulate grad hooks should return None.")


def _watched(task: GraphTask, node: Node, buffers: dict) -> Any:
    """Run a node with several outputs, with hooks, or with a capture. Returns one gradient for each edge."""
    create, hooks = task.create, node.hooks
    several = node.more is not None
    cts = [buffers.pop((node, nr) if nr else node, None) for nr in range(1 + max(node.more))] if several else None
    if cts is None:
        cts = [buffers.pop(node, None)]
    runs = task.execute is None or node in task.execute
    captures = task.captures.get(node, ())
    if hooks is not None and not runs:
        _tensor_hooks(node, hooks, cts, create)
    # As in torch: what is captured of a node that runs as well is the gradient before its hooks.
    for nr, i in captures:
        got = cts[nr]
        task.captured[i] = got if got is None or create else _outward(cts, nr)
    if not runs:
        return ()
    if hooks is not None:
        _tensor_hooks(node, hooks, cts, create)
    if node.__class__ is AccumulateGrad:
        return _run_sink(node, hooks, cts, create)
    if hooks is not None and hooks.pre:
        _pre_hooks(node, hooks, cts, create)
    if any(c is not None for c in cts):
        ct = cts if several else cts[0]
        formula = node.differentiate if create else node.backward
        grads = _suspicious(node, formula, ct) if state.anomaly else formula(ct)
    else:
        grads = node.undefined(create) if node.runs_undefined else (None,) * len(node.edges)
    if hooks is not None and hooks.post:
        grads = _post_hooks(hooks, grads, cts, create)
    return grads


def _suspicious(node: Node, formula: Any, ct: Any) -> Any:
    from .autograd.anomaly_mode import run

    return run(node, formula, ct)


def _run_sink(node: AccumulateGrad, hooks: NodeHooks | None, cts: list, create: bool) -> tuple:
    if hooks is not None and hooks.pre:
        _pre_hooks(node, hooks, cts, create)
    seen = (cts[0] if create else wrap(cts[0]),) if hooks is not None and hooks.post and cts[0] is not None else (None,)
    if cts[0] is not None:
        _sink(node, cts, create)
    if hooks is not None and hooks.post:
        for hook in list(hooks.post.values()):
            hook((), seen)
    return ()


def _outward(cts: list, nr: int) -> Tensor:
    """The cotangent as a Tensor for eyes outside: an array that others hold too is copied first."""
    got = cts[nr]
    if type(got) is ndarray and got.base is not None:
        got = got.copy(order="K") if 0 not in got.strides else np.ascontiguousarray(got).reshape(got.shape)
    return wrap(got)


def _as_tensor(x: Any) -> Any:
    return x if x is None or isinstance(x, Tensor) else wrap(x)


def _check_same(before: Any, after: Any) -> None:
    """A tensor hook may change the value of a gradient, not its kind."""
    if not isinstance(after, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(after).__name__}'")
    if before is None:
        return
    if before.dtype is not after.dtype:
        raise errors.HookError(f"hook '<hook>' has changed the type of value (was {before.dtype} got {after.dtype})")
    if before._array.shape != after._array.shape:
        raise errors.HookError(f"hook '<hook>' has changed the size of value (was {list(before.shape)} got {list(after.shape)})")


def _tensor_hooks(node: Node, hooks: NodeHooks, cts: list, create: bool) -> None:
    """Hooks of the tensors that are this node's outputs, then retain_grad. Changes `cts` in place."""
    for nr, dictionary in hooks.tensor.items():
        for hook in list(dictionary.values()):
            value = _as_tensor(cts[nr])
            cts[nr] = value if create or value is None else value._array
            got = hook(value)
            if got is not None:
                _check_same(value, got)
                cts[nr] = got if create else got._array
            value = got = None
    for nr, ref in hooks.retains.items():
        variable = ref()
        if variable is None or cts[nr] is None:
            continue
        meta = variable._meta
        if meta.grad is None:
            meta.grad = cts[nr].clone() if create else wrap(np.array(cts[nr], order="K", copy=True))
        else:
            meta.grad = meta.grad + cts[nr] if create else wrap(meta.grad._array + cts[nr])


def _pre_hooks(node: Node, hooks: NodeHooks, cts: list, create: bool) -> None:
    for hook in list(hooks.pre.values()):
        values = tuple(_as_tensor(c) for c in cts)
        got = hook(values)
        if got is not None:
            got = got if isinstance(got, (tuple, list)) else (got,)
            for before, after in zip(values, got):
                if after is not None:
                    _check_same(before, after)
            cts[:] = [g if create or g is None else g._array for g in got]


def _post_hooks(hooks: NodeHooks, grads: Sequence, cts: list, create: bool) -> tuple:
    outputs = tuple(_as_tensor(c) for c in cts)
    for hook in list(hooks.post.values()):
        values = tuple(_as_tensor(g) for g in grads)
        got = hook(values, outputs)
        if got is not None:
            got = got if isinstance(got, (tuple, list)) else (got,)
            if len(got) != len(values):
                raise errors.HookError(
                    f"hook '<hook>' has returned an incorrect number of values (got {len(got)}, but expected {len(values)})"
                )
            for before, after in zip(values, got):
                if after is not None:
                    _check_same(before, after)
            grads = tuple(g if create or g is None else g._array for g in got)
    return tuple(grads)
