"""The engines in other languages: they are built as their READMEs say, and judged as they deserve."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PROGRAMS = 60  # exemplars of every rule that applies come first


def copied(name: str, to: Path) -> Path:
    """An example's files without what was built from them."""
    built = shutil.ignore_patterns("node_modules", "child", "child_with_defect")
    return shutil.copytree(EXAMPLES / name, to / name, ignore=built)


def judged(command: str, *options: str) -> dict[str, Any]:
    """The document of a run against the reference engine."""
    words = ["run", f"exec:{command}", "--oracle", "reference", "--json", *options]
    ended = subprocess.run([sys.executable, "-m", "conformance", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode in (0, 1), ended.stdout[-2000:] + ended.stderr[-2000:]
    return json.loads(ended.stdout)  # type: ignore[no-any-return]


def broken(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rules that failed, by id."""
    return {rule["id"]: rule for rule in document["rules"] if rule["verdict"] == "failed"}


# -- JavaScript -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The command of the JavaScript child, with its package installed from the registry."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = copied("javascript", tmp_path_factory.mktemp("examples"))
    hurried = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"]  # where there is no registry
    ended = subprocess.run(["npm", "ci", *hurried], cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        why = next((line for line in ended.stderr.splitlines() if "npm error" in line), "it does not say why")
        pytest.skip(f"npm cannot install the package: {why}")
    return f"node {shlex.quote(str(folder / 'child.js'))}"


@pytest.fixture(scope="module")
def javascript(node: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The verdict on the npm package, every message checked against the schema."""
    pytest.importorskip("jsonschema")
    return judged(node, "--programs", str(PROGRAMS), "--strict-protocol", "--out", str(tmp_path_factory.mktemp("reports")))


def test_the_javascript_child_speaks_the_protocol(javascript: dict[str, Any]) -> None:
    """No rule of the area `process` is broken, and gradients, accumulation and errors are judged."""
    verdicts = {rule["id"]: rule["verdict"] for rule in javascript["rules"]}
    process = {verdicts[rule["id"]] for rule in javascript["rules"] if rule["area"] == "process"}

    assert process == {"passed"}
    assert verdicts["gradients.matmul"] == "passed"
    assert sum(verdict in ("passed", "failed") for verdict in verdicts.values()) >= 45
    assert "incomplete" not in verdicts.values()


def test_defects_of_the_npm_package_are_found(javascript: dict[str, Any]) -> None:
    """Its ReLU lets negative numbers through, and a second walk counts the gradients of the first again."""
    assert {"gradients.forward", "lifetime.retained"} <= set(broken(javascript))


def test_the_javascript_child_writes_its_programs_as_code(node: str, javascript: dict[str, Any]) -> None:
    """The script of a failure, run by node beside the package, prints the wrong answer that it names."""
    child = Path(shlex.split(node)[1])
    failure = broken(javascript)["lifetime.retained"]["failures"][0]
    asked = [
        {"seq": 1, "cmd": "hello", "protocol": 1},
        {"seq": 2, "cmd": "script", "program": failure["reduced"], "difference": failure["difference"]},
    ]
    said = "".join(json.dumps(message) + "\n" for message in asked)
    ended = subprocess.run(["node", child], input=said, capture_output=True, text=True, check=True)
    script = child.parent / "failure.mjs"
    script.write_text(json.loads(ended.stdout.splitlines()[1])["text"])
    printed = subprocess.run(["node", script], capture_output=True, text=True, check=True).stdout

    assert "right: @expected@; wrong: @observed@" in script.read_text()
    assert json.loads(printed) == failure["difference"]["observed"]


# -- C++ ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cpp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the C++ child."""
    if shutil.which("make") is None or shutil.which("g++") is None:
        pytest.skip("make and g++ are not installed")
    probe = ["g++", "-x", "c++", "-E", "-include", "nlohmann/json.hpp", "/dev/null"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("the header nlohmann/json.hpp is not installed")
    return copied("cpp", tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def child(cpp: Path) -> str:
    """The command of the C++ child as it is, compiled without warnings."""
    return made(cpp, "child")


@pytest.fixture(scope="module")
def child_with_defect(cpp: Path) -> str:
    """The same with a defect."""
    return made(cpp, "child_with_defect", "DEFECT=1")


def made(folder: Path, name: str, *options: str) -> str:
    """What the Makefile makes."""
    command = ["make", "CXXFLAGS=-O0 -Werror", *options]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return shlex.quote(str(folder / name))


def test_the_cpp_engine_conforms(child: str, tmp_path: Path) -> None:
    """With every area but those that it has nothing of, and the protocol."""
    pytest.importorskip("jsonschema")
    document = judged(child, "--programs", str(PROGRAMS), "--strict-protocol", "--out", str(tmp_path))
    passed = {rule["area"] for rule in document["rules"] if rule["verdict"] == "passed"}

    assert broken(document) == {}
    assert document["verdict"] == "conforms"
    assert {"gradients", "accumulation", "versions", "lifetime", "grad", "identity", "errors", "process"} <= passed
    assert sum(rule["verdict"] == "passed" for rule in document["rules"]) >= 85


def test_a_defect_planted_in_the_cpp_engine_is_caught(child_with_defect: str, tmp_path: Path) -> None:
    """A backward that does not look whether saved tensors were changed breaks the rules of saved tensors, and no others."""
    document = judged(child_with_defect, "--area", "versions", "--programs", str(PROGRAMS), "--out", str(tmp_path))

    assert {"versions.saved-input", "versions.saved-output"} <= set(broken(document))
    assert {rule.partition(".")[0] for rule in broken(document)} == {"versions"}


# -- both -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["javascript", "cpp"])
def test_the_readme_is_short_and_names_what_is_there(name: str) -> None:
    """Ten lines of text, whose files exist and whose commands are those of the tests."""
    text = (EXAMPLES / name / "README.md").read_text()
    files = {word for word in re.findall(r"`([\w.-]+\.\w+)`", text) if "." in word}

    assert len([line for line in text.splitlines() if line.strip()]) <= 14
    assert [file for file in files if not (EXAMPLES / name / file).exists()] == []
    assert f'conformance run "exec:{"node " if name == "javascript" else ""}examples/{name}/child' in text


def test_no_registry_is_named() -> None:
    """The lock file holds versions and digests alone, so that any mirror will do."""
    lock = (EXAMPLES / "javascript" / "package-lock.json").read_text()

    assert "integrity" in lock
    assert "://" not in lock
