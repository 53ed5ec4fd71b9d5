"""Which differences stand: rounding does not, errors do, kinks and safe answers are told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from mutants_of_torch import MUTANTS, Bend, bent, first_of_ties, with_call

from conformance.areas import BY_NAME
from conformance.chooser import SeededChooser
from conformance.engines.torch_engine import TorchEngine
from conformance.execute import Executor
from conformance.features import BITS, Feature
from conformance.generate import generate
from conformance.judge import Judge
from conformance.program import Program, to_json
from conformance.scope import Scope
from conformance.sketch import Sketch


class Rounding(TorchEngine):
    """Torch whose every gradient is wrong in its last place."""

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        calls = super().calls()

        def shaken(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(*operands: Any, **params: Any) -> Any:
                result = call(*operands, **params)
                if not isinstance(result, torch.Tensor) or not result.requires_grad:
                    return result
                epsilon = torch.finfo(result.dtype).eps
                return Bend.apply(result, 1 + epsilon)

            return run

        return {**calls, **{name: shaken(calls[name]) for name in ("exp", "mul", "div", "tanh", "sum", "softmax")}}


def judge_of(engine: TorchEngine, oracle: Any) -> Judge:
    """A judge of an engine that shows no versions, since the ones above copy."""
    facets = frozenset({"value", "grad", "shape", "dtype"})
    return Judge(Executor(oracle.engine, facets), Executor(engine, facets))


def one(op: str, values: list[float], dtype: str, *, exact: bool = False, gradient: list[float] | None = None) -> Program:
    """Leaf, op, backward."""
    s = Sketch(exact=exact, dtype=dtype)
    s.backward(s.op(op, s.leaf(values)), gradient or [1.5] * len(values))
    return s.program()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_is_acquitted(dtype: str, oracle: Any) -> None:
    """An engine that is wrong by a unit in the last place of each gradient conforms on general programs."""
    judge = judge_of(Rounding(), oracle)
    chooser = SeededChooser(6)
    accused = []
    tried = 0
    while tried < 150:
        program, _ = generate(chooser, BY_NAME["gradients"])
        if program.exact or not any(getattr(s, "dtype", "") == dtype for s in program.steps):
            continue
        tried += 1
        quick = judge.agree_quickly(program, judge.oracle.run(program), judge.engine.run(program))
        case = None if quick else judge.examine(program)
        if case is not None:
            accused.append((case.difference, to_json(program)))

    assert accused == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", ["exp", "tanh", "log", "softplus", "cos"])
def test_an_error_of_a_ten_thousandth_is_caught(op: str, dtype: str, oracle: Any) -> None:
    """A relative error of 1e-4 in one op's gradient stands, in single precision too."""
    program = one(op, [0.5, 1.25], dtype)
    case = judge_of(bent(op, 1.0001)(), oracle).examine(program)

    assert case is not None
    assert (case.difference.facet, case.rule.id) == ("grad", "gradients.pointwise")


def test_exact_programs_are_compared_to_the_bit(oracle: Any) -> None:
    """Where nothing rounds, the last place counts."""
    factor = 1 + 2.0**-52
    exact, general = (one("neg", [1.0, 2.0], "float64", exact=e) for e in (True, False))
    judge = judge_of(bent("neg", factor)(), oracle)

    assert judge.examine(exact) is not None
    assert judge.examine(general) is None


def test_cancellation_is_acquitted(oracle: Any) -> None:
    """A sum that cancels amplifies rounding, on both sides: its error is measured against what went into it."""
    s = Sketch(exact=False)
    x = s.leaf([1.0, 1.0])
    big = s.op("exp", s.op("mul_scalar", x, value=3.0))
    s.backward(s.op("sub", big, s.op("mul", big, s.leaf([1.0 - 2.0**-10, 1.0]))), [1.0, 1.0])

    assert judge_of(Rounding(), oracle).examine(s.program()) is None


@pytest.mark.parametrize(("factor", "stands"), [(0.0, False), (1.0, True)])
def test_rounding_is_none_where_zeros_are(factor: float, stands: bool, oracle: Any) -> None:
    """x / x has a gradient of nothing but rounding on torch; an engine that does not tell zeros from none shows none."""
    s = Sketch(exact=False)
    x = s.leaf([0.1, 5.0])
    s.backward(s.op("div", x, x), [0.7, 1.0])

    class Zeros(TorchEngine):
        def calls(self) -> Mapping[str, Callable[..., Any]]:
            return {**super().calls(), "div": lambda a, b: Bend.apply(a, factor) / b.detach()}

    case = judge_of(Zeros(), oracle).examine(s.program())  # absent gradients are not among the facets

    assert stands == (case is not None)


class WithoutTerms(TorchEngine):
    """x / x has the gradient 0 to the bit, since its terms are never formed."""

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        div = super().calls()["div"]
        return {**super().calls(), "div": lambda a, b: Bend.apply(a, 0.0) / b.detach() if a is b else div(a, b)}


def quotients(dtype: str, x: float, *, by_grad: bool = False) -> Program:
    """What cancels to rounding, differentiated twice, looked at between: every term is larger than all that is seen."""
    s = Sketch(exact=False, dtype=dtype)
    a = s.leaf([x, 3 * x])
    for gradient in ([0.7, 0.7], [0.63, 0.77]):
        y = s.op("div", a, a)
        if by_grad:
            s.grad(y, [a], gradient)
        else:
            s.backward(y, gradient)
    return s.program()


@pytest.mark.parametrize("by_grad", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("x", [0.7, 1e-2, 1e-3, 1e-4, 1e-6])
def test_rounding_is_that_of_the_terms_of_a_sum(x: float, dtype: str, by_grad: bool, oracle: Any) -> None:
    """However large terms are that cancel, what is left of them is no gradient."""
    assert judge_of(WithoutTerms(), oracle).examine(quotients(dtype, x, by_grad=by_grad)) is None


@pytest.mark.parametrize("last", ["backward", "grad"])
def test_rounding_before_a_refusal_is_acquitted(last: str, oracle: Any) -> None:
    """A refusal ends the program right after a sum that cancels: the arbiter looks where the rest of it ends."""
    s = Sketch(exact=False)
    a = s.leaf([0.7, 2.1])
    y = s.op("div", a, a)
    s.backward(y, [0.7, 0.7])
    if last == "backward":
        s.backward(y, [1.0, 1.0])
    else:
        s.grad(y, [a], [1.0, 1.0])

    assert judge_of(WithoutTerms(), oracle).oracle.run(s.program()).refusal is not None
    assert judge_of(WithoutTerms(), oracle).examine(s.program()) is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("x", [0.7, 1e-3, 1e-6])
def test_an_error_of_a_ten_thousandth_is_not_rounding_of_terms(x: float, dtype: str, oracle: Any) -> None:
    """In one of two terms that cancel it is larger than the rounding of both."""
    s = Sketch(exact=False, dtype=dtype)
    a = s.leaf([x, 3 * x])
    for gradient in ([0.7, 0.7], [0.63, 0.77]):
        s.backward(s.op("mul", a, s.op("reciprocal", a)), gradient)
    case = judge_of(bent("reciprocal", 1.0001)(), oracle).examine(s.program())

    assert case is not None
    assert case.difference.facet == "grad"


def test_a_difference_at_a_kink_is_told(oracle: Any) -> None:
    """A tie that goes to one operand differs at the kink alone; off it the engine is right."""
    judge = judge_of(with_call("maximum", first_of_ties)(), oracle)
    cases = []
    for second in ([1.0, 2.0], [2.0, 1.0]):
        s = Sketch()
        s.backward(s.op("maximum", s.leaf([1.0, 2.0]), s.leaf(second)), [1.0, 5.0])
        cases.append(judge.examine(s.program()))
    tie, apart = cases

    assert apart is None
    assert tie is not None
    assert tie.features & Feature.AT_KINK
    assert (tie.rule.id, tie.rule.obligation) == ("gradients.kink", "MAY")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_error_of_a_ten_thousandth_beside_a_pole_is_none_of_the_poles(dtype: str, oracle: Any) -> None:
    """What may differ at poles hides no such error of ops that are at none, where the same program has another that is."""
    judge = judge_of(bent("exp", 1.0001)(), oracle)
    other = judge_of(bent("rsqrt", 1.0001)(), oracle)
    s = Sketch(exact=False, dtype=dtype)
    a = s.leaf([0.5, 1.25])
    s.backward(s.op("mul", s.op("exp", a), s.op("rsqrt", a)), [1.0, 1.0])
    s.backward(s.op("log", s.leaf([0.0, 1.0])), [1.0, 1.0])
    cases = [judge.examine(s.program()), other.examine(s.program())]

    assert Scope.of(s.program()).features & BITS.POLE
    assert [case and case.rule.obligation for case in cases] == ["MUST", "MUST"]


def test_an_error_beside_a_kink_is_none_of_the_kinks(oracle: Any) -> None:
    """A wrong gradient of an op with a kink, away from it, is a wrong gradient."""
    case = judge_of(bent("relu", 1.5)(), oracle).examine(one("relu", [1.0, 2.0], "float64", exact=True))

    assert case is not None
    assert not case.features & Feature.AT_KINK
    assert case.rule.id == "gradients.pointwise"


class NoMinusZero(TorchEngine):
    """A product that is 0 has no sign."""

    def calls(self) -> Mapping[str, Callable[..., Any]]:
        return {**super().calls(), "mul_scalar": lambda a, value: a * value + 0.0}


def test_a_jump_after_the_sign_of_a_zero_is_one_of_the_kinks(oracle: Any) -> None:
    """copysign tells 0 from -0, which is nobody's error; of the same operand it gives the same."""
    s = Sketch(exact=True)
    s.op("copysign", s.leaf([1.0, 2.0]), s.op("mul_scalar", s.leaf([0.0, 1.0]), value=-1.0))
    case = judge_of(NoMinusZero(), oracle).examine(s.program())

    assert case is not None
    assert case.rule.id == "gradients.kink"


def test_an_error_of_an_op_that_jumps_is_none_of_the_kinks(oracle: Any) -> None:
    """Of the same operands it gives something else."""

    class Wrong(TorchEngine):
        def calls(self) -> Mapping[str, Callable[..., Any]]:
            return {**super().calls(), "copysign": lambda a, b: a.abs() + b * 0.0}

    s = Sketch(exact=True)
    s.op("copysign", s.leaf([1.0, 2.0]), s.leaf([-1.0, 1.0]))
    case = judge_of(Wrong(), oracle).examine(s.program())

    assert case is not None
    assert case.rule.id == "gradients.forward"


def test_which_nan_is_found_is_left_open(oracle: Any) -> None:
    """Of several NaNs any may be the k-th."""

    class Next(TorchEngine):
        def calls(self) -> Mapping[str, Callable[..., Any]]:
            kth = super().calls()["kthvalue"]
            return {**super().calls(), "kthvalue": lambda a, **p: (kth(a, **p)[0], (kth(a, **p)[1] + 1) % 3)}

    s = Sketch(exact=False)
    s.ops("kthvalue", s.op("asin", s.leaf([7.0, 8.0, 9.0])), k=1, dim=0, keepdim=False)
    case = judge_of(Next(), oracle).examine(s.program())

    assert case is not None
    assert case.rule.id == "conventions.pole"


def written() -> Program:
    """A saved input changed before backward."""
    s = Sketch()
    h = s.op("mul_scalar", s.leaf([1.0, 2.0]), value=2.0)
    y = s.op("square", h)
    s.write("mul_scalar_", h, value=3.0)
    s.backward(y, [1.0, 1.0])
    return s.program()


@pytest.mark.parametrize(("name", "safe"), [("saved tensors are copies", True), ("saved tensors are not checked", False)])
def test_right_answers_to_refused_questions_are_safe(name: str, safe: bool, oracle: Any) -> None:
    """An engine that saves copies misses the error and is safe; one that uses what was changed is wrong."""
    engine = next(m for m in MUTANTS if m.name == name).make()
    case = Judge(oracle, Executor(engine)).examine(written())

    assert case is not None
    assert (case.difference.kind, case.rule.id, case.safe) == ("missed error", "versions.saved-input", safe)


def test_what_agrees_makes_no_case(oracle: Any) -> None:
    """Torch against torch."""
    assert Judge(oracle, oracle).examine(written()) is None
