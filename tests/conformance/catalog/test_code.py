"""An op's code is called and rendered from one source."""

from __future__ import annotations

from conformance.catalog.code import compile_code, operands_of, render_code


def test_an_expression_is_called_with_operands_and_parameters() -> None:
    """Operands come by position, parameters by keyword."""
    call = compile_code("a * b + value", {})

    assert call(2, 3, value=4) == 10


def test_a_statement_is_carried_out() -> None:
    """A statement such as an assignment gives None and has its effect."""
    target = [1, 2]
    result = compile_code("a[index] = b", {})(target, 5, index=1)

    assert (result, target) == (None, [1, 5])


def test_names_of_the_namespace_are_no_parameters() -> None:
    """A module that the code uses is not asked for at each call."""
    import math

    assert compile_code("math.sqrt(a)", {"math": math})(4.0) == 2.0


def test_rendering_puts_variables_and_literals_in() -> None:
    """The text for a script names the script's own variables."""
    assert render_code("torch.where(b, a, c)", ["x", "m", "y"], {}) == "torch.where(m, x, y)"
    assert render_code("a.sum(dim=dim, keepdim=keepdim)", ["x"], {"dim": -1, "keepdim": True}) == "x.sum(dim=-1, keepdim=True)"


def test_operands_are_told_from_the_code() -> None:
    """The letters a, b, c are operands, wherever they stand."""
    assert operands_of("torch.where(b, a, c)") == ["a", "b", "c"]
    assert operands_of("a + value") == ["a"]
