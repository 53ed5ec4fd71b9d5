"""Area saved_hooks: hooks on the tensors that nodes save."""

from __future__ import annotations

from conformance.compare import Kind
from conformance.engine import Category
from conformance.features import Feature as F
from conformance.program import Mode, Program
from conformance.rules.rule import Rule
from conformance.sketch import Sketch

SOURCE = "https://docs.pytorch.org/docs/stable/notes/autograd.html#hooks-for-saved-tensors"
GRADIENTS = frozenset({"grad", "value", "error"})
WRONG: frozenset[Kind] = frozenset({"wrong value", "wrong state", "spurious error"})


def packed(mode: Mode, *, write: bool = False, inner: Mode | None = None) -> Program:
    """An op that saves its input inside a region of hooks."""
    s = Sketch()
    h = s.op("clone", s.leaf([1.0, 2.0]))
    with s.region(mode):
        if inner is None:
            y = s.op("square", h)
        else:
            with s.region(inner):
                y = s.op("square", h)
    if write:
        s.write("mul_scalar_", h, value=2.0)
    s.backward(y, [1.0, 3.0])
    return s.program()


def _rule(slug: str, statement: str, why: str, needs: F, exemplar: Program, facets: frozenset[str] = GRADIENTS,
          obligation: str = "MUST") -> Rule:  # fmt: skip
    """A rule on what packing and unpacking do."""
    return Rule(id=f"saved_hooks.{slug}", statement=statement, why=why, source=SOURCE, exemplar=lambda: exemplar, needs=needs,
                kinds=WRONG, facets=facets, obligation=obligation)  # type: ignore[arg-type]  # fmt: skip


ANY = F.PACKED | F.PACKED_AS_COPY | F.PACKED_DOUBLED

REFUSALS = (
    Rule(id="saved_hooks.pack-writes", source=SOURCE, exemplar=lambda: packed("pack_write"), needs=F.PACKED_WRITTEN,
         refusal=Category.HOOK, kinds=frozenset({"missed error"}),
         statement="A hook that writes into the tensor that it is to pack is refused.",
         why="It would change a tensor that the program goes on using."),
)  # fmt: skip

RULES = (
    _rule("innermost", "Where hooks on saved tensors are nested, the innermost pair alone applies.",
          "Applied twice, a tensor would be unpacked that was never packed so.", F.PACKS_NESTED,
          packed("pack_double", inner="pack_double")),
    _rule("copies", "Where packing copies, what was saved may be changed before backward, which is right all the same.",
          "Offloading and compressing saved tensors rest on it.", F.PACKED_AS_COPY, packed("pack_copy", write=True)),
    _rule("unpacked", "Backward computes with what unpacking gives.", "A node that keeps the tensor as well saves nothing.",
          F.PACKED_DOUBLED, packed("pack_double")),
    _rule("same", "Hooks that change nothing change no gradient.", "They only look.", F.PACKED, packed("pack_same"),
          frozenset({"grad", "error"})),
    Rule(id="saved_hooks.what", obligation="MAY", source=SOURCE, exemplar=lambda: packed("pack_same"),
         any_of=ANY | F.PACKED_WRITTEN,
         statement="A node packs what its backward needs, and nothing else.",
         why="What torch saves for each op is measured; an engine may save other tensors that serve as well.",
         kinds=frozenset({"wrong value", "wrong state"}), facets=frozenset({"packed"})),
)  # fmt: skip
