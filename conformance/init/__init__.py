"""What `conformance init` writes: a commented adapter, a tox environment and a CI workflow.

Where the module has torch-like names the adapter is written from what probing found, and works as it stands. Otherwise it is a
sketch for an engine of Value objects, with what each method must do beside it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from conformance.catalog import CATALOG
from conformance.catalog.code import render_code
from conformance.engines.probed import Probed
from conformance.errors import ConformanceError, UsageError

ADAPTER = "conformance_adapter.py"
TOX = "tox.ini"
WORKFLOW = ".github/workflows/conformance.yml"
SECTION = re.compile(r"^\[testenv:conformance\]\n.*?(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
NAME = "conformance_adapter:Adapter"

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("conformance", "init/templates"), trim_blocks=True, lstrip_blocks=True,
    keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False,
)  # fmt: skip


def _literal(value: Any) -> str:
    """A value as Python code, with double quotes."""
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(_literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _wrapped(code: str) -> str:
    """A call that is returned, with its keyword arguments on a line of their own."""
    head, comma, options = code.partition(", retain_graph=")
    return f"return {head},\n            retain_graph={options[:-1]},\n        )" if comma else f"return {code}"


_templates.filters |= {"literal": _literal, "wrapped": _wrapped}


class Written(NamedTuple):
    """What was written, and why the adapter is a sketch, where it is one."""

    files: tuple[Path, ...]
    sketch: str


def write(module: str | None, folder: Path, *, force: bool) -> Written:
    """Write the three files for an engine's module.

    Raises:
        UsageError: a file is there already (and `force` is not set), or cannot be written.
    """
    engine, sketch = None, "no module was named"
    if module is not None:
        try:
            engine, sketch = Probed(module), ""
        except ConformanceError as error:
            sketch = str(error)
    before = _read(folder / TOX)
    taken = [name for name in (ADAPTER, WORKFLOW) if (folder / name).exists()] + ([TOX] if SECTION.search(before) else [])
    if taken and not force:
        raise UsageError(f"{', '.join(taken)} would be overwritten in {folder}: move it away, or say --force")
    section = _templates.get_template("tox.ini.j2").render(name=NAME, module=module)
    texts = {
        ADAPTER: adapter(engine)
        if engine is not None
        else _templates.get_template("sketch.py.j2").render(module=module or "my_engine"),
        TOX: _joined(SECTION.sub("", before), section),
        WORKFLOW: _templates.get_template("workflow.yml.j2").render(),
    }
    for name, text in texts.items():
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        except OSError as error:
            raise UsageError(f"cannot write {folder / name}: {error.strerror}") from None
    return Written(tuple(folder / name for name in texts), sketch)


def adapter(engine: Probed) -> str:
    """The adapter of a module that was probed."""
    module = engine.torch.__name__
    alias = module.rpartition(".")[2]
    torch = re.compile(r"\btorch\b")

    def plain(code: str) -> str:
        return torch.sub(alias, code)

    def code(capability: str, *operands: str, **params: Any) -> str:
        """The code of a capability over these variables; empty where there is none."""
        found = engine.spelled.get(capability, "")
        return plain(render_code(found, list(operands), params)) if found else ""

    ops = {name: plain(text) for name, text in engine.ops.items() if not CATALOG[name].setup}
    text = _templates.get_template("adapter.py.j2").render(
        module=module, alias=alias, engine=engine, code=code, ops=ops, traits=sorted(engine.traits), plain=plain,
        maker=plain(engine.maker.code), read=plain(render_code(engine.maker.value, ["tensor"], {})), doubtful=engine.doubtful,
        weighted=engine.seeded_by_sum,
    )  # fmt: skip
    return re.sub(r"\n{4,}", "\n\n\n", re.sub(r"\n\n\n(?=    )", "\n\n", text))


def _read(path: Path) -> str:
    """A file's text, or nothing where there is no file."""
    return path.read_text() if path.exists() else ""


def _joined(before: str, section: str) -> str:
    """A tox.ini with one more section."""
    return f"{before.rstrip()}\n\n{section}" if before.strip() else section
