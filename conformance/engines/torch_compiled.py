"""PyTorch's other selves: what compiles or rewrites a function and must then do what eager PyTorch does.

Each takes the forward steps of a program by segments (`conformance.segments`): a segment is written as a function in plain torch
code, handed to the compiler, and called with the tensors that it reads. Everything else, leaves, hooks, the caller's own writes,
backward, happens outside, as it does in a user's code.

Compiling costs a tenth of a second to seconds a function. What helps: a function is kept by its text, so that the same structure
is compiled once for each shape; what the compiler itself keeps lies in a folder of this process; the vector instructions of the
machine are taken from its own list instead of by compiling a program for each.

Not promised, since the compilers say so or leave it open: gradients of gradients where the backward pass was compiled; what nodes
save, how often, and how long it lives.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from conformance.catalog import CATALOG
from conformance.engine import Engine, Unsupported
from conformance.engines.compiled_script import CompiledScript, function_of
from conformance.engines.torch_engine import TorchEngine
from conformance.errors import EngineUnavailable
from conformance.program import Apply
from conformance.segments import Segment

KEPT = 512  # functions kept at once
LIMIT = 1_000_000  # how often the compiler may look at one function anew: beyond its own limit it would run it as it is
_WARMING = Segment((Apply("neg", (0,), (1,)),), (0,), (1,))
LOGGERS = ("torch._dynamo", "torch._inductor", "torch._functorch", "torch.fx")


class SegmentEngine(TorchEngine):
    """Base: eager torch outside of segments. A subclass says what it makes of a function."""

    schedules: ClassVar[tuple[str, ...]] = ("parted",)
    script: ClassVar[type | None] = CompiledScript

    def __init__(self) -> None:
        super().__init__()
        self.functions: dict[str, Callable[..., Any]] = {}

    @cached_property
    def names(self) -> dict[str, Any]:
        """The names that functions use: torch, and what the code of some ops needs beforehand."""
        names = dict(self.namespace)
        for setup in dict.fromkeys(op.setup for op in CATALOG.values()):
            exec(setup, names)
        return names

    def rewritten(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function that does the same by other means."""
        raise NotImplementedError

    def forget(self) -> None:
        """Called when functions are let go."""

    def segment(self, segment: Segment, given: Sequence[Any]) -> Sequence[Any]:
        return self.function(segment)(*given)  # type: ignore[no-any-return]

    def function(self, segment: Segment) -> Callable[..., Any]:
        """The function of a segment, made once for all segments of the same text."""
        text = function_of(segment)
        if text in self.functions:
            return self.functions[text]
        made: dict[str, Any] = {}
        exec(compile(text, "<segment>", "exec"), dict(self.names), made)
        if len(self.functions) >= KEPT:
            self.functions.clear()
            self.forget()
        self.functions[text] = self.rewritten(made["segment"])
        return self.functions[text]


class CompileEagerScript(CompiledScript):
    """Programs as code."""

    rewrite = "torch.compile({}, backend='eager', dynamic=False)"


class CompiledEngine(SegmentEngine):
    """`torch.compile` with the backend that runs what was traced as it is: the tracer alone is tried."""

    name: ClassVar[str] = "torch-compile-eager"
    script: ClassVar[type | None] = CompileEagerScript
    backend: ClassVar[str] = "eager"
    slow: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        import torch._dynamo as dynamo

        self.dynamo: Any = dynamo
        dynamo.config.recompile_limit = dynamo.config.accumulated_recompile_limit = LIMIT
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)

    def rewritten(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self.torch.compile(function, backend=self.backend, dynamic=False)  # type: ignore[no-any-return]

    def forget(self) -> None:
        self.dynamo.reset()


class OnceDifferentiable(SegmentEngine):
    """A mixin: backward passes that were compiled are not differentiated again, and keep what they like."""

    traits: ClassVar[frozenset[str]] = TorchEngine.traits - {"higher-order", "liveness"}
    saved_tensors_hooks = Engine.saved_tensors_hooks

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        self._look_at_order(create_graph)
        super().backward(roots, gradients, retain_graph, create_graph, inputs)

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        self._look_at_order(create_graph)
        return super().grad(roots, inputs, gradients, retain_graph, create_graph, allow_unused)

    def _look_at_order(self, create_graph: bool) -> None:
        if create_graph:
            raise Unsupported("torch says that a compiled backward pass cannot be differentiated again")


class AotEagerScript(CompiledScript):
    """Programs as code."""

    rewrite = "torch.compile({}, backend='aot_eager', dynamic=False)"


class AotEagerEngine(OnceDifferentiable, CompiledEngine):
    """`torch.compile` with forward and backward traced ahead of time and run by eager ops."""

    name: ClassVar[str] = "torch-aot-eager"
    script: ClassVar[type | None] = AotEagerScript
    backend: ClassVar[str] = "aot_eager"


class InductorScript(CompiledScript):
    """Programs as code."""

    rewrite = "torch.compile({}, dynamic=False)"


class InductorEngine(OnceDifferentiable, CompiledEngine):
    """`torch.compile` as its users know it: fused C++."""

    name: ClassVar[str] = "torch-inductor"
    script: ClassVar[type | None] = InductorScript
    backend: ClassVar[str] = "inductor"

    def __init__(self) -> None:
        if shutil.which(os.environ.get("CXX", "g++")) is None:
            raise EngineUnavailable("torch-inductor needs a C++ compiler: install g++, or name one in CXX")
        if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder = tempfile.mkdtemp(prefix="conformance-inductor-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        super().__init__()
        import torch._inductor.config as config

        config.compile_threads = 1  # a pool of processes costs more to start than these functions to compile
        config.cpp.vec_isa_ok = True
        self.function(_WARMING)(*(self.leaf((1.0,), (1,), "float32", requires_grad=True),))


class FunctionalizeScript(CompiledScript):
    """Programs as code."""

    rewrite = "torch.func.functionalize({})"


class FunctionalizeEngine(SegmentEngine):
    """`torch.func.functionalize`: writes and views are replaced by ops that have none.

    The transforms of torch.func take custom functions of another kind only, and no hooks on what is saved, by which checkpoints
    work.
    """

    name: ClassVar[str] = "torch-functionalize"
    script: ClassVar[type | None] = FunctionalizeScript
    ops: Mapping[str, str] = {name: op.torch for name, op in CATALOG.items() if op.chapter not in ("function", "checkpoint")}
    saved_tensors_hooks = Engine.saved_tensors_hooks

    def rewritten(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self.torch.func.functionalize(function)  # type: ignore[no-any-return]
