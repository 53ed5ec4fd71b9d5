"""Defects of version counters and their checks."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="VER01",
        defect="zero_, fill_ and copy_ do not count as writes.",
        source="pytorch #14571, PR #14633, PR #96403, #96598",
        file="ops/compile.py",
        before="source = _in_place(row)\n",
        after="""source = _in_place(row)
    if row.name in ("zero", "fill_scalar", "fill_tensor", "copy_row"):
        source = source.replace("storage.version += 1", "pass")
""",
        areas=("versions", "views"),
        steps=2,
    ),
    Mutant(
        id="VER05",
        defect="detach() gives its result a version counter of its own.",
        source="pytorch PR #18223, #5396",
        file="tensor.py",
        before='version counter, outside the graph; not a view."""\n',
        after='''version counter, outside the graph; not a view."""
        return alias(self._array, Storage.at(None if self._storage.version is None else 0))
''',
        areas=("detach", "versions"),
        steps=3,
    ),
    Mutant(
        id="VER07",
        defect="add counts as a write into its first operand.",
        source="pytorch PR #18223 (generalised)",
        file="ops/compile.py",
        before="    text += _run(row)\n",
        after="""    text += _run(row)
    if row.name == "add":
        text.append(f"    {names[0]}._storage.version += 1")
""",
        areas=("versions", "errors"),
        steps=2,
    ),
    Mutant(
        id="VER10",
        defect="An operand is saved although the operand whose gradient needs it requires none.",
        source="pytorch derivatives.yaml (generalised), Oneflow 183bcfc527",
        file="ops/table.py",
        before="sparing = len(users[n]) < len(self.formulas) if self.exact else len(users[n]) == 1 < len(self.formulas)",
        after="sparing = False",
        areas=("versions", "requires_grad", "lifetime", "saved_hooks", "errors"),
        steps=5,
    ),
    Mutant(
        id="VER11",
        defect="The version of a saved tensor is compared when it is first used, and not again in a second backward.",
        source="pytorch #197054 (generalised)",
        file="ops/compile.py",
        before="""                f"    elif s._storage.version == v and not alert.detached: x{k} = s._array",""",
        after="""                f"    elif {k} in node.metadata: x{k} = s._array",
                f"    elif s._storage.version == v and not alert.detached: x{k} = s._array; node.metadata[{k}] = True",""",
        areas=("versions", "lifetime"),
        steps=6,
    ),
    Mutant(
        id="VER13",
        defect="The version of a saved view is not compared.",
        source="pytorch #197887",
        file="saved.py",
        before="    if now != version:\n",
        after='    if now != version and getattr(entry, "_view", None) is None:\n',
        areas=("versions", "views"),
        steps=6,
    ),
    Mutant(
        id="VER14",
        defect="t_, unsqueeze_ and the like do not count as writes.",
        source="pytorch PR #53342",
        file="ops/cast.py",
        before='        bump(self, name + "_")\n',
        after="",
        areas=("versions", "views"),
        steps=2,
    ),
    Mutant(
        id="VER15",
        defect="Setting an item does not count as a write.",
        source="pytorch #9391",
        file="ops/index.py",
        before="""    if indices is None:
        copy_to(out, value)
    else:
        out.index_put_(indices, slimmed(value))
""",
        after="""    version = self._storage.version
    if indices is None:
        copy_to(out, value)
    else:
        out.index_put_(indices, slimmed(value))
    self._storage.version = version
""",
        areas=("versions", "views"),
        steps=2,
    ),
    Mutant(
        id="VER16",
        defect="The versions of saved indices are not compared.",
        source="pytorch #14571 (sibling)",
        file="saved.py",
        before="    if now != version:\n",
        after='    if now != version and entry._array.dtype.kind not in "iu":\n',
        areas=("versions",),
        steps=5,
    ),
    Mutant(
        id="VER18",
        defect="A pack hook may write into the tensor that it is given.",
        source="pytorch PR #62717",
        file="saved.py",
        before="if entry._storage.version != before:",
        after="if before is Ellipsis:",
        areas=("saved_hooks", "versions", "errors"),
    ),
)
