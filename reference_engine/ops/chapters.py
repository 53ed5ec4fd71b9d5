"""Which chapters the table has, in the order they are loaded. A new chapter is one more name here."""

from __future__ import annotations

import importlib

NAMES: tuple[str, ...] = (
    "pad",
    "special",
    "linalg2",
    "decompositions",
    "spectral",
    "matrix_functions",
    "linalg_faces",
    "scatter",
    "sort",
    "reduce2",
    "math2",
    "estimates",
    "fourier",
    "nn_activation",
    "conv",
    "pool",
    "norm",
    "loss",
    "ctc",
    "embedding",
    "sample",
    "complex",
    "layout",
    "memory",
    "queries",
    "copies",
    "legacy",
    "out",
    "refusals",
)


def load() -> None:
    """Import all further chapters."""
    for name in NAMES:
        importlib.import_module(f"{__package__}.{name}")
