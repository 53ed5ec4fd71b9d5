"""The reference engine of this repository."""

from __future__ import annotations

from typing import ClassVar

from conformance._version import __version__
from conformance.engines.torch_like import TorchLike
from conformance.script import Script


class ReferenceScript(Script):
    """Torch's code with the reference engine under torch's name."""

    imports = ("import reference_engine as torch",)


class ReferenceEngine(TorchLike):
    """Autograd in pure Python and NumPy."""

    name: ClassVar[str] = "reference"
    script: ClassVar[type | None] = ReferenceScript

    def __init__(self) -> None:
        import reference_engine

        super().__init__(reference_engine)

    def version(self) -> str:
        return __version__  # the two packages are released together
