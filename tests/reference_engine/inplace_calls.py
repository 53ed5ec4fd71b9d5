"""In-place calls, and what can be seen of them from outside: the rows of data/inplace_ops.tsv, measured anew.

A line is `name | self | operands | statement`; kinds are those of conformance.saved_calls. In a statement `y` is the
tensor written to, a0 and a1 the operands that are saved or not, i an index and m a mask.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any, NamedTuple

import numpy as np

from conformance.saved import draw

UNARY = """
abs neg exp exp2 expm1 sin cos sinh cosh tanh sigmoid atan sinc erf erfc floor ceil round trunc frac sign sgn relu i0 | r34
nan_to_num deg2rad rad2deg asinh | r34
log log2 log10 log1p sqrt rsqrt reciprocal lgamma digamma square | p34
logit | q34
tan asin acos atanh erfinv | u34
"""
BINARY = """
add sub mul div atan2 hypot fmod remainder copysign ldexp true_divide floor_divide arctan2 heaviside nextafter | p34 p34
pow xlogy float_power igamma | p34 p34
"""
CALLS = """
add_(alpha) | r34 | r34 | y.add_(a0, alpha=2)
mul_(scalar) | r34 | | y.mul_(2.0)
add_(scalar) | r34 | | y.add_(2.0)
div_(scalar) | r34 | | y.div_(2.0)
pow_(2) | p34 | | y.pow_(2)
clamp_ | r34 | | y.clamp_(-0.5, 0.5)
lerp_(w tensor) | r34 | r34 q34 | y.lerp_(a0, a1)
addcmul_ | r34 | r34 r34 | y.addcmul_(a0, a1)
addcdiv_ | r34 | r34 p34 | y.addcdiv_(a0, a1)
copy_ | r34 | r34 | y.copy_(a0)
fill_(tensor) | r34 | r | y.fill_(a0)
fill_(scalar) | r34 | | y.fill_(2.0)
masked_fill_ | r34 | | y.masked_fill_(m, 0.5)
masked_scatter_ | r34 | r34 | y.masked_scatter_(m, a0)
index_add_ | r34 | r34 | y.index_add_(0, i, a0)
index_copy_ | r34 | r34 | y.index_copy_(0, i, a0)
index_fill_ | r34 | | y.index_fill_(0, i, 0.5)
index_put_ | r34 | r34 | y.index_put_((i,), a0)
scatter_ | r34 | r34 | y.scatter_(0, j, a0)
scatter_add_ | r34 | r34 | y.scatter_add_(0, j, a0)
scatter_reduce_(amax) | r34 | r34 | y.scatter_reduce_(0, j, a0, 'amax')
tril_ | r34 | | y.tril_()
triu_ | r34 | | y.triu_()
cumsum_ | r34 | | y.cumsum_(0)
cumprod_ | p34 | | y.cumprod_(0)
renorm_ | r34 | | y.renorm_(2, 0, 1.0)
t_ | r34 | | y.t_()
transpose_ | r34 | | y.transpose_(0, 1)
unsqueeze_ | r34 | | y.unsqueeze_(0)
squeeze_ | r34 | | y.squeeze_()
swapaxes_ | r34 | | y.swapaxes_(0, 1)
addmm_ | r33 | r34 r43 | y.addmm_(a0, a1)
fill_diagonal_ | r33 | | y.fill_diagonal_(0.5)
setitem(slice) | r34 | | y.__setitem__(slice(1, 2), 0.5)
setitem(mask) | r34 | | y.__setitem__(m, 0.5)
F.elu(inplace) | r34 | | F.elu(y, inplace=True)
F.selu(inplace) | r34 | | F.selu(y, inplace=True)
F.celu(inplace) | r34 | | F.celu(y, inplace=True)
F.leaky_relu(inplace) | r34 | | F.leaky_relu(y, inplace=True)
F.hardtanh(inplace) | r34 | | F.hardtanh(y, inplace=True)
F.relu6(inplace) | r34 | | F.relu6(y, inplace=True)
F.hardswish(inplace) | r34 | | F.hardswish(y, inplace=True)
F.hardsigmoid(inplace) | r34 | | F.hardsigmoid(y, inplace=True)
F.silu(inplace) | r34 | | F.silu(y, inplace=True)
F.mish(inplace) | r34 | | F.mish(y, inplace=True)
F.rrelu(inplace) | r34 | | F.rrelu(y, training=True, inplace=True)
F.threshold_ | r34 | | F.threshold(y, 0.1, 0.2, inplace=True)
F.dropout(inplace,p=.5) | r34 | | F.dropout(y, 0.5, True, inplace=True)
normal_ | r34 | | y.normal_()
uniform_ | r34 | | y.uniform_()
exponential_ | r34 | | y.exponential_()
bernoulli_ | r34 | | y.bernoulli_()
random_ | r34 | | y.random_()
geometric_ | r34 | | y.geometric_(0.5)
cauchy_ | r34 | | y.cauchy_()
log_normal_ | r34 | | y.log_normal_()
comparison lt_ | r34 | r34 | y.lt_(a0)
logical_not_ | r34 | | y.logical_not_()
resize_ | r34 | | y.resize_(2, 6)
requires_grad_ | r34 | | y.requires_grad_()
detach_ | r34 | | y.detach_()
as_strided_ | r34 | | y.as_strided_((4, 3), (1, 4))
put_ | r34 | r3 | y.put_(i, a0)
polygamma_ | p34 | | y.polygamma_(1)
mvlgamma_ | a34 | | y.mvlgamma_(2)
resize_as_ | r34 | r62 | y.resize_as_(a0)
swapdims_ | r34 | | y.swapdims_(0, 1)
index_reduce_(mean) | r34 | r34 | y.index_reduce_(0, i, a0, 'mean')
"""


class Call(NamedTuple):
    """One in-place call."""

    name: str
    kinds: tuple[str, ...]
    statement: str


def calls() -> list[Call]:
    """All calls of the tables above."""
    out = []
    for text in (UNARY, BINARY):
        for line in text.strip().splitlines():
            names, _, kinds = line.partition(" | ")
            arguments = "a0" if text is BINARY else ""
            out += [Call(n + "_", tuple(kinds.split()), f"y.{n}_({arguments})") for n in names.split()]
    for line in CALLS.strip().splitlines():
        name, own, operands, statement = (p.strip() for p in line.split("|"))
        out.append(Call(name, (own, *operands.split()), statement))
    return out


class Run:
    """The call on fresh tensors."""

    def __init__(self, torch: Any, call: Call, times: int = 1) -> None:
        functional = importlib.import_module(torch.__name__ + ".nn.functional")
        rng = np.random.default_rng(3)
        values = [np.asarray(draw(k[0], tuple(int(d) for d in k[1:]), rng)) for k in call.kinds]
        self.leaf = torch.tensor(values[0], requires_grad=True)
        self.y = self.leaf.clone()
        self.operands = [torch.tensor(v, requires_grad=True).clone() for v in values[1:]]
        scope = {"torch": torch, "F": functional, "y": self.y, "i": torch.tensor([0, 2, 1]),
                 "j": torch.tensor(draw("i", (3, 4), rng)), "m": torch.tensor(draw("b", (3, 4), rng))}  # fmt: skip
        scope.update({f"a{k}": a for k, a in enumerate(self.operands)})
        before = self.y._version
        for _ in range(times):
            eval(call.statement, scope)
        self.bump = self.y._version - before

    def backward(self) -> str:
        """ok, or what went wrong."""
        try:
            self.y.sum().backward()
        except RuntimeError as error:
            text = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            return "version error" if "modified by an inplace" in text else text
        return "ok"

    def after_write(self, t: Any) -> str:
        """backward after a write to one of the tensors."""
        t.detach().copy_(t.detach().clone())
        return self.backward()


def measure(torch: Any, call: Call) -> dict[str, str]:
    """The columns of the table that can be compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run = Run(torch, call)
        except RuntimeError as error:
            return {"legal": "no", "error": f"RuntimeError: {str(error).splitlines()[0]}"}
        node = run.y.grad_fn
        out = {"legal": "yes", "bump": str(run.bump), "node": node.name() if node is not None else "None"}
        first = run.backward()
        if first != "ok":
            return {**out, "error": first}
        run = Run(torch, call)
        out["saves_result"] = "yes" if run.after_write(run.y) == "version error" else "no"
        saved = []
        for k in range(len(call.kinds) - 1):
            run = Run(torch, call)
            if run.after_write(run.operands[k]) == "version error":
                saved.append(f"arg{k}")
        return {**out, "saves_operands": ",".join(saved) or "none", "twice": Run(torch, call, 2).backward()}


def read(text: str) -> dict[str, dict[str, str]]:
    """The measured table of torch, in the same form."""
    out = {}
    for line in text.splitlines()[1:]:
        name, legal, bump, _, result, operands, twice, node, error, *_ = (*line.split("\t"), "")
        row = {"legal": legal, "bump": bump, "node": node, "error": error}
        row.update(saves_result=result, saves_operands=operands, twice=twice)
        if legal == "no":
            row = {"legal": legal, "error": error}
        elif result == "?":
            row = {k: row[k] for k in ("legal", "bump", "node", "error")}
        out[name] = {k: v for k, v in row.items() if v or (k == "error" and legal == "no")}
    return out
