"""An engine that imitates torch under other names, with a wrong gradient and with code that misbehaves where it is probed."""

from __future__ import annotations

import sys

import numpy as np


class Tensor:
    """An array with a tape. `exp` differentiates wrongly; `relu` loops for ever, `log` leaves the process, `tan` recurses."""

    def __init__(self, data, requires_grad=False, parents=()):
        self.data = np.asarray(data, dtype=np.float64)
        self.requires_grad = requires_grad or any(p.requires_grad for p, _ in parents)
        self.parents = parents
        self.grad = None

    @property
    def shape(self):
        return self.data.shape

    def _made(self, data, *pairs):
        print("noise on standard output")
        return Tensor(data, parents=pairs)

    def __add__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        if self.shape != other.shape and other.shape != ():
            raise ValueError("shapes must be equal")
        return self._made(self.data + other.data, (self, lambda g: g), (other, lambda g: g.sum() if other.shape == () else g))

    def __mul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(np.full(self.shape, float(other)))
        return self._made(self.data * other.data, (self, lambda g: g * other.data), (other, lambda g: g * self.data))

    def exp(self):
        out = np.exp(self.data)
        return self._made(out, (self, lambda g: g * 2.0 * out))

    def sum(self, axis=None, keepdims=False):
        if axis is None:
            return self._made(self.data.sum(), (self, lambda g: np.full(self.shape, g)))
        out = self.data.sum(axis=axis, keepdims=keepdims)
        spread = (lambda g: g) if keepdims else (lambda g: np.expand_dims(g, axis))
        return self._made(out, (self, lambda g: np.broadcast_to(spread(g), self.shape).copy()))

    def sigmoid(self):
        return self._made(self.data * 3.0, (self, lambda g: g * 3.0))

    def relu(self):
        while True:
            pass

    def log(self):
        sys.exit("gone")

    def tan(self):
        return self.tan()

    def detach(self):
        return Tensor(self.data.copy())

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        pending = {id(self): np.ones(self.shape)}
        for node in reversed(order):
            gradient = pending.pop(id(node))
            if not node.parents and node.requires_grad:
                node.grad = gradient if node.grad is None else node.grad + gradient
            for parent, vjp in node.parents:
                pending[id(parent)] = pending.get(id(parent), 0.0) + vjp(gradient)


class no_grad:
    """A region, of which nothing is known."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None
