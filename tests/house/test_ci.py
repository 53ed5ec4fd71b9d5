"""The recipes for a user's CI, run in a small project that is made of the documented blocks."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.record import read
from conformance.report import FORMATS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ci.md").read_text()
COMMANDS = re.findall(r"^    ((?:conformance|pytest) .*)$", PAGE, re.MULTILINE)
SCRIPTS = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(not (SCRIPTS / "conformance").exists(), reason="the command is not installed beside this Python")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's project: the adapter of the README on a small engine, with one test of its own, and the tox file of the page."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("project")
    (folder / "my_package").mkdir()
    (folder / "my_package/__init__.py").write_text("")
    readme = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (folder / "my_package/adapter.py").write_text(next(block for block in readme if "class MyEngine" in block))
    shutil.copy(ROOT / "tests/engines/tiny.py", folder / "my_engine.py")
    (folder / "test_mine.py").write_text("def test_mine(): pass\n")
    (folder / "tox.ini").write_text("\n".join(block for block in blocks("ini") if "testenv" in block))
    return folder


def run(project: Path, command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A line of the shell in the project, with this environment's commands and packages."""
    path = os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOX_", "GITHUB_", "PYTEST_"))}
    here = {**kept, "PATH": path, "PYTHONPATH": os.pathsep.join([str(project), str(ROOT)]), **environ}
    return subprocess.run(["bash", "-c", command], cwd=project, env=here, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("environment", ["autograd", "rules"])
def test_an_environment_of_the_tox_file_runs(project: Path, environment: str) -> None:
    """All of the block but the installing, which needs the package index: what it would install is here already."""
    pytest.importorskip("tox")
    name = f"testenv:{environment}"
    words = [f"-x {name}.{setting}" for setting in ("deps=", "skip_install=true", "allowlist_externals=*", "pass_env=PYTHONPATH")]
    few = " -- --level 1" if environment == "autograd" else ""
    ended = run(project, f"python -m tox run -e {environment} {' '.join(words)}{few}", BUDGET="5", PROGRAMS="5")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "conformance: engine=my_package.adapter:MyEngine oracle=torch verdict=conforms " in ended.stdout


def test_the_factors_of_the_matrix_are_understood(project: Path) -> None:
    """Each factor takes its own requirement."""
    pytest.importorskip("tox")
    ended = run(project, "python -m tox config -e autograd-numpy1,autograd-numpy2 -k deps commands")

    assert re.findall(r"numpy[<>]=?2", ended.stdout) == ["numpy<2", "numpy>=2"]
    assert "--out reports/autograd-numpy2" in ended.stdout.replace("\\", "/").replace(str(project) + "/", "")


def steps(workflow: str) -> dict[str, list[str]]:
    """Job -> what its steps run in a shell."""
    yaml: Any = pytest.importorskip("yaml")
    jobs = yaml.safe_load(workflow)["jobs"]
    return {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}


def workflows() -> dict[str, str]:
    """The workflows that users are given: those of the page, and the one that `conformance init` writes."""
    written = (ROOT / "conformance/init/templates/workflow.yml.j2").read_text()
    return {**{re.findall(r"name: (.*)", block)[0]: block for block in blocks("yaml")}, "init": written}


@pytest.mark.parametrize("name", workflows())
def test_a_workflow_keeps_to_the_schema_of_github(name: str) -> None:
    """No misspelt key, no step without a body, nothing where GitHub expects something else."""
    yaml: Any = pytest.importorskip("yaml")
    jsonschema: Any = pytest.importorskip("jsonschema")
    workflow = yaml.safe_load(workflows()[name])
    workflow["on"] = workflow.pop(True)  # what YAML 1.1, but not GitHub, takes `on` for
    schema = json.loads((ROOT / "tests/schemas/github-workflow.json").read_text())

    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(workflow)] == []
    assert "{{" not in workflows()["init"], "a template with places to fill is no workflow yet"


def test_the_workflow_runs_what_the_tox_file_has() -> None:
    """The steps install tox and run the environment that is shown; the reports that it uploads are those that are written."""
    (workflow,) = (block for block in blocks("yaml") if "tox run" in block)

    assert steps(workflow)["conformance"] == ["python -m pip install tox", "tox run -e autograd"]
    assert "[testenv:autograd]" in PAGE


def test_the_environment_that_init_writes_tells_the_runner_as_that_of_the_page() -> None:
    """It sees what a run needs to annotate and to summarise; an adapter that does not talk has a report all the same."""
    page, written = configparser.RawConfigParser(), configparser.RawConfigParser()
    page.read_string(next(block for block in blocks("ini") if "[testenv:autograd]" in block))
    written.read_string((ROOT / "conformance/init/templates/tox.ini.j2").read_text())
    environment = written["testenv:conformance"]

    assert environment["pass_env"] == page["testenv:autograd"]["pass_env"]
    assert environment["deps"] == page["testenv:autograd"]["deps"]
    assert environment["ignore_errors"] == "true"


def test_shards_and_their_merge_are_the_whole_run(project: Path) -> None:
    """The steps of the sharded workflow, with two machines and few programs, give the record of one machine."""
    (workflow,) = (block for block in blocks("yaml") if "merge" in block)
    jobs = steps(workflow)
    for shard in "12":
        (command,) = (line for line in jobs["shard"] if not line.startswith("python -m pip"))
        command = command.replace("${{ matrix.shard }}", shard).replace("${{ strategy.job-total }}", "2")
        ended = run(project, command, PROGRAMS="60")
        assert ended.returncode == 0, ended.stdout + ended.stderr
    (merge,) = (line for line in jobs["merge"] if not line.startswith("python -m pip"))
    ended = run(project, merge)
    whole = run(project, "conformance run my_package.adapter:MyEngine --programs 60 --out reports/single")
    one, other = (read(project / "reports" / name / "record.jsonl") for name in ("whole", "single"))

    assert (ended.returncode, whole.returncode) == (0, 0), ended.stdout + ended.stderr + whole.stderr
    assert (one.rules, one.failures, one.header) == (other.rules, other.failures, other.header)


def test_the_commands_of_the_page_succeed(project: Path) -> None:
    """In the order of the page: the later ones read the record that the first wrote."""
    for command in (command for command in COMMANDS if command.startswith("conformance")):
        ended = run(project, f"set -o pipefail; {command.replace('--budget 10', '--programs 60')}")

        assert ended.returncode == 0, command + ended.stdout + ended.stderr
        assert ended.stdout.strip() or "--out public" in command


def test_selections_by_markers_are_understood(project: Path, tmp_path: Path) -> None:
    """With the ini values of the page, under strict markers; what is selected is there."""
    (tmp_path / "pytest.ini").write_text(next(block for block in blocks("ini") if "[pytest]" in block))
    shutil.copy(project / "test_mine.py", tmp_path)
    for command in (command for command in COMMANDS if command.startswith("pytest")):
        words = f"{command} --autograd-oracle reference --strict-markers --collect-only -q -p no:cacheprovider"
        ended = run(project, f"cd {shlex.quote(str(tmp_path))}; {words}")

        assert ended.returncode in (0, 5), command + ended.stdout + ended.stderr
        assert ("test_mine" in ended.stdout) == ("not " in command)


def test_the_table_of_formats_is_that_of_the_suite() -> None:
    """Each format with its file and what it is for."""
    told = re.findall(r"^\| `([\w-]+)` \| `([\w.]+)` \| (.*) \|$", PAGE, re.MULTILINE)

    assert told == [(name, entry.file, entry.title) for name, entry in FORMATS.items()]
