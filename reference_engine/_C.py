"""The few names of torch._C that torch code reaches for."""

from __future__ import annotations

from typing import Any


class _autograd:
    @staticmethod
    def _unsafe_set_version_counter(tensors: Any, versions: Any) -> None:
        """Move version counters anywhere."""
        for t, v in zip(tensors, versions):
            t._storage.version = v


def _current_autograd_node() -> Any:
    """The node that the running backward is at: known for those that have hooks, and for custom Functions."""
    from .modes import state

    return state.tasks[-1].node if state.tasks else None


def _current_graph_task_id() -> int:
    """A number for the running backward, -1 outside."""
    from .modes import state

    return id(state.tasks[-1]) if state.tasks else -1


def _will_engine_execute_node(node: Any) -> bool:
    """Whether the running backward reaches a node. Raises outside one."""
    from .engine import current_task

    return current_task().will_run(node)


def is_grad_enabled() -> bool:
    """Whether ops of this thread are recorded."""
    from .modes import state

    return state.grad


def _set_grad_enabled(mode: bool) -> None:
    from .modes import state

    state.grad = mode
