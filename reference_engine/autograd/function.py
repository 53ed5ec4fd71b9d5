"""torch.autograd.function"""

from ..function import Function, FunctionCtx, FunctionMeta, FunctionNode, InplaceFunction, once_differentiable

NestedIOFunction, BackwardCFunction = Function, FunctionNode
__all__ = [
    "BackwardCFunction", "Function", "FunctionCtx", "FunctionMeta", "InplaceFunction", "NestedIOFunction",
    "once_differentiable",
]  # fmt: skip
