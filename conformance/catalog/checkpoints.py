"""Checkpointed functions: what they compute is computed again in backward instead of being saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, within
from conformance.catalog.op import Op, PartnersRule, ShapeRule, no_params, no_partners

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]

SINE = "def sine_of_square(x):\n    return torch.sin(x * x)\n"
WEIGHTED = "def weighted(x, y):\n    return torch.tanh(x) * y\n"
BOTH = "def sine_and_cosine(x):\n    return torch.sin(x), torch.cos(x)\n"
PASSING = "def double(x):\n    return x * 2.0\n"


def weighted(xs: Many, p: Params, s: Shapes) -> Bounds:
    """tanh(a) * b"""
    return Bounds(-xs[1].magnitude, xs[1].magnitude, None)


def twofold(xs: Many, p: Params, s: Shapes) -> Bounds:
    """2 * a"""
    return Bounds(2 * xs[0].lo, 2 * xs[0].hi, xs[0].grain)


def twice(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two results of the operand's shape."""
    return (shapes_[0],) * 2


def nested(reentrant: bool) -> str:
    """A checkpointed function that checkpoints another."""
    name = "outer_reentrant" if reentrant else "outer"
    inner = f"torch.utils.checkpoint.checkpoint(sine_of_square, x, use_reentrant={reentrant})"
    return f"{SINE}\n\ndef {name}(x):\n    return {inner} * x\n"


def checkpointed(
    name: str, setup: str, bounds: BoundsRule, arguments: str, partners: PartnersRule = no_partners,
    shape: ShapeRule = shapes.same, saves: tuple[str, str] = ("", ""),
) -> tuple[Op, ...]:  # fmt: skip
    """Two rows: without and with use_reentrant."""
    defined = setup.rpartition("def ")[2].partition("(")[0]
    return tuple(
        Op(f"checkpoint{name}{'_reentrant' if reentrant else ''}",
           f"torch.utils.checkpoint.checkpoint({defined}, {arguments}, use_reentrant={reentrant})", "checkpoint", bounds, shape,
           no_params, partners, saves[reentrant], setup=setup, marks="checkpoint_reentrant" if reentrant else "")
        for reentrant in (False, True)
    )  # fmt: skip


OPS = (
    *checkpointed("", SINE, within(-1.0, 1.0, (-6.0, 6.0)), "a", saves=("a", "a")),
    *checkpointed("_of_two", WEIGHTED, weighted, "a, b", draws.twin, saves=("a b", "a b")),
    *checkpointed("_with_two_results", BOTH, within(-1.0, 1.0), "a", shape=twice, saves=("a", "a")),
    *checkpointed("_of_linear", PASSING, twofold, "a", saves=("", "a")),
    checkpointed("_nested", nested(False), within(-6.0, 6.0, (-6.0, 6.0)), "a", saves=("a", "a"))[0],
    checkpointed("_nested", nested(True), within(-6.0, 6.0, (-6.0, 6.0)), "a", saves=("a", "a"))[1],
)
