"""Area errors: calls that must be refused, and programs that must not be."""

from __future__ import annotations

from collections.abc import Callable

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.backward.html"
INPLACE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd"
MISSED: frozenset[Kind] = frozenset({"missed error"})


def non_scalar() -> Program:
    """backward() of two elements without a gradient."""
    s = Sketch()
    s.backward(s.op("neg", s.leaf([1.0, 2.0])))
    return s.program()


def no_grad_root() -> Program:
    """backward() of a constant."""
    s = Sketch()
    s.backward(s.op("sum", s.constant([1.0, 2.0])))
    return s.program()


def misshapen() -> Program:
    """A gradient of another shape that would broadcast."""
    s = Sketch()
    s.backward(s.op("neg", s.leaf([[1.0, 2.0], [3.0, 5.0]])), [1.0, 2.0])
    return s.program()


def written_leaf() -> Program:
    """x.mul_(2) on a leaf that requires grad."""
    s = Sketch()
    s.write("mul_scalar_", s.leaf([1.0, 2.0]), value=2.0)
    return s.program()


def written_view_of_leaf() -> Program:
    """x[0].mul_(2) on such a leaf."""
    s = Sketch()
    s.write("mul_scalar_", s.op("select", s.leaf([1.0, 2.0]), dim=0, index=0), value=2.0)
    return s.program()


def unused() -> Program:
    """grad() of an input without a path."""
    s = Sketch()
    x, u = s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0])
    s.grad(s.op("neg", x), [u], [1.0, 5.0])
    return s.program()


def cleared() -> Program:
    """requires_grad_(False) on a non-leaf."""
    s = Sketch()
    s.requires_grad_(s.op("neg", s.leaf([1.0, 2.0])), False)
    return s.program()


def _refused(slug: str, statement: str, why: str, needs: F, category: Category, exemplar: Callable[[], Program],
             source: str = SOURCE, traits: frozenset[str] = frozenset()) -> Rule:  # fmt: skip
    """A rule that a call is refused."""
    return Rule(id=f"errors.{slug}", statement=statement, why=why, source=source, exemplar=exemplar, needs=needs,
                refusal=category, kinds=MISSED, traits=traits)  # fmt: skip


REFUSALS = (
    _refused("non-scalar-root", "backward() without a gradient is refused for a root of several elements.",
             "Which combination of its elements to differentiate is not said.", F.NON_SCALAR_ROOT,
             Category.NON_SCALAR_ROOT, non_scalar),
    _refused("root-without-grad", "backward() of a root that does not require grad is refused.",
             "A silent return hides that nothing will train.", F.ROOT_WITHOUT_GRAD, Category.ROOT_WITHOUT_GRAD, no_grad_root,
             traits=frozenset({"flags"})),
    _refused("gradient-shape", "A gradient of another shape than its root is refused, also where it would broadcast.",
             "Broadcasting it would count some elements twice.", F.GRADIENT_OF_OTHER_SHAPE, Category.GRADIENT_SHAPE, misshapen),
    _refused("leaf-written", "Writing in place into a leaf that requires grad is refused, and its values stay.",
             "The leaf would become the inside of a graph and lose its gradient.", F.LEAF_WRITTEN, Category.LEAF_WRITTEN,
             written_leaf, INPLACE),
    _refused("view-of-leaf-written", "Writing in place into a view of such a leaf is refused too.",
             "The view shows the leaf's own memory.", F.VIEW_OF_LEAF_WRITTEN, Category.LEAF_WRITTEN, written_view_of_leaf,
             INPLACE, frozenset({"aliases"})),
    _refused("unused-input", "grad() of an input that the root does not depend on is refused, unless allow_unused is set.",
             "It is nearly always a mistake in the program.", F.UNUSED_INPUT, Category.UNUSED_INPUT, unused,
             "https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html"),
    _refused("flag-of-non-leaf", "requires_grad_(False) on a tensor with a history is refused: detach() is the way.",
             "The graph below it would be cut without a word.", F.NON_LEAF_FLAG, Category.FLAG, cleared,
             "https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html"),
)  # fmt: skip

OTHERS = (
    Rule(id="errors.spurious", source=SOURCE, exemplar=lambda: non_spurious(),
         statement="A program that torch runs is not refused.", why="A false alarm stops a correct training run.",
         kinds=frozenset({"spurious error"})),
    Rule(id="errors.unnamed", obligation="MAY", source=SOURCE, exemplar=misshapen,
         statement="A program that torch refuses for a reason that no rule names is refused.",
         why="Such refusals come from limits of torch's own implementation.", kinds=MISSED, refusal=Category.OTHER,
         claim_needs=F.UNNAMED),
    Rule(id="errors.missed", source=SOURCE, exemplar=misshapen, needs=F(0),
         statement="A program that torch refuses is refused.", why="A number would come where there is none.",
         kinds=MISSED, refusal=Category.OTHER),
    Rule(id="errors.reason", obligation="MAY", source=SOURCE, exemplar=misshapen,
         statement="Where several reasons to refuse meet, the one that torch gives is given.",
         why="Which check comes first is an accident of torch's, but a message of another reason misleads.",
         kinds=frozenset({"wrong error"}), refusal=Category.OTHER),
)  # fmt: skip


def non_spurious() -> Program:
    """An ordinary program."""
    s = Sketch()
    s.backward(s.op("sum", s.op("mul", s.leaf([1.0, 2.0]), s.leaf([3.0, 5.0]))))
    return s.program()
