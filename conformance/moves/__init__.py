"""Moves of generation: each adds steps to a program, or none where it does not apply.

Most are functions of the generator here; the commonest, which others are made of, are its own methods. `MOVES` has them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.moves import aliases, bad_calls, functions, gradients, hooks, lifetime, modes, roots

MOVES: dict[str, Callable[[Any], Any]] = {
    "backward_roots": roots.backward_roots,
    "bad_call": bad_calls.bad_call,
    "siblings": aliases.siblings,
    "view_of_view": aliases.view_of_view,
    "read_then_written": aliases.read_then_written,
    "written_expansion": aliases.written_expansion,
    "mutate_index": aliases.mutate_index,
    "leaf_of_result": aliases.leaf_of_result,
    "bad_hook": hooks.bad_hook,
    "bad_export": modes.bad_export,
    "bad_assignment": gradients.bad_assignment,
    "misbehave": functions.misbehave,
    "differentiate_once_more": functions.differentiate_once_more,
    "write_by_function": functions.write_by_function,
    "hook": hooks.hook,
    "unhook": hooks.unhook,
    "packing": hooks.packing,
    "switch": modes.switch,
    "thread": modes.thread,
    "inference": modes.inference,
    "export": modes.export,
    "assign_grad": gradients.assign_grad,
    "handed_gradient": gradients.handed_gradient,
    "gradient_of_other_dtype": gradients.gradient_of_other_dtype,
    "rearranged": aliases.rearranged,
    "hooked_then_written": hooks.hooked_then_written,
    "higher_packed": hooks.higher_packed,
    "zero_grad": gradients.zero_grad,
    "read_grad": gradients.read_grad,
    "differentiable_gradient": gradients.differentiable_gradient,
    "written_unrecorded_view": aliases.written_unrecorded_view,
    "write_grad": gradients.write_grad,
    "retain_grad": gradients.retain_grad,
    "detach": aliases.detach,
    "mutate_used": aliases.mutate_used,
    "mutate_shown": aliases.mutate_shown,
    "mutate_detached": aliases.mutate_detached,
    "region": modes.region,
    "set_flag": modes.set_flag,
    "again": lifetime.again,
    "drop": lifetime.drop,
    "backward_inputs": roots.backward_inputs,
    "grad": roots.grad,
    "higher": roots.higher,
}
