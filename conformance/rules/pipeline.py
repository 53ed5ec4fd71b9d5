"""Area pipeline: weights updated while microbatches are in flight."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.pipeline import build
from conformance.rules.rule import Rule

SOURCE = "https://arxiv.org/abs/1806.03377"
NEEDS = frozenset({"versions", "aliases"})
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})
SEEN = frozenset({"grad", "value", "error"})

RULES = (
    Rule(id="pipeline.naive-update", source=SOURCE, needs=F.WEIGHT_UPDATED_IN_FLIGHT, refusal=Category.VERSION,
         exemplar=lambda: build("pipedream", 2, 2, "mul", stash=False, dtype="float64"),
         statement="A weight updated between a microbatch's forward and its backward makes that backward refuse.",
         why="PipeDream without stashing would compute gradients with weights that the forward never saw.",
         kinds=frozenset({"missed error"}), traits=NEEDS),
    Rule(id="pipeline.stashing", source=SOURCE, needs=F.STASHED_WEIGHT_UPDATED,
         exemplar=lambda: build("pipedream", 2, 3, "mul", stash=True, dtype="float64"),
         statement="With weight stashing each forward works on a copy of the weight: updates in flight are no error, "
                   "and the gradients are those of the stashed weights.",
         why="The copy is what backward needs; the weight itself may change.", kinds=WRONG, facets=SEEN, traits=NEEDS),
    Rule(id="pipeline.flush", source="https://arxiv.org/abs/1811.06965", needs=F.STAGE_BOUNDARY | F.ACCUMULATED_AGAIN,
         exemplar=lambda: build("1f1b", 2, 3, "matmul", stash=False, dtype="float64"),
         statement="Schedules that update only after all microbatches have come back are no error, in any order of microbatches.",
         why="GPipe and 1F1B with a flush accumulate the same gradients as one large batch.", kinds=WRONG, facets=SEEN),
)  # fmt: skip
