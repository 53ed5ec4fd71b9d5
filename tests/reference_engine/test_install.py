"""Running torch code on the engine."""

from __future__ import annotations

import subprocess
import sys

import reference_engine

PROGRAM = """
import torch
import torch.nn.functional as F
from torch.autograd import Function, grad
x = torch.tensor([1.0, -2.0], requires_grad=True)
print(grad(F.relu(x).sum(), x)[0].tolist(), torch.__name__)
"""


def test_installed_as_torch_is_this_package():
    """Inside the context torch is this package; afterwards the modules are as before."""
    before = sys.modules.get("torch")
    with reference_engine.installed_as_torch():
        import torch
        import torch.autograd.graph as graph

        assert torch is reference_engine
        assert graph is reference_engine.autograd.graph
        assert reference_engine.autograd.graph.__name__ == "reference_engine.autograd.graph"

    assert sys.modules.get("torch") is before


def test_a_script_runs_unchanged(tmp_path):
    """python -m reference_engine SCRIPT"""
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    out = subprocess.run([sys.executable, "-m", "reference_engine", str(script)], capture_output=True, text=True, check=True)

    assert out.stdout.split("]")[0] == "[1.0, 0.0"
