"""Complex numbers on the way between real ones, and Fourier transforms: operands and results are real, as programs have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.catalog import draws, shapes
from conformance.catalog.bounds import Bounds, BoundsRule, Shape, size
from conformance.catalog.op import Op, ParamsRule, PartnersRule, ShapeRule, no_params, no_partners, owned
from conformance.chooser import Chooser

Many = Sequence[Bounds]
Params = dict[str, Any]
Shapes = Sequence[Shape]

NUMBER, TURNED = "torch.complex(a, b)", "torch.complex(b, a)"
NEAR_TWO = "torch.complex(a / 4.0 + 2.0, b / 4.0)"  # away from 0, and from where branches meet


def up_to(reach: float, largest: float = 3.2) -> BoundsRule:
    """Within the reach, where the operands stay below the largest magnitude."""

    def rule(xs: Many, p: Params, s: Shapes) -> Bounds | None:
        return Bounds(-reach, reach, None) if max(x.magnitude for x in xs) <= largest else None

    return rule


def alike(shapes_: Shapes) -> Shape:
    """The one shape that all operands have."""
    if len(set(shapes_)) != 1 or len(shapes_[0]) > 3:
        raise shapes.ShapeError(f"parts of complex numbers: {list(shapes_)}")
    return shapes_[0]


def in_parts(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Real and imaginary parts along a new last axis."""
    return ((*alike(shapes_), 2),)


def one_part(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A real number for each complex one."""
    return (alike(shapes_),)


def total(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Two parts of one number."""
    alike(shapes_)
    return ((2,),)


def gram(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """Rows by rows, in parts."""
    shape = alike(shapes_)
    shapes.matrix([shape], params)
    return ((*shape[:-1], shape[-2], 2),)


def number(name: str, code: str, bounds: BoundsRule, shape: ShapeRule = in_parts, params: ParamsRule = no_params,
           partners: PartnersRule = draws.twin, chapter: str = "binary", saves: str = "a?a b?b own") -> Op:  # fmt: skip
    """A row for an op of complex numbers whose parts are the operands."""
    code = code if shape is one_part else f"torch.view_as_real({code})"
    return owned(Op(name, code, chapter, bounds, shape, params, partners, saves))


def function(name: str, reach: float) -> Op:
    """A row for a function of one complex number."""
    return number(f"complex_{name}", f"torch.{name}({NEAR_TWO})", up_to(reach), saves="own")


FUNCTIONS = tuple(
    function(name, reach)
    for name, reach in (
        ("exp", 20.0), ("log", 2.0), ("sqrt", 2.0), ("sin", 20.0), ("cos", 20.0), ("tanh", 4.0), ("reciprocal", 2.0),
        ("sgn", 1.0), ("square", 10.0),
    )
)  # fmt: skip

NUMBERS = (
    number("complex_product", f"{NUMBER} * {TURNED}", up_to(25.0)),
    number("complex_quotient", f"{NUMBER} / {NEAR_TWO}", up_to(6.0)),
    number("complex_by_real", f"{NUMBER} * a", up_to(25.0), saves="a b?b own"),
    number("complex_conjugate", f"({NUMBER}.conj() * {TURNED}).resolve_conj()", up_to(25.0)),
    number("complex_power", f"{NEAR_TWO} ** exponent", up_to(50.0), params=draws.one_of(exponent=(3, -1, 1.5)), saves="own"),
    number("complex_to_complex", f"torch.pow({NEAR_TWO}, {NEAR_TWO} / 2.0)", up_to(20.0), saves="own"),
    number("complex_sum", f"torch.sum({NUMBER})", lambda xs, p, s: up_to(3.2 * max(1, size(s[0])))(xs, p, s), total,
           chapter="reduce"),
    number("complex_matmul", f"{NUMBER} @ {TURNED}.mT", up_to(50.0), gram, chapter="matmul"),
    number("complex_absolute", f"torch.abs({NEAR_TWO})", up_to(4.0), one_part, saves="own"),
    number("complex_angle", f"torch.angle({NEAR_TWO})", up_to(1.0), one_part, saves="own"),
    number("complex_imaginary", f"({NUMBER} * {TURNED}).imag", up_to(25.0), one_part),
    number("polar", "torch.polar(a, b)", up_to(3.2), saves="own"),
)  # fmt: skip

NORM = ("backward", "ortho", "forward")


def transformable(chooser: Chooser, shape: Shape) -> Params | None:
    """A norm, for an operand that has a last axis and elements."""
    return {"norm": NORM[chooser.below(3)]} if 1 <= len(shape) <= 3 and 0 not in shape else None


def axis_and_norm(chooser: Chooser, shape: Shape) -> Params | None:
    """Any axis and a norm."""
    found = transformable(chooser, shape)
    return found and {**found, "dim": chooser.below(2 * len(shape)) - len(shape)}


def half_spectrum(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """The frequencies that tell all others, in parts."""
    shape = alike(shapes_)
    if not shape or 0 in shape:
        raise shapes.ShapeError(f"no spectrum of {shape}")
    return ((*shape[:-1], shape[-1] // 2 + 1, 2),)


def whole_spectrum(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """As many frequencies, in parts."""
    shape = alike(shapes_)
    if not shape or 0 in shape:
        raise shapes.ShapeError(f"no spectrum of {shape}")
    shapes.along_axis([shape], params)
    return ((*shape, 2),)


def signal(shapes_: Shapes, params: Params) -> tuple[Shape, ...]:
    """A signal of `n` entries."""
    shape = alike(shapes_)
    if not shape or 0 in shape:
        raise shapes.ShapeError(f"no signal of {shape}")
    return ((*shape[:-1], params["n"]),)


def with_length(chooser: Chooser, shape: Shape) -> Params | None:
    """A norm, and how long the signal is."""
    found = transformable(chooser, shape)
    return found and {**found, "n": (4, 3, 2)[chooser.below(3)]}


FOURIER = (
    number("rfft", "torch.fft.rfft(a * 1.0, norm=norm)", up_to(20.0), half_spectrum, transformable, no_partners, "reduce",
           "own"),
    number("fft", f"torch.fft.fft({NUMBER}, dim=dim, norm=norm)", up_to(40.0), whole_spectrum, axis_and_norm, chapter="reduce"),
    number("ifft", f"torch.fft.ifft({NUMBER}, dim=dim, norm=norm)", up_to(40.0), whole_spectrum, axis_and_norm, chapter="reduce"),
    owned(Op("irfft", f"torch.fft.irfft({NUMBER}, n=n, norm=norm)", "reduce", up_to(50.0), signal, with_length, draws.twin,
             "a?a b?b own")),
)  # fmt: skip

OPS = FUNCTIONS + NUMBERS + FOURIER
