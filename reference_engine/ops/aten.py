"""torch.ops.aten: the table's ops under their ATen names, with overloads.

    torch.ops.aten.mul(x, y)    torch.ops.aten.mul.Tensor(x, y)    torch.ops.aten.sum.dim_IntList(x, [0])

A name is looked up in ATEN (ops whose ATen signature differs from the public one), then among the package's functions,
Tensor's methods, torch.nn.functional's functions and the rows of the table. All overloads of a name run the same
function, which tells them apart by its arguments, as torch's own resolution does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensor import Tensor
from .table import FUNCTIONS, ROWS


def _row(name: str) -> Callable:
    row = ROWS[name]
    return row.call if row.outputs == 1 and not row.variadic else row


def _slice(x: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Tensor:
    return ROWS["slice"].call(x, dim, start, end, step)


def _index(x: Tensor, indices: Any) -> Tensor:
    return ROWS["index"](x, list(indices))


def _to_copy(x: Tensor, *, dtype: Any = None, **_: Any) -> Tensor:
    return ROWS["clone_"].call(x) if dtype is None else ROWS["to_copy"].call(x, dtype)


ATEN: dict[str, Callable] = {
    "_softmax": lambda x, dim, half_to_float=False: ROWS["softmax_row"].call(x, dim),
    "_log_softmax": lambda x, dim, half_to_float=False: ROWS["log_softmax_row"].call(x, dim),
    "_to_copy": _to_copy,
    "alias": lambda x: ROWS["alias"].call(x),
    "copy": lambda x, src, non_blocking=False: ROWS["copy"].call(x, src),
    "_cdist_forward": lambda x1, x2, p, compute_mode=None: FUNCTIONS["cdist"](x1, x2, p),
    "_fft_r2c": lambda x, dim, normalization, onesided: ROWS["_fft_r2c"].call(x, tuple(dim), normalization, onesided),
    "_fft_c2c": lambda x, dim, normalization, forward: ROWS["_fft_c2c"].call(x, tuple(dim), normalization, forward),
    "_fft_c2r": lambda x, dim, normalization, last: ROWS["_fft_c2r"].call(x, tuple(dim), normalization, last),
    "_linalg_det": lambda x: (ROWS["_linalg_det"].call(x), *ROWS["linalg_lu_factor_ex"](x.detach())),
    "_local_scalar_dense": lambda x: x.item(),
    "empty_strided": lambda size, stride, **k: FUNCTIONS["empty"](size, **k),
    "index": _index,
    "slice": _slice,
    "sym_is_contiguous": lambda x, *a: x.is_contiguous(),
    "sym_numel": lambda x: x.numel(),
    "sym_size": lambda x, *d: x.size(*d),
    "sym_storage_offset": lambda x: x.storage_offset(),
    "sym_stride": lambda x, *d: x.stride(*d),
}


def find(name: str) -> Callable:
    """The function of an ATen name. Raises AttributeError for one that the table lacks."""
    if name in ATEN:
        return ATEN[name]
    if name.endswith("_") and not name.endswith("__") and hasattr(Tensor, name):
        return getattr(Tensor, name)
    if name.startswith("linalg_"):
        from .linalg_faces import LINALG

        if name[7:] in LINALG:
            return LINALG[name[7:]]
    from ..nn import functional

    for place in (FUNCTIONS.get(name), getattr(Tensor, name, None), getattr(functional, name, None)):
        if callable(place):
            return place
    if name in ROWS:
        return _row(name)
    if name.startswith("special_"):
        from .special import SPECIAL

        if name[8:] in SPECIAL:
            return SPECIAL[name[8:]]
    raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute {name!r}")


class Packet:
    """One ATen op; its overloads are its attributes."""

    def __init__(self, name: str, overload: str = "") -> None:
        self._name, self._overload, self._run = name, overload, find(name)
        self.__name__ = f"{name}.{overload}" if overload else name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*args, **kwargs)

    def __getattr__(self, overload: str) -> Packet:
        if overload.startswith("_") or self._overload:
            raise AttributeError(overload)
        made = Packet(self._name, overload)
        setattr(self, overload, made)
        return made

    def __repr__(self) -> str:
        return f"<{'OpOverload' if self._overload else 'OpOverloadPacket'}(op='aten.{self.__name__}')>"


def __getattr__(name: str) -> Packet:
    if name.startswith("__"):
        raise AttributeError(name)
    made = globals()[name] = Packet(name)
    return made
