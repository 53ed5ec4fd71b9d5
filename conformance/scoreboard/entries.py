"""Who stands on the scoreboard: a row each. An engine is compared with others of its kind, and with no other."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["tape", "functional", "scalar", "torch", "other"]
KINDS: dict[Kind, str] = {
    "tape": "Tapes: tensors that record what made them",
    "functional": "Functional: transformations of functions",
    "scalar": "Scalars: a node for each number",
    "torch": "PyTorch's other selves",
    "other": "Other engines",
}
_LOCAL = re.compile(r"(--python) \S+")


class Entry(NamedTuple):
    """An engine by the name that `conformance run` takes. `environment`: the tox environment that installs it and runs the suite
    on it. `typed`: the command that does so without one. `absent`: why it cannot be run."""

    name: str
    kind: Kind
    environment: str = ""
    typed: str = ""
    absent: str = ""

    @property
    def title(self) -> str:
        """The engine's short name, which is also that of its file."""
        return (
            self.environment.removeprefix("engine-")
            if self.environment
            else re.sub(r"[^\w.-]+", "-", self.name, flags=re.ASCII)[:80].strip("-.")
        )

    @property
    def command(self) -> str:
        """What to type to repeat its row; empty where nothing can."""
        return f"tox run -e {self.environment}" if self.environment else self.typed


def small(package: str, module: str, kind: Kind = "tape") -> Entry:
    """A package of the index whose adapter is found by probing its module."""
    return Entry(f"torch-like:{module}", kind, f"engine-{package}")


# fmt: off
ENTRIES: tuple[Entry, ...] = (
    Entry("reference", "tape", "engine-reference"),
    Entry("mygrad", "tape", "engine-mygrad"),
    Entry("paddle", "tape", "engine-paddle"),
    Entry("tinygrad", "tape", "engine-tinygrad"),
    Entry("chainer", "tape", "engine-chainer"),
    Entry("exec:node examples/javascript/child.js", "tape", "engine-js-pytorch"),
    small("jungrad", "jungrad"),
    small("nnetflow", "nnetflow"),
    small("mtorch", "mtorch"),
    small("puretorch", "puretorch"),
    small("minitorch", "torch"),
    small("edugrad", "edugrad"),
    small("nanotorch", "nanotorch"),
    Entry("jax", "functional", "engine-jax"),
    Entry("tensorflow", "functional", "engine-tensorflow"),
    Entry("mlx", "functional", "engine-mlx"),
    Entry("autograd", "functional", "engine-autograd"),
    Entry("mindspore", "functional", "engine-mindspore"),
    Entry("micrograd", "scalar", "engine-micrograd"),
    small("smallgrad", "smallgrad.backpropagation", "scalar"),
    Entry("torch-compile-eager", "torch", "engine-torch-compile-eager"),
    Entry("torch-aot-eager", "torch", "engine-torch-aot-eager"),
    Entry("torch-inductor", "torch", "engine-torch-inductor"),
    Entry("torch-functionalize", "torch", "engine-torch-functionalize"),
    Entry("torch-func", "torch", "engine-torch-func"),
    Entry("torch-cuda", "torch", "engine-torch-cuda", absent="it needs a GPU, and was run where there is none"),
    Entry("numpygrad", "tape", absent="it has no distribution for Python 3.11"),
    Entry("tinytorch", "tape", absent="its distribution does not build"),
    Entry("pygrad", "tape", absent="it refuses all data on NumPy 2, and its other needs exclude NumPy 1"),
    Entry("delgrada", "tape", absent="its tensors have no backward() that probing could find"),
)
# fmt: on
BY_NAME: dict[str, Entry] = {entry.name: entry for entry in ENTRIES}


def entry_of(engine: str, command: str) -> Entry:
    """The row of an engine; of one that the table does not have, with the command of its record, free of paths."""
    known = BY_NAME.get(engine)
    return known if known is not None else Entry(engine, "other", typed=_LOCAL.sub(r"\1 PYTHON", command))
