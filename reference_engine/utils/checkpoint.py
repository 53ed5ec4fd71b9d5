"""torch.utils.checkpoint: keep a function's inputs instead of what its ops save, and run it again in backward.

Two ways. The reentrant one is a custom Function: forward without a graph, backward makes the graph and runs a backward of
its own inside the outer one. The other records as usual, but saved-tensor hooks put an empty Holder in the place of each
saved tensor; the first one that backward opens runs the function again, under hooks that catch its saved tensors in
order, until as many are there as the first run saved (early stop).
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from .. import autograd, errors
from ..function import Function
from ..hooks import saved_tensors_hooks
from ..modes import enable_grad, no_grad, state
from ..ops.random import default_generator
from ..saved import Packed, pack
from ..tensor import Tensor

_early_stop: bool | None = None
_debug: bool | None = None


class CheckpointError(RuntimeError):
    """Recomputation did not repeat the first forward."""


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Whether checkpoints made within the context stop recomputing when all they need is there."""
    global _early_stop
    before, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = before


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Accepted; there is no log of operators here."""
    global _debug
    before, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = before


@contextlib.contextmanager
def _random_state(value: Any) -> Iterator[None]:
    """The generator in a given state (None: as it is), and back as it was."""
    if value is None:
        yield
        return
    before = default_generator.get_state()
    default_generator.set_state(value)
    try:
        yield
    finally:
        default_generator.set_state(before)


def noop_context_fn() -> tuple:
    """Two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def detach_variable(inputs: tuple) -> tuple:
    """The inputs outside the graph, with their flags. Raises RuntimeError for anything but a tuple."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    out = []
    for x in inputs:
        twin = x.detach() if isinstance(x, Tensor) else x
        if isinstance(x, Tensor):
            twin.requires_grad = x.requires_grad
        out.append(twin)
    return tuple(out)


def check_backward_validity(inputs: Any) -> None:
    """Warn if no input requires grad."""
    if not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)


# ---- reentrant --------------------------------------------------------------------------------------------------------


class CheckpointFunction(Function):
    """Forward without a graph; backward runs forward again, and a backward of its own."""

    @staticmethod
    def forward(ctx: Any, run: Callable, preserve_rng_state: bool, *args: Any) -> Any:
        """The value, and what backward needs to do it again."""
        check_backward_validity(args)
        ctx.run = run
        ctx.random = default_generator.get_state() if preserve_rng_state else None
        ctx.places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
        ctx.plain = [None if isinstance(x, Tensor) else x for x in args]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        with no_grad():
            return run(*args)

    @staticmethod
    def backward(ctx: Any, *cts: Any) -> tuple:
        """The gradients that a backward of the repeated forward leaves in detached copies of the inputs."""
        if state.tasks and state.tasks[-1].execute is not None:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call "
                ".backward() without passing the `inputs` argument."
            )
        inputs = list(ctx.plain)
        for i, x in zip(ctx.places, detach_variable(ctx.saved_tensors)):
            inputs[i] = x
        with _random_state(ctx.random), enable_grad():
            outputs = ctx.run(*inputs)
        outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        pairs = [(o, c) for o, c in zip(outputs, cts) if isinstance(o, Tensor) and o.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        autograd.backward([o for o, _ in pairs], [c for _, c in pairs])
        return (None, None, *(x.grad if isinstance(x, Tensor) else None for x in inputs))


# ---- by saved-tensor hooks --------------------------------------------------------------------------------------------


class _Holder:
    """Stands for one saved tensor. `handles`: for each backward the key of its recomputed value; None once given out."""

    def __init__(self) -> None:
        self.handles: dict[Any, Any] = {}


class _Handle:
    """The key of one recomputed tensor: it keeps it alive."""

    __slots__ = ("__weakref__",)


class _Enough(Exception):
    """Raised to stop a recomputation that has all it needs."""


def _metadata(x: Tensor) -> dict:
    return {"shape": x.shape, "dtype": x.dtype, "device": x.device}


_CHECKS: dict[str, Callable] = {"default": _metadata, "none": lambda x: None}


class _Frame:
    """One checkpointed call: how to run it again, and what its first run saved, in order."""

    def __init__(self, again: Callable, args: tuple, early_stop: bool, describe: Callable) -> None:
        self.again, self.early_stop, self.describe = again, early_stop, describe
        # Kept as a node keeps what it saves: under the hooks in force, and guarded by versions.
        self.arguments = [pack(x, x._storage.version) if isinstance(x, Tensor) else (x, None) for x in args]
        self.holders: list[weakref.ref] = []
        self.descriptions: list[Any] = []
        self.recomputed: dict[Any, weakref.WeakKeyDictionary] = {}
        self.counts: dict[Any, int] = {}
        self.complete = self.lenient = False

    def inputs(self) -> list:
        """The arguments of the call. Raises VersionMismatch for one that was written since."""
        for x, version in self.arguments:
            if version is not None and x._storage.version != version:
                raise errors.VersionMismatch(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"[torch.{x.dtype.long_name}Tensor {list(x.shape)}] is at version {x._storage.version}; expected "
                    f"version {version} instead. Hint: it is an argument of a checkpointed function, which is to run again."
                )
        return [x.tensor(None) if type(x) is Packed else x for x, _ in self.arguments]

    def pack(self, x: Tensor) -> _Holder:
        """First run: keep an empty holder."""
        holder = _Holder()
        self.holders.append(weakref.ref(holder))
        self.descriptions.append(self.describe(x))
        return holder

    def unpack(self, holder: _Holder) -> Tensor:
        """Backward: the recomputed tensor, each given out once for each backward."""
        run = GraphExecGroup.current or (state.tasks[-1] if state.tasks else object())
        if run not in self.recomputed:
            self._recompute(run)
        handle = holder.handles.get(run)
        if handle is None:
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. If you "
                "are calling ctx.saved_tensors in backward, make sure to do so only once. Otherwise please open an issue "
                "with details on your use case."
            )
        found = self.recomputed[run][handle]
        holder.handles[run] = None
        return found

    def _recompute(self, run: Any) -> None:
        inputs = self.inputs()
        self.recomputed[run] = weakref.WeakKeyDictionary()
        self.counts[run] = 0
        with contextlib.suppress(_Enough), _Catch(self, run), enable_grad():
            self.again(*inputs)
        self._compare(run)

    def catch(self, run: Any, x: Tensor) -> Tensor:
        """Recomputation: the next saved tensor."""
        x = x.detach() if x.requires_grad else x
        i = self.counts[run]
        self.counts[run] += 1
        if i >= len(self.holders):
            if not self.complete:
                self.lenient = True  # a backward inside the first run: there is more to come
                return x
            raise CheckpointError(
                "torch.utils.checkpoint: trying to save more tensors during recomputation than during the original forward pass."
            )
        holder = self.holders[i]()
        if holder is not None:
            holder.handles[run] = _Handle()
            self.recomputed[run][holder.handles[run]] = x
        if self.early_stop and i + 1 == len(self.holders):
            raise _Enough
        return x

    def _compare(self, run: Any) -> None:
        """Raise CheckpointError unless the second run saved what the first did, by number and kind."""
        if self.lenient:
            return
        if len(self.holders) != self.counts[run]:
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.holders)}\nNumber of tensors saved "
                f"during recomputation: {self.counts[run]}."
            )
        different = ""
        for i, (ref, before) in enumerate(zip(self.holders, self.descriptions)):
            holder = ref()
            if holder is not None:
                now = self.describe(self.recomputed[run][holder.handles[run]])
                if now != before:
                    different += f"tensor at position {i}:\nsaved metadata: {before}\nrecomputed metadata: {now}\n"
        if different:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during "
                f"the forward pass.\n{different}"
            )


class _Catch(saved_tensors_hooks):
    """The hooks of a recomputation."""

    def __init__(self, frame: _Frame, run: Any) -> None:
        super().__init__(lambda x: frame.catch(run, x), lambda x: x)


class GraphExecGroup:
    """Several backwards within this context recompute each checkpoint at most once."""

    current: Any = None

    def __enter__(self) -> GraphExecGroup:
        if GraphExecGroup.current is not None:
            raise RuntimeError(f"GraphExecGroup contexts cannot be nested. Already inside group {GraphExecGroup.current}")
        GraphExecGroup.current = self
        return self

    def __exit__(self, *exc: Any) -> None:
        GraphExecGroup.current = None


def _recorded(function: Callable, args: tuple, kwargs: dict, preserve: bool, contexts: Any, check: str, early_stop: bool) -> Any:  # fmt: skip  # noqa: E501
    if check not in _CHECKS:
        raise ValueError(f"determinism_check should be one of {list(_CHECKS)}, but got {check}")
    if not state.grad:
        return function(*args, **kwargs)
    first, second = contexts()
    random = default_generator.get_state() if preserve else None

    def again(*inputs: Any) -> None:
        with _random_state(random), second:
            function(*inputs, **kwargs)

    frame = _Frame(again, args, early_stop if _early_stop is None else _early_stop, _CHECKS[check])
    with saved_tensors_hooks(frame.pack, frame.unpack), first:
        result = function(*args, **kwargs)
    frame.complete = True
    return result


# ---- what the user calls ----------------------------------------------------------------------------------------------


def _reentrant(use_reentrant: bool | None, who: str) -> bool:
    if use_reentrant is None:
        warnings.warn(
            f"{who}: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling checkpoint "
            "without use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to "
            "preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on "
            "the differences between the two variants.",
            stacklevel=3,
        )
        return True
    return use_reentrant


def checkpoint(
    function: Callable, *args: Any, use_reentrant: bool | None = None, context_fn: Callable = noop_context_fn,
    determinism_check: str = "default", debug: bool = False, early_stop: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """function(*args, **kwargs), of which backward keeps the inputs only and computes the rest again.

    Raises CheckpointError in backward when the second run saves other tensors (not reentrant), ValueError for options
    that the reentrant way does not have.
    """
    use_reentrant = _reentrant(use_reentrant, "torch.utils.checkpoint")
    preserve = kwargs.pop("preserve_rng_state", True)
    if not use_reentrant:
        return _recorded(function, args, kwargs, preserve, context_fn, determinism_check, early_stop)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug is not False:
        raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    return CheckpointFunction.apply(function, preserve, *args)


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """A chain of functions in checkpointed segments; the last segment is run plainly."""
    use_reentrant = _reentrant(use_reentrant, "torch.utils.checkpoint.checkpoint_sequential")
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def chain(part: list) -> Callable:
        def run(x: Any) -> Any:
            for fn in part:
                x = fn(x)
            return x

        return run

    size = len(functions) // segments
    last = size * (segments - 1)
    for start in range(0, last, size):
        part = chain(functions[start : start + size])
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return chain(functions[last:])(input)
