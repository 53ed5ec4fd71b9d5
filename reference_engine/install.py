"""Run code written for torch on this engine: `import torch` then means this package.

with reference_engine.installed_as_torch():
    exec(code_that_imports_torch)
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

HERE = __name__.rpartition(".")[0]


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds torch and torch.x as this package and its x: the very same module objects."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        if fullname != "torch" and not fullname.startswith("torch."):
            return None
        try:
            importlib.import_module(HERE + fullname[len("torch") :])
        except ModuleNotFoundError as error:
            if error.name and error.name.startswith(HERE):
                return None
            raise
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> ModuleType:
        module = sys.modules[HERE + spec.name[len("torch") :]]
        self._own = (module.__spec__, getattr(module, "__path__", None))
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put its own spec on the shared module object: give it back its true one.
        module.__spec__ = self._own[0]


@contextlib.contextmanager
def installed_as_torch() -> Iterator[ModuleType]:
    """Within the context, `import torch` imports this package; modules named torch before come back afterwards."""
    hidden = {k: sys.modules.pop(k) for k in list(sys.modules) if k == "torch" or k.startswith("torch.")}
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield importlib.import_module("torch")
    finally:
        sys.meta_path.remove(finder)
        for k in [k for k in sys.modules if k == "torch" or k.startswith("torch.")]:
            del sys.modules[k]
        sys.modules.update(hidden)
