"""Area grad_modes: what is recorded, where, and for how long."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Program
from conformance.rules.rule import FLAGS, Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation"
INFERENCE = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html"
SWITCH = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html"
NUMPY = "https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html"
STATE: frozenset[Kind] = frozenset({"wrong state", "spurious error", "wrong value"})


def switched() -> Program:
    """Recording is switched off and on again by calls."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.set_grad_mode(False)
    s.op("neg", x)
    s.set_grad_mode(True)
    s.backward(s.op("square", x), [1.0, 3.0])
    return s.program()


def restored() -> Program:
    """A region inside a region: the inner one's end brings back the outer mode."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("no_grad"):
        with s.region("no_grad"):
            s.op("neg", x)
        s.op("square", x)
    return s.program()


def in_thread() -> Program:
    """A thread begun under no_grad records."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("no_grad"), s.region("thread"):
        s.op("neg", x)
    return s.program()


def inference() -> Program:
    """What is made in inference mode requires no grad."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("inference_mode"):
        s.op("neg", x)
    return s.program()


def saved_inference() -> Program:
    """A tensor of inference mode is to be saved for backward."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    with s.region("inference_mode"):
        i = s.op("neg", x)
    s.op("mul", x, i)
    return s.program()


def decorated() -> Program:
    """What a function makes that no_grad decorates, and what is made after an error in a region of no_grad."""
    s = Sketch()
    x = s.leaf([1.0, 2.0])
    s.op("made_by_decorated", x)
    s.op("function_after_error", x)
    return s.program()


def exported() -> Program:
    """numpy() of a tensor that requires grad."""
    s = Sketch()
    s.export(s.op("neg", s.leaf([1.0, 2.0])))
    return s.program()


RULES = (
    Rule(id="grad_modes.inference-refused", source=INFERENCE, exemplar=saved_inference, needs=F.INFERENCE,
         statement="A tensor made in inference mode is refused where autograd would have to save or write it.",
         why="It has no version to check.", refusal=Category.INFERENCE, kinds=frozenset({"missed error"})),
    Rule(id="grad_modes.export-refused", source=NUMPY, exemplar=exported, needs=F.EXPORT_REFUSED,
         statement="numpy() of a tensor that requires grad is refused: detach() first.",
         why="What is computed outside is lost to the graph without a word.", refusal=Category.EXPORT,
         kinds=frozenset({"missed error"})),
    Rule(id="grad_modes.thread", source=SOURCE, exemplar=in_thread, needs=F.THREAD,
         statement="Each thread has a grad mode of its own, and begins with recording on.",
         why="A data loader's no_grad must not stop the training thread.", kinds=STATE),
    Rule(id="grad_modes.inference", source=INFERENCE, exemplar=inference, needs=F.INFERENCE,
         statement="What is made in inference mode is a constant, then and later.", why="Inference pays for no history.",
         kinds=STATE),
    Rule(id="grad_modes.switch", source=SWITCH, exemplar=switched, needs=F.MODE_SWITCHED,
         statement="set_grad_enabled() as a call holds until the region around it ends or it is called again.",
         why="Without effect it records what was not to be.", kinds=STATE),
    Rule(id="grad_modes.within", source=SOURCE, exemplar=decorated, needs=F.MODE_WITHIN,
         statement="A mode holds in a function that it decorates, and ends also where an error leaves its region.",
         why="Evaluation is decorated; an error that is caught must not stop the training after it.", kinds=STATE),
    Rule(id="grad_modes.restored", source=SOURCE, exemplar=restored, needs=F.REGION_NESTED, facets=FLAGS | {"error", "grad"},
         statement="The end of a region brings back the mode that was before it.",
         why="Functions that use no_grad are called from within no_grad.", kinds=STATE),
)  # fmt: skip
