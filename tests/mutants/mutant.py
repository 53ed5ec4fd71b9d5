"""What a mutant is, and how it is planted: one piece of the reference engine's source replaced before it is imported."""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2] / "reference_engine"
PROGRAMS = Path(__file__).parents[1] / "facts/bug_programs.py"


class Mutant(NamedTuple):
    """A planted defect: one row of the table.

    Attributes:
        id: as in `tests/facts/bug_programs.py`, where a program of that name, in lower case, tells right from wrong.
        defect: what the engine does wrong, in one line.
        source: where a real engine had the defect: repository and issue, pull request or commit.
        file: the file of the reference engine, such as "engine.py" or "ops/reduce.py".
        before: a piece of its text that occurs there exactly once.
        after: what stands there in the mutant.
        areas: the areas of rules to which a failure may rightly be attributed, the most fitting first.
        steps: the fewest steps of a program of the suite that shows the defect; 0 where not known.
        equivalent: the reason why the suite's programs cannot show it; such a mutant is not counted.
    """

    id: str
    defect: str
    source: str
    file: str
    before: str
    after: str
    areas: tuple[str, ...]
    steps: int = 0
    equivalent: str = ""

    @property
    def module(self) -> str:
        """The module that is changed."""
        return "reference_engine." + self.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def text(self) -> str:
        """The source of the changed module.

        Raises:
            LookupError: the piece to replace is not there, or there several times.
        """
        text = (ROOT / self.file).read_text()
        if text.count(self.before) != 1:
            raise LookupError(f"{self.id}: the piece to replace occurs {text.count(self.before)} times in {self.file}")
        return text.replace(self.before, self.after)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from a changed text; what is compiled is not cached on disk."""

    text = ""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec")


class _Finder:
    """Finds the changed module, and leaves all others to the usual finders."""

    def __init__(self, mutant: Mutant) -> None:
        self.module = mutant.module
        self.path = str(ROOT / mutant.file)
        self.text = mutant.text()

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        if fullname != self.module:
            return None
        loader = _Loader(fullname, self.path)
        loader.text = self.text
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader)


def _is_ours(name: str) -> bool:
    """Whether a module belongs to the reference engine."""
    return name == "reference_engine" or name.startswith("reference_engine.")


def modules() -> dict[str, ModuleType]:
    """The modules of the reference engine that are imported now."""
    return {name: module for name, module in sys.modules.items() if _is_ours(name)}


@contextlib.contextmanager
def swapped(theirs: dict[str, ModuleType], *finders: _Finder) -> Iterator[None]:
    """Within the context, these are the modules of the reference engine, and what is not among them is found by these finders."""
    ours, before = modules(), sys.meta_path[:]
    try:
        _put(theirs, [*finders, *(f for f in before if not isinstance(f, _Finder))])
        yield
    finally:
        _put(ours, before)


def _put(theirs: dict[str, ModuleType], path: list[Any]) -> None:
    """Set the modules of the reference engine, and the finders of all modules."""
    for name in modules():
        del sys.modules[name]
    sys.modules.update(theirs)
    sys.meta_path[:] = path


@contextlib.contextmanager
def planted(mutant: Mutant) -> Iterator[ModuleType]:
    """Within the context, `import reference_engine` gives the mutant, freshly imported; the right engine comes back after it."""
    with swapped({}, _Finder(mutant)):
        yield importlib.import_module("reference_engine")


def facts_of(mutant: Mutant) -> tuple[Any, Any]:
    """What the mutant's program shows on the mutant, and what is right."""
    name = mutant.id.lower()
    with planted(mutant) as engine, engine.installed_as_torch():
        spec = importlib.util.spec_from_file_location(f"program_of_{name}", PROGRAMS)
        assert spec is not None
        assert spec.loader is not None
        programs = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(programs)
        return programs.observe(name), programs.RIGHT[name]
