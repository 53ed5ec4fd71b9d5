"""Area functions: differentiable functions that a program defines itself."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import FLAGS, Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/extending.html#extending-torch-autograd"
CONTEXT = "https://docs.pytorch.org/docs/stable/autograd.html#context-method-mixins"
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})


def applied(op: str, *, operands: int = 1, first_only: bool = False) -> Program:
    """A custom function, differentiated."""
    s = Sketch(exact=False)
    leaves = [s.leaf([1.0, 2.0])] + [s.leaf([3.0, 5.0]) for _ in range(operands - 1)]
    outs = s.ops(op, *leaves)
    s.backward(outs[0] if first_only or len(outs) == 1 else s.op("add", outs[0], outs[1]), [1.0, 3.0])
    return s.program()


def written() -> Program:
    """A custom function that writes into its input."""
    s = Sketch()
    h = s.op("neg", s.leaf([1.0, 2.0]))
    s.write("function_writing", h)
    s.backward(h, [1.0, 3.0])
    return s.program()


def twice() -> Program:
    """A function that can be differentiated once, differentiated twice."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    (g,) = s.grad(s.op("square", s.op("function_differentiable_once", x)), [x], [1.0, 3.0], create_graph=True)
    s.backward(g, [1.0, 3.0])
    return s.program()


def _rule(slug: str, statement: str, why: str, needs: F, exemplar: Callable[[], Program], source: str = SOURCE,
          facets: frozenset[str] | None = None) -> Rule:  # fmt: skip
    """A rule on what a function's own forward and backward make of a program."""
    return Rule(id=f"functions.{slug}", statement=statement, why=why, source=source, exemplar=exemplar, needs=needs | F.FUNCTION,
                kinds=WRONG, facets=facets)  # fmt: skip


REFUSALS = (
    Rule(id="functions.misfit", source=CONTEXT, exemplar=lambda: applied("function_with_too_many_gradients"),
         needs=F.FUNCTION_MISBEHAVES, refusal=Category.FUNCTION, kinds=frozenset({"missed error"}),
         statement="A function's backward is refused if it gives too few or too many gradients, or one that fits no input.",
         why="A gradient for the wrong input trains the wrong weight."),
    Rule(id="functions.once", source=CONTEXT, exemplar=twice, needs=F.FUNCTION_ONCE, refusal=Category.FUNCTION,
         kinds=frozenset({"missed error"}), statement="A function marked once_differentiable is refused a second time.",
         why="Its backward was not recorded: the second derivative would be 0 without a word."),
)  # fmt: skip

RULES = (
    _rule("writes", "A function that marks its input as written changes it, its version and its history.",
          "An unmarked write would go unseen by every check.", F.FUNCTION_WRITES, written, CONTEXT),
    _rule("constant-output", "An output marked as not differentiable requires no grad, and the others still do.",
          "Indices and masks are outputs too.", F.FUNCTION_CONSTANT_OUTPUT,
          lambda: applied("function_with_constant_output", first_only=True), CONTEXT),
    _rule("outputs", "Each output's gradient comes to backward in its place; for an unused output zeros, or None if asked.",
          "Gradients in the order of arrival swap the outputs.", F.FUNCTION_OUTPUTS,
          lambda: applied("function_with_two_outputs", first_only=True), CONTEXT),
    _rule("returned-input", "A function that gives back its input, or a view of it, gives a tensor of its own history.",
          "Without a node of its own its backward is skipped.", F.FUNCTION_RETURNS_INPUT,
          lambda: applied("function_returning_input")),
    _rule("asks", "ctx.needs_input_grad tells which inputs need a gradient, and None is a gradient for those that need none.",
          "Expensive gradients are computed only where they are wanted.", F.FUNCTION_ASKS,
          lambda: applied("function_asking", operands=2), CONTEXT),
    _rule("saves", "What a function saves comes back in its backward, in order.", "save_for_backward is checked and freed.",
          F.FUNCTION_SAVES, lambda: applied("function_saving_both", operands=2), CONTEXT),
    _rule("backward", "The gradient of a function is what its own backward gives.",
          "That is what a custom function is for.", F(0), lambda: applied("function_with_wider_gradient"),
          facets=FLAGS | {"grad", "value", "error"}),
)  # fmt: skip
