"""Shape rules refuse what does not fit, with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.catalog import CATALOG, ShapeError

MISFITS: tuple[tuple[str, list[tuple[int, ...]], dict[str, Any], str], ...] = (
    ("add", [(2,), (3,)], {}, "do not broadcast"),
    ("mul_", [(2,), (2, 2)], {}, "do not broadcast into"),
    ("sum_dim", [(2,)], {"dim": 1, "keepdim": False}, "dim 1 is out of range for rank 1"),
    ("matmul", [(), (2,)], {}, "at least one axis"),
    ("matmul", [(2, 3), (2, 3)], {}, "inner sizes differ"),
    ("mm", [(2,), (2, 2)], {}, "ranks"),
    ("bmm", [(2, 1, 2), (3, 2, 1)], {}, "ranks"),
    ("outer", [(2,), (2, 2)], {}, "two vectors"),
    ("view", [(2, 3)], {"shape": [4]}, "as many elements"),
    ("expand", [(2,)], {"shape": [3]}, "broadcast"),
    ("expand", [(2, 2)], {"shape": [2]}, "does not expand"),
    ("t", [(1, 2, 3)], {}, "at most two axes"),
    ("permute", [(2, 2)], {"dims": [0, 0]}, "no permutation"),
    ("select", [(2,)], {"dim": 0, "index": 2}, "index 2"),
    ("narrow", [(3,)], {"dim": 0, "start": 2, "length": 2}, "2 entries from 2"),
    ("slice", [()], {"start": 0, "stop": 1, "step": 1}, "a slice needs"),
    ("split", [(0,)], {"size": 1, "dim": 0}, "pieces"),
    ("unbind", [()], {"dim": 0}, "unbind"),
    ("diagonal", [(2,)], {}, "two axes"),
    ("tril", [(2,)], {}, "two axes"),
    ("cat", [(2, 2), (2, 3)], {"dim": 0}, "cat of"),
    ("stack", [(2,), (3,)], {"dim": 0}, "stack of"),
    ("repeat", [(2,)], {"repeats": [1, 2]}, "repeats"),
    ("pad", [()], {"left": 1, "right": 0}, "an axis"),
    ("index_select", [(2,), (1, 1)], {"dim": 0}, "index vector"),
    ("gather", [(2,), (2, 1)], {"dim": 0}, "gather of"),
    ("index", [(), (1,)], {}, "an axis"),
    ("scatter", [(2,), (2,), (1,)], {"dim": 0}, "scatter of"),
    ("index_add", [(2,), (1,), (2,)], {"dim": 0}, "index_add of"),
    ("setitem", [(2, 2), (3,)], {"index": 0}, "broadcast"),
    ("sum_dims", [(2, 2)], {"dims": (0, -2), "keepdim": False}, "name an axis twice"),
    ("kthvalue", [(2,)], {"k": 3, "dim": -1, "keepdim": False}, "rank 3"),
    ("topk", [(2,)], {"k": 3, "dim": -1, "largest": True}, "3 entries"),
    ("linear_without_bias", [(2, 3), (2, 2)], {}, "linear of"),
    ("cross", [(2,), (2,)], {"dim": 0}, "cross of"),
    ("inner", [(2,), (3,)], {}, "inner of"),
    ("einsum_matrices", [(2, 3), (2, 2)], {}, "two lengths"),
    ("inverse", [(2,)], {}, "two axes"),
    ("avg_pool1d", [(2, 1)], {"size": 2, "stride": 1}, "a window of 2"),
    ("split_with_sizes", [(3,)], {"sizes": (1, 1), "dim": 0}, "lengths"),
    ("unflatten", [(3,)], {"dim": 0, "sizes": (2, 2)}, "for dim 0"),
    ("as_strided", [(3,)], {"size": (2,), "stride": (3,)}, "more than 3"),
    ("unfold", [(2,)], {"dim": 0, "size": 3}, "windows of 3"),
    ("index_pairs", [(2,)], {"rows": (0,), "columns": (0,)}, "places"),
    ("select_scatter", [(2, 2), (3,)], {"dim": 0, "index": 0}, "does not fit"),
    ("mse_loss", [(2,), (3,)], {"reduction": "mean"}, "a loss of"),
    ("setitem_last", [(2, 2), (3,)], {"index": 0}, "broadcast"),
)


@pytest.mark.parametrize(("name", "shapes", "params", "reason"), MISFITS)
def test_a_misfit_is_refused(name: str, shapes: list[tuple[int, ...]], params: dict[str, Any], reason: str) -> None:
    """Shapes or parameters that torch would refuse raise ShapeError."""
    with pytest.raises(ShapeError, match=reason):
        CATALOG[name].shape(shapes, params)


@pytest.mark.parametrize(
    ("name", "shapes", "params", "reason"), [m for m in MISFITS if m[0] not in ("split", "repeat", "mse_loss")]
)
def test_torch_refuses_the_misfits_too(name: str, shapes: list[tuple[int, ...]], params: dict[str, Any], reason: str) -> None:
    """No shape rule is stricter than torch, but for three: pieces of nothing, tiles of new axes, and losses that broadcast."""
    torch = pytest.importorskip("torch")
    from conformance.catalog.code import compile_code

    kinds = CATALOG[name].kinds
    operands = [
        torch.zeros(shape, dtype={"float": torch.float64, "int64": torch.int64, "bool": torch.bool}[kind])
        for shape, kind in zip(shapes, kinds, strict=True)
    ]
    call = compile_code(CATALOG[name].torch, {"torch": torch})

    with pytest.raises((RuntimeError, IndexError, ValueError)):
        call(*operands, **params)
