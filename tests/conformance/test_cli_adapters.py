"""`conformance smoke` and `conformance init`: what they print, write and refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import typed

from conformance import smoke
from conformance.engines import load

ENGINES = Path(__file__).parents[1] / "engines"
HALF = """
import conformance
from conformance.engines.reference import ReferenceEngine

class Half(ReferenceEngine):
    def detach(self, tensor):
        return tensor.clone()

    def retain_grad(self, tensor):
        raise ValueError("no\\nluck")
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in an empty folder; gives status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ENGINES))
    monkeypatch.syspath_prepend(tmp_path)

    yield typed(monkeypatch, capsys)
    for name in ("half", "conformance_adapter"):
        sys.modules.pop(name, None)


def test_smoke_says_a_line_for_each_check(command: Any) -> None:
    """All that an engine declares works: exit 0."""
    status, out, err = command("smoke", "reference")

    assert (status, err) == (0, "")
    assert "✓ backward                   of mul: [3.0, -4.0]" in out
    assert "✗" not in out


def test_smoke_names_what_fails(command: Any, tmp_path: Path) -> None:
    """A wrong answer and an exception each on one line: exit 1."""
    (tmp_path / "half.py").write_text(HALF)
    status, out, _ = command("smoke", "half:Half")

    assert status == 1
    assert "✗ detach                     fails: its requires_grad is True, and should be False" in out
    assert "✗ retain_grad                fails: ValueError: no luck" in out


def test_smoke_shows_what_probing_found(command: Any) -> None:
    """The spelling of what is there, and the names of what is not."""
    status, out, _ = command("smoke", "torch-like:scalar")

    assert status == 0
    assert "leaf                       scalar.Value(data)" in out
    assert "not found: backward of roots" in out


def test_smoke_as_json(command: Any) -> None:
    """One document with all of it."""
    document = json.loads(command("smoke", "torch-like:scalar", "--json")[1])

    assert document["found"]["gradient"] == "a.grad"
    assert {check["verdict"] for check in document["checks"]} == {"works", "not declared"}


def test_smoke_lists_the_ops(command: Any) -> None:
    """With torch's code for each."""
    assert "sum_dim                          a.sum(dim=dim, keepdim=keepdim)" in command("smoke", "--ops")[1]


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (("smoke",), 2, "name the engine"),
        (("smoke", "exec:no-such-command"), 2, "cannot start no-such-command"),
        (("smoke", "reference", "--python", "no-such-python"), 2, "there is no Python interpreter 'no-such-python'"),
        (("smoke", "reference", "--deadline", "3"), 2, "add --isolate"),
        (("smoke", "torch-like:no_such_module"), 2, "there is no module 'no_such_module'"),
        (("smoke", "torch-like:math"), 3, "nothing that makes a tensor"),
    ],
)
def test_smoke_refuses_in_one_line(command: Any, arguments: tuple[str, ...], status: int, part: str) -> None:
    """What to type stands in it."""
    seen, _, err = command(*arguments)

    assert (seen, err.count("\n")) == (status, 1)
    assert part in err


CHILD = f"exec:{sys.executable} -m conformance.remote.child reference"


@pytest.mark.parametrize("where", [("reference", "--isolate"), ("reference", "--python", sys.executable), (CHILD,)], ids=len)
def test_smoke_says_the_same_of_an_engine_in_a_process_of_its_own(command: Any, where: tuple[str, ...]) -> None:
    """Its child is played programs, and each check has the outcome that it has in this process."""
    here, apart = command("smoke", "reference"), command("smoke", *where)

    assert (apart[0], apart[2]) == (0, "")
    assert apart[1].splitlines()[1:] == here[1].splitlines()[1:]


def test_smoke_outlives_an_engine_that_dies(command: Any) -> None:
    """The op that kills it is named; what it lacks is not declared; the other checks go on in a new process."""
    status, out, _ = command("smoke", "villains:Abort", "--isolate")

    assert status == 1
    assert "✗ op exp                     fails: crash: killed by SIGABRT" in out
    assert "- backward of several roots  not declared: only plain backward() of one root" in out
    assert "✓ ops                        4 of" in out


def test_smoke_names_what_fails_in_a_child(command: Any, tmp_path: Path) -> None:
    """As it does in this process."""
    (tmp_path / "half.py").write_text(HALF)
    out = command("smoke", "half:Half", "--isolate")[1]

    assert "✗ detach                     fails: its requires_grad is True, and should be False" in out
    assert "✗ retain_grad                fails: ValueError: no luck" in out


def test_smoke_loads_no_torch() -> None:
    """It needs no oracle."""
    code = (
        "import sys; from conformance.cli import cli\n"
        "cli.main(['smoke', 'torch-like:scalar'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ENGINES, capture_output=True)


def test_ops_that_the_catalogue_lacks_are_named() -> None:
    """A misspelt op would never be asked for."""
    engine = load("reference")
    engine.ops = {**engine.ops, "matmull": "a @ b"}
    lines = [line for line in smoke.lines(engine) if line.verdict == "fails"]

    assert [line.detail.partition(":")[0] for line in lines] == ["the catalogue has no matmull"]


def test_run_says_what_probing_found(command: Any) -> None:
    """In two lines above the summary, and not at all with --json."""
    arguments = ("run", "torch-like:scalar", "--oracle", "reference", "--programs", "20", "--area", "gradients")
    out = command(*arguments)[1]

    assert out.startswith("found by trying: ")
    assert "\nnot found: backward of roots" in out
    assert json.loads(command(*arguments, "--json")[1])["engine"] == "torch-like:scalar"


def test_adapter_that_init_writes_runs_green(command: Any, tmp_path: Path) -> None:
    """For a module with torch's names it works as it stands."""
    status, out, _ = command("init", "reference_engine")

    assert status == 0
    assert out.splitlines()[-1] == "next: conformance smoke conformance_adapter:Adapter"
    assert command("smoke", "conformance_adapter:Adapter")[0] == 0
    status, out, err = command("run", "conformance_adapter:Adapter", "--oracle", "reference", "--programs", "60")
    assert status == 0, out + err
    assert "verdict=conforms" in out


@pytest.mark.parametrize("module", ["scalar", "imitation", "tiny"])
def test_adapters_of_small_engines_talk(command: Any, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter written answers as the probed engine does."""
    from conformance.engines import attempts

    monkeypatch.setattr(attempts, "SECONDS", 0.05)
    command("init", module)
    written = {line.what: line.verdict for line in smoke.lines(load("conformance_adapter:Adapter"))}
    probed = {line.what: line.verdict for line in smoke.lines(load(f"torch-like:{module}"))}

    assert {what: v for what, v in written.items() if not what.startswith("op")} == {
        what: v for what, v in probed.items() if not what.startswith("op")
    }


def test_init_without_a_module_writes_a_sketch(command: Any, tmp_path: Path) -> None:
    """It compiles, and says that it is to be filled in."""
    _, out, _ = command("init", "--dir", "new/folder")
    text = (tmp_path / "new/folder/conformance_adapter.py").read_text()
    compile(text, "sketch", "exec")

    assert "is a sketch to fill in: no module was named" in out
    assert "next: cd new/folder && conformance smoke conformance_adapter:Adapter" in out
    assert (tmp_path / "new/folder/.github/workflows/conformance.yml").exists()


def test_init_overwrites_nothing(command: Any, tmp_path: Path) -> None:
    """One clear line; --force is heeded; a tox.ini that is there keeps its own sections."""
    (tmp_path / "tox.ini").write_text("[tox]\nenv_list = py311\n\n[testenv:docs]\ncommands = true\n")
    command("init")
    status, _, err = command("init")
    (tmp_path / "conformance_adapter.py").write_text("")
    forced = command("init", "--force")[0]
    tox = (tmp_path / "tox.ini").read_text()

    assert (status, err.count("\n"), forced) == (2, 1, 0)
    assert "conformance_adapter.py, .github/workflows/conformance.yml, tox.ini would be overwritten" in err
    assert tox.startswith("[tox]\nenv_list = py311\n\n[testenv:docs]\n")
    assert tox.count("[testenv:conformance]") == 1
    assert "class Adapter" in (tmp_path / "conformance_adapter.py").read_text()
