"""A conformance suite for autograd engines.

What most uses need:

    conformance.check("module:MyEngine", budget=10)   # one line in a test of yours
    conformance.programs()                            # a Hypothesis strategy of random programs
    conformance.Engine                                # what an adapter subclasses
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance._version import __version__

if TYPE_CHECKING:
    from conformance.api import NonConforming, check
    from conformance.engine import Category, Engine, Unsupported
    from conformance.program import Program
    from conformance.remote.limits import Isolation
    from conformance.sketch import Sketch
    from conformance.strategy import programs

# Public name -> the module that has it, imported when first asked for: a pytest collection must not pay for what it does not use.
_HOMES = {
    "Category": "conformance.engine",
    "Engine": "conformance.engine",
    "Isolation": "conformance.remote.limits",
    "NonConforming": "conformance.api",
    "Program": "conformance.program",
    "Sketch": "conformance.sketch",
    "Unsupported": "conformance.engine",
    "check": "conformance.api",
    "programs": "conformance.strategy",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'conformance' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


__all__ = [
    "Category",
    "Engine",
    "Isolation",
    "NonConforming",
    "Program",
    "Sketch",
    "Unsupported",
    "__version__",
    "check",
    "programs",
]
