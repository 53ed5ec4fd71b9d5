"""Fixtures shared by all tests: one torch engine a session, since starting it costs more than most tests."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def torch_engine() -> Any:
    """The oracle."""
    pytest.importorskip("torch")
    from conformance.engines.torch_engine import TorchEngine

    return TorchEngine()


@pytest.fixture(scope="session")
def oracle(torch_engine: Any) -> Any:
    """An executor on the oracle that looks at all that torch shows."""
    from conformance.execute import Executor

    return Executor(torch_engine)

pytest_plugins = ["pytester"]
