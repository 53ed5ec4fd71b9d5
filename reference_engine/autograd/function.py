"""torch.autograd.function"""

from ..function import Function, FunctionCtx, FunctionMeta, InplaceFunction, once_differentiable

NestedIOFunction = Function
__all__ = ["Function", "FunctionCtx", "FunctionMeta", "InplaceFunction", "NestedIOFunction", "once_differentiable"]
