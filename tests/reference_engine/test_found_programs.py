"""Small programs that a random search found to go wrong once."""

from __future__ import annotations

import pytest

import reference_engine as torch
from reference_engine import errors

F64 = torch.float64


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(list(values), dtype=F64, requires_grad=True)


def scalar(value: float = 2.0) -> torch.Tensor:
    return torch.tensor(value, dtype=F64, requires_grad=True)


def test_empty_tensors_may_be_written():
    """An empty tensor has no two elements in one place, whatever its strides."""
    written = torch.zeros(1, 0).expand(2, 0).mul_(2.0)

    assert tuple(written.shape) == (2, 0)


@pytest.mark.parametrize(("shape", "strides"), [((2, 0), (1, 1)), ((0, 2), (2, 1)), ((0,), (1,)), ((3, 0, 2), (2, 2, 1))])
def test_strides_of_empty_tensors(shape, strides):
    """A length of 0 counts as 1 in the strides."""
    assert torch.zeros(shape).stride() == strides


def test_squeeze_to_no_dimension_is_a_view():
    """squeeze shares memory also when no dimension is left."""
    a = torch.tensor([1.0])
    a.squeeze(0).mul_(2.0)
    a.squeeze().add_(1.0)

    assert a.tolist() == [3.0]


def test_copy_of_itself_counts_as_a_write():
    """copy_ raises the version and records a node even if source and target are one."""
    a = leaf(1.0, 2.0) * 1.0
    a.copy_(a)

    assert (a._version, a.grad_fn.name()) == (1, "torch::autograd::CopyBackwards")


def test_retain_grad_follows_a_view_through_its_write():
    """After an in-place op on a view, the view's retained gradient is that of its new value."""
    d = (leaf(1.0, 2.0) + 0.0).unsqueeze(0)
    d.retain_grad()
    d.mul_(2.0)
    d.backward(torch.tensor([[1.0, 2.0]], dtype=F64))

    assert d.grad.tolist() == [[1.0, 2.0]]


def test_retain_grad_follows_a_view_whose_base_was_written():
    """A view's grad_fn is made anew after a write to its base, and its retained gradient moves to it."""
    a = leaf(1.0, 2.0)
    b = a[0:1]
    b.retain_grad()
    with torch.no_grad():
        a.mul_(2.0)
    b.backward(torch.tensor([3.0], dtype=F64))

    assert b.grad.tolist() == [3.0]


def test_retain_grad_twice_asks_only_once():
    """A second retain_grad does nothing, even on a view that has become invalid since."""
    a = leaf(1.0)
    (b,) = a.split(1, 0)
    b.retain_grad()
    with torch.no_grad():
        a.mul_(2.0)
    b.retain_grad()

    assert b.retains_grad


def test_retain_grad_on_a_view_not_looked_at():
    """A view whose base came to require grad counts as a leaf until its grad_fn is asked for."""
    a = torch.zeros(2, dtype=F64)
    b, _ = a.split(1)
    a.mul_(scalar())
    b.retain_grad()

    assert not b.retains_grad


def test_no_gradient_flows_from_a_view_made_without_grad():
    """Such a view requires grad by its base, but is no way to it and gets no gradient of its own."""
    a = leaf(1.0, 2.0)
    with torch.no_grad():
        b = a[0]
    c = b * scalar()
    c.backward()

    assert (b.requires_grad, a.grad, b.grad) == (True, None, None)


def test_a_view_made_without_grad_is_no_root():
    """It has neither a grad_fn nor a place for a gradient."""
    with torch.no_grad():
        b = leaf(1.0)[0]

    with pytest.raises(errors.NoGradRoot):
        b.backward()


@pytest.mark.parametrize(
    ("left", "right", "chain"),
    [
        ((0, 3), (2, 3, 2), ["TransposeBackward0", "UnsafeViewBackward0", "MmBackward0"]),
        ((3,), (2, 3, 2), ["UnsafeViewBackward0", "MvBackward0"]),
        ((2, 3, 0), (0,), ["UnsafeViewBackward0", "MvBackward0"]),
        ((2, 1, 3, 4), (5, 4, 2), ["UnsafeViewBackward0", "BmmBackward0"]),
        ((3, 4), (2, 4, 5), ["CloneBackward0", "TransposeBackward0", "UnsafeViewBackward0", "MmBackward0"]),
        ((1, 3, 4), (2, 4, 5), ["CloneBackward0", "TransposeBackward0", "UnsafeViewBackward0", "MmBackward0"]),
    ],
)
def test_matmul_is_composed_as_in_torch(left, right, chain):
    """Stacks of matrices are folded into one product where torch does, also empty ones."""
    node = torch.matmul(torch.rand(left, requires_grad=True), torch.rand(right, requires_grad=True)).grad_fn
    names = []
    for _ in chain:
        names.append(node.name())
        node = node.next_functions[0][0]

    assert names == chain


@pytest.mark.parametrize("reduce", ["amax", "amin", "max", "min"])
def test_shared_extrema_keep_the_dtype(reduce):
    """The number of places that share a gradient does not turn it into float64."""
    x = torch.tensor([1.0, 1.0], requires_grad=True) * 1.0
    (gradient,) = torch.autograd.grad(getattr(x, reduce)(), x)

    assert (gradient.dtype, gradient.tolist()) == (torch.float32, [0.5, 0.5])


def test_stack_of_parts_keeps_float64():
    """The backward of unbind joins 0-dim gradients without going through float32."""
    a = leaf(0.1, 0.2)
    b, c = a.unbind(0)
    (b * 0.1 + c).backward()

    assert a.grad.tolist() == [0.1, 1.0]


def test_prod_of_one_zero_is_linear():
    """The gradient of a product of a single factor does not depend on the factor."""
    b = scalar(0.0).view(1)
    (gradient,) = torch.autograd.grad(b.prod(dim=0), b, create_graph=True)

    assert not gradient.requires_grad


def test_second_derivative_of_square_is_in_the_graph():
    """Differentiated twice, a square still depends on its input, by a zeroth power."""
    a = leaf(1.0, 2.0)
    (first,) = torch.autograd.grad(a.square().sum(), a, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), a, create_graph=True)

    assert (second.requires_grad, second.tolist()) == (True, [2.0, 2.0])


def test_write_through_a_window_of_a_transposed_base():
    """The gradient of what a write replaced is zero, whatever the layout of the base."""
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=F64, requires_grad=True)
    w = scalar()
    b = (a * 1.0).t()
    b[0] = w
    b.sum().backward()

    assert (a.grad.tolist(), w.grad.item()) == ([[0.0, 1.0], [0.0, 1.0]], 2.0)
