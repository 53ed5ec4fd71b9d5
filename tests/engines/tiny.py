"""A tape engine on one screen, as a course project might have it: three ops, no views, no in-place."""

from __future__ import annotations

import numpy as np


class Tensor:
    """An array, and how to hand its gradient on."""

    def __init__(self, data, requires_grad=False, parents=()):
        self.data = np.asarray(data, dtype=np.float64)
        self.requires_grad = requires_grad or any(p.requires_grad for p, _ in parents)
        self.parents = parents
        self.grad = None

    @property
    def shape(self):
        return self.data.shape

    def tolist(self):
        return self.data.tolist()

    def reshape(self, shape):
        return Tensor(self.data.reshape(shape), self.requires_grad and not self.parents)

    def __add__(self, other):
        return Tensor(self.data + other.data, parents=((self, _fit(self)), (other, _fit(other))))

    def __mul__(self, other):
        a, b = self.data, other.data
        return Tensor(a * b, parents=((self, lambda ct: _fit(self)(ct * b)), (other, lambda ct: _fit(other)(ct * a))))

    def backward(self, gradient=None):
        if not self.requires_grad:
            raise RuntimeError("nothing requires grad")
        if gradient is None and self.data.size != 1:
            raise RuntimeError("a gradient is needed")
        if gradient is not None and gradient.shape != self.shape:
            raise RuntimeError("the gradient has another shape")
        pending = {id(self): np.ones(self.shape) if gradient is None else gradient.data}
        for node in reversed(_topological(self)):
            ct = pending.pop(id(node), None)
            if ct is None or not node.requires_grad:
                continue
            if not node.parents:
                node.grad = Tensor(ct.copy() if node.grad is None else node.grad.data + ct)
            for parent, vjp in node.parents:
                if parent.requires_grad:
                    pending[id(parent)] = pending.get(id(parent), 0) + vjp(ct)


def tensor(values, requires_grad=False):
    return Tensor(values, requires_grad)


def exp(a):
    out = np.exp(a.data)
    return Tensor(out, parents=((a, lambda ct: ct * out),))


def sum(a):
    return Tensor(a.data.sum(), parents=((a, lambda ct: np.broadcast_to(ct, a.shape)),))


def _fit(tensor):
    """Sum a cotangent down to the shape of an operand that was broadcast."""

    def fit(ct):
        ct = ct.sum(axis=tuple(range(ct.ndim - len(tensor.shape))))
        for axis, n in enumerate(tensor.shape):
            if n == 1 and ct.shape[axis] != 1:
                ct = ct.sum(axis=axis, keepdims=True)
        return ct

    return fit


def _topological(root):
    order, seen = [], set()

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent, _ in node.parents:
                visit(parent)
            order.append(node)

    visit(root)
    return order
