"""What is explained in the snapshots of proofs: a planted defect of torch and a program that meets it, a row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mutants_of_hooks import HOOKS
from mutants_of_identity import IDENTITY, SELDOM
from mutants_of_protocol import PROTOCOL
from mutants_of_torch import MUTANTS, Mutant, bent, with_call

from conformance.engine import Category
from conformance.engines.torch_engine import TorchEngine
from conformance.program import Program
from conformance.rules import RULES
from conformance.rules.hooks import hooked
from conformance.sketch import Sketch


class NoGradFn(TorchEngine):
    """Results have no grad_fn."""

    def has_grad_fn(self, tensor: Any) -> bool:
        return False


class ExportsDouble(TorchEngine):
    """numpy() gives twice the values."""

    def export(self, tensor: Any) -> Any:
        return super().export(tensor + tensor)


class FreedIsChanged(TorchEngine):
    """A freed graph is refused, but for another reason."""

    def categorize(self, error: BaseException) -> Category:
        found = super().categorize(error)
        return Category.VERSION if found is Category.FREED else found


class EveryBackwardFails(TorchEngine):
    """A backward of several roots is refused."""

    def backward(self, roots: Sequence[Any], *more: Any) -> None:
        if len(roots) > 1:
            raise NotImplementedError("only one root. Come again")
        super().backward(roots, *more)


class ViewsWritten(TorchEngine):
    """Every view may be written."""

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {**super().calls(), "mul_scalar_": lambda a, value: a.data.mul_(value)}


class ReentrantPasses(TorchEngine):
    """Reentrant checkpoints compute any gradient."""

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        calls = super().calls()
        return {**calls, "checkpoint_reentrant": calls["checkpoint"]}


# Defects that no rule needs for itself: they show what else a proof has to tell.
MORE = (
    Mutant("results have no grad_fn", NoGradFn, "requires_grad.flags"),
    Mutant("numpy() doubles", ExportsDouble, "gradients.forward"),
    Mutant("freed graphs are called changed", FreedIsChanged, "errors.other"),
    Mutant("backward takes one root", EveryBackwardFails, "roots.several"),
    Mutant("views may be written", ViewsWritten, "errors.missed"),
    Mutant("reentrant checkpoints pass", ReentrantPasses, "checkpoint.reentrant", "differs"),
    Mutant("exp's gradient is wrong in the eighth digit", bent("exp", 1.0 + 3e-8), "gradients.pointwise"),
    Mutant("sum keeps its axis", with_call("sum_dim", lambda a, dim, keepdim: a.sum(dim, keepdim=True)), "gradients.forward"),
    Mutant("neg is wrong at the end", with_call("neg", lambda a: torch.cat([-a[:-1], a[-1:]])), "gradients.forward"),
)

PLANTED = {mutant.name: mutant for mutant in (*MUTANTS, *HOOKS, *PROTOCOL, *IDENTITY, *SELDOM, *MORE)}


def product() -> Program:
    """A product with a kinkless gradient."""
    s = Sketch()
    s.backward(s.op("mul", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])), [1.0, 10.0])
    return s.program()


def forward_alone() -> Program:
    """A difference without any backward."""
    s = Sketch()
    s.op("sub", s.constant([1.0, 2.0]), s.constant([3.0, 5.0]))
    return s.program()


def through_alias() -> Program:
    """Saved, and changed through a view of a detached alias."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    y = s.op("square", h)
    s.write("mul_scalar_", s.op("select", s.detach(h), dim=0, index=1), value=3.0)
    s.backward(y, [1.0, 1.0])
    return s.program()


def of_exp() -> Program:
    """The gradient of exp, which rounds."""
    s = Sketch(exact=False)
    s.backward(s.op("exp", s.leaf([0.5, 1.0])), [1.0, 3.0])
    return s.program()


def summed() -> Program:
    """A sum over an axis."""
    s = Sketch()
    s.op("sum_dim", s.constant([[1.0, 2.0], [3.0, 5.0]]), dim=1, keepdim=False)
    return s.program()


def many() -> Program:
    """More numbers than a line holds."""
    s = Sketch()
    s.op("neg", s.constant([1000.0 + k for k in range(64)]))
    return s.program()


def exported() -> Program:
    """numpy() of a constant."""
    s = Sketch()
    s.export(s.constant([1.0, 2.0]))
    return s.program()


def several_roots() -> Program:
    """Two roots."""
    s = Sketch()
    s.backward([s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])], [[1.0, 3.0], [2.0, 4.0]])
    return s.program()


def written_view() -> Program:
    """One of several views of one op is written."""
    s = Sketch()
    first, _ = s.ops("chunk", s.op("neg", s.leaf([1.0, 2.0])), count=2, dim=0)
    s.write("mul_scalar_", first, value=2.0)
    return s.program()


def held_by_a_node() -> Program:
    """A tensor that a node saved, whose variable goes."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    s.op("square", h)
    s.drop(h)
    return s.program()


def after_switch() -> Program:
    """A leaf is written where nothing is recorded."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.set_grad_mode(False)
    s.write("mul_scalar_", x, value=2.0)
    return s.program()


def cloned() -> Program:
    """A copy."""
    s = Sketch()
    s.op("clone", s.leaf([1.0, 2.0]))
    return s.program()


def written_gradient() -> Program:
    """A gradient is scaled between two passes."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    y = s.op("neg", x)
    s.backward(y, [1.0, 3.0], retain_graph=True)
    s.write("mul_scalar_", s.read_grad(x), value=2.0)
    s.backward(y, [1.0, 3.0])
    return s.program()


def before_a_node() -> Program:
    """A hook before a node."""
    return hooked("node_before")


def of_rule(name: str) -> Callable[[], Program]:
    """The exemplar of a rule."""
    return RULES[name].exemplar


# What is explained, by kind of difference and facet: planted defect, program.
PROOFS: tuple[tuple[str, str, Callable[[], Program]], ...] = (
    # wrong values
    ("wrong gradient", "mul forgets its second gradient", product),
    ("wrong value", "sub adds", forward_alone),
    ("multiple", "exp's gradient is 0.1 % too large", of_exp),
    ("digits", "exp's gradient is wrong in the eighth digit", of_exp),
    ("long", "neg is wrong at the end", many),
    ("shape", "sum keeps its axis", summed),
    ("dtype", "0-dim operands promote", of_rule("broadcasting.promotion")),
    ("exported", "numpy() doubles", exported),
    ("several ways", "nodes run at the first gradient", of_rule("order.waits")),
    ("missed accumulation", "backward overwrites", of_rule("accumulation.several-backwards")),
    ("open at a kink", "the root has a derivative at 0", of_rule("conventions.pole")),
    ("not finite", "sigmoid overflows", of_rule("conventions.finite")),
    # gradients that are there or not
    ("missing gradient", "retain_grad is ignored", of_rule("accumulation.retain-grad")),
    ("gradient too many", "gradients begin as zeros", of_rule("accumulation.none-before-first")),
    ("gradient of a non-leaf", "every gradient is retained", of_rule("accumulation.non-leaf-none")),
    ("gradient of a constant", "constants get gradients", of_rule("requires_grad.no-gradient")),
    ("gradient outside of inputs", "inputs= is ignored", of_rule("accumulation.inputs")),
    ("gradient of grad()", "grad() accumulates", of_rule("grad.accumulates-nothing")),
    ("gradient cleared", "None is zero", of_rule("accumulation.none")),
    ("gradient zeroed", "zeroing is ignored", of_rule("accumulation.zero")),
    ("gradient assigned", "assignment of gradients is ignored", of_rule("identity.assigned")),
    ("unused", "unused inputs get zeros", of_rule("grad.unused")),
    # flags
    ("flag", "no_grad is ignored", of_rule("requires_grad.no-grad")),
    ("flag of operands", "add looks at its first operand's flag", of_rule("requires_grad.any-input")),
    ("flag after a region", "leaving a region enables recording", of_rule("requires_grad.enable-grad")),
    ("flag in a thread", "one mode for all threads", of_rule("grad_modes.thread")),
    ("flag set", "requires_grad_() is ignored", of_rule("requires_grad.set")),
    ("flag of a gradient", "create_graph is ignored", of_rule("grad.create-graph")),
    ("flag in inference mode", "inference mode is ignored", of_rule("grad_modes.inference")),
    ("flag of a view", "no_grad is ignored", of_rule("requires_grad.view-under-no-grad")),
    ("grad_fn", "results have no grad_fn", product),
    ("history", "detach keeps the history", of_rule("detach.no-history")),
    # memory and lifetime
    ("shared memory", "detach copies", of_rule("detach.writes-back")),
    ("memory", "detach copies", of_rule("detach.memory")),
    ("memory of its own", "clone shares memory", cloned),
    ("memory of a gradient", "gradients lie in one buffer", of_rule("identity.own-memory")),
    ("gradient as an object", "gradients are read as copies", of_rule("identity.gradient-object")),
    ("write into a gradient", "writes into gradients are forgotten", written_gradient),
    ("gradient of the caller", "backward writes into its seeds", of_rule("identity.handed-gradient")),
    ("base", "views have no base", of_rule("identity.base")),
    ("version", "the counter misses writes", of_rule("views.memory")),
    ("version of what is shared", "gradients of grad() are copies", of_rule("identity.shared-state")),
    ("in place", "square_ differentiates after the write", of_rule("views.in-place")),
    ("lifetime", "detach holds its source", of_rule("detach.frees-graph")),
    ("lifetime after backward", "graphs are never freed", of_rule("lifetime.saved-object")),
    ("lifetime of what is saved", "saved tensors are copies", held_by_a_node),
    # callbacks
    ("hook called", "hooks see twice the gradient", of_rule("hooks.sees")),
    ("hook called after a write", "hooks follow writes", of_rule("hooks.after-write")),
    ("hook after accumulation", "hooks after accumulation come before", of_rule("hooks.after-accumulation")),
    ("hook of a node", "hooks before a node come after", before_a_node),
    ("hooks in order", "the newest hook comes first", of_rule("hooks.order")),
    ("hook removed", "unhook is ignored", of_rule("hooks.removed")),
    ("hook that removes itself", "removal skips the next hook", of_rule("hooks.removes-itself")),
    ("hook that replaces", "what hooks give back is dropped", of_rule("hooks.replaces")),
    ("mode of hooks", "hooks are recorded", of_rule("hooks.sees")),
    ("sequence", "square is numbered low", of_rule("order.sequence")),
    ("packed", "square saves its input twice", of_rule("saved_hooks.what")),
    ("unpacked", "unpacking is ignored", of_rule("saved_hooks.unpacked")),
    ("packed by the innermost", "all nested packs apply", of_rule("saved_hooks.innermost")),
    # refusals that are missed
    ("missed version error", "saved tensors are not checked", of_rule("versions.saved-input")),
    ("missed version error of an output", "saved tensors are not checked", of_rule("versions.saved-output")),
    ("missed version error through an alias", "saved tensors are not checked", through_alias),
    ("missed version error of a factor", "factors of matrices are not checked", of_rule("versions.factors")),
    ("safe version error", "saved tensors are copies", of_rule("versions.saved-input")),
    ("safe freed graph", "graphs are never freed", of_rule("lifetime.freed")),
    ("missed leaf error", "leaves may be written", of_rule("errors.leaf-written")),
    ("missed view-of-leaf error", "views may be written", of_rule("errors.view-of-leaf-written")),
    ("missed view error", "views may be written", written_view),
    ("missed non-scalar error", "several elements are seeded with ones", of_rule("errors.non-scalar-root")),
    ("missed root error", "constant roots pass", of_rule("errors.root-without-grad")),
    ("missed shape error", "gradients broadcast", of_rule("errors.gradient-shape")),
    ("missed unused error", "grad() of unused inputs passes", of_rule("errors.unused-input")),
    ("missed flag error", "flags of non-leaves may be cleared", of_rule("errors.flag-of-non-leaf")),
    ("missed hook error", "hooks on constants pass", of_rule("hooks.refused")),
    ("missed hook result", "hooks of any shape pass", of_rule("hooks.result-shape")),
    ("missed pack error", "packs may write", of_rule("saved_hooks.pack-writes")),
    ("missed assignment error", "any gradient may be assigned", of_rule("identity.assigned-misfit")),
    ("missed export error", "numpy() of anything passes", of_rule("grad_modes.export-refused")),
    ("missed inference error", "inference mode is no_grad", of_rule("grad_modes.inference-refused")),
    ("missed function error", "too many gradients pass", of_rule("functions.misfit")),
    ("missed once error", "once is twice", of_rule("functions.once")),
    ("missed checkpoint error", "reentrant checkpoints pass", of_rule("checkpoint.reentrant")),
    # refusals that are not due, or for another reason
    ("spurious freed error", "graphs are always freed", of_rule("lifetime.retained")),
    ("spurious version error", "clones share versions", of_rule("pipeline.stashing")),
    ("spurious leaf error", "set_grad_enabled is ignored", after_switch),
    ("spurious error", "backward takes one root", several_roots),
    ("wrong error", "freed graphs are called changed", of_rule("lifetime.freed")),
)
