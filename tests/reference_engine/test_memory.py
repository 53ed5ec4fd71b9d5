"""Lifetime without a garbage collector, depth without recursion."""

from __future__ import annotations

import gc

import pytest

import reference_engine as torch


class Exp(torch.autograd.Function):
    """A custom Function that saves its input and its output."""

    @staticmethod
    def forward(ctx, a):
        y = a.exp()
        ctx.save_for_backward(a, y)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[1]


def programs():
    """Programs that save inputs, results and copies, through views, hooks and second derivatives."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    yield lambda: (x.exp() * x).sum().backward()
    yield lambda: (x * 1).mul_(x).exp_().sum().backward()
    yield lambda: x.softmax(0).sum().backward()
    yield lambda: torch.autograd.grad((x**3).sum(), x, create_graph=True)[0].sum().backward()
    yield lambda: Exp.apply(x).sum().backward()
    yield lambda: (x * 1).mul_(x * 2)

    def views():
        y = x * 1
        y[0] = y[1] * 2
        v = y.view(2, 1)
        v.mul_(3.0)
        y.register_hook(lambda g: None)
        y.retain_grad()
        (v.sum() + y.sum()).backward(retain_graph=True)

    yield views

    def self_operand():
        y = x * 1
        y.mul_(y)

    yield self_operand


def alive():
    """How many tensors and nodes there are."""
    kinds = (torch.Tensor, torch.autograd.graph.Node)
    return sum(issubclass(type(o), kinds) for o in gc.get_objects())


@pytest.fixture
def no_collector():
    """Only reference counting frees things."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("index", range(8))
def test_reference_counting_frees_the_graph(no_collector, index):
    """A program leaves no tensor and no node behind."""

    def run():
        list(programs())[index]()

    run()
    gc.collect()
    before = alive()
    run()

    assert alive() == before


@pytest.mark.parametrize("step", [lambda y: y * 1.0, lambda y: y + 0, lambda y: y.add_(0.0)])
def test_a_long_chain_needs_no_recursion(step):
    """100,000 ops forward, backward and destruction."""
    x = torch.tensor([1.0], requires_grad=True)
    y = x * 1
    for _ in range(100_000):
        y = step(y)
    y.sum().backward()

    assert x.grad.tolist() == [1.0]


def test_a_wide_fan_out():
    """10,000 uses of one leaf add up."""
    x = torch.tensor([1.0], requires_grad=True)
    torch.stack([x * 1.0 for _ in range(10_000)]).sum().backward()

    assert x.grad.tolist() == [10_000.0]


def test_leaves_do_not_share_a_gradient_array():
    """Add hands the same cotangent to both operands; each leaf owns its own."""
    a, b = (torch.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    seed = torch.ones(2)
    (a + b).backward(seed)

    assert len({a.grad.data_ptr(), b.grad.data_ptr(), seed.data_ptr()}) == 3
