"""Defects of grad mode, of inference mode, and of detach()."""

from __future__ import annotations

from mutants.mutant import Mutant

ROWS: tuple[Mutant, ...] = (
    Mutant(
        id="MOD01",
        defect="detach() copies the data",
        source="pytorch: detach() shares its storage (class)",
        file="tensor.py",
        before="        return alias(self._array, storage)\n",
        after='        return alias(self._array.copy(order="K"), Storage.at(0))\n',
        areas=("detach", "views", "versions"),
        steps=3,
    ),
    Mutant(
        id="MOD05",
        defect="leaving no_grad turns recording on, instead of going back to the mode before",
        source="Oneflow 37ec204de7",
        file="modes.py",
        before=(
            "        state.grad = self._mode\n\n    def __exit__(self, *exc: Any) -> None:\n        state.grad = self._previous\n"
        ),
        after="        state.grad = self._mode\n\n    def __exit__(self, *exc: Any) -> None:\n        state.grad = True\n",
        areas=("grad_modes", "requires_grad"),
        steps=6,
    ),
    Mutant(
        id="MOD06",
        defect="set_grad_enabled() acts as a context only, not as a plain call",
        source="Oneflow 37ec204de7",
        file="modes.py",
        before="        self.mode = bool(mode)\n        _ask(self.mode)\n",
        after="        self.mode = bool(mode)\n",
        areas=("grad_modes", "requires_grad"),
        steps=3,
    ),
    Mutant(
        id="MOD10",
        defect="a backward runs in the grad mode of its caller, so that create_graph does nothing under no_grad",
        source="pytorch #63115, #185976",
        file="engine.py",
        before='    before, mode["grad"] = mode["grad"], create\n',
        after='    before = mode["grad"]\n',
        areas=("grad_modes", "grad", "hooks"),
        steps=3,
    ),
    Mutant(
        id="MOD12",
        defect="grad mode belongs to the process, not to each thread",
        source="jax cc9528d97d; pytorch's thread-local state",
        file="modes.py",
        before="class _State(threading.local):",
        after="class _State:",
        areas=("grad_modes",),
        steps=6,
    ),
    Mutant(
        id="MOD14",
        defect="tensor hooks run with recording on, also in a plain backward",
        source="pytorch #90520",
        file="hook_calls.py",
        before="            got = hook(value)\n",
        after=(
            "            from .modes import enable_grad\n\n            with enable_grad():\n                got = hook(value)\n"
        ),
        areas=("hooks", "grad_modes"),
        steps=3,
    ),
    Mutant(
        id="MOD15",
        defect="an inference tensor may be saved for backward",
        source="pytorch #77967, #59837",
        file="saved.py",
        before="    if version is None:\n        raise errors.InferenceTensorError(",
        after=(
            "    if version is None:\n"
            "        return _t.alias(entry._array, Storage.at(0)), 0\n"
            "    if version is None:\n"
            "        raise errors.InferenceTensorError("
        ),
        areas=("grad_modes", "errors"),
        steps=5,
    ),
)
