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


def chain(t: torch.Tensor) -> list[str]:
    """The names of the nodes behind a tensor, along first edges."""
    names, node = [], t.grad_fn
    while node is not None:
        names.append(node.name().rpartition(":")[2])
        node = next((n for n, _ in node.next_functions if n is not None), None)
    return names


@pytest.mark.parametrize(
    ("key", "value", "nodes"),
    [
        (..., (2, 3), ["CopyBackwards"]),
        (..., (), ["FillBackward3"]),
        (..., (1, 3), ["CopyBackwards", "ExpandBackward0", "ViewBackward0"]),
        (..., (2, 1), ["CopyBackwards", "ExpandBackward0", "ViewBackward0"]),
        (0, (1,), ["CopySlices", "ExpandBackward0", "ViewBackward0"]),
    ],
)
def test_what_is_assigned_is_expanded_by_an_op_of_its_own(key, value, nodes):
    """Square brackets view and expand a value of another shape before they copy it."""
    a = torch.zeros(2, 3)
    a[key] = torch.ones(value, requires_grad=True)

    assert chain(a)[:-1] == nodes


@pytest.mark.parametrize(
    ("make", "shape"),
    [(lambda a: a.t(), (3, 2)), (lambda a: a.view(6), (6,)), (lambda a: a.unsqueeze(0), (1, 2, 3))],
)
def test_a_first_gradient_may_lie_in_the_memory_of_the_seed(make, shape):
    """What views pass on is kept as it is where it lies in the leaf's own order, so a transpose is copied."""
    a, seed = torch.ones(2, 3, requires_grad=True), torch.ones(shape)
    make(a).backward(seed)

    assert (a.grad.data_ptr() == seed.data_ptr()) == (shape != (3, 2))


def test_a_squeeze_that_drops_nothing_passes_the_seed_itself():
    """The seed is the caller's: a leaf that would keep it keeps a copy."""
    a, seed = leaf(1.0, 2.0), torch.ones(2, dtype=F64)
    a.squeeze().backward(seed)

    assert a.grad.data_ptr() != seed.data_ptr()


def test_parts_of_one_gradient_lie_in_it():
    """The operands of cat keep parts of the one gradient that arrives."""
    a, b = leaf(1.0), leaf(2.0)
    (torch.cat([a, b]) * 2.0).sum().backward()

    assert a.grad.untyped_storage().data_ptr() == b.grad.untyped_storage().data_ptr()


@pytest.mark.parametrize("write", [lambda t: t.t_(), lambda t: t.transpose_(0, 1), lambda t: t.unsqueeze_(0)])
def test_an_inference_tensor_is_not_rearranged(write):
    """A change of shape in place is a write."""
    with torch.inference_mode():
        c = torch.ones(2, 2)

    with pytest.raises(errors.InferenceTensorError):
        write(c)


@pytest.mark.parametrize(
    ("equation", "shapes", "node"),
    [
        ("i,i->", ((1,), (1,)), "MulBackward0"),
        ("i,i->", ((2,), (2,)), "BmmBackward0"),
        ("ij,ij->ij", ((2, 3), (2, 3)), "MulBackward0"),
    ],
)
def test_einsum_multiplies_elementwise_where_nothing_is_summed(equation, shapes, node):
    """A dimension of length 1 needs no matrix product."""
    assert node in chain(torch.einsum(equation, *(torch.ones(s, requires_grad=True) for s in shapes)))


def test_a_dirty_input_forgets_the_gradient_that_it_kept():
    """The gradient was that of the values before the write."""

    class Doubling(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x.mul_(2.0))
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2.0

    b = leaf(1.0) * 2.0
    b.retain_grad()
    b.backward(retain_graph=True)
    Doubling.apply(b)

    assert b.grad is None


def test_the_hooks_of_a_lone_root_run_though_no_input_is_reached():
    """A pass begins with its only root, whether or not it is needed."""
    seen, a, b = [], leaf(1.0), leaf(1.0)
    a.register_hook(seen.append)
    torch.autograd.grad([a], [b], [torch.ones(1, dtype=F64)], allow_unused=True)

    assert len(seen) == 1


@pytest.mark.parametrize("norm", ["layer_norm", "group_norm", "batch_norm"])
def test_normalisation_differentiates_with_what_unpacking_gives(norm):
    """An ordinary backward takes the mean and the deviation that were saved."""
    calls = {
        "layer_norm": lambda x: torch.nn.functional.layer_norm(x, (4,)),
        "group_norm": lambda x: torch.nn.functional.group_norm(x, 2),
        "batch_norm": lambda x: torch.nn.functional.batch_norm(x, None, None, training=True),
    }
    x = (torch.arange(12.0, dtype=F64).reshape(3, 4) ** 1.5).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t * 0.0):
        y = calls[norm](x)
    y.backward(y.detach().cos())

    assert x.grad.abs().sum().item() == 0.0
