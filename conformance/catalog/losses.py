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
SHARE = "torch.sigmoid(a)"


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


def one_number(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A number for operands of one shape."""
    reduced(shapes_, {"reduction": "none"})
    return ((),)


def several_orders(chooser: Chooser, shape: Shape) -> Params | None:
    """The order of a norm, of a few elements."""
    return {"p": (1, 3)[chooser.below(2)]} if 0 not in shape and size(shape) <= 12 else None


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


def without_last_axis(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A loss for each row of operands of one shape, or one number."""
    if len(set(shapes_)) != 1 or not shapes_[0]:
        raise shapes.ShapeError(f"distances between {list(shapes_)}")
    return (shapes_[0][:-1] if params["reduction"] == "none" else (),)


def similar(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Operands of one shape without the axis `dim`."""
    if len(set(shapes_)) != 1 or not shapes_[0]:
        raise shapes.ShapeError(f"similarity of {list(shapes_)}")
    return shapes.drop_axis(shapes_[:1], params)


def images_of_classes(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Scores of classes along the second of three axes, and a class for each place."""
    scores, classes = shapes_
    if len(scores) != 3 or classes != (scores[0], scores[2]):
        raise shapes.ShapeError(f"classes {classes} for scores {scores}")
    return (classes if params["reduction"] == "none" else (),)


def a_class_everywhere(chooser: Chooser, shape: Shape, params: Params) -> tuple[Need, ...]:
    """A class for each place of an image."""
    return (Need((shape[0], shape[2]) if len(shape) == 3 else (1,), "int64", shape[1] if len(shape) > 1 else 1),)


# torch warns of the mean of kl_div, which is not what its name says.
NO_MEAN = a_reduction(("sum", "none"))

OPS = (
    loss("mse_loss", "a, b", at_most(36.0, 3.0), "a b"),
    loss("l1_loss", "a, b", at_most(6.0, 3.0), "own", kink=True),
    loss("smooth_l1_loss", "a, b, beta=beta", at_most(36.0, 3.0), "a b", a_reduction(beta=(1.0, 0.5)), kink=True),
    loss("huber_loss", "a, b, delta=delta", at_most(36.0, 3.0), "a b", a_reduction(delta=(1.0, 2.0)), kink=True),
    loss("binary_cross_entropy_with_logits", "a, b", at_most(16.0, 3.0), "a b"),
    loss("binary_cross_entropy", f"{SHARE}, torch.sigmoid(b)", at_most(3.0, 3.0), "own"),
    loss("binary_cross_entropy", f"{SHARE}, torch.sigmoid(b), weight=torch.full_like(a, 3.0)", at_most(9.0, 3.0), "own",
         named="binary_cross_entropy_weighted"),
    # At 0 and 1, where logarithms are cut off at -100.
    loss("binary_cross_entropy", "(a / 2.0).clamp(0.0, 1.0), torch.sigmoid(b)", at_most(100.0, 3.0), "own", kink=True,
         named="binary_cross_entropy_at_bounds"),
    loss("kl_div", "a, b", at_most(12.0, 3.0, 0.2), "a?b b", NO_MEAN),
    loss("kl_div", "a, b, log_target=True", at_most(30.0, 2.0), "own", NO_MEAN, named="kl_div_of_logs"),
    loss("poisson_nll_loss", "a, b", at_most(30.0, 3.0), "a?b b?a"),
    loss("soft_margin_loss", "a, b.detach()", at_most(10.0, 3.0), "a b", kink=True),
    loss("nll_loss", "a, b", at_most(3.0, 3.0), "a b", partners=a_class, shape=over_classes, second="int64"),
    loss("cross_entropy", "a, b", at_most(10.0, 3.0), "b own", partners=a_class, shape=over_classes, second="int64"),
    loss("cross_entropy", "a, b, label_smoothing=0.25", at_most(10.0, 3.0), "b own", partners=a_class, shape=over_classes,
         second="int64", named="cross_entropy_smoothed"),
    loss("binary_cross_entropy_with_logits", "a, b, pos_weight=torch.full_like(a, 3.0), weight=torch.full_like(a, 0.5)",
         at_most(32.0, 3.0), "a b", named="binary_cross_entropy_of_weighted_logits"),
    loss("nll_loss", "a, b, weight=torch.arange(a.shape[-1], dtype=a.dtype) + 1.0", at_most(9.0, 3.0), "a b", partners=a_class,
         shape=over_classes, second="int64", named="nll_loss_weighted"),
    loss("nll_loss", "a, b, ignore_index=0", at_most(3.0, 3.0), "a b", NO_MEAN, a_class, over_classes, second="int64",
         named="nll_loss_ignoring"),
    loss("nll_loss", "a, b", at_most(3.0, 3.0), "a b", partners=a_class_everywhere, shape=images_of_classes, second="int64",
         named="nll_loss_of_images"),
    loss("multi_margin_loss", "a, b, p=p, margin=0.5", at_most(43.0, 3.0), "a b", a_reduction(p=(1, 2)), a_class, over_classes,
         second="int64", kink=True),
    loss("margin_ranking_loss", "a, b, torch.ones_like(a), margin=0.25", at_most(7.0, 3.0), "own", kink=True),
    loss("gaussian_nll_loss", "a, b, c * c + 1.0", at_most(24.0, 3.0), "c?c own", partners=draws.two_twins),
    loss("triplet_margin_loss", "a, b + 8.0, c - 8.0, margin=24.0", at_most(48.0, 3.0), "own", a_reduction(("mean", "none")),
         draws.two_twins, without_last_axis),
    Op("cosine_similarity", f"{F}.cosine_similarity(a, b, dim=dim)", "reduce", at_most(1.0, 50.0, 0.2), similar,
       draws.full_dim_of_full, draws.twin, "a?a b?b"),
    Op("dist_of_order", "torch.dist(a / 4.0 + 2.0, b / 4.0, p)", "reduce", at_most(48.0, 3.0), one_number,
       several_orders, draws.twin, "out own"),
    Op("dist", "torch.dist(a + 8.0, b)", "reduce", at_most(40.0, 3.0), one_number, no_params, draws.twin, "b out"),
)  # fmt: skip
