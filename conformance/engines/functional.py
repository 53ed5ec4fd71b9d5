"""A base for engines that differentiate functions: no tape, no `.grad`, nothing written in place.

A program is run forward on the engine's own arrays, and what made each tensor is recorded. A backward, or a grad(), replays what
lies between its inputs and its roots as a function of these inputs, and asks the engine for that function's vjp, once. With
create_graph=True the gradient is recorded too, as what it is: a vjp inside of a function, so that derivatives of any order are
the engine's.

The record is the adapter's, so nothing is promised that the record alone would answer: that gradients accumulate, that a graph
is freed, that a root without a graph is refused, flags, versions, memory. Where a program depends on these, it is Unsupported.
What the engine answers for is left: values, gradients of every order, broadcasting, promotion, cuts, custom functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from conformance.catalog import CATALOG
from conformance.engine import Engine, Unsupported

ACCUMULATES = "the engine keeps no gradients: the sum of two backwards would be the adapter's"
FREED = "the engine keeps no graph: what is left of it after a backward would be the adapter's"
ROOT = "the engine differentiates functions: a root that depends on nothing would be refused by the adapter"
IMPLICIT = "the engine takes a cotangent of the root's shape: the adapter would refuse a root of several elements"
UNUSED = "the engine gives zeros for an input that a function does not use: the adapter would refuse it"
ZERO = "the engine gives zeros where torch may have no path: which of them is right, None or zeros, the adapter cannot tell"
INTERIOR = "a gradient as a function of what lies inside of its own graph is a question to a tape"
CATEGORIES = "the engine promotes by dtype alone: 0-dim operands and integers have no rule of their own"


class Tensor:
    """An array of the engine, and how it came to be.

    `requires_grad` is torch's flag, kept to know which leaves a backward is to reach. `record` is there too where a gradient is
    cut, since the engine is to cut it.
    """

    __slots__ = ("__weakref__", "array", "gradient", "index", "record", "requires_grad")

    def __init__(self, array: Any, record: Record | None = None, index: int = 0, requires_grad: bool = False) -> None:
        self.array = array
        self.record = record
        self.index = index
        self.requires_grad = requires_grad
        self.gradient: Tensor | None = None


class Record:
    """An application of an op: its results are a function of its inputs."""

    def __init__(
        self, number: int, function: Callable[..., Any], inputs: tuple[Tensor, ...], cuts: tuple[int, ...] = (), several: int = 0
    ) -> None:
        self.number = number
        self.function = function
        self.inputs = inputs
        self.several = several  # how many results the function gives, or 0 where it gives an array
        self.passing = tuple(t for i, t in enumerate(inputs) if i not in cuts)  # the inputs that gradients go to
        self.walked = False

    def evaluate(self, replay: Replay) -> tuple[Any, ...]:
        """The results where the inputs have other values."""
        result = self.function(*map(replay.value, self.inputs))
        return tuple(result[i] for i in range(self.several)) if self.several else (result,)


class Gradient(Record):
    """A vjp: gradients of roots with respect to sources, at given cotangents. It depends on all that its roots were made of."""

    def __init__(
        self, engine: FunctionalEngine, roots: tuple[Tensor, ...], sources: tuple[Tensor, ...], cotangents: tuple[Tensor, ...]
    ) -> None:
        super().__init__(engine.next_number(), engine.vjp, (*roots, *sources, *cotangents))
        self.roots, self.sources, self.cotangents = roots, sources, cotangents
        self.passing = cotangents  # the gradients that go to the others may be structurally zero

    def evaluate(self, replay: Replay) -> tuple[Any, ...]:
        def function(*arrays: Any) -> list[Any]:
            inner = Replay(dict(zip(self.sources, arrays, strict=True)), replay)
            return inner.run(self.roots)

        primals, cotangents = ([replay.value(t) for t in tensors] for tensors in (self.sources, self.cotangents))
        return tuple(self.function(function, primals, cotangents))


class Replay:
    """Records run anew, at other values of some tensors. What does not depend on these is looked up outside."""

    def __init__(self, given: Mapping[Tensor, Any], outside: Replay | None = None) -> None:
        self.given = given
        self.outside = outside
        self.results: dict[Record, tuple[Any, ...]] = {}

    def value(self, tensor: Tensor) -> Any:
        """What a tensor is here."""
        if tensor in self.given:
            return self.given[tensor]
        if tensor.record in self.results:
            return self.results[tensor.record][tensor.index]
        return tensor.array if self.outside is None else self.outside.value(tensor)

    def run(self, roots: Sequence[Tensor]) -> list[Any]:
        """The roots, after all that moves with the given tensors was run in order."""
        for record in between(roots, self.given):
            self.results[record] = record.evaluate(self)
        return [self.value(root) for root in roots]


def between(roots: Iterable[Tensor], given: Iterable[Tensor]) -> list[Record]:
    """The records that the roots are made of and that depend on the given tensors, in order.

    Raises:
        Unsupported: a gradient among them was taken through one of the given tensors.
    """
    known = set(given)
    moved_by = {t.record for t in known if t.record is not None}
    moving: set[Tensor | Record] = set(known)
    found = []
    for record in sorted(history(roots, known), key=lambda r: r.number):
        if any(t in known or t.record in moving for t in record.inputs):
            if isinstance(record, Gradient) and moved_by & history(record.roots, record.sources):
                raise Unsupported(INTERIOR)
            moving.add(record)
            found.append(record)
    return found


def history(roots: Iterable[Tensor], until: Iterable[Tensor] = (), *, passing: bool = False) -> set[Record]:
    """The records that the roots are made of, or those that gradients of the roots pass, as far as the tensors of `until`."""
    seen: set[Record] = set()
    stop = set(until)
    stack = [t for t in roots if t not in stop]
    while stack:
        record = stack.pop().record
        if record is not None and record not in seen:
            seen.add(record)
            inputs = record.passing if passing else record.inputs
            stack += [t for t in inputs if t not in stop and not (passing and not t.requires_grad)]
    return seen


class FunctionalEngine(Engine):
    """Base of the adapters. A subclass gives the table of ops, the names that it uses, and these five.

    asarray(array): a NumPy array as one of the engine's. numpy(array): the reverse. vjp(function, primals, cotangents): gradients
    of a function of several arrays that gives a list of arrays. stop_gradient(array), where the engine has it. version().
    """

    traits: ClassVar[frozenset[str]] = frozenset({"higher-order", "absent-gradients"})
    # Pairs of kinds of dtypes whose mixture the engine promotes as torch does: "floats", and "numbers", integers with floats.
    promotes: ClassVar[frozenset[str]] = frozenset()
    limits: ClassVar[tuple[str, ...]] = ()  # patterns of messages by which the engine says that it does not have something
    namespace: Mapping[str, Any] = {}
    stop_gradient: Any = None

    def asarray(self, array: np.ndarray[Any, Any]) -> Any:
        """A NumPy array as one of the engine's."""
        raise NotImplementedError

    def numpy(self, array: Any) -> np.ndarray[Any, Any]:
        """One of the engine's arrays as NumPy's."""
        return np.asarray(array)

    def vjp(self, function: Callable[..., list[Any]], primals: list[Any], cotangents: list[Any]) -> Sequence[Any]:
        """The gradients of the function's results, weighted by the cotangents, with respect to each of the primals."""
        raise NotImplementedError

    def lacks(self, error: Exception) -> bool:
        """Whether the engine says with this error that it does not have what was asked for."""
        return isinstance(error, NotImplementedError) or any(re.search(pattern, str(error)) for pattern in self.limits)

    def _lacking(self, error: Exception) -> Exception:
        """What to raise for an error of the engine."""
        return Unsupported(" ".join(str(error).split())[:200]) if self.lacks(error) else error

    def next_number(self) -> int:
        """The place of a record among all."""
        self._number += 1
        return self._number

    # -- steps ----------------------------------------------------------------------------------------------------------

    _number = 0

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {name: self._recording(name, call) for name, call in self.compile(self.namespace).items()}

    def _recording(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call of an op, on tensors."""
        op = CATALOG[name]
        cuts = tuple(i for i, kind in enumerate(op.kinds) if kind != "float" or (op.severed and i == 1))
        promoted = len(op.kinds) if op.chapter != "index" else 1
        unmoved = op.constant_outputs + op.index_outputs

        def recorded(*tensors: Tensor, **params: Any) -> Any:
            if promoted > 1:
                self._look_at_dtypes(tensors[:promoted])
            arrays = [t.array for t in tensors]
            try:
                result = call(*arrays, **params)
            except Exception as error:
                raise self._lacking(error) from None
            several = isinstance(result, (tuple, list))
            results = result if several else (result,)
            moves = any(t.requires_grad or t.record is not None for t in tensors)
            function = partial(call, **params) if params else call
            record = Record(self.next_number(), function, tensors, cuts, several and len(results)) if moves else None
            needs = record is not None and not op.constant and any(t.requires_grad for t in record.passing)
            count = len(results) - unmoved
            outs = [Tensor(array, record, i, needs and i < count) for i, array in enumerate(results)]
            return outs if several else outs[0]

        return recorded

    def _look_at_dtypes(self, tensors: Sequence[Tensor]) -> None:
        """Refuse to judge promotion that the engine documents to be another."""
        dtypes = {self.dtype(t) for t in tensors} - {"bool"}
        if len(dtypes) < 2:
            return
        numbers, floats = "int64" in dtypes, len(dtypes - {"int64"}) > 1
        numpy_agrees = "floats" in self.promotes and dtypes == {"int64", "float64"}
        if numbers and "numbers" not in self.promotes and not numpy_agrees:
            raise Unsupported(CATEGORIES)
        if floats and ("floats" not in self.promotes or self._narrower_rules(tensors)):
            raise Unsupported(CATEGORIES)

    def _narrower_rules(self, tensors: Sequence[Tensor]) -> bool:
        """Whether all operands of float64 are 0-dim, and others are not: torch keeps float32."""
        wide = [len(self.shape(t)) for t in tensors if self.dtype(t) == "float64"]
        return not any(wide) and any(len(self.shape(t)) for t in tensors if self.dtype(t) == "float32")

    def begin(self) -> None:
        self._number = 0

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        return Tensor(self.asarray(np.array(values, dtype=dtype).reshape(shape)), requires_grad=requires_grad)

    def detach(self, tensor: Any) -> Any:
        if self.stop_gradient is None:
            raise Unsupported(f"{self.name} has no way to cut a gradient")
        moves = tensor.requires_grad or tensor.record is not None
        record = Record(self.next_number(), self.stop_gradient, (tensor,), (0,)) if moves else None
        return Tensor(self.stop_gradient(tensor.array), record)

    def copy(self, tensor: Any) -> Any:
        return tensor  # nothing is ever written into

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        leaves = {t for record in history(roots) for t in record.inputs} | set(roots) if inputs is None else ()
        sources = list(inputs) if inputs is not None else [t for t in leaves if t.record is None and t.requires_grad]
        found = self._gradients(roots, sources, gradients, retain_graph, create_graph)
        for source, gradient in zip(sources, found, strict=True):
            if gradient is None:
                continue
            if source.gradient is not None:
                raise Unsupported(ACCUMULATES)
            source.gradient = gradient

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        found = self._gradients(roots, inputs, gradients, retain_graph, create_graph)
        if not allow_unused and any(gradient is None for gradient in found):
            raise Unsupported(UNUSED)
        return found

    def _gradients(
        self, roots: Sequence[Tensor], sources: Sequence[Tensor], gradients: Sequence[Tensor | None] | None,
        retain_graph: bool | None, create_graph: bool,
    ) -> list[Tensor | None]:  # fmt: skip
        """Gradients of the roots, None where no path leads."""
        if not all(t.requires_grad for t in (*roots, *sources)):
            raise Unsupported(ROOT)
        cotangents = [self._seed(r, g) for r, g in zip(roots, gradients or [None] * len(roots), strict=True)]
        if len(roots) > 1:
            self._look_for_constant_roots(roots, cotangents)
        self._walk(roots, sources, create_graph if retain_graph is None else retain_graph)
        connected = {t for record in history(roots, passing=True) for t in record.passing} | set(roots)
        behind = {t for record in history(roots) for t in record.inputs} | set(roots)
        used = [t for t in dict.fromkeys(sources) if t in behind]
        found: dict[Tensor, Tensor] = {}
        for group in _groups(used):
            record = Gradient(self, tuple(roots), group, tuple(cotangents))
            try:
                arrays = record.evaluate(Replay({}))
            except Exception as error:
                raise self._lacking(error) from None
            kept = record if create_graph else None
            found |= {t: Tensor(a, kept, i, create_graph) for i, (t, a) in enumerate(zip(group, arrays, strict=True))}
        for source, gradient in list(found.items()):
            if source not in connected and not np.any(self.numpy(gradient.array)):
                if not any(isinstance(r, Gradient) for r in history(roots)):
                    del found[source]  # every path is cut
                else:
                    raise Unsupported(ZERO)
        return [found.get(t) for t in sources]

    def _look_for_constant_roots(self, roots: Sequence[Tensor], cotangents: Sequence[Tensor]) -> None:
        """Refuse to judge roots one of which may depend on nothing, as a gradient may: torch would refuse them all."""
        for root, cotangent in zip(roots, cotangents, strict=True):
            if not _reaches_leaf(root):
                leaves = {t for record in history([root]) for t in record.inputs if t.record is None and t.requires_grad}
                gradients = Gradient(self, (root,), tuple(leaves), (cotangent,)).evaluate(Replay({}))
                if not any(np.any(self.numpy(g)) for g in gradients):
                    raise Unsupported(ZERO)

    def _seed(self, root: Tensor, gradient: Tensor | None) -> Tensor:
        """The cotangent of a root."""
        if gradient is not None:
            return gradient
        shape = self.shape(root)
        if any(n != 1 for n in shape):
            raise Unsupported(IMPLICIT)
        return Tensor(self.asarray(np.ones(shape, dtype=self.dtype(root))))

    def _walk(self, roots: Sequence[Tensor], sources: Sequence[Tensor], retain: bool) -> None:
        """Note that a backward went there; refuse to judge one that torch may refuse, since its graph is gone."""
        records = history(roots)
        if any(record.walked for record in records):
            raise Unsupported(FREED)
        if not retain:
            for record in records:
                record.walked = True

    # -- observables ----------------------------------------------------------------------------------------------------

    def value(self, tensor: Any) -> Any:
        return self.numpy(tensor.array).tolist()

    def shape(self, tensor: Any) -> tuple[int, ...]:
        return tuple(tensor.array.shape)

    def dtype(self, tensor: Any) -> str:
        return str(tensor.array.dtype)

    def gradient(self, tensor: Any) -> Any:
        return tensor.gradient


def _reaches_leaf(root: Tensor) -> bool:
    """Whether the root requires grad for certain: a gradient's own gradients may be structurally zero."""
    inputs = [root, *(t for record in history([root], passing=True) for t in record.passing)]
    return any(t.record is None and t.requires_grad for t in inputs)


def _groups(sources: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
    """The sources, all in one group unless one is made of another: as arguments of one function they would be independent."""
    known = set(sources)
    made = any(t in known for source in sources for record in history([source]) for t in record.inputs)
    return [(t,) for t in sources] if made else [tuple(sources)] if sources else []
