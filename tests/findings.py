"""The scripts of docs/findings.md: read, run where their engine is, and held against what the page says comes of them.

`python findings.py` makes an environment for each engine, as the page says what it needs, and runs all scripts in it;
`python findings.py autograd mlx=path/to/python` only these, one in an environment that is there. What is wrong by mathematics is
held against finite differences too (`referee.py`).
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import referee

PAGE = Path(__file__).parents[1] / "docs" / "findings.md"
SECONDS = 300
_ENGINE = re.compile(r"^## ([^\n]+)\n\n\*Environment: `([^`]+)`([^*]*)\*$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_SCRIPT = re.compile(r"^### ([^\n]+)\n((?:(?!^### ).)*?)```(python|js)\n(.*?)```\n\n```text\n(.*?)```", re.MULTILINE | re.DOTALL)
_ERROR = re.compile(r"^(?:[\w.]+\.)?(\w+(?:Error|Exception)\b.*)$", re.MULTILINE)


class Finding(NamedTuple):
    """One script of the page, in Python or JavaScript, and what it prints."""

    engine: str
    title: str
    about: str
    language: str
    script: str
    printed: str


class Section(NamedTuple):
    """The findings in one engine, and what `pip` (or `npm`, the first word then) installs to run them.

    `python` where only that version will do; `settings` go into the environment of a script.
    """

    engine: str
    needs: tuple[str, ...]
    python: str
    settings: dict[str, str]
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """The engine without its version."""
        return self.engine.split()[0].lower()


def sections(text: str | None = None) -> tuple[Section, ...]:
    """The page, engine by engine."""
    made = []
    for engine, needs, more, body in _ENGINE.findall(PAGE.read_text() if text is None else text):
        python = re.search(r"Python (3\.\d+)", more)
        found = tuple(Finding(engine, *finding) for finding in _SCRIPT.findall(body))
        settings = dict(re.findall(r"`(\w+)=(\w+)`", more))
        made.append(Section(engine, tuple(shlex.split(needs)), python[1] if python else "", settings, found))
    return tuple(made)


def run(finding: Finding, place: str, settings: dict[str, str]) -> str:
    """What the script prints, alone in a process; then the error that ends it, or the signal.

    `place` is an interpreter of Python, or the folder that holds node_modules. Python runs in an empty folder.
    """
    script = finding.script
    command = (
        [place, "-W", "ignore", "-c", script] if finding.language == "python" else ["node", "--input-type=module", "-e", script]
    )
    with tempfile.TemporaryDirectory() as empty:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=empty if finding.language == "python" else place,
            env={**os.environ, **settings, "PYTHONPATH": ""},
            timeout=SECONDS,
            check=False,
        )
    if ended.returncode < 0:
        return f"killed by {signal.Signals(-ended.returncode).name}\n"  # and some engines print a trace of it
    errors = _ERROR.findall(ended.stderr) if ended.returncode else []
    return ended.stdout + "".join(f"{line}\n" for line in errors[-1:])


def same(printed: str, found: str) -> bool:
    """Whether it is what the page shows, where ... stands for anything."""
    return doctest.OutputChecker().check_output(printed, found, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def environment(section: Section, folder: Path) -> str:
    """Where scripts of an engine run, made where it is missing: it holds the engine and nothing else."""
    made = folder / section.name
    if section.needs[0] == "npm":
        made.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--ignore-scripts", "--no-save", *section.needs[1:]], check=True, cwd=made)
        return str(made)
    base = shutil.which(f"python{section.python}") if section.python else sys.executable
    if base is None:
        raise SystemExit(f"{section.engine} needs Python {section.python}, which is not here")
    python = str(made / "bin" / "python")
    if not Path(python).exists():
        subprocess.run([base, "-m", "venv", str(made)], check=True)
        first, *others = section.needs
        install = [python, "-m", "pip", "install", "--quiet"]
        if section.python:  # what is that old is built with what it needs, not with what is new
            subprocess.run([*install, "wheel", *others], check=True)
            subprocess.run([*install, "--no-build-isolation", first], check=True)
        else:
            subprocess.run([*install, *section.needs], check=True)
    return python


def main(chosen: list[str]) -> int:
    """Run the scripts of the engines chosen, or all; the exit status is 1 where one does not print what the page shows."""
    places = dict(word.partition("=")[::2] for word in chosen)
    folder = Path(os.environ.get("FINDINGS", tempfile.gettempdir() + "/findings"))
    wrong = 0
    for section in (s for s in sections() if not places or s.name in places):
        place = places.get(section.name) or environment(section, folder)
        for finding in section.findings:
            found = run(finding, place, section.settings)
            right = same(finding.printed, found)
            verdict = referee.verdict(section.name, finding.title, found)
            wrong += not right or verdict.startswith(referee.NOT_REFUTED)
            print(f"{'as told' if right else 'OTHERWISE'}  {section.engine}: {finding.title}", flush=True)
            if verdict:
                print(f"         {verdict}", flush=True)
            if not right:
                print(found)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
