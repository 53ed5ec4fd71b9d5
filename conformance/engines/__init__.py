"""Adapters. The table names those in the box; a user's own is named `module:attribute`."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from typing import Any

from conformance.engine import Engine
from conformance.errors import EngineUnavailable, UsageError

TORCH = "python3 -m pip install 'autograd-conformance[torch]'"

# name -> (adapter, how to install what it needs)
ENGINES: dict[str, tuple[str, str]] = {
    "reference": ("conformance.engines.reference:ReferenceEngine", "it is bundled"),
    "torch": ("conformance.engines.torch_engine:TorchEngine", TORCH),
    "torch-compile-eager": ("conformance.engines.torch_compiled:CompiledEngine", TORCH),
    "torch-aot-eager": ("conformance.engines.torch_compiled:AotEagerEngine", TORCH),
    "torch-inductor": ("conformance.engines.torch_compiled:InductorEngine", TORCH),
    "torch-functionalize": ("conformance.engines.torch_compiled:FunctionalizeEngine", TORCH),
    "torch-func": ("conformance.engines.torch_func:TorchFuncEngine", TORCH),
    "torch-cuda": ("conformance.engines.torch_cuda:TorchCudaEngine", TORCH),
    "mygrad": ("conformance.engines.mygrad_engine:MyGradEngine", "python3 -m pip install 'autograd-conformance[mygrad]'"),
    "paddle": ("conformance.engines.paddle_engine:PaddleEngine", "python3 -m pip install paddlepaddle setuptools"),
    "tinygrad": ("conformance.engines.tinygrad_engine:TinygradEngine", "python3 -m pip install 'autograd-conformance[tinygrad]'"),
    "micrograd": (
        "conformance.engines.micrograd_engine:MicrogradEngine",
        "python3 -m pip install 'autograd-conformance[micrograd]'",
    ),
    "chainer": (
        "conformance.engines.chainer_engine:ChainerEngine",
        "python3.10 -m pip install chainer 'numpy<1.24' 'setuptools<60'",
    ),
    "autograd": ("conformance.engines.autograd_engine:AutogradEngine", "python3 -m pip install 'autograd-conformance[autograd]'"),
    "jax": ("conformance.engines.jax_engine:JaxEngine", "python3 -m pip install jax"),
    "mlx": ("conformance.engines.mlx_engine:MlxEngine", "python3 -m pip install 'mlx[cpu]'"),
    "tensorflow": ("conformance.engines.tensorflow_engine:TensorFlowEngine", "python3 -m pip install tensorflow-cpu"),
    "mindspore": ("conformance.engines.mindspore_engine:MindSporeEngine", "python3 -m pip install mindspore 'numpy<2'"),
}
PROBED = "torch-like:"  # how the name of an engine begins that is a module to be probed


def load(name: str) -> Engine:
    """The engine of that name, started.

    Raises:
        UsageError: no such name, module or attribute.
        EngineUnavailable: the adapter or its engine fails to import or to start.
    """
    if name.startswith(PROBED):
        _look_here()
        return _start(name, lambda: _probed(name.removeprefix(PROBED)), "")
    target, install = ENGINES.get(name, (name, ""))
    module_name, colon, attribute = target.partition(":")
    if not colon or not module_name or not attribute:
        near = difflib.get_close_matches(name, ENGINES, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown engine {name!r}: {hint}type one of {', '.join(ENGINES)}, or module:attribute of your adapter")
    if name not in ENGINES:
        _look_here()
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


def _look_here() -> None:
    """An installed command does not look into the folder it is run from."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def _probed(module: str) -> Engine:
    """An adapter for a module with torch-like names."""
    from conformance.engines.probed import Probed

    return Probed(module)


def _start(name: str, factory: Any, install: str) -> Engine:
    """An instance from an adapter class, a function that makes one, or the instance itself."""
    try:
        engine = factory() if callable(factory) else factory
    except (EngineUnavailable, UsageError):
        raise
    except ModuleNotFoundError as error:
        raise EngineUnavailable(f"engine {name!r} needs {error.name}: {install or 'install it'}") from None
    except Exception as error:
        raise EngineUnavailable(f"engine {name!r} could not start: {_line(error)}") from None
    if not isinstance(engine, Engine):
        kind = type(engine).__name__
        raise UsageError(f"{name!r} is an object of type {kind}, not a conformance.Engine: subclass conformance.Engine")
    return engine


def _line(error: BaseException) -> str:
    """An exception on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
