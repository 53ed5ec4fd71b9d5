"""Area hooks: what hooks on gradients see, what they change, and in which order they are called."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import HookAction, HookKind, Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#backward-hooks-execution"
TENSOR = "https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html"
LEAF = "https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_post_accumulate_grad_hook.html"
NODE = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.Node.register_hook.html"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})
NONE = F(0)
SEEN = frozenset({"called", "order"})


def hooked(kind: HookKind = "tensor", action: HookAction = "see", *, leaf: bool = False) -> Program:
    """A hook on a leaf or on a result, and a backward that runs it."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    h = s.op("mul_scalar", x, value=2.0)
    s.hook(x if leaf else h, kind, action)
    s.backward(s.op("square", h), [1.0, 3.0])
    return s.program()


def several() -> Program:
    """Two hooks on one tensor, the first of which doubles the gradient."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    s.hook(h, "tensor", "double")
    s.hook(h)
    s.backward(h, [1.0, 3.0])
    return s.program()


def removed() -> Program:
    """A hook that was removed before backward."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    s.unhook(s.hook(h, "tensor", "double"))
    s.hook(h)
    s.backward(h, [1.0, 3.0])
    return s.program()


def removes_itself() -> Program:
    """A hook that removes itself is called once in two passes; the one after it twice."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    s.hook(h, "tensor", "remove")
    s.hook(h)
    s.backward(h, [1.0, 3.0], retain_graph=True)
    s.backward(h, [1.0, 3.0])
    return s.program()


def written() -> Program:
    """A hook hangs on the value that the tensor had when it was registered."""
    s = Sketch()
    h = s.op("clone", s.leaf([1.0, 2.0]))
    s.hook(h)
    s.write("mul_scalar_", h, value=2.0)
    s.backward(h, [1.0, 3.0])
    return s.program()


def on_constant() -> Program:
    """A hook on a tensor that requires no grad."""
    s = Sketch()
    s.hook(s.constant([1.0, 2.0]))
    return s.program()


def recorded() -> Program:
    """Under create_graph hooks are recorded; in an ordinary backward they are not."""
    s = Sketch()
    h = s.op("square", s.leaf([1.0, 2.0]))
    s.hook(h, "tensor", "double")
    s.backward(s.op("square", h), [1.0, 3.0], create_graph=True)
    return s.program()


def _rule(slug: str, statement: str, why: str, needs: F, exemplar: Callable[[], Program], source: str = SOURCE,
          facets: frozenset[str] | None = None, any_of: F = NONE) -> Rule:  # fmt: skip
    """A rule that a difference of what hooks saw or did breaks."""
    return Rule(id=f"hooks.{slug}", statement=statement, why=why, source=source, exemplar=exemplar, needs=needs | F.HOOK,
                any_of=any_of, kinds=WRONG, facets=facets)  # fmt: skip


def _refused(slug: str, statement: str, why: str, needs: F, exemplar: Callable[[], Program]) -> Rule:
    """A rule that a hook is refused."""
    return Rule(id=f"hooks.{slug}", statement=statement, why=why, source=TENSOR, exemplar=exemplar, needs=needs,
                refusal=Category.HOOK, kinds=frozenset({"missed error"}))  # fmt: skip


REFUSALS = (
    _refused("refused", "A hook is refused on what has no such gradient: on constants, and after accumulation on non-leaves.",
             "A hook that is never called hides a mistake.", F.HOOK_WITHOUT_GRADIENT, on_constant),
    _refused("result-shape", "A hook that gives back a gradient of another shape or dtype is refused.",
             "The gradient would no longer fit its tensor.", F.HOOK_MISSHAPES, lambda: hooked("tensor", "misshape")),
)  # fmt: skip

RULES = (
    _rule("removes-itself", "A hook that removes itself while it is called is called no more, and the hooks after it still are.",
          "Handles are removed from within hooks to see a gradient once.", F.HOOK_REMOVES_ITSELF, removes_itself),
    _rule("removed", "A hook that was removed is not called.", "A forgotten hook changes gradients for ever.", F.HOOK_REMOVED,
          removed, facets=SEEN | {"grad"}),
    _rule("after-write", "After an in-place write, hooks registered before it see the gradient of the value before the write.",
          "A hook hangs on the place in the graph where it was registered.", F.HOOKED_WRITTEN, written, facets=SEEN),
    _rule("after-accumulation", "A hook after accumulation is called with the leaf once its gradient has been added.",
          "Optimizers that step within backward free each gradient there.", F.HOOK_AFTER_ACCUMULATION,
          lambda: hooked("accumulated", leaf=True), LEAF, facets=SEEN | {"grad"}),
    _rule("node", "A hook on a node sees the gradients that go into it, or come out of it, and may replace them.",
          "Profilers and gradient checks hang there.", F.HOOK_ON_NODE, lambda: hooked("node_after"), NODE,
          facets=SEEN | {"grad", "value"}),
    _rule("order", "Hooks on one tensor are called in the order of their registration, each with what the one before gave back.",
          "Clipping after scaling is not scaling after clipping.", F.SEVERAL_HOOKS, several, facets=SEEN | {"grad", "value"}),
    _rule("replaces", "What a hook gives back takes the gradient's place: below, and in .grad.",
          "Scaling and clipping of gradients rest on it.", F.HOOK_DOUBLES, lambda: hooked("tensor", "double"), TENSOR,
          facets=frozenset({"grad", "value", "error"})),
    Rule(id="hooks.mode", source=SOURCE, exemplar=recorded, needs=F.HOOK, claim_needs=F.MODE_OF_HOOK, kinds=WRONG,
         facets=frozenset({"order"}), why="A hook that is recorded keeps every step's graph alive.",
         statement="Hooks run without recording in an ordinary backward and with it under create_graph."),
    _rule("sees", "A hook is called once in each backward that computes its tensor's gradient, and sees the whole sum.",
          "A hook called per branch sees parts of the gradient.", F(0), hooked, TENSOR, facets=SEEN | {"error", "grad", "value"}),
)  # fmt: skip
