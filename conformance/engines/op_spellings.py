"""How an engine with torch-like names may spell an op of the catalogue, from torch's code for it.

Torch writes `torch.sum(a, dim=dim)`; another engine writes `a.sum(axis=dim)`, or `torch.functional.reduce_sum(a, dim)`. The first
call in torch's code is rewritten: the function's home, its name, a method instead of a function, the names of arguments, and the
way that shapes are handed over.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Collection, Iterator, Sequence

# Torch's name -> what others call it.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "mul": ("multiply",), "sub": ("subtract", "minus"), "div": ("divide", "truediv", "true_divide"), "neg": ("negative",),
    "abs": ("absolute",), "pow": ("power",), "clamp": ("clip",), "sum": ("reduce_sum",), "mean": ("reduce_mean",),
    "amax": ("max", "reduce_max"), "amin": ("min", "reduce_min"), "asinh": ("arcsinh",), "atan": ("arctan",),
    "atan2": ("arctan2",), "asin": ("arcsin",), "acos": ("arccos",), "atanh": ("arctanh",), "acosh": ("arccosh",),
    "unsqueeze": ("expand_dims",), "cat": ("concat", "concatenate"), "expand": ("broadcast_to",), "broadcast_to": ("expand",),
    "transpose": ("swapaxes",), "permute": ("transpose",), "movedim": ("moveaxis",), "mm": ("matmul", "dot"),
    "mv": ("matmul", "dot"), "dot": ("matmul",), "bmm": ("matmul",), "matmul": ("dot",), "silu": ("swish",), "flip": ("flipud",),
    "view": ("reshape",), "t": ("transpose",), "logsigmoid": ("log_sigmoid",), "log_softmax": ("logsoftmax",), "clone": ("copy",),
    "reciprocal": ("inv", "inverse"), "gather": ("take_along_axis",), "leaky_relu": ("leakyrelu", "lrelu"), "pad": ("padding",),
}  # fmt: skip

# Op of the catalogue -> code that its users would write with operators, indices or a simpler op.
OPERATORS: dict[str, tuple[str, ...]] = {
    "add": ("a + b",), "sub": ("a - b",), "mul": ("a * b",), "div": ("a / b",), "pow": ("a ** b",), "neg": ("-a",),
    "abs": ("abs(a)",), "matmul": ("a @ b",), "mm": ("a @ b",), "bmm": ("a @ b",), "mv": ("a @ b",), "dot": ("a @ b",),
    "remainder": ("a % b",), "square": ("a ** 2", "a * a"), "reciprocal": ("1.0 / a", "a ** -1"), "sqrt": ("a ** 0.5",),
    "t": ("a.T", "a.T()"), "select": ("a[(slice(None),) * dim + (index,)]",),
    "narrow": ("a[(slice(None),) * dim + (slice(start, start + length),)]",),
    "lt": ("a < b",), "le": ("a <= b",), "gt": ("a > b",), "ge": ("a >= b",), "eq": ("a == b",), "ne": ("a != b",),
    "lt_scalar": ("a < value",), "gt_scalar": ("a > value",), "detached_copy": ("a.detach()",),
    "add_": ("a += b",), "sub_": ("a -= b",), "mul_": ("a *= b",), "div_": ("a /= b",), "add_scalar_": ("a += value",),
    "mul_scalar_": ("a *= value",), "pow_": ("a **= exponent",), "zero_": ("a[...] = 0", "a[:] = 0"),
    "fill_": ("a[...] = value", "a[:] = value"), "copy_": ("a[...] = b", "a[:] = b"),
    "softmax": ("torch.softmax(a, dim)",), "unsqueeze": ("a.reshape((*a.shape[:dim], 1, *a.shape[dim:]))",),
}  # fmt: skip

KEYWORDS = ({"dim": "axis", "keepdim": "keepdims"}, {"dim": "axis"}, {"keepdim": "keepdims"})
POSITIONAL = ("dim", "dims", "dim0", "dim1", "shape", "sizes", "repeats")
AXES = {"dim": "axis", "dims": "axis"}

Homes = Sequence[tuple[str, Collection[str]]]  # code of a module of functions, and the names of these


def candidates(name: str, code: str, homes: Homes, is_method: Callable[[str], bool]) -> Iterator[tuple[str, bool]]:
    """Code that may compute the op, each with whether it is torch's own spelling of it."""
    seen = set()
    for own, spelled in _all(name, code, homes, is_method):
        if spelled not in seen:
            seen.add(spelled)
            yield spelled, own


def _all(name: str, code: str, homes: Homes, is_method: Callable[[str], bool]) -> Iterator[tuple[bool, str]]:
    """The candidates, some of them twice."""
    tree = ast.parse(code)
    call = _first_call(tree)
    if call is None or _is_foreign(call):
        yield True, code
    else:
        assert isinstance(call.func, ast.Attribute)
        at_home = ast.unparse(call.func.value)
        for style, (called, first, rest, keywords) in _styles(call):
            for place, torch_name in enumerate((called, *SYNONYMS.get(called, ()))):
                for home, names in homes:
                    if torch_name in names:
                        function = ast.Attribute(ast.parse(home, mode="eval").body, torch_name)
                        made = ast.Call(function, [first, *rest], keywords)
                        yield style == 0 and place == 0 and home in ("torch", at_home), _with(tree, call, made)
                if is_method(torch_name):
                    made = ast.Call(ast.Attribute(first, torch_name), rest, keywords)
                    yield style == 0 and place == 0, _with(tree, call, made)
    for operator in OPERATORS.get(name, ()):
        yield True, operator


def _first_call(tree: ast.AST) -> ast.Call | None:
    """The call that torch's code is about."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    calls = [node for node in calls if node.func.attr != "clone" or not node.keywords] or calls  # type: ignore[attr-defined]
    return calls[0] if calls else None


def _is_foreign(call: ast.Call) -> bool:
    """Whether the call is of neither torch nor an operand, but of a class of the op's own set-up."""
    return ast.unparse(call.func).partition(".")[0].isidentifier() and ast.unparse(call.func)[0].isupper()


Parts = tuple[str, ast.expr, list[ast.expr], list[ast.keyword]]


def _styles(call: ast.Call) -> Iterator[tuple[int, Parts]]:
    """Name, first operand, further arguments and keywords of the call, in the ways that arguments are handed over."""
    assert isinstance(call.func, ast.Attribute)
    of_module = ast.unparse(call.func).split(".")[0] == "torch"
    operands = list(call.args) if of_module else [call.func.value, *call.args]
    if not operands:
        return
    first, rest = operands[0], operands[1:]
    name = call.func.attr
    yield 0, (name, first, rest, call.keywords)
    for renaming in KEYWORDS:
        yield 1, (name, first, rest, [ast.keyword(renaming.get(k.arg or "", k.arg), k.value) for k in call.keywords])
    named = [arg for arg in rest if isinstance(arg, ast.Name) and arg.id in AXES]
    if named:
        others = [arg for arg in rest if arg not in named]
        yield 2, (name, first, others, [*(ast.keyword(AXES[arg.id], arg) for arg in named), *call.keywords])
    if call.keywords:
        yield 3, (name, first, [*rest, *(k.value for k in call.keywords)], [])
    if any(isinstance(arg, ast.Name) and arg.id in POSITIONAL for arg in rest):
        spread = [ast.Starred(arg) if isinstance(arg, ast.Name) and arg.id in POSITIONAL else arg for arg in rest]
        yield 4, (name, first, spread, call.keywords)
    if rest and not call.keywords:
        yield 5, (name, first, [ast.Tuple(rest, ast.Load())], [])


def _with(tree: ast.AST, old: ast.Call, new: ast.expr) -> str:
    """The code with another call in the place of one."""

    class Swap(ast.NodeTransformer):
        """Puts the new call where the old one was."""

        def visit_Call(self, node: ast.Call) -> ast.expr:
            if node is old:
                return new
            self.generic_visit(node)
            return node

    # The tree is walked, not changed: nodes above the call are copied.
    memo = {id(old): old}
    return ast.unparse(ast.fix_missing_locations(Swap().visit(copy.deepcopy(tree, memo))))
