"""Adapters. The table names those in the box; a user's own is named `module:attribute`."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from typing import Any

from conformance.engine import Engine
from conformance.errors import EngineUnavailable, UsageError

# name -> (adapter, how to install what it needs)
ENGINES: dict[str, tuple[str, str]] = {
    "reference": ("conformance.engines.reference:ReferenceEngine", "it is bundled"),
    "torch": ("conformance.engines.torch_engine:TorchEngine", "python3 -m pip install 'autograd-conformance[torch]'"),
    "mygrad": ("conformance.engines.mygrad_engine:MyGradEngine", "python3 -m pip install 'autograd-conformance[mygrad]'"),
}


def load(name: str) -> Engine:
    """The engine of that name, started.

    Raises:
        UsageError: no such name, module or attribute.
        EngineUnavailable: the adapter or its engine fails to import or to start.
    """
    target, install = ENGINES.get(name, (name, ""))
    module_name, colon, attribute = target.partition(":")
    if not colon or not module_name or not attribute:
        near = difflib.get_close_matches(name, ENGINES, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown engine {name!r}: {hint}type one of {', '.join(ENGINES)}, or module:attribute of your adapter")
    if name not in ENGINES and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # an installed command does not look into the folder it is run from
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise UsageError(
                f"there is no module {error.name!r} on the path: run from the folder that holds it, or install it"
            ) from None
        raise EngineUnavailable(f"engine {name!r} needs {error.name}: {install or 'install it'}") from None
    except Exception as error:
        raise EngineUnavailable(f"engine {name!r}: importing {module_name} failed: {_line(error)}") from None
    factory = getattr(module, attribute, None)
    if factory is None:
        raise UsageError(f"module {module_name!r} has no {attribute!r}: name the adapter class, as in {module_name}:MyEngine")
    return _start(name, factory, install)


def _start(name: str, factory: Any, install: str) -> Engine:
    """An instance from an adapter class, a function that makes one, or the instance itself."""
    try:
        engine = factory() if callable(factory) else factory
    except EngineUnavailable:
        raise
    except ModuleNotFoundError as error:
        raise EngineUnavailable(f"engine {name!r} needs {error.name}: {install or 'install it'}") from None
    except Exception as error:
        raise EngineUnavailable(f"engine {name!r} could not start: {_line(error)}") from None
    if not isinstance(engine, Engine):
        raise UsageError(f"{name!r} is a {type(engine).__name__}, not a conformance.Engine: subclass conformance.Engine")
    return engine


def _line(error: BaseException) -> str:
    """An exception on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
