"""An engine of scalars on one screen, as a first lesson in autograd has it: no shapes, no flags, gradients that begin as zero."""

from __future__ import annotations

import math


class Value:
    """A number, and how to hand its gradient on."""

    def __init__(self, data, parents=()):
        self.data = data
        self.parents = parents  # pairs (parent, local derivative)
        self.grad = 0.0

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -other

    def exp(self):
        out = math.exp(self.data)
        return Value(out, ((self, out),))

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        pending = {id(self): 1.0}
        for node in reversed(order):
            gradient = pending.pop(id(node))
            node.grad += gradient
            for parent, derivative in node.parents:
                pending[id(parent)] = pending.get(id(parent), 0.0) + gradient * derivative
