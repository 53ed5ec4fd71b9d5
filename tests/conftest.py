"""Fixtures shared by all tests: one torch engine a session, since starting it costs more than most tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    """Keeps the collections that thorough runs ask for to what the test itself makes: torch and Hypothesis fill a large heap."""
    gc.freeze()
    yield
    gc.unfreeze()


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
