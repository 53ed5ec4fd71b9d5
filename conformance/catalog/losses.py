"""Loss functions with each reduction, and distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, size
from conformance.catalog.op import Need, Op, ParamsRule, PartnersRule, ShapeRule, no_params
from conformance.chooser import Chooser, pick

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]
F = "torch.nn.functional"
REDUCTIONS = ("mean", "sum", "none")


def reduced(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Operands of one shape to a number, or to their shape."""
    if len(set(shapes_)) != 1:
        raise shapes.ShapeError(f"a loss of {list(shapes_)}")
    return (shapes_[0] if params["reduction"] == "none" else (),)


def over_classes(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Scores of classes and a class for each row."""
    scores, classes = shapes_
    if not 1 <= len(scores) <= 2 or classes != scores[:-1]:
        raise shapes.ShapeError(f"classes {classes} for scores {scores}")
    return (classes if params["reduction"] == "none" else (),)


def a_reduction(reductions: tuple[str, ...] = REDUCTIONS, **choices: tuple[Any, ...]) -> ParamsRule:
    """One of the reductions, and further choices; of elements, since the mean of none is no number."""

    def rule(chooser: Chooser, shape: Shape) -> Params | None:
        if 0 in shape:
            return None
        return {"reduction": pick(chooser, reductions), **{name: pick(chooser, values) for name, values in choices.items()}}

    return rule


def a_class(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A class for each row."""
    return (Need(shape[:-1], "int64", shape[-1] if shape else 1),)


def at_most(per_entry: float, largest: float, lowest: float = -50.0) -> BoundsRule:
    """Losses of no more than this for an entry, where the operands stay between the lowest and the largest."""

    def rule(xs: Many, p: Params, s: Shapes) -> Bounds | None:
        if any(x.hi > largest or x.lo < max(lowest, -largest) for x in xs):
            return None
        reach = per_entry * (size(s[0]) if p.get("reduction") == "sum" else 1)
        return Bounds(-reach, reach, None)

    return rule


def loss(
    name: str, arguments: str, bounds: BoundsRule, saves: str, params: ParamsRule | None = None,
    partners: PartnersRule = draws.twin, shape: ShapeRule = reduced, **more: Any,
) -> Op:  # fmt: skip
    """A row for a loss function."""
    code = f"{F}.{name}({arguments}, reduction=reduction)"
    return Op(more.pop("named", name), code, "reduce", bounds, shape, params or a_reduction(), partners, saves, **more)


def similar(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Operands of one shape without the axis `dim`."""
    if len(set(shapes_)) != 1 or not shapes_[0]:
        raise shapes.ShapeError(f"similarity of {list(shapes_)}")
    return shapes.drop_axis(shapes_[:1], params)


# torch warns of the mean of kl_div, which is not what its name says.
NO_MEAN = a_reduction(("sum", "none"))

OPS = (
    loss("mse_loss", "a, b", at_most(36.0, 3.0), "a b"),
    loss("l1_loss", "a, b", at_most(6.0, 3.0), "own", kink=True),
    loss("smooth_l1_loss", "a, b, beta=beta", at_most(36.0, 3.0), "a b", a_reduction(beta=(1.0, 0.5)), kink=True),
    loss("huber_loss", "a, b, delta=delta", at_most(36.0, 3.0), "a b", a_reduction(delta=(1.0, 2.0)), kink=True),
    loss("binary_cross_entropy_with_logits", "a, b", at_most(16.0, 3.0), "a b"),
    loss("kl_div", "a, b", at_most(12.0, 3.0, 0.2), "a?b b", NO_MEAN),
    loss("kl_div", "a, b, log_target=True", at_most(100.0, 2.0), "own", NO_MEAN, named="kl_div_of_logs"),
    loss("poisson_nll_loss", "a, b", at_most(30.0, 3.0), "a?b b?a"),
    loss("soft_margin_loss", "a, b.detach()", at_most(10.0, 3.0), "a b", kink=True),
    loss("nll_loss", "a, b", at_most(3.0, 3.0), "a b", partners=a_class, shape=over_classes, second="int64"),
    loss("cross_entropy", "a, b", at_most(10.0, 3.0), "b own", partners=a_class, shape=over_classes, second="int64"),
    loss("cross_entropy", "a, b, label_smoothing=0.25", at_most(10.0, 3.0), "b own", partners=a_class, shape=over_classes,
         second="int64", named="cross_entropy_smoothed"),
    Op("cosine_similarity", f"{F}.cosine_similarity(a, b, dim=dim)", "reduce", at_most(1.0, 50.0, 0.2), similar,
       draws.full_dim_of_full, draws.twin, "a?a b?b"),
    Op("dist", "torch.dist(a + 8.0, b)", "reduce", at_most(40.0, 3.0), lambda s, p: shapes.scalar([reduced(s,
            {"reduction": "none"})[0]], p),
       no_params, draws.twin, "b out"),
)  # fmt: skip
