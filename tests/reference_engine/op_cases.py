"""The generated inputs on which every op of the core chapters is compared with torch.

A case is (name, function of (torch or reference_engine, *leaves), input arrays). The same function runs on both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

rng = np.random.default_rng(0)
P = lambda *s: rng.random(s) * 0.8 + 0.1
N = lambda *s: rng.standard_normal(s)
INT = lambda *v: np.array(v)
cases: list[tuple[str, Any, tuple]] = []


def C(name, f, *ins):
    cases.append((name, f, ins))


for n in [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "rsqrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "sigmoid",
    "asin",
    "acos",
    "atan",
    "asinh",
    "atanh",
    "erf",
    "erfc",
    "relu",
    "abs",
    "neg",
    "sign",
    "floor",
    "ceil",
    "round",
    "trunc",
    "frac",
    "sgn",
    "positive",
    "clone",
    "deg2rad",
    "rad2deg",
    "nan_to_num",
]:
    C(n, lambda t, x, n=n: getattr(t, n)(x), P(2, 3))
C("acosh", lambda t, x: t.acosh(x), P(2, 3) + 1.2)
F = lambda t: t.nn.functional
for n in ["elu", "selu", "gelu", "silu", "softplus", "hardtanh", "leaky_relu", "relu6"]:
    C("F." + n, lambda t, x, n=n: getattr(t.nn.functional, n)(x), N(2, 3))
C("gelu tanh", lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), N(3))
C("clamp", lambda t, x: t.clamp(x, -0.5, 0.5), N(5))
C("clampT", lambda t, x, a, b: t.clamp(x, a, b), N(5), N(5) - 1, N(5) + 1)
C("clamp_min", lambda t, x: x.clamp_min(0.1), N(5))
for n in [
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "atan2",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "fmod",
    "remainder",
    "hypot",
    "logaddexp",
    "logaddexp2",
]:
    for a, b in (((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 3)), ((2, 3), ()), ((0, 3), (3,))):
        C(n + str((a, b)), lambda t, x, y, n=n: getattr(t, n)(x, y), P(*a), P(*b) + 0.1)
C("add alpha", lambda t, x, y: t.add(x, y, alpha=3), P(2, 3), P(3))
C("sub alpha", lambda t, x, y: t.sub(x, y, alpha=3), P(2, 3), P(3))
C("rsub", lambda t, x, y: t.rsub(x, y), P(2, 3), P(3))
for k in (0, 1, 2, 3, 0.5, -1, -0.5, 2.5):
    C(f"pow{k}", lambda t, x, k=k: x**k, P(3))
C("rpow", lambda t, x: 2.5**x, P(3))
C("rdiv", lambda t, x: 2 / x, P(3))
C("x%2", lambda t, x: x % 0.3, P(3))
C("-", lambda t, x: 2 - x, P(3))
C("where", lambda t, a, b: t.where(t.tensor([True, False, True]), a, b), N(2, 3), N(3))
C("where num", lambda t, a: t.where(a > 0, a, 0.0), N(4))
C("mf", lambda t, a: a.masked_fill(a > 0, 2.0), N(2, 3))
C("mfT", lambda t, a, v: a.masked_fill(a > 0, v), N(2, 3), N())
C("lerp", lambda t, a, b: t.lerp(a, b, 0.3), N(2, 3), N(3))
C("lerpT", lambda t, a, b, w: t.lerp(a, b, w), N(2, 3), N(3), P(2, 1))
C("addcmul", lambda t, a, b, c: t.addcmul(a, b, c, value=2), N(2, 3), N(3), N(2, 1))
C("addcdiv", lambda t, a, b, c: t.addcdiv(a, b, c, value=2), N(2, 3), N(3), P(2, 1))
for n in [
    "sum",
    "mean",
    "prod",
    "var",
    "std",
    "norm",
    "logsumexp",
    "amax",
    "amin",
    "max",
    "min",
    "softmax",
    "log_softmax",
    "cumsum",
    "cumprod",
]:
    m = n
    if n not in ("logsumexp", "softmax", "log_softmax", "cumsum", "cumprod", "amax", "amin"):
        C(n, lambda t, x, n=n: getattr(t, n)(x), P(2, 3))
    if n in ("max", "min"):
        C(n + "1", lambda t, x, n=n: getattr(x, n)(1)[0], P(2, 3))
        C(n + "1k", lambda t, x, n=n: getattr(x, n)(0, keepdim=True).values, P(2, 3))
    else:
        C(n + " 1", lambda t, x, n=n: getattr(x, n)(dim=1), P(2, 3))
        C(n + " -2", lambda t, x, n=n: getattr(x, n)(dim=-2), P(2, 3, 2))
        C(n + " 0d", lambda t, x, n=n: getattr(x, n)(dim=0), P()) if n not in ("var", "std") else 0
    if n in ["sum", "mean", "var", "std", "norm", "logsumexp", "amax"]:
        C(n + " 01k", lambda t, x, n=n: getattr(x, n)(dim=(0, 1), keepdim=True), P(2, 3, 2))
zz = P(2, 3)
zz[0, 1] = 0
z2 = zz.copy()
z2[0, 2] = 0
for z in (zz, z2):
    C("prod z", lambda t, x: t.prod(x), z)
    C("prod z1", lambda t, x: t.prod(x, 1), z)
    C("cumprod z", lambda t, x: t.cumprod(x, 1), z)
for p in (1, 2, 3, 0.5, 1.5, float("inf")):
    C(f"norm{p}", lambda t, x, p=p: t.norm(x, p), N(2, 3))
    C(f"norm{p}d", lambda t, x, p=p: x.norm(p, 1), N(2, 3))
C("std c0", lambda t, x: x.std(1, unbiased=False), N(2, 3))
C("var corr", lambda t, x: x.var(dim=1, correction=2), N(2, 5))
C("nansum", lambda t, x: t.nansum(x), N(3))
C("sort", lambda t, x: t.sort(x, 1)[0], N(2, 3))
C("sort d", lambda t, x: t.sort(x, 0, descending=True)[0], N(2, 3))
C("topk", lambda t, x: t.topk(x, 2)[0], N(2, 3))
C("msort", lambda t, x: t.msort(x), N(2, 3))
for n, a, b in (
    ("mm", (2, 3), (3, 4)),
    ("matmul", (2, 3), (3,)),
    ("matmul", (3,), (3, 2)),
    ("matmul", (3,), (3,)),
    ("matmul", (2, 2, 3), (3, 4)),
    ("matmul", (2, 2, 3), (2, 3, 4)),
    ("matmul", (2, 1, 2, 3), (2, 3, 4)),
    ("matmul", (3,), (2, 3, 4)),
    ("matmul", (2, 2, 3), (3,)),
    ("bmm", (2, 2, 3), (2, 3, 4)),
    ("mv", (2, 3), (3,)),
    ("dot", (3,), (3,)),
    ("outer", (3,), (2,)),
    ("inner", (2, 3), (4, 3)),
):
    C(n + str((a, b)), lambda t, x, y, n=n: getattr(t, n)(x, y), N(*a), N(*b))
C("addmm", lambda t, a, b, c: t.addmm(a, b, c, beta=2, alpha=3), N(4), N(2, 3), N(3, 4))
C("baddbmm", lambda t, a, b, c: t.baddbmm(a, b, c), N(2, 2, 4), N(2, 2, 3), N(2, 3, 4))
C("tensordot", lambda t, a, b: t.tensordot(a, b, dims=([1], [0])), N(2, 3), N(3, 4))
for k in (0, 1, -1):
    C("tril", lambda t, x, k=k: x.tril(k), N(3, 3))
    C("triu", lambda t, x, k=k: x.triu(k), N(2, 3, 3))
    C("diagonal", lambda t, x, k=k: x.diagonal(k), N(3, 4))
    C("diag", lambda t, x, k=k: t.diag(x, k), N(3))
    C("diag2", lambda t, x, k=k: t.diag(x, k), N(3, 3))
C("trace", lambda t, x: x.trace(), N(3, 3))
C("diag_embed", lambda t, x: x.diag_embed(), N(2, 3))
V = {
    "view": lambda t, x: x.view(3, 2),
    "reshape": lambda t, x: x.t().reshape(6),
    "flatten": lambda t, x: x.flatten(),
    "t": lambda t, x: x.t(),
    "T": lambda t, x: x.T,
    "mT": lambda t, x: x.mT,
    "transpose": lambda t, x: x.transpose(0, 1),
    "permute": lambda t, x: x.permute(1, 0),
    "expand": lambda t, x: x.expand(4, 2, 3),
    "unsq": lambda t, x: x.unsqueeze(1),
    "sel": lambda t, x: x.select(1, 2),
    "narrow": lambda t, x: x.narrow(1, 1, 2),
    "sl": lambda t, x: x[:, ::2],
    "split": lambda t, x: x.split(2, 1)[0],
    "split2": lambda t, x: x.split([1, 2], 1)[1],
    "chunk": lambda t, x: x.chunk(2, 1)[1],
    "unbind": lambda t, x: x.unbind(1)[1],
    "unfold": lambda t, x: x.unfold(1, 2, 1),
    "as_strided": lambda t, x: x.as_strided((2, 2), (1, 2), 1),
    "cat": lambda t, x: t.cat([x, x * 2], 1),
    "stack": lambda t, x: t.stack([x, x * 2], 1),
    "repeat": lambda t, x: x.repeat(2, 1, 2),
    "tile": lambda t, x: x.tile(2),
    "flip": lambda t, x: x.flip(0, 1),
    "roll": lambda t, x: x.roll(1, 1),
    "roll0": lambda t, x: x.roll(2),
    "movedim": lambda t, x: x.movedim(0, 1),
    "rot90": lambda t, x: x.rot90(),
    "ri": lambda t, x: x.repeat_interleave(2, 1),
    "tensor_split": lambda t, x: x.tensor_split(2, 1)[1],
    "i1": lambda t, x: x[t.tensor([0, 0, 1])],
    "i2": lambda t, x: x[:, [0, 2, 2]],
    "i3": lambda t, x: x[x > 0],
    "i4": lambda t, x: x[None, 1],
    "i5": lambda t, x: x[..., t.tensor([[0, 1], [2, 1]])],
    "i6": lambda t, x: x[t.tensor([0, 1]), t.tensor([1, 2])],
    "i7": lambda t, x: x[1:, [0, 1], None],
    "i8": lambda t, x: x[t.tensor([True, False])],
    "i9": lambda t, x: x[0, [1, 1]],
    "isel": lambda t, x: x.index_select(1, t.tensor([0, 2, 2])),
    "gather": lambda t, x: x.gather(1, t.tensor([[0, 2, 2, 1], [1, 1, 0, 0]])),
    "take": lambda t, x: x.take(t.tensor([0, 5, 5])),
    "msel": lambda t, x: x.masked_select(x > 0),
    "tad": lambda t, x: t.take_along_dim(x, t.tensor([[0, 2]]), 1),
    "scv": lambda t, x: x.scatter(1, t.tensor([[0], [1]]), 7.0),
    "ifill": lambda t, x: x.index_fill(1, t.tensor([0]), 3.0),
    "meshgrid": lambda t, x: t.meshgrid(x[0], x[1], indexing="ij")[1],
    "amm": lambda t, x: t.aminmax(x).max,
    "float": lambda t, x: x.float(),
    "contig": lambda t, x: x.t().contiguous(),
    "squeeze": lambda t, x: x.unsqueeze(0).squeeze(),
    "atleast3": lambda t, x: t.atleast_3d(x),
    "unflatten": lambda t, x: x.unflatten(1, (3, 1)),
    "hstack": lambda t, x: t.hstack([x, x]),
    "vstack": lambda t, x: t.vstack([x, x]),
    "block_diag": lambda t, x: t.block_diag(x, x),
    "dist": lambda t, x: t.dist(x, x * 2),
}
for n, f in V.items():
    C(n, f, N(2, 3))
C("scatter", lambda t, x, s: x.scatter(1, t.tensor([[0, 2], [1, 0]]), s), N(2, 3), N(2, 3))
C("scatter_add", lambda t, x, s: x.scatter_add(1, t.tensor([[0, 0], [1, 0]]), s), N(2, 3), N(2, 3))
C("index_add", lambda t, x, s: x.index_add(1, t.tensor([0, 0]), s, alpha=2), N(2, 3), N(2, 2))
C("index_copy", lambda t, x, s: x.index_copy(1, t.tensor([0, 2]), s), N(2, 3), N(2, 2))
C("index_put", lambda t, x, s: x.index_put((t.tensor([0, 1]),), s), N(2, 3), N(2, 3))
C("index_put a", lambda t, x, s: x.index_put((t.tensor([0, 0]),), s, accumulate=True), N(2, 3), N(3))
C("ifT", lambda t, x, v: x.index_fill(1, t.tensor([0]), v), N(2, 3), N())
C("msc", lambda t, x, s: x.masked_scatter(x > 0, s), N(2, 3), N(2, 3))
C("selsc", lambda t, x, s: x.select_scatter(s, 0, 1), N(2, 3), N(3))


def seti(key):
    def f(t, x, s):
        y = x * 1
        y[key(t)] = s
        return y

    return f


C("set0", seti(lambda t: 0), N(2, 3), N(3))
C("set1", seti(lambda t: (slice(None), 1)), N(2, 3), N(2))
C("setadv", seti(lambda t: t.tensor([0, 1])), N(2, 3), N(3))
C("setmask", seti(lambda t: t.tensor([True, False])), N(2, 3), N())
C("setall", seti(lambda t: Ellipsis), N(2, 3), N())
IP = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log1p",
    "sqrt",
    "rsqrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "tanh",
    "sigmoid",
    "erf",
    "abs",
    "neg",
    "floor",
    "sign",
    "relu",
    "frac",
]
for n in IP:
    C(n + "_", lambda t, x, n=n: getattr(x * 1, n + "_")(), P(2, 3))
for n in ["add", "sub", "mul", "div", "pow", "atan2", "fmod", "remainder", "hypot"]:
    C(n + "_", lambda t, x, y, n=n: getattr(x * 1, n + "_")(y), P(2, 3), P(3) + 0.1)


def vip(t, x, y):
    h = x * 1
    v = h[0]
    v.mul_(y)
    h[:, 1].exp_()
    v2 = h.t()[1:]
    v2.add_(1.0)
    return h * v.sum()


C("viewip", vip, N(2, 3), N(3))


def vip2(t, x, y):
    h = t.zeros(2, 3, dtype=x.dtype)
    h[0] = y
    h[1].add_(x[0])
    w = h.view(6)[2:5]
    w.sigmoid_()
    return h * h


C("vip2", vip2, N(2, 3), N(3))
