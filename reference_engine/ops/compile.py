"""Turns a row into code: a fast forward function, and the two backward functions of its node class.

Written out for each row as Python source (as dataclasses and named tuples do), because a loop over inputs and saved
tensors would cost more than the arithmetic on small arrays. The source of a row is kept in `row.source` for reading.
Whatever is out of the ordinary (rare modes, mixed dtypes, out=) goes to Row.general, which says the same at length.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import errors
from ..graph import NO_EDGE, edge_of, next_order
from ..modes import alert, state
from ..saved import SavedCopy, SavedResult, checked, unpack_array, unpack_tensor
from ..storage import Storage, laid_as
from ..tensor import Tensor, ndarray, new, wrap
from ..views import NO_GRAD, ViewInfo
from ..views import requires_grad as view_rg
from . import table

NUMBERS = frozenset({float, int, bool, complex, type(None)})


def compile_row(row: Any) -> None:
    """Give the row its fast `call` and its node class `backward` and `differentiate`."""
    scope: dict[str, Any] = {
        "alert": alert, "state": state, "Storage": Storage, "Tensor": Tensor, "ndarray": ndarray, "new": new,
        "ViewInfo": ViewInfo, "NO_GRAD": NO_GRAD, "view_rg": view_rg, "NUMBERS": NUMBERS, "NO_EDGE": NO_EDGE,
        "SavedResult": SavedResult, "laid_as": laid_as, "edge_of": edge_of, "next_order": next_order, "checked": checked,
        "unpack_array": unpack_array, "unpack_tensor": unpack_tensor, "freed": errors.freed, "complaint": errors.complaint,
        "COMPLAINTS": errors.COMPLAINTS,
        "A": table.arrays, "T": table.tensors,
        "fit_array": table.fit, "fit_tensor": table.fit_tensor, "Node": row.node, "kernel": row.kernel,
        "general": row.general, "asarray": np.asarray, "row": row, "odd": odd,
        "ascontiguousarray": np.ascontiguousarray, "real_gradients_only": errors.real_gradients_only,
    }  # fmt: skip
    scope.update({f"vjp_{k}": f for k, f in row.formulas.items()})
    source = "\n".join(_backward(row, arrays) for arrays in (True, False)) if row.formulas else ""
    plain = row.outputs == 1 and not (row.variadic and (row.view or row.promote))
    if plain:
        source += "\n" + _forward(row)
    exec(compile(source, f"<op {row.name}>", "exec"), scope)
    row.source, row.scope = source, scope
    if row.formulas:
        row.node.backward, row.node.differentiate = scope["backward"], scope["differentiate"]
    if plain:
        row.call = scope["forward"]
        row.call.__name__ = row.call.__qualname__ = row.name


def compile_in_place(row: Any, name: str) -> Any:
    """The function behind `name` (mul_, exp_, ...): writes the row's result into its first input."""
    from ..inplace import check, rebase, write

    scope = {**row.scope, "write": write, "check": check, "rebase": rebase, "name": name, "SavedCopy": SavedCopy}
    source = _in_place(row)
    exec(compile(source, f"<op {name}>", "exec"), scope)
    row.source += "\n" + source
    scope["in_place"].__name__ = scope["in_place"].__qualname__ = name
    return scope["in_place"]


def odd(row: Any, inputs: tuple, params: tuple) -> Any:
    """An operand that is neither tensor nor number: NumPy's are converted, others left to their own class."""
    found = []
    for x in inputs:
        if isinstance(x, np.generic):
            x = x.item()
        elif isinstance(x, ndarray):
            x = wrap(x)
        elif not isinstance(x, Tensor) and x.__class__ not in NUMBERS:
            if not isinstance(x, (list, tuple, str)) and hasattr(x.__class__, f"__r{row.name}__"):
                return NotImplemented
            if not isinstance(x, (int, float, complex)):
                raise TypeError(f"{row.name}(): argument must be Tensor or Number, not {type(x).__name__}")
            x = x.real if isinstance(x, int) else x
        found.append(x)
    return row.general(found, params)


def _signature(row: Any) -> str:
    params = [f"{p}={row.defaults[p]}" if p in row.defaults else p for p in row.params]
    return ", ".join([*row.inputs, *params])


def _forward(row: Any) -> str:
    """The source of the fast path."""
    names = row.inputs
    call = f"general(({', '.join(names)},), ({''.join(p + ', ' for p in row.params)}))"
    text = [
        f"def forward({_signature(row)}, *, out=None):",
        f"    if alert.on or out is not None: return {call[:-1]}, out)",
    ]
    saved = {p[1] for p in row.plan if p[1] is not None}
    recorded = bool(row.formulas)
    for i, x in enumerate(names):
        if row.variadic and x == names[-1]:
            text += [f"    try: a{i} = [t._array for t in {x}]", f"    except AttributeError: return {call}"]
            if x in row.formulas:
                text.append(f"    n{i} = any([t.requires_grad for t in {x}])")
            continue
        if i == 0:
            text.append(f"    a0 = {x}._array")
            continue
        text += [
            f"    if {x}.__class__ in NUMBERS: a{i} = {x}; n{i} = False; s{i} = None",
            "    else:",
            f"        try: a{i} = {x}._array; s{i} = {x}._storage",
            f"        except AttributeError: return odd(row, ({', '.join(names)},), ({''.join(p + ', ' for p in row.params)}))",
        ]
        if recorded and x in row.formulas:
            text.append(f"        n{i} = {x}._rg if {x}._view is None else view_rg({x})")
        if row.promote and i in row.promoted:
            against = row.promoted[0]
            if i != against:
                text.append(f"        if s{against} is None or a{i}.dtype is not a{against}.dtype: return {call}"
                            if against else f"        if a{i}.dtype is not a0.dtype: return {call}")  # fmt: skip
    text += _run(row)
    if row.order == "first":
        text.append("    if r.ndim > 1 and not a0.flags.c_contiguous: r = laid_as(r, a0)")
    elif row.order == "contiguous":
        text.append("    if r.ndim > 1 and not r.flags.c_contiguous: r = ascontiguousarray(r)")
    if row.promote in ("arith", "float"):
        first = row.promoted[0]
        if first:
            text.append(f"    if s{first} is None or r.dtype is not a{first}.dtype: return {call}")
        else:
            text.append(f"    if r.dtype is not a0.dtype: return {call}")
    text += [
        "    if r.__class__ is not ndarray: r = asarray(r)",
        "    o = new(Tensor)",
        "    o._array = r",
        "    o._meta = None",
    ]
    if row.view and recorded:
        text += _attach(names[0])
    elif row.view:
        text += ["    o._view = None", f"    o._storage = {names[0]}._storage"]
    else:
        text += ["    o._view = None", "    s = o._storage = Storage()", "    s.version = 0"]
    if recorded:
        text += _record(row, call, saved)
    text += ["    o._rg = False", "    o._edge = None", "    return o", ""]
    return "\n".join(text)


def _run(row: Any) -> list[str]:
    """The lines that call the kernel; NumPy's complaints become torch's."""
    operands = [f"a{i}" for i in range(len(row.inputs))]
    call = f"r = kernel({', '.join([*operands, *row.params])})"
    return [
        f"    try: {call}",
        f"    except COMPLAINTS as error: raise complaint({row.public!r}, ({', '.join(operands)},), error) from None",
    ]


def _attach(source: str) -> list[str]:
    """The part that makes a view: views.attach written out."""
    return [
        f"    s = o._storage = {source}._storage",
        f"    info = {source}._view; made = o._view = new(ViewInfo); recording = state.grad",
        "    if info is None:",
        f"        made.base = {source}; made.creation = 0 if recording else NO_GRAD",
        "    else:",
        "        made.base = info.base; made.creation = info.creation or (0 if recording else NO_GRAD)",
        "    made.version = s.version; made.replay = made.place = None",
    ]


def _record(row: Any, call: str, saved: set) -> list[str]:
    """The part of the fast path that makes the node."""
    names = row.inputs
    text = []
    if names[0] in row.formulas and not (row.variadic and len(names) == 1):
        text.append(f"    n0 = {names[0]}._rg if {names[0]}._view is None else view_rg({names[0]})")
    needs = " or ".join(f"n{i}" for i, x in enumerate(names) if x in row.formulas)
    casts = " and r.dtype.kind in 'fc'" if row.casts else ""
    text.append(f"    if ({needs}) and {'recording' if row.view else 'state.grad'}{casts}:")
    body = [] if row.complex else ["if r.dtype.kind == 'c': raise real_gradients_only(row.name)"]
    for i in sorted(saved):
        if row.variadic and i == len(names) - 1:
            body += [f"l{i} = tuple([(t, t._storage.version) for t in {names[i]}])", f"v{i} = None",
                     f"if any([v is None for _, v in l{i}]): return {call}"]  # fmt: skip
        elif i == 0:
            body += [f"v0 = {names[0]}._storage.version", f"if v0 is None: return {call}"]
        else:
            body += [
                f"if s{i} is None: v{i} = None",
                "else:",
                f"    v{i} = s{i}.version",
                f"    if v{i} is None: return {call}",
            ]
    edges = _edges(row, body)
    body += ["node = new(Node)", f"node.edges = ({', '.join(edges)},)"]
    entries, versions = [], []
    for name, i, _, guard in row.plan:
        if i is None:
            body += ["q = new(SavedResult)", "q._array = r", "q._storage = o._storage", "q.nr = 0"]
            entries.append("q")
            versions.append("o._storage.version")
        elif row.variadic and name == names[-1]:
            entries.append(f"l{i}" if guard is None else f"l{i} if {_asked(guard)} else None")
            versions.append("None")
        else:
            entries.append(name if guard is None else f"{name} if {_asked(guard)} else None")
            versions.append(f"v{i}" if guard is None else f"v{i} if {_asked(guard)} else None")
    body += _fill_node(row, entries, versions)
    body += ["o._rg = True", "o._edge = (node, 0)", "return o"]
    return text + ["        " + b for b in body]


def _asked(guard: tuple[int, ...]) -> str:
    """Whether any of these inputs needs a gradient, as code."""
    return " or ".join(f"n{i}" for i in guard)


def _edges(row: Any, body: list[str]) -> list[str]:
    """Add to `body` the lines that find the edge of each input that needs one; return the expressions for all."""
    edges = []
    for i, x in enumerate(row.inputs):
        if row.variadic and x == row.inputs[-1]:
            each = "edge_of(t) if t.requires_grad else NO_EDGE" if x in row.formulas else "NO_EDGE"
            edges.append(f"*[{each} for t in {x}]")
        elif x in row.formulas:
            # A view made under no_grad has the flag of its base and no edge: what only its gradient needs is not saved.
            found = [
                f"e{i} = {x}._edge",
                f"if e{i} is None or {x}._view is not None: e{i} = edge_of({x}); n{i} = e{i} is not NO_EDGE",
            ]
            if len(row.formulas) > 1:
                found = [f"if n{i}:", *(f"    {line}" for line in found), f"else: e{i} = NO_EDGE"]
            body += found
            edges.append(f"e{i}")
        else:
            edges.append("NO_EDGE")
    return edges


def _fill_node(row: Any, entries: list[str], versions: list[str]) -> list[str]:
    """The lines that set everything of a new node but its edges."""
    values = "()"
    if row.values:
        values = f"({', '.join(_value(row, v) for v in row.values)},)"
    return [
        f"node.saved = ({', '.join(entries)}{',' if entries else ''})",
        f"node.versions = ({', '.join(versions)}{',' if versions else ''})",
        f"node.values = {values}",
        "node.order = next_order()",
        "node.shape = r.shape",
        "node.dtype = r.dtype",
        "node.more = node.hooks = None",
    ]


def _in_place(row: Any) -> str:
    """The source of the in-place fast path. Rare modes, mixed kinds and an operand twice go to inplace.write."""
    names, t = row.inputs, row.inputs[0]
    slow = f"return write(row, name, {t}, ({''.join(x + ', ' for x in names[1:])}), ({''.join(p + ', ' for p in row.params)}))"
    text = [f"def in_place({_signature(row)}):", f"    if alert.on: {slow}", f"    a0 = {t}._array"]
    for i, x in enumerate(names[1:], 1):
        text += [
            f"    if {x}.__class__ in NUMBERS: a{i} = {x}; n{i} = False; s{i} = None",
            f"    elif {x} is {t} or not isinstance({x}, Tensor): {slow}",
            "    else:",
            f"        a{i} = {x}._array; s{i} = {x}._storage",
            f"        n{i} = {x}._rg if {x}._view is None else view_rg({x})",
        ]
        if row.promote and i in row.promoted:
            text.append(f"        if a{i}.dtype is not a0.dtype: {slow}")
    text += [
        f"    storage = {t}._storage",
        "    if storage.version is None or 0 in a0.strides or a0.dtype.kind not in 'fc'"
        f"{''.join(f' or s{i} is storage' for i in range(1, len(names)))}: {slow}",
        *_run(row),
        "    if r.__class__ is not ndarray: r = asarray(r)",
        f"    if r.shape != a0.shape or r.dtype is not a0.dtype: {slow}",
    ]
    if row.formulas:
        text += _record_in_place(row, slow)
    return "\n".join([*text, "    a0[...] = r", "    storage.version += 1", "    storage.writer = name", f"    return {t}", ""])


def _record_in_place(row: Any, slow: str) -> list[str]:
    names, t = row.inputs, row.inputs[0]
    needs = " or ".join(f"n{i}" for i in range(len(names)))
    text = [f"    n0 = {t}._rg if {t}._view is None else view_rg({t})", f"    if ({needs}) and state.grad:"]
    body = [f"if {t}._view is not None or n0 and {t}._edge is None: check({t}, name)"]
    saved = {p[1] for p in row.plan if p[1]}
    for i in sorted(saved):
        body += [f"if s{i} is None: v{i} = None", "else:", f"    v{i} = s{i}.version", f"    if v{i} is None: {slow}"]
    # A first input without formula keeps no gradient; one with a formula may still need none.
    if len(row.formulas) == 1 and t in row.formulas:
        body.append(f"if not n0: {slow}")
    edges = _edges(row, body)
    entries, versions, late = [], [], []
    for name, i, _, guard in row.plan:
        if i == 0:
            body += ["old = new(SavedCopy)", "old._array = a0.copy(order='K')", "old._storage = Storage()",
                     "old._storage.version = 0", f"old.nr = {t}._edge if n0 else None"]  # fmt: skip
            entries.append("old" if guard is None else f"old if {_asked(guard)} else None")
            versions.append("0" if guard is None else f"0 if {_asked(guard)} else None")
        elif i is None:
            late += ["q = new(SavedResult)", "q._array = a0", "q._storage = storage", "q.nr = 0"]
            entries.append("q")
            versions.append("storage.version")
        else:
            entries.append(name if guard is None else f"{name} if {_asked(guard)} else None")
            versions.append(f"v{i}" if guard is None else f"v{i} if {_asked(guard)} else None")
    body += ["a0[...] = r", "storage.version += 1", "storage.writer = name", *late]
    body += ["node = new(Node)", f"node.edges = ({', '.join(edges)},)", *_fill_node(row, entries, versions)]
    body += [f"if {t}._view is not None or {t}._meta is not None: rebase({t}, node)",
             f"else: {t}._rg = True; {t}._edge = (node, 0)", f"return {t}"]  # fmt: skip
    return text + ["        " + b for b in body]


def _value(row: Any, name: str) -> str:
    if name in row.params:
        return name
    i = row.inputs.index(name.rpartition("_")[0])
    what = name.rpartition("_")[2]
    if what in ("shape", "dtype"):
        if row.variadic and i == len(row.inputs) - 1:
            return f"[a.{what} for a in a{i}]"
        if i == 0:
            return f"a0.{what}"
    inputs = f"({', '.join(row.inputs)},)"
    return f"row._plain({name!r}, {inputs}, [{', '.join(f'a{k}' for k in range(len(row.inputs)))}], ())"


def _backward(row: Any, arrays: bool) -> str:
    """The source of `backward` (arrays) or `differentiate` (Tensors)."""
    text = [f"def {'backward' if arrays else 'differentiate'}(node, ct):"]
    if row.outputs != 1:
        text += ["    cts = ct", "    ct = cts[0]"]
    if row.plan:
        text += ["    saved = node.saved", "    if saved is None: raise freed(node.name())", "    versions = node.versions"]
    names = {}
    for k, (name, *_) in enumerate(row.plan):
        names[name] = f"x{k}"
        text += [f"    s = saved[{k}]; v = versions[{k}]"]
        if arrays:
            text += [
                f"    if v is None: x{k} = s if s.__class__ in NUMBERS else unpack_array(node, {k})",
                f"    elif s._storage.version == v and not alert.detached: x{k} = s._array",
                f"    else: x{k} = checked(node, {k}, s, v)._array",
            ]
        else:
            text += [f"    x{k} = unpack_tensor(node, {k})"]
    for k, name in enumerate(row.values):
        names[name] = f"p{k}"
    if row.values:
        text.append(f"    {', '.join(f'p{k}' for k in range(len(row.values)))}, = node.values")
    names.update(ct="ct", cts="cts", needs="tuple(e[0] is not None for e in node.edges)")
    F, fit = ("A", "fit_array") if arrays else ("T", "fit_tensor")
    fixed = row.inputs[:-1] if row.variadic else row.inputs
    results = []
    for i, x in enumerate(fixed):
        if x not in row.formulas:
            results.append("None")
            continue
        results.append(f"g{i}")
        call = f"vjp_{x}({', '.join([F, *(names[a] for a in row.arguments[x])])})"
        text += [f"    n, nr = node.edges[{i}]", f"    if n is None: g{i} = None", "    else:", f"        g{i} = {call}"]
        if (len(row.inputs) > 1 and not row.variadic) or row.promote or row.casts:
            g = f"g{i}" if arrays else f"g{i}._array"
            text.append(f"        if g{i} is not None and (nr or {g}.shape != n.shape or {g}.dtype is not n.dtype): "
                        f"g{i} = {fit}(g{i}, n, nr)")  # fmt: skip
    tail = ""
    if row.variadic:
        x = row.inputs[-1]
        if x in row.formulas:
            call = f"vjp_{x}({', '.join([F, *(names[a] for a in row.arguments[x])])})"
            text += [
                f"    rest = {call} if any(e[0] is not None for e in node.edges[{len(fixed)}:]) else ()",
                f"    rest = [g if e[0] is None or g is None else {fit}(g, *e) for g, e in zip(rest, node.edges[{len(fixed)}:])]",
                f"    rest += [None] * (len(node.edges) - {len(fixed)} - len(rest))",
            ]
            tail = "*rest,"
        else:
            tail = f"*((None,) * (len(node.edges) - {len(fixed)})),"
    text.append(f"    return ({''.join(r + ', ' for r in results)}{tail})")
    return "\n".join(text)
