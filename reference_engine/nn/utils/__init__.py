"""torch.nn.utils: clipping of gradients, and parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...modes import no_grad
from ...ops.table import FUNCTIONS
from ...tensor import Tensor


def _list(parameters: Any) -> list[Tensor]:
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


def get_total_norm(tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: Any = None) -> Tensor:
    """The norm of all tensors as if they were one vector."""
    tensors = _list(tensors)
    if not tensors:
        return FUNCTIONS["tensor"](0.0)
    total = FUNCTIONS["stack"]([t.norm(norm_type) for t in tensors]).norm(norm_type)
    if error_if_nonfinite and not total.isfinite().item():
        raise RuntimeError(
            f"The total norm of order {float(norm_type)} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: Any = None) -> None:
    """Scale the gradients in place so that the total norm is at most max_norm."""
    with no_grad():
        by = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
        for p in _list(parameters):
            if p.grad is not None:
                p.grad.mul_(by)


def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
                    foreach: Any = None) -> Tensor:  # fmt: skip
    """Scale the gradients in place so that their total norm is at most max_norm; returns what it was."""
    parameters = _list(parameters)
    with no_grad():
        grads = [p.grad for p in parameters if p.grad is not None]
        total = get_total_norm(grads, float(norm_type), error_if_nonfinite)
        clip_grads_with_norm_(parameters, float(max_norm), total)
    return total


def clip_grad_value_(parameters: Any, clip_value: float, foreach: Any = None) -> None:
    """Limit each element of the gradients in place."""
    with no_grad():
        for p in _list(parameters):
            if p.grad is not None:
                # Two writes, as in torch: first from below, then from above; one without foreach.
                if foreach is False:
                    p.grad.clamp_(-float(clip_value), float(clip_value))
                else:
                    p.grad.clamp_min_(-float(clip_value)).clamp_max_(float(clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters as one vector; differentiable."""
    return FUNCTIONS["cat"]([p.view(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let the parameters' data be parts of a vector. This is a change of data, not a counted write."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    start = 0
    for p in parameters:
        n = p.numel()
        p.data = vec[start : start + n].view_as(p).data
        start += n


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """A module whose parameters hold arbitrary values."""
    return module_cls(*args, **kwargs)


from . import parametrizations, parametrize, rnn, stateless  # noqa: E402, F401
from .weight_norm import remove_weight_norm, weight_norm  # noqa: E402, F401
