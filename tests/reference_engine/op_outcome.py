"""What one op call does on a torch-like module, of every order of derivative; and how two such outcomes differ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from op_inputs import Call, draw, seed

LIMITS = {"float64": 1e-8, "complex128": 1e-8, "float32": 2e-4, "complex64": 2e-4, "float16": 2e-3}
LOOSER = {"second": 10}


def gauge(found: Any, k: int) -> Any:
    """Sizes alone of a factor whose phases are free."""
    return found[k].abs()


def parts(u: Any, s: Any, vh: Any) -> Any:
    """What of a singular value decomposition is unique."""
    return u.abs(), s, vh.abs()


def recompose(found: Any) -> Any:
    """The matrix from its decomposition, its singular values squared."""
    u, s, vh = found
    return (u * (s * s).to(u.dtype).unsqueeze(-2)) @ vh


def recombine(w: Any, v: Any) -> Any:
    """The square of a matrix from its eigenvalues and eigenvectors."""
    return (v * (w * w).unsqueeze(-2)) @ v.inverse()


def projectors(w: Any, v: Any) -> Any:
    """What of an eigendecomposition is unique."""
    return w, v.abs()


HELPERS = {f.__name__: f for f in (gauge, parts, recompose, recombine, projectors)}


def tensor(module: Any, array: Any, layout: str) -> Any:
    """A tensor of the numbers, lying in memory as the layout says."""
    if layout == "strided" and array.ndim:
        return module.tensor(np.ascontiguousarray(array.T)).permute(*reversed(range(array.ndim)))
    if layout == "expanded" and array.ndim and array.shape[0]:
        return module.tensor(array[:1]).expand(*array.shape)
    return module.tensor(array)


def numbers(t: Any) -> Any:
    """The values of a tensor as an array; None of None."""
    return None if t is None else np.array(t.detach().resolve_conj().resolve_neg().numpy(force=True))


def kind_of(error: BaseException) -> str:
    """The name of an error's class."""
    return f"!{type(error).__name__}"


class Outcome:
    """One call on one module: a dictionary from what was asked to what was found."""

    def __init__(self, module: Any, call: Call, dtype: str, variant: str) -> None:
        self.T, self.call, self.words = module, call, (call.text, dtype, variant)
        self.sizes, self.drawn = draw(call, dtype, variant)
        self.code = compile(call.text, "<call>", "eval")
        self.found: dict[str, Any] = {}
        self.messages: dict[str, str] = {}
        self.ask("value", self.value)
        if self.found["value"] is None:
            self.ask("backward", self.backward)
            self.ask("second", self.second)
            self.ask("forward", self.forward)
            if self.found["value"] is None:
                del self.found["value"]

    def ask(self, what: str, question: Any) -> None:
        """Put one question; an error is an answer."""
        try:
            self.found[what] = question()
        except Exception as error:
            self.found[what] = kind_of(error)
            self.messages[what] = f"{type(error).__name__}: {error}"

    def run(self, smooth: Any, forward: bool = False) -> tuple[list, list, Any]:
        """The leaves, the results, and the tensor written to. `smooth` makes an operand from a tensor."""
        scope = {"T": self.T, "F": self.T.nn.functional, "A": self.T.ops.aten, **HELPERS, **self.sizes}
        leaves = []
        for k, d in enumerate(self.drawn):
            # Torch makes no dual of a tensor whose elements share memory.
            made = tensor(self.T, d.array, "plain" if forward and d.layout == "expanded" else d.layout).detach()
            if d.smooth:
                made = smooth(made, k)
                leaves.append(made)
            scope[d.name] = made
        written = None
        if "t." in self.call.text or "(t" in self.call.text or "t[" in self.call.text:
            written = scope["t"] = scope["x"].clone()
        before = written._version if written is not None else 0
        got = eval(self.code, scope)
        if written is not None:
            self.found["version"] = written._version - before
            got = written
        outs = list(got) if isinstance(got, (tuple, list)) else [got]
        return leaves, [o for o in outs if isinstance(o, self.T.Tensor)], written

    def weights(self, t: Any, number: int) -> Any:
        """Fixed numbers of the shape and dtype of a tensor."""
        rng = seed(*self.words, number)
        shape = tuple(t.shape)
        a = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if t.is_complex() else 0)
        return self.T.tensor(np.asarray(a)).to(t.dtype)

    def value(self) -> None:
        """Values, dtypes, shapes, and what requires grad."""
        _, outs, _ = self.run(lambda t, k: t.requires_grad_())
        self.found["values"] = [numbers(o) for o in outs]
        self.found["requires_grad"] = [o.requires_grad for o in outs]

    def smooth(self, outs: list) -> list:
        """Those results that can be differentiated."""
        return [o for o in outs if o.requires_grad]

    def backward(self) -> Any:
        """The gradients by an ordinary backward."""
        leaves, outs, _ = self.run(lambda t, k: t.requires_grad_())
        outs = self.smooth(outs)
        if not outs:
            return None
        cts = [self.weights(o, 100 + k) for k, o in enumerate(outs)]
        return [numbers(g) for g in self.T.autograd.grad(outs, leaves, cts, allow_unused=True)]

    def second(self) -> Any:
        """The same gradients, recorded, and the gradients of <gradient, direction> by operands and cotangents."""
        leaves, outs, _ = self.run(lambda t, k: t.requires_grad_())
        outs = self.smooth(outs)
        if not outs:
            return None
        cts = [self.weights(o, 100 + k).requires_grad_() for k, o in enumerate(outs)]
        grads = self.T.autograd.grad(outs, leaves, cts, create_graph=True, allow_unused=True)
        self.found["recorded"] = [numbers(g) for g in grads]
        self.found["recorded requires_grad"] = [g is not None and g.requires_grad for g in grads]
        live = [(g, self.weights(g, 200 + k)) for k, g in enumerate(grads) if g is not None and g.requires_grad]
        if not live:
            return None
        again = self.T.autograd.grad([g for g, _ in live], [*leaves, *cts], [d for _, d in live], allow_unused=True)
        return [numbers(h) for h in again]

    def forward(self) -> Any:
        """The tangents of the results, for random tangents of the operands: Hermitian, triangular where the operand is."""
        fw = self.T.autograd.forward_ad
        kinds = [o.kind for o in self.call.operands if o.smooth]
        shapes = {"s": lambda t: t + t.mH, "l": lambda t: t.tril(-1) + t.real.tril().triu()}

        def tangent(t: Any, k: int) -> Any:
            drawn = self.weights(t, 300 + k)
            return shapes[kinds[k]](drawn) if kinds[k] in shapes and t.dim() > 1 and t.shape[-1] == t.shape[-2] else drawn

        with fw.dual_level():
            _, outs, _ = self.run(lambda t, k: fw.make_dual(t, tangent(t, k)), True)
            return [numbers(fw.unpack_dual(o).tangent) for o in outs]


def close(a: Any, e: Any, limit: float) -> bool:
    """Whether two arrays agree: in dtype, shape, and values within a limit relative to the largest."""
    if (a.shape, a.dtype) != (e.shape, e.dtype):
        return False
    if e.dtype.kind not in "fc":
        return bool((a == e).all())
    finite = np.abs(e[np.isfinite(e)])
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, e, rtol=limit, atol=limit * scale if math.isfinite(scale) else 0, equal_nan=True))


def same(a: Any, e: Any, limit: float) -> bool:
    """Whether two answers agree; a gradient that is None is zero."""
    if isinstance(a, list) and isinstance(e, list):
        return len(a) == len(e) and all(same(x, y, limit) for x, y in zip(a, e))
    if isinstance(a, np.ndarray) and isinstance(e, np.ndarray):
        return close(a, e, limit)
    for one, other in ((a, e), (e, a)):
        if one is None and isinstance(other, (list, np.ndarray)):
            values = [v for v in (other if isinstance(other, list) else [other]) if v is not None]
            return all(np.allclose(v, 0, atol=limit) for v in values)
    return a == e


def limit_of(found: dict[str, Any]) -> float:
    """What the narrowest dtype among operands and results can tell."""
    arrays = [v for answer in found.values() if isinstance(answer, list) for v in answer if isinstance(v, np.ndarray)]
    return max([LIMITS[a.dtype.name] for a in arrays if a.dtype.kind in "fc"], default=0.0)


def missing(answer: Any, message: str) -> bool:
    """Whether torch says that it has no such derivative: then anything is right."""
    return answer == "!NotImplementedError" or "not implemented" in message


def differences(expected: Outcome, actual: Outcome) -> list[str]:
    """What of an outcome is not as expected."""
    e, a = expected.found, actual.found
    if "value" in e or "value" in a:
        refused = [v.get("value") for v in (e, a)]
        alike = refused[0] == refused[1] if expected.words[2] == "plain" else None not in refused
        return [] if alike else ["value"]
    limit = max(limit_of(e), limit_of(a))
    if expected.words[2] == "empty":
        # What is made of nothing may be no number (0 / 0, log 0), and then it has no derivative either.
        numbered = all(np.isfinite(v).all() for v in e["values"])
        e = {k: v for k, v in e.items() if "requires_grad" not in k and (numbered or k in ("values", "version"))}
        a = {k: v for k, v in a.items() if k in e}
    return [
        what
        for what in dict.fromkeys([*e, *a])
        if not same(a.get(what), e.get(what), limit * LOOSER.get(what, 1))
        and not missing(e.get(what), expected.messages.get(what, ""))
    ]
