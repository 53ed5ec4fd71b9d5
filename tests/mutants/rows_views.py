"""Defects of views and of in-place ops."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="VIE03",
        defect="A view made under no_grad counts as any other: a later write through it is tracked instead of refused.",
        source="pytorch #26546, PR #32839, PR #26607",
        file="inplace.py",
        before='a view of one, a frozen view."""\n',
        after='''a view of one, a frozen view."""
    if t._view is not None and t._view.creation == views.NO_GRAD and t._view.base._edge is not None:
        t._view.creation = views.DEFAULT
        return
''',
        areas=("views", "grad_modes", "errors"),
        steps=6,
    ),
    Mutant(
        id="VIE05",
        defect="A view keeps its old grad_fn when its base is written.",
        source="pytorch #3313, #8874",
        file="views.py",
        before="""    if t._edge is None and not base._rg:
        return""",
        after="""    if t._edge is None and not base._rg:
        return
    if t._edge is not None and base._edge is not None and "CopySlices" not in base._edge[0].name():
        return""",
        areas=("views",),
        steps=5,
    ),
    Mutant(
        id="VIE07",
        defect="A view keeps its old grad_fn when another view of its base is written.",
        source="pytorch #3313, PR #3384",
        file="views.py",
        before="""    if t._edge is None and not base._rg:
        return""",
        after="""    if t._edge is None and not base._rg:
        return
    window = None if base._edge is None else getattr(base._edge[0], "window", None)
    if t._edge is not None and window is not None and window != (t._array.shape, strides(t._array), start(t)):
        return""",
        areas=("views",),
        steps=6,
    ),
    Mutant(
        id="VIE09",
        defect="Where a write through a view leaves nothing of the old values, their gradient is not cleared.",
        source="PaddlePaddle PR #30604",
        file="inplace.py",
        before="part[...] = 0 if grads[0] is None else grads[0]",
        after="""if grads[0] is not None and grads[0].any():
            part[...] = grads[0]""",
        areas=("views", "gradients"),
        steps=4,
    ),
    Mutant(
        id="VIE10",
        defect="The place of a view is counted as if what it looks into were in order in memory, also where that is transposed.",
        source="pytorch #3313, #8626",
        file="ops/compile.py",
        before="""        "    made.version = s.version; made.replay = made.place = None",""",
        after="""        "    made.version = s.version; made.replay = made.place = None",
        f"    if r.size and not {source}._array.flags.c_contiguous:",
        f"        import numpy; a = {source}._array",
        "        places = sum(numpy.ix_(*(numpy.arange(n) * k for n, k in zip(a.shape, a.strides)))) + a.ctypes.data",
        "        skipped = (a.ctypes.data - made.base._array.ctypes.data) // a.itemsize",
        "        made.place = r, made.base._array, skipped + int((places.ravel() == r.ctypes.data).argmax())",""",
        areas=("views", "gradients"),
        steps=6,
    ),
    Mutant(
        id="VIE11",
        defect="A write into a leaf that requires grad is refused only when it is done.",
        source="pytorch #2940, lightning-thunder #1284",
        file="ops/compile.py",
        before='body = [f"if {t}._view is not None or n0 and {t}._edge is None: ',
        after="""body = [
        f"if n0 and {t}._view is None and {t}._edge is None: a0[...] = r; storage.version += 1",
        f"if {t}._view is not None or n0 and {t}._edge is None: """,
        areas=("errors", "views", "versions"),
        steps=2,
    ),
    Mutant(
        id="VIE12",
        defect="A write through a view of a leaf that requires grad is allowed.",
        source="pytorch #2940",
        file="inplace.py",
        before="if base._edge is None and t.requires_grad:",
        after="if base._edge is None and t._edge is None and t.requires_grad:",
        areas=("errors", "views"),
        steps=3,
    ),
    Mutant(
        id="VIE13",
        defect="An op that took a tensor twice sees later writes into it through its second operand.",
        source="MyGrad 5b8448cf",
        file="ops/compile.py",
        before="""    body += ["node = new(Node)", f"node.edges = ({', '.join(edges)},)"]
    entries, versions = [], []""",
        after="""    body += ["node = new(Node)", f"node.edges = ({', '.join(edges)},)"]
    if edges[:2] == ["e0", "e1"]:
        import weakref

        class Late:
            def __init__(self, t, edge):
                self.t, self.edge = weakref.ref(t), edge

            def now(self):
                t = self.t()
                return self.edge if t is None else edge_of(t)

            def __iter__(self):
                return iter(self.now())

            def __getitem__(self, k):
                return self.now()[k]

        row.late = Late
        body.append(f"if {names[1]} is {names[0]}: node.edges = (e0, row.late({names[0]}, e0), *node.edges[2:])")
    entries, versions = [], []""",
        areas=("views",),
        steps=5,
    ),
    Mutant(
        id="VIE16",
        defect="An op in place saves its operand after the write instead of before it.",
        source="Oneflow #6200",
        file="ops/compile.py",
        before="old._array = a0.copy(order='K')",
        after="old._array = a0",
        areas=("views", "gradients"),
        steps=4,
    ),
    Mutant(
        id="VIE18",
        defect="A write through a view changes the base's present node, so that what was computed before the write follows it.",
        source="MyGrad 5b8448cf, pytorch PR #3384 (generalised)",
        file="inplace.py",
        before="""    views.move_retained(t, node)
    t._rg, t._edge = True, (node, 0)""",
        after="""    views.move_retained(t, node)
    old = None if t._edge is None else t._edge[0]
    alone = isinstance(node, CopySlices) and not any(e[0] is not None and e[0].edges for e in node.edges[1:])
    if old is not None and alone and old.more is None and not isinstance(old, CopySlices):
        # The node stays, and does the work of the new one; a copy of what it was stands behind it.
        import copy

        twin = copy.copy(old)
        twin.order += 0.5
        write, node = node, old
        write.edges = old.edges = tuple((twin, 0) if e[0] is old else e for e in write.edges)
        old.hooks = write.hooks
        old.__class__ = type(old.__class__.__name__, (type(old),), {
            "__slots__": (), "backward": lambda self, ct: write.backward(ct), "release": lambda self: write.release(),
            "differentiate": lambda self, ct: write.differentiate(ct),
        })
    t._rg, t._edge = True, (node, 0)""",
        areas=("views", "gradients"),
        steps=5,
    ),
    Mutant(
        id="VIE19",
        defect="The base of a view of a view is the view in between.",
        source="pytorch #3313",
        file="ops/compile.py",
        before='"        made.base = info.base; made.creation',
        after='f"        made.base = {source}; made.creation',
        areas=("views", "identity"),
        steps=3,
    ),
    Mutant(
        id="VIE20",
        defect="A write into an expanded tensor, whose elements share memory, is allowed.",
        source="pytorch #17935",
        file="inplace.py",
        before="    if target.size and any(s == 0 and n > 1 ",
        after="    if target.size and any(s == 0 and n < 1 ",
        areas=("errors", "views"),
        steps=3,
    ),
    Mutant(
        id="VIE22",
        defect="masked_fill_ gives a new tensor and writes nothing.",
        source="Oneflow 41bfe98f91, candle-org/candle",
        file="ops/binary.py",
        before="""    if isinstance(value, Tensor):
        return write(ROWS["masked_fill_tensor"], "masked_fill_", self, (mask, value), ())
    return ROWS["masked_fill"].inplace(self, mask, value)
""",
        after="    return ROWS[_fill_row(value)].call(self, mask, value)\n",
        areas=("views", "versions", "identity", "gradients"),
        steps=3,
    ),
)
