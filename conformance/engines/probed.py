"""`torch-like:MODULE`: an adapter for any module with torch-like names, made by probing what it has.

`probing.py` finds leaves and what tensors show, `probing_ops.py` the ops, `probing_steps.py` the rest; the code that they found
runs programs here and is what reproducers are written in. A tensor is whatever the module's own maker gives.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np

from conformance.engine import Engine, Unsupported
from conformance.engines.attempts import unheard
from conformance.engines.probed_script import script_for
from conformance.engines.probing import Probe, named_dtype
from conformance.engines.probing_ops import OpProbe
from conformance.engines.probing_steps import StepProbe
from conformance.engines.torch_like import TorchLike
from conformance.errors import EngineUnavailable, UsageError
from conformance.script import nested

# Method of an adapter -> the capability that it needs to be found under. Methods that are not named need none.
NEEDS: dict[str, str] = {
    "dtype": "dtype", "gradient": "gradient", "requires_grad": "requires_grad", "is_leaf": "is_leaf",
    "has_grad_fn": "has_grad_fn", "version_of": "version_of", "base": "base", "address": "address", "detach": "detach",
    "copy": "copy",
    "set_requires_grad": "set_requires_grad", "retain_grad": "retain_grad", "backward": "backward", "grad": "grad",
    "grad_mode": "no_grad", "inference_mode": "inference_mode", "saved_tensors_hooks": "saved_tensors_hooks",
    "set_grad_enabled": "set_grad_enabled", "recording": "recording", "hook": "hook: tensor", "unhook": "unhook",
    "set_gradient": "set_gradient", "export": "export", "zero_grad": "forget",
}  # fmt: skip
TITLES: dict[str, str] = {
    "backward with": "gradient argument of backward", "backward of roots": "backward of several roots", "grad": "grad()",
    "copy": "copy of a tensor", "hook: tensor": "hooks on tensors", "hook: accumulated": "hooks after accumulation",
    "hook: node_before": "hooks before a node", "hook: node_after": "hooks on nodes", "zero": "zeroing of gradients",
    "forget": "forgetting of gradients",
}  # fmt: skip
REAL = "fiub"  # kinds of NumPy dtypes
HIDDEN = frozenset({"stashing"})  # what TorchLike has and only an oracle needs


class Probed(TorchLike):
    """An engine as far as it was found."""

    name: ClassVar[str] = "torch-like"

    def __init__(self, module_name: str) -> None:
        with unheard():
            probe = Probe(_module(module_name))
            probe.find_facets()
            ops = OpProbe(probe)
            ops.find()
            probe.spelled["op sum"] = ops.found.get("sum", "a")
            probe.spelled["op mul"] = ops.found.get("mul", "a")
            steps = StepProbe(probe, ops)
            steps.find()
        self.probe = probe
        self.torch = probe.module
        self.maker = probe.maker
        self.spelled = probe.spelled
        self.ops: Mapping[str, str] = ops.found
        self.doubtful = ops.doubtful
        self.namespace = probe.namespace
        self.dtypes = probe.maker.dtypes  # type: ignore[misc]
        self.ranks = None if probe.maker.ranks == (0, 1, 2, 3, 4) else probe.maker.ranks  # type: ignore[misc]
        self.traits = frozenset(steps.traits)  # type: ignore[misc]
        self.name = module_name  # type: ignore[misc]
        self.script = script_for(module_name, probe, ops.found)  # type: ignore[misc]
        self._code = {name: probe.call(code) for name, code in self.spelled.items()}
        self._make = {dtype: probe.call(self.maker.code.format(dtype=dtype)) for dtype in self.dtypes}
        self._read = probe.call(self.maker.value)
        self.begin()
        self._floating = next(d for d in reversed(self.dtypes) if d.startswith("float"))

    def version(self) -> str:
        top = importlib.import_module(self.torch.__name__.partition(".")[0])
        found = getattr(self.torch, "__version__", None) or getattr(top, "__version__", None)
        return str(found) if isinstance(found, str) else _installed(top.__name__)

    def has(self, method: str) -> bool:
        needed = NEEDS.get(method)
        return method not in HIDDEN and (super().has(method) if needed is None else needed in self.spelled)

    def found(self) -> Sequence[tuple[str, str]]:
        leaf = ("leaf", self.maker.code.replace("{dtype}", "DTYPE"))
        rows = [leaf, ("values", self.maker.value), ("dtypes", " ".join(self.dtypes))]
        rows += [("dimensions", " ".join(map(str, self.maker.ranks)))]
        rows += [(name, self.spelled.get(name, "")) for name in dict.fromkeys((*SHOWN, *NEEDS.values()))]
        rows += [("promises", " ".join(sorted(self.traits)))]
        rows += [(f"{name}, in doubt", "answers otherwise than torch") for name in self.probe.doubtful]
        rows += [(f"op {name}, in doubt", f"{self.ops[name]}  {doubt}") for name, doubt in self.doubtful.items()]
        renamed = re.compile(r"\btorch\b")
        return [(name, renamed.sub(self.torch.__name__, code)) for name, code in rows]

    # -- steps -----------------------------------------------------------------------------------------------------------

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {name: self.probe.call(code) for name, code in self.ops.items()}

    def code(self, capability: str) -> Callable[..., Any]:
        """The function found for a capability."""
        try:
            return self._code[capability]  # type: ignore[no-any-return]
        except KeyError:
            raise Unsupported(f"{self.name} has no {TITLES.get(capability, capability)}") from None

    def leaf(self, values: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Any:
        if dtype not in self._make:
            raise Unsupported(f"{self.name} has no {dtype}")
        kind = {"int64": int, "bool": bool}.get(dtype, float)
        data = nested(list(map(kind, values)), shape) if 0 not in shape else np.zeros(shape, dtype)
        options = {"requires_grad": requires_grad} if self.maker.has_flag else {}
        tensor = self._make[dtype](data=data, **options)
        if 0 in shape and self.shape(tensor) != shape:
            raise Unsupported(f"{self.name} has no tensors of shape {shape}")
        if self.maker.has_flag:
            return tensor
        if requires_grad and "set_requires_grad" in self.spelled:
            self._code["set_requires_grad"](tensor, value=True)
        return tensor

    def detach(self, tensor: Any) -> Any:
        return self.code("detach")(tensor)

    def copy(self, tensor: Any) -> Any:
        return self.code("copy")(tensor)

    def set_requires_grad(self, tensor: Any, value: bool) -> None:
        self.code("set_requires_grad")(tensor, value=value)

    def retain_grad(self, tensor: Any) -> None:
        self.code("retain_grad")(tensor)

    def begin(self) -> None:
        self._recorded = [True]  # by region

    @contextmanager
    def region(self, capability: str, recorded: bool) -> Iterator[None]:
        """A region of the engine, and a note of whether operations are recorded in it."""
        with self.code(capability)():
            self._recorded.append(recorded)
            try:
                yield
            finally:
                self._recorded.pop()

    def grad_mode(self, enabled: bool) -> AbstractContextManager[Any]:
        return self.region("enable_grad" if enabled else "no_grad", enabled)

    def inference_mode(self) -> AbstractContextManager[Any]:
        return self.region("inference_mode", False)

    def saved_tensors_hooks(self, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> AbstractContextManager[Any]:
        return self.code("saved_tensors_hooks")(pack=pack, unpack=unpack)  # type: ignore[no-any-return]

    def set_grad_enabled(self, value: bool) -> None:
        self.code("set_grad_enabled")(value=value)
        self._recorded[-1] = value

    def recording(self) -> bool:
        return bool(self.code("recording")())

    def hook(self, tensor: Any, kind: str, function: Callable[..., Any]) -> Any:
        return self.code(f"hook: {kind}")(tensor, function=function)

    def unhook(self, handle: Any) -> None:
        self.code("unhook")(handle)

    def backward(
        self, roots: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None, create_graph: bool,
        inputs: Sequence[Any] | None,
    ) -> None:  # fmt: skip
        if len(roots) > 1:
            self._differentiate(
                "backward of roots", [], retain_graph, create_graph, inputs=inputs, roots=roots, gradients=gradients
            )
        elif gradients and gradients[0] is not None:
            if self.seeded_by_sum and not (self._recorded[-1] and self.shape(roots[0]) == self.shape(gradients[0])):
                raise Unsupported(f"{self.name} has no gradient argument of backward")
            self._differentiate("backward with", [roots[0], gradients[0]], retain_graph, create_graph, inputs=inputs)
        else:
            self._differentiate("backward", [roots[0]], retain_graph, create_graph, inputs=inputs)

    @property
    def seeded_by_sum(self) -> bool:
        """Whether a gradient is given to backward as the weights of a sum."""
        mul = self.ops.get("mul", "")
        return bool(mul) and f"({mul})" in self.spelled.get("backward with", "")

    def grad(
        self, roots: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any] | None, retain_graph: bool | None,
        create_graph: bool, allow_unused: bool,
    ) -> Sequence[Any]:  # fmt: skip
        return self._differentiate(  # type: ignore[no-any-return]
            "grad", [], retain_graph, create_graph, roots=roots, inputs=inputs, gradients=gradients, allow_unused=allow_unused
        )

    def _differentiate(
        self, capability: str, operands: list[Any], retain_graph: bool | None, create_graph: bool, **more: Any
    ) -> Any:
        """Call a backward with the options that it takes. One that takes no retain_graph is taken to retain the graph always."""
        call = self.code(capability)
        options = {"create_graph": create_graph} | more
        code = self.spelled[capability]
        taken = {name: value for name, value in options.items() if re.search(rf"\b{name}\b", code)}
        for name, value in options.items():
            if name not in taken and value not in (None, False):
                raise Unsupported(f"{self.name} has no {name} in {capability}")
        if "retain_graph" in code:
            taken["retain_graph"] = bool(create_graph) if retain_graph is None else retain_graph
        return call(*operands, **taken)

    def zero_grad(self, tensor: Any, set_to_none: bool) -> None:
        if set_to_none:
            self.code("forget")(tensor)
        elif self.gradient(tensor) is not None:
            self.code("zero")(tensor)

    def set_gradient(self, tensor: Any, gradient: Any) -> None:
        self.code("set_gradient")(tensor, gradient)

    def export(self, tensor: Any) -> Any:
        return self.code("export")(tensor)

    # -- observables -----------------------------------------------------------------------------------------------------

    def value(self, tensor: Any) -> Any:
        if not isinstance(tensor, self.maker.type):
            return np.asarray(tensor).tolist()
        read = np.asarray(self._read(tensor))  # a tolist() of an engine's own may hold NumPy's numbers
        if read.dtype.kind not in REAL:
            raise TypeError(f"the values are not real numbers: {str(read)[:80]}")
        return read.tolist()

    def shape(self, tensor: Any) -> tuple[int, ...]:
        if not isinstance(tensor, self.maker.type) or "shape" not in self.spelled:
            return Engine.shape(self, tensor)
        return tuple(self._code["shape"](tensor))

    def dtype(self, tensor: Any) -> str:
        if "dtype" not in self.spelled:
            return self._floating
        if not isinstance(tensor, self.maker.type):
            return str(np.asarray(tensor).dtype)
        return named_dtype(self._code["dtype"](tensor))

    def gradient(self, tensor: Any) -> Any:
        if not isinstance(tensor, self.maker.type):
            return None
        gradient = self.code("gradient")(tensor)
        return gradient if gradient is None or isinstance(gradient, self.maker.type) else self._wrapped(gradient)

    def _wrapped(self, gradient: Any) -> Any:
        """A gradient that is an array or a number, as a tensor: what it lies in and is is not compared."""
        array = np.asarray(gradient)
        name = array.dtype.name if array.dtype.name in self.dtypes else self._floating
        return self.leaf(tuple(array.reshape(-1).tolist()), array.shape, name, False)

    def requires_grad(self, tensor: Any) -> bool:
        return isinstance(tensor, self.maker.type) and bool(self.code("requires_grad")(tensor))

    def is_leaf(self, tensor: Any) -> bool:
        return not isinstance(tensor, self.maker.type) or bool(self.code("is_leaf")(tensor))

    def flags(self, tensor: Any) -> tuple[bool, bool]:
        return self.requires_grad(tensor), self.is_leaf(tensor)

    def has_grad_fn(self, tensor: Any) -> bool:
        return isinstance(tensor, self.maker.type) and bool(self.code("has_grad_fn")(tensor))

    def version_of(self, tensor: Any) -> int:
        return int(self.code("version_of")(tensor))

    def base(self, tensor: Any) -> Any:
        return self.code("base")(tensor)

    def address(self, tensor: Any) -> int:
        return int(self.code("address")(tensor))


SHOWN = (
    "shape",
    "backward with",
    "backward of roots",
    "zero",
    "enable_grad",
    "hook: accumulated",
    "hook: node_before",
    "hook: node_after",
)


def _module(name: str) -> Any:
    """The module of that name.

    Raises:
        UsageError: there is none.
        EngineUnavailable: it fails to import.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise UsageError(
                f"there is no module {error.name!r} on the path: run from the folder that holds it, or install it"
            ) from None
        raise EngineUnavailable(f"module {name!r} needs {error.name}: install it") from None
    except Exception as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise EngineUnavailable(f"importing {name} failed: {line}") from None


def _installed(package: str) -> str:
    """The version of the distribution that a package came in."""
    from importlib import metadata

    names = metadata.packages_distributions().get(package, [package])
    try:
        return metadata.version(names[0])
    except metadata.PackageNotFoundError:
        return "unknown"
