"""Engines that do harm whenever they compute exp: a tape engine on one screen otherwise, which starts fast."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tiny

from conformance import Engine, Unsupported


class Villain(Engine):
    """Right until exp is asked for."""

    name = "villain"
    ops = {"add": "a + b", "mul": "a * b", "exp": "strike() or me.exp(a)", "sum": "me.sum(a)"}
    dtypes = ("float64",)

    def calls(self):
        return self.compile({"me": tiny, "strike": self.strike})

    def leaf(self, values, shape, dtype, requires_grad):
        return tiny.tensor(values, requires_grad=requires_grad).reshape(shape)

    def backward(self, roots, gradients, retain_graph, create_graph, inputs):
        if len(roots) > 1 or retain_graph or create_graph or inputs is not None:
            raise Unsupported("only plain backward() of one root")
        roots[0].backward(*(gradients or ()))

    def value(self, tensor):
        return tensor.tolist()

    def gradient(self, tensor):
        return tensor.grad

    def requires_grad(self, tensor):
        return tensor.requires_grad

    def strike(self):
        """What it does."""


class Segfault(Villain):
    def strike(self):
        os.kill(os.getpid(), signal.SIGSEGV)


class NullPointer(Villain):
    def strike(self):
        ctypes.string_at(0)


class Abort(Villain):
    def strike(self):
        os.write(2, b"terminate called after throwing an instance of std::out_of_range at 0x7f3a\n")
        os.abort()


class Exit(Villain):
    def strike(self):
        os._exit(3)


class Hang(Villain):
    def strike(self):
        while True:
            time.sleep(1)


class Busy(Villain):
    """Hangs with the interpreter's lock held, and has a child that hangs too."""

    def strike(self):
        os.fork()
        ctypes.PyDLL(None).sleep(1000)


class Eater(Villain):
    def strike(self):
        held = []
        while True:
            held.append(b"x" * (16 << 20))
            time.sleep(0.002)


class Glutton(Villain):
    """Asks for more at once than there is."""

    def strike(self):
        bytearray(1 << 50)


class Recursion(Villain):
    def strike(self):
        kind = ctypes.CFUNCTYPE(None)

        def deeper():
            again()

        again = kind(deeper)
        sys.setrecursionlimit(10**8)
        again()


class Noise(Villain):
    """Prints to what is elsewhere the protocol's stream, and reads what are elsewhere its messages."""

    def strike(self):
        print("noise on standard output")
        os.write(1, b'{"seq": 1}\n')
        assert sys.stdin.read() == ""
        sys.stderr.write("and on standard error\n" * 100)


class SecondTime(Villain):
    """Dies of what a single program does not show: the second exp of a process."""

    struck = 0

    def strike(self):
        self.struck += 1
        if self.struck == 2:
            os.abort()


class DiesAtStart(Villain):
    def __init__(self):
        os.write(2, b"no licence was found\n")
        os.abort()


class DiesAlways(Villain):
    """Cannot even make a leaf."""

    def leaf(self, *arguments):
        os.abort()
