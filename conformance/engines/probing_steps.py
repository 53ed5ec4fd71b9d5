"""What a module with torch-like names has besides tensors and ops: detach, grad modes, zeroing, hooks; and what it promises."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

from conformance.catalog.code import render_code
from conformance.engines import spellings
from conformance.engines.attempts import Failed, attempt
from conformance.engines.probing import Probe
from conformance.engines.probing_ops import OpProbe
from conformance.tolerance import structure


class StepProbe:
    """Completes a probe: everything it finds is in `probe.spelled`, and what it promises in `traits`."""

    def __init__(self, probe: Probe, ops: OpProbe) -> None:
        self.probe = probe
        self.ops = ops.found
        self.traits: set[str] = {"accumulation"}  # torch's central law: an engine that claims its names is asked for it

    def find(self) -> None:
        """Try them all, in the order in which they need each other."""
        probe, spelled = self.probe, self.probe.spelled
        if "gradient" not in spelled:
            return
        probe.find_backward()
        self.find_seeding()
        self.find_zeroing()
        self.find_tensors()
        self.find_modes()
        self.find_hooks()
        self.find_traits()

    def differentiate(self, leaf: Any) -> bool:
        """A backward that reaches the leaf, over a graph of its own; whether it ran."""
        probe = self.probe
        root = probe.run(probe.history or "a", leaf)
        if "backward with" in probe.spelled:
            return self.backward(probe.spelled["backward with"], root, probe.leaf(requires_grad=False))
        if "backward" not in probe.spelled:
            return False
        if probe.rank:
            root = probe.run(self.ops.get("sum", "a"), root)
        return self.backward(probe.spelled["backward"], root)

    def backward(self, code: str, *operands: Any, **options: Any) -> bool:
        """backward() by this code, with torch's defaults for the options that it names."""
        named = {"retain_graph": None, "create_graph": False, "inputs": None} | options
        return self.probe.runs(code, *operands, **{name: value for name, value in named.items() if name in code})

    def find_seeding(self) -> None:
        """How an engine whose backward takes no gradient is given one: by the backward of a weighted sum."""
        spelled, ops = self.probe.spelled, self.ops
        ranks = self.probe.maker.ranks
        if "backward with" not in spelled and "backward" in spelled and "mul" in ops and ("sum" in ops or ranks == (0,)):
            weighted = f"({ops['mul']})"
            total = weighted if ranks == (0,) else render_code(ops["sum"], [weighted], {})
            spelled["backward with"] = render_code(spelled["backward"], [total], {})

    def find_zeroing(self) -> None:
        """How a gradient is forgotten or zeroed."""
        codes = (*spellings.FORGET, *spellings.ZERO)
        self.probe.first("forget", codes, lambda code: self.clears(code, to_none=True))
        self.probe.first("zero", spellings.ZERO, lambda code: self.clears(code, to_none=False))

    def clears(self, code: str, *, to_none: bool) -> bool:
        """Whether the code leaves no gradient, or zeros, and lets the next backward give what the first gave.

        An engine whose gradients begin as zeros forgets one by zeroing it.
        """
        probe = self.probe
        leaf = probe.leaf()
        to_none = to_none and probe.gradient_of(leaf) is None
        self.differentiate(leaf)
        first = probe.gradient_of(leaf)
        if not any(_flat(first)) or not probe.runs(code, leaf):
            return False
        left = probe.gradient_of(leaf)
        is_zero = left is not None and structure(left) == structure(first) and not any(_flat(left))
        if not (left is None if to_none else is_zero):
            return False
        return self.differentiate(leaf) and probe.gradient_of(leaf) == first

    def find_tensors(self) -> None:
        """detach(), copies, flags that can be set, versions, bases, addresses, gradients that can be assigned."""
        probe = self.probe
        constant = probe.leaf(requires_grad=False)
        result = probe.run(probe.history or "a", probe.leaf())

        def same(code: str) -> bool:
            made = probe.run(code, result)
            return probe.is_tensor(made) and probe.value(made) == probe.value(result)

        probe.first("detach", spellings.DETACH, same)
        probe.first("copy", spellings.COPY, same)
        if "requires_grad" in probe.spelled:
            probe.first("set_requires_grad", spellings.SET_FLAG, self.sets_flag)
        probe.first("retain_grad", spellings.RETAIN, lambda code: probe.runs(code, result))
        probe.first("version_of", spellings.VERSION, lambda code: type(probe.run(code, constant)) is int)
        probe.first("base", spellings.BASE, lambda code: probe.run(code, constant) is None)
        probe.first("address", spellings.ADDRESS, lambda code: type(probe.run(code, constant)) is int)
        probe.first("export", spellings.EXPORT, lambda code: probe.run(code, constant) == probe.value(constant))
        leaf = probe.leaf()
        self.differentiate(leaf)
        if probe.is_tensor(probe.run(probe.spelled["gradient"], leaf)):
            ways = spellings.ASSIGN
            probe.first(
                "set_gradient", ways, lambda code: probe.runs(code, leaf, constant) and probe.run("a.grad", leaf) is constant
            )

    def sets_flag(self, code: str) -> bool:
        """Whether the code makes a constant require grad, so that a backward reaches it."""
        probe = self.probe
        constant = probe.leaf(requires_grad=False)
        if not probe.runs(code, constant, value=True) or probe.run(probe.spelled["requires_grad"], constant) is not True:
            return False
        return self.differentiate(constant)

    def find_modes(self) -> None:
        """Regions and switches."""
        probe = self.probe
        tensor = f"torch.{probe.maker.type.__name__}"
        for name, codes in (
            ("no_grad", spellings.NO_GRAD), ("enable_grad", spellings.ENABLE_GRAD), ("inference_mode", spellings.INFERENCE),
        ):  # fmt: skip
            probe.first(name, [code.replace("TENSOR", tensor) for code in codes], self.is_region)
        probe.first("saved_tensors_hooks", spellings.PACKING, lambda code: self.is_region(code, pack=_same, unpack=_same))
        probe.first("set_grad_enabled", spellings.SWITCH, lambda code: probe.runs(code, value=True))
        probe.first("recording", spellings.RECORDING, lambda code: probe.run(code) is True)

    def is_region(self, code: str, **params: Any) -> bool:
        """Whether the code gives a context manager that can be entered and left."""
        region = self.probe.run(code, **params)

        def through() -> bool:
            with region:
                self.probe.run(self.probe.history or "a", self.probe.leaf())
            return True

        return attempt(through) is True

    def find_hooks(self) -> None:
        """The kinds of hooks that can be registered, and whether their handles remove them."""
        probe = self.probe
        leaf = probe.leaf()
        result = probe.run(probe.history or "a", leaf)
        for kind, code in spellings.HOOKS.items():
            handle = probe.run(code, leaf if kind == "accumulated" else result, function=lambda *given: None)
            if not isinstance(handle, Failed):
                probe.spelled[f"hook: {kind}"] = code
                if hasattr(handle, "remove"):
                    probe.spelled["unhook"] = "a.remove()"

    # -- promises --------------------------------------------------------------------------------------------------------

    def find_traits(self) -> None:
        """What holds on the smallest example, and so is promised."""
        probe = self.probe
        questions: dict[str, Callable[[], bool]] = {
            "absent-gradients": lambda: probe.run(probe.spelled["gradient"], probe.leaf()) is None,
            "leaf-gradients": self.interior_has_none,
            "versions": lambda: "version_of" in probe.spelled,
            "aliases": lambda: self.shares("select" if "select" in self.ops else "view"),
            "detached-aliases": lambda: self.shares(None),
            "liveness": self.dies,
            "unsaved-graphs": self.walks_again,
            "higher-order": self.differentiates_twice,
        }
        self.traits |= {trait for trait, holds in questions.items() if attempt(holds) is True}

    def interior_has_none(self) -> bool:
        """Whether after a backward neither a tensor that an op made has a gradient, nor a constant."""
        probe = self.probe
        constant = probe.leaf(requires_grad=False)
        self.differentiate(constant)
        if probe.gradient_of(constant) is not None:
            return False
        history = probe.history or "a"
        middle = probe.run(history, probe.leaf())
        self.differentiate(middle)
        return probe.gradient_of(middle) is None

    def shares(self, view: str | None) -> bool:
        """Whether what is written into a view of a tensor, or into a detached one, shows in the tensor."""
        probe = self.probe
        write = self.ops.get("add_scalar_") or self.ops.get("mul_scalar_") or self.ops.get("fill_")
        if write is None or probe.rank == 0:
            return False
        base = probe.run(probe.history or "a", probe.leaf(requires_grad=False))
        before = probe.value(base)
        params: dict[str, dict[str, Any]] = {"select": {"dim": 0, "index": 0}, "view": {"shape": (3, 1)}}
        if view is None:
            other = probe.run(probe.spelled.get("detach", "None"), base)
        else:
            other = probe.run(self.ops[view], base, **params[view])
        ran = probe.runs(write, other, value=7.0)
        return ran and bool(probe.value(base) != before)

    def dies(self) -> bool:
        """Whether the result of an op goes when nothing refers to it, without a garbage collection."""
        probe = self.probe
        collecting = gc.isenabled()
        gc.disable()
        try:
            result = probe.run(probe.history or "a", probe.leaf())
            reference = weakref.ref(result)
            del result
            return reference() is None
        finally:
            if collecting:
                gc.enable()

    def walks_again(self) -> bool:
        """Whether a graph that saved nothing can be walked twice."""
        code = next(self.ops[name] for name in ("neg", "add_scalar", "clone") if name in self.ops)
        root = self.probe.run(code, self.probe.leaf(), **({"value": 1.0} if "value" in code else {}))
        with_gradient = "backward with" in self.probe.spelled
        operands = [root, self.probe.leaf(requires_grad=False)] if with_gradient else [root]
        code = self.probe.spelled["backward with" if with_gradient else "backward"]
        return self.backward(code, *operands) and self.backward(code, *operands)

    def differentiates_twice(self) -> bool:
        """Whether a gradient can be had that has a history itself."""
        probe = self.probe
        code = probe.spelled.get("grad")
        if code is None or "create_graph" not in code:
            return False
        leaf = probe.leaf()
        options = {"retain_graph": None, "create_graph": True, "allow_unused": False}
        root = probe.run("a * a", leaf)
        named = {n: v for n, v in options.items() if n in code}
        (first,) = probe.run(code, roots=[root], inputs=[leaf], gradients=[probe.leaf(requires_grad=False)], **named)
        return self.differentiate(first)


def _same(tensor: Any) -> Any:
    """A hook on saved tensors that changes nothing."""
    return tensor


def _flat(values: Any) -> list[Any]:
    """The numbers of nested lists; nothing where there are none."""
    if values is None or isinstance(values, Failed):
        return []
    return [x for item in values for x in _flat(item)] if isinstance(values, list) else [values]
