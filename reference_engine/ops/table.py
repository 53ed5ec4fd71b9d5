"""What a row of the op table is.

A row says everything about one op, and is the only place that knows it:

    op("mul", np.multiply, "self other", promote="arith",
       self=lambda F, ct, other: F.mul(ct, F.conj(other)),
       other=lambda F, ct, self: F.mul(ct, F.conj(self)))

* kernel(*arrays, *params) -> array (or a tuple of arrays): plain NumPy. A view op's kernel returns a NumPy view.
* inputs: names of the tensor inputs, torch's own. "!name": takes no part in dtype promotion. "*name" (last): a list of
  tensors. A Python number may stand for any input but the first.
* params: names of the other arguments with their defaults, "dim=None keepdim=False".
* one formula (vjp) for each differentiable input, by its name. It returns the cotangent of that input, or None. What it
  needs it says by the names of its parameters:
      F             the interpreter: NumPy kernels in an ordinary backward, differentiable Tensor ops under create_graph.
                    F has every row of the table as a function (inputs, then params), on arrays as well as on Tensors.
      ct            the cotangent (of output 0); `cts` for the list of all of them (None where none arrived)
      an input      its value: this is what the op SAVES. As in torch's derivatives.yaml: an input that one formula alone
                    uses is saved only if that formula's own input requires grad; one that several use, always.
      result        output 0 (result1: output 1): saved too
      a param       its value;   X_shape, X_dtype, X_geometry: of input X, saving no tensor
      needs         tuple: which inputs require grad
  Broadcasting and dtype are not the formula's business: with several inputs each cotangent is summed and cast to fit.
* order: how the result lies in memory: None (as the kernel leaves it), "first" (its dimensions nested as those of input 0;
  so it is with several promoted inputs, if not said), "contiguous".
* promote: None (the kernel sees the arrays as they are), "arith" (common dtype), "float" (the same, integers become the
  default float), "compare" (common dtype, the result keeps the kernel's dtype).
* view=True: the result looks into the memory of input 0. outputs: how many (0: as many as the kernel returns, all views
  of input 0). diff: numbers of the outputs that are differentiable, if not all.
* exact=True: what two formulas of three need is not saved where neither is asked for.
* complex=False: complex results may not require grad (unless written in place: torch does not look there).
* node: torch's node name, if not CamelCase of the name with "Backward0".
* inplace: True (name_ is derived: the value is written into self), a name, or False; a Row to use that row's formulas.
* jvp: "linear" (the op itself applied to the tangents), "elementwise" (the vjp with the tangent for ct), or a function.
* face: True puts the row on Tensor as a method and in the package as a function of its name; "method", "function" or
  False restrict that. Faces with richer signatures are ordinary functions marked @face.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from .. import dtypes, errors
from ..graph import NO_EDGE, Node, edge_of
from ..modes import alert, state
from ..saved import Packed, SavedCopy, SavedResult, pack
from ..storage import laid_as
from ..tensor import Tensor, alias, ndarray, wrap
from ..views import attach, geometry

ROWS: dict[str, Row] = {}
FUNCTIONS: dict[str, Any] = {}  # what the package offers as torch.<name>
arrays = ModuleType("F on arrays")  # the two interpreters of the formulas
tensors = ModuleType("F on Tensors")


class Row:
    """One op. Calling it runs the op on Tensors: row(*inputs, *params)."""

    def __init__(self, name: str, kernel: Callable, inputs: str, params: str, formulas: dict, **options: Any) -> None:
        self.name, self.kernel, self.formulas = name, kernel, formulas
        words = inputs.split()
        self.inputs = tuple(w.strip("!*") for w in words)
        self.promoted = tuple(i for i, w in enumerate(words) if not w.startswith(("!", "*")))
        self.variadic = bool(words) and words[-1].startswith("*")
        self.params = tuple(p.partition("=")[0] for p in params.split())
        self.defaults = {p.partition("=")[0]: p.partition("=")[2] for p in params.split() if "=" in p}
        self.promote = options.get("promote")
        self.order = options.get("order") or ("first" if self.promote and len(words) > 1 and not self.variadic else None)
        self.view = options.get("view", False)
        self.outputs = options.get("outputs", 1)
        self.diff = options.get("diff")
        self.jvp = options.get("jvp")
        self.complex = options.get("complex", True)
        self.casts = options.get("casts", False)  # the result may be of a dtype that has no gradient
        self.namedtuple = options.get("namedtuple")
        self.exact = options.get("exact", False)
        self.arguments = {k: tuple(inspect.signature(f).parameters)[1:] for k, f in formulas.items()}
        self.plan = self._plan()
        used = dict.fromkeys(a for names in self.arguments.values() for a in names)
        saved = {p[0] for p in self.plan}
        self.values = tuple(u for u in used if u not in saved and u not in ("ct", "cts", "needs"))
        self.node = self._node_class(options.get("node"))
        self.call: Any = self.__call__

    @property
    def public(self) -> str:
        """The name under which users know the op: without what tells its rows apart."""
        return self.name.removesuffix("_row").removesuffix("_dims").removesuffix("_all")

    def _plan(self) -> tuple:
        """What is saved: (name, input or None, output or None, the inputs whose formulas alone need it or None).

        As in torch only an input that one formula needs is left out where that one is not asked for; `exact` rows do better.
        """
        users: dict[str, list[str]] = {}
        for owner, names in self.arguments.items():
            for n in names:
                users.setdefault(n, []).append(owner)
        plan = []
        for i, n in enumerate(self.inputs):
            if n in users:
                sparing = len(users[n]) < len(self.formulas) if self.exact else len(users[n]) == 1 < len(self.formulas)
                plan.append((n, i, None, tuple(map(self.inputs.index, users[n])) if sparing else None))
        for n in users:
            if n.startswith("result") and (n == "result" or n[6:].isdigit()):
                plan.append((n, None, int(n[6:] or 0), None))
        return tuple(plan)

    def _node_class(self, name: str | None) -> type:
        name = name or "".join(part[:1].upper() + part[1:] for part in self.name.split("_")) + "Backward0"
        shown = tuple(i for i, n in enumerate(self.inputs) if n in self.formulas)
        return type(name, (Node,), {
            "shown": None if self.variadic and self.inputs[-1] in self.formulas else shown,
            "__slots__": (), "__module__": __name__, "row": self, "input_names": self.inputs,
            "saved_names": tuple(p[0] for p in self.plan), "value_names": self.values,
        })  # fmt: skip

    # ---- running --------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> Any:
        n = len(self.inputs)
        return self.general(args[:n], args[n:])

    def general(self, inputs: Sequence, params: Sequence, out: Any = None) -> Any:
        """The op on Tensors, in every mode and for every kind of operand."""
        values = [x._array if x.__class__ is Tensor else self._value(x) for x in inputs]
        if out is not None:
            return self._into(out, inputs, params, values)
        result = self._compute(values, params)
        outs = self._wrap(result, inputs[0])
        if self.formulas and state.grad:
            self.record(inputs, values, params, outs)
        if state.dual_level >= 0 or state.transforms:
            from ..autograd.forward_ad import propagate

            propagate(self, inputs, values, params, outs)
        if self.outputs == 1:
            return outs[0]
        return self.namedtuple(*outs) if self.namedtuple else tuple(outs)

    @staticmethod
    def _value(x: Any) -> Any:
        if isinstance(x, Tensor):
            return x._array
        if isinstance(x, (list, tuple)):
            return [y._array if y.__class__ is Tensor else Row._value(y) for y in x]
        if isinstance(x, np.generic):
            return x.item()
        return x

    def _compute(self, values: list, params: Sequence) -> Any:
        """Promote, run the kernel, and give the result its dtype."""
        common = None
        if self.promote is not None:
            values, common = self.promoted_values(values)
        try:
            result = self.kernel(*values, *params)
        except errors.COMPLAINTS as error:
            raise errors.complaint(self.public, values, error) from None
        if common is not None and self.promote != "compare" and result.dtype is not common.np:
            result = result.astype(common.np)
        if self.order is None:
            return result
        return self._laid(result, values[0]) if self.outputs == 1 else tuple(self._laid(r, values[0]) for r in result)

    def _laid(self, result: Any, first: Any) -> Any:
        """A result in the row's order of memory."""
        if not isinstance(result, ndarray) or result.ndim < 2:
            return result
        if self.order == "contiguous":
            return np.ascontiguousarray(result)
        return laid_as(result, first) if isinstance(first, ndarray) else result

    def promoted_values(self, values: list) -> tuple[list, dtypes.dtype]:
        """The operands in their common dtype, and that dtype."""
        common = dtypes.result_type_of(values[i] for i in self.promoted)
        if self.promote == "float" and common.category < dtypes.FLOAT:
            common = dtypes.get_default_dtype()
        values = list(values)
        for i in self.promoted:
            v = values[i]
            if isinstance(v, ndarray) and v.dtype is not common.np:
                values[i] = v.astype(common.np)
            elif i == 0 and v is not None and not isinstance(v, ndarray):
                values[i] = np.asarray(v, common.np)
        return values, common

    def _wrap(self, result: Any, source: Any) -> list[Tensor]:
        if self.outputs == 1:
            out = wrap(result)
            if self.view:
                out._storage = source._storage
                if self.formulas:  # without one it is an alias outside the graph, like detach
                    attach(out, source)
            return [out]
        outs = [wrap(r) for r in result]
        if self.view:
            for out in outs:
                attach(out, source, several=True)
        return outs

    def _into(self, out: Any, inputs: Sequence, params: Sequence, values: list) -> Any:
        """out=: write the result into given tensors."""
        outs = out if isinstance(out, (tuple, list)) else (out,)
        operands = [x for x in self.flat(inputs) if isinstance(x, Tensor)]
        if state.grad and any(t.requires_grad for t in (*operands, *outs)):
            raise errors.out_argument(self.public)
        from .out import store

        result = self._compute(values, params)
        for target, value in zip(outs, result if self.outputs != 1 else (result,)):
            store(target, np.asarray(value), self.public)
        return out

    # ---- recording ------------------------------------------------------------------------------------------------

    def flat(self, inputs: Sequence) -> list:
        """The inputs with the list at the end spread out."""
        return [*inputs[:-1], *inputs[-1]] if self.variadic else list(inputs)

    def edges(self, inputs: Sequence) -> tuple[tuple, bool]:
        """One edge for each input, and whether any input needs a gradient."""
        edges, needed, last = [], False, len(self.inputs) - 1
        for i, x in enumerate(self.flat(inputs)):
            if isinstance(x, Tensor) and x.requires_grad and self.inputs[i if i < last else last] in self.formulas:
                edges.append(edge_of(x))
                needed = True
            else:
                edges.append(NO_EDGE)
        return tuple(edges), needed

    def record(self, inputs: Sequence, values: list, params: Sequence, outs: list[Tensor]) -> None:
        """Put a node behind the outputs, if an input requires grad."""
        edges, needed = self.edges(inputs)
        if not needed or (self.casts and outs[0]._array.dtype.kind not in "fc"):
            return
        if not self.complex and outs[0]._array.dtype.kind == "c":
            raise errors.real_gradients_only(self.name)
        node = self.make_node(inputs, values, params, edges, outs)
        for nr, out in enumerate(outs):
            if (self.diff is None or nr in self.diff) and out._array.dtype.kind in "fc":
                out._rg, out._edge = True, (node, nr)

    def make_node(
        self, inputs: Sequence, values: list, params: Sequence, edges: tuple, outs: list, entries: dict | None = None
    ) -> Node:
        """The node with what it saves. `entries`: saved entries given from outside, by name (in-place ops)."""
        first = outs[0]._array
        node = self.node(edges, first.shape, first.dtype)
        if len(outs) > 1:
            node.more = {i: (o._array.shape, o._array.dtype) for i, o in enumerate(outs) if i}
        elif self.outputs != 1:
            node.more = {0: (first.shape, first.dtype)}
        saved, versions = [], []
        for name, i, nr, guard in self.plan:
            if entries and name in entries:
                entry = entries[name]
            elif i is None:
                entry = SavedResult(outs[nr]._array, outs[nr]._storage, nr)
                if self.diff is not None and nr not in self.diff:
                    # An output without a gradient is a constant to the formula: no way back through it.
                    entry = SavedCopy(outs[nr]._array, outs[nr]._storage, None)
            else:
                entry = inputs[i] if guard is None or any(edges[g] is not NO_EDGE for g in guard) else None
            entry, version = self._pack(entry)
            saved.append(entry)
            versions.append(version)
        node.saved, node.versions = tuple(saved), tuple(versions)
        if self.values:
            node.values = tuple(self._plain(v, inputs, values, params) for v in self.values)
        return node

    @staticmethod
    def _pack(entry: Any) -> tuple[Any, Any]:
        if isinstance(entry, (list, tuple)):
            return tuple(Row._pack(e) for e in entry), None
        if isinstance(entry, (Tensor, SavedResult)):
            return pack(entry, entry._storage.version)
        return entry, None

    def _plain(self, name: str, inputs: Sequence, values: list, params: Sequence) -> Any:
        """A value that a formula asks for besides tensors."""
        if name in self.params:
            return params[self.params.index(name)]
        source, _, what = name.rpartition("_")
        i = self.inputs.index(source)
        v = values[i]
        if what == "geometry":
            return geometry(inputs[i])
        if isinstance(v, list):
            return [getattr(x, what) for x in v]
        if isinstance(v, ndarray):
            return getattr(v, what)
        return () if what == "shape" else None


def fit(ct: Any, node: Node, nr: int) -> Any:
    """Sum a cotangent down to the shape of the value it belongs to, and cast it to that value's dtype (arrays)."""
    shape, dtype = node.meta(nr)
    if ct.shape != shape:
        ct = arrays.sum_to(ct, shape)
    if ct.dtype is not dtype and ct.dtype != dtype:
        ct = (ct.real if ct.dtype.kind == "c" and dtype.kind != "c" else ct).astype(dtype)
    return ct


def fit_tensor(ct: Any, node: Node, nr: int) -> Any:
    """The same on Tensors."""
    shape, dtype = node.meta(nr)
    if ct._array.shape != shape:
        ct = tensors.sum_to(ct, shape)
    if ct._array.dtype != dtype:
        if ct._array.dtype.kind == "c" and dtype.kind != "c":
            ct = tensors.real(ct)
        ct = tensors.to_copy(ct, dtypes.OF_NUMPY[dtype])
    return ct


def op(
    name: str, kernel: Callable, inputs: str = "self", params: str = "", *, inplace: Any = None, face: Any = True,
    arrays_as: Callable | None = None, **rest: Any,
) -> Row:  # fmt: skip
    """Make a row and enter it in the table. Options of Row go by name; every other keyword is an input's formula."""
    from .compile import compile_row
    from .faces import expose

    options = {k: rest.pop(k) for k in list(rest) if k in OPTIONS}
    row = Row(name, kernel, inputs, params, rest, **options)
    ROWS[name] = row
    compile_row(row)
    setattr(arrays, name, arrays_as or kernel)
    setattr(tensors, name, row.call)
    expose(row, inplace, face)
    return row


OPTIONS = {"complex", "exact", "order", "promote", "view", "outputs", "diff", "node", "jvp", "casts", "namedtuple"}
__all__ = ["FUNCTIONS", "ROWS", "Packed", "Row", "alert", "alias", "arrays", "fit", "fit_tensor", "op", "tensors"]
