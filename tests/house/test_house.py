"""House rules: which way imports point, how large things are, which words are used, what has a docstring."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("conformance", "reference_engine")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

FILE_LINES = 400
FUNCTION_LINES = 60
# Files and functions above the limits, with their sizes. A number here may go down, and an entry may go; nothing may be added.
LARGE_FILES: dict[str, int] = {}
LARGE_FUNCTIONS: dict[str, int] = {}

# Word -> why not.
FORBIDDEN_WORDS = {
    r"TODO|FIXME|XXX|HACK": "work left is no comment",
    r"[\"'\s](/home|/root|/tmp)/\w": "paths of one machine",
    r"\bgrad_out\b": "the gradient coming into an op is its cotangent",
    r"\b[Hh]elper (session|agent)|\bsubagent": "who wrote it is no matter of the code",
}
# Files that may use a word, for a reason.
ALLOWED_WORDS = {
    "reference_engine/ops/norm.py": r"\bgrad_out\b",  # torch's own name of the argument
}


def name_of(path: Path) -> str:
    """A file's path from the root."""
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """All functions and methods, nested ones too."""
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def imports(tree: ast.AST) -> set[str]:
    """The top names of all modules imported, at the top or within a function."""
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in found}


def test_imports_point_one_way() -> None:
    """The contracts of pyproject.toml hold."""
    pytest.importorskip("importlinter")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]


@pytest.mark.parametrize(
    ("module", "homes"),
    [
        ("torch", {"conformance/engines/torch_engine.py", "conformance/engines/torch_compiled.py"}),
        ("mygrad", {"conformance/engines/mygrad_engine.py"}),
        ("hypothesis", {"conformance/strategy.py"}),
    ],
)
def test_what_is_heavy_is_imported_at_one_place(module: str, homes: set[str]) -> None:
    """Torch in its adapter, Hypothesis where programs are drawn."""
    importing = {name_of(path) for path in FILES if module in imports(ast.parse(path.read_text()))}

    assert importing <= homes


def test_the_reference_engine_stands_alone() -> None:
    """It imports neither torch nor the suite."""
    reference = [path for path in FILES if name_of(path).startswith("reference_engine/")]
    wrong = {name_of(path) for path in reference if imports(ast.parse(path.read_text())) & {"torch", "conformance", "tests"}}

    assert wrong == set()


def test_importing_the_suite_is_light() -> None:
    """`import conformance`, the pytest plugin and `conformance --help` load neither torch nor hypothesis."""
    code = (
        "import sys, conformance, conformance.pytest_plugin\n"
        "from conformance.cli import cli\n"
        "for a in (['--help'], ['rules'], ['run', '--help']): cli.main(a, standalone_mode=False)\n"
        "print([m for m in ('torch', 'hypothesis', 'mygrad', 'reference_engine') if m in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert ended.stderr == "[]\n"


def test_files_fit_the_limit() -> None:
    """A file has at most 400 lines; what is larger may only shrink."""
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in FILES}
    large = {name: size for name, size in sizes.items() if size > LARGE_FILES.get(name, FILE_LINES)}
    settled = {name for name in LARGE_FILES if sizes.get(name, 0) <= FILE_LINES}

    assert large == {}
    assert settled == set(), "these fit by now: take them off the list"


def test_functions_fit_the_limit() -> None:
    """A function has at most 60 lines; what is larger may only shrink."""
    sizes = {
        f"{name_of(path)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in FILES
        for node in functions(ast.parse(path.read_text()))
    }
    large = {name: size for name, size in sizes.items() if size > LARGE_FUNCTIONS.get(name, FUNCTION_LINES)}
    settled = {name for name in LARGE_FUNCTIONS if sizes.get(name, 0) <= FUNCTION_LINES}

    assert large == {}
    assert settled == set(), "these fit by now: take them off the list"


@pytest.mark.parametrize("word", FORBIDDEN_WORDS)
def test_forbidden_words_are_not_used(word: str) -> None:
    """One word for one thing, and no trace of where the code was written."""
    suffixes = (".py", ".toml", ".ini", ".html", ".css")
    tracked = [p for top in (*PACKAGES, "tests") for p in (ROOT / top).rglob("*") if p.suffix in suffixes]
    texts = {name_of(p): p.read_text() for p in (*tracked, ROOT / "pyproject.toml") if p != Path(__file__)}
    using = {name for name, text in texts.items() if re.search(word, text) and ALLOWED_WORDS.get(name) != word}

    assert using == set(), FORBIDDEN_WORDS[word]


@pytest.mark.parametrize("path", [p for p in FILES if name_of(p).startswith("conformance/")], ids=name_of)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    """Modules, classes and functions say in one line what they are."""
    tree = ast.parse(path.read_text())
    public = [n for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef)) and not n.name.startswith("_")]
    silent = [n.name for n in public if not ast.get_docstring(n)]

    assert ast.get_docstring(tree)
    assert silent == []


def test_rule_ids_are_frozen() -> None:
    """An id, once given, is never changed or taken away: baselines and reports name it. New ids are added to the list."""
    from conformance.rules import RULES

    frozen = (ROOT / "tests/house/rule_ids.txt").read_text().split()

    assert sorted(RULES) == sorted(frozen)
