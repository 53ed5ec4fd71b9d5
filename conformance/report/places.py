"""Where in the user's repository a finding points: the adapter where it is found, else the record."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from conformance.record import NAME, Record

SOURCES = ("", "src")  # folders below the root in which a module is looked for
LARGEST = 2_000_000  # bytes of a file that is searched for a name


class Place(NamedTuple):
    """A file, named from the root of the repository where it lies in it, and a line; `adapter` where it is code of the user."""

    file: str
    line: int = 1
    adapter: bool = False


def place_of(record: Record, folder: Path, root: Path | None = None) -> Place:
    """The adapter `module:attribute` that was run, by its definition; the record in its folder where that cannot be found.

    Nothing is imported: the file is looked for below the root (the working folder) and its text is searched.
    """
    root = Path.cwd() if root is None else root
    return _adapter(record.header.engine, root) or Place(_named(folder / NAME, root))


def _adapter(engine: str, root: Path) -> Place | None:
    module, colon, attribute = engine.partition(":")
    if not colon or not re.fullmatch(r"\w+(\.\w+)*", module) or not attribute.isidentifier():
        return None
    stem = module.replace(".", "/")
    for path in (root / source / name for source in SOURCES for name in (f"{stem}.py", f"{stem}/__init__.py")):
        try:
            if path.stat().st_size > LARGEST:
                continue
            text = path.read_text("utf-8", errors="replace")
        except (OSError, ValueError):
            continue
        definition = re.search(rf"^(class|def|async def) {attribute}\b|^{attribute}\s*[:=]", text, re.MULTILINE)
        return Place(_named(path, root), text.count("\n", 0, definition.start()) + 1 if definition else 1, adapter=True)
    return None


def _named(path: Path, root: Path) -> str:
    """The path from the root where it is below it, with forward slashes."""
    absolute = root / path
    return (absolute.relative_to(root) if absolute.is_relative_to(root) else absolute).as_posix()
